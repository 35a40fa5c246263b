//! The saved queries over ten million quotes, beside DuckDB on the same files.
//!
//! Of stockpipe the whole process is measured, less what `SELECT 1` takes on the same lake; of DuckDB the query alone.
//! Both write CSV. The answers are compared once, value by value.

use crate::{
    Result,
    process::{self, Usage},
    python,
    report::{Bound, Report, median},
    say,
    stack::Stack,
};
use pipeline::Timestamp;
use serde_json::{Value, json};
use std::{
    fs,
    io::Write,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    thread,
    time::{Duration, Instant},
};

/// Symbols of the lake.
const SYMBOLS: u64 = 100;
/// From quote to quote of a symbol, in seconds.
const STEP: u64 = 30;
/// When it begins: whole days follow.
const START: &str = "2026-10-01T00:00:00Z";
/// How long the merging of its files may take.
const PATIENCE: Duration = Duration::from_secs(600);
/// Of a query whose work is windows over every quote: its time as a share of DuckDB's.
const WINDOW: Bound = Bound::AtMost(0.4);
/// Of any other.
const OTHER: Bound = Bound::AtMost(1.0);

/// What is asked.
struct Case {
    name: String,
    /// With its header, if it has parameters.
    text: String,
    bound: Bound,
}

/// Every query on a lake of so many days, in so many runs.
pub fn measure(folder: &Path, days: u64, runs: usize, report: &mut Report) -> Result<()> {
    let python = python::with(&python::SQL)?;
    say(&format!("a lake of {days} days"));
    let stack = Stack::up(folder)?;
    let quotes = SYMBOLS * days * 86_400 / STEP;
    let files = fill(&stack, quotes, days)?;
    report.figure("sql_quotes", "SQL: quotes in the lake", quotes as f64, "");
    report.figure("sql_files", "SQL: files", files.len() as f64, "");

    let start = (0..runs.max(5)).map(|_| timed(stack.query(&["--sql", "SELECT 1"]), Stdio::null()));
    let start: Vec<f64> = start.map(|usage| Ok(usage?.wall.as_secs_f64())).collect::<Result<_>>()?;
    let start = median(&start).unwrap_or(0.0);
    report.figure("sql_start_ms", "SQL: `SELECT 1`, whole process", start * 1000.0, "ms");
    for case in cases()? {
        say(&format!("query {}", case.name));
        let asked = folder.join("asked.sql");
        fs::write(&asked, &case.text)?;
        let ours = || {
            let mut command = stack.query(&["--file"]);
            command.arg(&asked).args(case.text.contains("\n-- ?").then_some("--all"));
            command
        };
        let answer = folder.join("answer.csv");
        timed(ours(), fs::File::create(&answer)?.into())?;
        let same = duckdb(&python, &files, &case, Some(&answer))?;
        if same["differing"] != 0 {
            return Err(format!("{}: {} of {} rows differ", case.name, same["differing"], same["rows"]).into());
        }
        let (mut here, mut there) = (Vec::new(), Vec::new());
        for _ in 0..runs {
            here.push(timed(ours(), Stdio::null())?);
            there.push(duckdb(&python, &files, &case, None)?);
        }
        let seconds: Vec<f64> = here.iter().map(|usage| usage.wall.as_secs_f64() - start).collect();
        let theirs: Vec<f64> = there.iter().filter_map(|said| said["seconds"].as_f64()).collect();
        let peak = there.iter().filter_map(|said| said["peak_bytes"].as_f64()).reduce(f64::max);
        let ratio = median(&seconds).zip(median(&theirs)).map(|(ours, theirs)| ours / theirs);
        let (key, name) = (case.name.replace('-', "_"), &case.name);
        report.maybe(&format!("sql_{key}_ms"), name, median(&seconds).map(|s| s * 1000.0), "ms");
        report.maybe(&format!("sql_{key}_duckdb_ms"), "  DuckDB", median(&theirs).map(|s| s * 1000.0), "ms");
        report.claim(&format!("sql_{key}_share"), "  share of DuckDB's time", ratio, "", case.bound);
        let ours = here.iter().filter_map(|usage| usage.peak).max();
        report.memory(&format!("sql_{key}_peak_mb"), "  peak memory", ours);
        report.maybe(&format!("sql_{key}_duckdb_peak_mb"), "  DuckDB", peak.map(|b| b / 1e6), "MB");
    }
    Ok(())
}

