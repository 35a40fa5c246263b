//! The power fails at any moment, on the worst file system: what was acknowledged is there, once, with its signals.
//!
//! A library between the binary and the C library logs what is done to the stack's folder. The log is replayed up to
//! some moment into a folder as a disk may be left then (`power_loss/disk.rs`), and the binary has to go on from there.
//! Linux only: elsewhere libraries are not put in between in this way.
//!
//! `STOCKPIPE_CUTS` says how many moments, `STOCKPIPE_SEED` repeats the choices.

#![expect(clippy::expect_used, clippy::panic, reason = "a test ends where what it builds on fails")]

mod disk;
mod trace;

use crate::{
    durability::{
        compare,
        load::{Input, Ledger, Market, Random, Rows, Running, Sent, replay},
        number, seed,
        stack::Stack,
    },
    harness::preload,
};
use disk::{Disk, Names, Rest};
use std::{
    collections::{BTreeSet, HashMap},
    fs,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
    process::Command,
    sync::{Mutex, OnceLock, mpsc},
    thread,
    time::Instant,
};
use trace::{Event, What};

/// Moments that one recording is cut at; for more there is another one.
const CUTS_PER_RECORDING: u64 = 150;
/// Disks that are compared at once.
const WORKERS: usize = 3;

/// What some processes did, from the making of a stack on.
struct Recording {
    events: Vec<Event>,
    /// What was there before, and durable: folders, and their inodes.
    folders: Vec<(String, u64)>,
    /// How many events there were when `up` was done.
    up: usize,
    sent: HashMap<u32, Sent>,
    /// The process that sends a little now and then.
    unhurried: u32,
}

/// Which files and folders are as if they were never synced.
type DeafTo = fn(&str) -> bool;

/// A stack whose processes are watched.
struct Recorder {
    base: PathBuf,
    trace: PathBuf,
    library: PathBuf,
    stack: Stack,
    folders: Vec<(String, u64)>,
    sent: HashMap<u32, Sent>,
}

impl Recorder {
    /// Of this home; `up` makes it where it is not among the folders that are there.
    fn new(work: &Path, home: &str, folders: &[&str]) -> Self {
        let base = work.join("base");
        let make = |folder: &&str| {
            fs::create_dir(base.join(folder)).expect("a folder");
            ((*folder).to_owned(), fs::metadata(base.join(folder)).expect("a folder").ino())
        };
        Self {
            folders: folders.iter().map(make).collect(),
            trace: work.join("trace"),
            library: preload("power_loss", work),
            stack: Stack::new(&base.join(home)),
            base,
            sent: HashMap::new(),
        }
    }

    /// Starts a process. It dies before it does its so-manieth operation, if that is said.
    fn start(
        &mut self,
        mut command: Command,
        sent: Option<Sent>,
        input: Option<Input>,
        die_at: Option<u64>,
    ) -> Running {
        command.env("LD_PRELOAD", &self.library);
        command.env("POWER_LOSS_BASE", &self.base).env("POWER_LOSS_TRACE", &self.trace);
        if let Some(die_at) = die_at {
            command.env("POWER_LOSS_DIE_AT", die_at.to_string());
        }
        let running = Running::start(command, input).expect("the binary");
        self.sent.extend(sent.map(|sent| (running.id(), sent)));
        running
    }

    fn run(&mut self, command: Command, sent: Option<Sent>, input: Option<Input>, die_at: Option<u64>) {
        let ended = self.start(command, sent, input, die_at).end().expect("an end");
        assert!(ended.status.success() || die_at.is_some(), "{}: {}", ended.status, ended.said);
    }

    fn up(&mut self) -> usize {
        self.run(self.stack.command(&["up", "--yes"]), None, None, None);
        trace::read(&self.trace, &self.base).len()
    }

    fn synthetic(&self, arguments: &[&str], interval: i64) -> (Command, Option<Sent>) {
        let interval_text = format!("{interval}ms");
        let all = ["stream", "--acks", "--format", "json", "--interval", &interval_text];
        (self.stack.command(&[&all, arguments].concat()), Some(Sent::Grid(interval)))
    }

