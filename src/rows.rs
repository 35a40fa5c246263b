//! Answers: columns, and rows of exact texts. What a query gives and a report shows.

use pipeline::{Item, Signal, Symbol, Window};

/// What a column holds, and so how it is aligned and written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ColumnKind {
    /// Text: to the left, quoted in JSON.
    Text,
    /// A time such as `2026-11-20T20:59:30.000Z`.
    Time,
    /// A number of any kind, in its exact text without trailing zeros: to the right, bare in JSON.
    Number,
    /// `true` or `false`, bare in JSON.
    Flag,
}

/// A column of an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Column {
    /// Its name.
    pub name: String,
    /// What it holds.
    pub kind: ColumnKind,
}

impl Column {
    /// A column of this name.
    pub fn new(name: &str, kind: ColumnKind) -> Self {
        Self { name: name.into(), kind }
    }
}

/// A row of an answer: a text for each column, none for null.
pub type Row = Vec<Option<String>>;

/// A number in double precision: the shortest text that is read back as the same number. Zero has no sign.
pub fn float(value: f64) -> String {
    // Adding zero takes the sign of a zero away.
    let text = format!("{:?}", value + 0.0);
    text.strip_suffix(".0").map(str::to_owned).unwrap_or(text)
}

/// Bytes that may be anything in two columns, exactly: as a text where they are UTF-8, else in hexadecimal digits.
pub fn exact(bytes: &[u8]) -> [Option<String>; 2] {
    match std::str::from_utf8(bytes) {
        Ok(text) => [Some(text.into()), None],
        Err(_) => [None, Some(bytes.iter().map(|byte| format!("{byte:02x}")).collect())],
    }
}

/// Where a symbol stands: what is shown of it while quotes flow.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Standing {
    /// The symbol.
    pub symbol: Symbol,
    /// Its newest quote; none where none came yet, or all have expired.
    pub newest: Option<Item>,
    /// Its last in-order prices, which the averages are of.
    pub window: Window,
    /// Its last signal.
    pub signal: Option<Signal>,
}
