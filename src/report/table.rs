//! Answers as rows: a table for people, CSV and JSON for programs.

use super::style::{self, FAINT, STRONG, Screen, visible};
use crate::rows::{Column, ColumnKind, Row};
use serde_json::value::RawValue;
use std::{
    borrow::Cow,
    io::{self, BufWriter, Write},
};
use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

/// A table has at most so many rows: it is laid out as a whole, and nobody reads more.
const MOST_ROWS: usize = 10_000;
/// A text is cut to no fewer columns than this, unless the screen is narrower still: a date stays whole.
const LEAST_TEXT: usize = 10;
/// Between columns.
const GUTTER: usize = 2;
/// What stands for what was cut off.
const CUT: &str = "…";

/// How rows are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// For people, fitted to the screen.
    Table,
    /// A line per row below a header, exact.
    Csv,
    /// An array with an object per row, one to a line, exact: numbers bare, null for none.
    Json,
}

/// Writes an answer row by row.
pub struct Writer<W: Write> {
    columns: Vec<Column>,
    rows: u64,
    form: Form<W>,
}

enum Form<W: Write> {
    Table { out: W, screen: Screen, kept: Vec<Row> },
    Csv(Box<csv::Writer<W>>),
    Json(BufWriter<W>),
}

impl Writer<io::StdoutLock<'static>> {
    /// Writes to stdout.
    ///
    /// # Errors
    /// When stdout does not take it.
    pub fn stdout(format: Format, columns: Vec<Column>) -> io::Result<Self> {
        Self::new(io::stdout().lock(), format, columns, Screen::stdout())
    }
}

impl<W: Write> Writer<W> {
    /// Writes to `out`; a table fits the screen.
    ///
    /// # Errors
    /// When `out` does not take it.
    pub fn new(out: W, format: Format, columns: Vec<Column>, screen: Screen) -> io::Result<Self> {
        let form = match format {
            Format::Table => Form::Table { out, screen, kept: Vec::new() },
            Format::Csv => {
                let mut csv = csv::Writer::from_writer(out);
                csv.write_record(columns.iter().map(|column| &column.name)).map_err(io_error)?;
                Form::Csv(Box::new(csv))
            }
            Format::Json => {
                let mut json = BufWriter::new(out);
                json.write_all(b"[")?;
                Form::Json(json)
            }
        };
        Ok(Self { columns, rows: 0, form })
    }

    /// Takes a row. One that is too short has no values for the last columns.
    ///
    /// # Errors
    /// When it cannot be written; of kind `BrokenPipe` where the reader has gone.
    pub fn row(&mut self, row: Row) -> io::Result<()> {
        self.rows += 1;
        match &mut self.form {
            Form::Table { kept, .. } => {
                if kept.len() < MOST_ROWS {
                    kept.push(row);
                }
                Ok(())
            }
            Form::Csv(csv) => {
                let cells = (0..self.columns.len()).map(|at| cell(&row, at).unwrap_or_default());
                csv.write_record(cells).map_err(io_error)
            }
            Form::Json(json) => {
                json.write_all(if self.rows == 1 { b"\n" } else { b",\n" })?;
                json.write_all(&object(&self.columns, &row))
            }
        }
    }

    /// Writes what is left to write, and gives the number of rows.
    ///
    /// # Errors
    /// As for [`Writer::row`].
    pub fn finish(self) -> io::Result<u64> {
        match self.form {
            Form::Table { mut out, screen, kept } => {
                out.write_all(render(&self.columns, &kept, screen).as_bytes())?;
                let left_out = self.rows - kept.len() as u64;
                if left_out > 0 {
                    let note = format!(" {CUT} and {} more rows; --format csv has them all", style::count(left_out));
                    writeln!(out, "{}", screen.paint(FAINT, &note))?;
                }
                out.flush()?;
            }
            Form::Csv(mut csv) => csv.flush()?,
            Form::Json(mut json) => {
                json.write_all(if self.rows == 0 { b"]\n" } else { b"\n]\n" })?;
                json.flush()?;
            }
        }
        Ok(self.rows)
    }
}

/// The error below one of the CSV writer, whose kind would be lost otherwise.
#[must_use]
pub fn io_error(error: csv::Error) -> io::Error {
    match error.into_kind() {
        csv::ErrorKind::Io(error) => error,
        other => io::Error::other(format!("{other:?}")),
    }
}

fn cell(row: &Row, at: usize) -> Option<&str> {
    row.get(at).and_then(Option::as_deref)
}

