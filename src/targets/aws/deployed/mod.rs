//! A pipeline that is on AWS: what there is to ask of it, and to put into it.
//!
//! Names follow from account, region and stack, so that nothing has to be looked up but whether the stack is there.
//! What a call waits for, it waits for on the runtime that comes with it; what is put goes on there meanwhile.

pub mod athena;
pub mod producer;
pub mod sent;
mod tables;

use crate::{
    error::Error,
    settings::DEFAULT_STACK,
    targets::{
        NewSignals, Target,
        aws::{
            Aws,
            deploy::survey::{self, Stack},
            names::Names,
        },
    },
};
use pipeline::{Item, Signal, Symbol, Timestamp};
use tables::Following;
use tokio::runtime::Runtime;

/// A pipeline on AWS.
#[derive(Debug)]
pub struct Deployed {
    /// Who asks, where, and the clients.
    pub aws: Aws,
    /// What it is called.
    pub names: Names,
    /// The stack, as it was when it was found.
    pub stack: Stack,
    runtime: Runtime,
}

impl Deployed {
    /// The pipeline of this name; where there is none, `absent` says so.
    pub fn find(name: &str, absent: impl AsyncFnOnce(&Aws) -> Error) -> Result<Self, Error> {
        // A worker of its own: connections are kept, and have to be looked after between calls too.
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
        let runtime = runtime.map_err(|e| Error::new("the network cannot be used").because(e))?;
        let (aws, stack) = runtime.block_on(async {
            let aws = Aws::connect().await?;
            match survey::stack(&aws, name).await? {
                Some(stack) => Ok((aws, stack)),
                None => Err(absent(&aws).await),
            }
        })?;
        Ok(Self { names: aws.names(name), aws, stack, runtime })
    }

    /// What to add to a command to mean this stack.
    pub fn flags(&self) -> String {
        let stack = &self.names.stack;
        format!(" --target aws{}", if stack == DEFAULT_STACK { String::new() } else { format!(" --stack {stack}") })
    }

    /// Waits for an answer.
    pub fn wait<T>(&self, answer: impl Future<Output = T>) -> T {
        self.runtime.block_on(answer)
    }
}

impl Target for Deployed {
    fn title(&self) -> String {
        format!("stack '{}' in {}", self.names.stack, self.aws.region)
    }

    fn symbols(&self) -> Result<Vec<String>, Error> {
        self.wait(self.registered())
    }

    fn latest(&self, symbols: &[Symbol]) -> Result<Vec<Item>, Error> {
        self.wait(self.newest(symbols))
    }

    fn signals(&self, symbols: &[Symbol], since: Option<Timestamp>) -> Result<Vec<Signal>, Error> {
        self.wait(self.recorded(symbols, since))
    }

    fn new_signals(&self, symbols: &[Symbol]) -> Result<Box<dyn NewSignals + '_>, Error> {
        Ok(Box::new(Following::new(self, symbols)))
    }
}
