//! Live quotes from Yahoo's chart endpoint, asked for again and again.
//!
//! Every symbol is asked for once in each interval, at times counted from the first one, so that what a round is late
//! by is not handed down. A symbol that still waits for its turn or its answer when the next round begins is left out
//! of that one: nothing piles up. Requests run on threads of their own, a few at once, so that whoever asks for quotes
//! never waits for the network.
//!
//! What goes wrong is said once, and again when it changes or is over; polling goes on for ever. Only a symbol that
//! Yahoo never knew is given up.

mod backoff;
mod chart;
mod client;
#[cfg(test)]
mod tests;
mod voice;

use super::{Flow, Missed, Note, Outgoing, Source, SourceError, SourceOptions};
use backoff::Backoff;
use chart::{Reading, Trouble};
use client::{Answer, Client};
use pipeline::{Date, Origin, Quote, Symbol, Timestamp};
use std::{
    collections::{HashMap, VecDeque, hash_map::RandomState},
    hash::BuildHasher,
    sync::{Arc, mpsc},
    thread,
    time::{Duration, Instant},
};
use voice::Voice;

/// The environment's variable that points elsewhere.
const URL: &str = "STOCKPIPE_YAHOO_URL";
/// From poll to poll, unless `--interval` says otherwise.
pub const INTERVAL: Duration = Duration::from_secs(30);
/// A longer interval is cut to this, so that the next poll is a time that a clock can say.
const LONGEST_INTERVAL: Duration = Duration::from_secs(365 * 86_400);
/// So many requests are under way at once.
const IN_FLIGHT: usize = 4;
/// How often a symbol is asked for in one interval, where the network or the host fails.
const TRIES: u32 = 3;
/// How long the caller may wait while answers are under way.
const LOOK: Duration = Duration::from_millis(20);
/// A request that has no end by then, past every timeout of its own, is counted as failed.
const LOST: Duration = Duration::from_secs(2 * client::WHOLE.as_secs());
/// Quotes whose market time is older than this when they are sent are stale: the exchanges' own delay is up to 15.
const DELAY: Duration = Duration::from_secs(20 * 60);
/// What is further in the future than this would be set aside.
const AHEAD: Duration = Duration::from_secs(5 * 60);

/// Polls Yahoo.
pub struct Yahoo {
    client: Client,
    mark: Arc<str>,
    interval: Duration,
    symbols: Vec<Watched>,
    /// When the next round begins; none before the first.
    next_round: Option<Instant>,
    /// Who is to be asked for, by place in `symbols`.
    queue: VecDeque<usize>,
    /// Requests without an answer, by number: whose, and since when.
    under_way: HashMap<u64, (usize, Instant)>,
    requests: u64,
    backoff: Backoff,
    /// Where the threads put their answers, and where these come out.
    sender: mpsc::Sender<(u64, Answer)>,
    answers: mpsc::Receiver<(u64, Answer)>,
    /// How many quotes may still be sent, where that is known.
    left: Option<u64>,
    /// Read, and to be sent.
    ready: VecDeque<(usize, Reading)>,
    voice: Voice,
}

/// A symbol, and what is known of it.
struct Watched {
    symbol: Symbol,
    /// The newest market time so far.
    newest: Option<Timestamp>,
    /// Waits for its turn or its answer.
    busy: bool,
    /// Times it was asked for in this round.
    tries: u32,
    /// Yahoo does not know it.
    unknown: bool,
    /// Why the last answer was none.
    trouble: Option<String>,
    /// It was said that its market is closed.
    quiet: bool,
}

/// Whether the environment points to something that can be asked.
///
/// # Errors
/// When it is no address of the web.
pub fn check() -> Result<(), SourceError> {
    client().map(|_| ())
}

fn client() -> Result<Client, SourceError> {
    let base = std::env::var(URL).ok().filter(|url| !url.is_empty());
    let base = base.as_deref().unwrap_or(client::HOME);
    Client::new(base, IN_FLIGHT).ok_or_else(|| SourceError {
        what: format!("{URL} '{base}'"),
        cause: "not an address such as http://localhost:8080".into(),
    })
}

impl Yahoo {
    /// Polls for the symbols that the options name.
    pub(super) fn open(options: SourceOptions) -> Result<Self, SourceError> {
        Self::new(client()?, options)
    }

    fn new(client: Client, options: SourceOptions) -> Result<Self, SourceError> {
        let mut symbols: Vec<Watched> = Vec::with_capacity(options.symbols.len());
        for typed in options.symbols {
            // Yahoo takes either case and answers in capitals; under one name there is one series of quotes.
            let symbol = Symbol::parse(&typed.to_ascii_uppercase()).unwrap_or(typed);
            if !symbols.iter().any(|watched| watched.symbol == symbol) {
                symbols.push(Watched {
                    symbol,
                    newest: None,
                    busy: false,
                    tries: 0,
                    unknown: false,
                    trouble: None,
                    quiet: false,
                });
            }
        }
        if symbols.is_empty() {
            return Err(SourceError { what: "yahoo".into(), cause: "it needs at least one symbol".into() });
        }
        let (sender, answers) = mpsc::channel();
        Ok(Self {
            client,
            mark: "yahoo".into(),
            interval: options.interval.min(LONGEST_INTERVAL),
            symbols,
            next_round: None,
            queue: VecDeque::new(),
            under_way: HashMap::new(),
            requests: 0,
            backoff: Backoff::new(RandomState::new().hash_one(URL)),
            sender,
            answers,
            left: options.count,
            ready: VecDeque::new(),
            voice: Voice::default(),
        })
    }

