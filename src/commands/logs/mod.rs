//! `logs`: what the functions say, in order of time.

mod said;

use crate::{
    cli::{self, Format, TargetName},
    error::{Error, ExitStatus},
    interrupt::Interrupt,
    report::{style, table},
    rows::{Column, ColumnKind},
    settings::Settings,
    targets::{aws::deployed::logs::Event, local::stream::now},
};
use said::{Level, Said};
use std::{
    io::{self, BufWriter, Write},
    thread,
    time::{Duration, Instant},
};

/// How often `--follow` looks for more.
const LOOK_EVERY: Duration = Duration::from_secs(2);
/// And how often for Ctrl-C.
const LISTEN_EVERY: Duration = Duration::from_millis(50);
/// How far back it begins, if nothing is said, in milliseconds.
const BACK: i64 = 10 * 60 * 1000;

/// Runs it.
pub fn run(settings: &Settings, arguments: &cli::Logs) -> Result<ExitStatus, Error> {
    if settings.target == TargetName::Local {
        return Err(Error::new("a stack on this machine keeps no logs: whatever runs it says what there is to say")
            .status(ExitStatus::Usage)
            .hint(
                "`stockpipe status` counts what was set aside and what waits, `stockpipe tail` shows what flows; \
                 --target aws has logs",
            ));
    }
    let since = arguments.since.as_deref().map(|text| super::moment("since", text)).transpose()?;
    let deployed = super::deployed(settings)?;
    let functions: Vec<&'static str> = arguments.functions.iter().map(|function| function.word()).collect();
    let mut logs = deployed.logs(&functions, since.unwrap_or_else(|| now().plus_millis(-BACK)));
    let interrupt = Interrupt::listen()?;
    let mut printer = Printer::new(settings.format, arguments.level.map(Level::from))?;
    loop {
        let looked = Instant::now();
        let until = now();
        while !interrupt.is_set()
            && let Some(events) = logs.next(until)?
        {
            printer.print(&events)?;
        }
        if !arguments.follow {
            break;
        }
        if !printer.follows {
            printer.follows = true;
            style::say("Following; Ctrl-C ends.");
        }
        while looked.elapsed() < LOOK_EVERY && !interrupt.is_set() {
            thread::sleep(LISTEN_EVERY);
        }
        if interrupt.is_set() {
            break;
        }
        logs.look_again();
    }
    if printer.printed == 0 && settings.format == Format::Table && !arguments.follow {
        let begin = arguments
            .since
            .as_deref()
            .map_or("the last 10 minutes".to_owned(), |since| format!("--since {}", style::visible(since)));
        style::say(&format!("Nothing was said in {begin}; --since 1h looks further back."));
    }
    Ok(ExitStatus::Done)
}

/// Writes what was said to standard output, each piece at once.
struct Printer {
    form: Form,
    least: Option<Level>,
    printed: u64,
    follows: bool,
}

enum Form {
    Table,
    Json,
    Csv(Box<csv::Writer<io::Stdout>>),
}

impl Printer {
    fn new(format: Format, least: Option<Level>) -> io::Result<Self> {
        let form = match format {
            Format::Table => Form::Table,
            Format::Json => Form::Json,
            Format::Csv => {
                let mut csv = csv::Writer::from_writer(io::stdout());
                csv.write_record(columns().iter().map(|column| &column.name)).map_err(table::io_error)?;
                csv.flush()?;
                Form::Csv(Box::new(csv))
            }
        };
        Ok(Self { form, least, printed: 0, follows: false })
    }

    fn print(&mut self, events: &[Event]) -> io::Result<()> {
        let said = events.iter().map(Said::of).filter(|said| self.least.is_none_or(|least| said.level >= least));
        let said: Vec<Said> = said.collect();
        self.printed += said.len() as u64;
        match &mut self.form {
            Form::Table => {
                let today = now().date();
                let mut out = BufWriter::new(anstream::stdout().lock());
                said.iter().try_for_each(|said| writeln!(out, "{}", said.line(today)))?;
                out.flush()
            }
            Form::Json => {
                let mut out = BufWriter::new(io::stdout().lock());
                said.iter().try_for_each(|said| writeln!(out, "{}", said.json()))?;
                out.flush()
            }
            Form::Csv(csv) => {
                for said in &said {
                    csv.write_record(said.row().into_iter().map(Option::unwrap_or_default)).map_err(table::io_error)?;
                }
                csv.flush()
            }
        }
    }
}

fn columns() -> Vec<Column> {
    let text = |name: &str| Column::new(name, ColumnKind::Text);
    let mut columns = vec![Column::new("time", ColumnKind::Time)];
    columns.extend(["function", "level", "message", "request_id", "fields"].map(text));
    columns
}
