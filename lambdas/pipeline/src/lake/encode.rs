//! From quotes to a Parquet file.

use super::{LakeError, Span, schema, writer, zstd};
use crate::{AnomalyThreshold, Percent, Quote, Sequence, Timestamp, change};
use arrow::{
    array::{
        ArrayRef, BooleanArray, Decimal128Array, RecordBatch, StringArray, StringBuilder, TimestampMillisecondArray,
    },
    error::ArrowError,
};
use parquet::basic::Compression;
use std::{collections::BTreeMap, io::Write, sync::Arc};

/// Rows that are turned into columns at once: as many as stay in the processor's cache.
const BATCH_ROWS: usize = 4096;

/// A file of fewer rows is not compressed: sixteen columns' contexts of zstd take twice as long as all the rest, and
/// spare it nothing worth having before it is merged. A replay of daily quotes makes a thousand such files.
const SMALL: usize = 100;

/// A quote as the lake keeps it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LakeQuote {
    /// What was on the stream.
    pub quote: Quote,
    /// Its place in the stream.
    pub sequence: Sequence,
    /// Against the previous close.
    pub change_percent: Option<Percent>,
    /// Whether the change is beyond the threshold.
    pub anomaly: bool,
}

impl LakeQuote {
    /// The quote with what the pipeline adds to it.
    #[must_use]
    pub fn new(quote: Quote, sequence: Sequence, threshold: AnomalyThreshold) -> Self {
        let (change_percent, anomaly) = change(&quote, threshold);
        Self { quote, sequence, change_percent, anomaly }
    }
}

/// Writes quotes of one day, in whichever order they are, as one Parquet file: sorted, and of each identity the
/// first in stream order.
///
/// # Errors
/// When there are none, or `out` takes no more.
pub fn encode(quotes: &[LakeQuote], out: impl Write + Send) -> Result<Span, LakeError> {
    let rows = firsts(quotes);
    let mut span = None;
    for row in &rows {
        span = Some(Span::with(span, row.quote.timestamp));
    }
    let span = span.ok_or(LakeError::Empty)?;
    span.day()?;
    let compression = if rows.len() < SMALL { Compression::UNCOMPRESSED } else { zstd()? };
    let mut writer = writer(out, compression, None)?;
    for rows in rows.chunks(BATCH_ROWS) {
        writer.write(&columns(rows)?)?;
    }
    writer.close()?;
    Ok(span)
}

/// The first of each identity, by symbol and timestamp.
fn firsts(quotes: &[LakeQuote]) -> Vec<&LakeQuote> {
    // Numbers compare several times as fast as texts, so symbols are ranked first; they are few.
    let mut ranks: BTreeMap<&str, u32> = quotes
        .chunk_by(|a, b| a.quote.symbol == b.quote.symbol)
        .filter_map(|run| run.first())
        .map(|first| (&*first.quote.symbol, 0))
        .collect();
    for (rank, next) in ranks.values_mut().zip(0..) {
        *rank = next;
    }
    let mut rows: Vec<(u32, Timestamp, &LakeQuote)> = Vec::with_capacity(quotes.len());
    for run in quotes.chunk_by(|a, b| a.quote.symbol == b.quote.symbol) {
        let rank = run.first().and_then(|first| ranks.get(&*first.quote.symbol)).copied().unwrap_or_default();
        rows.extend(run.iter().map(|row| (rank, row.quote.timestamp, row)));
    }
    // Stable, and so quick where a symbol's quotes come in order, as they nearly always do.
    rows.sort_by(|a, b| (a.0, a.1).cmp(&(b.0, b.1)).then_with(|| a.2.sequence.cmp(&b.2.sequence)));
    rows.dedup_by_key(|(rank, time, _)| (*rank, *time));
    rows.into_iter().map(|(_, _, row)| row).collect()
}