    /// Begins a round if one is due. One that was missed, in sleep or behind slow answers, is not made up for.
    fn begin_round(&mut self, clock: Instant) {
        let due = *self.next_round.get_or_insert(clock);
        if due > clock {
            return;
        }
        let behind = clock.duration_since(due).as_nanos();
        let rounds = behind / self.interval.as_nanos().max(1) + 1;
        let next = u32::try_from(rounds).ok().and_then(|n| self.interval.checked_mul(n));
        // More rounds than can be counted, and the count begins anew.
        self.next_round = Some(next.map_or(clock + self.interval, |ahead| due + ahead));
        for (at, watched) in self.symbols.iter_mut().enumerate() {
            if !watched.busy && !watched.unknown {
                (watched.busy, watched.tries) = (true, 0);
                self.queue.push_back(at);
            }
        }
    }

    /// Asks for those whose turn it is.
    fn ask(&mut self, clock: Instant) {
        while self.backoff.until(clock).is_none() && self.under_way.len() < self.backoff.at_once(IN_FLIGHT) {
            let Some(at) = self.queue.pop_front() else { return };
            let Some(watched) = self.symbols.get_mut(at) else { continue };
            watched.tries += 1;
            self.requests += 1;
            let (number, client, symbol) = (self.requests, self.client.clone(), watched.symbol.clone());
            let answers = self.sender.clone();
            self.under_way.insert(number, (at, clock));
            let started = thread::Builder::new().name("yahoo".into()).spawn(move || {
                // Nobody may wait for it any more.
                let _ = answers.send((number, client.ask(&symbol)));
            });
            if let Err(error) = started {
                let _ = self.sender.send((number, Answer::Failed(format!("a thread cannot be started ({error})"))));
                return;
            }
        }
    }

    fn take_answers(&mut self, now: Timestamp, clock: Instant) {
        while let Ok((number, answer)) = self.answers.try_recv() {
            // One that was given up may still come.
            if let Some((at, asked)) = self.under_way.remove(&number) {
                self.take(at, asked, answer, now, clock);
            }
        }
        let lost = |(_, asked): &(usize, Instant)| clock.duration_since(*asked) > LOST;
        let lost: Vec<u64> = self.under_way.iter().filter(|(_, request)| lost(request)).map(|(n, _)| *n).collect();
        for number in lost {
            if let Some((at, asked)) = self.under_way.remove(&number) {
                self.take(at, asked, Answer::Failed(client::TIMED_OUT.into()), now, clock);
            }
        }
    }

    fn take(&mut self, at: usize, asked: Instant, answer: Answer, now: Timestamp, clock: Instant) {
        let Some(watched) = self.symbols.get_mut(at) else { return };
        watched.busy = false;
        let (reading, is_hosts) = match answer {
            Answer::Came { status, body, retry_after } => {
                let is_hosts = status == 429 || status >= 500;
                if is_hosts {
                    self.backoff.failed(asked, clock, retry_after);
                } else {
                    self.backoff.answered(asked);
                }
                (chart::read(status, &body, &watched.symbol), is_hosts)
            }
            Answer::CutOff => (Err(Trouble::Failed("the answer is cut off".into())), false),
            Answer::Failed(cause) => {
                self.backoff.failed(asked, clock, None);
                (Err(Trouble::Failed(cause)), true)
            }
        };
        match reading.and_then(|reading| in_range(reading, now)) {
            Ok(reading) => self.is_well(at, reading, now, clock),
            // One that was answered for before is not unknown, whatever is said of it now.
            Err(Trouble::Unknown(why)) if watched.newest.is_none() => {
                watched.unknown = true;
                self.voice.unknown(at, why, clock);
            }
            Err(Trouble::Unknown(why) | Trouble::Failed(why)) => self.is_in_trouble(at, why, is_hosts, clock),
        }
    }

    fn is_well(&mut self, at: usize, reading: Reading, now: Timestamp, clock: Instant) {
        let Some(watched) = self.symbols.get_mut(at) else { return };
        if watched.trouble.take().is_some() {
            self.voice.recovered(at, clock);
        }
        let is_first = watched.newest.is_none();
        // The same market time again is no new quote; an older one comes from a server that lags behind the others.
        let is_new = watched.newest.is_none_or(|newest| reading.timestamp > newest);
        if (is_first || !is_new) && is_older(reading.timestamp, now) {
            if !std::mem::replace(&mut watched.quiet, true) {
                self.voice.quiet(at, clock);
            }
        } else if is_new {
            watched.quiet = false;
        }
        if is_new {
            watched.newest = Some(reading.timestamp);
            self.ready.push_back((at, reading));
        }
    }

