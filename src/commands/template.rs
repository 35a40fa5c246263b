//! `template`: prints a template as it would be deployed.

use crate::{
    cli,
    error::{Error, ExitStatus},
    settings::Settings,
};

/// Runs it.
pub fn run(_settings: &Settings, _arguments: &cli::Template) -> Result<ExitStatus, Error> {
    Err(Error::new("not there yet"))
}
