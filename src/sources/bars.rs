//! Bars as CSV rows, `symbol,timestamp,open,high,low,close,volume`.

use pipeline::{NumberError, Price, Timestamp, Volume, push_string};
use serde_json::value::RawValue;
use std::borrow::Cow;

/// A row's cells, trimmed.
pub(super) type Cells<'a> = Vec<Cow<'a, str>>;

/// A row that can become a quote.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Bar {
    pub(super) timestamp: Timestamp,
    pub(super) open: Option<Price>,
    pub(super) high: Option<Price>,
    pub(super) low: Option<Price>,
    pub(super) close: Price,
    pub(super) volume: Option<Volume>,
}

/// What a column holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Field {
    Symbol,
    Timestamp,
    Open,
    High,
    Low,
    Close,
    Volume,
}

impl Field {
    fn named(name: &str) -> Option<Self> {
        Some(match name {
            "symbol" => Self::Symbol,
            "timestamp" => Self::Timestamp,
            "open" => Self::Open,
            "high" => Self::High,
            "low" => Self::Low,
            "close" => Self::Close,
            "volume" => Self::Volume,
            _ => return None,
        })
    }

    /// The name of the quote's field.
    fn name(self) -> &'static str {
        match self {
            Self::Symbol => "symbol",
            Self::Timestamp => "timestamp",
            Self::Open => "open",
            Self::High => "high",
            Self::Low => "low",
            Self::Close => "price",
            Self::Volume => "volume",
        }
    }

    fn is_required(self) -> bool {
        matches!(self, Self::Symbol | Self::Timestamp | Self::Close)
    }

    /// The cell's number as the quote has it; none where the field is no number.
    fn number(self, cell: &str) -> Option<Result<String, NumberError>> {
        match self {
            Self::Symbol | Self::Timestamp => None,
            Self::Open | Self::High | Self::Low | Self::Close => {
                Some(Price::parse_rounded(cell).map(|p| p.to_string()))
            }
            Self::Volume => Some(Volume::parse_rounded(cell).map(|v| v.to_string())),
        }
    }
}

/// The columns, as the header names them.
#[derive(Debug)]
pub(super) struct Columns {
    /// The header's own line, which comes again where files were put together.
    header: Vec<u8>,
    /// What each holds; none for what a quote does not have.
    fields: Vec<Option<Field>>,
}

impl Columns {
    /// The columns of a header; none where the line is not a header with a symbol, a timestamp and a close.
    ///
    /// The close may be called `price`, as in what `latest` and `query` print.
    pub(super) fn from_header(line: &[u8]) -> Option<Self> {
        let names: Vec<String> =
            split(std::str::from_utf8(line).ok()?).iter().map(|n| n.to_ascii_lowercase()).collect();
        let has_close = names.iter().any(|name| name == "close");
        let mut fields: Vec<Option<Field>> = Vec::with_capacity(names.len());
        for name in &names {
            let field = if name == "price" && !has_close { Some(Field::Close) } else { Field::named(name) };
            // Of two columns with the same name the first counts.
            fields.push(field.filter(|_| !fields.contains(&field)));
        }
        let is_header = [Field::Symbol, Field::Timestamp, Field::Close].map(Some).iter().all(|f| fields.contains(f));
        is_header.then(|| Self { header: line.to_vec(), fields })
    }

    /// Whether the line is the header once more.
    pub(super) fn is_header(&self, line: &[u8]) -> bool {
        line == self.header
    }

