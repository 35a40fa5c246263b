//! Which window functions are known, and how to tell.

use super::kernels::{Deviation, Kernel, Lag, LastValue, RowNumber, Running, SlidingSum};
use datafusion::{
    arrow::{
        array::ArrowNativeTypeOp,
        datatypes::{
            ArrowPrimitiveType, DataType, Decimal128Type, Int64Type, Schema, TimeUnit, TimestampMillisecondType,
        },
    },
    common::ScalarValue,
    logical_expr::{WindowFrame, WindowFrameBound, WindowFrameUnits},
    physical_expr::{
        PhysicalExpr,
        aggregate::AggregateFunctionExpr,
        expressions::Literal,
        window::{PlainAggregateWindowExpr, SlidingAggregateWindowExpr, StandardWindowExpr, WindowExpr},
    },
    physical_plan::windows::WindowUDFExpr,
};
use std::{fmt, sync::Arc};

/// Frames and lags of more rows stay with DataFusion, which keeps no copy of them.
const MOST_ROWS: usize = 1 << 16;

/// Nor is a deviation over more rows worked out anew for each.
const MOST_ROWS_ANEW: usize = 256;

/// A function of a window that is known.
#[derive(Clone, Debug)]
pub(super) struct Known {
    function: Function,
    argument: Option<Arc<dyn PhysicalExpr>>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Function {
    RowNumber,
    /// The value so many rows before.
    Lag(usize),
    /// The last value before that is not null.
    LastValue,
    /// The sum of decimals over so many rows, the current one the last.
    SlidingSum(usize, DataType),
    /// The standard deviation over so many rows, the current one the last.
    Deviation(usize),
    /// Over all rows of the partition so far.
    Running(Fold, Upto, DataType),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fold {
    Sum,
    Min,
    Max,
}

/// Where a frame ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Upto {
    CurrentRow,
    RowBefore,
}

impl Known {
    /// The function of a window expression, if every part of it is known.
    pub(super) fn of(expr: &Arc<dyn WindowExpr>, schema: &Schema) -> Option<Self> {
        let any = expr.as_any();
        if let Some(standard) = any.downcast_ref::<StandardWindowExpr>() {
            return Self::of_standard(standard.get_standard_func_expr().as_any().downcast_ref()?);
        }
        let aggregate = if let Some(plain) = any.downcast_ref::<PlainAggregateWindowExpr>() {
            plain.get_aggregate_expr()
        } else {
            any.downcast_ref::<SlidingAggregateWindowExpr>()?.get_aggregate_expr()
        };
        // A filter has no getter. It is the last that is written of either kind; were it not, nothing would be known.
        let filtered = !format!("{expr:?}").ends_with("filter: None }");
        if filtered || aggregate.is_distinct() || aggregate.ignore_nulls() || !aggregate.order_bys().is_empty() {
            return None;
        }
        Self::of_aggregate(aggregate, expr.get_window_frame(), schema)
    }

    fn of_standard(function: &WindowUDFExpr) -> Option<Self> {
        // Neither has a getter, as above.
        let written = format!("{function:?}");
        let ignores_nulls = if written.ends_with("is_reversed: false, ignore_nulls: false }") {
            false
        } else if written.ends_with("is_reversed: false, ignore_nulls: true }") {
            true
        } else {
            return None;
        };
        match (function.fun().name(), function.args()) {
            ("row_number", []) => Some(Self { function: Function::RowNumber, argument: None }),
            ("lag", [argument, more @ ..]) => {
                let rows = match more {
                    [] => 1,
                    [rows] => whole(rows)?,
                    // What there is without a row so far back.
                    [rows, default] if literal(default)?.is_null() => whole(rows)?,
                    _ => return None,
                };
                let function = match (rows, ignores_nulls) {
                    (1, true) => Function::LastValue,
                    (1..=MOST_ROWS, false) => Function::Lag(rows),
                    _ => return None,
                };
                Some(Self { function, argument: Some(Arc::clone(argument)) })
            }
            _ => None,
        }
    }

