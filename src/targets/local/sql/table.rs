//! The lake as a table: exactly the files of the list, pruned before they are opened.

use super::{
    LakeFile,
    first::FirstOfEach,
    footers,
    ordered::{LakeScan, SymbolScan, Unopened},
};
use datafusion::{
    arrow::{
        array::{AsArray, RecordBatch, StringViewArray},
        datatypes::{DataType, Field, Schema, SchemaRef},
    },
    catalog::{Session, TableProvider},
    common::{
        DFSchema, ScalarValue, Statistics, exec_datafusion_err, project_schema, pruning::PrunableStatistics,
        stats::Precision,
    },
    config::TableParquetOptions,
    datasource::{
        TableType,
        listing::PartitionedFile,
        physical_plan::{
            FileGroup, FileScanConfig, FileScanConfigBuilder, ParquetSource,
            parquet::{CachedParquetFileReaderFactory, CachedParquetMetaData},
        },
        source::DataSourceExec,
        table_schema::TableSchema,
    },
    error::Result,
    execution::{cache::cache_manager::CachedFileMetadataEntry, object_store::ObjectStoreUrl},
    logical_expr::{Expr, TableProviderFilterPushDown, utils::conjunction},
    object_store::{ObjectMeta, path::Path},
    parquet::file::metadata::ParquetMetaData,
    physical_expr::PhysicalExpr,
    physical_optimizer::pruning::PruningPredicateBuilder,
    physical_plan::{ExecutionPlan, empty::EmptyExec, union::UnionExec},
};
use pipeline::lake::schema as file_schema;
use std::{iter::zip, sync::Arc};

/// The day, which is the name of a file's folder and no column of it.
const DAY: &str = "dt";
/// What of its quotes the list of files knows bounds of, or has in an order that footers say nothing of.
const LISTED: [&str; 3] = [DAY, "symbol", "timestamp"];
/// What an identity is, beside the day that follows from it.
const IDENTITY: [&str; 2] = ["symbol", "timestamp"];
/// As much of a file's end as is read at once, in bytes: the footer of all but the largest files.
const FOOTER: usize = 32 << 10;

/// A file, as DataFusion is told of it.
#[derive(Clone, Debug)]
struct File {
    listed: LakeFile,
    scanned: PartitionedFile,
    statistics: Arc<Statistics>,
    unopened: Arc<Unopened>,
}

/// The table.
#[derive(Debug)]
pub(super) struct LakeTable {
    schema: TableSchema,
    /// In the order of time.
    files: Vec<File>,
    /// Whether footers are read before the files, and scans can be turned into ones by symbol.
    own_ways: bool,
}

impl LakeTable {
    /// The table of these files. With `own_ways` they are read as [`super::footers`] and [`super::ordered`] have it.
    pub(super) fn new(mut files: Vec<LakeFile>, own_ways: bool) -> Result<Self> {
        files.sort_by(|a, b| (a.dt, a.first, a.last, &a.path).cmp(&(b.dt, b.first, b.last, &b.path)));
        let fields = file_schema().fields().iter().map(in_memory).collect::<Vec<_>>();
        let day = Arc::new(Field::new(DAY, DataType::Utf8View, false));
        let schema = TableSchema::builder(Arc::new(Schema::new(fields))).with_table_partition_cols(vec![day]).build();
        let files = files.into_iter().map(|file| File::new(file, schema.table_schema())).collect::<Result<_>>()?;
        Ok(Self { schema, files, own_ways })
    }

