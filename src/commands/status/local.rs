//! A stack on this machine, from its databases.

use crate::{
    cli,
    cli::Format,
    error::{Error, ExitStatus},
    interrupt::Interrupt,
    report::style::{self, BAD, GOOD, STRONG, WARN, bytes, count, plural},
    settings::Settings,
    targets::local::{Local, Status},
};
use std::{
    io::{self, Write},
    thread,
    time::{Duration, Instant},
};

/// How often `--watch` looks.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// Runs it.
pub fn run(settings: &Settings, arguments: &cli::Status) -> Result<ExitStatus, Error> {
    let local = Local::new(settings.folder());
    if !arguments.watch {
        show(settings, &local)?;
        return Ok(ExitStatus::Done);
    }
    let interrupt = Interrupt::listen()?;
    while !interrupt.is_set() {
        let looked = Instant::now();
        show(settings, &local)?;
        while looked.elapsed() < LOOK_EVERY && !interrupt.is_set() {
            thread::sleep(LOOK_EVERY / 50);
        }
    }
    Ok(ExitStatus::Done)
}

fn show(settings: &Settings, local: &Local) -> Result<(), Error> {
    let status = local.status()?;
    let mut out = anstream::stdout();
    match settings.format {
        Format::Table => write_lines(&mut out, local, &status)?,
        Format::Json => writeln!(out, "{}", json(local, &status))?,
        Format::Csv => super::write_csv(&mut out, &json(local, &status))?,
    }
    Ok(out.flush()?)
}

fn write_lines(out: &mut impl Write, local: &Local, status: &Status) -> io::Result<()> {
    let folder = local.folder();
    let consumers = match &status.holder {
        Some(holder) => format!("run in {holder}"),
        None => "run while something streams or asks".into(),
    };
    let lag = status.lag;
    let health = match (lag.process, lag.archive, &status.holder) {
        (0, 0, _) => style::paint(GOOD, "all stored"),
        (waiting, _, Some(_)) if lag.oldest < 10_000 => format!("{} waiting", count(waiting)),
        (waiting, archive, holder) => {
            let colour = if holder.is_some() && waiting > 0 { BAD } else { WARN };
            style::paint(colour, &format!("{} waiting for the table, {} for the lake", count(waiting), count(archive)))
        }
    };
    let (aside, reason) = &status.set_aside;
    let reason = reason.as_ref().map(|r| format!(", the last: {}", style::visible(r))).unwrap_or_default();
    writeln!(out, "Local stack '{}'  {}", style::paint(STRONG, folder.name()), folder.path().display())?;
    writeln!(out, "  stream     {}, {} ever put", plural(status.stream.1, "quote"), plural(status.stream.0, "record"))?;
    writeln!(out, "  lag        {health}")?;
    writeln!(out, "  consumers  {consumers}")?;
    writeln!(out, "  table      {} of {}", plural(status.table.0, "quote"), plural(status.table.1, "symbol"))?;
    let pending = match status.signals.1 {
        0 => String::new(),
        pending => format!(", {} to be published", plural(pending, "alert")),
    };
    writeln!(out, "  signals    {}{pending}", count(status.signals.0))?;
    let (files, rows, size) = status.lake;
    writeln!(out, "  lake       {} in {}, {}", plural(rows, "row"), plural(files, "file"), bytes(size))?;
    let replayed = match status.replayed {
        0 => String::new(),
        replayed => format!(" (and {} replayed)", count(replayed)),
    };
    writeln!(out, "  set aside  {}{replayed}{reason}", count(*aside))?;
    writeln!(out, "  disk       {}", bytes(status.bytes))
}

fn json(local: &Local, status: &Status) -> serde_json::Value {
    let folder = local.folder();
    serde_json::json!({
        "target": "local",
        "stack": folder.name(),
        "path": folder.path(),
        "retention_seconds": status.options.retention,
        "anomaly_percent": status.options.anomaly_percent,
        "raw": status.options.raw,
        "consumers": status.holder,
        "lag": status.lag.process,
        "lag_archive": status.lag.archive,
        "lag_ms": status.lag.oldest,
        "stream_records": status.stream.0,
        "stream_quotes": status.stream.1,
        "table_quotes": status.table.0,
        "symbols": status.table.1,
        "signals": status.signals.0,
        "alerts_pending": status.signals.1,
        "set_aside": status.set_aside.0,
        "set_aside_last_reason": status.set_aside.1,
        "set_aside_replayed": status.replayed,
        "lake_files": status.lake.0,
        "lake_rows": status.lake.1,
        "lake_bytes": status.lake.2,
        "bytes": status.bytes,
    })
}
