//! From the source to the producer, at the source's pace.

use super::{Plan, screen::Show, source_error};
use crate::{
    error::Error,
    interrupt::Interrupt,
    sources::{Flow, Missed, Outgoing, Source},
    targets::{
        local::{Local, stream},
        producer::Producer,
    },
};
use pipeline::Symbol;
use std::{
    collections::HashSet,
    sync::mpsc,
    thread,
    time::{Duration, Instant},
};

/// Quotes taken from the source at a time.
const CHUNK: usize = 4096;
/// How often Ctrl-C is noticed while waiting for the next quote.
const TICK: Duration = Duration::from_millis(20);
/// Quote lines a second that a person can follow; where there are more, none of that second is shown beyond these.
const LINES_PER_SECOND: usize = 20;
/// So far the producer may be ahead of our own consumers at full speed: what is in memory is quickly read again.
const AHEAD_LIMIT: u64 = 400_000;

/// How feeding ended.
#[derive(Debug, Default)]
pub(super) struct Fed {
    /// What cut it short, if anything.
    pub(super) failure: Option<Error>,
    /// What the source could not give.
    pub(super) missed: Missed,
}

/// Takes from the source and gives to the producer, on a thread of its own, for a source may block.
pub(super) struct Feeder {
    pub(super) source: Box<dyn Source>,
    pub(super) plan: Plan,
    pub(super) interrupt: Interrupt,
    /// For what the source says of itself.
    pub(super) notes: mpsc::SyncSender<Show>,
    pub(super) showing: Showing,
    /// The pipeline, where our own consumers read what is sent.
    pub(super) local: Option<Local>,
}

/// What is shown of the quotes that are sent.
pub(super) enum Showing {
    /// A line each, as far as a person can follow.
    Lines {
        to: mpsc::SyncSender<Show>,
        /// When the second began, and how many it had.
        second: (Instant, usize),
    },
    /// Which symbols there are.
    Symbols {
        to: mpsc::SyncSender<Show>,
        known: HashSet<Symbol>,
    },
    Nothing,
}

impl Feeder {
    /// Feeds the producer to the end.
    pub(super) fn run(mut self, mut producer: Box<dyn Producer>) -> Fed {
        let started = Instant::now();
        let mut left = self.plan.count.unwrap_or(u64::MAX);
        let mut chunk = Vec::with_capacity(CHUNK);
        let mut failure = None;
        let mut since_look = 0;
        while left > 0 && !self.interrupt.is_set() && self.plan.duration.is_none_or(|d| started.elapsed() < d) {
            let limit = usize::try_from(left).unwrap_or(CHUNK).min(CHUNK);
            let flow = match self.source.next(stream::now(), limit, &mut chunk) {
                Ok(flow) => flow,
                Err(error) => {
                    failure = Some(source_error(&error));
                    Flow::End
                }
            };
            chunk.truncate(limit);
            left -= chunk.len() as u64;
            since_look += chunk.len() as u64;
            self.showing.show(&chunk);
            self.show_notes(false);
            if !chunk.is_empty() && !producer.send(&mut chunk) {
                break;
            }
            match flow {
                Flow::More if since_look > AHEAD_LIMIT / 4 => {
                    since_look = 0;
                    self.let_consumers_follow();
                }
                Flow::More => {}
                Flow::WaitUntil(due) => self.wait(due, started),
                Flow::End => break,
            }
        }
        let failure = failure.or(producer.finish().err());
        self.show_notes(true);
        Fed { failure, missed: self.source.missed() }
    }

    fn show_notes(&mut self, is_end: bool) {
        for note in self.source.notes(is_end) {
            let _ = self.notes.send(Show::Note(note));
        }
    }

    fn wait(&self, due: Instant, started: Instant) {
        loop {
            let mut left = due.saturating_duration_since(Instant::now());
            if let Some(duration) = self.plan.duration {
                left = left.min(duration.saturating_sub(started.elapsed()));
            }
            if left.is_zero() || self.interrupt.is_set() {
                return;
            }
            thread::sleep(left.min(TICK));
        }
    }

    /// Waits a little while the consumers are far behind: the nearer they are, the less is read from disk again.
    fn let_consumers_follow(&self) {
        let Some(local) = &self.local else { return };
        let patience = Instant::now() + Duration::from_secs(2);
        while !self.interrupt.is_set() && Instant::now() < patience {
            match local.lag() {
                Ok(lag) if lag.process > AHEAD_LIMIT => thread::sleep(TICK),
                _ => return,
            }
        }
    }
}

impl Showing {
    fn show(&mut self, chunk: &[Outgoing]) {
        let quotes = chunk.iter().filter_map(|outgoing| match outgoing {
            Outgoing::Quote(quote) => Some(quote),
            Outgoing::Raw { .. } => None,
        });
        match self {
            Self::Lines { to, second } => {
                if second.0.elapsed() >= Duration::from_secs(1) {
                    *second = (Instant::now(), 0);
                }
                for quote in quotes.take(LINES_PER_SECOND.saturating_sub(second.1)) {
                    second.1 += 1;
                    let _ = to.send(Show::Quote(Box::new(quote.clone())));
                }
            }
            Self::Symbols { to, known } => {
                let mut new = Vec::new();
                for quote in quotes {
                    if !known.contains(&quote.symbol) {
                        known.insert(quote.symbol.clone());
                        new.push(quote.symbol.clone());
                    }
                }
                if !new.is_empty() {
                    let _ = to.send(Show::Symbols(new));
                }
            }
            Self::Nothing => {}
        }
    }
}
