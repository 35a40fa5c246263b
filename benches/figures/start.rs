//! How long a command takes that has little to do: the whole process, on a small stack.

use crate::{
    Result, process,
    report::{Bound, Report, median},
    say,
    stack::Stack,
};
use std::{path::Path, process::Stdio};

/// What is run, and the most that it may take, in ms.
const COMMANDS: [(&str, &[&str], f64); 3] = [
    ("help", &["--help"], 20.0),
    ("status", &["status"], 100.0),
    ("latest_prices", &["query", "latest-prices"], 150.0),
];

/// Each of them so many times.
pub fn measure(folder: &Path, runs: usize, report: &mut Report) -> Result<()> {
    say("start");
    let stack = Stack::up(folder)?;
    process::output(stack.command(&["stream", "--source", "synthetic:5", "--count", "5000", "--speed", "max"]))?;
    for (key, arguments, most) in COMMANDS {
        let times = (0..runs).map(|_| process::into(stack.command(arguments), Stdio::null()));
        let times: Vec<f64> = times.map(|usage| Ok(usage?.wall.as_secs_f64() * 1000.0)).collect::<Result<_>>()?;
        let name = format!("stockpipe {}", arguments.join(" "));
        report.claim(&format!("start_{key}_ms"), &name, median(&times), "ms", Bound::Below(most));
    }
    Ok(())
}
