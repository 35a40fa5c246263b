//! `up` on this machine.

use crate::{
    cli,
    cli::Format,
    error::{Error, ExitStatus},
    report::{
        style::{self, STRONG},
        table::Writer,
    },
    rows::{Column, ColumnKind},
    settings::Settings,
    targets::local::{Local, Options, state::Made},
};
use std::time::{Duration, Instant};

/// Runs it.
pub fn run(settings: &Settings, arguments: &cli::Up) -> Result<ExitStatus, Error> {
    let started = Instant::now();
    let local = Local::new(settings.folder());
    let before = local.kept_options()?;
    let options = arguments.options.resolve(&settings.stack_options, before.clone())?;
    let plan = plan(&local, before.as_ref(), &options);
    if arguments.dry_run {
        return show_plan(settings, &plan);
    }
    let up = local.up(&options)?;
    let folder = local.folder();
    let flag = folder.stack_flag();
    style::say(&format!("Local stack '{}'  {}", style::paint(STRONG, folder.name()), folder.path().display()));
    if up.made == Made::Unchanged && up.changed.is_empty() {
        style::say(&format!("No changes. Next: stockpipe status{flag}"));
        return Ok(ExitStatus::Done);
    }
    for (part, action, detail) in &plan {
        let done = match *action {
            "change" => "   changed",
            "take in again" => "   taken in again",
            _ => "",
        };
        style::say(&format!("  {}", style::done(&format!("{part:<9} {detail}{done}"))));
    }
    let done = match up.made {
        Made::New => "Ready",
        Made::TakenIn => "Ready, the kept data taken in,",
        Made::Unchanged => "Changed",
    };
    let took = style::elapsed(started.elapsed().max(Duration::from_millis(1)));
    style::say(&format!("{done} in {took}, nothing here costs money."));
    style::say(&format!("Next: stockpipe stream{flag} --source synthetic:5 --count 1000 --speed max"));
    Ok(ExitStatus::Done)
}

/// Each part: its name, what is done to it, and what it is.
fn plan(local: &Local, before: Option<&Options>, options: &Options) -> Vec<(&'static str, &'static str, String)> {
    let folder = local.folder();
    let action = |changed: bool| match before {
        Some(_) if changed => "change",
        Some(_) => "unchanged",
        None => "create",
    };
    let kept = |action| if folder.is_kept() { "take in again" } else { action };
    let (mut table, mut lake) = (false, false);
    if let Some(before) = before {
        table = (before.retention, &before.anomaly_percent) != (options.retention, &options.anomaly_percent);
        lake = before.raw != options.raw;
    }
    let raw = match options.raw.as_str() {
        "batch" => "Parquet, raw JSON per batch",
        "off" => "Parquet",
        _ => "Parquet, raw JSON per symbol",
    };
    let retention = u64::try_from(options.retention).unwrap_or(0);
    vec![
        ("stream", if folder.is_up() { "unchanged" } else { "create" }, "durable, 24 h".to_owned()),
        (
            "table",
            kept(action(table)),
            format!("quotes expire after {}, anomaly beyond {} %", span(retention), options.anomaly_percent),
        ),
        ("signals", kept(action(false)), "kept for ever".to_owned()),
        ("lake", kept(action(lake)), raw.to_owned()),
        ("queries", "unchanged", format!("{} saved", crate::queries::bundled().map_or(0, |q| q.len()))),
    ]
}

fn span(seconds: u64) -> String {
    match seconds {
        s if s % 86_400 == 0 => format!("{} d", s / 86_400),
        s if s % 3600 == 0 => format!("{} h", s / 3600),
        s if s % 60 == 0 => format!("{} min", s / 60),
        s => format!("{s} s"),
    }
}

fn show_plan(settings: &Settings, plan: &[(&'static str, &'static str, String)]) -> Result<ExitStatus, Error> {
    let column = |name: &str| Column { name: name.into(), kind: ColumnKind::Text };
    let mut writer = Writer::stdout(settings.format.into(), vec![column("part"), column("action"), column("what")])?;
    for (part, action, detail) in plan {
        writer.row(vec![Some((*part).into()), Some((*action).into()), Some(detail.clone())])?;
    }
    writer.finish()?;
    if settings.format == Format::Table {
        style::say("Nothing was done.");
    }
    Ok(ExitStatus::Done)
}
