//! `up`: creates the pipeline, or changes its options.

mod after;
mod aws;
mod code;
mod local;
mod stuck;

use crate::{
    cli::{self, TargetName},
    error::{Error, ExitStatus},
    settings::Settings,
};

/// Runs it.
pub fn run(settings: &Settings, arguments: &cli::Up) -> Result<ExitStatus, Error> {
    match settings.target {
        TargetName::Local if arguments.shards.is_some() || !arguments.set.is_empty() => {
            Err(Error::new("--set and --shards are options of AWS, and this pipeline is on this machine")
                .status(ExitStatus::Usage)
                .hint("stockpipe up --target aws"))
        }
        TargetName::Local => local::run(settings, arguments),
        TargetName::Aws => super::block_on(aws::run(settings, arguments)),
    }
}