    /// The files that may have rows for the filters. Those on the day alone are applied exactly.
    fn pruned(&self, session: &dyn Session, filters: &[Expr]) -> Result<Vec<&File>> {
        let (on_day, others): (Vec<_>, Vec<_>) = filters.iter().cloned().partition(names_day_alone);
        let mut keep = vec![true; self.files.len()];
        if let Some(filter) = conjunction(on_day) {
            let schema = Arc::new(Schema::new(vec![Field::new(DAY, DataType::Utf8View, false)]));
            let filter = session.create_physical_expr(filter, &DFSchema::try_from(Arc::clone(&schema))?)?;
            let days: StringViewArray = self.files.iter().map(|f| Some(f.listed.dt.to_string())).collect();
            let batch = RecordBatch::try_new(schema, vec![Arc::new(days)])?;
            let holds = filter.evaluate(&batch)?.into_array(self.files.len())?;
            let holds = holds.as_boolean_opt().ok_or_else(|| exec_datafusion_err!("a filter is no condition"))?;
            for (keep, holds) in keep.iter_mut().zip(holds) {
                *keep = holds == Some(true);
            }
        }
        if let Some(filter) = self.physical(session, others)? {
            let schema = self.schema.table_schema();
            let statistics = self.files.iter().map(|f| Arc::clone(&f.statistics)).collect();
            let may_hold = PruningPredicateBuilder::new()
                .with_file_schema(Arc::clone(schema))
                .try_build(filter)?
                .prune(&PrunableStatistics::new(statistics, Arc::clone(schema)))?;
            for (keep, may_hold) in keep.iter_mut().zip(may_hold) {
                *keep &= may_hold;
            }
        }
        Ok(self.files.iter().zip(keep).filter_map(|(file, keep)| keep.then_some(file)).collect())
    }

    /// The files, none of which overlap, that may have rows for the filters by what their footers say.
    fn pruned_by_footers<'a>(
        &self,
        session: &dyn Session,
        files: Vec<&'a File>,
        filters: &[Expr],
    ) -> Result<Vec<&'a File>> {
        // What the list says of the files has been looked at.
        let more = filters.iter().filter(|filter| !names_only(filter, &LISTED)).cloned().collect();
        let Some(filter) = self.physical(session, more)?.filter(|_| files.len() <= footers::MOST_FILES) else {
            return Ok(files);
        };
        let schema = Arc::clone(self.schema.table_schema());
        let filter = PruningPredicateBuilder::new().with_file_schema(schema).try_build(filter)?;
        if filter.always_true() {
            return Ok(files);
        }
        let listed: Vec<_> = files.iter().map(|file| &file.listed).collect();
        let footers = footers::read(&listed, session.config().target_partitions());
        let may_hold = footers::may_hold(&footers, self.schema.file_schema(), &filter)?;
        let known = session.runtime_env().cache_manager.get_file_metadata_cache();
        let keep = |((file, footer), may_hold): ((&'a File, Option<Arc<ParquetMetaData>>), bool)| {
            if let Some(footer) = footer.filter(|_| may_hold) {
                let object = &file.scanned.object_meta;
                let footer = Arc::new(CachedParquetMetaData::new(footer));
                known.put(&object.location, CachedFileMetadataEntry::new(object.clone(), footer));
            }
            may_hold.then_some(file)
        };
        Ok(zip(zip(files, footers), may_hold).filter_map(keep).collect())
    }

    fn physical(&self, session: &dyn Session, filters: Vec<Expr>) -> Result<Option<Arc<dyn PhysicalExpr>>> {
        let schema = DFSchema::try_from(Arc::clone(self.schema.table_schema()))?;
        conjunction(filters).map(|filter| session.create_physical_expr(filter, &schema)).transpose()
    }

    /// How the files are read.
    fn source(&self, session: &dyn Session) -> Result<ParquetSource> {
        let runtime = session.runtime_env();
        let store = runtime.object_store(ObjectStoreUrl::local_filesystem())?;
        let footers = runtime.cache_manager.get_file_metadata_cache();
        let options =
            TableParquetOptions { global: session.config_options().execution.parquet.clone(), ..Default::default() };
        Ok(ParquetSource::new(self.schema.clone())
            .with_table_parquet_options(options)
            .with_metadata_size_hint(FOOTER)
            .with_parquet_file_reader_factory(Arc::new(CachedParquetFileReaderFactory::new(store, footers))))
    }

    /// Reads these columns of these files, with a partition for each group.
    fn reading(
        &self,
        source: ParquetSource,
        groups: Vec<FileGroup>,
        columns: Vec<usize>,
        limit: Option<usize>,
    ) -> Result<Arc<DataSourceExec>> {
        let statistics = groups.iter().flat_map(FileGroup::iter).filter_map(|file| file.statistics.as_deref());
        let statistics = Statistics::try_merge_iter(statistics, self.schema.table_schema())?;
        let config = FileScanConfigBuilder::new(ObjectStoreUrl::local_filesystem(), Arc::new(source))
            .with_file_groups(groups)
            .with_statistics(statistics)
            .with_projection_indices(Some(columns))?
            .with_limit(limit)
            .build();
        Ok(DataSourceExec::from_data_source(config))
    }

    /// The scan of these files, which can also be one by symbol.
    fn either_way(
        &self,
        session: &dyn Session,
        ordinary: Arc<dyn ExecutionPlan>,
        files: Vec<Arc<Unopened>>,
        columns: Vec<usize>,
        filters: &[Expr],
    ) -> Result<LakeScan> {
        let on_symbols = filters.iter().filter(|f| names_only(f, &["symbol"])).cloned();
        let symbols = conjunction(on_symbols)
            .map(|filter| {
                let schema = Schema::new(vec![Field::new("symbol", DataType::Utf8View, false)]);
                session.create_physical_expr(filter, &DFSchema::try_from(Arc::new(schema))?)
            })
            .transpose()?;
        let file_schema = Arc::clone(self.schema.file_schema());
        let partitions = session.config().target_partitions();
        Ok(LakeScan { ordinary, files, file_schema, columns, symbols, partitions })
    }

    /// The first quote of each identity in files that overlap, a set of them at a time.
    ///
    /// Of the filters only those on the identity may reach these files: any other could hide the first quote of one
    /// and so show the second.
    fn first_of_each(
        &self,
        session: &dyn Session,
        sets: &[Vec<&File>],
        columns: &[usize],
        filters: &[Expr],
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let on_identity = filters.iter().filter(|f| names_only(f, &IDENTITY)).cloned().collect();
        let mut source = self.source(session)?;
        if let Some(filter) = self.physical(session, on_identity)? {
            source = source.with_predicate(filter);
        }
        let mut read = columns.to_vec();
        for key in FirstOfEach::KEYS {
            let key = self.schema.table_schema().index_of(key)?;
            if !read.contains(&key) {
                read.push(key);
            }
        }
        let sets = sets
            .iter()
            .map(|files| {
                let groups = files.iter().map(|file| FileGroup::new(vec![file.scanned.clone()])).collect();
                self.reading(source.clone(), groups, read.clone(), None)
            })
            .collect::<Result<_>>()?;
        Ok(Arc::new(FirstOfEach::new(sets, columns.len(), session.config().target_partitions())?))
    }
}

