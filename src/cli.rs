//! What can be typed, and nothing else.

use crate::settings::StackOptions;
use clap::{Args, Parser, Subcommand, ValueEnum};
use serde::Deserialize;
use std::path::PathBuf;

/// What the help begins with, short or long.
const ABOUT: &str = "A real-time market-data pipeline in one command

Quotes go through a durable stream into a table and a data lake; crossovers of SMA-5 and SMA-20 raise signals; SQL \
asks the history. Signals are no investment advice.";

/// A real-time market-data pipeline in one command.
#[derive(Debug, Parser)]
#[command(name = "stockpipe", version, max_term_width = 100, about = ABOUT, long_about = None)]
pub struct Cli {
    /// For every command.
    #[command(flatten)]
    pub global: Global,
    /// Which command.
    #[command(subcommand)]
    pub command: Command,
}

/// Options of every command.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Options of every command")]
pub struct Global {
    /// Where the pipeline is: local, on this machine [default: local]
    #[arg(
        long,
        global = true,
        env = "STOCKPIPE_TARGET",
        value_enum,
        hide_possible_values = true,
        hide_env_values = true
    )]
    pub target: Option<TargetName>,
    /// Which pipeline: a-z, 0-9 and -, at most 20 [default: stockpipe]
    #[arg(long, global = true, env = "STOCKPIPE_STACK", value_name = "NAME", hide_env_values = true)]
    pub stack: Option<String>,
    /// The settings file [default: stockpipe.yaml, if it is there]
    #[arg(long, global = true, env = "STOCKPIPE_CONFIG", value_name = "FILE", hide_env_values = true)]
    pub config: Option<PathBuf>,
    /// How to write answers: table (for people), json or csv (exact, for programs) [default: table]
    #[arg(
        long,
        global = true,
        env = "STOCKPIPE_FORMAT",
        value_enum,
        hide_possible_values = true,
        hide_env_values = true
    )]
    pub format: Option<Format>,
}

/// Where a pipeline can be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TargetName {
    /// On this machine, all embedded
    Local,
}

/// How answers are written to standard output.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    /// For people
    Table,
    /// JSON, exact
    Json,
    /// CSV, exact
    Csv,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Write a commented settings file for this folder
    Init(Init),
    /// Create the pipeline, or change its options
    Up(Up),
    /// Send quotes into the pipeline
    Stream(Stream),
    /// Ask the history: a saved query, or SQL of your own
    Query(Query),
    /// The newest quote of each symbol
    Latest(Latest),
    /// The signals that were raised
    Signals(Signals),
    /// What is in the pipeline and how it does
    Status(Status),
    /// See all of it in ten seconds, on recorded quotes, in a throw-away pipeline
    Demo,
    /// Take the pipeline down, data included
    Down(Down),
    /// Print completions for a shell
    Completions(Completions),
    /// Print the manual page
    Man(Man),
}

/// `init`.
#[derive(Debug, Args)]
pub struct Init {
    /// Write it even if it is there
    #[arg(long)]
    pub force: bool,
}

/// `completions`.
#[derive(Debug, Args)]
pub struct Completions {
    /// Which shell
    #[arg(value_enum)]
    pub shell: clap_complete::Shell,
}

/// `man`.
#[derive(Debug, Args)]
pub struct Man {
    /// Write a page for each command into this folder instead
    #[arg(long, value_name = "FOLDER")]
    pub folder: Option<PathBuf>,
}

/// `up`.
#[derive(Debug, Args)]
pub struct Up {
    /// What can be set of a stack.
    #[command(flatten)]
    pub options: StackOptions,
    /// Say what would be done, and do nothing
    #[arg(long)]
    pub dry_run: bool,
    /// Do not ask. On this machine nothing costs money or is replaced, so nothing is asked in any case
    #[arg(long, short)]
    pub yes: bool,
}

/// `stream`.
#[derive(Debug, Args)]
pub struct Stream {
    /// Which symbols, such as AAPL, ^GSPC or EURUSD=X. A replay takes all without any; a synthetic source gives its
    /// walks these names
    #[arg(value_name = "SYMBOL")]
    pub symbols: Vec<String>,
    /// Where the quotes come from: yahoo (live), replay:FILE (CSV or JSON lines; `-` is standard input) or
    /// synthetic[:SYMBOLS]
    #[arg(long, value_name = "SOURCE", default_value = "yahoo")]
    pub source: String,
    /// From quote to quote of a symbol, such as 500ms or 30s [default: 30s for yahoo, which takes no
    /// less than 1s; 1s for synthetic]
    #[arg(long, value_name = "DURATION")]
    pub interval: Option<String>,
    /// Stop after so many quotes
    #[arg(long, value_name = "QUOTES")]
    pub count: Option<u64>,
    /// Stop after so long, such as 90s or 8h
    #[arg(long = "for", value_name = "DURATION")]
    pub duration: Option<String>,
    /// max, realtime or a multiple such as 10x [default: max for a replay, realtime for synthetic; yahoo is live]
    #[arg(long, value_name = "SPEED")]
    pub speed: Option<String>,
    /// Synthetic: what fixes the prices
    #[arg(long, value_name = "NUMBER", default_value_t = 0)]
    pub seed: u64,
    /// Synthetic: the market time of the first quotes, such as 2026-11-20T14:30:00Z
    #[arg(long, value_name = "TIME")]
    pub start: Option<String>,
    /// Publish the alerts of recorded or synthetic quotes too
    #[arg(long)]
    pub alerts: bool,
    /// Print a JSON line for each record that is durable, and not before
    #[arg(long)]
    pub acks: bool,
    /// End only once all is stored and archived. On this machine it always does
    #[arg(long)]
    pub wait: bool,
}

/// `query`.
#[derive(Debug, Args)]
pub struct Query {
    /// A saved query; without one they are listed
    #[arg(conflicts_with_all = ["sql", "file"])]
    pub name: Option<String>,
    /// A parameter, as name=value
    #[arg(short, long = "parameter", value_name = "NAME=VALUE")]
    pub parameters: Vec<String>,
    /// SQL of your own, over stock_data_table
    #[arg(long, conflicts_with = "file")]
    pub sql: Option<String>,
    /// A file with SQL
    #[arg(long)]
    pub file: Option<PathBuf>,
    /// The whole history instead of the 30 days that end with the newest quote
    #[arg(long)]
    pub all: bool,
    /// Draw prices and averages as well
    #[arg(long)]
    pub chart: bool,
}

/// `latest`.
#[derive(Debug, Args)]
pub struct Latest {
    /// Which symbols, all without any
    #[arg(value_name = "SYMBOL")]
    pub symbols: Vec<String>,
}

/// `signals`.
#[derive(Debug, Args)]
pub struct Signals {
    /// Which symbols, all without any
    #[arg(value_name = "SYMBOL")]
    pub symbols: Vec<String>,
    /// Go on with new ones as they are raised, until Ctrl-C
    #[arg(long)]
    pub follow: bool,
    /// Of quotes from this time or date on, such as 2013-01-01 or 2013-01-02T21:00:00Z
    #[arg(long, value_name = "TIME")]
    pub since: Option<String>,
}

/// `status`.
#[derive(Debug, Args)]
pub struct Status {
    /// Look again every second, until Ctrl-C
    #[arg(long)]
    pub watch: bool,
}

/// `down`.
#[derive(Debug, Args)]
pub struct Down {
    /// Keep table, signals, set-aside records and lake; a later `up` takes them in again
    #[arg(long)]
    pub keep_data: bool,
    /// Do not ask
    #[arg(long, short)]
    pub yes: bool,
}
