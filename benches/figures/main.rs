//! How fast, how soon and in how much memory: what the README says of it, measured.
//!
//! ```text
//! cargo bench --bench figures                       everything, some fifteen minutes
//! cargo bench --bench figures -- --only ingest      a part: ingest, sql or start
//! cargo bench --bench figures -- --only build       what runs on AWS, built twice: twenty minutes the first time
//! cargo bench --bench figures -- --only functions   the functions of AWS, beside a tutorial's: built once, then ten minutes
//! cargo bench --bench figures -- --runs 10          other sizes: --help
//! cargo bench --bench figures -- --quick            small sizes, as a test of the bench itself
//! ```
//!
//! What is timed is the whole process, from spawn to exit, on a fresh stack on a real disk. After each run every quote
//! has to be in the table, in SQL and evaluated, and every answer has to be right: a figure without that is none, and
//! the bench fails. A missed bound is only said, for it may be the machine's. Prints a table, and as its last line all
//! figures as JSON.

mod build;
mod deploy;
#[expect(dead_code, clippy::expect_used, clippy::panic, reason = "it is the tests', which end where they fail")]
#[path = "../../tests/suite/emulator.rs"]
mod emulator;
#[path = "../../src/error.rs"]
#[expect(dead_code, reason = "the program uses what the bench does not")]
mod error;
mod functions;
mod ingest;
mod machine;
mod process;
#[path = "../../tests/suite/python.rs"]
mod python;
mod report;
mod sql;
mod stack;
mod start;

// The name by which what is shared with the tests of the functions knows it.
extern crate aws_ports as stockpipe_aws_ports;

use clap::{Parser, ValueEnum};
use report::Report;
use std::{env, fs, path::PathBuf, process::ExitCode, time::Duration};

/// What can go wrong in a bench is for whoever runs it to read, and nothing else.
type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

/// Symbols in every measurement.
const SYMBOLS: u32 = 50;

/// Measures `stockpipe` against what its README says
#[derive(Debug, Parser)]
struct Arguments {
    /// Measure this alone
    #[arg(long, value_enum)]
    only: Option<Part>,
    /// Small sizes, to test the bench: the figures say nothing
    #[arg(long)]
    quick: bool,
    /// Runs of the throughput, of the plain loop and of each query [default: 3, quick: 1]
    #[arg(long)]
    runs: Option<usize>,
    /// Quotes of a throughput run and of a backlog [default: 1000000, quick: 50000]
    #[arg(long)]
    count: Option<u64>,
    /// Quotes of the plain loop [default: 30000, quick: 2000]
    #[arg(long)]
    baseline_count: Option<u64>,
    /// Seconds at 1,000 quotes a second [default: 20, quick: 3]
    #[arg(long)]
    seconds: Option<u64>,
    /// Days of the lake that is queried, of 288,000 quotes each [default: 35, quick: 2]
    #[arg(long)]
    days: Option<u64>,
    /// On which disk: a folder below it is used and removed [default: the build folder's]
    #[arg(long, env = "STOCKPIPE_BENCH_DIR")]
    folder: Option<PathBuf>,
    /// Given by `cargo bench`, not by `cargo test`, for which the bench is a test
    #[arg(long, hide = true)]
    bench: bool,
}

/// What is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Part {
    /// Throughput, latency, memory
    Ingest,
    /// Queries, beside DuckDB
    Sql,
    /// What a command takes that has little to do
    Start,
    /// `up` on AWS without changes, on an emulator
    Deploy,
    /// The functions' code for AWS, built twice; not part of a whole run
    Build,
    /// The functions of AWS, beside a tutorial's, on an emulator; not part of a whole run
    Functions,
}

/// How much of everything.
struct Sizes {
    runs: usize,
    count: u64,
    baseline_count: u64,
    latency: Duration,
    days: u64,
    functions: functions::Sizes,
}

impl Arguments {
    fn is_quick(&self) -> bool {
        self.quick || !self.bench
    }

    fn sizes(&self) -> Sizes {
        let or = |usual, quick| if self.is_quick() { quick } else { usual };
        Sizes {
            runs: self.runs.unwrap_or(or(3, 1) as usize).max(1),
            count: self.count.unwrap_or(or(1_000_000, 50_000)).max(1),
            baseline_count: self.baseline_count.unwrap_or(or(30_000, 2_000)).max(1),
            latency: Duration::from_secs(self.seconds.unwrap_or(or(20, 3)).max(1)),
            days: self.days.unwrap_or(or(35, 2)).max(1),
            functions: functions::Sizes {
                runs: self.runs.unwrap_or(or(5, 1) as usize).max(1),
                batches: or(2, 1) as usize,
                latency: or(200, 10) as i64,
            },
        }
    }
}

fn main() -> ExitCode {
    match run(&Arguments::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &Arguments) -> Result<()> {
    let sizes = arguments.sizes();
    if arguments.is_quick() {
        say("small sizes: the checks count, the figures do not");
    }
    let disk = arguments.folder.clone().unwrap_or_else(|| env!("CARGO_TARGET_TMPDIR").into());
    fs::create_dir_all(&disk)?;
    let folder = tempfile::Builder::new().prefix("stockpipe-bench-").tempdir_in(&disk)?;
    let mut report = Report::default();
    let profile = if arguments.is_quick() { "dev" } else { "lambda" };

    machine::look(folder.path(), "before", &mut report)?;
    let wanted = |part| arguments.only.is_none_or(|only| only == part);
    if wanted(Part::Start) {
        start::measure(folder.path(), sizes.runs * 7, &mut report)?;
    }
    if wanted(Part::Ingest) {
        ingest::throughput::measure(folder.path(), &sizes, &mut report)?;
        ingest::latency::measure(folder.path(), sizes.latency, &mut report)?;
        ingest::backlog::measure(folder.path(), sizes.count, &mut report)?;
    }
    if wanted(Part::Sql) {
        sql::measure(folder.path(), sizes.days, sizes.runs, &mut report)?;
    }
    if wanted(Part::Deploy) {
        deploy::measure(folder.path(), sizes.runs * 3, &mut report)?;
    }
    if arguments.only == Some(Part::Build) {
        build::measure(&disk, profile, &mut report)?;
    }
    if arguments.only == Some(Part::Functions) {
        let bootstraps = build::bootstraps(&disk, profile)?;
        functions::measure(folder.path(), bootstraps, &sizes.functions, &mut report)?;
    }
    machine::look(folder.path(), "after", &mut report)?;

    print!("{report}");
    println!("{}", report.to_json());
    Ok(())
}

/// Says what is being done, on standard error: a bench takes minutes.
fn say(text: &str) {
    eprintln!("bench: {text}");
}