/// A row as a JSON object.
#[must_use]
pub fn object(columns: &[Column], row: &Row) -> Vec<u8> {
    let mut json = vec![b'{'];
    for (at, column) in columns.iter().enumerate() {
        if at > 0 {
            json.push(b',');
        }
        pipeline::push_string(&mut json, &column.name);
        json.push(b':');
        match cell(row, at) {
            None => json.extend_from_slice(b"null"),
            Some(text) if is_bare(column.kind, text) => json.extend_from_slice(text.as_bytes()),
            Some(text) => pipeline::push_string(&mut json, text),
        }
    }
    json.push(b'}');
    json
}

/// Whether the text is JSON as it stands; `NaN` is no number there.
fn is_bare(kind: ColumnKind, text: &str) -> bool {
    match kind {
        ColumnKind::Text | ColumnKind::Time => false,
        ColumnKind::Flag => matches!(text, "true" | "false"),
        ColumnKind::Number => {
            text.starts_with(|c: char| c == '-' || c.is_ascii_digit())
                && text.ends_with(|c: char| c.is_ascii_digit())
                && serde_json::from_str::<&RawValue>(text).is_ok()
        }
    }
}

/// The rows as a table, a line each below a header; empty without columns.
///
/// Numbers stand at their decimal points and are never cut. Where the screen is too narrow texts are cut, and then
/// columns are left out from the right and named below the table.
#[must_use]
pub fn render(columns: &[Column], rows: &[Row], screen: Screen) -> String {
    let mut columns: Vec<Layout<'_>> = columns.iter().enumerate().map(|(at, c)| Layout::new(c, at, rows)).collect();
    let left_out = fit(&mut columns, screen.width.unwrap_or(usize::MAX));
    let mut table = String::new();
    if columns.is_empty() {
        return table;
    }
    let line = |cells: Vec<String>| {
        let more = if left_out.is_empty() { String::new() } else { format!("{:GUTTER$}{CUT}", "") };
        format!(" {}{more}", cells.join(&" ".repeat(GUTTER))).trim_end().to_owned()
    };
    let mut push = |line: &str| table.extend([line, "\n"]);
    push(&screen.paint(STRONG, &line(columns.iter().map(Layout::heading).collect())));
    for row in 0..rows.len() {
        push(&line(columns.iter().map(|column| column.cell(row)).collect()));
    }
    if !left_out.is_empty() {
        let names: Vec<&str> = left_out.iter().map(|column| &*column.name).collect();
        let note = format!("{CUT} no room for {}; --format csv has them", names.join(", "));
        for line in wrapped(&note, screen.width.unwrap_or(usize::MAX)) {
            push(&screen.paint(FAINT, &line));
        }
    }
    table
}

/// The words in lines of this width, each after a space, further ones below the first one's second word.
fn wrapped(text: &str, width: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split(' ') {
        match lines.last_mut() {
            Some(line) if line.width() + 1 + word.width() <= width => line.extend([" ", word]),
            Some(_) => lines.push(format!("   {word}")),
            None => lines.push(format!(" {word}")),
        }
    }
    lines
}

/// Fits the columns into `room` and gives back those that have no place, at least the first having one.
fn fit<'a>(columns: &mut Vec<Layout<'a>>, room: usize) -> Vec<Layout<'a>> {
    let all = columns.len();
    let least = |count: usize| {
        let cells: usize = columns.iter().take(count).map(|column| GUTTER + column.least()).sum();
        // A space before the first column instead of its gutter, and a mark after the last if there were more.
        (1 + cells).saturating_sub(GUTTER) + if count < all { GUTTER + 1 } else { 0 }
    };
    let shown = (1..=all).rev().find(|count| least(*count) <= room).unwrap_or(1);
    let left_out = columns.split_off(shown.min(all));
    let mark = if left_out.is_empty() { 0 } else { GUTTER + 1 };
    let over = |columns: &[Layout<'_>]| {
        let cells: usize = columns.iter().map(|column| GUTTER + column.width).sum();
        ((1 + cells).saturating_sub(GUTTER) + mark).saturating_sub(room)
    };
    // The widest text gives way first.
    while let excess @ 1.. = over(columns) {
        let Some(widest) = columns.iter_mut().filter(|c| c.can_be_cut()).max_by_key(|c| c.width) else { break };
        // At most by half, so that a second long text gives way as well.
        widest.width = (widest.width - excess.min(widest.width.div_ceil(2))).max(widest.least());
    }
    if over(columns) > 0 {
        columns.iter_mut().for_each(Layout::forget_points);
    }
    left_out
}

/// A column, laid out.
struct Layout<'a> {
    name: Cow<'a, str>,
    kind: ColumnKind,
    cells: Vec<Cow<'a, str>>,
    width: usize,
    /// Of numbers: how wide they are before the decimal point and from it on, where they stand at it.
    point: Option<(usize, usize)>,
}

