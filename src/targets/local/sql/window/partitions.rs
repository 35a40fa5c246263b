//! Where the partitions of sorted rows begin and end.

use datafusion::{
    arrow::{
        array::{ArrayRef, make_comparator},
        compute::SortOptions,
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
        let mut parts = Vec::new();
        if rows == 0 {
            return Ok(parts);
        }
        let mut begins = match &self.last {
            None => true,
            Some(last) => !are_same(last, keys)?(0, 0),
        };
        let same = are_same(keys, keys)?;
        let mut start = 0;
        while start < rows {
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
        ) {
            let mut keys: Vec<_> = runs
                .iter()
                .flat_map(|(a, b, times)| vec![(["", "x", "longer than fits into a view"][*a as usize], *b); *times])
                .collect();
            keys.sort();
            let mut found: Vec<Vec<(&str, Option<i64>)>> = Vec::new();
            let mut partitions = Partitions::default();
            for keys in keys.chunks(batch) {
                let columns: [ArrayRef; 2] = [
                    Arc::new(StringViewArray::from_iter_values(keys.iter().map(|key| key.0))),
                    Arc::new(keys.iter().map(|key| key.1).collect::<Int64Array>()),
                ];
                for part in partitions.next(&columns, keys.len()).expect("parts") {
                    if part.begins {
                        found.push(Vec::new());
                    }
                    found.last_mut().expect("a beginning").extend(&keys[part.rows]);
                }
            }
            let expected: Vec<_> = keys.chunk_by(|a, b| a == b).map(<[_]>::to_vec).collect();
            prop_assert_eq!(found, expected);
        }
    }
}