#[async_trait::async_trait]
impl TableProvider for LakeTable {
    fn schema(&self) -> SchemaRef {
        Arc::clone(self.schema.table_schema())
    }

    fn table_type(&self) -> TableType {
        TableType::Base
    }

    fn supports_filters_pushdown(&self, filters: &[&Expr]) -> Result<Vec<TableProviderFilterPushDown>> {
        let support = |filter: &&Expr| {
            if names_day_alone(filter) {
                TableProviderFilterPushDown::Exact
            } else {
                TableProviderFilterPushDown::Inexact
            }
        };
        Ok(filters.iter().map(support).collect())
    }

    async fn scan(
        &self,
        session: &dyn Session,
        projection: Option<&Vec<usize>>,
        filters: &[Expr],
        limit: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let columns = projection.cloned().unwrap_or_else(|| (0..self.schema.table_schema().fields().len()).collect());
        let (overlapping, single): (Vec<_>, Vec<_>) =
            overlapping(self.pruned(session, filters)?).into_iter().partition(|files| files.len() > 1);
        let mut plans: Vec<Arc<dyn ExecutionPlan>> = Vec::new();
        let mut single: Vec<_> = single.into_iter().flatten().collect();
        if self.own_ways {
            single = self.pruned_by_footers(session, single, filters)?;
        }
        if !single.is_empty() {
            let files = FileGroup::new(single.iter().map(|file| file.scanned.clone()).collect());
            let groups = files.split_files(session.config().target_partitions());
            let ordinary = self.reading(self.source(session)?, groups, columns.clone(), limit)?;
            if self.own_ways && overlapping.is_empty() {
                let files = single.iter().map(|file| Arc::clone(&file.unopened)).collect();
                return Ok(Arc::new(self.either_way(session, ordinary, files, columns, filters)?));
            }
            plans.push(ordinary);
        }
        if !overlapping.is_empty() {
            plans.push(self.first_of_each(session, &overlapping, &columns, filters)?);
        }
        match plans.len() {
            0 => Ok(Arc::new(EmptyExec::new(project_schema(self.schema.table_schema(), Some(&columns))?))),
            1 => Ok(plans.remove(0)),
            _ => UnionExec::try_new(plans),
        }
    }
}

