//! `demo`: all of it in one go, on recorded quotes, in a throw-away pipeline.

use super::{
    query::{self, Question},
    stream::{Outcome, Output, Plan},
};
use crate::{
    cli::Format,
    error::{Error, ExitStatus},
    interrupt::Interrupt,
    report::style::{self, STRONG, count},
    targets::{
        Target,
        local::{Local, Options, state::Folder},
    },
};
use std::{env, fs, path::PathBuf, time::Instant};

/// Daily bars of 2008 to 2013, in the public domain: see `data/README.md`.
const QUOTES: [&str; 3] = [
    include_str!("../../data/daily_AAPL_2008-2013.csv"),
    include_str!("../../data/daily_GOOG_2008-2013.csv"),
    include_str!("../../data/daily_IBM_2008-2013.csv"),
];
/// The name of the stack, and of the file that is replayed.
const NAME: &str = "demo";

/// Runs it.
pub fn run() -> Result<ExitStatus, Error> {
    let started = Instant::now();
    let scratch = Scratch::new()?;
    let interrupt = Interrupt::listen()?;
    let step = |what: &str| style::say(&format!("\n{} {}", style::paint(STRONG, "$"), style::paint(STRONG, what)));

    step("stockpipe up");
    let local = Local::new(Folder::new(&scratch.0, NAME));
    local.up(&Options::default())?;
    style::say("A throw-away pipeline on this machine: durable stream, table, signals, lake, SQL.");

    step("stockpipe stream --source replay:quotes.csv");
    let file = scratch.0.join("quotes.csv");
    fs::write(&file, QUOTES.concat())
        .map_err(|e| Error::new(format!("'{}' cannot be written", file.display())).because(e))?;
    let plan = Plan::replay(&file);
    let outcome = Outcome::of(&local, plan.open()?, &plan, &interrupt, Output { format: Format::Table, acks: false })?;
    let run = outcome.run.unwrap_or_default();
    style::say(&format!(
        "{} daily quotes of AAPL, GOOG and IBM, 2008 to 2013: {} stored, {} signals, {} anomalies.",
        count(outcome.sent),
        count(run.counts.stored),
        count(run.signals),
        count(run.counts.anomalies)
    ));
    if interrupt.is_set() {
        return Ok(ExitStatus::Done);
    }

    step("stockpipe signals AAPL --since 2013-01-01");
    let year = pipeline::Date::parse("2013-01-01").map(pipeline::Date::start);
    let symbol = super::symbols(&["AAPL".to_owned()])?;
    for signal in local.signals(&symbol, year)? {
        style::say(&super::alert_line(&pipeline::Raised::Signal(signal)));
    }

    step("stockpipe query daily-trend -p symbol=AAPL --chart");
    query::ask(Format::Table, &local.history()?, &Question::saved("daily-trend", &[("symbol", "AAPL")], true)?)?;

    drop(scratch);
    style::say(&format!("\nDone in {}; the throw-away pipeline is gone. By hand:", style::elapsed(started.elapsed())));
    for line in [
        "stockpipe up",
        "stockpipe stream --source replay:data/daily_AAPL_2008-2013.csv",
        "stockpipe signals AAPL",
        "stockpipe query daily-trend --chart",
        "stockpipe down",
    ] {
        style::say(&format!("  {line}"));
    }
    style::say("Signals are no investment advice.");
    Ok(ExitStatus::Done)
}

/// A folder that goes with the value.
struct Scratch(PathBuf);

impl Scratch {
    fn new() -> Result<Self, Error> {
        let path = env::temp_dir().join(format!("stockpipe-demo-{}", std::process::id()));
        fs::create_dir_all(&path).map_err(|e| Error::new(format!("'{}' cannot be made", path.display())).because(e))?;
        Ok(Self(path))
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}
