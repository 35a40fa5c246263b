//! `latest`: the newest quote of each symbol, from the table.

use crate::{
    cli,
    error::{Error, ExitStatus},
    report::{style, table::Writer},
    rows::{Column, ColumnKind, Row},
    settings::Settings,
};
use pipeline::Item;

/// Runs it.
pub fn run(settings: &Settings, arguments: &cli::Latest) -> Result<ExitStatus, Error> {
    let symbols = super::symbols(&arguments.symbols)?;
    let target = super::ready(settings)?;
    let status = super::check_known(settings, &*target, &symbols)?;
    let items = target.latest(&symbols)?;
    let mut writer = Writer::stdout(settings.format.into(), columns())?;
    for item in &items {
        writer.row(row(item))?;
    }
    writer.finish()?;
    if items.is_empty() {
        style::say("No quote is in the table: none came yet, or all have expired.");
        style::say(&style::hint(&format!("the lake keeps all: stockpipe query{} daily-trend", settings.flags())));
    }
    Ok(status)
}

fn columns() -> Vec<Column> {
    let column = |name: &str, kind| Column { name: name.into(), kind };
    let number = |name| column(name, ColumnKind::Number);
    vec![
        column("symbol", ColumnKind::Text),
        column("timestamp", ColumnKind::Time),
        number("price"),
        number("open"),
        number("high"),
        number("low"),
        number("volume"),
        number("previous_close"),
        number("change_percent"),
        column("anomaly", ColumnKind::Flag),
    ]
}

fn row(item: &Item) -> Row {
    let quote = &item.quote;
    let text = |value: Option<String>| value;
    vec![
        Some(quote.symbol.to_string()),
        Some(quote.timestamp.to_string()),
        Some(quote.price.to_string()),
        text(quote.open.map(|p| p.to_string())),
        text(quote.high.map(|p| p.to_string())),
        text(quote.low.map(|p| p.to_string())),
        text(quote.volume.map(|v| v.to_string())),
        text(quote.previous_close.map(|p| p.to_string())),
        text(item.change_percent.map(|p| p.to_string())),
        Some(item.anomaly.to_string()),
    ]
}
