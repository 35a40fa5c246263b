//! Many files of a day into one, without holding any of them in memory.

use super::{LakeError, SOURCES, Span, schema, writer, zstd};
use crate::Timestamp;
use arrow::{
    array::{Array, AsArray, RecordBatch, StringArray, TimestampMillisecondArray},
    compute::interleave_record_batch,
    datatypes::{Schema, TimestampMillisecondType},
};
use parquet::{
    arrow::arrow_reader::{ArrowReaderMetadata, ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder},
    file::{metadata::ParquetMetaData, reader::ChunkReader, statistics::Statistics},
};
use std::{
    cmp::Ordering,
    collections::{BinaryHeap, binary_heap::PeekMut},
    io::Write,
};

/// Rows read from a source, and written, at a time.
const BATCH_ROWS: usize = 8192;

/// A file to be merged.
#[derive(Debug)]
pub struct Source<R> {
    /// Its name in the lake.
    pub name: String,
    /// Its contents: a file, or bytes.
    pub contents: R,
}

/// What a file says of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Inspected {
    /// Its oldest and newest quote, and how many there are.
    pub span: Span,
    /// The names of the files that were merged into it, sorted; empty if it was not made by merging.
    pub sources: Vec<String>,
}

/// Writes the quotes of all sources as one file, sorted, and of each identity the first in stream order. The file's
/// metadata lists the sources' names.
///
/// Each source has a page of every column in memory, at most some 3 MB, beside the row group that is written.
///
/// # Errors
/// When a source cannot be read, is not a file of the lake, or is of another day, or `out` takes no more. What was
/// written by then is to be thrown away.
pub fn merge<R: ChunkReader + 'static>(sources: Vec<Source<R>>, out: impl Write + Send) -> Result<Span, LakeError> {
    let mut names: Vec<&str> = sources.iter().map(|s| s.name.as_str()).collect();
    names.sort_unstable();
    let mut writer = writer(out, zstd()?, Some(names.join("\n")))?;
    let mut cursors = BinaryHeap::with_capacity(sources.len());
    for source in sources {
        if let Some(cursor) = Cursor::open(source)? {
            cursors.push(Box::new(cursor));
        }
    }

    let mut span = None;
    let mut chosen = Chosen::default();
    let mut last_symbol = String::new();
    let mut last_time = i64::MIN;
    while let Some(mut cursor) = cursors.peek_mut() {
        let (symbol, time, _) = cursor.key();
        if time != last_time || symbol != last_symbol {
            if symbol != last_symbol {
                last_symbol.clear();
                last_symbol.push_str(symbol);
            }
            last_time = time;
            let time = Timestamp::from_millis(time).ok_or_else(|| LakeError::Order(cursor.name.clone()))?;
            span = Some(Span::with(span, time));
            chosen.push(&mut cursor);
        }
        if !cursor.advance()? {
            PeekMut::pop(cursor);
        }
        if chosen.rows.len() == BATCH_ROWS {
            writer.write(&chosen.take()?)?;
        }
    }
    if !chosen.rows.is_empty() {
        writer.write(&chosen.take()?)?;
    }
    let span: Span = span.ok_or(LakeError::Empty)?;
    span.day()?;
    writer.close()?;
    Ok(span)
}

/// Reads the footer of a file of the lake.
///
/// # Errors
/// When it cannot be read, is no file of the lake, or has no quotes.
pub fn inspect<R: ChunkReader>(file: &Source<R>) -> Result<Inspected, LakeError> {
    let metadata = ArrowReaderMetadata::load(&file.contents, Default::default())?;
    check_columns(metadata.schema(), &file.name)?;
    let metadata = metadata.metadata();
    let entries = metadata.file_metadata().key_value_metadata();
    let sources = entries.into_iter().flatten().find(|e| e.key == SOURCES).and_then(|e| e.value.as_deref());
    Ok(Inspected {
        span: span(metadata).ok_or(LakeError::Empty)?,
        sources: sources.map(|names| names.lines().map(str::to_owned).collect()).unwrap_or_default(),
    })
}

/// From the statistics of the timestamps; none where there are none.
fn span(metadata: &ParquetMetaData) -> Option<Span> {
    let at = schema().index_of("timestamp").ok()?;
    let (mut first, mut last) = (i64::MAX, i64::MIN);
    for group in metadata.row_groups() {
        let Some(Statistics::Int64(times)) = group.columns().get(at)?.statistics() else { return None };
        first = first.min(*times.min_opt()?);
        last = last.max(*times.max_opt()?);
    }
    let rows = u64::try_from(metadata.file_metadata().num_rows()).ok()?;
    Some(Span { first: Timestamp::from_millis(first)?, last: Timestamp::from_millis(last)?, rows })
}

