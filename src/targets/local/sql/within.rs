//! Sorts within groups of rows that are together already.
//!
//! Below some windows the rows of [`SymbolScan`] are to be in another order: by symbol and sequence, or by symbol, day,
//! source and time. DataFusion would sort all rows of the lake at once, which takes as much memory or disk. Here those
//! of one symbol, or symbol and day, are sorted at a time, and often are in order as they come. Where a filter keeps
//! the first row of each group alone, that one is looked for instead; the newest of a symbol is the last it has.

use super::{
    ordered::SymbolScan,
    window::{Partitions, SortedWindow},
};
use datafusion::{
    arrow::{
        array::{ArrayRef, RecordBatch, UInt32Array, make_comparator},
        compute::{SortColumn, concat, concat_batches, lexsort_to_indices, take_record_batch},
        datatypes::{DataType, SchemaRef},
    },
    common::{ScalarValue, config::ConfigOptions, exec_datafusion_err, tree_node::TreeNodeRecursion},
    error::Result,
    execution::{SendableRecordBatchStream, TaskContext},
    logical_expr::Operator,
    physical_expr::{
        PhysicalExpr, PhysicalSortExpr,
        expressions::{BinaryExpr, Column, Literal},
        window::StandardWindowExpr,
    },
    physical_optimizer::PhysicalOptimizerRule,
    physical_plan::{
        DisplayAs, DisplayFormatType, ExecutionPlan, ExecutionPlanProperties, PlanProperties,
        coop::CooperativeExec,
        distribution_requirements::InputDistributionRequirements,
        execution_plan::{ChildrenPropertiesMode, ReplaceChildrenOptions, replace_children_if_necessary},
        filter::FilterExec,
        projection::ProjectionExec,
        sorts::sort::SortExec,
        stream::RecordBatchStreamAdapter,
        windows::{BoundedWindowAggExec, WindowUDFExpr},
    },
};
use futures::{StreamExt, TryStreamExt, stream};
use std::{cmp::Ordering, fmt, mem, sync::Arc};

/// Larger groups stay with DataFusion, which sorts them on disk. Bytes.
const MOST_BYTES: usize = 32 << 20;
/// Bytes of a value, of which text has more.
const VALUE_BYTES: usize = 16;
const TEXT_BYTES: usize = 48;

/// Puts [`SortWithin`] in the place of sorts where it can be. Has to come after the rules that place sorts, and before
/// those that replace windows.
#[derive(Debug)]
pub(super) struct UseSortWithin;

impl PhysicalOptimizerRule for UseSortWithin {
    fn optimize(&self, plan: Arc<dyn ExecutionPlan>, _: &ConfigOptions) -> Result<Arc<dyn ExecutionPlan>> {
        replace(plan, Above::Other)
    }

    fn name(&self) -> &'static str {
        "use_sort_within"
    }

    fn schema_check(&self) -> bool {
        true
    }
}

/// What takes a node's rows.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Above {
    /// A filter that keeps rows where this column is 1.
    IsOne(usize),
    /// A numbering of each group's rows, of which only the first is kept; groups are by so many columns.
    First(usize),
    Other,
}

fn replace(plan: Arc<dyn ExecutionPlan>, above: Above) -> Result<Arc<dyn ExecutionPlan>> {
    let below = if let Some(filter) = plan.downcast_ref::<FilterExec>() {
        column_that_is_one(filter.predicate()).map_or(Above::Other, Above::IsOne)
    } else {
        // The numbers are the last column.
        let are_filtered = matches!(above, Above::IsOne(column) if column + 1 == plan.schema().fields().len());
        numbers_rows(&plan).filter(|_| are_filtered).map_or(Above::Other, Above::First)
    };
    let children = plan.children().into_iter().map(|child| replace(Arc::clone(child), below));
    let plan = replace_children_if_necessary(Arc::clone(&plan), children.collect::<Result<Vec<_>>>()?)?;
    let first = if let Above::First(columns) = above { Some(columns) } else { None };
    Ok(match SortWithin::of(&plan, first) {
        Some(sort) => Arc::new(sort),
        None => plan,
    })
}

/// The column of `column = 1`, `column <= 1` or `column < 2`.
fn column_that_is_one(predicate: &Arc<dyn PhysicalExpr>) -> Option<usize> {
    let binary = predicate.downcast_ref::<BinaryExpr>()?;
    let column = binary.left().downcast_ref::<Column>()?;
    let value = binary.right().downcast_ref::<Literal>()?.value();
    let fits = matches!(
        (binary.op(), value),
        (Operator::Eq | Operator::LtEq, ScalarValue::UInt64(Some(1))) | (Operator::Lt, ScalarValue::UInt64(Some(2)))
    );
    fits.then(|| column.index())
}

