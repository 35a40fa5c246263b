//! `replay`: puts set-aside lines, batches that were given up or a span of the stream onto the stream again, after
//! saying what and asking.

mod asides;
mod batches;
mod run;
mod span;

use crate::{
    cli,
    cli::TargetName,
    error::{Error, ExitStatus},
    report::style::visible,
    settings::Settings,
    targets::{Stream, aws::deployed::Deployed, local::Local},
};

/// Runs it.
pub fn run(settings: &Settings, arguments: &cli::Replay) -> Result<ExitStatus, Error> {
    let pipeline = match settings.target {
        TargetName::Local => Pipeline::Local(Local::new(settings.folder())),
        TargetName::Aws => Pipeline::Aws(Box::new(super::deployed(settings)?)),
    };
    match &arguments.from {
        Some(from) => span::run(settings, arguments, &pipeline, from),
        None if arguments.failed_batches => batches::run(settings, arguments, &pipeline),
        None => asides::run(settings, arguments, &pipeline),
    }
}

/// The pipeline: what is read of it is asked of both alike, what is put differs.
enum Pipeline {
    Local(Local),
    Aws(Box<Deployed>),
}

impl Pipeline {
    fn stream(&self) -> &dyn Stream {
        match self {
            Self::Local(local) => local,
            Self::Aws(deployed) => &**deployed,
        }
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
