//! SQL over the files of the lake, embedded.
//!
//! An [`Engine`] is opened on a list of files and answers queries that name `stock_data_table` alone, in the SQL that
//! Athena runs as well. What answers them is DataFusion; nothing outside this folder names it.

mod best;
mod bind;
mod bounds;
mod first;
mod footers;
mod functions;
mod grouped;
mod intervals;
mod judge;
mod notes;
mod ordered;
mod table;
mod text;
mod threads;
mod times;
mod window;
mod within;

#[cfg(test)]
mod tests;

use crate::{
    error::{Error, ExitStatus},
    queries::Parameter,
    rows::{Column, Row},
};
use datafusion::{
    dataframe::DataFrame,
    error::DataFusionError,
    execution::{
        SendableRecordBatchStream, SessionStateBuilder,
        memory_pool::{FairSpillPool, TrackConsumersPool},
        runtime_env::RuntimeEnvBuilder,
    },
    logical_expr::LogicalPlan,
    physical_optimizer::optimizer::PhysicalOptimizer,
    physical_plan::execute_stream,
    prelude::{SQLOptions, SessionConfig, SessionContext},
    sql::{parser::Statement, sqlparser::parser::ParserError},
};
use futures::StreamExt;
pub use judge::{Judged, Sort, judge};
use pipeline::{Date, Timestamp};
use std::{num::NonZeroUsize, path::PathBuf, sync::Arc, thread::available_parallelism};

/// What queries call the lake.
const TABLE: &str = "stock_data_table";
/// What DataFusion puts before the name of a table, which nobody asked for.
const CATALOG: &str = "datafusion.public.";
/// The users of memory that are named when there is too little of it.
const NAMED_CONSUMERS: NonZeroUsize = NonZeroUsize::MIN.saturating_add(2);

/// A file of the lake, as the list of live files has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LakeFile {
    /// Where it is: an absolute path.
    pub path: PathBuf,
    /// The day of its quotes.
    pub dt: Date,
    /// The market time of its oldest quote.
    pub first: Timestamp,
    /// The market time of its newest quote.
    pub last: Timestamp,
    /// Its quotes, of which no two have the same symbol and timestamp.
    pub rows: u64,
    /// Its length in bytes.
    pub bytes: u64,
}

/// What changes how fast an answer is, and nothing of the answer.
#[derive(Clone, Copy, Debug)]
struct Tuning {
    /// Whether the operators of this folder take the place of DataFusion's.
    own_operators: bool,
    /// In how many parts a query is worked on at once.
    partitions: usize,
    /// Rows of a batch.
    batch_rows: usize,
}

impl Default for Tuning {
    fn default() -> Self {
        let partitions = available_parallelism().map_or(1, NonZeroUsize::get);
        Self { own_operators: true, partitions, batch_rows: 8192 }
    }
}

/// Why a query has no answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SqlError {
    /// Not as many values as `?`.
    #[error("the query has {expected} `?`, and {given} values were given")]
    Parameters {
        /// How many `?` there are.
        expected: usize,
        /// How many values there were.
        given: usize,
    },
    /// A parameter that is not written as one.
    #[error("a parameter is written `?`, not `{0}`")]
    Placeholder(String),
    /// It would change something.
    #[error("a query can only read; refused: {0}")]
    ReadOnly(String),
    /// Not one statement.
    #[error("one statement expected, not {0}")]
    Statements(usize),
    /// It cannot be understood, or names what is not there.
    #[error("{0}")]
    Query(String),
    /// It could not be carried through: a file is damaged or gone, a number too large, memory too little.
    #[error("{0}")]
    Failed(String),
}

/// What helps whoever asked what cannot be understood.
pub const COLUMNS_HINT: &str = "the table is stock_data_table; `--sql 'DESCRIBE stock_data_table'` lists its columns";

impl From<SqlError> for Error {
    fn from(error: SqlError) -> Self {
        let made = Self::new("the query failed").because(&error);
        match error {
            SqlError::Failed(_) => made,
            SqlError::ReadOnly(_) => made.status(ExitStatus::Usage),
            _ => made.status(ExitStatus::Usage).hint(COLUMNS_HINT),
        }
    }
}

/// Answers queries on a list of files, which have to stay as they are while it is open.
pub struct Engine {
    context: SessionContext,
}

/// An answer that comes piece by piece, so that a long one never is in memory as a whole.
pub struct Answer {
    /// Its columns.
    pub columns: Vec<Column>,
    /// The length of the files that have to be read for it, in bytes; parts that cannot matter are passed over.
    pub bytes: u64,
    /// What Athena would not understand, a line each.
    pub notes: Vec<String>,
    batches: SendableRecordBatchStream,
}

impl Engine {
    /// An engine that takes about `memory` bytes for sorting and grouping, and the system's folder for temporary
    /// files beyond that.
    ///
    /// # Errors
    /// When a path is not absolute, or there is no room to work in.
    pub fn open(files: Vec<LakeFile>, memory: usize) -> Result<Self, SqlError> {
        Self::with(files, memory, Tuning::default())
    }

