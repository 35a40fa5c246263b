//! Spans of time added to a column of them.
//!
//! An interval may have months, which differ in length, so that DataFusion adds it row by row through the calendar.
//! One without any is so many of the column's own units, which are added to a whole batch at once.

use datafusion::{
    arrow::datatypes::{DataType, IntervalMonthDayNano, TimeUnit},
    common::{
        DFSchema, ScalarValue,
        tree_node::{Transformed, TreeNode},
    },
    error::Result,
    logical_expr::{
        BinaryExpr, Expr, ExprSchemable, LogicalPlan, Operator, expr_rewriter::NamePreserver, utils::merge_schema,
    },
    optimizer::{ApplyOrder, OptimizerConfig, OptimizerRule},
};

const NANOS_OF_A_MILLI: i64 = 1_000_000;
/// Of a day of a time without a zone.
const MILLIS_OF_A_DAY: i64 = 86_400_000;

/// Turns intervals that are added to or taken from times of milliseconds into durations, where they are of whole ones.
#[derive(Debug)]
pub(super) struct IntervalsToDurations;

impl OptimizerRule for IntervalsToDurations {
    fn name(&self) -> &'static str {
        "intervals_to_durations"
    }

    fn apply_order(&self) -> Option<ApplyOrder> {
        Some(ApplyOrder::BottomUp)
    }

    fn rewrite(&self, plan: LogicalPlan, _: &dyn OptimizerConfig) -> Result<Transformed<LogicalPlan>> {
        let schema = merge_schema(&plan.inputs());
        let names = NamePreserver::new(&plan);
        plan.map_expressions(|expr| {
            let name = names.save(&expr);
            let rewritten = expr.transform_up(|expr| {
                Ok(match with_duration(&expr, &schema) {
                    Some(expr) => Transformed::yes(expr),
                    None => Transformed::no(expr),
                })
            })?;
            Ok(rewritten.update_data(|expr| name.restore(expr)))
        })
    }
}

/// The expression with a duration, if it is a time and such an interval.
fn with_duration(expr: &Expr, schema: &DFSchema) -> Option<Expr> {
    let Expr::BinaryExpr(BinaryExpr { left, op, right }) = expr else { return None };
    let is_time = |side: &Expr| matches!(side.get_type(schema), Ok(DataType::Timestamp(TimeUnit::Millisecond, None)));
    let (left, right) = match op {
        Operator::Plus | Operator::Minus if is_time(left) => (Box::clone(left), Box::new(duration(right)?)),
        Operator::Plus if is_time(right) => (Box::new(duration(left)?), Box::clone(right)),
        _ => return None,
    };
    Some(Expr::BinaryExpr(BinaryExpr { left, op: *op, right }))
}

/// A constant interval as a duration, if it is one of whole milliseconds.
fn duration(expr: &Expr) -> Option<Expr> {
    let Expr::Literal(ScalarValue::IntervalMonthDayNano(Some(interval)), metadata) = expr else { return None };
    let IntervalMonthDayNano { months: 0, days, nanoseconds } = *interval else { return None };
    if nanoseconds % NANOS_OF_A_MILLI != 0 {
        return None;
    }
    let millis = i64::from(days) * MILLIS_OF_A_DAY + nanoseconds / NANOS_OF_A_MILLI;
    Some(Expr::Literal(ScalarValue::DurationMillisecond(Some(millis)), metadata.clone()))
}
