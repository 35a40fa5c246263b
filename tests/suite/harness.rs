//! Runs the binary in a home of its own, with a time limit, and reads what it writes.

use rusqlite::{Connection, OpenFlags};
use std::{
    ffi::OsStr,
    fs,
    io::{Read, Write},
    path::{Path, PathBuf},
    process::{Child, ChildStdin, Command, Stdio},
    sync::{Arc, Mutex},
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};
use tempfile::TempDir;

/// No run takes longer, unless it hangs: two cores may be busy with other tests.
const LIMIT: Duration = Duration::from_secs(60);
/// How often something is looked after.
const LOOK_EVERY: Duration = Duration::from_millis(5);

/// A home for stacks, and a working folder beside it. Both go with the value.
pub struct Home {
    folder: TempDir,
}

/// How a run ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ended {
    /// The exit code; none where a signal ended it.
    pub code: Option<i32>,
    /// Its standard output.
    pub stdout: String,
    /// Its standard error.
    pub stderr: String,
}

impl Home {
    /// An empty one.
    pub fn new() -> Self {
        let folder = tempfile::Builder::new().prefix("stockpipe-").tempdir().expect("a folder");
        for name in ["home", "work", "tmp"] {
            fs::create_dir(folder.path().join(name)).expect("a folder");
        }
        Self { folder }
    }

    /// One with a stack of the default name.
    pub fn up() -> Self {
        let home = Self::new();
        home.ok(["up"]);
        home
    }

    /// Where everything is that a test may leave behind.
    pub fn root(&self) -> &Path {
        self.folder.path()
    }

    /// Where stacks live.
    pub fn home(&self) -> PathBuf {
        self.root().join("home")
    }

    /// The folder of the stack of the default name.
    pub fn stack(&self) -> PathBuf {
        self.home().join("stockpipe")
    }

    /// The working folder.
    pub fn work(&self) -> PathBuf {
        self.root().join("work")
    }

    /// Where temporary files go.
    pub fn tmp(&self) -> PathBuf {
        self.root().join("tmp")
    }

    /// Writes a file into the working folder.
    pub fn write(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.work().join(name);
        fs::write(&path, content).expect("a file");
        path
    }

    /// The binary with these arguments: nothing of the environment but where its home is.
    pub fn command(&self, arguments: impl IntoIterator<Item = impl AsRef<OsStr>>) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_stockpipe"));
        command.args(arguments).current_dir(self.work()).env_clear();
        command.env("STOCKPIPE_HOME", self.home()).env("TMPDIR", self.tmp());
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    /// Runs it to its end.
    pub fn run(&self, arguments: impl IntoIterator<Item = impl AsRef<OsStr>>) -> Ended {
        Running::start(self.command(arguments)).end()
    }

    /// Runs it to its end, with this on its standard input.
    pub fn run_with(&self, arguments: impl IntoIterator<Item = impl AsRef<OsStr>>, input: &[u8]) -> Ended {
        let mut command = self.command(arguments);
        command.stdin(Stdio::piped());
        let mut running = Running::start(command);
        running.input().write_all(input).expect("standard input");
        drop(running.input.take());
        running.end()
    }

    /// Starts it, with an open standard input.
    pub fn start(&self, arguments: impl IntoIterator<Item = impl AsRef<OsStr>>) -> Running {
        let mut command = self.command(arguments);
        command.stdin(Stdio::piped());
        Running::start(command)
    }

    /// Runs it, and expects 0; gives its standard output.
    pub fn ok(&self, arguments: impl IntoIterator<Item = impl AsRef<OsStr>>) -> String {
        self.run(arguments).expect(0).stdout
    }

    /// Replays a file at full speed, and gives the summary.
    pub fn replay(&self, file: &Path) -> serde_json::Value {
        summary(&self.ok(["stream", "--format", "json", "--source", &replay_of(file)]))
    }

    /// The answer to SQL, as CSV without its header.
    pub fn sql(&self, sql: &str) -> String {
        let answer = self.ok(["query", "--format", "csv", "--sql", sql]);
        answer.split_once('\n').map(|(_, rows)| rows.to_owned()).unwrap_or_default()
    }

    /// The rows that SQL finds in the stack's own database, as texts.
    pub fn table_db(&self, sql: &str) -> Vec<Vec<String>> {
        rows(&self.stack().join("table.db"), sql)
    }

    /// Every file and folder, by its path below the root.
    pub fn files(&self) -> Vec<String> {
        let mut found = Vec::new();
        walk(self.root(), self.root(), &mut found);
        found.sort();
        found
    }
}

fn walk(root: &Path, folder: &Path, found: &mut Vec<String>) {
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        found.push(path.strip_prefix(root).expect("below the root").to_string_lossy().into_owned());
        if path.is_dir() {
            walk(root, &path, found);
        }
    }
}

impl Ended {
    /// Ends the test with all that is known, unless the exit code is this one.
    #[track_caller]
    pub fn expect(self, code: i32) -> Self {
        assert!(self.code == Some(code), "{code} expected: {self:#?}");
        self
    }

