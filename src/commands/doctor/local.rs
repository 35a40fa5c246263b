//! What this machine has to have: a folder that can be written to, and room.

use super::{Finding, Verdict};
use crate::{
    report::style::{bytes, latency},
    settings::Settings,
    targets::local::{Local, state::Folder},
};
use std::{
    fs::{self, File},
    io::{self, Write},
    path::Path,
    process,
    time::{Duration, Instant},
};

/// Less than this is soon full: a million quotes take about half of it.
const LITTLE: u64 = 1 << 30;
/// How often a write is synced to see how long it takes.
const SYNCS: usize = 5;

/// Looks at all of it.
pub fn look(settings: &Settings) -> Vec<Finding> {
    let home = &settings.home;
    // It need not be there yet.
    let there = home.ancestors().find(|folder| folder.is_dir()).unwrap_or(Path::new("/"));
    vec![folder(home, there), disk(there), stack(&settings.folder(), &settings.flags())]
}

fn folder(home: &Path, there: &Path) -> Finding {
    match synced(there) {
        Ok(sync) => {
            let made = if there == home { "can be written" } else { "can be made" };
            let detail = format!("{} {made}; to make a write durable takes {}", home.display(), latency(sync));
            Finding::good("folder", detail)
        }
        Err(error) => Finding::missing(
            "folder",
            format!("{} cannot be written: {error}", there.display()),
            "give yourself the right to, or set STOCKPIPE_HOME to another folder",
        ),
    }
}

/// How long it takes to sync a small write, the median of a few.
fn synced(folder: &Path) -> io::Result<Duration> {
    let path = folder.join(format!(".stockpipe-doctor-{}", process::id()));
    let measure = || {
        let mut file = File::create_new(&path)?;
        let mut times = [Duration::ZERO; SYNCS];
        for time in &mut times {
            let started = Instant::now();
            file.write_all(&[0; 4096])?;
            file.sync_data()?;
            *time = started.elapsed();
        }
        times.sort_unstable();
        Ok(times[SYNCS / 2])
    };
    let measured = measure();
    let removed = fs::remove_file(&path);
    measured.and_then(|time| removed.map(|()| time))
}

#[cfg(unix)]
fn disk(folder: &Path) -> Finding {
    match nix::sys::statvfs::statvfs(folder) {
        Ok(stat) => {
            #[expect(clippy::useless_conversion, reason = "not of the same width on every system")]
            let free = u64::from(stat.blocks_available()) * u64::from(stat.fragment_size());
            let detail = format!("{} free", bytes(free));
            if free < LITTLE {
                Finding::warning("disk", detail, "free some: what a full disk does not take is sent again, and waits")
            } else {
                Finding::good("disk", detail)
            }
        }
        Err(error) => Finding::warning("disk", format!("not checked: {error}"), "look yourself: df"),
    }
}

#[cfg(not(unix))]
fn disk(_folder: &Path) -> Finding {
    Finding::good("disk", "not checked on this system")
}

fn stack(folder: &Folder, flags: &str) -> Finding {
    if folder.is_up() {
        return match Local::new(folder.clone()).status() {
            Ok(_) => Finding::good("stack", format!("'{}' is up", folder.name())),
            Err(error) => Finding::error("stack", Verdict::Missing, &error),
        };
    }
    if folder.is_remnant() {
        let detail = format!("an interrupted removal left something in {}", folder.path().display());
        return Finding::warning("stack", detail, format!("`stockpipe down{flags}` finishes it"));
    }
    let kept = if folder.is_kept() { ", and takes its kept data in again" } else { "" };
    Finding::good("stack", format!("'{}' is not there yet: `up` makes it{kept}", folder.name()))
}
