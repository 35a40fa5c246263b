//! SIGKILL at any moment: what was acknowledged is there, once, with its signals.
//!
//! `STOCKPIPE_KILLS` says how many kills, `STOCKPIPE_SEED` repeats a run's choices (not its timing).

#![expect(clippy::expect_used, reason = "a test ends where what it builds on fails")]

pub(crate) mod load;
pub(crate) mod stack;
pub(crate) mod truth;

use load::{Input, Ledger, Market, Random, Rows, Running, Sent, replay};
use stack::Stack;
use std::{
    env,
    path::Path,
    process::Command,
    sync::OnceLock,
    thread,
    time::{Duration, Instant, SystemTime},
};
use truth::{Answers, Truth};

/// Stacks that are worked on at once: while one waits for a lease to run out the others go on.
const STACKS: u64 = 4;
/// Kills after which a stack is compared.
const KILLS_BETWEEN: u64 = 4;

/// The number that the environment names.
pub(crate) fn number(variable: &str) -> Option<u64> {
    env::var(variable).ok().map(|text| text.parse().expect("a number"))
}

/// The seed that was given, or another each time.
pub(crate) fn seed() -> u64 {
    static SEED: OnceLock<u64> = OnceLock::new();
    let clock = || SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(1, |d| d.as_millis() as u64);
    *SEED.get_or_init(|| number("STOCKPIPE_SEED").unwrap_or_else(clock))
}

/// Compares all that can be compared: what was acknowledged, the stream, the table, SQL, the commands and the files.
pub(crate) fn compare(stack: &Stack, ledger: &mut Ledger, first: usize) -> Result<(), String> {
    let answers = Answers::ask(stack, first)?;
    let truth = Truth::read(stack)?;
    ledger.compare(&truth)?;
    truth.compare(stack, &answers)?;
    // Who did not give back the lease may have left files, which the next one removes.
    if stack.is_given_back()? { truth.compare_files(stack) } else { Ok(()) }
}

/// A test that would find: an acknowledgement before the sync, a checkpoint apart from what it covers, a file listed
/// before it is whole, a batch that is delivered again and counted or signalled twice, a lease that is not taken over,
/// files that a dead process left and nobody removes.
#[test]
fn killed_at_any_moment_nothing_acknowledged_is_lost_or_doubled() {
    let (seed, kills) = (seed(), number("STOCKPIPE_KILLS").unwrap_or(60));
    let started = Instant::now();
    let home = tempfile::tempdir().expect("a folder");
    let results: Vec<Result<History, String>> = thread::scope(|scope| {
        let threads: Vec<_> = (0..STACKS)
            .map(|i| {
                let (home, share) = (home.path().join(i.to_string()), kills.div_ceil(STACKS));
                scope.spawn(move || {
                    let mut history = History::new(&home, Random(seed ^ (i << 32)));
                    history.live(share).map(|()| history)
                })
            })
            .collect();
        threads.into_iter().map(|t| t.join().unwrap_or_else(|_| Err("panicked".into()))).collect()
    });
    let (mut done, mut acked, mut compared) = (0, 0, 0);
    for result in results {
        match result {
            Ok(history) => {
                done += history.kills;
                acked += history.ledger.len();
                compared += history.compared;
            }
            Err(error) => {
                let kept = home.keep();
                panic!("STOCKPIPE_SEED={seed}, kept in '{}': {error}", kept.display())
            }
        }
    }
    eprintln!(
        "STOCKPIPE_SEED={seed}: {done} kills, {acked} quotes acknowledged, compared {compared} times, {:.1} s",
        started.elapsed().as_secs_f64()
    );
    assert!(done >= kills);
}

/// A stack, and what is known of it from outside.
struct History {
    stack: Stack,
    random: Random,
    market: Market,
    ledger: Ledger,
    kills: u64,
    compared: u64,
    /// Whether the lake's files were compared since the last kill.
    clean: bool,
}

