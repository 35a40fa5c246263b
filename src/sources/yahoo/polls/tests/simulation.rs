//! Time, and a host, of which a test says how they go.

use super::super::*;
use pipeline::Quote;
use std::collections::HashMap;

/// What a host does with a question: how long it takes, and what it says.
type Host<'h> = Box<dyn FnMut(&str, usize, u64) -> (u64, Answer) + 'h>;

/// Polls, and all that came of them, each with its time in milliseconds.
pub(super) struct Simulation<'h> {
    pub(super) polls: Polls,
    host: Host<'h>,
    start: Instant,
    wall: Timestamp,
    pub(super) at: u64,
    under_way: Vec<(u64, Request, Answer)>,
    pub(super) most_at_once: usize,
    pub(super) asked: Vec<(u64, String)>,
    times: HashMap<String, usize>,
    pub(super) quotes: Vec<(u64, Quote)>,
    pub(super) notes: Vec<(u64, Note)>,
    pub(super) reconnected: usize,
}

impl<'h> Simulation<'h> {
    /// The host is told the symbol, how often it was asked for before, and the time.
    pub(super) fn new(
        symbols: &[&str],
        interval: u64,
        host: impl FnMut(&str, usize, u64) -> (u64, Answer) + 'h,
    ) -> Self {
        let symbols = symbols.iter().map(|s| Symbol::parse(s).unwrap()).collect();
        Self {
            polls: Polls::new(symbols, Duration::from_millis(interval), None, 7),
            host: Box::new(host),
            start: Instant::now(),
            wall: Timestamp::from_millis(open() as i64 * 1000).unwrap(),
            at: 0,
            under_way: vec![],
            most_at_once: 0,
            asked: vec![],
            times: HashMap::new(),
            quotes: vec![],
            notes: vec![],
            reconnected: 0,
        }
    }

    /// Goes on until then as the source does: it looks when it said that it would, and at nothing in between.
    pub(super) fn run(&mut self, until: u64) -> &mut Self {
        while self.at < until && !self.polls.is_over() {
            self.look();
            let due = self.polls.due(self.clock());
            assert!(due > self.clock(), "it would look again and again at {}", self.at);
            // To the millisecond after it.
            self.at = (due - self.start).as_micros().div_ceil(1000) as u64;
        }
        self
    }

    fn look(&mut self) {
        let (clock, now) = (self.clock(), self.wall.plus_millis(self.at as i64));
        for (_, request, answer) in self.under_way.extract_if(.., |(at, ..)| *at <= self.at).collect::<Vec<_>>() {
            self.polls.answered(request, answer, now, clock);
        }
        let mut out = Vec::new();
        assert!(!self.polls.give(now, 1000, &mut out, clock));
        let quotes = out.into_iter().filter_map(|o| if let Outgoing::Quote(q) = o { Some(q) } else { None });
        self.quotes.extend(quotes.map(|quote| (self.at, quote)));
        self.reconnected += usize::from(self.polls.look(clock));
        while let Some(request) = self.polls.ask(clock) {
            let symbol = self.polls.symbol(request).unwrap().to_string();
            let before = self.times.entry(symbol.clone()).or_default();
            let (takes, answer) = (self.host)(&symbol, *before, self.at);
            *before += 1;
            self.asked.push((self.at, symbol));
            self.under_way.push((self.at + takes, request, answer));
        }
        self.most_at_once = self.most_at_once.max(self.under_way.len());
        self.notes.extend(self.polls.notes(false, clock).into_iter().map(|note| (self.at, note)));
    }

    fn clock(&self) -> Instant {
        self.start + Duration::from_millis(self.at)
    }

    /// Nobody looks for so long.
    pub(super) fn sleep(&mut self, millis: u64) {
        self.at += millis;
    }

    pub(super) fn asked_for(&self, symbol: &str) -> Vec<u64> {
        self.asked.iter().filter(|(_, asked)| asked == symbol).map(|(at, _)| *at).collect()
    }

    pub(super) fn quotes_of(&self, symbol: &str) -> Vec<&Quote> {
        self.quotes.iter().map(|(_, quote)| quote).filter(|quote| &*quote.symbol == symbol).collect()
    }

    pub(super) fn said(&self) -> Vec<&str> {
        self.notes.iter().map(|(_, note)| note.text.as_str()).collect()
    }
}

/// When the simulations begin, in seconds since 1970; the market is open.
pub(super) fn open() -> u64 {
    1_795_012_200
}

/// A chart whose last trade was at this millisecond of the simulation.
pub(super) fn chart(symbol: &str, at: u64) -> Answer {
    traded(symbol, open() + at / 1000, "1")
}

pub(super) fn traded(symbol: &str, seconds: u64, price: &str) -> Answer {
    let meta = format!(r#""symbol":"{symbol}","regularMarketTime":{seconds},"regularMarketPrice":{price}"#);
    answer(200, &format!(r#"{{"chart":{{"result":[{{"meta":{{{meta}}}}}],"error":null}}}}"#))
}

pub(super) fn answer(status: u16, body: &str) -> Answer {
    Answer::Came { status, body: body.into(), retry_after: None }
}

pub(super) fn unknown() -> Answer {
    answer(404, r#"{"chart":{"result":null,"error":{"code":"Not Found","description":"No data found"}}}"#)
}

pub(super) fn wait(seconds: u64) -> Answer {
    let retry_after = Some(Duration::from_secs(seconds));
    Answer::Came { status: 429, body: b"Too Many Requests\r\n".into(), retry_after }
}