    fn with(files: Vec<LakeFile>, memory: usize, tuning: Tuning) -> Result<Self, SqlError> {
        let mut config = SessionConfig::new()
            .with_target_partitions(tuning.partitions)
            .with_batch_size(tuning.batch_rows)
            .with_information_schema(true);
        let options = config.options_mut();
        // As Athena has it, whichever way an order goes.
        options.sql_parser.default_null_ordering = "nulls_last".into();
        options.sql_parser.collect_spans = true;
        // Rows that are together by symbol are together by symbol and day as well, in however few partitions.
        options.optimizer.subset_repartition_threshold = 1;
        let pool = TrackConsumersPool::new(FairSpillPool::new(memory), NAMED_CONSUMERS);
        let runtime = RuntimeEnvBuilder::new().with_memory_pool(Arc::new(pool)).build_arc().map_err(failed)?;
        let mut state =
            SessionStateBuilder::new().with_config(config).with_runtime_env(runtime).with_default_features();
        if tuning.own_operators {
            let mut rules = PhysicalOptimizer::new().rules;
            rules.insert(0, Arc::new(ordered::ChooseScan));
            rules.push(Arc::new(within::UseSortWithin));
            rules.push(Arc::new(window::UseSortedWindow));
            rules.push(Arc::new(grouped::UseGroupRuns));
            state = state
                .with_physical_optimizer_rules(rules)
                .with_optimizer_rule(Arc::new(intervals::IntervalsToDurations));
        }
        let state = state.build();
        let context = SessionContext::new_with_state(state);
        functions::register(&context);
        times::register(&context);
        context
            .register_table(TABLE, Arc::new(table::LakeTable::new(files, tuning.own_operators).map_err(failed)?))
            .map_err(failed)?;
        Ok(Self { context })
    }

    /// Begins to answer a query. `parameters` are the values of its `?`, by position.
    ///
    /// # Errors
    /// When it cannot be understood, names what is not there, or would change something.
    pub async fn query(&self, sql: &str, parameters: &[Parameter]) -> Result<Answer, SqlError> {
        let statement = bind::statement(sql, parameters)?;
        let notes = notes::notes(&statement);
        let plan = self.plan(statement).await?;
        let plan = DataFrame::new(self.context.state(), plan).create_physical_plan().await.map_err(not_understood)?;
        let bytes = table::bytes(&plan);
        let batches = execute_stream(plan, self.context.task_ctx()).map_err(failed)?;
        let columns = batches.schema().fields().iter().map(|field| text::column(field)).collect();
        Ok(Answer { columns, bytes, notes, batches })
    }

    /// What is to be done for a statement, which only reads.
    async fn plan(&self, statement: Statement) -> Result<LogicalPlan, SqlError> {
        let plan = self.context.state().statement_to_plan(statement).await.map_err(not_understood)?;
        SQLOptions::new()
            .with_allow_ddl(false)
            .with_allow_dml(false)
            .with_allow_statements(false)
            .verify_plan(&plan)
            .map_err(|e| SqlError::ReadOnly(message(&e).rsplit(": ").next().unwrap_or_default().to_owned()))?;
        Ok(plan)
    }
}

impl Answer {
    /// The next rows; none after the last.
    pub async fn next(&mut self) -> Option<Result<Vec<Row>, SqlError>> {
        let batch = self.batches.next().await?;
        Some(batch.and_then(|batch| text::rows(&batch)).map_err(failed))
    }
}

fn not_understood(error: DataFusionError) -> SqlError {
    match error.find_root() {
        DataFusionError::ResourcesExhausted(_) | DataFusionError::IoError(_) | DataFusionError::ObjectStore(_) => {
            failed(error)
        }
        _ => SqlError::Query(message(&error)),
    }
}

fn failed(error: DataFusionError) -> SqlError {
    SqlError::Failed(message(&error))
}

/// What went wrong, in one line and without where in the engine it did, but with where in the query if that is known.
fn message(error: &DataFusionError) -> String {
    let text = match error.find_root() {
        DataFusionError::SQL(error, _) => match &**error {
            ParserError::ParserError(text) | ParserError::TokenizerError(text) => text.clone(),
            ParserError::RecursionLimitExceeded => "nested too deeply".into(),
        },
        DataFusionError::Plan(text)
        | DataFusionError::Execution(text)
        | DataFusionError::NotImplemented(text)
        | DataFusionError::ResourcesExhausted(text) => text.clone(),
        DataFusionError::SchemaError(error, _) => error.to_string(),
        other => other.strip_backtrace(),
    };
    let text = text.split(DataFusionError::BACK_TRACE_SEP).next().unwrap_or_default();
    let text = text.split_whitespace().collect::<Vec<_>>().join(" ").replace(CATALOG, "");
    match error.diagnostic().and_then(|d| d.span) {
        Some(span) if !text.contains(" at Line: ") => {
            format!("{text} (line {}, column {})", span.start.line, span.start.column)
        }
        _ => text,
    }
}
