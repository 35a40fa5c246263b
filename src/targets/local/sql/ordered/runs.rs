//! Where in a file its symbols are.

use super::super::LakeFile;
use datafusion::{
    arrow::{
        array::AsArray,
        datatypes::{DataType, Field, Int32Type, Schema, SchemaRef},
    },
    common::{exec_datafusion_err, exec_err},
    error::Result,
    parquet::{
        arrow::{
            ProjectionMask,
            arrow_reader::{ArrowReaderMetadata, ArrowReaderOptions, ParquetRecordBatchReaderBuilder},
        },
        file::metadata::PageIndexPolicy,
    },
};
use std::{
    fs::File,
    ops::Range,
    path::PathBuf,
    sync::{Arc, OnceLock},
};

/// Rows whose symbols are read at once.
const ROWS: usize = 1 << 16;

/// The rows of a symbol in a file: they follow one another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Run {
    pub(super) symbol: Arc<str>,
    pub(super) rows: Range<usize>,
}

/// A file whose footer has been read.
#[derive(Clone, Debug)]
pub(super) struct SortedFile {
    pub(super) path: PathBuf,
    pub(super) dt: String,
    pub(super) metadata: ArrowReaderMetadata,
    /// By symbol, each once.
    pub(super) runs: Vec<Run>,
}

/// A file that is looked into when it is first needed, and once.
#[derive(Debug)]
pub(in super::super) struct Unopened {
    listed: LakeFile,
    opened: OnceLock<Option<Arc<SortedFile>>>,
}

impl Unopened {
    pub(in super::super) const fn new(listed: LakeFile) -> Self {
        Self { listed, opened: OnceLock::new() }
    }

    /// The file; none if it cannot be read or is not sorted by symbol. `columns` are those of all files.
    pub(super) fn open(&self, columns: &SchemaRef) -> Option<Arc<SortedFile>> {
        // The ordinary scan takes over then, and says what is wrong.
        self.opened.get_or_init(|| SortedFile::open(&self.listed, columns).ok().map(Arc::new)).clone()
    }

    pub(super) const fn listed(&self) -> &LakeFile {
        &self.listed
    }
}

impl SortedFile {
    fn open(listed: &LakeFile, columns: &SchemaRef) -> Result<Self> {
        let file = File::open(&listed.path)?;
        // The page index, by which pages that are not needed are passed over.
        let options = ArrowReaderOptions::new()
            .with_page_index_policy(PageIndexPolicy::Optional)
            .with_schema(Arc::clone(columns));
        let metadata = ArrowReaderMetadata::load(&file, options)?;
        let runs = runs(file, &metadata, columns)?;
        Ok(Self { path: listed.path.clone(), dt: listed.dt.to_string(), metadata, runs })
    }

    pub(super) fn rows(&self) -> Result<usize> {
        let rows = self.metadata.metadata().file_metadata().num_rows();
        usize::try_from(rows).map_err(|e| exec_datafusion_err!("{}: {e}", self.path.display()))
    }
}

/// The runs of a file, from its symbols: these are a few numbers of a dictionary, each with how often it comes.
fn runs(file: File, metadata: &ArrowReaderMetadata, columns: &SchemaRef) -> Result<Vec<Run>> {
    let place = columns.index_of("symbol")?;
    let as_numbers = DataType::Dictionary(Box::new(DataType::Int32), Box::new(DataType::Utf8));
    let fields = columns.fields().iter().enumerate().map(|(i, field)| {
        let kind = if i == place { &as_numbers } else { field.data_type() };
        field.as_ref().clone().with_data_type(kind.clone())
    });
    let schema: SchemaRef = Arc::new(Schema::new(fields.collect::<Vec<Field>>()));
    let metadata =
        ArrowReaderMetadata::try_new(Arc::clone(metadata.metadata()), ArrowReaderOptions::new().with_schema(schema))?;
    let mask = ProjectionMask::roots(metadata.parquet_schema(), [place]);
    let batches = ParquetRecordBatchReaderBuilder::new_with_metadata(file, metadata)
        .with_projection(mask)
        .with_batch_size(ROWS)
        .build()?;
    let mut runs: Vec<Run> = Vec::new();
    let mut end = 0;
    for batch in batches {
        let batch = batch?;
        let symbols = batch.column(0).as_dictionary::<Int32Type>();
        let names = symbols.values().as_string::<i32>();
        for same in symbols.keys().values().chunk_by(|a, b| a == b) {
            let Some(name) = same.first().and_then(|key| usize::try_from(*key).ok()) else { continue };
            let (symbol, start) = (names.value(name), end);
            end += same.len();
            match runs.last_mut() {
                // A run goes on in the next batch.
                Some(run) if *run.symbol == *symbol => run.rows.end = end,
                Some(run) if *run.symbol > *symbol => return exec_err!("the rows are not in order"),
                _ => runs.push(Run { symbol: symbol.into(), rows: start..end }),
            }
        }
    }
    Ok(runs)
}
