//! Pythons with packages, below the build folder: what tests and benches compare with.

use std::{
    env,
    fs::{self, File},
    path::PathBuf,
    process::{Command, Stdio},
};

/// Another SQL engine, and a parser of Athena's SQL. Timestamps with a zone need pytz.
pub const SQL: [&str; 3] = ["duckdb==2.0.0", "sqlglot==30.30.0", "pytz==2026.6"];

/// A Python with these packages, made once.
///
/// # Errors
/// When it cannot be made, with what to install.
pub fn with(packages: &[&str]) -> Result<PathBuf, String> {
    // The build folder, with a profile's folder and `deps` in between.
    let program = env::current_exe().map_err(|e| e.to_string())?;
    let target = program.ancestors().nth(3).ok_or("no build folder")?;
    let folder = target.join(format!("python-{}", packages.join("-").replace("==", "-")));
    let (python, done) = (folder.join("bin/python"), folder.join("complete"));
    // Another test run may be making it.
    let lock = File::create(folder.with_extension("lock")).and_then(|lock| lock.lock().map(|()| lock));
    let _lock = lock.map_err(|e| format!("{}: {e}", folder.display()))?;
    if !done.exists() {
        let install = "install python3 with its modules venv and pip (Debian: apt install python3-venv)";
        run(Command::new("python3").args(["-m", "venv", "--clear"]).arg(&folder), install)?;
        let failed = format!("`pip install {}` failed, which takes pip and a way to PyPI", packages.join(" "));
        run(Command::new(&python).args(["-m", "pip", "install", "--quiet"]).args(packages), &failed)?;
        fs::write(&done, "").map_err(|e| format!("{}: {e}", done.display()))?;
    }
    Ok(python)
}

fn run(command: &mut Command, missing: &str) -> Result<(), String> {
    let ended = command.stdin(Stdio::null()).output();
    let why = match ended {
        Ok(ended) if ended.status.success() => return Ok(()),
        Ok(ended) => String::from_utf8_lossy(&ended.stderr).trim().to_owned(),
        Err(error) => error.to_string(),
    };
    Err(format!("{missing}: {}", why.lines().last().unwrap_or_default()))
}
