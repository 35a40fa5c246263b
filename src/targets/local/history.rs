//! The history of a stack on this machine, answered by the embedded engine.

use super::{
    Local,
    sql::{self, Engine, LakeFile},
};
use crate::{
    error::Error,
    queries::Parameter,
    report::style,
    rows::{Column, Row},
    targets::{Answer, Asked, History},
};
use pipeline::Date;
use tokio::runtime::Runtime;

/// Memory for sorting and grouping, in bytes; what needs more goes to disk.
const MEMORY: usize = 160 << 20;

/// The files of the lake as they are now: what comes later is not in its answers.
pub struct Embedded {
    files: Vec<LakeFile>,
    runtime: Runtime,
}

struct Answering<'a> {
    history: &'a Embedded,
    answer: sql::Answer,
}

impl Local {
    /// The history as it is now.
    pub fn history(&self) -> Result<Embedded, Error> {
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
        let runtime = runtime.map_err(|e| Error::new("threads cannot be started").because(e))?;
        Ok(Embedded { files: self.lake_files()?, runtime })
    }
}

impl History for Embedded {
    fn days(&self) -> Result<Option<[Date; 2]>, Error> {
        let days = || self.files.iter().map(|file| file.dt);
        Ok(days().min().zip(days().max()).map(<[Date; 2]>::from))
    }

    fn query(
        &self,
        sql: &str,
        parameters: &[Parameter],
        tell: &mut dyn FnMut(Asked<'_>),
    ) -> Result<Box<dyn Answer + '_>, Error> {
        let answer = self.runtime.block_on(async {
            let engine = Engine::open(self.files.clone(), MEMORY)?;
            engine.query(sql, parameters).await
        })?;
        answer.notes.iter().for_each(|note| tell(Asked::Note(note)));
        Ok(Box::new(Answering { history: self, answer }))
    }
}

impl Answer for Answering<'_> {
    fn columns(&self) -> &[Column] {
        &self.answer.columns
    }

    fn next(&mut self) -> Result<Option<Vec<Row>>, Error> {
        Ok(self.history.runtime.block_on(self.answer.next()).transpose()?)
    }

    fn took(&self) -> String {
        format!("{} read", style::bytes(self.answer.bytes))
    }
}
