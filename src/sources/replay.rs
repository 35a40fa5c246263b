//! Recorded quotes: a CSV file of bars, or quotes as JSON lines.
//!
//! A file may be of any size: it is read as it is sent, and what is remembered of it is a few closes per symbol.

use super::{
    Flow, Outgoing, Source, SourceError, SourceOptions, Speed,
    bars::Columns,
    lines::{Line, Lines},
    sessions::Sessions,
};
use pipeline::{Judge, Origin, Quote, Record, RecordSequence, Symbol, Timestamp};
use serde::Deserialize;
use std::{
    borrow::Cow,
    collections::{HashMap, HashSet},
    fs::File,
    io::{self, Read},
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};

/// The key of what has no symbol.
const NO_KEY: &str = "?";
/// The longest key that every target takes, in bytes.
const LONGEST_KEY: usize = 256;
/// The longest source that a quote can carry, in bytes.
const LONGEST_MARK: usize = 256;

/// Replays a file, or standard input.
pub struct Replay {
    /// The file, for people.
    file: String,
    lines: Lines,
    line: Vec<u8>,
    /// How to read a line; none before the first.
    form: Option<Form>,
    marks: Marks,
    /// Of these alone; of all where there are none.
    symbols: HashSet<Symbol>,
    speed: Speed,
    /// When the first quote was sent, and its market time: what the pace is counted from.
    began: Option<(Instant, Timestamp)>,
    /// Read, and due then.
    pending: Option<(Outgoing, Instant)>,
}

/// What a replay puts on its quotes.
struct Marks {
    source: Arc<str>,
    alert: bool,
}

enum Form {
    Bars { columns: Columns, symbols: HashMap<Symbol, Sessions> },
    Quotes(Judge),
}

impl Replay {
    /// Opens the file; `-` is standard input.
    pub(super) fn open(file: &Path, options: SourceOptions) -> Result<Self, SourceError> {
        if file.as_os_str() == "-" {
            return Ok(Self::new("stdin", Box::new(io::stdin()), options));
        }
        let failed = |cause: String| SourceError { what: file.display().to_string(), cause, hint: None };
        let opened = File::open(file).map_err(|e| match e.kind() {
            io::ErrorKind::NotFound => failed("no such file".into()),
            _ => failed(e.to_string()),
        })?;
        if opened.metadata().is_ok_and(|m| m.is_dir()) {
            return Err(failed("is a folder; a replay takes one file".into()));
        }
        let name = file.file_name().unwrap_or(file.as_os_str()).to_string_lossy().into_owned();
        Ok(Self::new(&name, Box::new(opened), options))
    }

    fn new(name: &str, input: Box<dyn Read + Send>, options: SourceOptions) -> Self {
        Self {
            file: name.into(),
            lines: Lines::new(input),
            line: Vec::new(),
            form: None,
            marks: Marks { source: mark(name), alert: options.alert },
            symbols: options.symbols.into_iter().collect(),
            speed: options.speed,
            began: None,
            pending: None,
        }
    }

    /// What the next line holds; none where the replay passes over it.
    fn read(&mut self, kind: Line) -> Option<Outgoing> {
        if kind == Line::Piece {
            return Some(raw(NO_KEY, &self.line));
        }
        if self.line.iter().all(u8::is_ascii_whitespace) {
            return None;
        }
        if self.form.is_none()
            && let Some(columns) = Columns::from_header(&self.line)
        {
            self.form = Some(Form::Bars { columns, symbols: HashMap::new() });
            return None;
        }
        let wanted = |symbol: &str| self.symbols.is_empty() || self.symbols.contains(symbol);
        match self.form.get_or_insert_with(|| Form::Quotes(Judge::default())) {
            Form::Bars { columns, symbols } => bar(columns, symbols, &self.line, &self.marks, wanted),
            Form::Quotes(judge) => quote(judge, &self.line, &self.marks, wanted),
        }
    }

