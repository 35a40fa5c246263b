//! `down` on this machine.

use super::confirm;
use crate::{
    cli,
    error::{Error, ExitStatus},
    report::style::{self, plural},
    settings::Settings,
    targets::local::Local,
};

/// Runs it.
pub fn run(settings: &Settings, arguments: &cli::Down) -> Result<ExitStatus, Error> {
    let local = Local::new(settings.folder());
    let folder = local.folder();
    let (name, flag) = (folder.name(), folder.stack_flag());
    if folder.is_kept() {
        return remove_kept(&local, arguments);
    }
    let status = match local.status() {
        Err(error) if error.exit_status() == ExitStatus::NotFound => {
            if folder.is_remnant() {
                style::say(&format!("An interrupted removal left something in {}", folder.path().display()));
                confirm(name, arguments.yes)?;
                folder.remove()?;
                style::say(&format!("Removed. Nothing of stack '{name}' is left."));
                return Ok(ExitStatus::Done);
            }
            // Doing it again is harmless.
            style::say(&format!("There is no local stack '{name}': nothing to remove."));
            return Ok(ExitStatus::Done);
        }
        // What is damaged cannot be counted, and goes all the same.
        Err(error) if error.is_beyond_repair() && !arguments.keep_data => {
            return remove_damaged(&local, arguments, &error);
        }
        status => status?,
    };
    if arguments.keep_data && status.holder.is_none() {
        crate::commands::catch_up(&local)?;
    }
    // From here on nobody puts anything; what came in between would go with the stream.
    let in_use = |by: &str| {
        Error::new(format!("stack '{name}' is in use by {by}"))
            .hint(format!("stop it with Ctrl-C there, then `stockpipe down{flag}` again"))
    };
    let Some(_claim) = folder.claim()? else {
        return Err(in_use(status.holder.as_deref().unwrap_or("another process")));
    };
    let status = local.status()?;
    if arguments.keep_data && (status.lag.process, status.lag.archive) != (0, 0) {
        return Err(in_use("a process that put quotes just now"));
    }
    style::say(&format!("Local stack '{name}'  {}", folder.path().display()));
    let (table, lake) = (status.table.0, status.lake);
    let data = [
        format!("{} in the table, {}", plural(table, "quote"), plural(status.signals.0, "signal")),
        format!("{} in the lake, {}", plural(lake.1, "row"), plural(lake.0, "file")),
        format!("{} set aside", plural(status.set_aside.0 + status.replayed, "line")),
    ];
    let (goes, stays): (Vec<String>, Vec<String>) = if arguments.keep_data {
        (vec!["the stream".into()], data.to_vec())
    } else {
        (std::iter::once(format!("{} in the stream", plural(status.stream.1, "quote"))).chain(data).collect(), vec![])
    };
    goes.iter().for_each(|line| style::say(&format!("  - {line}")));
    stays.iter().for_each(|line| style::say(&format!("  = {line}   stays")));
    confirm(name, arguments.yes)?;
    if arguments.keep_data {
        folder.remove_stream()?;
        style::say(&format!("Down; the data stays in {}.", folder.path().display()));
        style::say(&format!("Next: `stockpipe up{flag}` takes it in again, `stockpipe down{flag}` removes it."));
    } else {
        folder.remove()?;
        style::say(&format!("Removed, {} freed. Nothing of stack '{name}' is left.", style::bytes(status.bytes)));
    }
    Ok(ExitStatus::Done)
}

/// What an earlier `down --keep-data` left.
fn remove_kept(local: &Local, arguments: &cli::Down) -> Result<ExitStatus, Error> {
    let folder = local.folder();
    let name = folder.name();
    if arguments.keep_data {
        style::say(&format!("Stack '{name}' is down already; its data stays in {}.", folder.path().display()));
        return Ok(ExitStatus::Done);
    }
    style::say(&format!("Stack '{name}' is down; its kept data is in {}", folder.path().display()));
    confirm(name, arguments.yes)?;
    folder.remove()?;
    style::say(&format!("Removed. Nothing of stack '{name}' is left."));
    Ok(ExitStatus::Done)
}

/// A stack whose databases cannot be read.
fn remove_damaged(local: &Local, arguments: &cli::Down, error: &Error) -> Result<ExitStatus, Error> {
    let folder = local.folder();
    style::say(&style::warning(&format!("what is in it cannot be told: {error}")));
    style::say(&format!("Local stack '{}'  {}", folder.name(), folder.path().display()));
    style::say("  - all of it");
    confirm(folder.name(), arguments.yes)?;
    folder.remove()?;
    style::say(&format!("Removed. Nothing of stack '{}' is left.", folder.name()));
    Ok(ExitStatus::Done)
}
