//! The plain loop to compare with: `benches/figures/ingest/baseline.py`.

use crate::{Result, SYMBOLS, process};
use serde_json::Value;
use std::{path::Path, process::Command};

/// Quotes per second of the plain loop, with so much care for its commits; none without a Python 3.
pub fn quotes_per_second(folder: &Path, count: u64, synchronous: &str) -> Result<Option<f64>> {
    if Command::new("python3").arg("--version").output().is_err() {
        return Ok(None);
    }
    let mut command = Command::new("python3");
    command.arg(concat!(env!("CARGO_MANIFEST_DIR"), "/benches/figures/ingest/baseline.py")).arg("--folder").arg(folder);
    command.args(["--synchronous", synchronous, "--count", &count.to_string(), "--symbols", &SYMBOLS.to_string()]);
    let (text, _) = process::output(command)?;
    let said: Value = serde_json::from_str(&text)?;
    Ok(Some(said["quotes_per_second"].as_f64().ok_or("the plain loop said no rate")?))
}
