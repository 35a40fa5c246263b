//! A local stack in a folder of its own, and the binary beside it.

use rusqlite::{Connection, OpenFlags, config::DbConfig, types::ValueRef};
use std::{
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
};

/// A stack of the usual name; its home need not exist.
#[derive(Clone, Debug)]
pub(crate) struct Stack {
    home: PathBuf,
}

impl Stack {
    pub(crate) fn new(home: &Path) -> Self {
        Self { home: home.into() }
    }

    /// Where its files are.
    pub(crate) fn folder(&self) -> PathBuf {
        self.home.join("stockpipe")
    }

    /// The binary, about to run this.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_stockpipe"));
        command.args(arguments).env("STOCKPIPE_HOME", &self.home).stdin(Stdio::null());
        // What the tests run in must not be what decides.
        command.current_dir(std::env::temp_dir());
        command
    }

    /// Runs the binary to its end. An error where it fails, or says that something failed or is missing.
    pub(crate) fn run(&self, arguments: &[&str]) -> Result<String, String> {
        let output = self.output(arguments)?;
        let said = String::from_utf8_lossy(&output.stderr);
        if !output.status.success() || said.contains("missing") || said.contains("tries again") {
            return Err(format!("`stockpipe {}`: {}: {said}", arguments.join(" "), output.status));
        }
        String::from_utf8(output.stdout).map_err(|e| e.to_string())
    }

    /// Runs the binary to its end, however that is.
    pub(crate) fn output(&self, arguments: &[&str]) -> Result<Output, String> {
        self.command(arguments).output().map_err(|e| format!("the binary cannot be run: {e}"))
    }

    /// A database of the stack, to be read.
    pub(crate) fn open(&self, file: &str) -> Result<Connection, String> {
        Connection::open_with_flags(self.folder().join(file), OpenFlags::SQLITE_OPEN_READ_ONLY)
            .map_err(|e| format!("{file}: {e}"))
    }

    /// The rows of a question, their columns joined with commas.
    pub(crate) fn rows(&self, file: &str, sql: &str) -> Result<Vec<String>, String> {
        let db = self.open(file)?;
        let text = |value: ValueRef<'_>| match value {
            ValueRef::Integer(number) => number.to_string(),
            ValueRef::Text(text) => String::from_utf8_lossy(text).into_owned(),
            _ => String::new(),
        };
        let all = || -> rusqlite::Result<Vec<String>> {
            let mut statement = db.prepare(sql)?;
            let columns = statement.column_count();
            let rows = statement.query_map([], |row| {
                let cells: rusqlite::Result<Vec<String>> = (0..columns).map(|i| row.get_ref(i).map(text)).collect();
                cells.map(|cells| cells.join(","))
            })?;
            rows.collect()
        };
        all().map_err(|e| format!("{file}: {e}"))
    }

    /// Whether the last who ran the consumers gave them back, and so left nothing behind.
    pub(crate) fn is_given_back(&self) -> Result<bool, String> {
        Ok(self.rows("table.db", "SELECT expires_at FROM lease")? == ["0"])
    }

    /// Lets the lease run out now rather than in three seconds. Whatever else was left behind stays as it is: neither
    /// is the log folded back into the database, nor removed.
    pub(crate) fn expire_lease(&self) -> Result<(), String> {
        let expire = || {
            let db = Connection::open_with_flags(
                self.folder().join("table.db"),
                OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX,
            )?;
            db.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)?;
            db.busy_timeout(std::time::Duration::from_secs(5))?;
            db.execute("UPDATE lease SET expires_at = 1 WHERE expires_at <> 0", [])
        };
        expire().map(|_| ()).map_err(|e: rusqlite::Error| format!("table.db: {e}"))
    }
}
