//! What can be typed, and nothing else.

use crate::settings::StackOptions;
use clap::{ArgGroup, Args, Parser, Subcommand, ValueEnum};
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
    /// Where the pipeline is: local, on this machine, or aws [default: local]
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
    /// On AWS, made by CloudFormation
    Aws,
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
    /// Send quotes into the pipeline, and see what becomes of them
    Stream(Stream),
    /// Ask the history: a saved query, or SQL of your own
    Query(Query),
    /// The newest quote of each symbol
    Latest(Latest),
    /// The signals that were raised
    Signals(Signals),
    /// What flows through the stream, line by line, as it arrives
    Tail(Tail),
    /// What is in the pipeline and how it does
    Status(Status),
    /// Put set-aside lines, or a span of the stream, onto the stream again
    Replay(Replay),
    /// See all of it in ten seconds, on recorded quotes, in a throw-away pipeline
    Demo,
    /// Take the pipeline down, data included
    Down(Down),
    /// Find what is missing before `up`: credentials, rights, toolchain, quotas
    #[command(after_help = DOCTOR_HELP)]
    Doctor,
    /// Print a template as it would be deployed
    Template(Template),
    /// Print the IAM policy of whoever deploys to AWS: what it takes, and no more
    Policy(Policy),
    /// Print completions for a shell
    Completions(Completions),
    /// Print the manual page
    Man(Man),
}

/// What a program can rely on.
const DOCTOR_HELP: &str = "It ends with 1 where something that `up` needs is missing, else with 0, warnings or not. With \
--format json each finding is an object, with --format csv a row: check, result (ok, warning or missing), detail, \
remedy. Nothing is changed: on AWS a template is put into the artifact bucket, where there is one, for as long as \
CloudFormation reads it.";

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
    /// Set an option of AWS, such as shard_count=2; `stockpipe init` writes a file with all of them
    #[arg(long = "set", value_name = "NAME=VALUE", help_heading = "On AWS")]
    pub set: Vec<String>,
    /// How many shards the stream has, of 1 MB and 1,000 records a second each; at most twice as many as now. The same as
    /// --set shard_count=NUMBER
    #[arg(long, value_name = "NUMBER", help_heading = "On AWS")]
    pub shards: Option<u32>,
    /// Leave once AWS is at work; `stockpipe status --watch` looks on
    #[arg(long, help_heading = "On AWS")]
    pub no_wait: bool,
    /// Where an update could not be rolled back: leave this resource as it is, and roll back the others
    #[arg(long, value_name = "RESOURCE", help_heading = "On AWS")]
    pub skip_rollback: Vec<String>,
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
#[command(after_help = QUERY_HELP)]
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
    /// Take Athena's earlier answer to the same query, if it is at most so old: 1m to 7d. It costs nothing, and new
    /// quotes are not in it
    #[arg(long, value_name = "DURATION", help_heading = "On AWS")]
    pub reuse: Option<String>,
}

/// What it costs.
const QUERY_HELP: &str = "On AWS Athena answers, for $5 a TB that it scans, 10 MB at least (the list price of \
us-east-1, not checked live); what is charged is shown. Ctrl-C stops the query.";

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

/// `tail`.
#[derive(Debug, Args)]
#[command(after_help = TAIL_HELP)]
pub struct Tail {
    /// Only what has one of these as its partition key
    #[arg(value_name = "SYMBOL")]
    pub symbols: Vec<String>,
    /// Begin with what arrived at this time or since, such as 10m (ago), 2026-11-20 or 2026-11-20T14:30:00Z
    #[arg(long, value_name = "TIME")]
    pub since: Option<String>,
    /// Begin with so many of the newest lines [default: 10, or all with --since]
    #[arg(short = 'n', long, value_name = "LINES")]
    pub last: Option<u64>,
    /// Go on with new lines as they arrive, until Ctrl-C (the default)
    #[arg(short, long, overrides_with = "no_follow")]
    pub follow: bool,
    /// End after the lines that are there
    #[arg(long, overrides_with = "follow")]
    pub no_follow: bool,
}

/// What a program can rely on.
const TAIL_HELP: &str = "It only reads: nothing waits for it, and nothing is stored or judged by it for others. With \
--format json each line is an object, with --format csv a row: sequence, arrived_at, partition_key, reason (why it \
is no quote, or null) and data, the line as it came. What is no UTF-8 is in data_hex instead, in hexadecimal \
digits.";

