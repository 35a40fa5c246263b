//! Groups whose rows follow one another.
//!
//! Files are sorted by symbol, and each is of one day: of rows grouped by symbol, day or both, those of a group come
//! one after the other. DataFusion looks up the group of each row in a hash table all the same. [`GroupRuns`] compares
//! each row with the one before instead, and numbers the groups as they come. It takes the place of a first stage, which
//! hands on what it has of a group for a second stage to merge: there a group that comes again is merged as well. Where
//! rows are known to be sorted by all that they are grouped by, no group does, and it takes the place of both stages.

use super::window::{Partitions, is_plain};
use datafusion::{
    arrow::{
        array::{ArrayRef, AsArray, RecordBatch, RecordBatchOptions, UInt32Array},
        compute::{concat, take},
        datatypes::SchemaRef,
    },
    common::{
        config::ConfigOptions,
        exec_datafusion_err,
        tree_node::{Transformed, TreeNode, TreeNodeRecursion},
    },
    error::Result,
    execution::{SendableRecordBatchStream, TaskContext},
    logical_expr::{EmitTo, GroupsAccumulator},
    physical_expr::{PhysicalExpr, aggregate::AggregateFunctionExpr, expressions::Column},
    physical_optimizer::PhysicalOptimizerRule,
    physical_plan::{
        DisplayAs, DisplayFormatType, ExecutionPlan, InputOrderMode, PlanProperties,
        aggregates::{AggregateExec, AggregateMode},
        distribution_requirements::InputDistributionRequirements,
        execution_plan::{ChildrenPropertiesMode, ReplaceChildrenOptions},
        stream::RecordBatchStreamAdapter,
    },
};
use futures::{StreamExt, TryStreamExt, stream};
use std::{fmt, iter, mem, sync::Arc};

/// What rows that are not known to be sorted can be grouped by for their groups to be runs.
const KEYS: [&str; 2] = ["symbol", "dt"];
/// What is worked out of a group in memory that does not grow with its rows.
const FUNCTIONS: [&str; 10] =
    ["avg", "bool_and", "bool_or", "count", "max", "max_by", "min", "min_by", "stddev", "sum"];

/// Puts [`GroupRuns`] in the place of DataFusion's operator where it can be. Has to come after the rules that look for
/// that one.
#[derive(Debug)]
pub(super) struct UseGroupRuns;

impl PhysicalOptimizerRule for UseGroupRuns {
    fn optimize(&self, plan: Arc<dyn ExecutionPlan>, _: &ConfigOptions) -> Result<Arc<dyn ExecutionPlan>> {
        let replaced = plan.transform_up(|node| match GroupRuns::of(&node) {
            Some(groups) => Ok(Transformed::yes(Arc::new(groups))),
            None => Ok(Transformed::no(node)),
        })?;
        Ok(replaced.data)
    }

    fn name(&self) -> &'static str {
        "use_group_runs"
    }

    fn schema_check(&self) -> bool {
        true
    }
}

/// In the place of an operator of DataFusion's, with the same columns, types, order and partitioning.
#[derive(Debug)]
struct GroupRuns {
    replaced: Arc<dyn ExecutionPlan>,
    input: Arc<dyn ExecutionPlan>,
    keys: Vec<Arc<dyn PhysicalExpr>>,
    functions: Vec<Known>,
    /// Whether no group comes again, and there is no second stage.
    whole: bool,
}

/// A function of the rows of a group.
#[derive(Debug)]
struct Known {
    function: Arc<AggregateFunctionExpr>,
    /// Which rows count.
    filter: Option<Arc<dyn PhysicalExpr>>,
}

impl GroupRuns {
    fn of(node: &Arc<dyn ExecutionPlan>) -> Option<Self> {
        let groups = node.downcast_ref::<AggregateExec>()?;
        let by = groups.group_expr();
        let is_sorted = *groups.input_order_mode() == InputOrderMode::Sorted;
        let whole = match groups.mode() {
            AggregateMode::Partial => false,
            AggregateMode::Single | AggregateMode::SinglePartitioned if is_sorted => true,
            _ => return None,
        };
        if !by.is_single() || groups.limit_options().is_some() {
            return None;
        }
        let keys = by.input_exprs();
        let schema = groups.input().schema();
        let is_key = |key: &Arc<dyn PhysicalExpr>| {
            let is_named = key.downcast_ref::<Column>().is_some_and(|column| KEYS.contains(&column.name()));
            (is_sorted || is_named) && key.data_type(&schema).is_ok_and(|kind| is_plain(&kind))
        };
        let is_known = |function: &Arc<AggregateFunctionExpr>| {
            FUNCTIONS.contains(&function.fun().name())
                && function.groups_accumulator_supported()
                && !function.is_distinct()
                && function.order_bys().is_empty()
        };
        if keys.is_empty() || !keys.iter().all(is_key) || !groups.aggr_expr().iter().all(is_known) {
            return None;
        }
        let functions = iter::zip(groups.aggr_expr(), groups.filter_expr());
        let functions =
            functions.map(|(function, filter)| Known { function: Arc::clone(function), filter: filter.clone() });
        Some(Self {
            replaced: Arc::clone(node),
            input: Arc::clone(groups.input()),
            keys,
            functions: functions.collect(),
            whole,
        })
    }
}

