//! What is sent, what of it was acknowledged, and processes that can be killed meanwhile.

use super::{
    stack::Stack,
    truth::{Acked, Truth, decimal},
};
use serde::Deserialize;
use std::{
    collections::{BTreeSet, HashMap, VecDeque},
    io::{BufRead, BufReader, Read, Write},
    process::{Child, ExitStatus, Stdio},
    sync::{Arc, Mutex},
    thread::{self, JoinHandle},
    time::Duration,
};

/// Random numbers that a seed fixes (splitmix64).
#[derive(Clone, Debug)]
pub(crate) struct Random(pub(crate) u64);

impl Random {
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number below this.
    pub(crate) fn below(&mut self, end: u64) -> u64 {
        self.next() % end.max(1)
    }

    /// A number of this range, small ones as probable as those ten times as large.
    pub(crate) fn spread(&mut self, first: u64, last: u64) -> u64 {
        let share = self.below(1 << 20) as f64 / (1 << 20) as f64;
        (first as f64 * (last as f64 / first as f64).powf(share)) as u64
    }

    pub(crate) fn percent(&mut self, percent: u64) -> bool {
        self.below(100) < percent
    }

    /// One of its own for somebody else.
    pub(crate) fn split(&mut self) -> Self {
        Self(self.next())
    }
}

/// Which quotes a run's acknowledgements are about.
#[derive(Clone, Debug)]
pub(crate) enum Sent {
    /// Of a synthetic source: a quote per symbol and step of so many milliseconds.
    Grid(i64),
    /// Of a replay: the times of each symbol's quotes, in the order in which they were written.
    Lines(HashMap<String, VecDeque<String>>),
}

/// What was acknowledged, as known from the acknowledgements and from what was sent, and from nothing else.
#[derive(Clone, Debug, Default)]
pub(crate) struct Ledger {
    quotes: BTreeSet<(String, String)>,
    /// Lines that are no quotes.
    others: usize,
    runs: Vec<Vec<Acked>>,
    /// For each of these, the run in the stream.
    found: Vec<Option<i64>>,
}

impl Ledger {
    /// Takes in the lines that a run printed.
    pub(crate) fn take(&mut self, lines: &[String], mut sent: Sent) -> Result<(), String> {
        #[derive(Deserialize)]
        struct Ack {
            acked: String,
            through: Option<String>,
            count: u64,
        }
        let mut run = Vec::new();
        let mut before: HashMap<String, i64> = HashMap::new();
        for line in lines.iter().filter(|line| line.starts_with("{\"acked\"")) {
            let Ack { acked: symbol, through, count } =
                serde_json::from_str(line).map_err(|e| format!("acknowledged as '{line}': {e}"))?;
            let odd = |why: &str| Err(format!("acknowledged as '{line}': {why}"));
            run.push((symbol.clone(), through.clone(), count));
            let Some(through) = through else {
                self.others += 1;
                continue;
            };
            match &mut sent {
                Sent::Grid(step) => {
                    let Some(last) = millis(&through) else { return odd("no time") };
                    let first = last - (count as i64 - 1) * *step;
                    if before.insert(symbol.clone(), last).is_some_and(|before| before + *step != first) {
                        return odd("quotes between it and the one before are passed over");
                    }
                    self.quotes.extend((0..count as i64).map(|i| (symbol.clone(), text(first + i * *step))));
                }
                Sent::Lines(lines) => {
                    let lines = lines.entry(symbol.clone()).or_default();
                    let times: Vec<String> = (0..count).filter_map(|_| lines.pop_front()).collect();
                    if times.len() as u64 != count || times.last() != Some(&through) {
                        return odd("not what was sent next");
                    }
                    self.quotes.extend(times.into_iter().map(|time| (symbol.clone(), time)));
                }
            }
        }
        if !run.is_empty() {
            self.runs.push(run);
            self.found.push(None);
        }
        Ok(())
    }

    /// How many quotes it has.
    pub(crate) fn len(&self) -> usize {
        self.quotes.len()
    }

