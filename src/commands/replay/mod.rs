//! `replay`: puts set-aside lines or a span of the stream onto the stream again, after saying what and asking.

mod asides;
mod run;
mod span;

use crate::{
    cli,
    error::{Error, ExitStatus},
    report::style::visible,
    settings::Settings,
    targets::local::Local,
};

/// Runs it.
pub fn run(settings: &Settings, arguments: &cli::Replay) -> Result<ExitStatus, Error> {
    let local = Local::new(settings.folder());
    match &arguments.from {
        Some(from) => span::run(settings, arguments, &local, from),
        None => asides::run(settings, arguments, &local),
    }
}

/// Asks whether to go on.
fn confirm(question: &str, yes: bool) -> Result<(), Error> {
    let undone = "nothing was put";
    if yes || ["y", "yes"].contains(&super::ask(&format!("{question} [y/N]"), undone)?.to_lowercase().as_str()) {
        return Ok(());
    }
    Err(Error::new(undone).status(ExitStatus::NotConfirmed))
}

/// The names of symbols, a few of them where there are many.
fn named<'n>(names: impl Iterator<Item = &'n str>) -> String {
    super::shortened(&names.map(|name| visible(name).into_owned()).collect::<Vec<_>>())
}