impl<'a> Layout<'a> {
    fn new(column: &'a Column, at: usize, rows: &'a [Row]) -> Self {
        let cells: Vec<_> = rows.iter().map(|row| visible(cell(row, at).unwrap_or_default())).collect();
        let name = visible(&column.name);
        let mut layout = Self { name, kind: column.kind, cells, width: 0, point: None };
        layout.width = layout.widest();
        if column.kind == ColumnKind::Number {
            let parts = || layout.cells.iter().map(|cell| at_point(cell));
            let whole = parts().map(|(whole, _)| whole.width()).max().unwrap_or(0);
            let part = parts().map(|(_, part)| part.width()).max().unwrap_or(0);
            layout.width = layout.width.max(whole + part);
            layout.point = Some((whole, part));
        }
        layout
    }

    /// The widest of the name and the cells.
    fn widest(&self) -> usize {
        self.cells.iter().map(|cell| cell.width()).max().unwrap_or(0).max(self.name.width())
    }

    /// What it can be narrowed to.
    fn least(&self) -> usize {
        let widest = self.widest();
        if self.kind == ColumnKind::Text { widest.min(LEAST_TEXT) } else { widest }
    }

    fn can_be_cut(&self) -> bool {
        self.kind == ColumnKind::Text && self.width > self.least()
    }

    /// Aligns numbers at their ends, which is narrower where some have many places and others many digits.
    fn forget_points(&mut self) {
        if self.point.take().is_some() {
            self.width = self.widest();
        }
    }

    fn heading(&self) -> String {
        self.aligned(&self.name)
    }

    fn cell(&self, row: usize) -> String {
        let cell = self.cells.get(row).map_or("", |cell| cell);
        match self.point {
            Some((whole_width, part_width)) if !cell.is_empty() => {
                let (whole, part) = at_point(cell);
                self.aligned(&format!("{whole:>whole_width$}{part:<part_width$}"))
            }
            _ => self.aligned(cell),
        }
    }

    /// The text in the column's width: numbers to the right, anything else to the left.
    fn aligned(&self, text: &str) -> String {
        let text = cut(text, self.width);
        let space = " ".repeat(self.width.saturating_sub(text.width()));
        if self.kind == ColumnKind::Number { space + &text } else { text.into_owned() + &space }
    }
}

/// A number's text before its point, and from it on.
pub(super) fn at_point(number: &str) -> (&str, &str) {
    number.split_at(number.find('.').unwrap_or(number.len()))
}