    fn finish(self, up: usize, unhurried: u32) -> Recording {
        Recording {
            events: trace::read(&self.trace, &self.base),
            folders: self.folders,
            up,
            sent: self.sent,
            unhurried,
        }
    }
}

impl Recording {
    /// A stack's first day: small and large commits, few and many files, two producers at once, processes that die
    /// and others that go on from there, merging.
    fn make(work: &Path, random: &mut Random) -> Self {
        let mut recorder = Recorder::new(work, "home", &["", "home"]);
        let up = recorder.up();
        let mut market = Market::new(random.split(), &["RA", "RB", "RC"]);

        let (command, sent) =
            recorder.synthetic(&["--source", "synthetic:3", "--count", "300", "--speed", "max"], 1000);
        recorder.run(command, sent, None, None);
        for (rows, kind) in [(300, Rows::Json), (40, Rows::Days)] {
            let (input, sent) = market.replay(rows, kind);
            recorder.run(replay(&recorder.stack), Some(sent), Some(input), None);
        }

        // Two at once; the first one, which runs the consumers, dies in the middle of it, the other takes over.
        let die_at = Some(random.spread(200, 900));
        let (command, sent) = recorder.synthetic(&["--source", "synthetic:4", "--speed", "realtime"], 5);
        let first = recorder.start(command, sent, None, die_at);
        let unhurried = first.id();
        let (input, sent) = market.replay(500, Rows::Json);
        let second = recorder.start(replay(&recorder.stack), Some(sent), Some(input), None);
        let question = recorder.start(recorder.stack.command(&["signals"]), None, None, None);
        first.end().expect("an end");
        assert!(second.end().expect("an end").status.success());
        assert!(question.end().expect("an end").status.success());

        // Small ones until there are files to merge; one dies, and a question takes what it left.
        for i in 0..9 {
            let count = random.spread(2, 2000).to_string();
            let seed = i.to_string();
            let die_at = (i == 6).then(|| random.spread(20, 300));
            let arguments = ["--source", "synthetic:2", "--count", &count, "--speed", "max", "--seed", &seed];
            let (command, sent) = recorder.synthetic(&arguments, 1);
            recorder.run(command, sent, None, die_at);
        }
        let (input, sent) = market.replay(200, Rows::Minutes);
        recorder.run(replay(&recorder.stack), Some(sent), Some(input), Some(random.spread(20, 200)));
        recorder.run(recorder.stack.command(&["query", "--sql", "SELECT 1"]), None, None, None);
        let recording = recorder.finish(up, unhurried);
        recording.check();
        recording
    }

    /// That the library was in between.
    fn check(&self) {
        let count = |is: fn(&What) -> bool| self.events.iter().filter(|event| is(&event.what)).count();
        for (what, count) in [
            ("writes", count(|what| matches!(what, What::Written { .. }))),
            ("acknowledgements", count(|what| matches!(what, What::Printed(_)))),
            ("syncs", count(|what| matches!(what, What::SyncEnded { .. }))),
            ("syncs of all", count(|what| matches!(what, What::SyncAllEnded { .. }))),
            ("renames", count(|what| matches!(what, What::Renamed { .. }))),
            ("links", count(|what| matches!(what, What::Linked { .. }))),
            ("merged files", count(|what| matches!(what, What::Renamed { new, .. } if is_merged(new)))),
        ] {
            assert!(count > 0, "the trace has no {what}");
        }
    }

    /// What was acknowledged before this event.
    fn ledger(&self, until: usize) -> Ledger {
        let mut printed: HashMap<u32, Vec<u8>> = HashMap::new();
        for event in &self.events[..until] {
            if let What::Printed(text) = &event.what {
                printed.entry(event.process).or_default().extend(text);
            }
        }
        let mut ledger = Ledger::default();
        for (process, sent) in &self.sent {
            let text = String::from_utf8_lossy(printed.get(process).map_or(&[][..], |text| text)).into_owned();
            let whole = text.split_inclusive('\n').filter(|line| line.ends_with('\n'));
            let lines: Vec<String> = whole.map(|line| line.trim_end().to_owned()).collect();
            ledger.take(&lines, sent.clone()).expect("acknowledgements");
        }
        ledger
    }

