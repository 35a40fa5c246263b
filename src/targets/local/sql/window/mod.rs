//! Window functions over sorted input, a batch at a time.
//!
//! DataFusion's own operator works out the frame of each row and asks the function for its value, row by row. Where
//! the rows of a partition follow one another and every function is one of a few ([`Known`]), [`SortedWindow`] takes
//! its place: it finds where partitions end by galloping, runs a loop per function, and carries what a function has
//! to remember from one batch to the next. All else stays as it is.

mod kernels;
mod known;
mod partitions;

use datafusion::{
    arrow::{
        array::{ArrayRef, RecordBatch, RecordBatchOptions},
        datatypes::{DataType, SchemaRef},
    },
    common::{
        config::ConfigOptions,
        exec_datafusion_err,
        tree_node::{Transformed, TreeNode, TreeNodeRecursion},
    },
    error::Result,
    execution::{SendableRecordBatchStream, TaskContext},
    physical_expr::{OrderingRequirements, PhysicalExpr},
    physical_optimizer::PhysicalOptimizerRule,
    physical_plan::{
        DisplayAs, DisplayFormatType, ExecutionPlan, InputOrderMode, PlanProperties,
        distribution_requirements::InputDistributionRequirements,
        execution_plan::{ChildrenPropertiesMode, ReplaceChildrenOptions},
        stream::RecordBatchStreamAdapter,
        windows::BoundedWindowAggExec,
    },
};
use futures::StreamExt;
use kernels::Kernel;
use known::Known;
pub(super) use partitions::Partitions;
use std::{fmt, sync::Arc};

/// Puts [`SortedWindow`] in the place of DataFusion's operator where it can be. Has to come after the rules that look
/// for that one.
#[derive(Debug)]
pub(super) struct UseSortedWindow;

impl PhysicalOptimizerRule for UseSortedWindow {
    fn optimize(&self, plan: Arc<dyn ExecutionPlan>, _: &ConfigOptions) -> Result<Arc<dyn ExecutionPlan>> {
        let replaced = plan.transform_up(|node| match SortedWindow::of(&node) {
            Some(window) => Ok(Transformed::yes(Arc::new(window))),
            None => Ok(Transformed::no(node)),
        })?;
        Ok(replaced.data)
    }

    fn name(&self) -> &'static str {
        "use_sorted_window"
    }

    fn schema_check(&self) -> bool {
        true
    }
}

/// In the place of an operator of DataFusion's, with the same columns, types, order and partitioning.
#[derive(Debug)]
pub(super) struct SortedWindow {
    replaced: Arc<dyn ExecutionPlan>,
    input: Arc<dyn ExecutionPlan>,
    keys: Vec<Arc<dyn PhysicalExpr>>,
    functions: Vec<Known>,
}

impl SortedWindow {
    fn of(node: &Arc<dyn ExecutionPlan>) -> Option<Self> {
        let window = node.downcast_ref::<BoundedWindowAggExec>()?;
        if window.input_order_mode != InputOrderMode::Sorted {
            return None;
        }
        let input = window.input();
        let schema = input.schema();
        // The expressions of a node share their partitions.
        let keys = window.window_expr().first()?.partition_by().to_vec();
        let are_plain = keys.iter().all(|key| key.data_type(&schema).is_ok_and(|kind| is_plain(&kind)));
        let functions = window.window_expr().iter().map(|expr| Known::of(expr, &schema)).collect::<Option<_>>()?;
        are_plain.then(|| Self { replaced: Arc::clone(node), input: Arc::clone(input), keys, functions })
    }
}

/// Whether values of the type are equal in one way only, as floating point numbers are not.
pub(super) fn is_plain(kind: &DataType) -> bool {
    kind.is_integer()
        || kind.is_string()
        || matches!(kind, DataType::Boolean | DataType::Timestamp(..) | DataType::Date32 | DataType::Decimal128(..))
}

impl DisplayAs for SortedWindow {
    fn fmt_as(&self, _: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let functions: Vec<_> = self.functions.iter().map(ToString::to_string).collect();
        let keys: Vec<_> = self.keys.iter().map(ToString::to_string).collect();
        write!(f, "SortedWindow: {} by [{}]", functions.join(", "), keys.join(", "))
    }
}

impl ExecutionPlan for SortedWindow {
    fn name(&self) -> &'static str {
        "SortedWindow"
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

    fn required_input_ordering(&self) -> Vec<Option<OrderingRequirements>> {
        self.replaced.required_input_ordering()
    }

    fn maintains_input_order(&self) -> Vec<bool> {
        vec![true]
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
        Ok(match Self::of(&replaced) {
            Some(window) => Arc::new(window),
            None => replaced,
        })
    }

    fn execute(&self, partition: usize, context: Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        let mut running = Running {
            schema: self.schema(),
            keys: self.keys.clone(),
            partitions: Partitions::default(),
            functions: self.functions.iter().map(|f| Function { argument: f.argument(), kernel: f.kernel() }).collect(),
        };
        let batches = self.input.execute(partition, context)?.map(move |batch| running.batch(&batch?));
        Ok(Box::pin(RecordBatchStreamAdapter::new(self.schema(), batches)))
    }
}

/// What is remembered from batch to batch.
struct Running {
    schema: SchemaRef,
    keys: Vec<Arc<dyn PhysicalExpr>>,
    partitions: Partitions,
    functions: Vec<Function>,
}

/// A function at work.
struct Function {
    /// What it is of.
    argument: Option<Arc<dyn PhysicalExpr>>,
    kernel: Box<dyn Kernel>,
}

impl Running {
    /// The batch with a column for each function.
    fn batch(&mut self, batch: &RecordBatch) -> Result<RecordBatch> {
        let rows = batch.num_rows();
        let column = |expr: &Arc<dyn PhysicalExpr>| -> Result<ArrayRef> { expr.evaluate(batch)?.into_array(rows) };
        let keys = self.keys.iter().map(column).collect::<Result<Vec<_>>>()?;
        let parts = self.partitions.next(&keys, rows)?;
        let mut columns = batch.columns().to_vec();
        for Function { argument, kernel } in &mut self.functions {
            let argument = argument.as_ref().map(column).transpose()?;
            let values = kernel.batch(argument.as_ref(), &parts)?;
            if values.len() != rows {
                return Err(exec_datafusion_err!("a window function gave {} values for {rows} rows", values.len()));
            }
            columns.push(values);
        }
        let options = RecordBatchOptions::new().with_row_count(Some(rows));
        Ok(RecordBatch::try_new_with_options(Arc::clone(&self.schema), columns, &options)?)
    }
}
