//! A loop per window function. Each remembers, from batch to batch, what its partition has shown so far.

use super::{known::Upto, partitions::Part};
use datafusion::{
    arrow::{
        array::{
            Array, ArrayRef, ArrowPrimitiveType, AsArray, BooleanBufferBuilder, Decimal128Array, Float64Array,
            PrimitiveArray, UInt32Array, UInt64Array, new_empty_array, new_null_array,
        },
        buffer::NullBuffer,
        compute::{concat, take},
        datatypes::{DataType, Decimal128Type, Float64Type},
    },
    common::exec_datafusion_err,
    error::Result,
};
use std::{iter, sync::Arc};

/// Computes one function.
pub(super) trait Kernel: Send {
    /// Its values for the next batch, which consists of these parts. The argument is a column of the batch; there is
    /// none for functions that have none.
    fn batch(&mut self, argument: Option<&ArrayRef>, parts: &[Part]) -> Result<ArrayRef>;
}

fn given(argument: Option<&ArrayRef>) -> Result<&ArrayRef> {
    argument.ok_or_else(|| exec_datafusion_err!("a window function without its argument"))
}

/// `row_number()`.
#[derive(Default)]
pub(super) struct RowNumber {
    last: u64,
}

impl Kernel for RowNumber {
    fn batch(&mut self, _: Option<&ArrayRef>, parts: &[Part]) -> Result<ArrayRef> {
        let mut numbers = Vec::new();
        for part in parts {
            if part.begins {
                self.last = 0;
            }
            let first = self.last + 1;
            self.last += part.rows.len() as u64;
            numbers.extend(first..=self.last);
        }
        Ok(Arc::new(UInt64Array::from(numbers)))
    }
}

/// `lag(x, rows)`.
pub(super) struct Lag {
    rows: usize,
    /// The last values of the partition, at most so many.
    last: Option<ArrayRef>,
}

impl Lag {
    pub(super) const fn new(rows: usize) -> Self {
        Self { rows, last: None }
    }
}

impl Kernel for Lag {
    fn batch(&mut self, argument: Option<&ArrayRef>, parts: &[Part]) -> Result<ArrayRef> {
        let values = given(argument)?;
        let nothing = new_null_array(values.data_type(), self.rows.min(values.len()));
        let mut pieces: Vec<ArrayRef> = Vec::new();
        for part in parts {
            if part.begins {
                self.last = None;
            }
            let own = values.slice(part.rows.start, part.rows.len());
            let last = self.last.take().unwrap_or_else(|| new_empty_array(values.data_type()));
            // Nulls, what there was before, its own: of these as many as the part has rows.
            let mut missing = own.len();
            for (piece, most) in [(&nothing, self.rows - last.len()), (&last, last.len()), (&own, own.len())] {
                let length = missing.min(most);
                if length > 0 {
                    pieces.push(piece.slice(0, length));
                }
                missing -= length;
            }
            self.last = Some(if own.len() >= self.rows {
                own.slice(own.len() - self.rows, self.rows)
            } else {
                let both = concat(&[&last, &own])?;
                let length = both.len().min(self.rows);
                both.slice(both.len() - length, length)
            });
        }
        if pieces.is_empty() {
            return Ok(new_empty_array(values.data_type()));
        }
        Ok(concat(&pieces.iter().map(AsRef::as_ref).collect::<Vec<_>>())?)
    }
}

/// `lag(x) IGNORE NULLS`.
#[derive(Default)]
pub(super) struct LastValue {
    /// It, as a column of one row, if the partition has had one.
    last: Option<ArrayRef>,
}

impl Kernel for LastValue {
    fn batch(&mut self, argument: Option<&ArrayRef>, parts: &[Part]) -> Result<ArrayRef> {
        let values = given(argument)?;
        let before = self.last.take();
        // The first row is what the batch before left, if anything.
        let mut place = before.is_some().then_some(0);
        let before = before.unwrap_or_else(|| new_null_array(values.data_type(), 1));
        let all = concat(&[&before, values])?;
        let nulls = values.nulls();
        let mut places = Vec::with_capacity(values.len());
        for part in parts {
            if part.begins {
                place = None;
            }
            for row in part.rows.clone() {
                places.push(place);
                if nulls.is_none_or(|nulls| nulls.is_valid(row)) {
                    place = Some(u32::try_from(row + 1).map_err(|e| exec_datafusion_err!("{e}"))?);
                }
            }
        }
        self.last = place.map(|place| take(&all, &UInt32Array::from(vec![place]), None)).transpose()?;
        Ok(take(&all, &UInt32Array::from(places), None)?)
    }
}

/// The `sum` of decimals `ROWS BETWEEN rows - 1 PRECEDING AND CURRENT ROW`; null without a value.
pub(super) struct SlidingSum {
    rows: usize,
    output: DataType,
    /// The last values of the partition, at most so many, a null as 0, and which of them are none.
    last: Vec<i128>,
    are_values: Vec<bool>,
    sum: i128,
    /// How many values are summed.
    count: usize,
}

impl SlidingSum {
    pub(super) const fn new(rows: usize, output: DataType) -> Self {
        Self { rows, output, last: Vec::new(), are_values: Vec::new(), sum: 0, count: 0 }
    }

    fn clear(&mut self) {
        self.last.clear();
        self.are_values.clear();
        self.sum = 0;
        self.count = 0;
    }

