//! How soon, at a thousand quotes a second: from put to stored, which stockpipe measures, and from put to the alert's
//! arrival at the other end of a pipe, which is measured here.
//!
//! A real-time synthetic quote is put when it is due, and that is its timestamp, cut to the millisecond: what is
//! measured from it is up to 1 ms too long.

use super::check;
use crate::{
    Result, SYMBOLS,
    report::{Bound, Report, quantile},
    say,
    stack::{self, Stack, now_millis},
};
use chrono::DateTime;
use serde_json::Value;
use std::{collections::HashMap, path::Path, time::Duration};

/// From step to step: with 50 symbols, a thousand quotes a second.
const INTERVAL: &str = "50ms";
/// From put to stored, for 99 of 100 quotes, in ms.
const STORED: Bound = Bound::Below(15.0);
/// From put to the signal's alert, for 99 of 100, in ms.
const SIGNALLED: Bound = Bound::Below(50.0);

/// One run with alerts, which cost a commit of their own.
pub fn measure(folder: &Path, duration: Duration, report: &mut Report) -> Result<()> {
    let seconds = duration.as_secs();
    say(&format!("latency, {seconds} s"));
    let stack = Stack::up(folder)?;
    let mut lines = Vec::new();
    let command = stack.stream(&["--interval", INTERVAL, "--for", &format!("{seconds}s"), "--alerts"]);
    let (summary, _) = stack::summary(command, |line| lines.push((now_millis(), line.to_owned())))?;
    let sent = summary["sent"].as_u64().unwrap_or(0);
    check::summed_up(&summary, sent)?;
    check::all_there(&stack, sent)?;

    let mut delays = delays(&lines)?;
    check::equal("alerts of signals", &(delays.len() as u64).into(), &summary["signals"])?;
    delays.sort_by(f64::total_cmp);
    let stored = |share: &str| summary["latency_ms"][share].as_f64();
    report.figure(
        "latency_quotes",
        &format!("latency: quotes in {seconds} s, {SYMBOLS} each {INTERVAL}"),
        sent as f64,
        "",
    );
    report.maybe("stored_ms_p50", "put → stored, p50", stored("p50"), "ms");
    report.claim("stored_ms_p99", "put → stored, p99", stored("p99"), "ms", STORED);
    report.figure("signals", "signals", delays.len() as f64, "");
    report.maybe("signal_ms_p50", "put → signal, p50", quantile(&delays, 0.5), "ms");
    report.claim("signal_ms_p99", "put → signal, p99", quantile(&delays, 0.99), "ms", SIGNALLED);
    report.maybe("signal_ms_max", "put → signal, slowest", delays.last().copied(), "ms");
    Ok(())
}

/// How long each signal's alert took to arrive, in ms; of an alert that came twice, the first.
fn delays(lines: &[(i64, String)]) -> Result<Vec<f64>> {
    let mut first = HashMap::new();
    for (arrived, line) in lines {
        let alert: Value = serde_json::from_str(line)?;
        if let (Some(id), Some(timestamp), true) =
            (alert["alert_id"].as_str(), alert["timestamp"].as_str(), alert["signal"].is_string())
        {
            let put = DateTime::parse_from_rfc3339(timestamp)?.timestamp_millis();
            first.entry(id.to_owned()).or_insert((arrived - put) as f64);
        }
    }
    Ok(first.into_values().collect())
}
