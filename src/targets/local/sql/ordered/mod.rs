//! The lake in the order that windows ask for: by symbol, then time.
//!
//! Every file is sorted by symbol and timestamp. Where no two overlap in time, the rows of a symbol in one file, then
//! in the next, are in order already: nothing is to be sorted, exchanged or compared. [`SymbolScan`] reads them so, a
//! range of symbols per partition, with each file open at the same time. Where files overlap, or are too many to be
//! open at once, [`LakeScan`] stays what it is otherwise: the ordinary scan, file by file.

mod read;
mod runs;

pub(super) use runs::Unopened;

use super::threads::side_by_side;
use datafusion::{
    arrow::{
        array::{AsArray, RecordBatch, StringViewArray},
        compute::SortOptions,
        datatypes::{DataType, Field, Schema, SchemaRef},
    },
    common::{ScalarValue, SplitPoint, config::ConfigOptions, exec_datafusion_err, tree_node::TreeNodeRecursion},
    error::Result,
    execution::{SendableRecordBatchStream, TaskContext},
    physical_expr::{
        EquivalenceProperties, LexOrdering, Partitioning, PhysicalExpr, PhysicalSortExpr, RangePartitioning,
        expressions::Column,
    },
    physical_optimizer::PhysicalOptimizerRule,
    physical_plan::{
        DisplayAs, DisplayFormatType, ExecutionPlan, PlanProperties,
        execution_plan::{Boundedness, EmissionType, replace_children_if_necessary},
        filter::FilterExec,
        projection::ProjectionExec,
        stream::RecordBatchReceiverStream,
        windows::{BoundedWindowAggExec, WindowAggExec},
    },
};
use read::{From, Reader};
use runs::{Run, SortedFile};
use std::{
    collections::{BTreeMap, HashSet},
    fmt,
    sync::Arc,
};

/// More files are not open at the same time: systems commonly allow a thousand in all.
const MOST_FILES: usize = 256;
/// Nor are their pages in memory, of which each column of each file has one: about so many bytes.
const MOST_BYTES: usize = 128 << 20;
/// Rows of a page, and bytes of a value, of which text has more.
const PAGE_ROWS: usize = 20_000;
const VALUE_BYTES: usize = 8;
const TEXT_BYTES: usize = 32;
/// Batches that a partition is ahead of who takes them.
const AHEAD: usize = 2;

/// Reads the files one way, and can be asked to read them the other way.
#[derive(Debug)]
pub(super) struct LakeScan {
    /// The ordinary scan.
    pub(super) ordinary: Arc<dyn ExecutionPlan>,
    /// The files, none of which overlap, in the order of time.
    pub(super) files: Vec<Arc<Unopened>>,
    /// What a file holds.
    pub(super) file_schema: SchemaRef,
    /// The columns that come out; the day is the one after those of the file.
    pub(super) columns: Vec<usize>,
    /// What is known of the symbols: a condition on a column of them alone.
    pub(super) symbols: Option<Arc<dyn PhysicalExpr>>,
    pub(super) partitions: usize,
}

impl LakeScan {
    /// The other way, if it can be gone.
    fn by_symbol(&self) -> Result<Option<SymbolScan>> {
        // The symbol is known and the day is no column: neither is read.
        let width = |column: &usize| match self.file_schema.fields().get(*column) {
            Some(field) if field.name() == "symbol" => 0,
            Some(field) if field.data_type() == &DataType::Utf8View => TEXT_BYTES,
            Some(_) => VALUE_BYTES,
            None => 0,
        };
        let row: usize = self.columns.iter().map(width).sum();
        let rows = |file: &Arc<Unopened>| usize::try_from(file.listed().rows).unwrap_or(usize::MAX).min(PAGE_ROWS);
        let bytes = self.files.iter().map(rows).sum::<usize>().saturating_mul(row).saturating_mul(self.partitions);
        if self.files.len() > MOST_FILES || bytes > MOST_BYTES {
            return Ok(None);
        }
        let files = side_by_side(&self.files, self.partitions, |file| file.open(&self.file_schema));
        let Some(files) = files.into_iter().collect::<Option<Vec<_>>>() else { return Ok(None) };
        let mut rows: BTreeMap<Arc<str>, usize> = BTreeMap::new();
        for run in files.iter().flat_map(|file| &file.runs) {
            *rows.entry(Arc::clone(&run.symbol)).or_default() += run.rows.len();
        }
        self.retain_wanted(&mut rows)?;
        SymbolScan::new(self, files, rows).map(Some)
    }