/// The rows as columns, in the order of the schema.
fn columns(rows: &[&LakeQuote]) -> Result<RecordBatch, ArrowError> {
    let price = |value: fn(&Quote) -> Option<crate::Price>| {
        decimals(rows, 18, 8, |row| value(&row.quote).map(|price| i128::from(price.units())))
    };
    RecordBatch::try_new(
        schema(),
        vec![
            texts(rows, |row| Some(&row.quote.symbol)),
            times(rows, |row| row.quote.timestamp),
            price(|quote| Some(quote.price))?,
            price(|quote| quote.open)?,
            price(|quote| quote.high)?,
            price(|quote| quote.low)?,
            price(|quote| quote.previous_close)?,
            decimals(rows, 28, 8, |row| row.quote.volume.map(crate::Volume::units))?,
            texts(rows, |row| row.quote.currency.as_deref()),
            texts(rows, |row| row.quote.source.as_deref()),
            texts(rows, |row| Some(row.quote.origin.as_str())),
            flags(rows, |row| row.quote.stale),
            times(rows, |row| row.quote.ingested_at),
            decimals(rows, 18, 4, |row| row.change_percent.map(|percent| i128::from(percent.0)))?,
            flags(rows, |row| row.anomaly),
            sequences(rows),
        ],
    )
}

fn texts<'a>(rows: &[&'a LakeQuote], value: impl Fn(&'a LakeQuote) -> Option<&'a str>) -> ArrayRef {
    Arc::new(rows.iter().map(|row| value(row)).collect::<StringArray>())
}

fn times(rows: &[&LakeQuote], value: impl Fn(&LakeQuote) -> Timestamp) -> ArrayRef {
    Arc::new(TimestampMillisecondArray::from_iter_values(rows.iter().map(|row| value(row).millis())))
}

fn flags(rows: &[&LakeQuote], value: impl Fn(&LakeQuote) -> bool) -> ArrayRef {
    Arc::new(rows.iter().map(|row| Some(value(row))).collect::<BooleanArray>())
}

fn decimals(
    rows: &[&LakeQuote],
    precision: u8,
    scale: i8,
    units: impl Fn(&LakeQuote) -> Option<i128>,
) -> Result<ArrayRef, ArrowError> {
    let column: Decimal128Array = rows.iter().map(|row| units(row)).collect();
    Ok(Arc::new(column.with_precision_and_scale(precision, scale)?))
}

