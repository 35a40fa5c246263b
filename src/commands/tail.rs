//! `tail`: what flows through the stream, line by line. It reads only.

use super::clock;
use crate::{
    cli,
    cli::Format,
    error::{Error, ExitStatus},
    interrupt::Interrupt,
    report::{
        progress::Progress,
        style::{self, BAD, FAINT, GOOD, Screen, WARN},
        table,
    },
    rows::{self, Column, ColumnKind, Row},
    settings::Settings,
    targets::{
        local::stream,
        span::{self, Line, Span},
    },
};
use pipeline::{Date, Origin, Quote};
use std::{
    collections::HashSet,
    io::{self, BufWriter, Write},
    sync::Arc,
    thread,
    time::Duration,
};

/// How often it looks for new lines.
const LOOK_EVERY: Duration = Duration::from_millis(100);
/// How many lines it begins with.
const LAST: u64 = 10;
/// So much is shown of a line that is no quote, in bytes.
const SHOWN: usize = 200;

/// Runs it.
pub fn run(settings: &Settings, arguments: &cli::Tail) -> Result<ExitStatus, Error> {
    let target = super::undisturbed(settings)?;
    let since = arguments.since.as_deref().map(|text| super::moment("since", text)).transpose()?;
    let keys = arguments.symbols.clone();
    let span = Span { keys, since, ..Span::default() };
    let mut lines = match (arguments.last, since) {
        (None, Some(_)) => target.lines(span)?,
        (last, _) => target.newest_lines(span, last.unwrap_or(LAST))?,
    };
    let interrupt = Interrupt::listen()?;
    let mut printer = Printer::new(settings.format)?;
    let mut following = false;
    let mut looking = Some(Progress::new("reading the stream", None));
    while !interrupt.is_set() {
        match lines.next()? {
            Some(batch) if batch.is_empty() => {
                if let Some(looking) = &mut looking {
                    looking.set(0);
                }
            }
            Some(batch) => {
                looking = None;
                printer.print(&batch)?;
            }
            None if arguments.no_follow => break,
            None => {
                looking = None;
                if !following {
                    following = true;
                    style::say("Following; Ctrl-C ends.");
                }
                thread::sleep(LOOK_EVERY);
            }
        }
    }
    drop(looking);
    // Who follows may have waited for a symbol that has yet to come.
    if !arguments.no_follow {
        return Ok(ExitStatus::Done);
    }
    if printer.keys.is_empty() && arguments.symbols.is_empty() {
        style::say("Nothing has flowed through the stream yet, or nothing since then.");
    }
    let unseen = arguments.symbols.iter().filter(|s| !printer.keys.contains(s.as_str())).cloned().collect::<Vec<_>>();
    super::say_unknown(settings, &*target, &arguments.symbols, &super::unknown(&*target, &unseen)?)
}

/// Writes lines to standard output, each batch at once.
struct Printer {
    form: Form,
    /// The partition keys of what was written.
    keys: HashSet<Arc<str>>,
}

enum Form {
    Table { width: Option<usize> },
    Json,
    Csv(Box<csv::Writer<io::Stdout>>),
}

impl Printer {
    fn new(format: Format) -> io::Result<Self> {
        let form = match format {
            Format::Table => Form::Table { width: Screen::stdout().width },
            Format::Json => Form::Json,
            Format::Csv => {
                let mut csv = csv::Writer::from_writer(io::stdout());
                csv.write_record(columns().iter().map(|column| &column.name)).map_err(table::io_error)?;
                csv.flush()?;
                Form::Csv(Box::new(csv))
            }
        };
        Ok(Self { form, keys: HashSet::new() })
    }

    fn print(&mut self, lines: &[Line]) -> io::Result<()> {
        for line in lines {
            if !self.keys.contains(&line.partition_key) {
                self.keys.insert(Arc::clone(&line.partition_key));
            }
        }
        match &mut self.form {
            Form::Table { width } => {
                let today = stream::now().date();
                let mut out = BufWriter::new(anstream::stdout().lock());
                lines.iter().try_for_each(|line| writeln!(out, "{}", text(line, today, *width)))?;
                out.flush()
            }
            Form::Json => {
                let columns = columns();
                let mut out = BufWriter::new(io::stdout().lock());
                for line in lines {
                    out.write_all(&table::object(&columns, &row(line)))?;
                    out.write_all(b"\n")?;
                }
                out.flush()
            }
            Form::Csv(csv) => {
                for line in lines {
                    csv.write_record(row(line).into_iter().map(Option::unwrap_or_default)).map_err(table::io_error)?;
                }
                csv.flush()
            }
        }
    }
}