/// When a process is killed.
#[derive(Clone, Copy, Debug)]
enum When {
    /// So long after its start.
    Started(Duration),
    /// So long after it has printed so many lines.
    Printed(usize, Duration),
    /// Not at all.
    Never,
}

/// A process under way.
struct Victim {
    running: Running,
    started: Instant,
    printed: Option<Instant>,
    when: When,
    /// None where it is no `stream`.
    sent: Option<Sent>,
    /// The command line, for messages.
    name: String,
}

impl History {
    fn new(home: &Path, mut random: Random) -> Self {
        let market = Market::new(random.split(), &["RA", "RB", "RC"]);
        let ledger = Ledger::default();
        Self { stack: Stack::new(home), random, market, ledger, kills: 0, compared: 0, clean: true }
    }

    fn live(&mut self, kills: u64) -> Result<(), String> {
        self.be_made()?;
        let mut next = KILLS_BETWEEN;
        while self.kills < kills {
            self.round()?;
            if self.kills >= next {
                next = self.kills + KILLS_BETWEEN;
                self.compare()?;
            }
        }
        self.settle()?;
        self.compare()?;
        if self.clean { Ok(()) } else { Err("the lease was not given back by a run that ended well".into()) }
    }

    /// `up`, killed now and then before it is done.
    fn be_made(&mut self) -> Result<(), String> {
        for _ in 0..self.random.below(4) {
            let when = When::Started(Duration::from_micros(self.random.spread(500, 30_000)));
            let up = self.victim(self.stack.command(&["up", "--yes"]), None, None, when)?;
            self.run(vec![up])?;
        }
        self.stack.run(&["up", "--yes"]).map(|_| ())
    }

    fn round(&mut self) -> Result<(), String> {
        let when = self.when();
        let mut victims = vec![self.stream(when)?];
        if self.random.percent(25) {
            let when = self.when();
            victims.push(self.stream(when)?);
        }
        if self.random.percent(30) {
            // It hurries archive, reads while others write, and takes what waits if nobody does.
            let sql = "SELECT symbol, \"timestamp\" FROM stock_data_table
                       GROUP BY symbol, \"timestamp\" HAVING count(*) > 1";
            let question: &[&str] = if self.random.percent(50) { &["query", "--sql", sql] } else { &["signals"] };
            let when = if self.random.percent(50) { self.when() } else { When::Never };
            let command = self.stack.command(&[question, &["--format", "csv"]].concat());
            victims.push(self.victim(command, None, None, when)?);
        }
        self.run(victims)?;
        if self.random.percent(75) {
            self.stack.expire_lease()?;
        }
        Ok(())
    }

    /// A moment at random: early ones, such as the start-up, more often than their length deserves.
    fn when(&mut self) -> When {
        let pause = Duration::from_micros(self.random.spread(100, 60_000));
        match self.random.below(10) {
            0..4 => When::Started(Duration::from_micros(self.random.spread(2000, 1_200_000))),
            4..7 => When::Printed(self.random.spread(1, 200) as usize, pause),
            7..9 => When::Printed(usize::MAX, pause),
            _ => When::Never,
        }
    }

