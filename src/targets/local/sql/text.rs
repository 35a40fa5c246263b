//! From columns of values to rows of exact texts.

use crate::rows::{Column, ColumnKind, Row, float};
use datafusion::{
    arrow::{
        array::{Array, ArrayRef, AsArray, RecordBatch},
        compute::cast,
        datatypes::{DataType, Decimal128Type, Field, Float64Type, TimeUnit, TimestampMillisecondType},
        util::display::{ArrayFormatter, FormatOptions},
    },
    error::{DataFusionError, Result},
};
use pipeline::{Timestamp, push_decimal};

/// A column of an answer.
pub(super) fn column(field: &Field) -> Column {
    let kind = match field.data_type() {
        DataType::Timestamp(..) => ColumnKind::Time,
        DataType::Boolean => ColumnKind::Flag,
        kind if kind.is_numeric() => ColumnKind::Number,
        _ => ColumnKind::Text,
    };
    Column { name: field.name().clone(), kind }
}

/// The rows of a batch.
pub(super) fn rows(batch: &RecordBatch) -> Result<Vec<Row>> {
    let mut rows: Vec<Row> = (0..batch.num_rows()).map(|_| Row::with_capacity(batch.num_columns())).collect();
    for column in batch.columns() {
        push(column, &mut rows)?;
    }
    Ok(rows)
}

/// Appends a column's values to the rows.
fn push(column: &ArrayRef, rows: &mut [Row]) -> Result<()> {
    match column.data_type() {
        DataType::Utf8View => {
            let values = column.as_string_view();
            each(column, rows, |i| Ok(values.value(i).to_owned()))
        }
        DataType::Timestamp(..) => {
            // What is finer than a millisecond is cut off, as it is everywhere.
            let millis = cast(column, &DataType::Timestamp(TimeUnit::Millisecond, None))?;
            let millis = millis.as_primitive::<TimestampMillisecondType>();
            each(column, rows, |i| match Timestamp::from_millis(millis.value(i)) {
                Some(time) => Ok(time.to_string()),
                None => Err(DataFusionError::Execution("a time outside the years 0 to 9999".into())),
            })
        }
        DataType::Decimal128(_, scale @ 0..) => {
            let places = u32::from(scale.unsigned_abs());
            let units = column.as_primitive::<Decimal128Type>();
            each(column, rows, |i| {
                let mut text = Vec::with_capacity(24);
                push_decimal(&mut text, units.value(i), places);
                String::from_utf8(text).map_err(|e| DataFusionError::External(e.into()))
            })
        }
        DataType::Float16 | DataType::Float32 => {
            // By way of its own shortest text, since the nearest double of 0.1 in single precision has more digits.
            let options = FormatOptions::new();
            let values = ArrayFormatter::try_new(column, &options)?;
            each(column, rows, |i| Ok(values.value(i).try_to_string()?.trim_end_matches(".0").to_owned()))
        }
        DataType::Float64 => {
            let values = column.as_primitive::<Float64Type>();
            each(column, rows, |i| Ok(float(values.value(i))))
        }
        kind => {
            let options = FormatOptions::new();
            let values = ArrayFormatter::try_new(column, &options)?;
            let decimal = kind.is_decimal();
            each(column, rows, |i| {
                let text = values.value(i).try_to_string()?;
                Ok(if decimal && text.contains('.') {
                    text.trim_end_matches('0').trim_end_matches('.').to_owned()
                } else {
                    text
                })
            })
        }
    }
}

fn each(column: &ArrayRef, rows: &mut [Row], text: impl Fn(usize) -> Result<String>) -> Result<()> {
    // Logical, since a column of nothing but nulls has no mask of them.
    let nulls = column.logical_nulls();
    for (i, row) in rows.iter_mut().enumerate() {
        let null = nulls.as_ref().is_some_and(|nulls| nulls.is_null(i));
        row.push(if null { None } else { Some(text(i)?) });
    }
    Ok(())
}
