//! `cost`: what the pipeline costs a month on AWS. Nobody is asked, so it takes no credentials.

use crate::{
    cli::{self, Format},
    error::{Error, ExitStatus},
    report::{
        style::{self, count},
        table::Writer,
    },
    rows::{Column, ColumnKind},
    settings::Settings,
    targets::aws::cost::{self, Estimate, Load},
};
use serde_json::json;
use std::io::{self, Write};

/// Runs it.
pub fn run(settings: &Settings, arguments: &cli::Cost) -> Result<ExitStatus, Error> {
    let rules = arguments.options.resolve(&settings.stack_options, None)?;
    let mut options = super::up::typed(&arguments.set)?;
    options = options.or(&settings.aws);
    let load = Load { quotes: arguments.quotes as f64, symbols: f64::from(arguments.symbols) };
    let estimate = cost::estimate(&options.values(&rules, None), load)
        .map_err(|e| Error::new("the cost cannot be estimated").because(e))?;
    match settings.format {
        Format::Json => {
            let mut out = io::stdout().lock();
            writeln!(out, "{}", json(&estimate))?;
            out.flush()?;
        }
        format => table(format, &estimate)?,
    }
    if settings.format == Format::Table {
        style::say(&format!(
            "A month of {} quotes a day, of {}, by the list prices of us-east-1 in 2026-11, not checked live.",
            count(arguments.quotes),
            style::plural(u64::from(arguments.symbols), "symbol")
        ));
        style::say("Free is once for the account. Left out: taxes, transfer out of AWS, the delivery of alerts.");
        estimate.notes.iter().for_each(|note| style::say(&style::hint(note)));
    }
    Ok(ExitStatus::Done)
}

fn table(format: Format, estimate: &Estimate) -> Result<(), Error> {
    let number = |name: &str| Column::new(name, ColumnKind::Number);
    let columns = vec![Column::new("line", ColumnKind::Text), number("dollars"), number("after_free_tiers")];
    let mut writer = Writer::stdout(format.into(), columns)?;
    let row = |name: &str, dollars: f64, after: f64| {
        vec![Some(name.to_owned()), Some(format!("{dollars:.2}")), Some(format!("{after:.2}"))]
    };
    for line in &estimate.lines {
        writer.row(row(line.name, line.dollars, line.after_free))?;
    }
    writer.row(row("total", estimate.total(), estimate.total_after_free()))?;
    writer.finish()?;
    Ok(())
}

fn json(estimate: &Estimate) -> serde_json::Value {
    let cents = |dollars: f64| (dollars * 10_000.0).round() / 10_000.0;
    let line = |line: &cost::Line| json!({"line": line.name, "dollars": cents(line.dollars), "after_free_tiers": cents(line.after_free)});
    json!({
        "lines": estimate.lines.iter().map(line).collect::<Vec<_>>(),
        "total": cents(estimate.total()),
        "total_after_free_tiers": cents(estimate.total_after_free()),
        "notes": estimate.notes,
    })
}
