//! What the footers of files say of the values in them.
//!
//! DataFusion reads a file's footer when it is the file's turn, one after the other, and plans the file before it finds
//! out that nothing in it can meet the filter. For a filter that few files can hold rows for, that is most of the work.
//! Here footers are read before, side by side, and files that cannot matter leave the plan. What was read is kept for
//! those that stay.

use super::{LakeFile, threads::side_by_side};
use datafusion::{
    arrow::{
        array::{ArrayRef, BooleanArray, UInt64Array},
        datatypes::Schema,
    },
    common::{Column, ScalarValue, pruning::PruningStatistics},
    error::Result,
    parquet::{
        arrow::arrow_reader::statistics::StatisticsConverter,
        file::metadata::{PageIndexPolicy, ParquetMetaData, ParquetMetaDataReader, RowGroupMetaData},
    },
    physical_optimizer::pruning::PruningPredicate,
};
use std::{collections::HashSet, fs::File, sync::Arc};

/// Of more files the footers would take too much memory, or be read twice.
pub(super) const MOST_FILES: usize = 1024;

/// Reads the footers of these files, by so many threads. A file that cannot be read has none: its scan says why.
pub(super) fn read(files: &[&LakeFile], threads: usize) -> Vec<Option<Arc<ParquetMetaData>>> {
    side_by_side(files, threads, |file| footer(file))
}

fn footer(file: &LakeFile) -> Option<Arc<ParquetMetaData>> {
    let reader = ParquetMetaDataReader::new().with_page_index_policy(PageIndexPolicy::Skip);
    reader.parse_and_finish(&File::open(&file.path).ok()?).ok().map(Arc::new)
}

/// Which files may hold rows for the predicate: those without a footer may.
pub(super) fn may_hold(
    footers: &[Option<Arc<ParquetMetaData>>],
    schema: &Schema,
    predicate: &PruningPredicate,
) -> Result<Vec<bool>> {
    let columns = |footer: &ParquetMetaData| footer.file_metadata().schema_descr_ptr();
    let Some(first) = footers.iter().flatten().next().map(|footer| columns(footer)) else {
        return Ok(vec![true; footers.len()]);
    };
    // All files of the lake have the same columns.
    let known = |footer: &Option<Arc<ParquetMetaData>>| footer.clone().filter(|footer| columns(footer) == first);
    let footers: Vec<_> = footers.iter().map(known).collect();
    let groups: Vec<_> = footers.iter().flatten().flat_map(|footer| footer.row_groups()).collect();
    let mut holds = predicate.prune(&Groups { schema, groups })?.into_iter();
    let of_file = |footer: &Option<Arc<ParquetMetaData>>| {
        footer.as_ref().is_none_or(|footer| {
            let groups = holds.by_ref().take(footer.num_row_groups());
            // All are taken, whatever the first says.
            groups.fold(false, |any, holds| any | holds)
        })
    };
    Ok(footers.iter().map(of_file).collect())
}

/// The row groups of all files.
struct Groups<'a> {
    schema: &'a Schema,
    groups: Vec<&'a RowGroupMetaData>,
}

impl Groups<'_> {
    fn of(&self, column: &Column, found: impl FnOnce(&StatisticsConverter) -> Option<ArrayRef>) -> Option<ArrayRef> {
        let columns = self.groups.first()?.schema_descr();
        found(&StatisticsConverter::try_new(&column.name, self.schema, columns).ok()?)
    }
}

impl PruningStatistics for Groups<'_> {
    fn min_values(&self, column: &Column) -> Option<ArrayRef> {
        self.of(column, |known| known.row_group_mins(self.groups.iter().copied()).ok())
    }

    fn max_values(&self, column: &Column) -> Option<ArrayRef> {
        self.of(column, |known| known.row_group_maxes(self.groups.iter().copied()).ok())
    }

    fn num_containers(&self) -> usize {
        self.groups.len()
    }

    fn null_counts(&self, column: &Column) -> Option<ArrayRef> {
        self.of(column, |known| Some(Arc::new(known.row_group_null_counts(self.groups.iter().copied()).ok()?)))
    }

    fn row_counts(&self) -> Option<ArrayRef> {
        let rows = self.groups.iter().map(|group| u64::try_from(group.num_rows()).ok());
        Some(Arc::new(rows.collect::<UInt64Array>()))
    }

    fn contained(&self, _: &Column, _: &HashSet<ScalarValue>) -> Option<BooleanArray> {
        None
    }
}
