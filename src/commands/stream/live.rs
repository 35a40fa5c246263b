//! The live table below what is said: read from the pipeline a few times a second, and drawn where it changed.

use crate::{
    error::Error,
    report::{
        live,
        pane::{Pane, Size},
        style,
    },
    targets::local::{
        Local, Run,
        live::{Live, Seen},
    },
};
use pipeline::Symbol;
use std::time::{Duration, Instant};

/// How often the pipeline is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(250);
/// How often the terminal's size is.
const MEASURE_EVERY: Duration = Duration::from_millis(50);

/// The live table.
pub(super) struct LiveTable {
    pane: Pane,
    live: Live,
    /// In the order in which they are shown.
    symbols: Vec<Symbol>,
    seen: Seen,
    size: Size,
    began: Instant,
    looked: Option<Instant>,
    measured: Instant,
    /// How many quotes there will be, where that is known.
    total: Option<u64>,
    sent: u64,
    /// So many are still to be stored or archived at the end.
    storing: Option<u64>,
}

impl LiveTable {
    /// Begins, with what is known of these symbols so far.
    pub(super) fn new(local: &Local, run: i64, symbols: Vec<Symbol>, total: Option<u64>) -> Result<Self, Error> {
        let now = Instant::now();
        let mut table = Self {
            pane: Pane::new(),
            live: local.live(run)?,
            symbols,
            seen: Seen::default(),
            size: Size::now(),
            began: now,
            looked: None,
            measured: now,
            total,
            sent: 0,
            storing: None,
        };
        table.look();
        Ok(table)
    }

    /// Says a line above the table.
    pub(super) fn say(&mut self, line: &str) {
        self.pane.say(line);
    }

    /// Takes in symbols that were not known.
    pub(super) fn add(&mut self, symbols: Vec<Symbol>) {
        self.symbols.extend(symbols);
        self.symbols.sort_unstable();
    }

    /// So many are sent. Call it often: what is drawn comes out of a call, never on its own.
    pub(super) fn set(&mut self, sent: u64) {
        self.sent = sent;
        self.turn();
    }

    /// So many are still to be stored or archived.
    pub(super) fn storing(&mut self, quotes: u64) {
        self.storing = Some(quotes);
        self.turn();
    }

    /// What is above the cursor is no longer known.
    pub(super) fn leave(&mut self) {
        self.pane.leave();
    }

    /// Leaves the table as it is at the end, when so many are sent.
    pub(super) fn finish(mut self, sent: u64) {
        self.sent = sent;
        self.storing = None;
        self.look();
        self.pane.finish();
    }

    fn turn(&mut self) {
        if self.measured.elapsed() >= MEASURE_EVERY {
            self.measured = Instant::now();
            let size = Size::now();
            if size != self.size {
                self.size = size;
                self.look();
            }
        }
        if self.looked.is_none_or(|looked| looked.elapsed() >= LOOK_EVERY) {
            self.look();
        }
    }

    fn look(&mut self) {
        let places = live::room_for(self.symbols.len(), self.size);
        // Where it cannot be read, what was seen stays until it can: the consumers say what is wrong.
        if let Ok(seen) = self.live.look(self.symbols.get(..places).unwrap_or(&self.symbols)) {
            self.seen = seen;
        }
        self.looked = Some(Instant::now());
        self.pane.show(live::lines(&self.seen.standings, self.symbols.len(), &self.parts(), self.size));
    }

    /// What the last line says, what matters most first.
    fn parts(&self) -> Vec<String> {
        let Seen { run, lag, other, .. } = &self.seen;
        let mut parts = Vec::new();
        if let Some(quotes) = self.storing {
            parts.push(style::paint(style::HINT, &format!("storing {}", style::count(quotes))));
        }
        let total = self.total.map(|total| format!(" of {}", style::count(total))).unwrap_or_default();
        parts.push(format!("sent {}{total}", style::count(self.sent)));
        parts.push(format!("stored {}", style::count(run.counts.stored)));
        if run.counts.set_aside > 0 {
            parts.push(style::paint(style::WARN, &format!("set aside {}", style::count(run.counts.set_aside))));
        }
        parts.push(format!("lag {}", style::count(*lag)));
        parts.extend(latency(run));
        parts.push(style::elapsed(Duration::from_secs(self.began.elapsed().as_secs().max(1))));
        for (what, number) in [
            ("signals", run.signals),
            ("anomalies", run.counts.anomalies),
            ("duplicates", run.counts.duplicates),
            ("revised", run.counts.revised),
            ("late", run.counts.late),
            ("stale", run.counts.stale),
        ] {
            if number > 0 {
                parts.push(format!("{what} {}", style::count(number)));
            }
        }
        parts.extend(other.iter().map(|other| format!("stored by {other}")));
        parts
    }
}

/// How long it took from put to stored.
fn latency(run: &Run) -> Option<String> {
    let of = |share| run.latency(share).map(|ms| style::latency(Duration::from_secs_f64(ms / 1000.0)));
    Some(format!("put → stored {} (p99 {})", of(0.5)?, of(0.99)?))
}
