//! How often AWS is called for a thousand quotes, by operation: what a proxy in front of the emulator counts.

use super::{
    cpu::{RECORDS, changes},
    market::{Market, Quotes, one_by_one},
    place::{Place, Program},
};
use crate::{
    Result, SYMBOLS,
    report::{Bound, Report},
    say,
};
use pipeline::Quote;
use serde_json::json;
use std::{collections::BTreeMap, fs, path::Path};

/// Items of a BatchWriteItem.
const ITEMS: f64 = 25.0;

/// What is called for a batch of packed records, on both sides, after one that is not counted.
pub fn measure(
    place: &Place,
    folder: &Path,
    market: &mut Market,
    quotes: usize,
    sent: &mut Vec<Quote>,
    report: &mut Report,
) -> Result<()> {
    say("functions: calls");
    let batches: Vec<Vec<Quotes>> = (0..2).map(|_| market.records(RECORDS, quotes)).collect();
    let packed: Vec<String> = batches.iter().map(|batch| market.stream_event(batch)).collect();
    let (mut single, mut warm_up) = (vec![], 0);
    for batch in &batches {
        warm_up = single.len();
        single.extend(one_by_one(batch).chunks(RECORDS).map(|records| market.stream_event(records)));
    }
    for program in
        [Program::Process, Program::Archive, Program::Trend, Program::TutorialProcess, Program::TutorialTrend]
    {
        let (events, warm_up) = match program {
            Program::Process | Program::Archive => (packed.clone(), 1),
            Program::TutorialProcess => (single.clone(), warm_up),
            Program::Trend | Program::TutorialTrend => {
                let (events, warm_up, _) = changes(place, program, &batches)?;
                (events, warm_up)
            }
        };
        let of_batch = batches.last().map_or(0, |batch| batch.iter().map(Vec::len).sum());
        for (operation, calls) in counted(place, folder, program, events, warm_up)? {
            let key = format!("calls_{}_{}", program.name(), operation.to_lowercase());
            let name = format!("{}: {operation} for 1,000 quotes", program.name());
            let calls = f64::from(calls) * 1000.0 / of_batch as f64;
            // A symbol is read once a batch, and has one object; the batch's day has another.
            let a_batch = 1000.0 / of_batch as f64;
            let most = match (program, &*operation) {
                (Program::Process, "Query") => a_batch * f64::from(SYMBOLS),
                (Program::Process, "BatchWriteItem") => a_batch * (of_batch as f64 / ITEMS).ceil(),
                (Program::Archive, "PutObject") => a_batch * f64::from(SYMBOLS + 1),
                _ => {
                    report.figure(&key, &name, calls, "");
                    continue;
                }
            };
            report.claim(&key, &name, Some(calls), "", Bound::AtMost(most));
        }
    }
    sent.extend(batches.into_iter().flatten().flatten());
    Ok(())
}

/// The calls of a program by operation, those of its start and of the first events left out.
fn counted(
    place: &Place,
    folder: &Path,
    program: Program,
    events: Vec<String>,
    warm_up: usize,
) -> Result<BTreeMap<String, u32>> {
    let file = folder.join(program.name());
    let proxy = place.emulator.proxy(&json!([{"target": "", "probability": 1, "kind": "record", "file": file}]));
    let mut function = place.start(program, proxy.port)?;
    let mut before = 0;
    for (at, event) in events.into_iter().enumerate() {
        if at == warm_up {
            before = lines(&file).len();
        }
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