/// How many columns the rows are partitioned by that a node numbers; it has to do nothing else.
fn numbers_rows(plan: &Arc<dyn ExecutionPlan>) -> Option<usize> {
    let [expr] = plan.downcast_ref::<BoundedWindowAggExec>()?.window_expr() else { return None };
    let function = expr.as_any().downcast_ref::<StandardWindowExpr>()?.get_standard_func_expr();
    let function = function.as_any().downcast_ref::<WindowUDFExpr>()?;
    (function.fun().name() == "row_number").then(|| expr.partition_by().len())
}

/// In the place of a sort whose input has its rows together by the first of what is sorted by.
#[derive(Debug)]
struct SortWithin {
    replaced: Arc<dyn ExecutionPlan>,
    input: Arc<dyn ExecutionPlan>,
    /// What the rows of a group have in common.
    group: Vec<Arc<dyn PhysicalExpr>>,
    /// What a group is sorted by.
    order: Vec<PhysicalSortExpr>,
    /// Whether only the first row of a group is needed.
    first: bool,
}

impl SortWithin {
    /// `first` is by how many columns the rows are grouped of which only the first is needed, if so.
    fn of(node: &Arc<dyn ExecutionPlan>, first: Option<usize>) -> Option<Self> {
        let sort = node.downcast_ref::<SortExec>().filter(|sort| sort.fetch().is_none())?;
        let input = sort.input();
        let rows = most_rows(input)?;
        let width = |kind: &DataType| if kind.is_string() { TEXT_BYTES } else { VALUE_BYTES };
        let row: usize = input.schema().fields().iter().map(|field| width(field.data_type())).sum();
        if rows.saturating_mul(row) > MOST_BYTES {
            return None;
        }
        let sorted_by = sort.expr().to_vec();
        let is_sorted_by = |length: &usize| {
            let prefix = sorted_by.iter().take(*length).cloned();
            input.equivalence_properties().ordering_satisfy(prefix).unwrap_or(false)
        };
        let most = first.unwrap_or(sorted_by.len());
        let together = (1..sorted_by.len()).rev().filter(|length| *length <= most).find(is_sorted_by)?;
        let (group, order) = sorted_by.split_at(together);
        let newest =
            first == Some(together) && is_column(group, "symbol", false) && is_column(order, "timestamp", true);
        Some(Self {
            replaced: Arc::clone(node),
            input: newest.then(|| last_rows(input)).flatten().unwrap_or_else(|| Arc::clone(input)),
            group: group.iter().map(|sorted| Arc::clone(&sorted.expr)).collect(),
            order: order.to_vec(),
            first: first == Some(together),
        })
    }
}

/// Whether the sort is by this column alone.
fn is_column(sorted_by: &[PhysicalSortExpr], name: &str, descending: bool) -> bool {
    let [by] = sorted_by else { return false };
    by.options.descending == descending && by.expr.downcast_ref::<Column>().is_some_and(|column| column.name() == name)
}

/// The scan by symbol of last rows alone, if the plan is such a scan and nothing else: what is between could filter
/// rows, or call another column the timestamp.
fn last_rows(plan: &Arc<dyn ExecutionPlan>) -> Option<Arc<dyn ExecutionPlan>> {
    if let Some(scan) = plan.downcast_ref::<SymbolScan>() {
        return Some(Arc::new(scan.last_rows()));
    }
    let below = last_rows(plan.downcast_ref::<CooperativeExec>()?.children().first()?)?;
    Some(Arc::new(CooperativeExec::new(below)))
}

/// The rows of the largest symbol, where they come from the scan by symbol and by no way on which they become more.
fn most_rows(plan: &Arc<dyn ExecutionPlan>) -> Option<usize> {
    if let Some(scan) = plan.downcast_ref::<SymbolScan>() {
        return Some(scan.most_rows());
    }
    let passes = plan.is::<FilterExec>()
        || plan.is::<ProjectionExec>()
        || plan.is::<BoundedWindowAggExec>()
        || plan.is::<SortedWindow>()
        || plan.is::<CooperativeExec>()
        || plan.is::<SortWithin>();
    match &plan.children()[..] {
        [child] if passes => most_rows(child),
        _ => None,
    }
}

impl DisplayAs for SortWithin {
    fn fmt_as(&self, _: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let group: Vec<_> = self.group.iter().map(ToString::to_string).collect();
        let order: Vec<_> = self.order.iter().map(ToString::to_string).collect();
        let what = if self.first { "first" } else { "all" };
        write!(f, "SortWithin: {what} by [{}] within [{}]", order.join(", "), group.join(", "))
    }
}