    /// Whether all of it is in the stream: the records of each run first and in their order, and so in the table.
    pub(crate) fn compare(&mut self, truth: &Truth) -> Result<(), String> {
        let lost: Vec<_> = self.quotes.iter().filter(|identity| !truth.table.contains_key(identity)).collect();
        if !lost.is_empty() {
            let shown = &lost[..lost.len().min(4)];
            return Err(format!("{} of {} acknowledged quotes are lost: {shown:?}", lost.len(), self.quotes.len()));
        }
        for (run, found) in self.runs.iter().zip(&mut self.found).filter(|(_, found)| found.is_none()) {
            let begins = |records: &Vec<Acked>| records.get(..run.len()) == Some(run.as_slice());
            *found = truth.records.iter().find(|(_, records)| begins(records)).map(|(number, _)| *number);
            if found.is_none() {
                return Err(format!("no run of the stream begins with {:?}, {} records", run.first(), run.len()));
            }
        }
        let others: usize = truth.records.values().flatten().filter(|(_, through, _)| through.is_none()).count();
        if others < self.others {
            return Err(format!("{} lines that are no quotes were acknowledged, {others} are there", self.others));
        }
        Ok(())
    }
}

/// `stockpipe` at work.
pub(crate) struct Running {
    child: Child,
    lines: Arc<Mutex<Vec<String>>>,
    stdout: Option<JoinHandle<()>>,
    stderr: Option<JoinHandle<String>>,
}

/// What was left of it.
pub(crate) struct Ended {
    /// The whole lines that it printed.
    pub(crate) lines: Vec<String>,
    pub(crate) said: String,
    pub(crate) status: ExitStatus,
}

impl Running {
    /// Starts it, and hands it this input piece by piece with pauses.
    pub(crate) fn start(mut command: std::process::Command, input: Option<Input>) -> Result<Self, String> {
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        command.stdin(if input.is_some() { Stdio::piped() } else { Stdio::null() });
        let mut child = command.spawn().map_err(|e| format!("the binary cannot be run: {e}"))?;
        let lines: Arc<Mutex<Vec<String>>> = Arc::default();
        if let (Some(mut stdin), Some(input)) = (child.stdin.take(), input) {
            // It ends with what is written, or with who reads.
            thread::spawn(move || {
                for (piece, pause) in input {
                    if stdin.write_all(piece.as_bytes()).is_err() {
                        return;
                    }
                    thread::sleep(pause);
                }
            });
        }
        let (stdout, read) = (child.stdout.take(), Arc::clone(&lines));
        let stdout = thread::spawn(move || {
            let Some(mut stdout) = stdout.map(BufReader::new) else { return };
            let mut line = String::new();
            while stdout.read_line(&mut line).is_ok_and(|length| length > 0) {
                // What is cut off says nothing.
                if line.ends_with('\n') {
                    read.lock().expect("no reader panics").push(line.trim_end().to_owned());
                }
                line.clear();
            }
        });
        let stderr = child.stderr.take();
        let stderr = thread::spawn(move || {
            let mut said = String::new();
            let _ = stderr.map(|mut stderr| stderr.read_to_string(&mut said));
            said
        });
        Ok(Self { child, lines, stdout: Some(stdout), stderr: Some(stderr) })
    }

    /// How many lines it has printed.
    pub(crate) fn lines(&self) -> usize {
        self.lines.lock().expect("no reader panics").len()
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    pub(crate) fn has_ended(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(Some(_)))
    }

    /// SIGKILL: it has no say in it.
    pub(crate) fn kill(&mut self) {
        let _ = self.child.kill();
    }

    /// Waits for its end.
    pub(crate) fn end(mut self) -> Result<Ended, String> {
        let status = self.child.wait().map_err(|e| e.to_string())?;
        let read = self.stdout.take().map(JoinHandle::join);
        let said = self.stderr.take().and_then(|thread| thread.join().ok()).unwrap_or_default();
        if read.is_some_and(|read| read.is_err()) {
            return Err("the reader of its output panicked".into());
        }
        let lines = std::mem::take(&mut *self.lines.lock().expect("no reader panics"));
        Ok(Ended { lines, said, status })
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Pieces of a standard input, and the pause after each.
pub(crate) type Input = Vec<(String, Duration)>;

/// Where the quotes of replays come from: walks that go on from one replay to the next.
#[derive(Debug)]
pub(crate) struct Market {
    random: Random,
    walks: Vec<Walk>,
}

#[derive(Debug)]
struct Walk {
    symbol: String,
    at: i64,
    /// In units of 10^-8.
    price: i128,
    /// Some that were sent: time and price.
    sent: Vec<(i64, i128)>,
}

/// How the rows of a replay are written, and how far apart in time they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Rows {
    /// CSV, a minute apart.
    Minutes,
    /// JSON lines, 20 ms apart; some are stale, from a backfill, or no quotes at all.
    Json,
    /// CSV, a day apart: a file of the lake for each.
    Days,
}

impl Market {
    pub(crate) fn new(mut random: Random, symbols: &[&str]) -> Self {
        let start = millis("2015-01-02T14:30:00.000Z").expect("a time");
        let walk = |symbol: &&str| Walk {
            symbol: (*symbol).into(),
            at: start,
            price: 5_000_000_000 + i128::from(random.below(10_000_000_000)),
            sent: Vec::new(),
        };
        let walks = symbols.iter().map(walk).collect();
        Self { random, walks }
    }

