//! `signals`: what was raised, as it was known then.

use crate::{
    cli,
    cli::{Format, TargetName},
    error::{Error, ExitStatus},
    interrupt::Interrupt,
    report::{style, table::Writer},
    rows::{Column, ColumnKind, Row},
    settings::Settings,
    targets::Target,
};
use pipeline::{Date, Raised, Signal, Symbol, Timestamp};
use std::{
    io::{self, Write},
    thread,
    time::Duration,
};

/// How often `--follow` looks for new ones.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// Runs it.
pub fn run(settings: &Settings, arguments: &cli::Signals) -> Result<ExitStatus, Error> {
    let symbols = super::symbols(&arguments.symbols)?;
    let since = arguments.since.as_deref().map(parse_since).transpose()?;
    let target = super::ready(settings)?;
    // Who follows may wait for a symbol that has yet to come.
    if arguments.follow {
        return follow(settings, &*target, &symbols, since);
    }
    let status = super::check_known(settings, &*target, &symbols)?;
    let signals = target.signals(&symbols, since)?;
    let mut writer = Writer::stdout(settings.format.into(), columns())?;
    for signal in &signals {
        writer.row(row(signal))?;
    }
    writer.finish()?;
    if settings.format == Format::Table {
        style::say(&format!("{}. No investment advice.", style::plural(signals.len() as u64, "signal")));
    }
    Ok(status)
}

/// Prints the signals there are, then each new one at once, a line each.
fn follow(
    settings: &Settings,
    target: &dyn Target,
    symbols: &[Symbol],
    since: Option<Timestamp>,
) -> Result<ExitStatus, Error> {
    let interrupt = Interrupt::listen()?;
    let mut out = anstream::stdout();
    if settings.format == Format::Csv {
        writeln!(out, "{}", columns().iter().map(|c| c.name.as_str()).collect::<Vec<_>>().join(","))?;
    }
    let line = |out: &mut dyn Write, signal: &Signal| -> io::Result<()> {
        match settings.format {
            Format::Table => writeln!(out, "{}", super::alert_line(&Raised::Signal(signal.clone()))),
            Format::Json => writeln!(out, "{}", Raised::Signal(signal.clone()).to_json()),
            Format::Csv => {
                let cells: Vec<String> = row(signal).into_iter().map(Option::unwrap_or_default).collect();
                writeln!(out, "{}", cells.join(","))
            }
        }
    };
    let mut new = target.new_signals(symbols)?;
    let mut before = new.next()?;
    before.sort_by(|a, b| (&a.symbol, a.timestamp).cmp(&(&b.symbol, b.timestamp)));
    let mut print = |signals: &[Signal]| -> Result<(), Error> {
        for signal in signals.iter().filter(|signal| since.is_none_or(|since| signal.timestamp >= since)) {
            line(&mut out, signal)?;
        }
        Ok(out.flush()?)
    };
    print(&before)?;
    style::say(match settings.target {
        TargetName::Local => "Following; Ctrl-C ends. Alerts come while a `stockpipe stream` runs.",
        TargetName::Aws => "Following; Ctrl-C ends.",
    });
    while !interrupt.is_set() {
        print(&new.next()?)?;
        thread::sleep(LOOK_EVERY);
    }
    Ok(ExitStatus::Done)
}

fn columns() -> Vec<Column> {
    let column = |name: &str, kind| Column { name: name.into(), kind };
    vec![
        column("symbol", ColumnKind::Text),
        column("timestamp", ColumnKind::Time),
        column("signal", ColumnKind::Text),
        column("price", ColumnKind::Number),
        column("sma_5", ColumnKind::Number),
        column("sma_20", ColumnKind::Number),
    ]
}

fn row(signal: &Signal) -> Row {
    vec![
        Some(signal.symbol.to_string()),
        Some(signal.timestamp.to_string()),
        Some(signal.direction.as_str().into()),
        Some(signal.price.to_string()),
        Some(signal.sma_5.to_string()),
        Some(signal.sma_20.to_string()),
    ]
}

fn parse_since(text: &str) -> Result<Timestamp, Error> {
    Timestamp::parse(text).or_else(|| Date::parse(text).map(Date::start)).ok_or_else(|| {
        Error::new(format!("--since '{}'", style::visible(text)))
            .because("not a time or date such as 2013-01-02T21:00:00Z or 2013-01-02")
            .status(ExitStatus::Usage)
    })
}
