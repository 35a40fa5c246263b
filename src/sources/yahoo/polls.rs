//! Who is asked when, and what follows from the answers.
//!
//! It reads no clock and knows no network: both are handed in, so that a test goes through a day in no time. What time it
//! is comes from a [`super::clock::Clock`].

use super::{
    backoff::Backoff,
    chart::{self, Reading, Trouble},
    client::Answer,
    quote,
    voice::{self, Voice},
};
use crate::sources::{Missed, Note, Outgoing};
use pipeline::{Symbol, Timestamp};
use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

#[cfg(test)]
mod tests;

/// A longer interval is cut to this, so that the next poll is a time that a clock can say.
const LONGEST_INTERVAL: Duration = Duration::from_secs(365 * 86_400);
/// So many requests are under way at once.
pub(super) const IN_FLIGHT: usize = 4;
/// How often a symbol is asked for in one interval, where the host fails for it and not for others.
const TRIES: u32 = 3;
/// How long the caller may wait while answers are under way.
const LOOK: Duration = Duration::from_millis(5);
/// How long it may wait at all: a sleep is noticed no later.
const LONGEST_WAIT: Duration = Duration::from_secs(1);
/// Who was not looked after for so long was asleep, or stopped.
const STOPPED: Duration = Duration::from_secs(5);
/// A pause of this length is said at once; a shorter one may be over with the next try.
const LONG_PAUSE: Duration = Duration::from_secs(2);
/// When rounds for so long, beyond those that did not, began before the last was answered, that is said. A request that
/// is lost has failed by then.
const OVERRUN: Duration = Duration::from_secs(30);

/// The polls of some symbols.
pub(super) struct Polls {
    symbols: Vec<Watched>,
    interval: Duration,
    /// When the next round begins; none before the first.
    next_round: Option<Instant>,
    /// When it was last looked whether one is due.
    looked: Option<Instant>,
    /// Who is to be asked for, by place in `symbols`.
    queue: VecDeque<usize>,
    /// How many requests have no answer yet.
    under_way: usize,
    backoff: Backoff,
    /// For whom the host failed since it last answered.
    failing: Vec<usize>,
    outage: Option<Outage>,
    /// How many more rounds began before the last was answered than did not, and whether that was said.
    overruns: (u32, bool),
    /// How many quotes may still be sent, where that is known.
    left: Option<u64>,
    /// Read, and to be sent.
    ready: VecDeque<(usize, Reading)>,
    voice: Voice,
}

/// A symbol, and what is known of it.
pub(super) struct Watched {
    pub(super) symbol: Symbol,
    /// The newest market time so far.
    pub(super) newest: Option<Timestamp>,
    /// Waits for its turn or its answer.
    busy: bool,
    /// Times it was asked for in this round.
    tries: u32,
    /// Yahoo does not know it.
    pub(super) unknown: bool,
    /// It was asked for in vain at least once.
    failed: bool,
    /// What was said to be wrong with it.
    pub(super) trouble: Option<String>,
    /// It was said that its market is closed.
    quiet: bool,
}

/// A time without answers for anyone.
struct Outage {
    /// What was said of it: its causes may take turns.
    said: Vec<Ailment>,
    since: Instant,
}

/// What may be wrong with the way to the host, or with the host: it has nothing to do with the symbol.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ailment {
    Unreachable,
    Network,
    TooMany,
    Status,
}

impl Ailment {
    /// Whether it cannot be for one symbol alone.
    fn is_everyones(self) -> bool {
        matches!(self, Self::Unreachable | Self::TooMany)
    }
}

/// A question that is to be asked, and taken back with its answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Request {
    at: usize,
    asked: Instant,
}

impl Polls {
    /// For these symbols, each once in whatever case it was typed; the seed spreads those who are turned away together.
    pub(super) fn new(typed: Vec<Symbol>, interval: Duration, count: Option<u64>, seed: u64) -> Self {
        let mut symbols: Vec<Watched> = Vec::with_capacity(typed.len());
        for typed in typed {
            // Yahoo takes either case and answers in capitals; under one name there is one series of quotes.
            let symbol = Symbol::parse(&typed.to_ascii_uppercase()).unwrap_or(typed);
            if !symbols.iter().any(|watched| watched.symbol == symbol) {
                symbols.push(Watched {
                    symbol,
                    newest: None,
                    busy: false,
                    tries: 0,
                    unknown: false,
                    failed: false,
                    trouble: None,
                    quiet: false,
                });
            }
        }
        Self {
            symbols,
            interval: interval.min(LONGEST_INTERVAL),
            next_round: None,
            looked: None,
            queue: VecDeque::new(),
            under_way: 0,
            backoff: Backoff::new(seed),
            failing: Vec::new(),
            outage: None,
            overruns: (0, false),
            left: count,
            ready: VecDeque::new(),
            voice: Voice::default(),
        }
    }

    /// From round to round.
    pub(super) fn interval(&self) -> Duration {
        self.interval
    }

    /// What is watched, as it was asked for.
    pub(super) fn symbols(&self) -> Vec<Symbol> {
        self.symbols.iter().map(|watched| watched.symbol.clone()).collect()
    }

