//! `status`: what is in the pipeline and how it does. It reads only.

mod aws;
mod local;

use crate::{
    cli::{self, TargetName},
    error::{Error, ExitStatus},
    report::table::io_error,
    settings::Settings,
};
pub use aws::no_stack;
use serde_json::Value;
use std::io::{self, Write};

/// Runs it.
pub fn run(settings: &Settings, arguments: &cli::Status) -> Result<ExitStatus, Error> {
    match settings.target {
        TargetName::Local if arguments.events || arguments.drift => {
            Err(Error::new("--events and --drift tell of CloudFormation, and this stack is on this machine")
                .status(ExitStatus::Usage)
                .hint("stockpipe status --target aws"))
        }
        TargetName::Local => local::run(settings, arguments),
        TargetName::Aws => super::block_on(aws::run(settings, arguments)),
    }
}

/// An object as lines of `name,value`; what is no plain value is JSON in its place.
fn write_csv(out: &mut impl Write, json: &Value) -> io::Result<()> {
    let mut csv = csv::Writer::from_writer(out);
    csv.write_record(["name", "value"]).map_err(io_error)?;
    for (name, value) in json.as_object().into_iter().flatten() {
        let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        csv.write_record([name, &value]).map_err(io_error)?;
    }
    csv.flush()
}