fn check_columns(columns: &Schema, name: &str) -> Result<(), LakeError> {
    let lake = schema();
    let same = |(a, b): (&arrow::datatypes::FieldRef, &arrow::datatypes::FieldRef)| {
        a.name() == b.name() && a.data_type() == b.data_type()
    };
    if lake.fields().len() == columns.fields().len() && lake.fields().iter().zip(columns.fields()).all(same) {
        Ok(())
    } else {
        Err(LakeError::Columns(name.to_owned()))
    }
}

/// The rows that come next in the merged file, by their place in the batches that hold them.
#[derive(Default)]
struct Chosen {
    batches: Vec<RecordBatch>,
    rows: Vec<(usize, usize)>,
    /// Counts the batches written, so that a cursor can tell whether its own is among `batches`.
    written: usize,
}

impl Chosen {
    /// Takes the cursor's row.
    fn push(&mut self, cursor: &mut Cursor) {
        let batch = match cursor.held {
            Some((written, at)) if written == self.written => at,
            _ => {
                self.batches.push(cursor.batch.clone());
                let at = self.batches.len() - 1;
                cursor.held = Some((self.written, at));
                at
            }
        };
        self.rows.push((batch, cursor.row));
    }

    fn take(&mut self) -> Result<RecordBatch, LakeError> {
        let batch = interleave_record_batch(&self.batches.iter().collect::<Vec<_>>(), &self.rows)?;
        self.batches.clear();
        self.rows.clear();
        self.written += 1;
        Ok(batch)
    }
}

/// A row of a source, and the way to the next.
struct Cursor {
    name: String,
    reader: ParquetRecordBatchReader,
    batch: RecordBatch,
    symbols: StringArray,
    times: TimestampMillisecondArray,
    sequences: StringArray,
    row: usize,
    /// Where [`Chosen`] holds the batch.
    held: Option<(usize, usize)>,
}

impl Cursor {
    /// At the first row; none where there is none.
    fn open<R: ChunkReader + 'static>(source: Source<R>) -> Result<Option<Self>, LakeError> {
        let Source { name, contents } = source;
        let builder = ParquetRecordBatchReaderBuilder::try_new(contents)?;
        check_columns(builder.schema(), &name)?;
        let reader = builder.with_batch_size(BATCH_ROWS).build()?;
        let none: StringArray = StringArray::from(Vec::<&str>::new());
        let mut cursor = Self {
            name,
            reader,
            batch: RecordBatch::new_empty(schema()),
            symbols: none.clone(),
            times: TimestampMillisecondArray::from(Vec::<i64>::new()),
            sequences: none,
            row: 0,
            held: None,
        };
        Ok(cursor.next_batch()?.then_some(cursor))
    }

    fn next_batch(&mut self) -> Result<bool, LakeError> {
        for batch in self.reader.by_ref() {
            let batch = batch?;
            if batch.num_rows() == 0 {
                continue;
            }
            let damaged = || LakeError::Order(self.name.clone());
            let texts = |name| batch.column_by_name(name).and_then(|c| c.as_string_opt::<i32>()).cloned();
            let times =
                batch.column_by_name("timestamp").and_then(|c| c.as_primitive_opt::<TimestampMillisecondType>());
            self.symbols = texts("symbol").ok_or_else(damaged)?;
            self.sequences = texts("sequence").ok_or_else(damaged)?;
            self.times = times.cloned().ok_or_else(damaged)?;
            if self.symbols.null_count() + self.sequences.null_count() + self.times.null_count() > 0 {
                return Err(damaged());
            }
            // As the lake's own, whatever the file says of what may be null.
            self.batch = RecordBatch::try_new(schema(), batch.columns().to_vec())?;
            (self.row, self.held) = (0, None);
            return Ok(true);
        }
        Ok(false)
    }

    /// What rows are sorted by.
    fn key(&self) -> (&str, i64, &str) {
        self.key_at(self.row)
    }

    fn key_at(&self, row: usize) -> (&str, i64, &str) {
        (self.symbols.value(row), self.times.value(row), self.sequences.value(row))
    }

    /// Goes to the next row; false where there is none.
    fn advance(&mut self) -> Result<bool, LakeError> {
        let in_order = if self.row + 1 < self.batch.num_rows() {
            self.row += 1;
            self.key_at(self.row - 1) <= self.key()
        } else {
            let (symbol, time, sequence) = self.key();
            let (symbol, sequence) = (symbol.to_owned(), sequence.to_owned());
            if !self.next_batch()? {
                return Ok(false);
            }
            (&*symbol, time, &*sequence) <= self.key()
        };
        if in_order { Ok(true) } else { Err(LakeError::Order(self.name.clone())) }
    }
}