    fn stream(&mut self, mut when: When) -> Result<Victim, String> {
        let random = &mut self.random;
        let symbols = random.spread(1, 20);
        let source = format!("synthetic:{symbols}");
        let seed = random.below(1000).to_string();
        let mut last = None;
        let mut synthetic = |interval: u64, speed: &str, count: Option<u64>| {
            let (interval_text, count_text) = (format!("{interval}ms"), count.unwrap_or(0).to_string());
            let mut arguments = vec!["stream", "--source", &source, "--seed", &seed, "--interval", &interval_text];
            arguments.extend(["--speed", speed, "--acks", "--format", "json"]);
            if count.is_some() {
                arguments.extend(["--count", &count_text]);
            }
            // At least one line for each symbol is printed, and one at most for each quote.
            last = count.map(|count| count.min(symbols));
            (self.stack.command(&arguments), Some(Sent::Grid(interval as i64)), None)
        };
        let (command, sent, input) = match random.below(10) {
            0..2 => synthetic(random.spread(1, 1000), "max", Some(random.spread(1, 300))),
            2..4 => synthetic(random.spread(1, 1000), "max", Some(random.spread(1000, 30_000))),
            4..6 => {
                if matches!(when, When::Never | When::Printed(usize::MAX, _)) {
                    when = When::Started(Duration::from_millis(random.spread(100, 1200)));
                }
                synthetic(random.spread(1, 20), "realtime", None)
            }
            kind => {
                let (rows, kind) = match kind {
                    6..8 => (random.spread(5, 3000), Rows::Json),
                    8 => (random.spread(5, 3000), Rows::Minutes),
                    _ => (random.spread(5, 80), Rows::Days),
                };
                let (input, sent) = self.market.replay(rows as usize, kind);
                (replay(&self.stack), Some(sent), Some(input))
            }
        };
        if let When::Printed(lines @ usize::MAX, _) = &mut when {
            // Nearly all of it, and then into the draining, the last flush, merging and the last checkpoints.
            *lines = last.map_or(10, |last| last as usize);
        }
        self.victim(command, sent, input, when)
    }

    fn victim(&self, command: Command, sent: Option<Sent>, input: Option<Input>, when: When) -> Result<Victim, String> {
        let name = command.get_args().map(|a| a.to_string_lossy()).collect::<Vec<_>>().join(" ");
        let running = Running::start(command, input)?;
        Ok(Victim { running, started: Instant::now(), printed: None, when, sent, name })
    }

    /// Lets them run, and kills each when it is time.
    fn run(&mut self, mut victims: Vec<Victim>) -> Result<(), String> {
        while !victims.is_empty() {
            thread::sleep(Duration::from_micros(200));
            let due: Vec<Victim> = victims.extract_if(.., Victim::is_due).collect();
            for mut victim in due {
                let over = victim.running.has_ended();
                if !over {
                    victim.running.kill();
                }
                self.bury(victim, !over)?;
            }
        }
        Ok(())
    }

    /// Takes down what it has acknowledged.
    fn bury(&mut self, victim: Victim, killed: bool) -> Result<(), String> {
        let ended = victim.running.end()?;
        if killed {
            self.kills += 1;
            self.clean = false;
        } else if !ended.status.success() {
            return Err(format!("`stockpipe {}`: {}: {}", victim.name, ended.status, ended.said));
        }
        match victim.sent {
            Some(sent) => self.ledger.take(&ended.lines, sent).map_err(|e| format!("`{}`: {e}", victim.name)),
            None if victim.name.starts_with("query") && ended.lines.len() > 1 => {
                Err(format!("SQL saw quotes twice: {}", ended.lines.join("\n")))
            }
            None => Ok(()),
        }
    }

    /// A run that ends well: it removes what the last holder of the lease may have left.
    fn settle(&mut self) -> Result<(), String> {
        let (input, sent) = self.market.replay(1, Rows::Minutes);
        let last = self.victim(replay(&self.stack), Some(sent), Some(input), When::Never)?;
        self.run(vec![last])
    }

    fn compare(&mut self) -> Result<(), String> {
        if self.random.percent(50) {
            self.settle()?;
        }
        let first = self.random.below(4) as usize;
        self.compared += 1;
        compare(&self.stack, &mut self.ledger, first)?;
        self.clean = self.stack.is_given_back()?;
        Ok(())
    }
}

impl Victim {
    /// Whether its time has come, or it has ended by itself.
    fn is_due(&mut self) -> bool {
        let now = Instant::now();
        let due = match self.when {
            When::Never => false,
            When::Started(after) => now - self.started >= after,
            When::Printed(lines, after) => {
                if self.running.lines() >= lines {
                    self.printed.get_or_insert(now);
                }
                self.printed.is_some_and(|printed| now - printed >= after)
            }
        };
        due || self.running.has_ended()
    }
}