/// The saved queries, and some that users would write.
fn cases() -> Result<Vec<Case>> {
    let queries = Path::new(env!("CARGO_MANIFEST_DIR")).join("queries");
    let own = Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/figures/sql");
    let named = |folder: &Path, name: &str, bound| -> Result<Case> {
        let text = fs::read_to_string(folder.join(name).with_extension("sql"))?;
        Ok(Case { name: name.into(), text, bound })
    };
    let mut cases = Vec::new();
    for name in ["crossovers", "moving-averages", "drawdown", "data-quality"] {
        cases.push(named(&queries, name, WINDOW)?);
    }
    for name in ["volatility-of-quotes", "gaps"] {
        cases.push(named(&own, name, WINDOW)?);
    }
    for name in ["daily-trend", "volatility", "anomalies", "volume-profile", "top-movers", "latest-prices"] {
        cases.push(named(&queries, name, OTHER)?);
    }
    // A row for each quote: in a sum, so that not the writing of ten million lines is measured.
    let averages = cases.iter_mut().find(|case| case.name == "moving-averages").ok_or("no moving-averages")?;
    averages.text = summed(&averages.text);
    Ok(cases)
}

/// The query with its answer summed up.
fn summed(text: &str) -> String {
    let (header, body): (Vec<&str>, Vec<&str>) = text.lines().partition(|line| line.starts_with("--"));
    let (header, body) = (header.join("\n"), body.join("\n"));
    format!(
        "{header}\nSELECT side, count(*) AS quotes, sum(sma_5) AS sma_5, sum(sma_20) AS sma_20\n\
         FROM (\n{body}\n) AS answer\nGROUP BY side\nORDER BY side\n"
    )
}

/// Sends the quotes, and one of the day after, and waits until each day is one file; gives the files.
fn fill(stack: &Stack, quotes: u64, days: u64) -> Result<Vec<PathBuf>> {
    let mut sending = stack.command(&["stream", "--format", "json", "--speed", "max", "--start", START]);
    sending.args(["--source", &format!("synthetic:{SYMBOLS}"), "--interval", &format!("{STEP}s")]);
    process::output({
        sending.args(["--count", &quotes.to_string()]);
        sending
    })?;
    // Of the newest day only many files are merged, so a quote of the next one comes behind.
    let next = Timestamp::parse(START).ok_or("no time")?.plus_millis(i64::try_from(days)? * 86_400_000);
    let mut last = stack.command(&["stream", "--source", "synthetic:1", "--count", "1", "--start", &next.to_string()]);
    last.args(["--speed", "max"]);
    process::output(last)?;
    let days = days + 1;
    // Whoever streams merges, every half minute.
    let mut idle = stack.command(&["stream", "--source", "replay:-"]);
    let mut idle = idle.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null()).spawn()?;
    let waiting = Instant::now();
    while stack.status()?["lake_files"] != days && waiting.elapsed() < PATIENCE {
        thread::sleep(Duration::from_secs(1));
    }
    drop(idle.stdin.take());
    idle.wait()?;
    let files = stack.live_files()?;
    if files.len() as u64 == days { Ok(files) } else { Err(format!("{} files of {days} days", files.len()).into()) }
}

/// Runs a command whose output goes elsewhere.
fn timed(command: Command, out: Stdio) -> Result<Usage> {
    process::into(command, out)
}

/// What DuckDB says of a case.
fn duckdb(python: &Path, files: &[PathBuf], case: &Case, other: Option<&Path>) -> Result<Value> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut command = Command::new(python);
    command.arg(root.join("benches/figures/sql/duckdb_side.py"));
    command.env("PYTHONPATH", root.join("tests/suite")).env("PYTHONDONTWRITEBYTECODE", "1");
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
    let asked = json!({ "files": files, "sql": case.text, "other": other });
    child.stdin.take().ok_or("no input")?.write_all(asked.to_string().as_bytes())?;
    let ended = child.wait_with_output()?;
    if !ended.status.success() {
        return Err(format!("{}, DuckDB: {}", case.name, String::from_utf8_lossy(&ended.stderr)).into());
    }
    Ok(serde_json::from_slice(&ended.stdout)?)
}
