//! What the figures were measured on. Load and syncs vary from hour to hour, so they are part of every run.

use crate::{Result, report::Report};
use std::{
    fs::{self, File},
    io::Write,
    path::Path,
    thread,
    time::{Duration, Instant},
};

/// How long syncs are counted.
const PROBE: Duration = Duration::from_millis(500);

/// Looks at CPUs, memory and disk.
pub fn look(folder: &Path, when: &str, report: &mut Report) -> Result<()> {
    if when == "before" {
        report.figure("cpus", "CPUs", thread::available_parallelism()?.get() as f64, "");
        report.maybe("memory_available_mb", "memory available", memory_available().map(|b| b as f64 / 1e6), "MB");
        report.maybe("load_before", "load average of the minute before", load(), "");
    }
    let (key, name) = (format!("syncs_per_second_{when}"), format!("disk, {when}: 4 KiB appended and synced"));
    report.figure(&key, &name, syncs_per_second(folder)?, "/s");
    Ok(())
}

/// How often a second 4 KiB can be appended to a file and made durable.
fn syncs_per_second(folder: &Path) -> Result<f64> {
    let path = folder.join("probe");
    let mut file = File::create(&path)?;
    let (began, mut syncs) = (Instant::now(), 0_u32);
    while began.elapsed() < PROBE {
        file.write_all(&[0x5a; 4096])?;
        file.sync_data()?;
        syncs += 1;
    }
    let rate = f64::from(syncs) / began.elapsed().as_secs_f64();
    fs::remove_file(path)?;
    Ok(rate)
}

/// The load average: what else keeps the machine busy makes every figure worse.
fn load() -> Option<f64> {
    fs::read_to_string("/proc/loadavg").ok()?.split(' ').next()?.parse().ok()
}

fn memory_available() -> Option<u64> {
    let info = fs::read_to_string("/proc/meminfo").ok()?;
    let kib = info.lines().find_map(|line| line.strip_prefix("MemAvailable:")?.trim().strip_suffix(" kB"))?;
    kib.parse::<u64>().ok().map(|kib| kib * 1024)
}
