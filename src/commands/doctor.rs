//! `doctor`: what is missing before `up`.

use crate::{
    error::{Error, ExitStatus},
    settings::Settings,
};

/// Runs it.
pub fn run(_settings: &Settings) -> Result<ExitStatus, Error> {
    Err(Error::new("not there yet"))
}
