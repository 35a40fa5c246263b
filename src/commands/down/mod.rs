//! `down`: says what goes, asks, and takes the pipeline down.

mod aws;
mod drain;
mod local;

use crate::{
    cli::{self, TargetName},
    error::{Error, ExitStatus},
    settings::Settings,
};

/// Runs it.
pub fn run(settings: &Settings, arguments: &cli::Down) -> Result<ExitStatus, Error> {
    match settings.target {
        TargetName::Local => local::run(settings, arguments),
        TargetName::Aws => super::block_on(aws::run(settings, arguments)),
    }
}

/// Goes on only if the stack's name is typed, or was said not to be asked for.
fn confirm(name: &str, yes: bool) -> Result<(), Error> {
    confirm_by(name, yes, super::ask)
}

/// As [`confirm`], by another way to ask.
fn confirm_by(name: &str, yes: bool, ask: impl Fn(&str, &str) -> Result<String, Error>) -> Result<(), Error> {
    if yes {
        return Ok(());
    }
    let undone = "nothing was removed";
    if ask(&format!("Type the stack's name to go on ({name}):"), undone)? == name {
        Ok(())
    } else {
        Err(Error::new(format!("{undone}: that is not the name")).status(ExitStatus::NotConfirmed))
    }
}