    /// Where it is of interest to cut: after what was acknowledged, after and within syncs, after changes of names,
    /// and anywhere.
    fn cuts(&self, count: usize, random: &mut Random) -> BTreeSet<usize> {
        let mut kinds: [Vec<usize>; 4] = Default::default();
        for (i, event) in self.events.iter().enumerate() {
            let kind = match &event.what {
                What::Printed(_) => 0,
                What::SyncBegan { .. } | What::SyncEnded { .. } => 1,
                What::SyncAllBegan { .. } | What::SyncAllEnded { .. } => 1,
                What::Written { .. } | What::LengthSet { .. } | What::RoomMade { .. } => 3,
                _ => 2,
            };
            kinds[kind].push(i + 1);
        }
        let mut cuts = BTreeSet::from([self.up, self.events.len()]);
        while cuts.len() < count.min(self.events.len()) {
            let kind = &kinds[random.below(4) as usize];
            cuts.insert(kind[random.below(kind.len() as u64) as usize]);
        }
        cuts
    }

    fn disk(&self, names: Names, deaf_to: DeafTo) -> Disk {
        Disk::new(&self.folders, names, deaf_to)
    }

    /// What is left of the stack where the power fails after so many events.
    fn lose_power(&self, until: usize, names: Names, deaf_to: DeafTo, to: &Path) -> Stack {
        let mut disk = self.disk(names, deaf_to);
        self.events[..until].iter().for_each(|event| disk.apply(event));
        disk.lose_power(to, Rest::Lost, &mut Random(1)).expect("a folder");
        Stack::new(&to.join("home"))
    }
}

/// Whether a file of the lake is named by a hash rather than by sequences.
fn is_merged(path: &str) -> bool {
    path.ends_with(".parquet") && !path.rsplit('/').next().is_some_and(|name| name.contains('-'))
}

/// A disk after the power failed.
struct Left {
    folder: PathBuf,
    what: String,
    ledger: Ledger,
    /// Whether `up` had said that the stack is there.
    is_up: bool,
    /// Files of the lake, as they were.
    files: HashMap<String, Vec<u8>>,
    random: Random,
}

impl Left {
    fn check(mut self) -> Result<usize, String> {
        let stack = Stack::new(&self.folder.join("home"));
        if !self.is_up {
            stack.run(&["up", "--yes"])?;
        }
        let listed = "SELECT name FROM lake_files WHERE replaced_at IS NULL";
        compare(&stack, &mut self.ledger, self.random.below(4) as usize)?;
        for name in stack.rows("table.db", listed)? {
            let found = fs::read(stack.folder().join("lake").join(&name)).map_err(|e| format!("'{name}': {e}"))?;
            if self.files.get(&name).is_some_and(|bytes| *bytes != found) {
                return Err(format!("'{name}' is not as it was written"));
            }
        }
        // And it goes on as if nothing had been; whoever runs the consumers next removes what nobody owns.
        let (input, sent) = Market::new(self.random.split(), &["AFTER"]).replay(30, Rows::Minutes);
        let ended = Running::start(replay(&stack), Some(input))?.end()?;
        if !ended.status.success() {
            return Err(ended.said);
        }
        self.ledger.take(&ended.lines, sent)?;
        compare(&stack, &mut self.ledger, self.random.below(4) as usize)?;
        fs::remove_dir_all(&self.folder).map_err(|e| e.to_string())?;
        Ok(self.ledger.len())
    }
}

