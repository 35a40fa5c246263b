//! Live quotes from Yahoo's chart endpoint, asked for again and again.
//!
//! Every symbol is asked for once in each interval, at times counted from the first one, so that what a round is late
//! by is not handed down. A symbol that still waits for its turn or its answer when the next round begins is left out
//! of that one: nothing piles up. Requests run on a runtime of their own, a few at once, so that whoever asks for quotes
//! never waits for the network.
//!
//! What goes wrong is said once, and again when it changes or is over; polling goes on for ever. Only a symbol that
//! Yahoo never knew is given up.

mod backoff;
mod chart;
mod client;
mod clock;
mod polls;
mod quote;
#[cfg(test)]
mod tests;
mod voice;

use super::{Flow, Missed, Note, Outgoing, Source, SourceError, SourceOptions};
use client::{Answer, Base, Client};
use clock::Clock;
use pipeline::{Symbol, Timestamp};
use polls::{IN_FLIGHT, Polls, Request};
use std::{
    collections::{HashMap, hash_map::RandomState},
    hash::BuildHasher,
    time::{Duration, Instant},
};
use tokio::{
    runtime::{self, Runtime},
    task::{Id, JoinSet},
};

/// The environment's variable that points elsewhere.
const URL: &str = "STOCKPIPE_YAHOO_URL";
/// From poll to poll, unless `--interval` says otherwise.
pub const INTERVAL: Duration = Duration::from_secs(30);
/// What a public service is asked is asked no more often.
const SHORTEST_INTERVAL: Duration = Duration::from_secs(1);

/// Polls Yahoo.
pub struct Yahoo {
    polls: Polls,
    clock: Clock,
    client: Client,
    tasks: JoinSet<Answer>,
    under_way: HashMap<Id, Request>,
    /// There until it is dropped.
    runtime: Option<Runtime>,
}

/// Whether this is an interval to poll in, and the environment points to something that can be asked.
///
/// # Errors
/// When it is too short for a public service, or the address is none of the web.
pub fn check(interval: Duration) -> Result<(), SourceError> {
    base()?;
    if interval < SHORTEST_INTERVAL && elsewhere().is_none() {
        return Err(SourceError {
            what: format!("--interval {}", voice::duration(interval)),
            cause: "Yahoo is a public service, and asked for each symbol at most once a second".into(),
            hint: Some("--interval 30s is the default; Yahoo's own quotes are some seconds old"),
        });
    }
    Ok(())
}

fn elsewhere() -> Option<String> {
    std::env::var_os(URL).filter(|url| !url.is_empty()).map(|url| url.to_string_lossy().into_owned())
}

fn base() -> Result<Base, SourceError> {
    let base = elsewhere().unwrap_or_else(|| client::HOME.into());
    Base::parse(&base).ok_or_else(|| SourceError {
        what: format!("{URL} '{base}'"),
        cause: "not an address such as http://localhost:8080".into(),
        hint: None,
    })
}

impl Yahoo {
    /// Polls for the symbols that the options name.
    pub(super) fn open(options: SourceOptions) -> Result<Self, SourceError> {
        Self::new(base()?, options)
    }

    fn new(base: Base, options: SourceOptions) -> Result<Self, SourceError> {
        let failed = |cause: String| SourceError { what: "yahoo".into(), cause, hint: None };
        if options.symbols.is_empty() {
            return Err(failed("it needs at least one symbol".into()));
        }
        let runtime = runtime::Builder::new_multi_thread()
            .worker_threads(1)
            // Names are looked up on these.
            .max_blocking_threads(IN_FLIGHT)
            .thread_name("yahoo")
            .enable_all()
            .build()
            .map_err(|e| failed(format!("threads cannot be started ({e})")))?;
        let seed = RandomState::new().hash_one(URL);
        Ok(Self {
            polls: Polls::new(options.symbols, options.interval, options.count, seed),
            clock: Clock::default(),
            client: Client::new(base, IN_FLIGHT)?,
            tasks: JoinSet::new(),
            under_way: HashMap::new(),
            runtime: Some(runtime),
        })
    }

    fn take_answers(&mut self, now: Timestamp, clock: Instant) {
        let mut is_lost = false;
        while let Some(ended) = self.tasks.try_join_next_with_id() {
            let (id, answer) =
                ended.unwrap_or_else(|e| (e.id(), Answer::Failed(format!("the request broke off ({e})"))));
            is_lost |= matches!(answer, Answer::Failed(_) | Answer::Unreachable(_));
            if let Some(request) = self.under_way.remove(&id) {
                self.polls.answered(request, answer, now, clock);
            }
        }
        if is_lost {
            self.client.reconnect();
        }
    }

    fn ask(&mut self, clock: Instant) {
        let Some(runtime) = &self.runtime else { return };
        while let Some(request) = self.polls.ask(clock) {
            let Some(symbol) = self.polls.symbol(request).cloned() else { continue };
            let client = self.client.clone();
            let task = self.tasks.spawn_on(async move { client.ask(&symbol).await }, runtime.handle());
            self.under_way.insert(task.id(), request);
        }
    }
}

impl Source for Yahoo {
    fn next(&mut self, now: Timestamp, limit: usize, out: &mut Vec<Outgoing>) -> Result<Flow, SourceError> {
        let clock = self.clock.read(Instant::now(), now);
        self.take_answers(now, clock);
        if self.polls.give(now, limit, out, clock) {
            return Ok(Flow::More);
        }
        if self.polls.is_over() {
            return Ok(Flow::End);
        }
        if self.polls.look(clock) {
            self.client.reconnect();
        }
        self.ask(clock);
        Ok(Flow::WaitUntil(self.clock.monotonic(self.polls.due(clock))))
    }

    fn name(&self) -> String {
        format!("yahoo every {}", voice::duration(self.polls.interval()))
    }

    fn total(&self) -> Option<u64> {
        None
    }

    fn symbols(&self) -> Vec<Symbol> {
        self.polls.symbols()
    }

    fn notes(&mut self, is_end: bool) -> Vec<Note> {
        self.polls.notes(is_end, self.clock.at(Instant::now()))
    }

    fn missed(&self) -> Missed {
        self.polls.missed()
    }
}

impl Drop for Yahoo {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            // Else a name that is being looked up would hold up the end.
            runtime.shutdown_background();
        }
    }
}