    /// Leaves out the symbols that do not meet the condition.
    fn retain_wanted(&self, rows: &mut BTreeMap<Arc<str>, usize>) -> Result<()> {
        let Some(condition) = &self.symbols else { return Ok(()) };
        let symbols = StringViewArray::from_iter_values(rows.keys());
        let schema = Arc::new(Schema::new(vec![Field::new("symbol", DataType::Utf8View, false)]));
        let batch = RecordBatch::try_new(schema, vec![Arc::new(symbols)])?;
        let wanted = condition.evaluate(&batch)?.into_array(rows.len())?;
        let wanted = wanted.as_boolean_opt().ok_or_else(|| exec_datafusion_err!("a filter is no condition"))?;
        let mut wanted = wanted.iter();
        rows.retain(|_, _| wanted.next() == Some(Some(true)));
        Ok(())
    }
}

impl DisplayAs for LakeScan {
    fn fmt_as(&self, _: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "LakeScan: {} files", self.files.len())
    }
}

impl ExecutionPlan for LakeScan {
    fn name(&self) -> &'static str {
        "LakeScan"
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        self.ordinary.properties()
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        vec![]
    }

    fn apply_expressions(
        &self,
        _: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> Result<TreeNodeRecursion>,
    ) -> Result<TreeNodeRecursion> {
        Ok(TreeNodeRecursion::Continue)
    }

    fn with_new_children(self: Arc<Self>, _: Vec<Arc<dyn ExecutionPlan>>) -> Result<Arc<dyn ExecutionPlan>> {
        Ok(self)
    }

    fn execute(&self, partition: usize, context: Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        self.ordinary.execute(partition, context)
    }
}

/// Decides which way the files are read: by symbol below windows of symbols, else file by file, which decodes each
/// page once and in one go. Has to come before all other rules, which look for the ordinary scan.
#[derive(Debug)]
pub(super) struct ChooseScan;

impl PhysicalOptimizerRule for ChooseScan {
    fn optimize(&self, plan: Arc<dyn ExecutionPlan>, _: &ConfigOptions) -> Result<Arc<dyn ExecutionPlan>> {
        choose(plan, false)
    }

    fn name(&self) -> &'static str {
        "choose_scan"
    }

    fn schema_check(&self) -> bool {
        true
    }
}

fn choose(plan: Arc<dyn ExecutionPlan>, by_symbol: bool) -> Result<Arc<dyn ExecutionPlan>> {
    if let Some(scan) = plan.downcast_ref::<LakeScan>() {
        let chosen = if by_symbol { scan.by_symbol()? } else { None };
        return Ok(match chosen {
            Some(scan) => Arc::new(scan),
            None => Arc::clone(&scan.ordinary),
        });
    }
    let windows = plan
        .downcast_ref::<BoundedWindowAggExec>()
        .map(BoundedWindowAggExec::window_expr)
        .or_else(|| plan.downcast_ref::<WindowAggExec>().map(WindowAggExec::window_expr));
    let of_symbols = windows
        .and_then(<[_]>::first)
        .and_then(|window| window.partition_by().first())
        .is_some_and(|key| key.downcast_ref::<Column>().is_some_and(|column| column.name() == "symbol"));
    let passes_on = windows.is_some() || plan.is::<FilterExec>() || plan.is::<ProjectionExec>();
    let by_symbol = of_symbols || by_symbol && passes_on;
    let children = plan.children().into_iter().map(|child| choose(Arc::clone(child), by_symbol));
    let children = children.collect::<Result<Vec<_>>>()?;
    replace_children_if_necessary(plan, children)
}

/// Reads the files symbol by symbol.
#[derive(Clone, Debug)]
pub(super) struct SymbolScan {
    schema: SchemaRef,
    columns: Vec<From>,
    /// In the order of time.
    files: Vec<Arc<SortedFile>>,
    /// The length of the files, in bytes.
    bytes: u64,
    /// The symbols of each partition, in order, and those of one before those of the next.
    partitions: Vec<Vec<Arc<str>>>,
    /// The rows of the symbol that has the most.
    most_rows: usize,
    /// Whether only the last row of each symbol is read.
    last_rows: bool,
    properties: Arc<PlanProperties>,
}

impl SymbolScan {
    /// Reads these symbols of these files. `rows` has how many rows each symbol has.
    fn new(scan: &LakeScan, files: Vec<Arc<SortedFile>>, rows: BTreeMap<Arc<str>, usize>) -> Result<Self> {
        let schema = scan.ordinary.schema();
        let symbol = scan.file_schema.index_of("symbol")?;
        let columns = scan.columns.iter().map(|column| match *column {
            column if column == symbol => From::Symbol,
            column if column == scan.file_schema.fields().len() => From::Day,
            column => From::File(column),
        });
        let most_rows = rows.values().copied().max().unwrap_or_default();
        let partitions = shares(rows, scan.partitions);
        Ok(Self {
            properties: Arc::new(properties(&schema, &partitions)?),
            schema,
            columns: columns.collect(),
            files,
            bytes: scan.files.iter().map(|file| file.listed().bytes).sum(),
            partitions,
            most_rows,
            last_rows: false,
        })
    }

    /// The rows of the symbol that has the most.
    pub(super) const fn most_rows(&self) -> usize {
        self.most_rows
    }