/// Cuts a recording at so many moments; returns what is wrong.
fn cut(recording: &Recording, count: usize, work: &Path, random: &mut Random) -> Vec<String> {
    let (jobs, queue) = mpsc::sync_channel::<Left>(WORKERS);
    let (queue, failures) = (Mutex::new(queue), Mutex::new(Vec::new()));
    thread::scope(|scope| {
        for _ in 0..WORKERS {
            scope.spawn(|| {
                loop {
                    let next = queue.lock().expect("no worker panics here").recv();
                    let Ok(left) = next else { return };
                    let what = left.what.clone();
                    if let Err(error) = left.check() {
                        failures.lock().expect("no worker panics here").push(format!("{what}: {error}"));
                    }
                }
            });
        }
        let both = [Names::ByFolder, Names::InOrder];
        let mut disks = both.map(|names| recording.disk(names, |_| false));
        let cuts = recording.cuts(count, random);
        for (i, event) in recording.events.iter().enumerate() {
            disks.iter_mut().for_each(|disk| disk.apply(event));
            let until = i + 1;
            if !cuts.contains(&until) {
                continue;
            }
            let which = random.below(2) as usize;
            let rest = [Rest::Lost, Rest::Mixed, Rest::Mixed, Rest::Kept][random.below(4) as usize];
            let last = format!("{:.90}", format!("{:?}", event.what));
            let what = format!("after event {until} ({last}), names {:?}, the rest {rest:?}", both[which]);
            let folder = work.join(format!("cut-{until}"));
            disks[which].lose_power(&folder, rest, random).expect("a folder");
            let files = disks[which].files("home/stockpipe/lake/");
            let ledger = recording.ledger(until);
            let left = Left { folder, what, ledger, is_up: until >= recording.up, files, random: random.split() };
            jobs.send(left).expect("workers");
        }
        drop(jobs);
    });
    failures.into_inner().expect("no worker panics here")
}

/// A recording that the tests share.
fn recording() -> &'static Recording {
    static RECORDING: OnceLock<Recording> = OnceLock::new();
    RECORDING.get_or_init(|| {
        let work = tempfile::tempdir().expect("a folder");
        Recording::make(work.path(), &mut Random(seed()))
    })
}

/// A test that would find: an acknowledgement before its sync, a write-ahead log without its name, a file that is
/// listed before its bytes or its name are durable, a stack of which `up` said too early that it is there, and
/// whatever does not start from such a folder.
#[test]
fn the_power_fails_and_nothing_acknowledged_is_lost_or_doubled() {
    let (seed, count) = (seed(), number("STOCKPIPE_CUTS").unwrap_or(24));
    let (started, mut random) = (Instant::now(), Random(seed));
    let work = tempfile::tempdir().expect("a folder");
    let mut failures = Vec::new();
    for i in 0..count.div_ceil(CUTS_PER_RECORDING) {
        let cuts = (count - i * CUTS_PER_RECORDING).min(CUTS_PER_RECORDING) as usize;
        let folder = work.path().join(i.to_string());
        fs::create_dir(&folder).expect("a folder");
        let made;
        let recording = match i {
            0 => recording(),
            _ => {
                made = Recording::make(&folder, &mut random);
                &made
            }
        };
        failures.extend(cut(recording, cuts, &folder, &mut random));
        let acked = recording.ledger(recording.events.len()).len();
        eprintln!("{} events, {acked} quotes acknowledged, {cuts} cuts", recording.events.len());
    }
    eprintln!("STOCKPIPE_SEED={seed}: {count} cuts, {:.1} s", started.elapsed().as_secs_f64());
    if !failures.is_empty() {
        let kept = work.keep();
        panic!(
            "STOCKPIPE_SEED={seed}, kept in '{}': {} failures\n{}",
            kept.display(),
            failures.len(),
            failures.join("\n")
        )
    }
}

/// A test that would find: that the one above finds nothing. Each of the syncs that promises rest on does nothing
/// here, and then something has to be missing.
#[test]
fn without_its_syncs_something_is_missing() {
    let recording = recording();
    let work = tempfile::tempdir().expect("a folder");
    // In the middle of a run: its end would fold the log into the database.
    let acked = |event: &Event| event.process == recording.unhurried && matches!(event.what, What::Printed(_));
    let acked = recording.events.iter().position(acked).expect("an acknowledgement") + 1;
    let end = recording.events.len();
    let is_folder = |path: &str| !path.rsplit('/').next().is_some_and(|name| name.contains(['.', '=']));
    let cases: [(&str, usize, DeafTo); 4] = [
        ("acknowledged quotes are lost", acked, |path| path.ends_with("stream.db-wal")),
        ("there is no local stack", acked, is_folder),
        ("the query failed", end, |path| path.contains("lake/quotes")),
        ("", acked, |_| false),
    ];
    for (expected, until, deaf_to) in cases {
        let left = work.path().join(until.to_string());
        let stack = recording.lose_power(until, Names::ByFolder, deaf_to, &left);
        match compare(&stack, &mut recording.ledger(until), 0) {
            Ok(()) => assert_eq!(expected, "", "nothing is missing"),
            Err(error) => assert!(!expected.is_empty() && error.contains(expected), "'{expected}' expected: {error}"),
        }
        fs::remove_dir_all(&left).expect("a folder");
    }
}