    /// Whom a request is about.
    pub(super) fn symbol(&self, request: Request) -> Option<&Symbol> {
        self.symbols.get(request.at).map(|watched| &watched.symbol)
    }

    /// Looks at the time, and begins a round if one is due; one that was missed, in sleep or behind slow answers, is not
    /// made up for. Says whether nobody looked for long: then what was connected may no longer be.
    pub(super) fn look(&mut self, clock: Instant) -> bool {
        let unseen = self.looked.replace(clock).map_or(Duration::ZERO, |looked| clock.duration_since(looked));
        let was_stopped = unseen >= STOPPED;
        let due = *self.next_round.get_or_insert(clock);
        if due > clock {
            return was_stopped;
        }
        let missed = clock.duration_since(due).as_nanos() / self.interval.as_nanos().max(1);
        let next = u32::try_from(missed + 1).ok().and_then(|rounds| self.interval.checked_mul(rounds));
        // More rounds than can be counted, and the count begins anew.
        self.next_round = Some(next.map_or(clock + self.interval, |ahead| due + ahead));
        if was_stopped && missed > 0 {
            self.voice.was_stopped(unseen, missed, clock);
        } else {
            self.note_overrun(clock);
        }
        for (at, watched) in self.symbols.iter_mut().enumerate() {
            if !watched.busy && !watched.unknown {
                (watched.busy, watched.tries) = (true, 0);
                self.queue.push_back(at);
            }
        }
        was_stopped
    }

    fn note_overrun(&mut self, clock: Instant) {
        let (rounds, was_said) = &mut self.overruns;
        let is_one = self.backoff.is_well() && self.symbols.iter().any(|watched| watched.busy);
        *rounds = if is_one { rounds.saturating_add(1) } else { rounds.saturating_sub(1) };
        if is_one && self.interval.saturating_mul(*rounds) >= OVERRUN && !std::mem::replace(was_said, true) {
            self.voice.overrun(clock);
        }
    }

    /// The next question, if one may be asked now.
    pub(super) fn ask(&mut self, clock: Instant) -> Option<Request> {
        if self.backoff.until(clock).is_some() || self.under_way >= self.backoff.at_once(IN_FLIGHT) {
            return None;
        }
        let at = self.queue.pop_front()?;
        self.symbols.get_mut(at)?.tries += 1;
        self.under_way += 1;
        Some(Request { at, asked: clock })
    }

    /// Takes the answer to a question.
    pub(super) fn answered(&mut self, request: Request, answer: Answer, now: Timestamp, clock: Instant) {
        let Request { at, asked } = request;
        self.under_way = self.under_way.saturating_sub(1);
        let Some(watched) = self.symbols.get_mut(at) else { return };
        watched.busy = false;
        let (ailment, wish, reading) = match answer {
            Answer::Came { status, body, retry_after } => {
                let ailment = match status {
                    429 => Some(Ailment::TooMany),
                    500.. => Some(Ailment::Status),
                    _ => None,
                };
                if ailment.is_none() {
                    self.backoff.answered(asked);
                }
                (ailment, retry_after, chart::read(status, &body, &watched.symbol))
            }
            Answer::CutOff => (None, None, Err(Trouble::Failed("the answer is cut off".into()))),
            Answer::Failed(cause) => (Some(Ailment::Network), None, Err(Trouble::Failed(cause))),
            Answer::Unreachable(cause) => (Some(Ailment::Unreachable), None, Err(Trouble::Failed(cause))),
        };
        if self.backoff.is_well() {
            self.failing.clear();
            if let Some(outage) = self.outage.take() {
                self.voice.is_back(clock.duration_since(outage.since), clock);
            }
        }
        match (ailment, reading.and_then(|reading| quote::in_range(reading, now))) {
            (Some(ailment), Err(Trouble::Unknown(why) | Trouble::Failed(why))) => {
                self.backoff.failed(asked, clock, wish);
                self.host_failed(at, ailment, why, wish.is_some(), clock);
            }
            (_, Ok(reading)) => self.is_well(at, reading, now, clock),
            // One that was answered for before is not unknown, whatever is said of it now.
            (None, Err(Trouble::Unknown(why))) if !self.has_quote(at) => {
                if let Some(watched) = self.symbols.get_mut(at) {
                    watched.unknown = true;
                }
                self.voice.unknown(at, why, clock);
            }
            (None, Err(Trouble::Unknown(why) | Trouble::Failed(why))) => self.complain(at, why, clock),
        }
    }

    fn has_quote(&self, at: usize) -> bool {
        self.symbols.get(at).is_some_and(|watched| watched.newest.is_some())
    }