    /// So many rows, in pieces; most are new ones in order, some late, twice the same, or revised.
    pub(crate) fn replay(&mut self, rows: usize, kind: Rows) -> (Input, Sent) {
        let mut sent: HashMap<String, VecDeque<String>> = HashMap::new();
        let mut input = Input::new();
        let mut piece = String::new();
        if kind != Rows::Json {
            piece.push_str("symbol,timestamp,open,high,low,close,volume\n");
        }
        let mut until_pause = self.random.spread(1, 400);
        for _ in 0..rows {
            if kind == Rows::Json && self.random.percent(1) {
                piece.push_str(["not json\n", "{\"symbol\":\"RA\",\"price\":-1}\n"][self.random.below(2) as usize]);
                continue;
            }
            let (symbol, time, row) = self.row(kind);
            sent.entry(symbol).or_default().push_back(time);
            piece.push_str(&row);
            until_pause -= 1;
            if until_pause == 0 {
                input.push((std::mem::take(&mut piece), Duration::from_millis(self.random.below(12))));
                until_pause = self.random.spread(1, 400);
            }
        }
        input.push((piece, Duration::ZERO));
        (input, Sent::Lines(sent))
    }

    fn row(&mut self, kind: Rows) -> (String, String, String) {
        let random = &mut self.random;
        let walk = random.below(self.walks.len() as u64) as usize;
        let walk = &mut self.walks[walk];
        let step = match kind {
            Rows::Minutes => 60_000,
            Rows::Json => 20,
            Rows::Days => 86_400_000,
        };
        let before = (!walk.sent.is_empty()).then(|| walk.sent[random.below(walk.sent.len() as u64) as usize]);
        let (at, price) = match (random.below(100), before) {
            (..6, Some(before)) => before,
            (6..12, Some((at, price))) => (at, price + 1 + i128::from(random.below(1_000_000))),
            (12..20, Some((at, price))) => (at - 1 - random.below(15) as i64, price),
            _ => {
                walk.at += step;
                // A step of a few cents, to up to eight places.
                let scale = [1, 1000, 1_000_000][random.below(3) as usize];
                let change = (random.below(2001) as i128 - 1000) * 3000 / scale * scale;
                walk.price = (walk.price + change).max(100_000_000);
                if walk.sent.len() < 300 {
                    walk.sent.push((walk.at, walk.price));
                } else {
                    walk.sent[random.below(300) as usize] = (walk.at, walk.price);
                }
                (walk.at, walk.price)
            }
        };
        let (time, price) = (text(at), decimal(price, 8));
        let row = match kind {
            Rows::Json => {
                let mark = match random.below(40) {
                    0 => ",\"stale\":true",
                    1 => ",\"origin\":\"backfill\"",
                    _ => "",
                };
                format!("{{\"symbol\":\"{}\",\"timestamp\":\"{time}\",\"price\":{price}{mark}}}\n", walk.symbol)
            }
            _ => format!("{},{time},{price},,,{price},{}\n", walk.symbol, at.rem_euclid(1000)),
        };
        (walk.symbol.clone(), time, row)
    }
}

/// `stream` from a replay of this input, with acknowledgements.
pub(crate) fn replay(stack: &Stack) -> std::process::Command {
    stack.command(&["stream", "--source", "replay:-", "--acks", "--format", "json"])
}

/// The milliseconds since 1970 of a time as the pipeline writes it.
pub(crate) fn millis(time: &str) -> Option<i64> {
    chrono::NaiveDateTime::parse_from_str(time, "%Y-%m-%dT%H:%M:%S%.3fZ").ok().map(|t| t.and_utc().timestamp_millis())
}

/// The time of these milliseconds as the pipeline writes it.
pub(crate) fn text(millis: i64) -> String {
    let time = chrono::DateTime::from_timestamp_millis(millis).expect("a time within the calendar");
    time.format("%Y-%m-%dT%H:%M:%S%.3fZ").to_string()
}
