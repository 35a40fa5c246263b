//! `stockpipe`: a real-time market-data pipeline in one command.

mod cli;
mod commands;
mod error;
mod interrupt;
mod queries;
mod report;
mod rows;
mod settings;
mod sources;
mod targets;

use clap::Parser;
use error::{Error, ExitStatus};
use std::process::ExitCode;

fn main() -> ExitCode {
    let status = match run() {
        Ok(status) => status,
        Err(error) if error.is_broken_pipe() => ExitStatus::Done,
        Err(error) => {
            report::failure(&error);
            error.exit_status()
        }
    };
    ExitCode::from(status as u8)
}

fn run() -> Result<ExitStatus, Error> {
    let cli = match cli::Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            // Help and version are no errors; clap knows where each belongs.
            error.print()?;
            return Ok(if error.use_stderr() { ExitStatus::Usage } else { ExitStatus::Done });
        }
    };
    commands::run(&cli.global, cli.command)
}