    /// Ends the test unless standard error has each of these texts.
    #[track_caller]
    pub fn says(self, texts: &[&str]) -> Self {
        for text in texts {
            assert!(self.stderr.contains(text), "`{text}` expected on standard error: {self:#?}");
        }
        self
    }
}

/// A run that goes on.
pub struct Running {
    child: Child,
    /// What goes to its standard input; none once closed.
    pub input: Option<ChildStdin>,
    stdout: Stream,
    stderr: Stream,
}

struct Stream {
    read: Arc<Mutex<Vec<u8>>>,
    thread: JoinHandle<()>,
}

impl Stream {
    fn of(pipe: Option<impl Read + Send + 'static>) -> Self {
        let read = Arc::new(Mutex::new(Vec::new()));
        let theirs = Arc::clone(&read);
        let thread = thread::spawn(move || {
            let Some(mut pipe) = pipe else { return };
            let mut buffer = [0; 64 << 10];
            while let Ok(length @ 1..) = pipe.read(&mut buffer) {
                theirs.lock().unwrap().extend_from_slice(&buffer[..length]);
            }
        });
        Self { read, thread }
    }

    fn text(&self) -> String {
        String::from_utf8_lossy(&self.read.lock().unwrap()).into_owned()
    }
}

impl Running {
    /// Starts a command whose output nobody but the test reads.
    pub fn start(mut command: Command) -> Self {
        Self::of(command.spawn().expect("the binary"))
    }

    /// One that was started elsewhere.
    pub fn of(mut child: Child) -> Self {
        let input = child.stdin.take();
        let (stdout, stderr) = (Stream::of(child.stdout.take()), Stream::of(child.stderr.take()));
        Self { child, input, stdout, stderr }
    }

    /// Its standard input.
    pub fn input(&mut self) -> &mut ChildStdin {
        self.input.as_mut().expect("an open standard input")
    }

    /// The process.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// What it has written to standard output so far.
    pub fn stdout(&self) -> String {
        self.stdout.text()
    }

    /// What it has written to standard error so far.
    pub fn stderr(&self) -> String {
        self.stderr.text()
    }

    /// Whether it has ended.
    pub fn has_ended(&mut self) -> bool {
        self.child.try_wait().expect("a child").is_some()
    }

    /// Sends a signal, such as `INT`.
    pub fn signal(&self, name: &str) {
        let id = self.id();
        let sent = Command::new("sh").arg("-c").arg(format!("kill -{name} {id}")).status().expect("a shell");
        assert!(sent.success(), "SIG{name} was not sent");
    }

    /// Waits until this is so; ends the test with the output where it takes too long.
    #[track_caller]
    pub fn until(&mut self, what: &str, mut so: impl FnMut(&Self) -> bool) {
        let started = Instant::now();
        while !so(self) {
            let ended = self.child.try_wait().expect("a child");
            if ended.is_some() || started.elapsed() > LIMIT {
                let _ = self.child.kill();
                let (stdout, stderr) = (self.stdout(), self.stderr());
                panic!("waited for {what} ({ended:?}):\n--- stdout\n{stdout}\n--- stderr\n{stderr}");
            }
            thread::sleep(LOOK_EVERY);
        }
    }

    /// Waits for its end; one that hangs is killed and ends the test with its output.
    #[track_caller]
    pub fn end(self) -> Ended {
        self.end_within(LIMIT)
    }

    /// As [`Self::end`], of one that may take this long.
    #[track_caller]
    pub fn end_within(mut self, limit: Duration) -> Ended {
        let started = Instant::now();
        let status = loop {
            if let Some(status) = self.child.try_wait().expect("a child") {
                break status;
            }
            if started.elapsed() > limit {
                let _ = self.child.kill();
                let (stdout, stderr) = (self.stdout(), self.stderr());
                panic!("no end in {limit:?}:\n--- stdout\n{stdout}\n--- stderr\n{stderr}");
            }
            thread::sleep(LOOK_EVERY);
        };
        drop(self.input.take());
        let text = |stream: Stream| {
            let _ = stream.thread.join();
            let read = stream.read.lock().unwrap();
            String::from_utf8_lossy(&read).into_owned()
        };
        Ended { code: status.code(), stdout: text(self.stdout), stderr: text(self.stderr) }
    }
}

/// A file of the recorded data.
pub fn data(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("data").join(name)
}

/// What `--source` takes to replay a file.
pub fn replay_of(file: &Path) -> String {
    format!("replay:{}", file.display())
}

/// The last line of what `stream --format json` prints.
#[track_caller]
pub fn summary(stdout: &str) -> serde_json::Value {
    let line = stdout.lines().last().unwrap_or_default();
    serde_json::from_str(line).unwrap_or_else(|e| panic!("{e}: {stdout}"))
}

/// One number of a summary.
#[track_caller]
pub fn number(summary: &serde_json::Value, name: &str) -> u64 {
    summary[name].as_u64().unwrap_or_else(|| panic!("no number `{name}`: {summary}"))
}

/// The numbers of a summary, in this order.
#[track_caller]
pub fn numbers<const N: usize>(summary: &serde_json::Value, names: [&str; N]) -> [u64; N] {
    names.map(|name| number(summary, name))
}