    /// Appends to the last values those of a part.
    fn extend(&mut self, values: &PrimitiveArray<Decimal128Type>) {
        self.last.extend_from_slice(values.values());
        let before = self.are_values.len();
        self.are_values.resize(self.last.len(), true);
        if values.null_count() > 0 {
            for row in (0..values.len()).filter(|row| values.is_null(*row)) {
                if let (Some(value), Some(is_value)) =
                    (self.last.get_mut(before + row), self.are_values.get_mut(before + row))
                {
                    (*value, *is_value) = (0, false);
                }
            }
        }
    }
}

impl Kernel for SlidingSum {
    fn batch(&mut self, argument: Option<&ArrayRef>, parts: &[Part]) -> Result<ArrayRef> {
        let values = given(argument)?.as_primitive::<Decimal128Type>();
        let mut sums = Vec::with_capacity(values.len());
        let mut present = BooleanBufferBuilder::new(values.len());
        for part in parts {
            if part.begins {
                self.clear();
            }
            let before = self.last.len();
            self.extend(&values.slice(part.rows.start, part.rows.len()));
            // Rows that come are as many as the part's; none goes before the frame is full.
            let filling = (self.rows - before).min(part.rows.len());
            let coming = self.last.iter().zip(&self.are_values).skip(before);
            let nothing = iter::repeat_n((&0, &false), filling);
            let going = nothing.chain(self.last.iter().zip(&self.are_values));
            for ((comes, is_value), (goes, was_value)) in coming.zip(going) {
                // As DataFusion's own, which cannot overflow for decimals of less than 38 digits.
                self.sum = self.sum.wrapping_add(*comes).wrapping_sub(*goes);
                self.count = self.count + usize::from(*is_value) - usize::from(*was_value);
                sums.push(self.sum);
                present.append(self.count > 0);
            }
            let gone = self.last.len().saturating_sub(self.rows);
            self.last.drain(..gone);
            self.are_values.drain(..gone);
        }
        let nulls = Some(NullBuffer::new(present.finish())).filter(|nulls| nulls.null_count() > 0);
        Ok(Arc::new(Decimal128Array::try_new(sums.into(), nulls)?.with_data_type(self.output.clone())))
    }
}

/// The `stddev_samp` of doubles `ROWS BETWEEN rows - 1 PRECEDING AND CURRENT ROW`; null of fewer than two values.
///
/// Of each frame by itself, in two passes. DataFusion's own adds what comes and subtracts what goes, so that its error
/// grows with the partition; the two agree to about ten digits.
pub(super) struct Deviation {
    rows: usize,
    /// The last values of the partition, at most so many.
    last: Vec<Option<f64>>,
}

impl Deviation {
    pub(super) const fn new(rows: usize) -> Self {
        Self { rows, last: Vec::new() }
    }

    fn of(values: impl Iterator<Item = f64> + Clone) -> Option<f64> {
        let (count, sum) = values.clone().fold((0_u32, 0.0), |(count, sum), value| (count + 1, sum + value));
        let mean = sum / f64::from(count);
        let squares: f64 = values.map(|value| (value - mean) * (value - mean)).sum();
        (count > 1).then(|| (squares / f64::from(count - 1)).sqrt())
    }
}

impl Kernel for Deviation {
    fn batch(&mut self, argument: Option<&ArrayRef>, parts: &[Part]) -> Result<ArrayRef> {
        let values = given(argument)?.as_primitive::<Float64Type>();
        let mut deviations = Vec::with_capacity(values.len());
        for part in parts {
            if part.begins {
                self.last.clear();
            }
            let before = self.last.len();
            self.last.extend(&values.slice(part.rows.start, part.rows.len()));
            for end in before + 1..=self.last.len() {
                let frame = self.last.get(end.saturating_sub(self.rows)..end).unwrap_or_default();
                deviations.push(Self::of(frame.iter().copied().flatten()));
            }
            self.last.drain(..self.last.len().saturating_sub(self.rows));
        }
        Ok(Arc::new(Float64Array::from(deviations)))
    }
}

/// Folds all values of the partition so far into one; null before there is one.
pub(super) struct Running<T: ArrowPrimitiveType, F> {
    upto: Upto,
    output: DataType,
    fold: F,
    so_far: Option<T::Native>,
}

impl<T: ArrowPrimitiveType, F> Running<T, F> {
    pub(super) const fn new(upto: Upto, output: DataType, fold: F) -> Self {
        Self { upto, output, fold, so_far: None }
    }
}

impl<T, F> Kernel for Running<T, F>
where
    T: ArrowPrimitiveType,
    F: Fn(T::Native, T::Native) -> T::Native + Send,
{
    fn batch(&mut self, argument: Option<&ArrayRef>, parts: &[Part]) -> Result<ArrayRef> {
        let values = given(argument)?.as_primitive::<T>();
        let mut folded = Vec::with_capacity(values.len());
        let mut present = BooleanBufferBuilder::new(values.len());
        for part in parts {
            if part.begins {
                self.so_far = None;
            }
            for value in &values.slice(part.rows.start, part.rows.len()) {
                let before = self.so_far;
                if let Some(value) = value {
                    self.so_far = Some(before.map_or(value, |before| (self.fold)(before, value)));
                }
                let shown = if self.upto == Upto::RowBefore { before } else { self.so_far };
                folded.push(shown.unwrap_or_default());
                present.append(shown.is_some());
            }
        }
        let nulls = Some(NullBuffer::new(present.finish())).filter(|nulls| nulls.null_count() > 0);
        Ok(Arc::new(PrimitiveArray::<T>::try_new(folded.into(), nulls)?.with_data_type(self.output.clone())))
    }
}
