//! Where the partitions of sorted rows begin and end.

use datafusion::{
    arrow::{
        array::{ArrayRef, make_comparator},
        compute::{SortOptions, partition},
    },
    error::Result,
};
use std::ops::Range;

/// Rows of a batch that are of one partition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in super::super) struct Part {
    pub(in super::super) rows: Range<usize>,
    /// Whether the partition begins here, and not in a batch before.
    pub(in super::super) begins: bool,
}

/// Follows the partitions through the batches.
#[derive(Default)]
pub(in super::super) struct Partitions {
    /// The keys of the last row so far, a column of one row each.
    last: Option<Vec<ArrayRef>>,
}

impl Partitions {
    /// The parts of the next batch, from its keys, which are sorted.
    pub(in super::super) fn next(&mut self, keys: &[ArrayRef], rows: usize) -> Result<Vec<Part>> {
        let same = are_same(keys, keys)?;
        self.parts(keys, rows, |start| {
            // Steps that double, up to the first row that differs or the end; then halves.
            let mut step = 1;
            while start + step < rows && same(start, start + step) {
                step *= 2;
            }
            let (mut equal, mut end) = (start + step / 2, rows.min(start + step));
            while equal + 1 < end {
                let middle = equal.midpoint(end);
                if same(start, middle) { equal = middle } else { end = middle }
            }
            end
        })
    }

    /// The parts of the next batch, in which keys that are equal may have others between them.
    pub(in super::super) fn next_unsorted(&mut self, keys: &[ArrayRef], rows: usize) -> Result<Vec<Part>> {
        let ranges = if rows == 0 { Vec::new() } else { partition(keys)?.ranges() };
        let mut ends = ranges.into_iter().map(|range| range.end);
        self.parts(keys, rows, |_| ends.next().unwrap_or(rows))
    }

    /// The parts of the next batch; `end` gives where the one ends that begins at a row.
    fn parts(&mut self, keys: &[ArrayRef], rows: usize, mut end: impl FnMut(usize) -> usize) -> Result<Vec<Part>> {
        let mut parts = Vec::new();
        if rows == 0 {
            return Ok(parts);
        }
        let mut begins = match &self.last {
            None => true,
            Some(last) => !are_same(last, keys)?(0, 0),
        };
        let mut start = 0;
        while start < rows {
            let end = end(start);
            parts.push(Part { rows: start..end, begins });
            begins = true;
            start = end;
        }
        self.last = Some(keys.iter().map(|key| key.slice(rows - 1, 1)).collect());
        Ok(parts)
    }
}

/// Whether a row of the first columns is equal to one of the others, null to null.
fn are_same(a: &[ArrayRef], b: &[ArrayRef]) -> Result<impl Fn(usize, usize) -> bool> {
    let each = a.iter().zip(b).map(|(a, b)| Ok(make_comparator(a, b, SortOptions::default())?));
    let each = each.collect::<Result<Vec<_>>>()?;
    Ok(move |i, j| each.iter().all(|compare| compare(i, j).is_eq()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use datafusion::arrow::array::{Int64Array, StringViewArray};
    use proptest::prelude::*;
    use std::sync::Arc;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(128))]

        /// Would catch a step too far, a boundary at the end of a batch that is lost or made up, and null as no value.
        #[test]
        fn parts_are_the_runs_of_equal_keys(
            runs in proptest::collection::vec((0..3_u8, proptest::option::of(0..2_i64), 1..40_usize), 0..20),
            batch in 1..70_usize,
            sorted in any::<bool>(),
        ) {
            let mut keys: Vec<_> = runs
                .iter()
                .flat_map(|(a, b, times)| vec![(["", "x", "longer than fits into a view"][*a as usize], *b); *times])
                .collect();
            if sorted {
                keys.sort();
                prop_assert_eq!(found(&keys, batch, Partitions::next), expected(&keys));
            }
            prop_assert_eq!(found(&keys, batch, Partitions::next_unsorted), expected(&keys));
        }
    }

    type Key = (&'static str, Option<i64>);

    fn expected(keys: &[Key]) -> Vec<Vec<Key>> {
        keys.chunk_by(|a, b| a == b).map(<[_]>::to_vec).collect()
    }

    fn found(
        keys: &[Key],
        batch: usize,
        next: fn(&mut Partitions, &[ArrayRef], usize) -> Result<Vec<Part>>,
    ) -> Vec<Vec<Key>> {
        let mut found: Vec<Vec<Key>> = Vec::new();
        let mut partitions = Partitions::default();
        for keys in keys.chunks(batch) {
            let columns: [ArrayRef; 2] = [
                Arc::new(StringViewArray::from_iter_values(keys.iter().map(|key| key.0))),
                Arc::new(keys.iter().map(|key| key.1).collect::<Int64Array>()),
            ];
            for part in next(&mut partitions, &columns, keys.len()).expect("parts") {
                if part.begins {
                    found.push(Vec::new());
                }
                found.last_mut().expect("a beginning").extend(&keys[part.rows]);
            }
        }
        found
    }
}