/// The smallest key is the greatest cursor, since the heap gives the greatest first.
impl Ord for Cursor {
    fn cmp(&self, other: &Self) -> Ordering {
        other.key().cmp(&self.key())
    }
}

impl PartialOrd for Cursor {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Cursor {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Cursor {}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lake::{
        LakeQuote,
        encode::tests::{file, quote, text},
    };
    use bytes::Bytes;
    use proptest::prelude::*;

    fn merged(files: &[Vec<LakeQuote>]) -> (Span, Bytes) {
        let sources = files
            .iter()
            .enumerate()
            .map(|(i, quotes)| Source { name: format!("file-{i}"), contents: file(quotes) })
            .collect();
        let mut bytes = Vec::new();
        let span = merge(sources, &mut bytes).expect("a merged file");
        (span, bytes.into())
    }

    #[test]
    fn the_merged_file_knows_its_sources_and_its_span() {
        let (span, contents) = merged(&[vec![quote("B", 7, 1)], vec![quote("A", 3, 2), quote("B", 7, 3)]]);
        let inspected = inspect(&Source { name: String::new(), contents }).expect("a footer");
        assert_eq!(inspected, Inspected { span, sources: vec!["file-0".into(), "file-1".into()] });
        assert_eq!((span.first.to_string().as_str(), span.rows), ("2026-11-20T00:00:03.000Z", 2));
        assert_eq!(span.last.to_string(), "2026-11-20T00:00:07.000Z");
    }

    #[test]
    fn longer_than_a_batch() {
        let all: Vec<_> = (0..3 * BATCH_ROWS as i64).map(|i| quote("AAPL", i, i as u64)).collect();
        let halves = [0, 1].map(|half| all.iter().skip(half).step_by(2).cloned().collect::<Vec<_>>());
        assert_eq!(text(merged(&halves).1), text(file(&all)));
    }

    #[test]
    fn what_is_no_file_of_the_lake_is_refused() {
        let other = Source { name: "x".into(), contents: Bytes::from_static(b"PAR1 nothing PAR1") };
        assert!(matches!(merge(vec![other], Vec::new()), Err(LakeError::Parquet(_))));
        assert!(matches!(merge(Vec::<Source<Bytes>>::new(), Vec::new()), Err(LakeError::Empty)));
        let days = [quote("A", 1, 1), quote("A", 86_400, 2)]
            .map(|q| Source { name: q.sequence.to_string(), contents: file(&[q]) });
        assert!(matches!(merge(days.into(), Vec::new()), Err(LakeError::Days(..))));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn any_cut_into_files_merges_to_the_first_of_each_identity(
            quotes in proptest::collection::vec((0..3_usize, 0..12_i64, 0..5_usize), 1..80)
        ) {
            let mut files = vec![Vec::new(); 5];
            let mut all = Vec::new();
            for (record, (symbol, second, file)) in quotes.into_iter().enumerate() {
                let quote = quote(["A", "AB", "B"][symbol], second, record as u64);
                all.push(quote.clone());
                files[file].push(quote);
            }
            files.retain(|file| !file.is_empty());
            // Told apart by price and sequence, so equal texts are equal quotes.
            let mut firsts: Vec<LakeQuote> = Vec::new();
            for quote in &all {
                let same = |f: &LakeQuote| (&f.quote.symbol, f.quote.timestamp) == (&quote.quote.symbol, quote.quote.timestamp);
                if !firsts.iter().any(same) {
                    firsts.push(quote.clone());
                }
            }
            firsts.sort_by_key(|f| (f.quote.symbol.clone(), f.quote.timestamp));
            let expected: Vec<_> = firsts.iter().map(|f| format!("{} {}", &*f.quote.symbol, f.sequence)).collect();
            let (span, contents) = merged(&files);
            let rows: Vec<_> = text(contents)
                .iter()
                .map(|row| {
                    let values: Vec<_> = row.split(' ').collect();
                    format!("{} {}", values[0], values[values.len() - 1])
                })
                .collect();
            prop_assert_eq!(&rows, &expected);
            prop_assert_eq!(span.rows, rows.len() as u64);
        }
    }
}
