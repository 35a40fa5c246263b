//! A local stack's folder: private to its user, two databases and the lake's files.
//!
//! The stream is one database, everything else another, so that producers and consumers do not wait for each
//! other. Both write ahead and sync at every commit: what is committed survives a power loss.

use super::schema::{self, STREAM, Schema, TABLE};
use crate::{
    error::{Error, ExitStatus},
    report::style::visible,
};
use rusqlite::{Connection, ErrorCode, OpenFlags, OptionalExtension};
use std::{
    fs, io,
    path::{Path, PathBuf},
    thread,
    time::{Duration, Instant},
};

/// Pages written ahead before they are folded back: 64 MB. Smaller ones cost throughput, larger ones memory maps.
const AUTOCHECKPOINT_PAGES: u32 = 16_000;
/// How long to wait for another process's transaction.
const BUSY_TIMEOUT: Duration = Duration::from_secs(20);
/// Before what was refused without waiting is tried again.
const BUSY_PAUSE: Duration = Duration::from_millis(5);

/// Locked by whoever writes to the stack, and by `down` alone.
const LOCK: &str = "lock";
/// What the stream's database is called, with the process's number, until it is whole.
const DRAFT: &str = "stream.db.new-";

/// Where a local stack is.
#[derive(Clone, Debug)]
pub struct Folder {
    name: String,
    path: PathBuf,
}

/// What `up` found or made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Made {
    /// It was not there.
    New,
    /// It was kept by an earlier `down --keep-data`.
    TakenIn,
    /// It was there and in use.
    Unchanged,
}

impl Folder {
    /// The folder of this stack; it need not exist.
    pub fn new(home: &Path, name: &str) -> Self {
        Self { name: name.into(), path: home.join(name) }
    }

    /// The stack's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Where the lake's files are: `quotes/dt=…` and `raw-data/…` below it.
    pub fn lake(&self) -> PathBuf {
        self.path.join("lake")
    }

    fn stream_file(&self) -> PathBuf {
        self.path.join("stream.db")
    }

    fn table_file(&self) -> PathBuf {
        self.path.join("table.db")
    }

    /// Whether the stack is up.
    pub fn is_up(&self) -> bool {
        self.stream_file().exists()
    }

    /// Whether there is data of a stack that was taken down with its data kept.
    pub fn is_kept(&self) -> bool {
        !self.is_up() && self.table_file().exists()
    }

    /// Whether an interrupted removal left something behind.
    pub fn is_remnant(&self) -> bool {
        !self.is_up() && !self.is_kept() && self.path.exists() && self.foreign().is_none()
    }