fn columns() -> Vec<Column> {
    vec![
        Column::new("sequence", ColumnKind::Text),
        Column::new("arrived_at", ColumnKind::Time),
        Column::new("partition_key", ColumnKind::Text),
        Column::new("reason", ColumnKind::Text),
        Column::new("data", ColumnKind::Text),
        Column::new("data_hex", ColumnKind::Text),
    ]
}

fn row(line: &Line) -> Row {
    let reason = line.judged.as_ref().err().map(ToString::to_string);
    let [data, hex] = rows::exact(&line.bytes);
    vec![
        Some(line.sequence.to_string()),
        Some(line.arrived_at.to_string()),
        Some(line.partition_key.to_string()),
        reason,
        data,
        hex,
    ]
}

/// A line for people: its record, when it arrived, and the quote that it is or why it is none.
fn text(line: &Line, today: Date, width: Option<usize>) -> String {
    let record = span::told(line.sequence.record);
    let key = style::visible(&line.partition_key);
    let begin = format!("{record:>6}  {:<12}  {:<8}", clock(line.arrived_at, today), table::cut(&key, 32));
    let room = width.map_or(usize::MAX, |width| width.saturating_sub(begin.chars().count() + 1));
    match &line.judged {
        Ok(quote) => format!("{begin} {}", quote_text(quote, room)),
        Err(reason) => {
            let why = style::visible_bytes(reason.to_string().as_bytes(), SHOWN);
            let shown = format!("set aside: {why}: {}", style::visible_bytes(&line.bytes, SHOWN));
            format!("{begin} {}", style::paint(WARN, &table::cut(&shown, room)))
        }
    }
}

/// Price, change and market time, and what makes it mean less than others; without the time where there is no room.
fn quote_text(quote: &Quote, room: usize) -> String {
    let (colour, change) = match pipeline::change(quote, pipeline::AnomalyThreshold::default()).0 {
        Some(change) if change.0 > 0 => (GOOD, format!("▲ {change} %")),
        Some(change) if change.0 < 0 => (BAD, format!("▼ {} %", pipeline::Percent(-change.0))),
        Some(_) => (FAINT, "= 0 %".into()),
        None => (FAINT, String::new()),
    };
    let price = format!("{:>10}  ", quote.price);
    let change = format!("{change:<10}");
    let time = format!("  {}", quote.timestamp.to_string().replace(".000Z", "Z"));
    let marks = [("  backfill", quote.origin == Origin::Backfill), ("  stale", quote.stale)];
    let marks: String = marks.into_iter().filter(|(_, is_so)| *is_so).map(|(mark, _)| mark).collect();
    let width = [&price, &change, &time, &marks].map(|part| part.chars().count()).iter().sum::<usize>();
    // Painted at last: escapes have no width.
    let time = if width > room { "" } else { &time };
    let text = format!("{price}{}{time}{}", style::paint(colour, &change), style::paint(WARN, &marks));
    text.trim_end().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use anstream::adapter::strip_str;
    use pipeline::{Judge, Record, RecordSequence, Timestamp};

    /// Would catch a line that wraps, or one that loses what matters more than its time.
    #[test]
    fn a_line_fits_the_screen() {
        let arrived_at = Timestamp::parse("2026-11-20T14:30:00.125Z").expect("a time");
        let shown = |data: &str, width: usize| {
            let record = Record {
                sequence: RecordSequence::local(42),
                partition_key: "AAPL".into(),
                arrived_at,
                data: data.as_bytes().into(),
            };
            let mut lines = Vec::new();
            Judge::default().record(&record, |sequence, quote, _| lines.push((sequence, Ok(quote))), |_| {});
            let (sequence, judged) =
                lines.pop().unwrap_or((record.sequence.line(0), Err(pipeline::Reason::Missing("price"))));
            let partition_key = record.partition_key;
            let line = Line { sequence, partition_key, arrived_at, bytes: data.into(), judged };
            strip_str(&text(&line, arrived_at.date(), Some(width))).to_string()
        };
        let quote = r#"{"symbol":"AAPL","timestamp":"2026-11-20T14:29:59Z","price":271.49,"previous_close":268"#;
        let plain = format!("{quote}}}");
        let line = "    42  14:30:00.125  AAPL         271.49  ▲ 1.3022 %";
        assert_eq!(shown(&plain, 80), format!("{line}  2026-11-20T14:29:59Z"));
        assert_eq!(shown(&plain, 74), line);
        let stale = format!("{quote},\"stale\":true}}");
        assert_eq!(shown(&stale, 100), format!("{line}  2026-11-20T14:29:59Z  stale"));
        assert_eq!(shown(&stale, 80), format!("{line}  stale"));
        assert_eq!(
            shown("{\"symbol\":\"AAPL\",\n", 60),
            "    42  14:30:00.125  AAPL     set aside: price: missing: {…"
        );
    }
}
