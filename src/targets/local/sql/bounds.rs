//! Whether a query says from which day on it reads the lake.
//!
//! On AWS one that does not lists the folder of every day since 2000, and scans what it finds there.

use super::{TABLE, notes::DAY};
use datafusion::sql::{
    parser::Statement,
    sqlparser::ast::{
        BinaryOperator, Expr, JoinConstraint, JoinOperator, Query, Select, TableFactor, TableWithJoins, Visit, Visitor,
    },
};
use std::ops::ControlFlow;

/// Whether it reads the table with no first day. What bounds a query that reads the table by way of another goes through
/// to the table, so a bound there does.
pub(super) fn is_unbounded(statement: &Statement) -> bool {
    let Statement::Statement(statement) = statement else { return false };
    let mut seen = Seen::default();
    let _ = statement.visit(&mut seen);
    seen.unbounded && !seen.bounded_elsewhere
}

#[derive(Default)]
struct Seen {
    /// Whether the table is read without a bound beside it.
    unbounded: bool,
    /// Whether there is one where something else is read.
    bounded_elsewhere: bool,
    /// Expressions of this name stand for the table.
    is_hidden: bool,
}

impl Visitor for Seen {
    type Break = ();

    fn pre_visit_query(&mut self, query: &Query) -> ControlFlow<()> {
        let named = query.with.iter().flat_map(|with| &with.cte_tables);
        self.is_hidden |= named.map(|cte| &cte.alias.name.value).any(|name| name.eq_ignore_ascii_case(TABLE));
        ControlFlow::Continue(())
    }

    fn pre_visit_select(&mut self, select: &Select) -> ControlFlow<()> {
        let is_bounded = select.selection.as_ref().is_some_and(bounds) || select.from.iter().any(joined_on_bound);
        let reads = !self.is_hidden && select.from.iter().flat_map(factors).any(is_table);
        if reads {
            self.unbounded |= !is_bounded;
        } else {
            self.bounded_elsewhere |= is_bounded;
        }
        ControlFlow::Continue(())
    }
}

fn factors(from: &TableWithJoins) -> impl Iterator<Item = &TableFactor> {
    std::iter::once(&from.relation).chain(from.joins.iter().map(|join| &join.relation))
}

fn is_table(factor: &TableFactor) -> bool {
    match factor {
        TableFactor::Table { name, .. } => {
            let last = name.0.last().and_then(|part| part.as_ident());
            last.is_some_and(|name| name.value.eq_ignore_ascii_case(TABLE))
        }
        TableFactor::NestedJoin { table_with_joins, .. } => factors(table_with_joins).any(is_table),
        _ => false,
    }
}

fn joined_on_bound(from: &TableWithJoins) -> bool {
    from.joins.iter().any(|join| match &join.join_operator {
        JoinOperator::Join(JoinConstraint::On(on)) | JoinOperator::Inner(JoinConstraint::On(on)) => bounds(on),
        _ => false,
    })
}

/// Whether `dt` has a lower bound where this is true.
fn bounds(expr: &Expr) -> bool {
    use BinaryOperator::{And, Eq, Gt, GtEq, Lt, LtEq, Or};
    match expr {
        Expr::Nested(expr) => bounds(expr),
        Expr::BinaryOp { left, op: And, right } => bounds(left) || bounds(right),
        Expr::BinaryOp { left, op: Or, right } => bounds(left) && bounds(right),
        Expr::BinaryOp { left, op: Eq, right } => {
            (is_day(left) && is_fixed(right)) || (is_day(right) && is_fixed(left))
        }
        Expr::BinaryOp { left, op: Gt | GtEq, right } => is_day(left) && is_fixed(right),
        Expr::BinaryOp { left, op: Lt | LtEq, right } => is_day(right) && is_fixed(left),
        Expr::Between { expr, negated: false, low, .. } => is_day(expr) && is_fixed(low),
        Expr::InList { expr, negated: false, list } => is_day(expr) && list.iter().all(is_fixed),
        _ => false,
    }
}

fn is_day(expr: &Expr) -> bool {
    super::notes::name(expr).is_some_and(|name| name.value.eq_ignore_ascii_case(DAY))
}

/// Whether it is known before anything is read: it names no column, and asks nothing.
fn is_fixed(expr: &Expr) -> bool {
    struct Free;
    impl Visitor for Free {
        type Break = ();

        fn pre_visit_expr(&mut self, expr: &Expr) -> ControlFlow<()> {
            match expr {
                Expr::Identifier(_) | Expr::CompoundIdentifier(_) | Expr::Subquery(_) => ControlFlow::Break(()),
                _ => ControlFlow::Continue(()),
            }
        }
    }
    expr.visit(&mut Free).is_continue()
}

#[cfg(test)]
mod tests {
    use super::super::bind;
    use super::*;
    use crate::{
        queries::{self, Defaults},
        targets::local::sql::SqlError,
    };
    use pipeline::Date;

    fn unbounded(sql: &str) -> Result<bool, SqlError> {
        bind::statement(sql, &[]).map(|statement| is_unbounded(&statement))
    }

    /// Would catch a query that reads all of history unnoticed, and a note where there is a bound.
    #[test]
    fn bounds_of_the_day() {
        for rest in [
            "",
            "WHERE symbol = 'A'",
            "WHERE dt <= '2013-01-31'",
            "WHERE dt >= '2013-01-01' OR symbol = 'A'",
            "WHERE dt = (SELECT max(dt) FROM stock_data_table WHERE dt > '2013-01-01')",
            "AS a JOIN stock_data_table AS b ON a.dt = b.dt",
            "WHERE dt <> '2013-01-01'",
            "WHERE dt NOT IN ('2013-01-01')",
        ] {
            let sql = format!("SELECT * FROM stock_data_table {rest}");
            assert_eq!(unbounded(&sql), Ok(true), "{sql}");
        }
        for sql in [
            "SELECT 1",
            "SELECT * FROM stock_data_raw",
            "SELECT * FROM stock_data_table WHERE symbol = 'A' AND (dt >= '2013-01-01')",
            "SELECT * FROM Stock_Data_Table AS t WHERE '2013-01-01' < t.dt",
            "SELECT * FROM stock_data_table WHERE dt BETWEEN '2013-01-01' AND '2013-01-31'",
            "SELECT * FROM stock_data_table WHERE dt IN ('2013-01-01') OR dt = '2013-01-02'",
            "SELECT * FROM stock_data_table WHERE dt > cast(current_date - interval '7' day AS varchar)",
            "SELECT * FROM (SELECT * FROM stock_data_table) WHERE dt >= '2013-01-01'",
            "WITH a AS (SELECT * FROM stock_data_table) SELECT * FROM a WHERE dt >= '2013-01-01'",
            "WITH stock_data_table AS (SELECT 1) SELECT * FROM stock_data_table",
            "SELECT * FROM stock_data_table AS a JOIN stock_data_table AS b ON a.dt = b.dt AND a.dt = '2013-01-01'",
            "DESCRIBE stock_data_table",
        ] {
            assert_eq!(unbounded(sql), Ok(false), "{sql}");
        }
        let newest = Date::parse("2026-11-20").expect("a date");
        for query in queries::bundled().expect("queries") {
            let values = query.resolve(&[], Defaults { newest, all: None }).expect("values");
            let statement = bind::statement(&query.sql, &values).expect("a statement");
            assert!(!is_unbounded(&statement), "{}", query.name);
        }
    }
}
