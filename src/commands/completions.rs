//! `completions` and `man`: what shells and `man` read, made from the command line's own definition.

use crate::{
    cli::{self, Cli},
    error::{Error, ExitStatus},
};
use clap::CommandFactory;
use std::{
    io::{self, Write},
    path::Path,
};

/// Prints a shell's completions.
pub fn run(arguments: &cli::Completions) -> Result<ExitStatus, Error> {
    let mut script = Vec::new();
    clap_complete::generate(arguments.shell, &mut Cli::command(), "stockpipe", &mut script);
    io::stdout().write_all(&script)?;
    Ok(ExitStatus::Done)
}

/// Prints the manual page, or writes one for each command into a folder.
pub fn man(arguments: &cli::Man) -> Result<ExitStatus, Error> {
    match &arguments.folder {
        Some(folder) => write_pages(folder)?,
        None => clap_mangen::Man::new(Cli::command()).render(&mut io::stdout())?,
    }
    Ok(ExitStatus::Done)
}

fn write_pages(folder: &Path) -> Result<(), Error> {
    clap_mangen::generate_to(Cli::command(), folder)
        .map_err(|e| Error::new(format!("manual pages cannot be written to '{}'", folder.display())).because(e))
}
