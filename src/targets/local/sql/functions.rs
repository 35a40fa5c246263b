//! The aggregates that Athena has and DataFusion has not, or calls otherwise.

use super::best::{Bests, is_ordered_as_numbers};
use datafusion::{
    arrow::{
        array::{Array, ArrayRef, AsArray},
        compute::{SortOptions, sort_to_indices},
        datatypes::{DataType, Field, FieldRef, Int64Type},
    },
    common::{ScalarValue, exec_err},
    error::Result,
    functions_aggregate::{
        approx_percentile_cont::approx_percentile_cont_udaf, bool_and_or::bool_and_udaf, min_max::min_udaf,
    },
    logical_expr::{
        Accumulator, AggregateUDF, AggregateUDFImpl, GroupsAccumulator, Signature, Volatility, create_udaf,
        function::{AccumulatorArgs, StateFieldsArgs},
    },
    prelude::SessionContext,
};
use std::{cmp::Ordering, sync::Arc};

/// Makes them known.
pub(super) fn register(context: &SessionContext) {
    for (name, sense) in [("max_by", Ordering::Greater), ("min_by", Ordering::Less)] {
        let signature = Signature::any(2, Volatility::Immutable);
        context.register_udaf(AggregateUDF::from(By { name, sense, signature }));
    }
    context.register_udaf(create_udaf(
        "count_if",
        vec![DataType::Boolean],
        Arc::new(DataType::Int64),
        Volatility::Immutable,
        Arc::new(|_| Ok(Box::new(CountIf(0)))),
        Arc::new(vec![DataType::Int64]),
    ));
    // Any value that is not null will do, so the least, which is the same one each time.
    for (known, names) in [
        (min_udaf(), &["arbitrary", "any_value"][..]),
        (approx_percentile_cont_udaf(), &["approx_percentile"]),
        (bool_and_udaf(), &["every"]),
    ] {
        context.register_udaf(known.as_ref().clone().with_aliases(names.iter().copied()));
    }
}

/// `max_by(x, y)`: the `x` of the row with the greatest `y`, even where that is null. Rows without `y` do not count.
#[derive(Debug, PartialEq, Eq, Hash)]
struct By {
    name: &'static str,
    /// How a better `y` compares with the best so far.
    sense: Ordering,
    signature: Signature,
}

impl AggregateUDFImpl for By {
    fn name(&self) -> &str {
        self.name
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, arguments: &[DataType]) -> Result<DataType> {
        match arguments {
            [x, _] => Ok(x.clone()),
            _ => exec_err!("{} takes two arguments", self.name),
        }
    }

    fn state_fields(&self, args: StateFieldsArgs) -> Result<Vec<FieldRef>> {
        let field = |(i, input): (usize, &FieldRef)| {
            Arc::new(Field::new(format!("{}[{i}]", args.name), input.data_type().clone(), true))
        };
        Ok(args.input_fields.iter().enumerate().map(field).collect())
    }

    fn accumulator(&self, args: AccumulatorArgs) -> Result<Box<dyn Accumulator>> {
        match args.expr_fields {
            [x, y] => {
                let (x, y) = (ScalarValue::try_from(x.data_type())?, ScalarValue::try_from(y.data_type())?);
                Ok(Box::new(Best { sense: self.sense, x, y }))
            }
            _ => exec_err!("{} takes two arguments", self.name),
        }
    }

    fn groups_accumulator_supported(&self, args: AccumulatorArgs) -> bool {
        matches!(args.expr_fields, [_, y] if is_ordered_as_numbers(y.data_type()))
    }

    fn create_groups_accumulator(&self, args: AccumulatorArgs) -> Result<Box<dyn GroupsAccumulator>> {
        match args.expr_fields {
            [x, y] => Ok(Box::new(Bests::new(self.sense, x.data_type(), y.data_type()))),
            _ => exec_err!("{} takes two arguments", self.name),
        }
    }
}

/// The best row so far; `y` is null before there is one.
#[derive(Debug)]
struct Best {
    sense: Ordering,
    x: ScalarValue,
    y: ScalarValue,
}

impl Accumulator for Best {
    fn update_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        let [xs, ys] = values else { return exec_err!("two columns expected, not {}", values.len()) };
        if ys.null_count() == ys.len() {
            return Ok(());
        }
        let options = SortOptions { descending: self.sense.is_gt(), nulls_first: false };
        let best = sort_to_indices(ys, Some(options), Some(1))?;
        let Some(row) = best.values().first() else { return Ok(()) };
        let y = ScalarValue::try_from_array(ys, *row as usize)?;
        if self.y.is_null() || y.partial_cmp(&self.y) == Some(self.sense) {
            self.x = ScalarValue::try_from_array(xs, *row as usize)?;
            self.y = y;
            // Otherwise a slice would hold on to the whole batch.
            self.x.compact();
            self.y.compact();
        }
        Ok(())
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<()> {
        self.update_batch(states)
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        Ok(vec![self.x.clone(), self.y.clone()])
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        Ok(self.x.clone())
    }

    fn size(&self) -> usize {
        size_of::<Self>() + self.x.size() + self.y.size()
    }
}

/// `count_if(condition)`: how many rows it holds for.
#[derive(Debug)]
struct CountIf(i64);

impl Accumulator for CountIf {
    fn update_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        let [conditions] = values else { return exec_err!("one column expected, not {}", values.len()) };
        self.0 += i64::try_from(conditions.as_boolean().true_count()).unwrap_or(i64::MAX);
        Ok(())
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<()> {
        let [counts] = states else { return exec_err!("one column expected, not {}", states.len()) };
        self.0 += counts.as_primitive::<Int64Type>().iter().flatten().sum::<i64>();
        Ok(())
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        Ok(vec![self.evaluate()?])
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        Ok(ScalarValue::Int64(Some(self.0)))
    }

    fn size(&self) -> usize {
        size_of::<Self>()
    }
}
