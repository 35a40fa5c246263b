//! How often AWS is called for a thousand quotes, by operation: what a proxy in front of the emulator counts.

use super::{
    cpu::{RECORDS, changes},
    market::{Market, one_by_one},
    place::{Place, Program},
};
use crate::{
    Result, SYMBOLS,
    ingest::check,
    process,
    report::{Bound, Report},
    say,
};
use pipeline::Quote;
use serde_json::{Value, json};
use std::{collections::BTreeMap, fs, path::Path};

/// Items of a BatchWriteItem.
const ITEMS: f64 = 25.0;
/// Symbols of the quotes that are put: with one record of each on its way, they are what a request can hold.
const PUT_SYMBOLS: u32 = 500;
const PUT_QUOTES: u64 = 100_000;

/// What is called for a batch of packed records, on both sides. The symbols are known from before.
pub fn measure(
    place: &Place,
    folder: &Path,
    market: &mut Market,
    quotes: usize,
    sent: &mut Vec<Quote>,
    report: &mut Report,
) -> Result<()> {
    say("functions: calls");
    let batch = market.records(RECORDS, quotes);
    let packed = vec![market.stream_event(&batch)];
    let single = one_by_one(&batch).chunks(RECORDS).map(|records| market.stream_event(records)).collect::<Vec<_>>();
    let of_batch = batch.iter().map(Vec::len).sum::<usize>() as u64;
    let batches = [batch];
    for program in
        [Program::Process, Program::Archive, Program::Trend, Program::TutorialProcess, Program::TutorialTrend]
    {
        let events = match program {
            Program::Process | Program::Archive => packed.clone(),
            Program::TutorialProcess => single.clone(),
            Program::Trend | Program::TutorialTrend => changes(place, program, &batches)?.0,
        };
        for (operation, calls) in counted(place, folder, program, events)? {
            let key = format!("calls_{}_{}", program.name(), operation.to_lowercase());
            let name = format!("{}: {operation} for 1,000 quotes", program.name());
            let calls = per_thousand(calls.into(), of_batch);
            // A symbol is read once a batch, and has one object; the batch's day has another.
            let most = match (program, &*operation) {
                (Program::Process, "Query") => SYMBOLS.into(),
                (Program::Process, "BatchWriteItem") => (of_batch as f64 / ITEMS).ceil(),
                (Program::Archive, "PutObject") => (SYMBOLS + 1).into(),
                _ => {
                    report.figure(&key, &name, calls, "");
                    continue;
                }
            };
            report.claim(&key, &name, Some(calls), "", Bound::AtMost(per_thousand(most, of_batch)));
        }
    }
    sent.extend(batches.into_iter().flatten().flatten());
    puts(place, folder, report)
}

/// What the command line calls to put quotes, as fast as it can.
fn puts(place: &Place, folder: &Path, report: &mut Report) -> Result<()> {
    let file = folder.join("puts");
    let proxy = place.emulator.proxy(&json!([{"target": "", "probability": 1, "kind": "record", "file": file}]));
    let (source, count) = (format!("synthetic:{PUT_SYMBOLS}"), PUT_QUOTES.to_string());
    let stream = ["stream", "--source", &source, "--speed", "max", "--count", &count, "--acks", "--format", "json"];
    let (said, _) = process::output(place.command(proxy.port, &stream))?;
    let (mut records, mut quotes) = (0, 0);
    for line in said.lines() {
        let said: Value = serde_json::from_str(line)?;
        records += u32::from(said["acked"].is_string());
        quotes += said["count"].as_u64().unwrap_or_default();
    }
    check::equal("quotes that were acknowledged", &quotes, &PUT_QUOTES)?;
    let calls = lines(&file).iter().filter(|line| operation(line) == "PutRecords").count();
    let calls = calls as f64;
    report.figure("calls_stream_records", "stream: records for 1,000 quotes", per_thousand(records.into(), quotes), "");
    report.figure("calls_stream_putrecords", "stream: PutRecords for 1,000 quotes", per_thousand(calls, quotes), "");
    let hundred = calls * 100.0 / f64::from(records);
    let name = "stream: PutRecords for 100 records";
    report.claim("calls_stream_putrecords_per_100_records", name, Some(hundred), "", Bound::AtMost(1.0));
    Ok(())
}

fn per_thousand(calls: f64, quotes: u64) -> f64 {
    calls * 1000.0 / quotes as f64
}

/// The calls of a program by operation, those of its start left out.
fn counted(place: &Place, folder: &Path, program: Program, events: Vec<String>) -> Result<BTreeMap<String, u32>> {
    let file = folder.join(program.name());
    let proxy = place.emulator.proxy(&json!([{"target": "", "probability": 1, "kind": "record", "file": file}]));
    let mut function = place.start(program, proxy.port)?;
    let before = lines(&file).len();
    for event in events {
        function.handle(event)?;
    }
    let mut calls = BTreeMap::new();
    for line in lines(&file).iter().skip(before) {
        *calls.entry(operation(line)).or_default() += 1;
    }
    Ok(calls)
}

/// What the proxy has written so far; nothing where nothing was called.
fn lines(file: &Path) -> Vec<String> {
    fs::read_to_string(file).unwrap_or_default().lines().map(str::to_owned).collect()
}

/// What a request is called: by its target, its form's action, or what it does to an object.
fn operation(target: &str) -> String {
    let name = match target.rsplit_once("Action=") {
        Some((_, action)) => action,
        None if target.starts_with("PUT /") => "PutObject",
        None => target.rsplit_once('.').map_or(target, |(_, operation)| operation),
    };
    name.to_owned()
}
