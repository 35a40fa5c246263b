//! The functions' code before the plan is carried out: built where it is not there yet, with what goes on shown.

use super::aws::Up;
use crate::{
    commands::operation::shown_in,
    error::Error,
    report::{progress::Progress, style},
    targets::aws::{
        artifacts::{self, Artifact, Event, What},
        deploy::code,
        template::Values,
    },
};
use std::cell::RefCell;

/// Says what is to be built, and refuses early where there is nothing to build with.
pub async fn preflight(up: &Up<'_>, values: &Values) -> Result<(), Error> {
    let architecture = code::architecture(values)?;
    let absent = artifacts::absent(&up.aws.s3(), &up.names.artifact_bucket(), architecture, &up.build).await?;
    let by = match up.build.bootstraps.as_ref().filter(|_| !absent.is_empty()) {
        Some(folder) => format!("to upload from {}", folder.display()),
        None if absent.is_empty() => String::new(),
        None => {
            let toolchain = artifacts::toolchain(architecture, &up.build)?;
            format!("to build by {toolchain}, which takes minutes the first time")
        }
    };
    let names: Vec<&str> = absent.iter().map(|function| function.name()).collect();
    if !names.is_empty() {
        style::say(&format!("Functions   {} {by}", names.join(", ")));
    }
    Ok(())
}

/// Sees to it that the code is where the template says.
pub async fn ensure(up: &Up<'_>, values: &Values) -> Result<[Artifact; 3], Error> {
    let (s3, bucket) = (up.aws.s3(), up.names.artifact_bucket());
    let progress = RefCell::new(Progress::new("functions", None));
    let architecture = code::architecture(values)?;
    let mut show = |event: Event<'_>| match event {
        Event::Building { function, line } => progress.borrow_mut().message(&format!("{function}: {line}")),
        Event::Built { function, size, took } if up.build.bootstraps.is_none() => progress
            .borrow_mut()
            .say(&style::done(&format!("{function}  built, {} in {}", style::bytes(size), style::elapsed(took)))),
        Event::Uploading { function, size } => {
            progress.borrow_mut().message(&format!("{function}: uploading {}", style::bytes(size)));
        }
        Event::Built { .. } => {}
        Event::Uploaded { function, size, took } => progress.borrow_mut().say(&style::done(&format!(
            "{function}  uploaded, {} in {}",
            style::bytes(size),
            style::elapsed(took)
        ))),
    };
    let artifacts = shown_in(&progress, artifacts::ensure(&s3, &bucket, architecture, &up.build, &mut show)).await?;
    progress.into_inner().finish();
    style::say(&format!("Functions   {}", artifacts.iter().map(line).collect::<Vec<_>>().join(" · ")));
    Ok(artifacts)
}

fn line(artifact: &Artifact) -> String {
    let what = match artifact.what {
        What::Unchanged => "unchanged".to_owned(),
        What::Built => format!("built {}", style::bytes(artifact.size)),
        What::Given => format!("given {}", style::bytes(artifact.size)),
    };
    format!("{} {what}", artifact.function)
}
