//! Reads files symbol by symbol.

use super::runs::{Run, SortedFile};
use datafusion::{
    arrow::{
        array::{ArrayRef, RecordBatch, RecordBatchOptions, StringViewArray},
        datatypes::SchemaRef,
    },
    common::exec_datafusion_err,
    error::Result,
    parquet::arrow::{
        ProjectionMask,
        arrow_reader::{ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder, RowSelection},
    },
};
use std::{collections::VecDeque, fs::File, iter, sync::Arc};

/// Where a column comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum From {
    /// It is the run's symbol.
    Symbol,
    /// It is the file's day.
    Day,
    /// It is this one of the file's columns.
    File(usize),
}

/// The rows of some symbols: by symbol, and those of each file by file.
pub(super) struct Reader {
    schema: SchemaRef,
    columns: Vec<From>,
    batch_rows: usize,
    symbols: VecDeque<Constant>,
    cursors: Vec<Cursor>,
    /// The cursor that the current symbol is read from.
    current: usize,
}

/// How far a file has been read.
struct Cursor {
    file: Arc<SortedFile>,
    day: Constant,
    /// What is still to be read.
    runs: VecDeque<Run>,
    /// Opened when it is the file's turn.
    batches: Option<ParquetRecordBatchReader>,
    /// What has been read already.
    batch: Option<RecordBatch>,
}

/// A text, and a column of it that slices are taken from.
struct Constant {
    text: Arc<str>,
    column: Option<ArrayRef>,
}

impl Reader {
    /// Reads these runs of these files, which are in the order of time. `symbols` are those of the runs, in order.
    pub(super) fn new(
        schema: SchemaRef,
        columns: Vec<From>,
        batch_rows: usize,
        symbols: &[Arc<str>],
        files: Vec<(Arc<SortedFile>, Vec<Run>)>,
    ) -> Self {
        let cursor = |(file, runs): (Arc<SortedFile>, Vec<Run>)| Cursor {
            day: Constant { text: file.dt.as_str().into(), column: None },
            file,
            runs: runs.into(),
            batches: None,
            batch: None,
        };
        let symbols = symbols.iter().map(|symbol| Constant { text: Arc::clone(symbol), column: None }).collect();
        Self { schema, columns, batch_rows, symbols, cursors: files.into_iter().map(cursor).collect(), current: 0 }
    }

    fn next_batch(&mut self) -> Result<Option<RecordBatch>> {
        while let Some(symbol) = self.symbols.front_mut() {
            let Some(cursor) = self.cursors.get_mut(self.current) else {
                self.symbols.pop_front();
                self.current = 0;
                continue;
            };
            let Some((read, rows)) = cursor.next_of(&symbol.text, &self.columns, self.batch_rows)? else {
                self.current += 1;
                continue;
            };
            let mut read = read.into_iter();
            let columns = self.columns.iter().map(|from| match from {
                From::Symbol => Ok(symbol.rows(rows, self.batch_rows)),
                From::Day => Ok(cursor.day.rows(rows, self.batch_rows)),
                From::File(_) => read.next().ok_or_else(|| exec_datafusion_err!("a column is missing")),
            });
            let columns = columns.collect::<Result<Vec<_>>>()?;
            let options = RecordBatchOptions::new().with_row_count(Some(rows));
            return Ok(Some(RecordBatch::try_new_with_options(Arc::clone(&self.schema), columns, &options)?));
        }
        Ok(None)
    }
}

impl Iterator for Reader {
    type Item = Result<RecordBatch>;

    fn next(&mut self) -> Option<Self::Item> {
        self.next_batch().transpose()
    }
}

impl Cursor {
    /// The next rows of the symbol: the columns that are read, and how many rows; none if there are no more.
    fn next_of(&mut self, symbol: &str, columns: &[From], most: usize) -> Result<Option<(Vec<ArrayRef>, usize)>> {
        let Some(run) = self.runs.front_mut().filter(|run| *run.symbol == *symbol) else { return Ok(None) };
        let mut rows = run.rows.len().min(most);
        let mut read = Vec::new();
        if columns.iter().any(|from| matches!(from, From::File(_))) {
            if self.batch.is_none() {
                self.batch = Some(next_of_file(&mut self.batches, &self.file, &self.runs, columns, most)?);
            }
            let Some(batch) = &self.batch else { return Ok(None) };
            rows = rows.min(batch.num_rows());
            // Those of the file come in its own order.
            let mut places: Vec<usize> = columns.iter().filter_map(|from| from.in_file()).collect();
            places.sort_unstable();
            for from in columns {
                if let Some(place) = from.in_file().and_then(|place| places.binary_search(&place).ok()) {
                    read.push(batch.column(place).slice(0, rows));
                }
            }
            let left = batch.num_rows() - rows;
            self.batch = (left > 0).then(|| batch.slice(rows, left));
        }
        if let Some(run) = self.runs.front_mut() {
            run.rows.start += rows;
            if run.rows.is_empty() {
                self.runs.pop_front();
            }
        }
        if self.runs.is_empty() {
            self.batches = None;
        }
        Ok(Some((read, rows)))
    }
}

/// The next batch of a file, of which these runs are to be read.
fn next_of_file(
    batches: &mut Option<ParquetRecordBatchReader>,
    file: &SortedFile,
    runs: &VecDeque<Run>,
    columns: &[From],
    most: usize,
) -> Result<RecordBatch> {
    let named = |error: &dyn std::fmt::Display| exec_datafusion_err!("{}: {error}", file.path.display());
    let batches = match batches {
        Some(batches) => batches,
        None => {
            let opened = File::open(&file.path).map_err(|e| named(&e))?;
            let wanted = runs.iter().map(|run| run.rows.clone());
            let mask =
                ProjectionMask::roots(file.metadata.parquet_schema(), columns.iter().filter_map(|from| from.in_file()));
            let reader = ParquetRecordBatchReaderBuilder::new_with_metadata(opened, file.metadata.clone())
                .with_projection(mask)
                .with_batch_size(most)
                .with_row_selection(RowSelection::from_consecutive_ranges(wanted, file.rows()?))
                .build()
                .map_err(|e| named(&e))?;
            batches.insert(reader)
        }
    };
    match batches.next() {
        Some(batch) => batch.map_err(|e| named(&e)),
        None => Err(named(&"there are fewer rows than its symbols have")),
    }
}

impl From {
    const fn in_file(self) -> Option<usize> {
        match self {
            Self::File(place) => Some(place),
            Self::Symbol | Self::Day => None,
        }
    }
}

impl Constant {
    /// So many rows of it.
    fn rows(&mut self, rows: usize, most: usize) -> ArrayRef {
        let all = || -> ArrayRef { Arc::new(StringViewArray::from_iter_values(iter::repeat_n(&*self.text, most))) };
        self.column.get_or_insert_with(all).slice(0, rows)
    }
}