    /// When this is due; none where it is at once.
    fn due(&mut self, outgoing: &Outgoing) -> Option<Instant> {
        let Outgoing::Quote(quote) = outgoing else { return None };
        let (began, first) = *self.began.get_or_insert_with(|| (Instant::now(), quote.timestamp));
        let after = quote.timestamp.millis().saturating_sub(first.millis());
        // A late one, from before the first, is due at once.
        self.speed.due(began, Duration::from_millis(u64::try_from(after).unwrap_or(0)))
    }
}

impl Source for Replay {
    fn next(&mut self, now: Timestamp, limit: usize, out: &mut Vec<Outgoing>) -> Result<Flow, SourceError> {
        let full = out.len().saturating_add(limit);
        let mut has_read = false;
        while out.len() < full {
            let (mut outgoing, due) = match self.pending.take() {
                Some((outgoing, due)) => (outgoing, Some(due)),
                None => {
                    // What was read does not wait for what may be long in coming through a pipe; and whoever asks
                    // can stop in the middle of a large file of which nothing is selected.
                    if std::mem::replace(&mut has_read, true) && !self.lines.is_ready() {
                        return Ok(Flow::More);
                    }
                    let kind = self.lines.next(&mut self.line);
                    let kind =
                        kind.map_err(|e| SourceError { what: self.file.clone(), cause: e.to_string(), hint: None })?;
                    if kind == Line::End {
                        return Ok(Flow::End);
                    }
                    let Some(outgoing) = self.read(kind) else { continue };
                    let due = self.due(&outgoing);
                    (outgoing, due)
                }
            };
            if let Some(due) = due
                && due > Instant::now()
            {
                self.pending = Some((outgoing, due));
                return Ok(Flow::WaitUntil(due));
            }
            if let Outgoing::Quote(quote) = &mut outgoing {
                quote.ingested_at = now;
            }
            out.push(outgoing);
        }
        Ok(Flow::More)
    }

    fn name(&self) -> String {
        format!("replay {}", self.file)
    }

    fn total(&self) -> Option<u64> {
        None
    }

    fn symbols(&self) -> Vec<Symbol> {
        let mut symbols: Vec<Symbol> = self.symbols.iter().cloned().collect();
        symbols.sort();
        symbols
    }
}

/// A row of bars.
fn bar(
    columns: &Columns,
    symbols: &mut HashMap<Symbol, Sessions>,
    line: &[u8],
    marks: &Marks,
    wanted: impl Fn(&str) -> bool,
) -> Option<Outgoing> {
    // Files that were put together have their header in the middle again.
    if columns.is_header(line) {
        return None;
    }
    let Some(cells) = columns.cells(line) else { return Some(raw(NO_KEY, line)) };
    let text = columns.symbol(&cells);
    if !text.is_empty() && !wanted(text) {
        return None;
    }
    let symbol = match symbols.get_key_value(text) {
        Some((known, _)) => Some(known.clone()),
        None => Symbol::parse(text).ok(),
    };
    let Some((symbol, bar)) = symbol.zip(columns.bar(&cells)) else { return Some(raw(text, &columns.json(&cells))) };
    let previous_close = symbols.entry(symbol.clone()).or_default().take_in(bar.timestamp, bar.close);
    Some(Outgoing::Quote(Quote {
        symbol,
        timestamp: bar.timestamp,
        price: bar.close,
        open: bar.open,
        high: bar.high,
        low: bar.low,
        previous_close,
        volume: bar.volume,
        currency: None,
        source: Some(Arc::clone(&marks.source)),
        origin: Origin::Replay,
        stale: false,
        alert: marks.alert,
        ingested_at: bar.timestamp,
    }))
}