    fn is_in_trouble(&mut self, at: usize, why: String, is_hosts: bool, clock: Instant) {
        // A host that failed for one after the other fails for those who wait as well.
        let waiting =
            if is_hosts && self.backoff.is_down() { self.queue.iter().copied().collect() } else { Vec::new() };
        for place in std::iter::once(at).chain(waiting) {
            let Some(watched) = self.symbols.get_mut(place) else { continue };
            if !watched.trouble.as_ref().is_some_and(|known| voice::is_same(known, &why)) {
                watched.trouble = Some(why.clone());
                self.voice.failed(place, why.clone(), clock);
            }
        }
        let fits = self.backoff.until(clock).zip(self.next_round).is_some_and(|(until, round)| until < round);
        if let Some(watched) = self.symbols.get_mut(at)
            && is_hosts
            && fits
            && watched.tries < TRIES
        {
            watched.busy = true;
            self.queue.push_back(at);
        }
    }

    /// The last quote of a count waits until every symbol had its turn: how it ended must not depend on which answer
    /// was the fastest.
    fn may_send(&self, clock: Instant) -> bool {
        let had_its_turn = |w: &Watched| w.unknown || w.newest.is_some() || w.trouble.is_some();
        self.left != Some(1) || self.backoff.until(clock).is_some() || self.symbols.iter().all(had_its_turn)
    }

    fn quote(&self, at: usize, reading: Reading, now: Timestamp) -> Option<Outgoing> {
        Some(Outgoing::Quote(Quote {
            symbol: self.symbols.get(at)?.symbol.clone(),
            timestamp: reading.timestamp,
            price: reading.price,
            open: reading.open,
            high: reading.high,
            low: reading.low,
            previous_close: reading.previous_close,
            volume: reading.volume,
            currency: reading.currency,
            source: Some(Arc::clone(&self.mark)),
            origin: Origin::Live,
            stale: is_older(reading.timestamp, now),
            alert: true,
            ingested_at: now,
        }))
    }
}

impl Source for Yahoo {
    fn next(&mut self, now: Timestamp, limit: usize, out: &mut Vec<Outgoing>) -> Result<Flow, SourceError> {
        let clock = Instant::now();
        self.take_answers(now, clock);
        let mut room = limit;
        while room > 0 && self.may_send(clock) {
            let Some((at, reading)) = self.ready.pop_front() else { break };
            out.extend(self.quote(at, reading, now));
            self.left = self.left.map(|left| left.saturating_sub(1));
            room -= 1;
        }
        if room == 0 {
            return Ok(Flow::More);
        }
        if self.ready.is_empty() && self.symbols.iter().all(|watched| watched.unknown) {
            return Ok(Flow::End);
        }
        self.begin_round(clock);
        self.ask(clock);
        let mut due = self.next_round.unwrap_or(clock);
        if !self.under_way.is_empty() || self.voice.has_something() {
            due = due.min(clock + LOOK);
        }
        if !self.queue.is_empty() {
            due = self.backoff.until(clock).map_or(due, |until| due.min(until));
        }
        Ok(Flow::WaitUntil(due))
    }

    fn name(&self) -> String {
        format!("yahoo every {}", voice::duration(self.interval))
    }

    fn total(&self) -> Option<u64> {
        None
    }

    fn notes(&mut self, is_end: bool) -> Vec<Note> {
        let clock = Instant::now();
        let pauses = self.queue.is_empty() || self.backoff.until(clock).is_some();
        let is_over = pauses && self.under_way.is_empty();
        if !(is_end || is_over || self.voice.is_due(clock)) {
            return Vec::new();
        }
        let next = if self.queue.is_empty() { self.next_round } else { self.backoff.until(clock) };
        let again = next.map_or(Duration::ZERO, |next| next.saturating_duration_since(clock));
        std::mem::take(&mut self.voice).notes(&self.symbols, again)
    }

    fn missed(&self) -> Missed {
        let of = |so: fn(&Watched) -> bool| self.symbols.iter().filter(|w| so(w)).map(|w| w.symbol.clone()).collect();
        Missed {
            unknown: of(|watched| watched.unknown),
            unanswered: of(|watched| !watched.unknown && watched.newest.is_none() && watched.trouble.is_some()),
            asked: self.symbols.len(),
        }
    }
}

fn is_older(timestamp: Timestamp, now: Timestamp) -> bool {
    now.millis().saturating_sub(timestamp.millis()) > DELAY.as_millis() as i64
}

/// Leaves out what process would set aside; and a time in the future would hide all that comes before it.
fn in_range(reading: Reading, now: Timestamp) -> Result<Reading, Trouble> {
    let at = reading.timestamp;
    if at > now.plus_millis(AHEAD.as_millis() as i64) {
        return Err(Trouble::Failed("its market time is in the future; is this machine's clock right?".into()));
    }
    if Some(at.date()) < Date::parse("2000-01-01") {
        return Err(Trouble::Failed("its market time is before 2000-01-01".into()));
    }
    Ok(reading)
}
