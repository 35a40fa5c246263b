//! The lake: all history, as Parquet files by day.
//!
//! A file holds quotes of one UTC day, sorted by symbol, timestamp and sequence, each identity once. `dt` is not in
//! it: that is the name of its folder. Small files are merged into larger ones ([`merge()`]). How files are listed,
//! replaced and queried is each target's own affair.

mod encode;
mod merge;

pub use encode::{LakeQuote, encode};
pub use merge::{Inspected, Source, inspect, merge};

use crate::{
    Date, RecordSequence, Timestamp,
    quote::{FIELDS, Field, Kind, OnStream},
};
use arrow::{
    datatypes::{DataType, Field as Column, Schema, SchemaRef, TimeUnit},
    error::ArrowError,
};
use parquet::{
    arrow::{ArrowWriter, arrow_writer::ArrowWriterOptions},
    basic::{Compression, Encoding, ZstdLevel},
    errors::ParquetError,
    file::{
        metadata::{KeyValue, SortingColumn},
        properties::{EnabledStatistics, WriterProperties},
    },
    schema::types::ColumnPath,
};
use std::{
    io::Write,
    sync::{Arc, LazyLock},
};

/// Rows of a page: few enough that a filter on one symbol passes most pages over, as many as still decode quickly.
const PAGE_ROWS: usize = 20_000;
/// Rows of a row group, which the writer holds in memory: about 60 MB. A day is one group unless it has more.
const GROUP_ROWS: usize = 1 << 20;
/// The metadata key of a merged file under which the names of its sources are.
const SOURCES: &str = "stockpipe.sources";
/// Texts of few values, which a dictionary makes small; the other columns hardly repeat within a page.
const REPEATING: [&str; 4] = ["symbol", "currency", "source", "origin"];
/// Texts that no query selects by, so that their statistics would only cost.
const NOT_SELECTED: [&str; 4] = ["currency", "source", "origin", "sequence"];

/// Why a file of the lake could not be written or read.
#[derive(Debug, thiserror::Error)]
pub enum LakeError {
    /// The file is damaged, or could not be read or written.
    #[error("{0}")]
    Parquet(#[from] ParquetError),
    /// The columns could not be put together.
    #[error("{0}")]
    Arrow(#[from] ArrowError),
    /// Its columns are not the lake's.
    #[error("{0}: its columns are not those of the lake")]
    Columns(String),
    /// Its rows are not by symbol, timestamp and sequence, or lack one of them.
    #[error("{0}: its rows are not in order")]
    Order(String),
    /// The quotes are not all of one day.
    #[error("quotes of more than one day: {0} and {1}")]
    Days(Date, Date),
    /// There is no quote in it.
    #[error("no quotes")]
    Empty,
}

/// What a file holds, as a list of files has to know it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    /// The market time of its oldest quote.
    pub first: Timestamp,
    /// The market time of its newest quote.
    pub last: Timestamp,
    /// Its quotes.
    pub rows: u64,
}

impl Span {
    /// The day of its quotes.
    ///
    /// # Errors
    /// When they are of several.
    pub fn day(&self) -> Result<Date, LakeError> {
        let (first, last) = (self.first.date(), self.last.date());
        if first == last { Ok(first) } else { Err(LakeError::Days(first, last)) }
    }

