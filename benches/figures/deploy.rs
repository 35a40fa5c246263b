//! How long `up` takes on AWS where nothing has changed, and how often it calls: on an emulator, so that what is left is
//! what stockpipe does.

use crate::{
    Result,
    emulator::{Behaviour, Emulator},
    process,
    report::{Bound, Report, median},
    say,
};
use serde_json::json;
use std::{
    env, fs,
    path::Path,
    process::{Command, Stdio},
};

/// The most that it may take, in ms.
const MOST_MS: f64 = 1000.0;
/// And the most calls.
const MOST_CALLS: f64 = 6.0;
/// The functions' packages.
const PACKAGES: [&str; 3] = ["process-stock-data", "stock-trend-analysis", "archive-stock-data"];

/// Puts a pipeline there once, and looks at it so many times.
pub fn measure(folder: &Path, runs: usize, report: &mut Report) -> Result<()> {
    say("deploy");
    let emulator = Emulator::start(&Behaviour::default());
    // Functions that do nothing: what they are does not matter here.
    let (source, bootstraps) = (folder.join("nothing.c"), folder.join("bootstraps"));
    fs::write(&source, "int main(void) { return 0; }")?;
    for package in PACKAGES {
        fs::create_dir_all(bootstraps.join(package))?;
        let bootstrap = bootstraps.join(package).join("bootstrap");
        process::output({
            let mut compiler = Command::new("cc");
            compiler.arg("-s").arg("-o").arg(bootstrap).arg(&source);
            compiler
        })?;
    }
    let up = |port: u16| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_stockpipe"));
        let theirs = env::vars_os().map(|(name, _)| name);
        for name in theirs.filter(|n| ["STOCKPIPE_", "AWS_"].iter().any(|p| n.to_string_lossy().starts_with(p))) {
            command.env_remove(name);
        }
        command.env("AWS_ENDPOINT_URL", format!("http://127.0.0.1:{port}")).env("AWS_REGION", "us-east-1");
        command.env("AWS_ACCESS_KEY_ID", "test").env("AWS_SECRET_ACCESS_KEY", "test");
        command.env("STOCKPIPE_BOOTSTRAPS", &bootstraps).env("STOCKPIPE_HOME", folder).current_dir(folder);
        command.args(["--target", "aws", "up", "--yes"]);
        command
    };
    process::output(up(emulator.port))?;
    let times = (0..runs).map(|_| process::into(up(emulator.port), Stdio::null()));
    let times: Vec<f64> = times.map(|usage| Ok(usage?.wall.as_secs_f64() * 1000.0)).collect::<Result<_>>()?;
    report.claim("deploy_unchanged_ms", "up without changes", median(&times), "ms", Bound::Below(MOST_MS));

    let calls = folder.join("calls");
    let proxy = emulator.proxy(&json!([{"target": "", "probability": 1, "kind": "record", "file": calls}]));
    process::output(up(proxy.port))?;
    let count = fs::read_to_string(&calls)?.lines().count() as f64;
    report.claim("deploy_unchanged_calls", "calls of up without changes", Some(count), "", Bound::AtMost(MOST_CALLS));
    Ok(())
}