/// Header and rows of CSV.
#[track_caller]
pub fn csv(text: &str) -> (Vec<String>, Vec<Vec<String>>) {
    let mut reader = csv::Reader::from_reader(text.as_bytes());
    let cells = |record: &csv::StringRecord| record.iter().map(str::to_owned).collect::<Vec<_>>();
    let header = cells(reader.headers().expect("a header"));
    let rows = reader.records().map(|record| cells(&record.expect("a row"))).collect();
    (header, rows)
}

/// The rows that SQL finds in a database, each value as text.
pub fn rows(database: &Path, sql: &str) -> Vec<Vec<String>> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let db = Connection::open_with_flags(database, flags).expect("a database");
    db.busy_timeout(LIMIT).expect("patience");
    let mut statement = db.prepare(sql).expect("SQL");
    let columns = statement.column_count();
    let text = |row: &rusqlite::Row<'_>, at| match row.get_ref(at).expect("a value") {
        rusqlite::types::ValueRef::Null => String::new(),
        rusqlite::types::ValueRef::Integer(value) => value.to_string(),
        rusqlite::types::ValueRef::Real(value) => value.to_string(),
        rusqlite::types::ValueRef::Text(value) | rusqlite::types::ValueRef::Blob(value) => {
            String::from_utf8_lossy(value).into_owned()
        }
    };
    let found = statement.query_map([], |row| Ok((0..columns).map(|at| text(row, at)).collect()));
    found.expect("rows").map(|row| row.expect("a row")).collect()
}

/// Puts a record onto the stream as another producer might have done, and gives its number: any bytes, any partition
/// key, and arrived `ago` milliseconds ago.
pub fn put_record(home: &Home, ago: i64, key: &str, data: &[u8]) -> u64 {
    let db = Connection::open(home.stack().join("stream.db")).expect("the stream");
    db.busy_timeout(LIMIT).expect("patience");
    let mut body = (key.len() as u16).to_le_bytes().to_vec();
    body.extend_from_slice(key.as_bytes());
    body.extend_from_slice(&1_u64.to_le_bytes());
    body.extend_from_slice(&(data.len() as u32).to_le_bytes());
    body.extend_from_slice(data);
    let lines = data.split(|b| *b == b'\n').count() as i64;
    let next = "coalesce((SELECT max(last) + 1 FROM log), (SELECT next FROM origin))";
    db.query_row(
        &format!("INSERT INTO log SELECT {next}, {next}, 1, ?, ?, ? RETURNING first"),
        rusqlite::params![now().millis() - ago, lines, body],
        |row| row.get::<_, i64>(0),
    )
    .expect("a record") as u64
}

/// Now.
pub fn now() -> pipeline::Timestamp {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).expect("a clock");
    pipeline::Timestamp::from_millis(since.as_millis() as i64).expect("a time")
}

/// Changes the stack's database with SQL.
pub fn change_table_db(home: &Home, sql: &str) {
    let db = Connection::open(home.stack().join("table.db")).expect("a database");
    db.busy_timeout(LIMIT).expect("patience");
    db.execute_batch(sql).expect("SQL");
}

/// Expects the text of a file in `tests/suite/snapshots`; with `STOCKPIPE_WRITE_SNAPSHOTS` set it is written instead.
#[track_caller]
pub fn snapshot(name: &str, text: &str) {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/suite/snapshots").join(name);
    if std::env::var_os("STOCKPIPE_WRITE_SNAPSHOTS").is_some() {
        fs::write(&file, text).expect("a snapshot");
        return;
    }
    let expected = fs::read_to_string(&file).unwrap_or_default();
    assert!(
        text == expected,
        "{} reads otherwise (STOCKPIPE_WRITE_SNAPSHOTS=1 writes it anew):\n--- expected\n{expected}\n--- is\n{text}",
        file.display()
    );
}

/// Daily quotes of 2014 as JSON lines of a third party; `more` is put into each.
pub fn json_lines(symbol: &str, prices: impl IntoIterator<Item = u32>, more: &str) -> String {
    let line = |(day, price): (usize, u32)| {
        let (month, day) = (1 + day / 28, 1 + day % 28);
        format!(
            "{{\"symbol\":\"{symbol}\",\"timestamp\":\"2014-{month:02}-{day:02}T21:00:00Z\",\"price\":{price}{more}}}\n"
        )
    };
    prices.into_iter().enumerate().map(line).collect()
}

/// Compiles a library of `tests/testbed`, to be preloaded, into this folder.
pub fn preload(name: &str, folder: &Path) -> PathBuf {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/testbed/{name}.c"));
    let library = folder.join(format!("{name}.so"));
    let compiled = Command::new("cc")
        .args(["-std=gnu11", "-O1", "-Wall", "-Werror", "-shared", "-fPIC", "-o"])
        .args([&library, &source])
        .args(["-ldl", "-pthread"])
        .status();
    let compiled = compiled.expect("`cc` is needed to break disks: install a C compiler (apt install gcc)");
    assert!(compiled.success(), "'{}' does not compile", source.display());
    library
}