    /// The cells of a line; none where they cannot belong to these columns.
    pub(super) fn cells<'a>(&self, line: &'a [u8]) -> Option<Cells<'a>> {
        let cells = split(std::str::from_utf8(line).ok()?);
        let surplus = cells.get(self.fields.len()..).unwrap_or_default();
        // Commas at the end are harmless; anything else may have moved the values before it.
        let fits = surplus.iter().all(|cell| cell.is_empty());
        // A row that is cut off in columns that no quote has would pass for a whole one in JSON.
        let missing = self.fields.get(cells.len()..).unwrap_or_default();
        (fits && (missing.is_empty() || missing.iter().any(Option::is_some))).then_some(cells)
    }

    /// The text of the row's symbol, empty where it has none.
    pub(super) fn symbol<'c>(&self, cells: &'c Cells<'_>) -> &'c str {
        let symbol = self.fields.iter().zip(cells).find(|(field, _)| **field == Some(Field::Symbol));
        symbol.map_or("", |(_, cell)| cell)
    }

    /// The row as a bar; none where a cell is missing or holds what its field cannot be.
    pub(super) fn bar(&self, cells: &Cells<'_>) -> Option<Bar> {
        if cells.len() < self.fields.len() {
            return None;
        }
        let (mut timestamp, mut close, mut volume) = (None, None, None);
        let (mut open, mut high, mut low) = (None, None, None);
        for (field, cell) in self.fields.iter().zip(cells) {
            let Some(field) = field.filter(|_| !cell.is_empty()) else { continue };
            match field {
                Field::Timestamp => timestamp = Some(Timestamp::parse(cell)?),
                Field::Open => open = Some(Price::parse_rounded(cell).ok()?),
                Field::High => high = Some(Price::parse_rounded(cell).ok()?),
                Field::Low => low = Some(Price::parse_rounded(cell).ok()?),
                Field::Close => close = Some(Price::parse_rounded(cell).ok()?),
                Field::Volume => volume = Some(Volume::parse_rounded(cell).ok()?),
                Field::Symbol => {}
            }
        }
        Some(Bar { timestamp: timestamp?, open, high, low, close: close?, volume })
    }

    /// A row that is no bar as a JSON object, which process sets aside with a reason that names the field.
    ///
    /// Whatever is right in the row is written as the quote would have had it, so that the reason is never about
    /// that; and what is wrong in it stays wrong.
    pub(super) fn json(&self, cells: &Cells<'_>) -> Vec<u8> {
        let mut json = vec![b'{'];
        for (at, field) in self.fields.iter().enumerate() {
            let Some(field) = field else { continue };
            let cell = match cells.get(at) {
                Some(cell) if cell.is_empty() => continue,
                Some(cell) => cell,
                None if field.is_required() => continue,
                // The row is cut off. It must not pass for one whose optional cells are empty, and an empty text is
                // no number.
                None => "",
            };
            if json.len() > 1 {
                json.push(b',');
            }
            push_string(&mut json, field.name());
            json.push(b':');
            match field.number(cell) {
                Some(Ok(number)) => json.extend_from_slice(number.as_bytes()),
                Some(Err(_)) if is_json_number(cell) => json.extend_from_slice(cell.as_bytes()),
                _ => push_string(&mut json, cell),
            }
        }
        json.push(b'}');
        json
    }
}

/// Whether JSON would have the number in this text, whatever its size.
fn is_json_number(text: &str) -> bool {
    let begins = text.starts_with(|c: char| c == '-' || c.is_ascii_digit());
    begins && serde_json::from_str::<&RawValue>(text).is_ok()
}

