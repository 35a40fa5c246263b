//! `tail`: what flows through the stream, line by line. It reads only.

use crate::{
    cli,
    cli::Format,
    error::{Error, ExitStatus},
    interrupt::Interrupt,
    report::{
        style::{self, BAD, FAINT, GOOD, Screen, WARN},
        table,
    },
    rows::{self, Column, ColumnKind, Row},
    settings::Settings,
    targets::local::{
        Local,
        span::{Line, Span},
        stream,
    },
};
use pipeline::{Date, Origin, Quote, Timestamp};
use std::{
    collections::HashSet,
    io::{self, BufWriter, Write},
    ops::Range,
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
    let local = Local::new(settings.folder());
    let since = arguments.since.as_deref().map(|text| super::moment("since", text)).transpose()?;
    let keys = arguments.symbols.clone();
    let span = Span { keys, since, ..Span::default() };
    let mut lines = match (arguments.last, since) {
        (None, Some(_)) => local.lines(span)?,
        (last, _) => local.newest_lines(span, last.unwrap_or(LAST))?,
    };
    let interrupt = Interrupt::listen()?;
    let mut printer = Printer::new(settings.format)?;
    let mut following = false;
    while !interrupt.is_set() {
        match lines.next()? {
            Some(batch) => printer.print(&batch)?,
            None if arguments.no_follow => break,
            None => {
                if !following {
                    following = true;
                    style::say("Following; Ctrl-C ends.");
                }
                thread::sleep(LOOK_EVERY);
            }
        }
    }
    // Who follows may have waited for a symbol that has yet to come.
    if !arguments.no_follow {
        return Ok(ExitStatus::Done);
    }
    if printer.keys.is_empty() && arguments.symbols.is_empty() {
        style::say("Nothing has flowed through the stream yet, or nothing since then.");
    }
    let unseen = arguments.symbols.iter().filter(|s| !printer.keys.contains(s.as_str())).cloned().collect::<Vec<_>>();
    super::say_unknown(&local, &arguments.symbols, &local.unknown(&unseen)?)
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
    Csv(csv::Writer<io::Stdout>),
}

impl Printer {
    fn new(format: Format) -> io::Result<Self> {
        let form = match format {
            Format::Table => Form::Table { width: Screen::stdout().width },
            Format::Json => Form::Json,
            Format::Csv => {
                let mut csv = csv::Writer::from_writer(io::stdout());
                csv.write_record(columns().iter().map(|column| &column.name)).map_err(io::Error::from)?;
                csv.flush()?;
                Form::Csv(csv)
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
                    csv.write_record(row(line).into_iter().map(Option::unwrap_or_default)).map_err(io::Error::from)?;
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
    let record = line.sequence.record.number().unwrap_or(0);
    let key = style::visible(&line.partition_key);
    let begin = format!("{record:>6}  {}  {:<8}", clock(line.arrived_at, today), table::cut(&key, 32));
    match &line.judged {
        Ok(quote) => format!("{begin} {}", quote_text(quote)),
        Err(reason) => {
            let why = style::visible_bytes(reason.to_string().as_bytes(), SHOWN);
            let shown = format!("set aside: {why}: {}", style::visible_bytes(&line.bytes, SHOWN));
            let room = width.map_or(usize::MAX, |width| width.saturating_sub(begin.chars().count() + 1));
            format!("{begin} {}", style::paint(WARN, &table::cut(&shown, room)))
        }
    }
}

/// When something arrived, in the same width: `14:30:00.125` today, `11-20 14:30` on another day.
fn clock(time: Timestamp, today: Date) -> String {
    let text = time.to_string();
    let part = |range: Range<usize>| text.get(range).unwrap_or_default();
    if time.date() == today { part(11..23).into() } else { format!("{} {} ", part(5..10), part(11..16)) }
}

fn quote_text(quote: &Quote) -> String {
    let change = pipeline::change(quote, pipeline::AnomalyThreshold::default()).0;
    let (colour, change) = match change {
        Some(change) if change.0 > 0 => (GOOD, format!("▲ {change} %")),
        Some(change) if change.0 < 0 => (BAD, format!("▼ {} %", pipeline::Percent(-change.0))),
        Some(_) => (FAINT, "= 0 %".into()),
        None => (FAINT, String::new()),
    };
    // Padded before it is painted: escapes have no width.
    let mut text = format!("{:>10}  {}", quote.price, style::paint(colour, &format!("{change:<11}")));
    let time = quote.timestamp.to_string().replace(".000Z", "Z");
    text.push_str(&format!("  {time}"));
    if quote.origin != Origin::Live {
        text.push_str(&format!("  {}", style::paint(FAINT, quote.origin.as_str())));
    }
    if quote.stale {
        text.push_str(&format!("  {}", style::paint(WARN, "stale")));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arrivals_have_one_width() {
        let time = Timestamp::parse("2026-11-20T14:30:00.125Z").expect("a time");
        let today = Date::parse("2026-11-20").expect("a date");
        assert_eq!(clock(time, today), "14:30:00.125");
        assert_eq!(clock(time, today.plus_days(1)), "11-20 14:30 ");
    }
}