/// A test that would find: records that a killed process had written and not synced, which those after it see, taken
/// by them as if they were durable. The power loss leaves their numbers to other records then, which nobody takes.
#[test]
fn what_a_killed_process_left_is_durable_before_it_is_taken() {
    let work = tempfile::tempdir().expect("a folder");
    let mut recorder = Recorder::new(work.path(), "home", &["", "home"]);
    let up = recorder.up();
    let stream = |recorder: &Recorder| {
        let arguments = ["--source", "synthetic:1", "--count", "2", "--speed", "max"];
        recorder.synthetic(&arguments, 1)
    };
    let (command, sent) = stream(&recorder);
    recorder.run(command, sent, None, None);
    let whole = trace::read(&recorder.trace, &recorder.base).split_off(up);
    let put = first_put(&whole).expect("a sync of the stream's log");

    let mut questions = Vec::new();
    // When it comes to it differs a little from run to run.
    for die_at in put - 3..put + 5 {
        let (command, sent) = stream(&recorder);
        recorder.run(command, sent, None, Some(die_at as u64 + 1));
        let from = trace::read(&recorder.trace, &recorder.base).len();
        recorder.run(recorder.stack.command(&["query", "--sql", "SELECT 1"]), None, None, None);
        questions.push(from..trace::read(&recorder.trace, &recorder.base).len());
    }
    let recording = recorder.finish(up, 0);
    let is_sync = |i: &usize| matches!(recording.events[*i].what, What::SyncEnded { .. });
    for cut in questions.into_iter().flatten().filter(is_sync) {
        let left = work.path().join(cut.to_string());
        let stack = recording.lose_power(cut + 1, Names::InOrder, |_| false, &left);
        let number = |file: &str, sql: &str| -> u64 {
            let rows = stack.rows(file, sql).expect("a number");
            rows.first().and_then(|row| row.parse().ok()).expect("a number")
        };
        let last = number("stream.db", "SELECT coalesce(max(last), 0) FROM log");
        let taken = number("table.db", "SELECT max(record) FROM checkpoints");
        assert!(taken <= last, "cut after {cut}: {taken} records taken of {last}");
        fs::remove_dir_all(&left).expect("a folder");
    }
}

/// Where the first sync begins that follows a write to the stream's log.
fn first_put(events: &[Event]) -> Option<usize> {
    let made = events.iter().filter_map(|event| match &event.what {
        What::Made { inode, path, .. } if path.ends_with("stream.db-wal") => Some(*inode),
        _ => None,
    });
    let logs: BTreeSet<u64> = made.collect();
    let written = events.iter().position(|e| matches!(e.what, What::Written { inode, .. } if logs.contains(&inode)))?;
    let synced = events.iter().skip(written).find_map(|event| match event.what {
        What::SyncEnded { inode, number } if logs.contains(&inode) => Some(number),
        _ => None,
    })?;
    events.iter().position(|event| matches!(event.what, What::SyncBegan { number } if number == synced))
}

/// A test that would find: the first stack of a user, whose home `up` has to make as well, gone with the power.
#[test]
fn a_home_that_up_made_is_durable() {
    let work = tempfile::tempdir().expect("a folder");
    let mut recorder = Recorder::new(work.path(), "share/home", &[""]);
    let up = recorder.up();
    let recording = recorder.finish(up, 0);
    let mut disk = recording.disk(Names::ByFolder, |_| false);
    recording.events.iter().for_each(|event| disk.apply(event));
    let left = work.path().join("left");
    disk.lose_power(&left, Rest::Lost, &mut Random(1)).expect("a folder");
    let status = Stack::new(&left.join("share/home")).run(&["status"]);
    assert!(status.is_ok(), "after `up` had returned: {status:?}");
}