/// The cells of a line, trimmed; never none.
fn split(line: &str) -> Cells<'_> {
    if line.contains('"') {
        let mut reader = csv::ReaderBuilder::new().has_headers(false).flexible(true).from_reader(line.as_bytes());
        if let Some(Ok(record)) = reader.records().next() {
            return record.iter().map(|cell| Cow::Owned(cell.trim().to_owned())).collect();
        }
    }
    line.split(',').map(|cell| Cow::Borrowed(cell.trim())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEADER: &[u8] = b"symbol,timestamp,open,high,low,close,volume";

    fn json(header: &[u8], row: &str) -> String {
        let columns = Columns::from_header(header).unwrap();
        let cells = columns.cells(row.as_bytes()).unwrap();
        assert_eq!(columns.bar(&cells), None, "{row}");
        String::from_utf8(columns.json(&cells)).unwrap()
    }

    fn bar(header: &[u8], row: &str) -> Bar {
        let columns = Columns::from_header(header).unwrap();
        columns.bar(&columns.cells(row.as_bytes()).unwrap()).unwrap()
    }

    #[test]
    fn headers() {
        assert!(Columns::from_header(HEADER).is_some());
        assert!(Columns::from_header(b"\"Close\", Timestamp ,Symbol").is_some());
        for line in [&b"symbol,timestamp,open"[..], b"AAPL,2026-01-05T21:00:00Z,1,1,1,1,1", b"{}", b"\xff", b""] {
            assert!(Columns::from_header(line).is_none(), "{line:?}");
        }
    }

    #[test]
    fn cells_go_by_the_header_s_names() {
        let plain = bar(HEADER, "AAPL,2026-01-05T21:00:00Z,1,3,0.5,2.50,100");
        let other = bar(
            b"volume,note,close,low,high,open,timestamp,symbol,close",
            "100,x,2.5,.5,3.,1,2026-01-05T21:00:00Z,AAPL,9",
        );
        assert_eq!(plain, other);
        let quoted = bar(HEADER, "\"AAPL\",\"2026-01-05T21:00:00Z\",\"1\", 3,0.5,2.5,100,,");
        assert_eq!(plain, quoted);
        let few = bar(b"symbol,timestamp,close", "AAPL,2026-01-05T21:00:00Z,2.5");
        assert_eq!(few, bar(HEADER, "AAPL,2026-01-05T21:00:00Z,,,,2.5,"));
        assert_eq!(few, bar(b"symbol,timestamp,price", "AAPL,2026-01-05T21:00:00Z,2.5"));
        assert_eq!(few, bar(b"symbol,timestamp,price,close", "AAPL,2026-01-05T21:00:00Z,9,2.5"));
    }

    #[test]
    fn numbers_are_exact_and_rounded_half_to_even() {
        let close =
            |text: &str| bar(b"symbol,timestamp,close", &format!("A,2026-01-05T21:00:00Z,{text}")).close.to_string();
        assert_eq!(close("441.39999999"), "441.39999999");
        assert_eq!(close("0.000000125"), "0.00000012");
        assert_eq!(close("0.000000135"), "0.00000014");
        assert_eq!(close("271.48999023437501"), "271.48999023");
    }

    #[test]
    fn a_bad_row_keeps_what_it_said() {
        let row = |cells: &str| json(HEADER, cells);
        assert_eq!(
            row("AAPL,2026-01-05T21:00:00Z,1,3,0.5,abc,100"),
            r#"{"symbol":"AAPL","timestamp":"2026-01-05T21:00:00Z","open":1,"high":3,"low":0.5,"price":"abc","volume":100}"#
        );
        assert_eq!(row("5,noon,,,,1.0000000001,"), r#"{"symbol":"5","timestamp":"noon","price":1}"#);
        assert_eq!(row("A,,,,,-1,"), r#"{"symbol":"A","price":-1}"#);
        assert_eq!(row("A,,,,,1e400,+5"), r#"{"symbol":"A","price":1e400,"volume":"+5"}"#);
        assert_eq!(row("\"a\"\"b\",,,,,1,"), r#"{"symbol":"a\"b","price":1}"#);
        assert_eq!(
            row("A,2026-01-05T21:00:00Z,1,3,0.5,2"),
            r#"{"symbol":"A","timestamp":"2026-01-05T21:00:00Z","open":1,"high":3,"low":0.5,"price":2,"volume":""}"#
        );
        assert_eq!(row("rubbish"), r#"{"symbol":"rubbish","open":"","high":"","low":"","volume":""}"#);
        assert_eq!(json(b"symbol,timestamp,stale,close", "A,x,5,1"), r#"{"symbol":"A","timestamp":"x","price":1}"#);
    }

    #[test]
    fn cells_that_cannot_belong_to_the_header_are_no_row() {
        let columns = Columns::from_header(HEADER).unwrap();
        assert_eq!(columns.cells(b"AAPL,2026-01-05T21:00:00Z,1,234,3,0.5,2.5,100"), None);
        assert_eq!(columns.cells(b"AAPL,\xff,1,2,3,4,5"), None);
        let columns = Columns::from_header(b"symbol,timestamp,close,note").unwrap();
        assert_eq!(columns.cells(b"AAPL,2026-01-05T21:00:00Z,44"), None);
    }
}