/// A quote as a JSON line.
fn quote(judge: &mut Judge, line: &[u8], marks: &Marks, wanted: impl Fn(&str) -> bool) -> Option<Outgoing> {
    /// The symbol alone, to be the record's key.
    #[derive(Deserialize)]
    struct Keyed<'a> {
        #[serde(borrow)]
        symbol: Cow<'a, str>,
    }
    let Ok(Keyed { symbol }) = serde_json::from_slice(line) else { return Some(raw(NO_KEY, line)) };
    if !symbol.is_empty() && !wanted(&symbol) {
        return None;
    }
    let record = Record {
        sequence: RecordSequence::local(0),
        partition_key: (*symbol).into(),
        // Whether a quote is in the future is judged when it arrives in the stream, not here.
        arrived_at: Timestamp::from_millis(0)?.plus_millis(i64::MAX),
        data: line.into(),
    };
    let mut judged = None;
    judge.record(&record, |_, quote, _| judged = Some(quote), |_| ());
    let Some(quote) = judged else { return Some(raw(&symbol, line)) };
    let origin = if quote.origin == Origin::Backfill { Origin::Backfill } else { Origin::Replay };
    Some(Outgoing::Quote(Quote {
        source: Some(Arc::clone(&marks.source)),
        origin,
        alert: marks.alert && origin != Origin::Backfill,
        ..quote
    }))
}

/// A line for process to set aside.
fn raw(symbol: &str, bytes: &[u8]) -> Outgoing {
    let key = if (1..=LONGEST_KEY).contains(&symbol.len()) { symbol } else { NO_KEY };
    Outgoing::Raw { key: key.into(), bytes: bytes.into() }
}