impl ExecutionPlan for SortWithin {
    fn name(&self) -> &'static str {
        "SortWithin"
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        self.replaced.properties()
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        vec![&self.input]
    }

    fn input_distribution_requirements(&self) -> InputDistributionRequirements {
        self.replaced.input_distribution_requirements()
    }

    fn apply_expressions(
        &self,
        visit: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> Result<TreeNodeRecursion>,
    ) -> Result<TreeNodeRecursion> {
        self.replaced.apply_expressions(visit)
    }

    fn with_new_children(self: Arc<Self>, children: Vec<Arc<dyn ExecutionPlan>>) -> Result<Arc<dyn ExecutionPlan>> {
        let options = ReplaceChildrenOptions::new(ChildrenPropertiesMode::Recompute);
        let replaced = Arc::clone(&self.replaced).replace_children(children, options)?;
        Ok(match Self::of(&replaced, self.first.then_some(self.group.len())) {
            Some(sort) => Arc::new(sort),
            None => replaced,
        })
    }

    fn execute(&self, partition: usize, context: Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        let mut groups = Groups {
            schema: self.schema(),
            group: self.group.clone(),
            order: self.order.clone(),
            first: self.first,
            rows: context.session_config().batch_size(),
            partitions: Partitions::default(),
            held: Vec::new(),
        };
        let input = self.input.execute(partition, context)?;
        let ended = stream::once(async { None });
        let sorted = input.map(Some).chain(ended).map(move |batch| match batch {
            Some(batch) => groups.batch(&batch?),
            None => groups.sorted(),
        });
        let batches = sorted.map_ok(|batches| stream::iter(batches.into_iter().map(Ok))).try_flatten();
        Ok(Box::pin(RecordBatchStreamAdapter::new(self.schema(), batches)))
    }
}

/// The rows of the group that has not ended.
struct Groups {
    schema: SchemaRef,
    group: Vec<Arc<dyn PhysicalExpr>>,
    order: Vec<PhysicalSortExpr>,
    first: bool,
    /// Of a batch.
    rows: usize,
    partitions: Partitions,
    held: Vec<RecordBatch>,
}

impl Groups {
    /// What has ended with the batch.
    fn batch(&mut self, batch: &RecordBatch) -> Result<Vec<RecordBatch>> {
        let rows = batch.num_rows();
        let group = self.group.iter().map(|expr| expr.evaluate(batch)?.into_array(rows)).collect::<Result<Vec<_>>>()?;
        let mut sorted = Vec::new();
        for part in self.partitions.next(&group, rows)? {
            if part.begins {
                sorted.extend(self.sorted()?);
            }
            self.held.push(batch.slice(part.rows.start, part.rows.len()));
        }
        Ok(sorted)
    }

    /// The rows of the group in order, which are held no longer.
    fn sorted(&mut self) -> Result<Vec<RecordBatch>> {
        let held = mem::take(&mut self.held);
        let total: usize = held.iter().map(RecordBatch::num_rows).sum();
        if total == 0 {
            return Ok(Vec::new());
        }
        let columns = self.order.iter().map(|by| {
            let each = held.iter().map(|batch| by.expr.evaluate(batch)?.into_array(batch.num_rows()));
            let each = each.collect::<Result<Vec<ArrayRef>>>()?;
            let values = concat(&each.iter().map(AsRef::as_ref).collect::<Vec<_>>())?;
            Ok(SortColumn { values, options: Some(by.options) })
        });
        let columns = columns.collect::<Result<Vec<_>>>()?;
        let each = columns
            .iter()
            .map(|column| Ok(make_comparator(&column.values, &column.values, column.options.unwrap_or_default())?));
        let each = each.collect::<Result<Vec<_>>>()?;
        let compare = |a: usize, b: usize| {
            each.iter().map(|compare| compare(a, b)).find(|order| order.is_ne()).unwrap_or(Ordering::Equal)
        };
        let rows = if self.first {
            let first = (1..total).fold(0, |first, row| if compare(row, first).is_lt() { row } else { first });
            UInt32Array::from(vec![u32::try_from(first).map_err(|e| exec_datafusion_err!("{e}"))?])
        } else if (1..total).all(|row| compare(row - 1, row).is_le()) {
            return Ok(held);
        } else {
            lexsort_to_indices(&columns, None)?
        };
        let all = concat_batches(&self.schema, &held)?;
        let starts = (0..rows.len()).step_by(self.rows.max(1));
        let batches = starts.map(|start| {
            let some = rows.slice(start, self.rows.min(rows.len() - start));
            Ok(take_record_batch(&all, &some)?)
        });
        batches.collect()
    }
}