fn sequences(rows: &[&LakeQuote]) -> ArrayRef {
    let mut column = StringBuilder::with_capacity(rows.len(), rows.len() * 64);
    let mut text = Vec::with_capacity(64);
    for row in rows {
        text.clear();
        row.sequence.push(&mut text);
        column.append_value(std::str::from_utf8(&text).unwrap_or_default());
    }
    Arc::new(column.finish())
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::{Origin, Price, RecordSequence, Symbol, Volume};
    use arrow::{array::AsArray, datatypes::Decimal128Type, util::display::array_value_to_string};
    use bytes::Bytes;
    use parquet::{
        arrow::arrow_reader::ParquetRecordBatchReaderBuilder,
        basic::{Encoding, Type},
        file::reader::{FileReader, SerializedFileReader},
    };

    /// A quote of 2026-11-20, this many seconds after midnight.
    pub(crate) fn quote(symbol: &str, second: i64, record: u64) -> LakeQuote {
        let day = Timestamp::parse("2026-11-20T00:00:00Z").expect("a time");
        let quote = Quote {
            symbol: Symbol::parse(symbol).expect("a symbol"),
            timestamp: day.plus_millis(second * 1000),
            price: Price::from_units(100_000_000 + record as i64).expect("a price"),
            open: None,
            high: None,
            low: None,
            previous_close: None,
            volume: None,
            currency: None,
            source: None,
            origin: Origin::Replay,
            stale: false,
            alert: false,
            ingested_at: day.plus_millis(86_400_000),
        };
        LakeQuote::new(quote, RecordSequence::local(record).line(0), AnomalyThreshold::default())
    }

    pub(crate) fn file(quotes: &[LakeQuote]) -> Bytes {
        let mut bytes = Vec::new();
        encode(quotes, &mut bytes).expect("a file");
        bytes.into()
    }

    /// Every value of a file as text, a row a line.
    pub(crate) fn text(file: Bytes) -> Vec<String> {
        let reader = ParquetRecordBatchReaderBuilder::try_new(file).expect("a file").build().expect("a reader");
        let mut lines = Vec::new();
        for batch in reader {
            let batch = batch.expect("a batch");
            for row in 0..batch.num_rows() {
                let values: Vec<_> = batch
                    .columns()
                    .iter()
                    .map(|c| array_value_to_string(c, row).expect("a value"))
                    .map(|value| if value.is_empty() { "-".into() } else { value })
                    .collect();
                lines.push(values.join(" "));
            }
        }
        lines
    }

    #[test]
    fn every_field_comes_back_in_its_column() {
        let mut full = quote("AAPL", 75_570, 42);
        let price = |text| Price::parse(text).ok();
        full.quote.price = price("271.49").expect("a price");
        full.quote.open = price("270");
        full.quote.high = price("9999999999.99999999");
        full.quote.low = price("0.00000001");
        full.quote.previous_close = price("200");
        full.quote.volume = Volume::parse("99999999999999999999.99999999").ok();
        full.quote.currency = Some("USD".into());
        full.quote.source = Some("yahoo".into());
        full.quote.stale = true;
        let full = LakeQuote::new(full.quote, full.sequence, AnomalyThreshold::default());
        let bytes = file(&[full, quote("AAPL", 75_571, 43)]);
        assert_eq!(
            text(bytes),
            [
                "AAPL 2026-11-20T20:59:30 271.49000000 270.00000000 9999999999.99999999 0.00000001 200.00000000 \
                 99999999999999999999.99999999 USD yahoo replay true 2026-11-21T00:00:00 35.7450 true \
                 00000000000000000042-00000",
                "AAPL 2026-11-20T20:59:31 1.00000043 - - - - - - - replay false 2026-11-21T00:00:00 - false \
                 00000000000000000043-00000",
            ]
        );
    }

    #[test]
    fn sorted_and_each_identity_once() {
        let bytes = file(&[
            quote("B", 2, 5),
            quote("A", 9, 6),
            quote("B", 2, 4),
            quote("B", 1, 7),
            quote("A", 9, 8),
            quote("A", 10, 3),
        ]);
        let rows: Vec<_> = text(bytes).iter().map(|r| format!("{} {}", &r[..21], &r[r.len() - 7..])).collect();
        assert_eq!(
            rows,
            [
                "A 2026-11-20T00:00:09 6-00000",
                "A 2026-11-20T00:00:10 3-00000",
                "B 2026-11-20T00:00:01 7-00000",
                "B 2026-11-20T00:00:02 4-00000"
            ]
        );
    }

    #[test]
    fn the_layout_is_the_one_that_queries_are_quick_on() {
        let quotes: Vec<_> = (0..50_000).map(|i| quote("AAPL", i, i as u64)).collect();
        let bytes = file(&quotes);
        let reader = SerializedFileReader::new(bytes.clone()).expect("a file");
        assert_eq!(reader.metadata().num_row_groups(), 1);
        let group = reader.metadata().row_group(0);
        let column = |name: &str| {
            let at = schema().index_of(name).expect("a column");
            (group.column(at), group.column(at).encodings().collect::<Vec<_>>())
        };
        let (price, _) = column("price");
        assert_eq!(price.column_type(), Type::INT64);
        assert!(price.offset_index_offset().is_some() && price.column_index_offset().is_some());
        assert!(column("timestamp").1.contains(&Encoding::DELTA_BINARY_PACKED));
        assert!(column("symbol").1.contains(&Encoding::RLE_DICTIONARY));
        let reader = ParquetRecordBatchReaderBuilder::try_new(bytes).expect("a file").build().expect("a reader");
        let sum: i128 = reader
            .map(|b| b.expect("a batch").column(2).as_primitive::<Decimal128Type>().values().iter().sum::<i128>())
            .sum();
        assert_eq!(sum, quotes.iter().map(|q| i128::from(q.quote.price.units())).sum());
    }

    #[test]
    fn quotes_of_two_days_are_refused() {
        let both = [quote("A", 1, 1), quote("A", 86_400, 2)];
        assert!(matches!(encode(&both, Vec::new()), Err(LakeError::Days(..))));
        assert!(matches!(encode(&[], Vec::new()), Err(LakeError::Empty)));
    }
}