/// The text in at most so many columns of the screen.
#[must_use]
pub fn cut(text: &str, width: usize) -> Cow<'_, str> {
    if text.width() <= width {
        return Cow::Borrowed(text);
    }
    let mut room = width.saturating_sub(CUT.width());
    let fits = |c: &char| {
        let taken = c.width().unwrap_or(0);
        let fits = taken <= room;
        room = room.saturating_sub(taken);
        fits
    };
    Cow::Owned(text.chars().take_while(fits).chain(CUT.chars()).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn columns(kinds: &[(&str, ColumnKind)]) -> Vec<Column> {
        kinds.iter().map(|(name, kind)| Column { name: (*name).into(), kind: *kind }).collect()
    }

    fn row(cells: &[&str]) -> Row {
        cells.iter().map(|cell| (!cell.is_empty()).then(|| (*cell).into())).collect()
    }

    fn signals() -> (Vec<Column>, Vec<Row>) {
        let kinds = [
            ("symbol", ColumnKind::Text),
            ("timestamp", ColumnKind::Time),
            ("signal", ColumnKind::Text),
            ("price", ColumnKind::Number),
            ("sma_5", ColumnKind::Number),
            ("sma_20", ColumnKind::Number),
        ];
        let rows = vec![
            row(&["AAPL", "2013-02-28T21:00:00.000Z", "BUY", "441.4", "447.304", "1456.44"]),
            row(&["A-VERY-LONG-NAME-OF-A-SYMBOL", "2013-03-01T21:00:00.000Z", "SELL", "30.4722", "", "99"]),
        ];
        (columns(&kinds), rows)
    }

    fn screen(width: usize) -> Screen {
        Screen { width: Some(width), ..Screen::default() }
    }

    fn written(format: Format, columns: Vec<Column>, rows: Vec<Row>) -> String {
        let mut out = Vec::new();
        let mut writer = Writer::new(&mut out, format, columns, Screen::default()).unwrap();
        let expected = rows.len() as u64;
        rows.into_iter().for_each(|row| writer.row(row).unwrap());
        assert_eq!(writer.finish().unwrap(), expected);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn a_wide_screen_shows_everything() {
        let (columns, rows) = signals();
        let expected = " symbol                        timestamp                 signal     price    sma_5   sma_20
 AAPL                          2013-02-28T21:00:00.000Z  BUY     441.4     447.304  1456.44
 A-VERY-LONG-NAME-OF-A-SYMBOL  2013-03-01T21:00:00.000Z  SELL     30.4722             99
";
        assert_eq!(render(&columns, &rows, screen(160)), expected);
        assert_eq!(render(&columns, &rows, Screen::default()), expected);
    }

    #[test]
    fn texts_are_cut_at_80() {
        let (columns, rows) = signals();
        let expected = " symbol             timestamp                 signal     price    sma_5   sma_20
 AAPL               2013-02-28T21:00:00.000Z  BUY     441.4     447.304  1456.44
 A-VERY-LONG-NAME…  2013-03-01T21:00:00.000Z  SELL     30.4722             99
";
        assert_eq!(render(&columns, &rows, screen(80)), expected);
    }

    #[test]
    fn columns_are_left_out_at_40() {
        let (columns, rows) = signals();
        let expected = " symbol      timestamp                 …
 AAPL        2013-02-28T21:00:00.000Z  …
 A-VERY-LO…  2013-03-01T21:00:00.000Z  …
 … no room for signal, price, sma_5,
   sma_20; --format csv has them
";
        assert_eq!(render(&columns, &rows, screen(40)), expected);
    }

    #[test]
    fn no_line_is_wider_than_the_screen() {
        let (columns, rows) = signals();
        for width in 30..200 {
            let table = render(&columns, &rows, screen(width));
            let widest = table.lines().map(|l| l.width()).max().unwrap();
            assert!(widest <= width, "{width}:\n{table}");
        }
        // Narrower than the narrowest: still something, and no panic.
        assert!(!render(&columns, &rows, screen(0)).is_empty());
    }

    #[test]
    fn nothing_in_a_cell_reaches_the_terminal_s_controls() {
        let columns = columns(&[("a\u{7}", ColumnKind::Text), ("n", ColumnKind::Number)]);
        let rows = [row(&["\u{1b}]0;x\u{7}\n漢字", "1"]), row(&["é", "\u{1b}[2J"])];
        let expected = " a\\u{7}                         n\n \\u{1b}]0;x\\u{7}\\n漢字          1\n é                      \\u{1b}[2J\n";
        assert_eq!(render(&columns, &rows, Screen::default()), expected);
    }

    #[test]
    fn csv_is_exact() {
        let columns =
            columns(&[("symbol", ColumnKind::Text), ("price", ColumnKind::Number), ("note", ColumnKind::Text)]);
        let rows = vec![row(&["A", "1.00000001", "a,\"b\"\nc"]), row(&["B", ""])];
        assert_eq!(
            written(Format::Csv, columns.clone(), rows),
            "symbol,price,note\nA,1.00000001,\"a,\"\"b\"\"\nc\"\nB,,\n"
        );
        assert_eq!(written(Format::Csv, columns, vec![]), "symbol,price,note\n");
    }

    #[test]
    fn json_is_exact() {
        let kinds = [
            ("a\"b", ColumnKind::Text),
            ("price", ColumnKind::Number),
            ("at", ColumnKind::Time),
            ("late", ColumnKind::Flag),
        ];
        let rows = vec![
            row(&["x\n", "9999999999.99999999", "2026-01-05", "true"]),
            row(&["", "NaN", "", ""]),
            row(&["1", "-0.5"]),
        ];
        let expected = r#"[
{"a\"b":"x\n","price":9999999999.99999999,"at":"2026-01-05","late":true},
{"a\"b":null,"price":"NaN","at":null,"late":null},
{"a\"b":"1","price":-0.5,"at":null,"late":null}
]
"#;
        assert_eq!(written(Format::Json, columns(&kinds), rows), expected);
        assert_eq!(written(Format::Json, columns(&kinds), vec![]), "[]\n");
    }

    #[test]
    fn a_table_says_how_many_rows_it_left_out() {
        let columns = columns(&[("n", ColumnKind::Number)]);
        let rows = (0..MOST_ROWS + 1234).map(|n| vec![Some(n.to_string())]).collect();
        let table = written(Format::Table, columns, rows);
        assert_eq!(table.lines().count(), 1 + MOST_ROWS + 1);
        assert!(
            table.ends_with(" 9999\n … and 1,234 more rows; --format csv has them all\n"),
            "{:?}",
            table.lines().next_back()
        );
    }

    /// A reader that has gone.
    struct Gone;

    impl Write for Gone {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(io::ErrorKind::BrokenPipe.into())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_reader_that_goes_away_is_a_broken_pipe() {
        for format in [Format::Table, Format::Csv, Format::Json] {
            let write = || -> io::Result<u64> {
                let mut writer = Writer::new(Gone, format, columns(&[("a", ColumnKind::Text)]), Screen::default())?;
                for _ in 0..100_000 {
                    writer.row(row(&["x"]))?;
                }
                writer.finish()
            };
            assert_eq!(write().map_err(|e| e.kind()), Err(io::ErrorKind::BrokenPipe), "{format:?}");
        }
    }
}