    fn of_aggregate(aggregate: &AggregateFunctionExpr, frame: &WindowFrame, schema: &Schema) -> Option<Self> {
        let [argument] = &aggregate.expressions()[..] else { return None };
        let input = argument.data_type(schema).ok()?;
        let output = aggregate.field().data_type().clone();
        let same_scale = match (&input, &output) {
            (DataType::Decimal128(_, a), DataType::Decimal128(_, b)) => a == b,
            _ => false,
        };
        let foldable = input == output
            && matches!(
                input,
                DataType::Decimal128(..) | DataType::Int64 | DataType::Timestamp(TimeUnit::Millisecond, None)
            );
        let function = match (aggregate.fun().name(), rows(frame)?) {
            ("sum", (None, upto)) if same_scale => Function::Running(Fold::Sum, upto, output),
            ("sum", (Some(rows @ 1..=MOST_ROWS), Upto::CurrentRow)) if same_scale => Function::SlidingSum(rows, output),
            ("stddev", (Some(rows @ 1..=MOST_ROWS_ANEW), Upto::CurrentRow)) if input == DataType::Float64 => {
                Function::Deviation(rows)
            }
            ("min", (None, upto)) if foldable => Function::Running(Fold::Min, upto, output),
            ("max", (None, upto)) if foldable => Function::Running(Fold::Max, upto, output),
            _ => return None,
        };
        Some(Self { function, argument: Some(Arc::clone(argument)) })
    }

    /// What it is of.
    pub(super) fn argument(&self) -> Option<Arc<dyn PhysicalExpr>> {
        self.argument.clone()
    }

    /// What computes it.
    pub(super) fn kernel(&self) -> Box<dyn Kernel> {
        match &self.function {
            Function::RowNumber => Box::new(RowNumber::default()),
            Function::Lag(rows) => Box::new(Lag::new(*rows)),
            Function::LastValue => Box::new(LastValue::default()),
            Function::SlidingSum(rows, output) => Box::new(SlidingSum::new(*rows, output.clone())),
            Function::Deviation(rows) => Box::new(Deviation::new(*rows)),
            Function::Running(fold, upto, output) => match output {
                DataType::Decimal128(..) => running::<Decimal128Type>(*fold, *upto, output),
                DataType::Timestamp(..) => running::<TimestampMillisecondType>(*fold, *upto, output),
                _ => running::<Int64Type>(*fold, *upto, output),
            },
        }
    }
}

impl fmt::Display for Known {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.function {
            Function::RowNumber => f.write_str("row_number"),
            Function::Lag(rows) => write!(f, "lag {rows}"),
            Function::LastValue => f.write_str("last value"),
            Function::SlidingSum(rows, _) => write!(f, "sum of {rows}"),
            Function::Deviation(rows) => write!(f, "deviation of {rows}"),
            Function::Running(fold, Upto::CurrentRow, _) => write!(f, "{fold:?} so far"),
            Function::Running(fold, Upto::RowBefore, _) => write!(f, "{fold:?} before"),
        }
    }
}

fn running<T: ArrowPrimitiveType>(fold: Fold, upto: Upto, output: &DataType) -> Box<dyn Kernel>
where
    T::Native: Ord,
{
    let output = output.clone();
    match fold {
        // As DataFusion's own, which cannot overflow for decimals of less than 38 digits.
        Fold::Sum => Box::new(Running::<T, _>::new(upto, output, T::Native::add_wrapping)),
        Fold::Min => Box::new(Running::<T, _>::new(upto, output, Ord::min)),
        Fold::Max => Box::new(Running::<T, _>::new(upto, output, Ord::max)),
    }
}

/// How many rows a frame has, where it is not all so far, and where it ends.
fn rows(frame: &WindowFrame) -> Option<(Option<usize>, Upto)> {
    use WindowFrameBound::{CurrentRow, Preceding};
    if frame.units != WindowFrameUnits::Rows {
        return None;
    }
    let start = match &frame.start_bound {
        Preceding(ScalarValue::UInt64(start)) => start.map(usize::try_from).transpose().ok()?,
        _ => return None,
    };
    match (start, &frame.end_bound) {
        (None, Preceding(ScalarValue::UInt64(Some(1)))) => Some((None, Upto::RowBefore)),
        (None, CurrentRow) => Some((None, Upto::CurrentRow)),
        (Some(before), CurrentRow) => Some((Some(before.checked_add(1)?), Upto::CurrentRow)),
        _ => None,
    }
}

fn literal(expr: &Arc<dyn PhysicalExpr>) -> Option<&ScalarValue> {
    expr.downcast_ref::<Literal>().map(Literal::value)
}

fn whole(expr: &Arc<dyn PhysicalExpr>) -> Option<usize> {
    match literal(expr)? {
        ScalarValue::Int64(Some(value)) => usize::try_from(*value).ok(),
        _ => None,
    }
}
