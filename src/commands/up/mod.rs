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
        TargetName::Local => local::run(settings, arguments),
        TargetName::Aws => super::block_on(aws::run(settings, arguments)),
    }
}
