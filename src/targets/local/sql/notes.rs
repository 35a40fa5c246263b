//! What a query says that is understood here and not in Athena. Nothing is refused for it.

use datafusion::sql::{
    parser::Statement,
    sqlparser::ast::{
        BinaryOperator, DataType, Expr, GroupByExpr, Ident, LimitClause, Query, Select, SelectItem, Spanned, Value,
        Visit, Visitor, visit_expressions,
    },
};
use std::ops::ControlFlow;

/// The columns that are times, which Athena compares with times alone.
const TIMES: [&str; 2] = ["timestamp", "ingested_at"];
/// The column that looks like a date and is a text.
pub(super) const DAY: &str = "dt";

/// The notes on a query, each once, in the order of their places.
pub(super) fn notes(statement: &Statement) -> Vec<String> {
    match statement {
        Statement::Statement(statement) => {
            let mut notes = Notes::default();
            let _ = statement.visit(&mut notes);
            notes.0
        }
        Statement::Explain(explain) => notes(&explain.statement),
        _ => vec![],
    }
}

#[derive(Default)]
struct Notes(Vec<String>);

impl Notes {
    fn add(&mut self, note: String) {
        if !self.0.contains(&note) {
            self.0.push(note);
        }
    }
}

impl Visitor for Notes {
    type Break = ();

    fn pre_visit_query(&mut self, query: &Query) -> ControlFlow<()> {
        match &query.limit_clause {
            Some(LimitClause::LimitOffset { limit: Some(limit), offset: Some(offset), .. })
                if limit.span().start < offset.value.span().start =>
            {
                self.add(format!("Athena takes OFFSET before LIMIT: OFFSET {} LIMIT {limit}", offset.value));
            }
            Some(LimitClause::OffsetCommaLimit { offset, limit }) => {
                self.add(format!("Athena has no LIMIT with two numbers: write OFFSET {offset} LIMIT {limit}"));
            }
            _ => {}
        }
        ControlFlow::Continue(())
    }

    fn pre_visit_select(&mut self, select: &Select) -> ControlFlow<()> {
        if select.qualify.is_some() {
            self.add("Athena has no QUALIFY: put the query into a subquery and filter in WHERE".into());
        }
        match &select.group_by {
            GroupByExpr::All(_) => self.add("Athena has no GROUP BY ALL: name the columns".into()),
            GroupByExpr::Expressions(grouped, _) => {
                for name in grouped.iter().filter_map(name) {
                    if let Some(at) = alias(select, name) {
                        self.add(format!(
                            "Athena does not group by an alias: for {name} write GROUP BY {at} or the expression"
                        ));
                    }
                }
            }
        }
        if let Some(having) = &select.having {
            each_name(having, |name| {
                if alias(select, name).is_some() {
                    self.add(format!("Athena knows no alias in HAVING: for {name} write the expression"));
                }
            });
        }
        ControlFlow::Continue(())
    }

    fn pre_visit_expr(&mut self, expr: &Expr) -> ControlFlow<()> {
        match expr {
            Expr::BinaryOp { left, op, right } if is_comparison(op) => self.compared(left, right),
            Expr::Between { expr, low, high, .. } => {
                self.compared(expr, low);
                self.compared(expr, high);
            }
            Expr::InList { expr, list, .. } => list.iter().for_each(|one| self.compared(expr, one)),
            _ => {}
        }
        ControlFlow::Continue(())
    }
}

impl Notes {
    /// Of two sides that are compared.
    fn compared(&mut self, left: &Expr, right: &Expr) {
        for (one, other) in [(left, right), (right, left)] {
            let Some(column) = name(one) else { continue };
            let named = column.value.to_ascii_lowercase();
            if TIMES.contains(&named.as_str())
                && let Some(text) = text(other)
            {
                // In the form that a literal has in SQL, whatever form it was typed in.
                let time = text.replace('T', " ").replace('Z', "");
                self.add(format!("Athena does not compare a time with a text: write {column} with timestamp '{time}'"));
            } else if named == DAY && is_date(other) {
                self.add(format!("in Athena {DAY} is a text: compare it with one, such as '2026-11-20'"));
            }
        }
    }
}

const fn is_comparison(op: &BinaryOperator) -> bool {
    use BinaryOperator::{Eq, Gt, GtEq, Lt, LtEq, NotEq};
    matches!(op, Eq | NotEq | Lt | LtEq | Gt | GtEq)
}

/// The name that an expression is, with what stands before its last point or without.
pub(super) fn name(expr: &Expr) -> Option<&Ident> {
    match expr {
        Expr::Identifier(name) => Some(name),
        Expr::CompoundIdentifier(names) => names.last(),
        Expr::Nested(expr) => name(expr),
        _ => None,
    }
}

fn text(expr: &Expr) -> Option<&str> {
    match expr {
        Expr::Value(value) => match &value.value {
            Value::SingleQuotedString(text) => Some(text),
            _ => None,
        },
        Expr::Nested(expr) => text(expr),
        _ => None,
    }
}

fn is_date(expr: &Expr) -> bool {
    let timely = |kind: &DataType| matches!(kind, DataType::Date | DataType::Timestamp(..));
    match expr {
        Expr::TypedString(text) => timely(&text.data_type),
        Expr::Cast { data_type, .. } => timely(data_type),
        Expr::Function(call) => {
            ["current_date", "current_timestamp", "now"].contains(&call.name.to_string().to_ascii_lowercase().as_str())
        }
        Expr::Nested(expr) => is_date(expr),
        // A day before today is as little a text.
        Expr::BinaryOp { left, op: BinaryOperator::Plus | BinaryOperator::Minus, .. } => is_date(left),
        _ => false,
    }
}

/// The place, from 1, of what this name is given to, if that is no column of the same name.
fn alias(select: &Select, name: &Ident) -> Option<usize> {
    let same = |other: &Ident| other.value.eq_ignore_ascii_case(&name.value);
    (1..).zip(&select.projection).find_map(|(at, item)| {
        let SelectItem::ExprWithAlias { expr, alias } = item else { return None };
        let mut is_column = false;
        each_name(expr, |used| is_column |= same(used));
        (same(alias) && !is_column && !is_lake_column(name)).then_some(at)
    })
}

/// Where a column and an alias have the same name, the column is meant on both sides.
fn is_lake_column(name: &Ident) -> bool {
    let name = name.value.to_ascii_lowercase();
    name == DAY || pipeline::lake::schema().field_with_name(&name).is_ok()
}

fn each_name(expr: &Expr, mut each: impl FnMut(&Ident)) {
    let _ = visit_expressions(expr, |expr| {
        match expr {
            Expr::Identifier(name) => each(name),
            Expr::CompoundIdentifier(names) => names.last().into_iter().for_each(&mut each),
            _ => {}
        }
        ControlFlow::<()>::Continue(())
    });
}
