//! How a pipeline does, for people and for programs.

use super::{
    lines::{line, unknown},
    minute,
};
use crate::{
    error::Error,
    report::style::{self, BAD, WARN, count, elapsed, masked, outside, plural},
    targets::aws::health::{ALARMS, Difference, Health, LATE, LOOKED_BACK, Lag, MOST_COUNTED},
};
use pipeline::{Item, Timestamp};
use serde_json::{Map, Value, json};
use std::{
    io::{self, Write},
    time::Duration,
};

/// Writes all of it.
pub fn write(out: &mut impl Write, health: &Health, now: Timestamp) -> io::Result<()> {
    match &health.lags {
        Err(error) => unknown(out, "lag", error)?,
        Ok(lags) => line(out, "lag", &lags.iter().map(lag).collect::<Vec<_>>().join(", "))?,
    }
    match &health.newest {
        Err(error) => unknown(out, "newest", error)?,
        Ok(None) => line(out, "newest", "no quote is in the table")?,
        Ok(Some(item)) => line(out, "newest", &newest(item, now))?,
    }
    write_given_up(out, health)?;
    write_alarms(out, health)?;
    match &health.catalog {
        Err(error) => unknown(out, "catalog", error),
        Ok(all) if all.is_empty() => line(out, "catalog", "its columns are those of the lake's files"),
        Ok(all) => {
            let differ = format!("{} not as in the lake's files", plural(all.len() as u64, "column"));
            line(out, "catalog", &style::paint(BAD, &differ))?;
            all.iter().try_for_each(|one| line(out, "", &difference(one)))
        }
    }
}

/// `process 0.4 s`, or that it was given nothing.
fn lag(lag: &Lag) -> String {
    let name = lag.function;
    let late = LATE.iter().find(|(function, _)| *function == name).map_or(i64::MAX, |(_, late)| *late);
    match lag.millis {
        None => format!("{name} no batch in {}", elapsed(millis(LOOKED_BACK))),
        Some(age) if age > late => style::paint(WARN, &format!("{name} {}", elapsed(millis(age)))),
        Some(age) => format!("{name} {}", elapsed(millis(age))),
    }
}

/// `AAPL of 2026-11-20 20:59 UTC, stored 12 s ago and 0.4 s after it was sent`.
fn newest(item: &Item, now: Timestamp) -> String {
    let ago = elapsed(millis(now.millis() - item.processed_at.millis()));
    let took = elapsed(millis(item.processed_at.millis() - item.quote.ingested_at.millis()));
    let of = minute(item.quote.timestamp);
    format!("{} of {of}, stored {ago} ago and {took} after it was sent", item.quote.symbol)
}

fn millis(number: i64) -> Duration {
    Duration::from_millis(u64::try_from(number).unwrap_or(0))
}

fn write_given_up(out: &mut impl Write, health: &Health) -> io::Result<()> {
    for (what, found, one) in
        [("set aside", &health.set_aside, "line"), ("given up", &health.failed_batches, "batch of the stream")]
    {
        match found {
            Err(error) => unknown(out, what, error)?,
            Ok(0) => line(out, what, "none")?,
            Ok(many @ MOST_COUNTED..) => {
                line(out, what, &style::paint(WARN, &format!("{}+ {}", count(*many), plural_of(one))))?;
            }
            Ok(1) => line(out, what, &style::paint(WARN, &format!("1 {one}")))?,
            Ok(many) => line(out, what, &style::paint(WARN, &format!("{} {}", count(*many), plural_of(one))))?,
        }
    }
    Ok(())
}

fn plural_of(one: &str) -> String {
    if one == "line" { "lines".into() } else { one.replace("batch", "batches") }
}

fn write_alarms(out: &mut impl Write, health: &Health) -> io::Result<()> {
    let alarms = match &health.alarms {
        Err(error) => return unknown(out, "alarms", error),
        Ok(alarms) => alarms,
    };
    if alarms.is_empty() {
        return line(out, "alarms", &format!("none of {} is raised", ALARMS.len()));
    }
    for (at, alarm) in alarms.iter().enumerate() {
        let since = alarm.since.map(|since| format!(" since {}", minute(since))).unwrap_or_default();
        let text = format!("{} {}{since}: {}", style::paint(BAD, "✗"), outside(&alarm.name), outside(&alarm.about));
        line(out, if at == 0 { "alarms" } else { "" }, &text)?;
    }
    Ok(())
}

fn difference(one: &Difference) -> String {
    let kind = |kind: &Option<String>| kind.as_deref().map_or_else(|| "nothing".to_owned(), outside);
    let (catalog, files) = (kind(&one.catalog), kind(&one.files));
    format!("{} {}  {catalog} in the catalog, {files} in the files", style::paint(WARN, "~"), outside(&one.column))
}

/// The same for programs; null is not known.
pub fn json(health: Option<&Health>) -> Map<String, Value> {
    let of = |value: &dyn Fn(&Health) -> Option<Value>| health.and_then(value).unwrap_or(Value::Null);
    let counted = |count: &Result<u64, Error>| count.as_ref().ok().map(|count| Value::from(*count));
    let list = |all: Vec<Value>| Some(Value::from(all));
    let values = [
        (
            "lag",
            of(&|health| {
                let lag = |lag: &Lag| json!({"function": lag.function, "ms": lag.millis, "at": lag.at.map(|at| at.to_string())});
                list(health.lags.as_ref().ok()?.iter().map(lag).collect())
            }),
        ),
        (
            "newest",
            of(&|health| {
                let item = health.newest.as_ref().ok()?.as_ref()?;
                Some(json!({
                    "symbol": item.quote.symbol.to_string(),
                    "timestamp": item.quote.timestamp.to_string(),
                    "ingested_at": item.quote.ingested_at.to_string(),
                    "processed_at": item.processed_at.to_string(),
                }))
            }),
        ),
        ("set_aside", of(&|health| counted(&health.set_aside))),
        ("failed_batches", of(&|health| counted(&health.failed_batches))),
        (
            "alarms",
            of(&|health| {
                let alarms = health.alarms.as_ref().ok()?.iter();
                let alarms = alarms.map(|alarm| {
                json!({"name": alarm.name, "about": masked(&alarm.about), "since": alarm.since.map(|since| since.to_string())})
            });
                list(alarms.collect())
            }),
        ),
        (
            "catalog_differences",
            of(&|health| {
                let differences = health.catalog.as_ref().ok()?.iter();
                let one = |one: &Difference| json!({"column": one.column, "catalog": one.catalog, "files": one.files});
                list(differences.map(one).collect())
            }),
        ),
    ];
    values.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}