    /// The same scan, of the last row of each symbol alone: of the last file that has it.
    pub(super) fn last_rows(&self) -> Self {
        Self { most_rows: self.most_rows.min(1), last_rows: true, ..self.clone() }
    }

    /// The length of its files, in bytes.
    pub(super) const fn bytes(&self) -> u64 {
        self.bytes
    }
}

/// The symbols in at most so many shares, which have about as many rows each.
fn shares(rows: BTreeMap<Arc<str>, usize>, most: usize) -> Vec<Vec<Arc<str>>> {
    let total: usize = rows.values().sum();
    let mut shares: Vec<Vec<Arc<str>>> = vec![Vec::new()];
    let mut seen = 0;
    for (symbol, rows) in rows {
        let full = shares.len() * total <= seen * most;
        match shares.last_mut() {
            Some(share) if share.is_empty() || !full => share.push(symbol),
            _ => shares.push(vec![symbol]),
        }
        seen += rows;
    }
    shares
}

/// That the rows are by symbol, then by time, and so by day; and that a symbol is in one partition only.
fn properties(schema: &SchemaRef, partitions: &[Vec<Arc<str>>]) -> Result<PlanProperties> {
    let options = SortOptions { descending: false, nulls_first: false };
    let by = |name| {
        let place = schema.index_of(name).ok()?;
        Some(PhysicalSortExpr::new(Arc::new(Column::new(name, place)), options))
    };
    let mut orders = Vec::new();
    let mut partitioning = Partitioning::UnknownPartitioning(partitions.len());
    if let Some(symbol) = by("symbol") {
        let first = [symbol.clone()];
        orders.push(first.iter().cloned().chain(by("timestamp")).collect::<Vec<_>>());
        orders.push(first.iter().cloned().chain(by("dt").into_iter().chain(by("timestamp"))).collect());
        if partitions.len() > 1 {
            let splits = partitions
                .iter()
                .skip(1)
                .filter_map(|symbols| symbols.first())
                .map(|symbol| SplitPoint::new(vec![ScalarValue::Utf8View(Some(symbol.to_string()))]));
            let order = LexOrdering::new([symbol]).ok_or_else(|| exec_datafusion_err!("no order"))?;
            partitioning = Partitioning::Range(RangePartitioning::try_new(order, splits.collect())?);
        }
    }
    Ok(PlanProperties::new(
        EquivalenceProperties::new_with_orderings(Arc::clone(schema), orders),
        partitioning,
        EmissionType::Incremental,
        Boundedness::Bounded,
    ))
}

impl DisplayAs for SymbolScan {
    fn fmt_as(&self, _: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let symbols: usize = self.partitions.iter().map(Vec::len).sum();
        let (files, parts) = (self.files.len(), self.partitions.len());
        let rows = if self.last_rows { ", last rows" } else { "" };
        write!(f, "SymbolScan: {symbols} symbols of {files} files in {parts} parts{rows}")
    }
}

impl ExecutionPlan for SymbolScan {
    fn name(&self) -> &'static str {
        "SymbolScan"
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        &self.properties
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        vec![]
    }

    fn apply_expressions(
        &self,
        _: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> Result<TreeNodeRecursion>,
    ) -> Result<TreeNodeRecursion> {
        Ok(TreeNodeRecursion::Continue)
    }

    fn with_new_children(self: Arc<Self>, _: Vec<Arc<dyn ExecutionPlan>>) -> Result<Arc<dyn ExecutionPlan>> {
        Ok(self)
    }

    fn execute(&self, partition: usize, context: Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        let symbols = self.partitions.get(partition).cloned().unwrap_or_default();
        let wanted = |run: &&Run| symbols.binary_search(&run.symbol).is_ok();
        let mut seen: HashSet<Arc<str>> = HashSet::new();
        let mut files = Vec::new();
        for file in self.files.iter().rev() {
            let mut runs: Vec<Run> = file.runs.iter().filter(wanted).cloned().collect();
            if self.last_rows {
                runs.retain(|run| seen.insert(Arc::clone(&run.symbol)));
                runs.iter_mut().for_each(|run| run.rows.start = run.rows.end.saturating_sub(1));
            }
            if !runs.is_empty() {
                files.push((Arc::clone(file), runs));
            }
        }
        files.reverse();
        let rows = context.session_config().batch_size();
        let reader = Reader::new(Arc::clone(&self.schema), self.columns.clone(), rows, &symbols, files);
        // Files are read in a thread of their own, since reading waits.
        let mut stream = RecordBatchReceiverStream::builder(Arc::clone(&self.schema), AHEAD);
        let sender = stream.tx();
        stream.spawn_blocking(move || {
            for batch in reader {
                // Nobody takes any more, as after a limit.
                if sender.blocking_send(batch).is_err() {
                    break;
                }
            }
            Ok(())
        });
        Ok(stream.build())
    }
}
