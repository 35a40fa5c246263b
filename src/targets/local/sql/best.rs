//! `max_by` and `min_by` of many groups at once.

use datafusion::{
    arrow::{
        array::{
            Array, ArrayRef, ArrowPrimitiveType, AsArray, BooleanArray, Decimal128Array, Int64Array, PrimitiveArray,
            UInt32Array, new_null_array,
        },
        compute::{cast, interleave, nullif, take},
        datatypes::{DataType, Decimal128Type, Int64Type},
    },
    common::{exec_datafusion_err, exec_err},
    error::Result,
    logical_expr::{EmitTo, GroupsAccumulator},
};
use std::{cmp::Ordering, ops::Range, sync::Arc};

/// Values that are no longer the best of any group may be as many as those that are, and so many more.
const SLACK: usize = 8192;

/// Whether the order of values of this type is that of whole numbers.
pub(super) fn is_ordered_as_numbers(kind: &DataType) -> bool {
    kind.is_integer() && !matches!(kind, DataType::UInt64)
        || matches!(kind, DataType::Timestamp(..) | DataType::Date32 | DataType::Date64 | DataType::Decimal128(..))
}

/// The best row of each group so far.
pub(super) struct Bests {
    /// How a better `y` compares with the best so far.
    sense: Ordering,
    /// The type of `y`.
    kind: DataType,
    /// The best `y` of each group, if there is one.
    keys: Vec<Option<i128>>,
    /// Where its `x` is: a chunk and a row of it. The first chunk is a single null, for groups without a `y`.
    places: Vec<(usize, usize)>,
    chunks: Vec<ArrayRef>,
    /// The rows of all chunks.
    rows: usize,
}

impl Bests {
    pub(super) fn new(sense: Ordering, x: &DataType, y: &DataType) -> Self {
        let chunks = vec![new_null_array(x, 1)];
        Self { sense, kind: y.clone(), keys: Vec::new(), places: Vec::new(), chunks, rows: 1 }
    }

    /// The values of `y` as whole numbers.
    fn numbers(&self, ys: &ArrayRef) -> Result<Numbers> {
        Ok(if matches!(self.kind, DataType::Decimal128(..)) {
            Numbers::Wide(ys.as_primitive::<Decimal128Type>().clone())
        } else {
            Numbers::Narrow(cast(ys, &DataType::Int64)?.as_primitive::<Int64Type>().clone())
        })
    }

    /// The other way round.
    fn column(&self, keys: Vec<Option<i128>>) -> Result<ArrayRef> {
        if let DataType::Decimal128(precision, scale) = self.kind {
            return Ok(Arc::new(Decimal128Array::from(keys).with_precision_and_scale(precision, scale)?));
        }
        let whole = keys.into_iter().map(|key| key.map(i64::try_from).transpose()).collect::<Result<Int64Array, _>>();
        let whole = whole.map_err(|e| exec_datafusion_err!("{e}"))?;
        Ok(cast(&whole, &self.kind)?)
    }

    /// The `x` at these places.
    fn values(&self, places: &[(usize, usize)]) -> Result<ArrayRef> {
        let chunks: Vec<&dyn Array> = self.chunks.iter().map(AsRef::as_ref).collect();
        Ok(interleave(&chunks, places)?)
    }

    fn add(&mut self, chunk: ArrayRef) {
        // Otherwise the few texts that are taken would hold on to all of their batch.
        let chunk = if let Some(texts) = chunk.as_string_view_opt() { Arc::new(texts.gc()) } else { chunk };
        self.rows += chunk.len();
        self.chunks.push(chunk);
    }

    /// Lets go of what is no longer the best of any group.
    fn compact(&mut self) -> Result<()> {
        let kept = self.values(&self.places)?;
        self.chunks.truncate(1);
        self.rows = 1;
        self.add(kept);
        for (row, place) in self.places.iter_mut().enumerate() {
            *place = (1, row);
        }
        Ok(())
    }
}

/// Values of `y`, as whole numbers.
enum Numbers {
    Narrow(Int64Array),
    Wide(Decimal128Array),
}

impl Numbers {
    /// The best of these rows and where it is, the first of several; none where no row counts.
    fn best(&self, rows: Range<usize>, filter: Option<&BooleanArray>, sense: Ordering) -> Option<(usize, i128)> {
        match self {
            Self::Narrow(values) => best(values, rows, filter, sense).map(|(row, y)| (row, y.into())),
            Self::Wide(values) => best(values, rows, filter, sense),
        }
    }
}

