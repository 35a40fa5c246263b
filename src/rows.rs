//! Answers: columns, and rows of exact texts. What a query gives and a report shows.

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

/// A row of an answer: a text for each column, none for null.
pub type Row = Vec<Option<String>>;
