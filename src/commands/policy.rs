//! `policy`: the IAM policy of whoever deploys.

use crate::{
    cli,
    error::{Error, ExitStatus},
    settings::Settings,
};

/// Runs it.
pub fn run(_settings: &Settings, _arguments: &cli::Policy) -> Result<ExitStatus, Error> {
    Err(Error::new("not there yet"))
}