fn best<T: ArrowPrimitiveType>(
    values: &PrimitiveArray<T>,
    rows: Range<usize>,
    filter: Option<&BooleanArray>,
    sense: Ordering,
) -> Option<(usize, T::Native)>
where
    T::Native: Ord,
{
    let all = rows.clone().zip(values.values().get(rows)?.iter().copied());
    let better =
        |best: (usize, T::Native), row: (usize, T::Native)| if row.1.cmp(&best.1) == sense { row } else { best };
    if filter.is_none() && values.null_count() == 0 {
        return all.reduce(better);
    }
    let counts = |row: usize| values.is_valid(row) && filter.is_none_or(|f| f.is_valid(row) && f.value(row));
    all.filter(|(row, _)| counts(*row)).reduce(better)
}

fn columns(values: &[ArrayRef]) -> Result<(&ArrayRef, &ArrayRef)> {
    match values {
        [xs, ys] => Ok((xs, ys)),
        _ => exec_err!("two columns expected, not {}", values.len()),
    }
}

impl GroupsAccumulator for Bests {
    fn update_batch(
        &mut self,
        values: &[ArrayRef],
        groups: &[usize],
        filter: Option<&BooleanArray>,
        total: usize,
    ) -> Result<()> {
        let (xs, ys) = columns(values)?;
        self.keys.resize(total, None);
        self.places.resize(total, (0, 0));
        let chunk = self.chunks.len();
        let mut taken: Vec<u32> = Vec::new();
        let numbers = self.numbers(ys)?;
        let mut end = 0;
        // Rows of a group mostly follow one another: of each such run only the best is looked at.
        for run in groups.chunk_by(|a, b| a == b) {
            let rows = end..end + run.len();
            end = rows.end;
            let (Some((row, y)), Some(group)) = (numbers.best(rows, filter, self.sense), run.first()) else { continue };
            let row = u32::try_from(row).map_err(|e| exec_datafusion_err!("{e}"))?;
            let (Some(key), Some(place)) = (self.keys.get_mut(*group), self.places.get_mut(*group)) else { continue };
            if key.is_none_or(|key| y.cmp(&key) == self.sense) {
                *key = Some(y);
                // A group that is bettered again in the same batch keeps its row of the chunk.
                match taken.get_mut(place.1) {
                    Some(better) if place.0 == chunk => *better = row,
                    _ => {
                        *place = (chunk, taken.len());
                        taken.push(row);
                    }
                }
            }
        }
        if !taken.is_empty() {
            self.add(take(xs, &UInt32Array::from(taken), None)?);
            if self.rows > 2 * total + SLACK {
                self.compact()?;
            }
        }
        Ok(())
    }

    fn merge_batch(&mut self, values: &[ArrayRef], groups: &[usize], total: usize) -> Result<()> {
        self.update_batch(values, groups, None, total)
    }

    fn evaluate(&mut self, emit: EmitTo) -> Result<ArrayRef> {
        drop(emit.take_needed(&mut self.keys));
        let places = emit.take_needed(&mut self.places);
        self.values(&places)
    }

    fn state(&mut self, emit: EmitTo) -> Result<Vec<ArrayRef>> {
        let keys = emit.take_needed(&mut self.keys);
        let places = emit.take_needed(&mut self.places);
        Ok(vec![self.values(&places)?, self.column(keys)?])
    }

    fn convert_to_state(&self, values: &[ArrayRef], filter: Option<&BooleanArray>) -> Result<Vec<ArrayRef>> {
        let (xs, ys) = columns(values)?;
        let ys = match filter {
            // A row that does not count is one without a `y`.
            Some(filter) => nullif(ys, &filter.iter().map(|counts| Some(counts != Some(true))).collect())?,
            None => Arc::clone(ys),
        };
        Ok(vec![Arc::clone(xs), ys])
    }

    fn size(&self) -> usize {
        self.keys.capacity() * size_of::<Option<i128>>()
            + self.places.capacity() * size_of::<(usize, usize)>()
            + self.chunks.iter().map(|chunk| chunk.get_array_memory_size()).sum::<usize>()
    }
}