impl File {
    fn new(listed: LakeFile, schema: &Schema) -> Result<Self> {
        let time =
            |time: pipeline::Timestamp| Precision::Exact(ScalarValue::TimestampMillisecond(Some(time.millis()), None));
        let mut statistics = Statistics::new_unknown(&file_schema());
        statistics.num_rows = Precision::Exact(usize::try_from(listed.rows).unwrap_or(usize::MAX));
        if let Some(times) = statistics.column_statistics.get_mut(schema.index_of("timestamp")?) {
            times.null_count = Precision::Exact(0);
            (times.min_value, times.max_value) = (time(listed.first), time(listed.last));
        }
        // Files never change under their name, so when they did last is of no interest.
        let object = ObjectMeta {
            location: Path::from_absolute_path(&listed.path)?,
            last_modified: chrono::DateTime::UNIX_EPOCH,
            size: listed.bytes,
            e_tag: None,
            version: None,
        };
        let scanned = PartitionedFile::new_from_meta(object)
            .with_partition_values(vec![ScalarValue::Utf8View(Some(listed.dt.to_string()))])
            .with_statistics(Arc::new(statistics));
        let statistics = scanned.statistics.clone().unwrap_or_default();
        let unopened = Arc::new(Unopened::new(listed.clone()));
        Ok(Self { listed, scanned, statistics, unopened })
    }
}

/// How a file's column is held in memory: texts as views, which are cheaper to select from.
fn in_memory(column: &Arc<Field>) -> Field {
    match column.data_type() {
        DataType::Utf8 => column.as_ref().clone().with_data_type(DataType::Utf8View),
        _ => column.as_ref().clone(),
    }
}

/// Whether the filter can be told from the day alone, and always in the same way.
fn names_day_alone(filter: &Expr) -> bool {
    names_only(filter, &[DAY])
}

fn names_only(filter: &Expr, names: &[&str]) -> bool {
    let columns = filter.column_refs();
    !columns.is_empty() && columns.iter().all(|c| names.contains(&c.name.as_str())) && !filter.is_volatile()
}

/// The files, which are in the order of time, in sets: files of one set overlap, those of two sets do not.
fn overlapping(files: Vec<&File>) -> Vec<Vec<&File>> {
    let mut sets: Vec<Vec<&File>> = Vec::new();
    let mut end = None;
    for file in files {
        let key = (file.listed.dt, file.listed.first);
        match sets.last_mut() {
            Some(set) if end.is_some_and(|end| key <= end) => set.push(file),
            _ => sets.push(vec![file]),
        }
        end = end.max(Some((file.listed.dt, file.listed.last)));
    }
    sets
}

/// The length of the files that a plan reads, in bytes.
pub(super) fn bytes(plan: &Arc<dyn ExecutionPlan>) -> u64 {
    let own = if let Some(first) = plan.downcast_ref::<FirstOfEach>() {
        first.sets().map(files_bytes).sum()
    } else if let Some(scan) = plan.downcast_ref::<SymbolScan>() {
        scan.bytes()
    } else {
        plan.downcast_ref::<DataSourceExec>().map_or(0, files_bytes)
    };
    own + plan.children().into_iter().map(bytes).sum::<u64>()
}

fn files_bytes(scan: &DataSourceExec) -> u64 {
    let Some(config) = scan.data_source().downcast_ref::<FileScanConfig>() else { return 0 };
    let size = |file: &PartitionedFile| match &file.range {
        // A large file is read in ranges, by several threads.
        Some(range) => u64::try_from(range.end - range.start).unwrap_or(0),
        None => file.object_meta.size,
    };
    config.file_groups.iter().flat_map(FileGroup::iter).map(size).sum()
}