/// The source that quotes of this file carry.
fn mark(name: &str) -> Arc<str> {
    let mut mark = format!("replay:{name}").replace(char::is_control, "?");
    mark.truncate(mark.floor_char_boundary(LONGEST_MARK));
    mark.into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sources::{SourceSpec, open};
    use proptest::prelude::*;
    use std::io::{Cursor, Write};

    const NOW: &str = "2026-11-20T21:00:00.000Z";
    const HEADER: &str = "symbol,timestamp,open,high,low,close,volume\n";

    fn time(text: &str) -> Timestamp {
        Timestamp::parse(text).unwrap()
    }

    fn replay(input: impl Into<Vec<u8>>, options: SourceOptions) -> Replay {
        Replay::new("a.csv", Box::new(Cursor::new(input.into())), options)
    }

    fn all_of(source: &mut dyn Source) -> Vec<Outgoing> {
        let mut out = Vec::new();
        while source.next(time(NOW), 7, &mut out).unwrap() != Flow::End {}
        out
    }

    fn all(input: impl Into<Vec<u8>>) -> Vec<Outgoing> {
        all_of(&mut replay(input, SourceOptions::default()))
    }

    /// Each quote as JSON, each other line as `key|line`.
    fn texts(outgoing: &[Outgoing]) -> Vec<String> {
        let text = |outgoing: &Outgoing| match outgoing {
            Outgoing::Quote(quote) => {
                let mut json = Vec::new();
                pipeline::push_json(&mut json, quote);
                String::from_utf8(json).unwrap()
            }
            Outgoing::Raw { key, bytes } => format!("{key}|{}", String::from_utf8_lossy(bytes)),
        };
        outgoing.iter().map(text).collect()
    }

    /// `symbol price previous_close` of each quote.
    fn closes(outgoing: &[Outgoing]) -> Vec<String> {
        let text = |outgoing: &Outgoing| match outgoing {
            Outgoing::Quote(q) => {
                let previous = q.previous_close.map_or("-".into(), |p| p.to_string());
                format!("{} {} {previous}", q.symbol, q.price)
            }
            Outgoing::Raw { .. } => "raw".into(),
        };
        outgoing.iter().map(text).collect()
    }

    /// What process says to it: nothing where it is a quote.
    fn reason(outgoing: &Outgoing) -> Option<String> {
        let Outgoing::Raw { key, bytes } = outgoing else { return None };
        let record = Record {
            sequence: RecordSequence::local(0),
            partition_key: key.as_str().into(),
            arrived_at: time(NOW),
            data: bytes.as_slice().into(),
        };
        let mut reasons = Vec::new();
        Judge::default().record(&record, |_, _, _| (), |aside| reasons.push(aside.reason.to_string()));
        assert_eq!(reasons.len(), 1, "{outgoing:?}");
        reasons.pop()
    }

    #[test]
    fn a_row_becomes_a_marked_quote() {
        let rows = format!("\u{feff}{HEADER}\r\nAAPL,2013-02-28T21:00:00Z,444.05,447.87,441.40,441.40,80628100")
            .replace("\n\r\n", "\r\n");
        let expected = r#"{"symbol":"AAPL","timestamp":"2013-02-28T21:00:00.000Z","price":441.4,"open":444.05,"high":447.87,"low":441.4,"volume":80628100,"source":"replay:a.csv","origin":"replay","stale":false,"alert":false,"ingested_at":"2026-11-20T21:00:00.000Z"}"#;
        assert_eq!(texts(&all(rows)), [expected]);
    }

    #[test]
    fn two_symbols_take_turns_and_can_be_selected() {
        let rows = format!(
            "{HEADER}A,2026-01-05T21:00:00Z,,,,1,\nB,2026-01-05T21:00:00Z,,,,10,\n\nA,2026-01-06T21:00:00Z,,,,2,\n\
             {HEADER}B,2026-01-06T21:00:00Z,,,,20,\nB,2026-01-06T22:00:00Z,,,,21,\n"
        );
        assert_eq!(closes(&all(rows.clone())), ["A 1 -", "B 10 -", "A 2 1", "B 20 10", "B 21 10"]);
        let symbols = vec![Symbol::parse("A").unwrap()];
        let options = SourceOptions { symbols, alert: true, ..SourceOptions::default() };
        let selected = all_of(&mut replay(rows + "?,,,,,,\n,,,,,,\n\"A\",2026-01-07T21:00:00Z,,,,x,", options));
        assert_eq!(closes(&selected), ["A 1 -", "A 2 1", "raw", "raw"]);
        assert!(matches!(&selected[0], Outgoing::Quote(q) if q.alert));
    }

    #[test]
    fn each_bad_row_names_its_field_and_its_neighbours_go_on() {
        let good = "A,2026-01-05T21:00:00Z,1,1,1,1,1";
        for (row, key, why) in [
            ("A,2026-01-05T21:00:00Z,1,1,1,x,1", "A", "price: not a number"),
            ("A,2026-01-05T21:00:00Z,1,1,1,,1", "A", "price: missing"),
            ("A,2026-01-05T21:00:00Z,1,1,1,0,1", "A", "price: not above zero"),
            ("A,2026-01-05T21:00:00Z,1,1,1,-1,1", "A", "price: negative"),
            ("A,2026-01-05T21:00:00Z,1,1,1,1e400,1", "A", "price: too large"),
            ("A,2026-01-05T21:00:00Z,1,1,1,0.000000001,1", "A", "price: more than 8 decimal places"),
            ("A,2026-01-05T21:00:00Z,NaN,1,1,1.0000000001,1", "A", "open: not a number"),
            ("A,2026-01-05T21:00:00Z,1,1,1,1,-5", "A", "volume: negative"),
            ("A,2026-01-05T21:00:00Z,1,1,1,1", "A", "volume: not a number"),
            ("A,2026-01-05T21:00:00Z,1,1,1", "A", "price: missing"),
            ("A,yesterday,1,1,1,1,1", "A", "timestamp: not a time such as 2026-11-20T20:59:30.000Z"),
            ("A", "A", "timestamp: missing"),
            ("A B,2026-01-05T21:00:00Z,1,1,1,1,1", "A B", "symbol: not 1 to 32 of A-Z a-z 0-9 . ^ = _ -"),
            (",2026-01-05T21:00:00Z,1,1,1,1,1", "?", "symbol: missing"),
            ("A,2026-01-05T21:00:00Z,1,234,1,1,1,1", "?", "not a JSON object: it does not begin with `{`"),
        ] {
            let read = all(format!("{HEADER}{good}\n{row}\n{good}\n"));
            assert_eq!(closes(&read), ["A 1 -", "raw", "A 1 -"], "{row}");
            assert_eq!(reason(&read[1]).as_deref(), Some(why), "{row}");
            assert!(matches!(&read[1], Outgoing::Raw { key: k, .. } if k == key), "{row}");
        }
        let read = all([HEADER.as_bytes(), b"A,\xff,1,1,1,1,1\r\n"].concat());
        assert_eq!(read, [Outgoing::Raw { key: "?".into(), bytes: b"A,\xff,1,1,1,1,1".to_vec() }]);
        let long_symbol = all(format!("{HEADER}{},,,,,,", "x".repeat(300)));
        assert!(matches!(&long_symbol[0], Outgoing::Raw { key, .. } if key == "?"));
    }

    proptest! {
        /// A row that is no quote must not become one on the way: it would be taken for a live one.
        #[test]
        fn what_is_no_quote_here_is_none_for_process(
            header in "symbol,timestamp,(open,high,low,)?close(,volume)?(,note)?(,close)?",
            row in "(A|B B)?,(2026-01-05T21:00:00Z|x)?(,(1|1e-9|-0|x|0\\.1|[0-9.eE+-]{1,5})?){0,7}",
        ) {
            for outgoing in all(format!("{header}\n{row}")) {
                prop_assert_eq!(reason(&outgoing).is_some(), matches!(outgoing, Outgoing::Raw { .. }));
            }
        }
    }

    #[test]
    fn a_line_of_any_length_goes_on_in_pieces() {
        let row = "A,2026-01-05T21:00:00Z,1,1,1,1,1\n";
        let read = all(format!("{HEADER}{row}{}\n{row}", "x".repeat((2 << 20) + 3)));
        let lengths: Vec<usize> =
            read.iter().map(|o| if let Outgoing::Raw { bytes, .. } = o { bytes.len() } else { 0 }).collect();
        assert_eq!(lengths, [0, 1 << 20, 1 << 20, 3, 0]);
    }

    #[test]
    fn quotes_as_json_lines_are_marked_anew() {
        let live = r#"{"symbol":"A","timestamp":"2099-01-05T21:00:00Z","price":1.5,"previous_close":1.25,"currency":"USD","source":"yahoo","origin":"live","stale":true,"alert":true,"ingested_at":"2026-01-05T21:00:01Z"}"#;
        let backfill = r#"{"symbol":"B","timestamp":"2026-01-05T21:00:00Z","price":2,"origin":"backfill"}"#;
        let bad = r#"{"symbol":"\u0041","timestamp":"2026-01-05T21:00:00Z","price":"2"}"#;
        let marked = |o: &str| {
            format!(
                r#""source":"replay:a.csv","origin":"{o}","stale":{},"alert":{},"ingested_at":"2026-11-20T21:00:00.000Z"}}"#,
                o == "replay",
                o == "replay"
            )
        };
        let options = SourceOptions { alert: true, ..SourceOptions::default() };
        let input = format!("\n {live}\r\n{backfill}\n{bad}\n{{\"symbol\":5}}\nrubbish");
        let read = all_of(&mut replay(input, options));
        assert_eq!(
            texts(&read),
            [
                r#"{"symbol":"A","timestamp":"2099-01-05T21:00:00.000Z","price":1.5,"previous_close":1.25,"currency":"USD","#.to_owned() + &marked("replay"),
                r#"{"symbol":"B","timestamp":"2026-01-05T21:00:00.000Z","price":2,"#.to_owned() + &marked("backfill"),
                format!("A|{bad}"),
                r#"?|{"symbol":5}"#.into(),
                "?|rubbish".into(),
            ]
        );
        let selected = SourceOptions { symbols: vec![Symbol::parse("B").unwrap()], ..SourceOptions::default() };
        assert_eq!(closes(&all_of(&mut replay(format!("{live}\n{backfill}\n{bad}"), selected))), ["B 2 -"]);
    }

    #[test]
    fn a_file_of_something_else_is_handed_on_line_by_line() {
        assert_eq!(texts(&all("date,open\n2026-01-05,1\n")), ["?|date,open", "?|2026-01-05,1"]);
        assert_eq!(texts(&all("")), [""; 0]);
        assert_eq!(texts(&all("\n\n")), [""; 0]);
        assert_eq!(texts(&all(HEADER)), [""; 0]);
    }

    #[test]
    fn minute_bars_have_the_close_of_the_day_before() {
        let rows = "A,2016-04-15T13:30:00Z,,,,112.06,\nA,2016-04-15T19:59:00Z,,,,109.84,\nA,2016-04-15T19:58:00Z,,,,109.9,\n\
                    A,2016-04-18T13:30:00Z,,,,108.86,\nA,2016-04-18T19:59:00Z,,,,107.48,\n";
        let expected = ["A 112.06 -", "A 109.84 -", "A 109.9 -", "A 108.86 109.84", "A 107.48 109.84"];
        assert_eq!(closes(&all(format!("{HEADER}{rows}"))), expected);
    }

    #[test]
    fn realtime_keeps_the_distance_of_the_rows() {
        let rows = format!(
            "{HEADER}A,2026-01-05T21:00:00Z,,,,1,\nA,2026-01-05T20:00:00Z,,,,2,\nA,2026-01-05T21:00:02Z,,,,3,\nA,x,,,,4,\n"
        );
        let mut source = replay(rows, SourceOptions { speed: Speed::Times(10.0), ..SourceOptions::default() });
        let mut out = Vec::new();
        let before = Instant::now();
        let Flow::WaitUntil(due) = source.next(time(NOW), 10, &mut out).unwrap() else { panic!("not waiting") };
        assert_eq!(closes(&out), ["A 1 -", "A 2 -"]);
        assert!(due >= before + Duration::from_millis(200) && due <= Instant::now() + Duration::from_millis(200));
        assert_eq!(source.next(time(NOW), 10, &mut out).unwrap(), Flow::WaitUntil(due));
        std::thread::sleep(due.saturating_duration_since(Instant::now()));
        let later = time(NOW).plus_millis(200);
        assert_eq!(source.next(later, 1, &mut out).unwrap(), Flow::More);
        assert!(matches!(&out[2], Outgoing::Quote(q) if q.ingested_at == later));
        while source.next(later, 10, &mut out).unwrap() != Flow::End {}
        assert_eq!(closes(&out), ["A 1 -", "A 2 -", "A 3 -", "raw"]);
    }

    #[test]
    fn rows_of_a_pipe_do_not_wait_for_the_next() {
        let (reader, mut writer) = io::pipe().unwrap();
        let mut source = Replay::new("stdin", Box::new(reader), SourceOptions::default());
        writer.write_all(format!("{HEADER}A,2026-01-05T21:00:00Z,,,,1,\n").as_bytes()).unwrap();
        let mut out = Vec::new();
        while out.is_empty() {
            assert_eq!(source.next(time(NOW), 100, &mut out).unwrap(), Flow::More);
        }
        assert_eq!(closes(&out), ["A 1 -"]);
    }

    #[test]
    fn files_that_cannot_be_read_say_so() {
        let folder = tempfile::tempdir().unwrap();
        let error = |file: &Path| {
            let opened = open(&SourceSpec::Replay(file.into()), SourceOptions::default());
            opened.err().map(|e| e.to_string().replace(&*folder.path().to_string_lossy(), "FOLDER"))
        };
        assert_eq!(error(&folder.path().join("no.csv")).as_deref(), Some("FOLDER/no.csv: no such file"));
        assert_eq!(error(folder.path()).as_deref(), Some("FOLDER: is a folder; a replay takes one file"));
        let file = folder.path().join("b.csv");
        std::fs::write(&file, format!("{HEADER}A,2026-01-05T21:00:00Z,,,,1,")).unwrap();
        let mut source = open(&SourceSpec::Replay(file), SourceOptions::default()).unwrap();
        assert_eq!((source.name().as_str(), source.total()), ("replay b.csv", None));
        let read = all_of(&mut *source);
        assert!(matches!(&read[0], Outgoing::Quote(q) if q.source.as_deref() == Some("replay:b.csv")));
    }

    #[test]
    fn a_source_is_a_text_that_a_quote_can_carry() {
        assert_eq!(&*mark("a\nb"), "replay:a?b");
        assert_eq!(mark(&"é".repeat(127)).len(), 255);
    }
}