impl DisplayAs for GroupRuns {
    fn fmt_as(&self, _: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let keys: Vec<_> = self.keys.iter().map(ToString::to_string).collect();
        let functions: Vec<_> = self.functions.iter().map(|known| known.function.name()).collect();
        let what = if self.whole { "groups" } else { "parts of groups" };
        write!(f, "GroupRuns: {what} by [{}]: {}", keys.join(", "), functions.join(", "))
    }
}

impl ExecutionPlan for GroupRuns {
    fn name(&self) -> &'static str {
        "GroupRuns"
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
        Ok(match Self::of(&replaced) {
            Some(groups) => Arc::new(groups),
            None => replaced,
        })
    }

    fn execute(&self, partition: usize, context: Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        let function = |Known { function, filter }: &Known| {
            let values = function.create_groups_accumulator()?;
            Ok(Function { arguments: function.expressions(), filter: filter.clone(), values })
        };
        let mut groups = Groups {
            schema: self.schema(),
            keys: self.keys.clone(),
            functions: self.functions.iter().map(function).collect::<Result<_>>()?,
            whole: self.whole,
            partitions: Partitions::default(),
            most: context.session_config().batch_size(),
            count: 0,
            begun: Vec::new(),
        };
        let input = self.input.execute(partition, context)?;
        let ended = stream::once(async { None });
        let batches = input.map(Some).chain(ended).map(move |batch| match batch {
            Some(batch) => groups.batch(&batch?),
            None => groups.take(EmitTo::All),
        });
        let batches = batches.try_filter_map(|batch| async move { Ok(batch) });
        Ok(Box::pin(RecordBatchStreamAdapter::new(self.schema(), batches)))
    }
}

/// The groups since some were last handed on.
struct Groups {
    schema: SchemaRef,
    keys: Vec<Arc<dyn PhysicalExpr>>,
    functions: Vec<Function>,
    whole: bool,
    partitions: Partitions,
    /// So many are handed on.
    most: usize,
    count: usize,
    /// Their keys, from the batches in which they began.
    begun: Vec<Vec<ArrayRef>>,
}

/// A function at work.
struct Function {
    arguments: Vec<Arc<dyn PhysicalExpr>>,
    filter: Option<Arc<dyn PhysicalExpr>>,
    values: Box<dyn GroupsAccumulator>,
}

impl Groups {
    /// Takes a batch in, and hands on the groups so far if they are enough.
    fn batch(&mut self, batch: &RecordBatch) -> Result<Option<RecordBatch>> {
        let rows = batch.num_rows();
        let column = |expr: &Arc<dyn PhysicalExpr>| -> Result<ArrayRef> { expr.evaluate(batch)?.into_array(rows) };
        let keys = self.keys.iter().map(column).collect::<Result<Vec<_>>>()?;
        let (mut starts, mut group_of_row) = (Vec::new(), Vec::with_capacity(rows));
        for part in self.partitions.next_unsorted(&keys, rows)? {
            // The first after some were handed on begins anew.
            if part.begins || self.count == 0 {
                starts.push(u32::try_from(part.rows.start).map_err(|e| exec_datafusion_err!("{e}"))?);
                self.count += 1;
            }
            group_of_row.resize(part.rows.end, self.count.saturating_sub(1));
        }
        if !starts.is_empty() {
            let starts = UInt32Array::from(starts);
            self.begun.push(keys.iter().map(|key| Ok(take(key, &starts, None)?)).collect::<Result<_>>()?);
        }
        for Function { arguments, filter, values } in &mut self.functions {
            let arguments = arguments.iter().map(column).collect::<Result<Vec<_>>>()?;
            let filter = filter.as_ref().map(column).transpose()?;
            let filter = filter.as_ref().map(|filter| filter.as_boolean());
            values.update_batch(&arguments, &group_of_row, filter, self.count)?;
        }
        match self.count {
            count if count < self.most => Ok(None),
            // The last has perhaps not ended.
            count if self.whole => self.take(EmitTo::First(count.saturating_sub(1))),
            _ => self.take(EmitTo::All),
        }
    }

    /// Hands on so many of the groups.
    fn take(&mut self, which: EmitTo) -> Result<Option<RecordBatch>> {
        let begun = mem::take(&mut self.begun);
        let taken = match which {
            EmitTo::All => self.count,
            EmitTo::First(count) => count,
        };
        if taken == 0 {
            self.begun = begun;
            return Ok(None);
        }
        let (mut columns, mut left) = (Vec::new(), Vec::new());
        for key in 0..self.keys.len() {
            let pieces: Vec<_> = begun.iter().filter_map(|keys| keys.get(key)).map(AsRef::as_ref).collect();
            let keys = concat(&pieces)?;
            columns.push(keys.slice(0, taken));
            left.push(keys.slice(taken, keys.len() - taken));
        }
        self.count -= taken;
        if self.count > 0 {
            self.begun.push(left);
        }
        for Function { values, .. } in &mut self.functions {
            if self.whole {
                columns.push(values.evaluate(which)?);
            } else {
                columns.extend(values.state(which)?);
            }
        }
        let options = RecordBatchOptions::new().with_row_count(Some(taken));
        Ok(Some(RecordBatch::try_new_with_options(Arc::clone(&self.schema), columns, &options)?))
    }
}