/// `replay`.
#[derive(Debug, Args)]
#[command(after_help = REPLAY_HELP, override_usage = REPLAY_USAGE)]
#[command(group(ArgGroup::new("what").required(true).multiple(true)))]
pub struct Replay {
    /// Only what has one of these as its partition key
    #[arg(value_name = "SYMBOL")]
    pub symbols: Vec<String>,
    /// Show what is set aside, replayed or not, and put nothing
    #[arg(long, group = "what", help_heading = "What was set aside")]
    pub list: bool,
    /// Put set-aside lines again, byte for byte; each is marked, and not put a second time
    #[arg(long, group = "what", help_heading = "What was set aside")]
    pub set_aside: bool,
    /// Only these, as --list names them: 42-7, or 42 for all of a record
    #[arg(long, value_name = "ID", conflicts_with = "from", help_heading = "What was set aside")]
    pub id: Vec<String>,
    /// Only what arrived at this time or since, such as 10m (ago), 2026-11-20 or 2026-11-20T14:30:00Z
    #[arg(long, value_name = "TIME", conflicts_with = "from", help_heading = "What was set aside")]
    pub since: Option<String>,
    /// Only those whose reason has this text in it
    #[arg(long, value_name = "TEXT", conflicts_with = "from", help_heading = "What was set aside")]
    pub reason: Option<String>,
    /// Also what was replayed before
    #[arg(long, conflicts_with_all = ["from", "list"], help_heading = "What was set aside")]
    pub again: bool,
    /// Put the stream's quotes again from this sequence (42 or 42-7) or time of arrival (as for --since) on
    #[arg(
        long,
        group = "what",
        value_name = "PLACE",
        conflicts_with_all = ["list", "set_aside"],
        help_heading = "A span of the stream"
    )]
    pub from: Option<String>,
    /// Up to this sequence or time, it included [default: the newest]
    #[arg(
        long,
        value_name = "PLACE",
        conflicts_with_all = ["list", "set_aside"],
        help_heading = "A span of the stream"
    )]
    pub to: Option<String>,
    /// Publish the alerts of what they raise
    #[arg(long, conflicts_with_all = ["list", "set_aside"], help_heading = "A span of the stream")]
    pub alerts: bool,
    /// Do not ask
    #[arg(long, short)]
    pub yes: bool,
}

/// Two commands in one.
const REPLAY_USAGE: &str = "stockpipe replay [OPTIONS] <--list|--set-aside> [SYMBOL]...
       stockpipe replay [OPTIONS] --from <PLACE> [SYMBOL]...";

/// What comes of it.
const REPLAY_HELP: &str = "What is put again is new on the stream: it gets new sequences and is judged anew. A quote \
that is stored already counts as a duplicate and changes nothing, so what was interrupted can be repeated. Set-aside \
lines stay as they came, and are marked once they are durable (a crash in between can put some twice, as \
duplicates); what is still no quote is set aside again. Quotes of a span get the origin `replay` and raise no \
alerts; those of a backfill stay what they are.

To mend lines by hand: `stockpipe replay --list --format json` gives their bytes as `data` (what is no UTF-8 as \
`data_hex`); send the mended ones with `stockpipe stream --source replay:-`.";

/// `status`.
#[derive(Debug, Args)]
#[command(after_help = STATUS_HELP)]
pub struct Status {
    /// Look again every second, until Ctrl-C. On AWS: look on at the operation that is under way, until it ends
    #[arg(long)]
    pub watch: bool,
    /// Every event of the stack's last operation, the newest last
    #[arg(long, help_heading = "On AWS", conflicts_with = "watch")]
    pub events: bool,
    /// Ask CloudFormation what was changed by other hands, which takes a minute
    #[arg(long, help_heading = "On AWS", conflicts_with_all = ["watch", "events"])]
    pub drift: bool,
}

/// What a program can rely on.
const STATUS_HELP: &str = "On AWS --format json is one object: target, stack, region, account (masked), status \
(CloudFormation's word), state (in words), reason, since, under_way, protected, resources_by_part, resources_failed, \
resources (name, type, part, physical_id, status, reason, drift), drift_checked, drifted (name, type, gone, \
differences: path, expected, actual), mappings (function, id, state, last), subscriptions (topic, protocol, \
endpoint, pending) and outputs; null is not known. --format csv has a line for each of them. With --events it is a \
row per event: time, resource, type, status, reason, physical_id, operation.";

/// `template`.
#[derive(Debug, Args)]
#[command(after_help = TEMPLATE_HELP)]
pub struct Template {
    /// Which one: pipeline, or bootstrap, the bucket of code and templates that there is once per account and region
    #[arg(value_enum, default_value_t = TemplateName::Pipeline, hide_possible_values = true)]
    pub name: TemplateName,
}

/// What goes where.
const TEMPLATE_HELP: &str = "The text goes to standard output, the parameters to give to standard error. With \
credentials the names of what holds data are those of the account, so that data that was kept is taken in; without, \
CloudFormation makes them.";

/// The templates.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum TemplateName {
    /// Stream, table, lake, functions and what watches over them
    Pipeline,
    /// The bucket of code and templates, once per account and region
    Bootstrap,
}

/// `policy`.
#[derive(Debug, Args)]
#[command(after_help = POLICY_HELP)]
pub struct Policy {
    /// Of whoever hands the work to the role of CloudFormation that `service_role: yes` makes
    #[arg(long)]
    pub service_role: bool,
    /// Only this one of the parts that each fit into a managed policy of IAM (6,144 characters)
    #[arg(long, value_name = "NUMBER")]
    pub part: Option<usize>,
}

/// What it holds.
const POLICY_HELP: &str = "It is of the stack that --stack names, and of the options that stockpipe.yaml sets. The \
JSON goes to standard output, what one has to know to standard error; nobody is asked, so it takes no credentials.";

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