    fn with(span: Option<Self>, time: Timestamp) -> Self {
        match span {
            None => Self { first: time, last: time, rows: 1 },
            Some(span) => Self { first: span.first.min(time), last: span.last.max(time), rows: span.rows + 1 },
        }
    }
}

/// The columns of a file, from [`FIELDS`].
#[must_use]
pub fn schema() -> SchemaRef {
    static SCHEMA: LazyLock<SchemaRef> =
        LazyLock::new(|| Arc::new(Schema::new(FIELDS.iter().filter(|f| f.in_lake).map(column).collect::<Vec<_>>())));
    Arc::clone(&SCHEMA)
}

/// The type of a field's column.
#[must_use]
pub const fn column_type(kind: Kind) -> DataType {
    match kind {
        Kind::Text => DataType::Utf8,
        Kind::Time => DataType::Timestamp(TimeUnit::Millisecond, None),
        Kind::Decimal(precision, scale) => DataType::Decimal128(precision, scale),
        Kind::Flag => DataType::Boolean,
    }
}

fn column(field: &Field) -> Column {
    Column::new(field.name, column_type(field.kind), field.on_stream != OnStream::Required)
}

/// The name of an object with the quotes of one day that came in these records, both ends included.
#[must_use]
pub fn quotes_key(day: Date, shard: &str, first: RecordSequence, last: RecordSequence) -> String {
    format!("quotes/dt={day}/{shard}-{first}-{last}.parquet")
}

/// The name of an object with the lines of one symbol (of all, without one) that came in these records.
///
/// The time of its first line is in ISO 8601's basic form, `20261120T205930.000Z`: some file systems allow no colon.
#[must_use]
pub fn raw_key(
    symbol: Option<&str>,
    time: Timestamp,
    shard: &str,
    first: RecordSequence,
    last: RecordSequence,
) -> String {
    let time = time.to_string().replace(['-', ':'], "");
    match symbol {
        Some(symbol) => format!("raw-data/{symbol}/{time}_{shard}-{first}-{last}.json"),
        None => format!("raw-data/{time}_{shard}-{first}-{last}.json"),
    }
}

/// The name of the file that these are merged into: the same for the same sources, in whichever order.
#[must_use]
pub fn merged_key<S: AsRef<str>>(day: Date, sources: &[S]) -> String {
    let mut names: Vec<&str> = sources.iter().map(AsRef::as_ref).collect();
    names.sort_unstable();
    format!("quotes/dt={day}/{:032x}.parquet", fnv_1a(names.join("\n").as_bytes()))
}

/// FNV-1a of 128 bits (draft-eastlake-fnv): stable for ever and wide enough that two sets of names never meet.
fn fnv_1a(bytes: &[u8]) -> u128 {
    const OFFSET: u128 = 0x6c62_272e_07bb_0142_62b8_2175_6295_c58d;
    const PRIME: u128 = 0x0000_0000_0100_0000_0000_0000_0000_013b;
    bytes.iter().fold(OFFSET, |hash, byte| (hash ^ u128::from(*byte)).wrapping_mul(PRIME))
}

/// Level 1: writing is on the way of every quote, and nearly all that compresses here is repetition.
fn zstd() -> Result<Compression, LakeError> {
    Ok(Compression::ZSTD(ZstdLevel::try_new(1)?))
}

/// A writer of one file. Its rows have to come in order.
fn writer<W: Write + Send>(
    out: W,
    compression: Compression,
    sources: Option<String>,
) -> Result<ArrowWriter<W>, LakeError> {
    let schema = schema();
    let place = |name: &str| schema.index_of(name).ok().and_then(|i| i32::try_from(i).ok());
    let order = ["symbol", "timestamp", "sequence"].into_iter().filter_map(place);
    let mut properties = WriterProperties::builder()
        .set_compression(compression)
        .set_data_page_row_count_limit(PAGE_ROWS)
        .set_max_row_group_row_count(Some(GROUP_ROWS))
        .set_dictionary_enabled(false)
        .set_statistics_enabled(EnabledStatistics::Page)
        .set_sorting_columns(Some(
            order.map(|column_idx| SortingColumn { column_idx, descending: false, nulls_first: false }).collect(),
        ))
        .set_key_value_metadata(sources.map(|names| vec![KeyValue::new(SOURCES.to_owned(), names)]));
    for field in FIELDS.iter().filter(|f| f.in_lake) {
        let path = || ColumnPath::from(field.name);
        if field.kind == Kind::Time {
            properties = properties.set_column_encoding(path(), Encoding::DELTA_BINARY_PACKED);
        }
        if REPEATING.contains(&field.name) {
            properties = properties.set_column_dictionary_enabled(path(), true);
        }
        if NOT_SELECTED.contains(&field.name) {
            properties = properties.set_column_statistics_enabled(path(), EnabledStatistics::None);
        }
    }
    // Arrow's own schema would be most of a small file, and says nothing that Parquet's does not.
    let options = ArrowWriterOptions::new().with_properties(properties.build()).with_skip_arrow_metadata(true);
    Ok(ArrowWriter::try_new_with_options(out, schema, options)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_columns_are_the_fields_of_the_lake() {
        let columns: Vec<_> =
            schema().fields().iter().map(|c| format!("{} {} {}", c.name(), c.data_type(), c.is_nullable())).collect();
        let fields: Vec<_> = FIELDS
            .iter()
            .filter(|f| f.in_lake)
            .map(|f| {
                let kind = match f.kind.sql().as_str() {
                    "string" => "Utf8".to_owned(),
                    "timestamp" => "Timestamp(ms)".to_owned(),
                    "boolean" => "Boolean".to_owned(),
                    decimal => decimal.replace("decimal(", "Decimal128(").replace(',', ", "),
                };
                format!("{} {kind} {}", f.name, !["symbol", "timestamp", "price"].contains(&f.name))
            })
            .collect();
        assert_eq!(columns, fields);
        assert!(schema().index_of("dt").is_err() && schema().index_of("alert").is_err());
    }

    #[test]
    fn names() {
        let day = Date::parse("2026-11-20").expect("a date");
        let time = Timestamp::parse("2026-11-20T20:59:30Z").expect("a time");
        let (first, last) = (RecordSequence::local(7), RecordSequence::local(12));
        assert_eq!(
            quotes_key(day, "0", first, last),
            "quotes/dt=2026-11-20/0-00000000000000000007-00000000000000000012.parquet"
        );
        assert_eq!(
            raw_key(Some("^GSPC"), time, "0", first, last),
            "raw-data/^GSPC/20261120T205930.000Z_0-00000000000000000007-00000000000000000012.json"
        );
        assert_eq!(
            raw_key(None, time, "0", first, last),
            "raw-data/20261120T205930.000Z_0-00000000000000000007-00000000000000000012.json"
        );
    }

    #[test]
    fn a_merged_name_depends_on_the_set_of_its_sources() {
        // From the published test vectors of FNV.
        assert_eq!(fnv_1a(b"a"), 0xd228_cb69_6f1a_8caf_7891_2b70_4e4a_8964);
        let day = Date::parse("2026-11-20").expect("a date");
        assert_eq!(merged_key(day, &["a", "b"]), merged_key(day, &["b", "a"]));
        assert_ne!(merged_key(day, &["a", "b"]), merged_key(day, &["ab"]));
    }
}