    /// Something in the folder that is of no stack.
    fn foreign(&self) -> Option<String> {
        let ours = |name: &str| {
            ["lake", LOCK].contains(&name) || name.starts_with("stream.db") || name.starts_with("table.db")
        };
        let entries = fs::read_dir(&self.path).into_iter().flatten().flatten();
        entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).find(|name| !ours(name))
    }

    /// Makes what is missing. The stream comes last: where it is, all is.
    pub fn create(&self) -> Result<Made, Error> {
        if self.is_up() {
            self.table()?;
            return Ok(Made::Unchanged);
        }
        let made = if self.is_kept() { Made::TakenIn } else { Made::New };
        // `down` removes the folder with all that is in it.
        if made == Made::New
            && let Some(foreign) = self.foreign()
        {
            return Err(Error::new(format!("the folder '{}' is in use for something else", self.path.display()))
                .because(format!("it has '{}', which is of no stack", visible(&foreign)))
                .hint("give the stack another name with --stack, or set STOCKPIPE_HOME to a folder of its own"));
        }
        let failed = |cause: &dyn std::fmt::Display| {
            Error::new(format!("the folder '{}' cannot be made", self.path.display())).because(cause)
        };
        // Whatever is made on the way is an entry in the folder above it.
        let made_in: Vec<&Path> = self.path.ancestors().skip(1).take_while(|above| !above.is_dir()).collect();
        fs::create_dir_all(&self.path).map_err(|e| failed(&e))?;
        private(&self.path).map_err(|e| failed(&e))?;
        self.remove_drafts();
        for folder in ["quotes", "raw-data"] {
            fs::create_dir_all(self.lake().join(folder)).map_err(|e| failed(&e))?;
        }
        let table = self.open(&self.table_file(), &TABLE, true)?;
        let after: i64 = table
            .query_row("SELECT max(record) FROM checkpoints", [], |row| row.get(0))
            .map_err(|e| self.broken("table.db", e))?;

        // Under another name until it is whole, so that a stack is never half up.
        let draft = self.path.join(format!("{DRAFT}{}", std::process::id()));
        let stream = self.open(&draft, &STREAM, true)?;
        stream
            .execute("INSERT INTO origin VALUES (?)", [after + 1])
            .and_then(|_| stream.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(())))
            .map_err(|e| self.broken("stream.db", e))?;
        stream.close().map_err(|(_, e)| self.broken("stream.db", e))?;
        // A link, unlike a rename, replaces nothing: of two `up`s at once one wins and the other finds it done.
        match fs::hard_link(&draft, self.stream_file()) {
            Err(e) if e.kind() != io::ErrorKind::AlreadyExists => return Err(failed(&e)),
            _ => remove(&draft)?,
        }
        for folder in [self.lake(), self.path.clone()] {
            sync_folder(&folder).map_err(|e| failed(&e))?;
        }
        for folder in std::iter::once(self.path.as_path()).chain(made_in) {
            let above = folder.parent().filter(|above| !above.as_os_str().is_empty());
            sync_folder(above.unwrap_or(Path::new("."))).map_err(|e| failed(&e))?;
        }
        Ok(made)
    }

    /// Removes what an `up` left that was killed a while ago; one that is at work is let be.
    fn remove_drafts(&self) {
        for entry in fs::read_dir(&self.path).into_iter().flatten().flatten() {
            let age = entry.metadata().and_then(|m| m.modified()).ok().and_then(|t| t.elapsed().ok());
            let old = age.is_some_and(|age| age > Duration::from_secs(60));
            if old && entry.file_name().to_string_lossy().starts_with(DRAFT) {
                let _ = fs::remove_file(entry.path());
            }
        }
    }

    /// Removes the stream only: a later [`Folder::create`] takes the rest in again.
    pub fn remove_stream(&self) -> Result<(), Error> {
        for suffix in ["", "-wal", "-shm"] {
            remove(&self.path.join(format!("stream.db{suffix}")))?;
        }
        Ok(())
    }

    /// Removes all of it.
    pub fn remove(&self) -> Result<(), Error> {
        // First what makes it a stack, so that an interrupted removal is no stack that has lost data.
        self.remove_stream()?;
        fs::remove_dir_all(&self.path)
            .map_err(|e| Error::new(format!("'{}' cannot be removed", self.path.display())).because(e))
    }

    /// Says that this process writes to the stack, until the file is dropped or the process ends: then nobody takes it
    /// down.
    pub fn use_it(&self) -> Result<fs::File, Error> {
        self.check_up()?;
        let lock = self.lock_file()?;
        lock.try_lock_shared().map_err(|e| match e {
            fs::TryLockError::WouldBlock => Error::new(format!("stack '{}' is being taken down", self.name)),
            fs::TryLockError::Error(e) => self.unlockable(&e),
        })?;
        Ok(lock)
    }

    /// Says that this process takes the stack down. None while another one writes to it.
    pub fn claim(&self) -> Result<Option<fs::File>, Error> {
        let lock = self.lock_file()?;
        match lock.try_lock() {
            Ok(()) => Ok(Some(lock)),
            Err(fs::TryLockError::WouldBlock) => Ok(None),
            Err(fs::TryLockError::Error(e)) => Err(self.unlockable(&e)),
        }
    }

    fn lock_file(&self) -> Result<fs::File, Error> {
        let options = fs::OpenOptions::new().create(true).truncate(false).write(true).open(self.path.join(LOCK));
        options.map_err(|e| self.unlockable(&e))
    }

    fn unlockable(&self, error: &io::Error) -> Error {
        Error::new(format!("'{}' cannot be locked", self.path.join(LOCK).display())).because(error)
    }

    /// Opens the stream's database.
    pub fn stream(&self) -> Result<Connection, Error> {
        self.check_up()?;
        self.open(&self.stream_file(), &STREAM, false)
    }

    /// Opens the database of everything else.
    pub fn table(&self) -> Result<Connection, Error> {
        self.check_up()?;
        self.open(&self.table_file(), &TABLE, false)
    }

    /// Makes durable what can be read from either database. A process that was killed after it had written a commit and
    /// before it had synced it leaves the commit to be seen by those after it, and to be lost with the power.
    pub fn sync(&self) -> io::Result<()> {
        for log in ["stream.db-wal", "table.db-wal"] {
            match fs::File::open(self.path.join(log)) {
                Ok(log) => log.sync_all()?,
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Opens it also where the stack is down and its data was kept; none where there is neither.
    pub fn kept_table(&self) -> Result<Option<Connection>, Error> {
        if !self.is_up() && (!self.is_kept() || self.is_being_made()?) {
            return Ok(None);
        }
        self.open(&self.table_file(), &TABLE, false).map(Some)
    }

    /// Whether another `up` has begun the table, or was interrupted before there was anything in it.
    fn is_being_made(&self) -> Result<bool, Error> {
        let version = Connection::open_with_flags(self.table_file(), OpenFlags::SQLITE_OPEN_READ_ONLY)
            .and_then(|db| {
                db.busy_timeout(BUSY_TIMEOUT)?;
                schema::user_version(&db)
            })
            .map_err(|e| self.broken("table.db", e))?;
        Ok(version == 0)
    }

    fn check_up(&self) -> Result<(), Error> {
        if self.is_up() {
            return Ok(());
        }
        let hint = if self.is_kept() {
            format!("its data was kept: `stockpipe up{}` takes it in again", self.stack_flag())
        } else {
            format!("`stockpipe up{}` makes it", self.stack_flag())
        };
        Err(Error::new(format!("there is no local stack '{}'", self.name)).hint(hint).status(ExitStatus::NotFound))
    }

    /// What to add to a command so that it means this stack.
    pub fn stack_flag(&self) -> String {
        if self.name == crate::settings::DEFAULT_STACK { String::new() } else { format!(" --stack {}", self.name) }
    }

    fn open(&self, file: &Path, schema: &Schema, may_create: bool) -> Result<Connection, Error> {
        let broken = |e| self.broken(&file.file_name().unwrap_or_default().to_string_lossy(), e);
        let mut flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        flags.set(OpenFlags::SQLITE_OPEN_CREATE, may_create);
        let mut db = Connection::open_with_flags(file, flags).map_err(broken)?;
        db.busy_timeout(BUSY_TIMEOUT).map_err(broken)?;
        db.set_prepared_statement_cache_capacity(64);
        let pragmas = format!(
            "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA cache_size = -16384;
             PRAGMA temp_store = MEMORY; PRAGMA wal_autocheckpoint = {AUTOCHECKPOINT_PAGES};
             PRAGMA journal_size_limit = 134217728;"
        );
        // Two that make a file write ahead at once refuse each other without waiting: neither may wait for the other.
        let since = Instant::now();
        while let Err(error) = db.execute_batch(&pragmas) {
            if error.sqlite_error_code() != Some(ErrorCode::DatabaseBusy) || since.elapsed() > BUSY_TIMEOUT {
                return Err(broken(error));
            }
            thread::sleep(BUSY_PAUSE);
        }
        let known = schema.version();
        // Asked first without a transaction of its own, which would wait for every other one.
        if schema::user_version(&db).map_err(broken)? < known {
            schema.apply(&mut db, may_create).map_err(broken)?;
        }
        match schema::user_version(&db).map_err(broken)? {
            found if found == known => Ok(db),
            other => Err(Error::new(format!("'{}' has schema version {other}", file.display()))
                .because(format!("this stockpipe knows version {known}"))
                .hint("use the stockpipe that made it, or `stockpipe down` and `stockpipe up`")
                .beyond_repair()),
        }
    }

    /// A database error, in the user's words.
    pub fn broken(&self, file: &str, error: rusqlite::Error) -> Error {
        use rusqlite::ErrorCode;
        let missing = !self.path.join(file).exists();
        let flag = self.stack_flag();
        let anew =
            format!("restore the folder from a copy, or `stockpipe down{flag}` and `stockpipe up{flag}` to begin anew");
        let (hint, beyond_repair) = match error.sqlite_error_code() {
            Some(ErrorCode::DiskFull) => ("free some disk space; what was acknowledged is safe".into(), false),
            Some(ErrorCode::DatabaseBusy) => {
                (format!("another process holds it: `stockpipe status{flag}` says which"), false)
            }
            Some(ErrorCode::CannotOpen) if missing => (anew, true),
            Some(ErrorCode::ReadOnly | ErrorCode::PermissionDenied | ErrorCode::CannotOpen) => {
                ("check who owns the folder, and STOCKPIPE_HOME".into(), false)
            }
            Some(ErrorCode::NotADatabase | ErrorCode::DatabaseCorrupt) => (anew, true),
            _ => (String::new(), false),
        };
        let made = Error::new(format!("local stack '{}', {file}", self.name)).because(error);
        let made = if hint.is_empty() { made } else { made.hint(hint) };
        if beyond_repair { made.beyond_repair() } else { made }
    }
}

/// Makes names that were added to or taken from a folder durable.
pub fn sync_folder(path: &Path) -> io::Result<()> {
    // Opening a folder as a file is what Unix offers; elsewhere there is nothing to sync.
    if cfg!(unix) { fs::File::open(path)?.sync_all() } else { Ok(()) }
}

#[cfg(unix)]
fn private(path: &Path) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    fs::set_permissions(path, fs::Permissions::from_mode(0o700))
}

#[cfg(not(unix))]
fn private(_: &Path) -> io::Result<()> {
    Ok(())
}

fn remove(path: &Path) -> Result<(), Error> {
    match fs::remove_file(path) {
        Err(e) if e.kind() != io::ErrorKind::NotFound => {
            Err(Error::new(format!("'{}' cannot be removed", path.display())).because(e))
        }
        _ => Ok(()),
    }
}

/// One row, or none, of one integer.
pub fn integer(db: &Connection, sql: &str) -> rusqlite::Result<Option<i64>> {
    db.prepare_cached(sql)?.query_row([], |row| row.get::<_, Option<i64>>(0)).optional().map(Option::flatten)
}
