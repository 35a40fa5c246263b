//! Throughput of the whole process, against a plain loop that takes its turns on the same machine.

use super::{baseline, check};
use crate::{
    Result, Sizes,
    process::Usage,
    report::{Bound, Report, median},
    say,
    stack::{self, Stack},
};
use std::path::Path;

/// How many times as fast as the plain loop.
const TIMES: Bound = Bound::AtLeast(30.0);

/// Some runs of both.
pub fn measure(folder: &Path, sizes: &Sizes, report: &mut Report) -> Result<()> {
    let count = sizes.count;
    let (mut usages, mut plain, mut durable) = (Vec::new(), Vec::new(), Vec::new());
    for run in 1..=sizes.runs {
        say(&format!("throughput, run {run} of {}", sizes.runs));
        usages.push(once(folder, count)?);
        say(&format!("plain loop, run {run} of {}", sizes.runs));
        plain.extend(baseline::quotes_per_second(folder, sizes.baseline_count, "NORMAL")?);
        // It takes long, and is only there to be seen.
        durable.extend(baseline::quotes_per_second(folder, sizes.baseline_count / 5, "FULL")?);
    }

    report.figure("throughput_runs", "throughput: runs", sizes.runs as f64, "");
    report.figure("throughput_quotes", "throughput: quotes a run", count as f64, "");
    let mut rates: Vec<f64> = usages.iter().map(|u| count as f64 / u.wall.as_secs_f64()).collect();
    rates.sort_by(f64::total_cmp);
    for (key, name, rate) in [
        ("quotes_per_second_min", "throughput, slowest run", rates.first().copied()),
        ("quotes_per_second", "throughput, median", median(&rates)),
        ("quotes_per_second_max", "throughput, fastest run", rates.last().copied()),
    ] {
        report.maybe(key, name, rate, "quotes/s");
    }
    let cpu: Vec<f64> = usages.iter().filter_map(|u| Some(u.cpu?.as_secs_f64())).collect();
    report.maybe("cpu_seconds", "CPU time of a run, median", median(&cpu), "s");
    report.maybe("cpu_micros_per_quote", "CPU time per quote", median(&cpu).map(|s| s * 1e6 / count as f64), "µs");

    report.maybe("plain_quotes_per_second", "plain loop, median", median(&plain), "quotes/s");
    let times = |loops: &[f64]| Some(median(&rates)? / median(loops)?);
    report.claim("times_plain", "  stockpipe is faster", times(&plain), "times", TIMES);
    report.maybe("plain_durable_quotes_per_second", "plain loop, durable, median", median(&durable), "quotes/s");
    report.maybe("times_plain_durable", "  stockpipe is faster", times(&durable), "times");
    let peak = usages.iter().filter_map(|u| u.peak).max();
    report.memory("peak_mb_throughput", "peak memory, throughput", peak);
    Ok(())
}

/// One run on a fresh stack, checked.
fn once(folder: &Path, count: u64) -> Result<Usage> {
    let stack = Stack::up(folder)?;
    let (summary, usage) = stack::summary(stack.stream(&["--speed", "max", "--count", &count.to_string()]), |_| {})?;
    check::summed_up(&summary, count)?;
    check::all_there(&stack, count)?;
    Ok(usage)
}