    fn is_well(&mut self, at: usize, reading: Reading, now: Timestamp, clock: Instant) {
        let Some(watched) = self.symbols.get_mut(at) else { return };
        if watched.trouble.take().is_some() {
            self.voice.recovered(at, clock);
        }
        let is_first = watched.newest.is_none();
        // The same market time again is no new quote; an older one comes from a server that lags behind the others.
        let is_new = watched.newest.is_none_or(|newest| reading.timestamp > newest);
        if (is_first || !is_new) && quote::is_stale(&reading, now) {
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

    /// Something is wrong that may have nothing to do with the symbol. One failure may be over with the next try, and
    /// nothing is said; a second one in a row is an outage, and said for all.
    fn host_failed(&mut self, at: usize, ailment: Ailment, why: String, wishes: bool, clock: Instant) {
        if !self.failing.contains(&at) {
            self.failing.push(at);
        }
        let live = self.symbols.iter().filter(|watched| !watched.unknown).count();
        let is_everyones = ailment.is_everyones() || wishes || self.failing.len() > 1 || live == 1;
        let pause = self.backoff.until(clock).map_or(Duration::ZERO, |until| until.duration_since(clock));
        let is_out = self.outage.is_some() || is_everyones && (self.backoff.is_down() || pause >= LONG_PAUSE);
        if is_out {
            self.say_outage(ailment, &why, clock);
        }
        let Some(watched) = self.symbols.get_mut(at) else { return };
        watched.failed = true;
        if is_out || watched.tries < TRIES {
            watched.busy = true;
            self.queue.push_back(at);
        } else {
            self.complain(at, why, clock);
        }
    }

    /// Says that nobody is answered for, and why; the same once in an outage.
    fn say_outage(&mut self, ailment: Ailment, why: &str, clock: Instant) {
        let since = self.backoff.since().unwrap_or(clock);
        let outage = self.outage.get_or_insert_with(|| Outage { said: Vec::new(), since });
        let ailment = if ailment == Ailment::Unreachable { Ailment::Network } else { ailment };
        if !outage.said.contains(&ailment) {
            outage.said.push(ailment);
            self.voice.is_out(why.into(), clock);
        }
        self.symbols.iter_mut().filter(|watched| !watched.unknown).for_each(|watched| watched.failed = true);
    }

    /// Says what is wrong with a symbol, unless that was said before.
    fn complain(&mut self, at: usize, why: String, clock: Instant) {
        let Some(watched) = self.symbols.get_mut(at) else { return };
        watched.failed = true;
        if !watched.trouble.as_ref().is_some_and(|known| voice::is_same(known, &why)) {
            watched.trouble = Some(why.clone());
            self.voice.failed(at, why, clock);
        }
    }

    /// Appends the quotes that came, at most so many; says whether there may be more.
    pub(super) fn give(&mut self, now: Timestamp, limit: usize, out: &mut Vec<Outgoing>, clock: Instant) -> bool {
        for _ in 0..limit {
            if !self.may_send(clock) {
                return false;
            }
            let Some((at, reading)) = self.ready.pop_front() else { return false };
            out.extend(self.symbols.get(at).map(|watched| Outgoing::Quote(quote::of(&watched.symbol, reading, now))));
            self.left = self.left.map(|left| left.saturating_sub(1));
        }
        true
    }

    /// The last quote of a count waits until every symbol had its turn: how it ended must not depend on which answer
    /// was the fastest.
    fn may_send(&self, clock: Instant) -> bool {
        let had_its_turn = |w: &Watched| w.unknown || w.newest.is_some() || w.failed;
        self.left != Some(1) || self.backoff.until(clock).is_some() || self.symbols.iter().all(had_its_turn)
    }

    /// Whether nothing will come any more: Yahoo knows none of the symbols.
    pub(super) fn is_over(&self) -> bool {
        self.ready.is_empty() && self.symbols.iter().all(|watched| watched.unknown)
    }

    /// When to look again.
    pub(super) fn due(&self, clock: Instant) -> Instant {
        let mut due = self.next_round.unwrap_or(clock).min(clock + LONGEST_WAIT);
        if self.under_way > 0 || self.voice.has_something() {
            due = due.min(clock + LOOK);
        }
        if !self.queue.is_empty() {
            due = self.backoff.until(clock).map_or(due, |until| due.min(until));
        }
        due
    }

    /// What is to be said now; what may be said together waits for the end of the round, or a second.
    pub(super) fn notes(&mut self, is_end: bool, clock: Instant) -> Vec<Note> {
        let pauses = self.queue.is_empty() || self.backoff.until(clock).is_some();
        let is_over = pauses && self.under_way == 0;
        if !(is_end || is_over || self.voice.is_due(clock)) {
            return Vec::new();
        }
        let next = if self.queue.is_empty() { self.next_round } else { self.backoff.until(clock) };
        let again = next.map_or(Duration::ZERO, |next| next.saturating_duration_since(clock));
        std::mem::take(&mut self.voice).notes(&self.symbols, again)
    }

    /// Of whom no quote came.
    pub(super) fn missed(&self) -> Missed {
        let of = |so: fn(&Watched) -> bool| self.symbols.iter().filter(|w| so(w)).map(|w| w.symbol.clone()).collect();
        Missed {
            unknown: of(|watched| watched.unknown),
            unanswered: of(|watched| !watched.unknown && watched.newest.is_none() && watched.failed),
            asked: self.symbols.len(),
        }
    }
}
