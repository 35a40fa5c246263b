//! Batches that a function gave up: shown, or handled after all. Only on AWS there are any: locally what fails is tried
//! again until it succeeds.

use super::{
    Pipeline, confirm,
    run::{self, Work},
};
use crate::{
    cli,
    cli::Format,
    commands::{clock, moment},
    error::{Error, ExitStatus},
    report::{
        style::{self, count},
        table::Writer,
    },
    rows::{Column, ColumnKind, Row},
    settings::Settings,
    targets::{
        Target,
        aws::deployed::{
            Deployed,
            batches::{FailedBatch, Function},
        },
        local::stream,
    },
};
use pipeline::Date;
use std::collections::BTreeMap;

/// Shows them, or plans, asks, and has them handled.
pub(super) fn run(settings: &Settings, arguments: &cli::Replay, pipeline: &Pipeline) -> Result<ExitStatus, Error> {
    let since = arguments.since.as_deref().map(|text| moment("since", text)).transpose()?;
    let flags = settings.flags();
    let Pipeline::Aws(deployed) = pipeline else {
        if arguments.list {
            write(settings.format, &[])?;
            style::say("On this machine no batch is given up: what fails is tried again until it succeeds.");
            return Ok(ExitStatus::Done);
        }
        return Err(Error::new("on this machine no batch is given up")
            .because("what fails is tried again until it succeeds")
            .hint(format!("`stockpipe status{flags}` says what waits"))
            .status(ExitStatus::NotFound));
    };
    let batches = deployed.failed_batches(since)?;
    if arguments.list {
        write(settings.format, &batches)?;
        say_listed(settings, &batches);
        return Ok(ExitStatus::Done);
    }
    if batches.is_empty() {
        return Err(Error::new(format!("no batch was given up in {}, or none since then", deployed.title()))
            .hint(format!("`stockpipe replay{flags} --list` shows what was set aside"))
            .status(ExitStatus::NotFound));
    }
    let number = batches.len() as u64;
    style::say(&named(number));
    let mut by_function: BTreeMap<&str, (u64, u64)> = BTreeMap::new();
    for batch in &batches {
        let (batches, records) = by_function.entry(batch.function.name()).or_default();
        (*batches, *records) = (*batches + 1, *records + batch.records);
    }
    for (function, (batches, records)) in by_function {
        style::say(&format!("  {function:<18}  {}, {}", style::plural(records, "record"), named(batches)));
    }
    if batches.iter().any(|batch| matches!(batch.function, Function::OfStream(_))) {
        style::say("  Records of the stream become new ones there, each once; what was done already is a duplicate.");
    }
    if batches.iter().any(|batch| batch.function == Function::Trend) {
        style::say("  StockTrendAnalysis is called with its own; what it raised already is not raised again.");
    }
    confirm(&format!("Replay {}?", named(number)), arguments.yes)?;
    let work = Work { what: format!("replay of {}", named(number)), named, total: number, status: ExitStatus::Done };
    run::put_on_aws(settings, work, |go_on| deployed.replay_batches(&batches, go_on))
}

/// Shows, below what was set aside, which batches there are besides.
pub(super) fn list_besides(settings: &Settings, deployed: &Deployed) -> Result<(), Error> {
    let batches = deployed.failed_batches(None)?;
    if batches.is_empty() {
        return Ok(());
    }
    if settings.format == Format::Table {
        write(settings.format, &batches)?;
    }
    say_listed(settings, &batches);
    Ok(())
}

fn say_listed(settings: &Settings, batches: &[FailedBatch]) {
    let flags = settings.flags();
    style::say(&match batches.len() as u64 {
        0 => "No batch was given up, or none since then.".to_owned(),
        number => format!("{} given up. Next: stockpipe replay{flags} --failed-batches", named(number)),
    });
}

fn named(number: u64) -> String {
    format!("{} failed {}", count(number), if number == 1 { "batch" } else { "batches" })
}

fn write(format: Format, batches: &[FailedBatch]) -> Result<(), Error> {
    let column = |name: &str, kind| Column::new(name, kind);
    let today = (format == Format::Table).then(|| stream::now().date());
    let columns = match today {
        Some(_) => vec![
            column("given up", ColumnKind::Time),
            column("function", ColumnKind::Text),
            column("records", ColumnKind::Number),
            column("attempts", ColumnKind::Number),
            column("reason", ColumnKind::Text),
        ],
        None => vec![
            column("given_up_at", ColumnKind::Time),
            column("function", ColumnKind::Text),
            column("records", ColumnKind::Number),
            column("attempts", ColumnKind::Number),
            column("reason", ColumnKind::Text),
            column("object", ColumnKind::Text),
        ],
    };
    let mut writer = Writer::stdout(format.into(), columns)?;
    batches.iter().try_for_each(|batch| writer.row(row(batch, today)))?;
    writer.finish()?;
    Ok(())
}

/// All of a batch; for people when it was given up as they read times, and not where it is.
fn row(batch: &FailedBatch, today: Option<Date>) -> Row {
    let at = batch.given_up_at.map(|at| today.map_or_else(|| at.to_string(), |today| clock(at, today)));
    let mut row = vec![
        at,
        Some(batch.function.name().to_owned()),
        Some(batch.records.to_string()),
        Some(batch.attempts.to_string()),
        Some(batch.reason.clone()),
    ];
    if today.is_none() {
        row.push(Some(batch.key.clone()));
    }
    row
}
