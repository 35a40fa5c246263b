//! Files that overlap in time, read so that each quote is seen once.

use datafusion::{
    arrow::{
        array::{AsArray, BooleanArray, RecordBatch},
        compute::{SortOptions, filter_record_batch},
        datatypes::TimestampMillisecondType,
    },
    common::{exec_datafusion_err, tree_node::TreeNodeRecursion},
    datasource::source::DataSourceExec,
    error::Result,
    execution::{SendableRecordBatchStream, TaskContext, memory_pool::MemoryConsumer},
    physical_expr::{
        EquivalenceProperties, LexOrdering, Partitioning, PhysicalExpr, PhysicalSortExpr, expressions::Column,
    },
    physical_plan::{
        DisplayAs, DisplayFormatType, ExecutionPlan, PlanProperties,
        execution_plan::{Boundedness, EmissionType},
        metrics::{BaselineMetrics, ExecutionPlanMetricsSet},
        sorts::streaming_merge::StreamingMergeBuilder,
        stream::RecordBatchStreamAdapter,
    },
};
use futures::{StreamExt, TryStreamExt, stream};
use std::{fmt, sync::Arc};

/// So many full batches are held for a set of files, however many files it has.
const FULL_BATCHES: usize = 4;

/// Reads sets of files. Those of a set are of one day, each sorted by [`Self::KEYS`], and are read side by side; the
/// sets one after the other. Of each identity the first in stream order comes out.
///
/// It has no children that the optimizer sees: a filter or a limit moved below it, or a file split in two, would
/// change what is first.
#[derive(Debug)]
pub(super) struct FirstOfEach {
    /// The sets of each partition. A scan has a partition for each file of its set.
    partitions: Vec<Vec<Arc<DataSourceExec>>>,
    /// How many of a scan's columns come out: the first ones. The others are only needed to merge.
    columns: usize,
    properties: Arc<PlanProperties>,
    metrics: ExecutionPlanMetricsSet,
}

impl FirstOfEach {
    /// What files of the lake are sorted by.
    pub(super) const KEYS: [&str; 3] = ["symbol", "timestamp", "sequence"];

    /// Reads these sets in at most so many partitions.
    pub(super) fn new(sets: Vec<Arc<DataSourceExec>>, columns: usize, partitions: usize) -> Result<Self> {
        let scan = sets.first().ok_or_else(|| exec_datafusion_err!("no files"))?;
        let schema = Arc::new(scan.schema().project(&(0..columns).collect::<Vec<_>>())?);
        let each = sets.len().div_ceil(partitions.max(1));
        let partitions: Vec<Vec<_>> = sets.chunks(each).map(<[_]>::to_vec).collect();
        let properties = PlanProperties::new(
            EquivalenceProperties::new(schema),
            Partitioning::UnknownPartitioning(partitions.len()),
            EmissionType::Incremental,
            Boundedness::Bounded,
        );
        Ok(Self { partitions, columns, properties: Arc::new(properties), metrics: ExecutionPlanMetricsSet::new() })
    }

    /// The scans of all sets.
    pub(super) fn sets(&self) -> impl Iterator<Item = &DataSourceExec> {
        self.partitions.iter().flatten().map(AsRef::as_ref)
    }
}

/// The rows of a set's files in order, and of each identity the first.
fn merged(
    scan: &DataSourceExec,
    columns: usize,
    context: &Arc<TaskContext>,
    metrics: BaselineMetrics,
) -> Result<SendableRecordBatchStream> {
    let schema = scan.schema();
    let files = scan.properties().output_partitioning().partition_count();
    // A batch of each file is in memory at once: the more files, the smaller their batches.
    let rows = context.session_config().batch_size();
    let config = context.session_config().clone().with_batch_size((rows * FULL_BATCHES / files.max(1)).clamp(1, rows));
    let small = Arc::new(TaskContext::default().with_session_config(config).with_runtime(context.runtime_env()));
    let streams = (0..files).map(|file| scan.execute(file, Arc::clone(&small))).collect::<Result<_>>()?;
    let options = SortOptions { descending: false, nulls_first: false };
    let keys = FirstOfEach::KEYS
        .iter()
        .map(|key| Ok(PhysicalSortExpr::new(Arc::new(Column::new_with_schema(key, &schema)?), options)))
        .collect::<Result<Vec<_>>>()?;
    let order = LexOrdering::new(keys).ok_or_else(|| exec_datafusion_err!("no order"))?;
    let rows = StreamingMergeBuilder::new()
        .with_streams(streams)
        .with_schema(Arc::clone(&schema))
        .with_expressions(&order)
        .with_metrics(metrics)
        .with_batch_size(rows)
        .with_reservation(MemoryConsumer::new("overlapping files").register(context.memory_pool()))
        .build()?;
    let kept = (0..columns).collect::<Vec<_>>();
    let schema = Arc::new(schema.project(&kept)?);
    let mut last = None;
    let firsts = rows.map(move |batch| Ok(firsts(&batch?, &mut last)?.project(&kept)?));
    Ok(Box::pin(RecordBatchStreamAdapter::new(schema, firsts)))
}

/// The rows whose identity is not that of the row before; `last` is the identity of the last row before the batch,
/// and afterwards of the batch's own.
fn firsts(batch: &RecordBatch, last: &mut Option<(String, i64)>) -> Result<RecordBatch> {
    let column = |name| batch.column_by_name(name).ok_or_else(|| exec_datafusion_err!("no column {name}"));
    let symbols = column("symbol")?;
    let symbols = symbols.as_string_view_opt().ok_or_else(|| exec_datafusion_err!("symbols are no texts"))?;
    let times = column("timestamp")?;
    let times = times
        .as_primitive_opt::<TimestampMillisecondType>()
        .ok_or_else(|| exec_datafusion_err!("timestamps are no times"))?;
    let Some(end) = batch.num_rows().checked_sub(1) else { return Ok(batch.clone()) };
    let key = |row| (symbols.value(row), times.value(row));
    let first: BooleanArray = (0..=end)
        .map(|row| match (row.checked_sub(1), &*last) {
            (Some(before), _) => Some(key(row) != key(before)),
            (None, Some((symbol, time))) => Some(key(row) != (symbol.as_str(), *time)),
            (None, None) => Some(true),
        })
        .collect();
    let (symbol, time) = key(end);
    *last = Some((symbol.to_owned(), time));
    if first.true_count() == first.len() { Ok(batch.clone()) } else { Ok(filter_record_batch(batch, &first)?) }
}

impl DisplayAs for FirstOfEach {
    fn fmt_as(&self, _: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let files: usize = self.sets().map(|scan| scan.properties().output_partitioning().partition_count()).sum();
        write!(f, "FirstOfEach: {files} files in {} sets that overlap", self.sets().count())
    }
}

impl ExecutionPlan for FirstOfEach {
    fn name(&self) -> &'static str {
        "FirstOfEach"
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
        let sets = self.partitions.get(partition).cloned().unwrap_or_default();
        let columns = self.columns;
        let metrics = BaselineMetrics::new(&self.metrics, partition);
        let rows = stream::iter(sets).map(move |scan| merged(&scan, columns, &context, metrics.clone())).try_flatten();
        Ok(Box::pin(RecordBatchStreamAdapter::new(self.schema(), rows)))
    }
}
