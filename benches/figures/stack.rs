//! A fresh stack in a folder of its own, and the commands that are measured on it.

use crate::{
    Result, SYMBOLS,
    process::{self, Usage},
};
use serde_json::Value;
use std::{
    env,
    ops::ControlFlow,
    path::{Path, PathBuf},
    process::Command,
    sync::mpsc,
    thread::{self, JoinHandle},
    time::{Duration, SystemTime, UNIX_EPOCH},
};
use tempfile::TempDir;

/// How long the lease lasts: `src/targets/local/lease.rs`.
const LEASE_MILLIS: i64 = 3000;

/// A stack that is removed when dropped.
pub struct Stack {
    home: TempDir,
}

impl Stack {
    /// `stockpipe up`, with the options that a user gets.
    pub fn up(folder: &Path) -> Result<Self> {
        let stack = Self { home: tempfile::Builder::new().prefix("home-").tempdir_in(folder)? };
        process::output(stack.command(&["up"]))?;
        Ok(stack)
    }

    /// A command on this stack, whatever the environment says of others.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_stockpipe"));
        let ours = env::vars_os().map(|(name, _)| name).filter(|n| n.to_string_lossy().starts_with("STOCKPIPE_"));
        for name in ours {
            command.env_remove(name);
        }
        // The working folder is one without a stockpipe.yaml.
        command.current_dir(self.home.path()).env("STOCKPIPE_HOME", self.home.path()).args(arguments);
        command
    }

    /// `stockpipe stream` of synthetic quotes, with further arguments.
    pub fn stream(&self, arguments: &[&str]) -> Command {
        let mut command = self.command(&["stream", "--source", &format!("synthetic:{SYMBOLS}"), "--format", "json"]);
        command.args(arguments);
        command
    }

    /// `stockpipe query --format csv` with further arguments.
    pub fn query(&self, arguments: &[&str]) -> Command {
        let mut command = self.command(&["query", "--format", "csv"]);
        command.args(arguments);
        command
    }

    /// `stockpipe status`.
    pub fn status(&self) -> Result<Value> {
        let (text, _) = process::output(self.command(&["status", "--format", "json"]))?;
        Ok(serde_json::from_str(&text)?)
    }

    /// The lake's files that count.
    pub fn live_files(&self) -> Result<Vec<PathBuf>> {
        let stack = self.home.path().join("stockpipe");
        let db = rusqlite::Connection::open(stack.join("table.db"))?;
        let mut names = db.prepare("SELECT name FROM lake_files WHERE replaced_at IS NULL ORDER BY name")?;
        let names = names.query_map([], |row| row.get::<_, String>(0))?;
        Ok(names.map(|name| Ok(stack.join("lake").join(name?))).collect::<rusqlite::Result<_>>()?)
    }

    /// Holds the lease, so that nobody runs the consumers and what is sent waits.
    pub fn hold_back(&self) -> Result<HeldBack> {
        let db = rusqlite::Connection::open(self.home.path().join("stockpipe").join("table.db"))?;
        db.busy_timeout(Duration::from_secs(20))?;
        let renew = move |until| {
            let renewed = "UPDATE lease SET token = token + (holder <> 'bench'), holder = 'bench', expires_at = ?";
            db.execute(renewed, [until]).map(|_| ())
        };
        renew(now_millis() + LEASE_MILLIS)?;
        let (release, released) = mpsc::channel::<()>();
        let thread = thread::spawn(move || {
            while released.recv_timeout(Duration::from_millis(500)) == Err(mpsc::RecvTimeoutError::Timeout) {
                renew(now_millis() + LEASE_MILLIS)?;
            }
            renew(0)
        });
        Ok(HeldBack { release, thread })
    }
}

/// The lease, held by the bench.
pub struct HeldBack {
    release: mpsc::Sender<()>,
    thread: JoinHandle<rusqlite::Result<()>>,
}

impl HeldBack {
    /// Gives the lease back: whoever wants to may run the consumers now.
    pub fn let_go(self) -> Result<()> {
        drop(self.release);
        self.thread.join().map_err(|_| "the lease was not held")??;
        Ok(())
    }
}

/// Runs a `stream` to its end; returns what it says then, and what it took.
pub fn summary(command: Command, mut on_line: impl FnMut(&str)) -> Result<(Value, Usage)> {
    let mut last = String::new();
    let usage = process::run(command, |line| {
        on_line(line);
        line.clone_into(&mut last);
        ControlFlow::Continue(())
    })?;
    Ok((serde_json::from_str(&last)?, usage))
}

/// The time by this machine's clock, in milliseconds since 1970.
pub fn now_millis() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis() as i64)
}
