//! The functions' code before the plan is carried out: built where it is not there yet, with what goes on shown.

use super::aws::Up;
use crate::{
    error::Error,
    report::{progress::Progress, style},
    targets::aws::{
        artifacts::{self, Artifact, Event, What},
        deploy::code,
        template::Values,
    },
};

/// Sees to it that the code is where the template says.
pub async fn ensure(up: &Up<'_>, values: &Values) -> Result<[Artifact; 3], Error> {
    let (s3, bucket) = (up.aws.s3(), up.names.artifact_bucket());
    let mut progress = Progress::new("functions", None);
    let architecture = code::architecture(values)?;
    let mut show = |event: Event<'_>| match event {
        Event::Building { function, line } => progress.message(&format!("{function}: {line}")),
        Event::Built { function, size, took } if up.build.bootstraps.is_none() => progress.say(&style::done(&format!(
            "{function}  built, {} in {}",
            style::bytes(size),
            style::elapsed(took)
        ))),
        Event::Uploading { function, size } => {
            progress.message(&format!("{function}: uploading {}", style::bytes(size)));
        }
        Event::Built { .. } | Event::Uploaded { .. } | Event::Unchanged { .. } => {}
    };
    let artifacts = artifacts::ensure(&s3, &bucket, architecture, &up.build, &mut show).await?;
    progress.finish();
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
