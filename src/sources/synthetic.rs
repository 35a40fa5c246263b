//! Quotes of nobody's market: a seeded random walk, one quote per symbol and step.
//!
//! The seed fixes the prices; the clock and the options say which times they carry and when they are due.

use super::{Flow, Outgoing, Source, SourceError, SourceOptions, Speed};
use pipeline::{Date, Origin, Price, Quote, Symbol, Timestamp, Volume};
use rand_chacha::{
    ChaCha8Rng,
    rand_core::{Rng, SeedableRng},
};
use std::{
    sync::Arc,
    time::{Duration, Instant},
};

/// The most symbols that walk at once.
pub const MOST_SYMBOLS: u32 = 100_000;
/// So many walk where nobody says how many.
const USUAL_SYMBOLS: u32 = 5;
/// Where every walk starts, in cents, and what is the previous close on its first day.
const START: i64 = 10_000;
/// Where a walk turns, in cents, so that every price is above zero.
const FLOOR: i64 = 100;
/// A step is at most so many cents.
const LONGEST_STEP: u64 = 2;
/// A quote's volume is below this.
const VOLUMES: u64 = 10_000;
/// Units of 10⁻⁸ in a cent.
const CENT: i64 = 1_000_000;
/// What a run covers that is told neither where to start nor where to end, in milliseconds.
const DAY: u64 = 86_400_000;

/// A random walk for each of some symbols.
pub struct Synthetic {
    walks: Vec<Walk>,
    currency: Arc<str>,
    source: Arc<str>,
    alert: bool,
    speed: Speed,
    /// From step to step, in milliseconds, not 0.
    interval: u64,
    start: Option<Timestamp>,
    /// How many quotes there are in all, as far as is known before the run.
    total: Option<u64>,
    run: Option<Run>,
}

/// A run that has begun.
struct Run {
    began: Instant,
    /// The market time of step 0.
    first: Timestamp,
    /// How many quotes are still to come; none without an end.
    left: Option<u64>,
    step: u64,
    /// The next walk of the step.
    walk: usize,
    /// The market time of the step.
    at: Timestamp,
    /// Whether the step is the first of its UTC date; not where the run begins.
    opens_day: bool,
}

/// One symbol's walk.
struct Walk {
    symbol: Symbol,
    random: ChaCha8Rng,
    /// In cents.
    price: i64,
    /// The last price of the day before, in cents.
    previous_close: i64,
}

impl Walk {
    /// The same seed, symbol and step give the same price, whatever else walks.
    fn new(symbol: Symbol, seed: u64) -> Self {
        let mut random = ChaCha8Rng::seed_from_u64(seed);
        random.set_stream(fnv1a(symbol.as_bytes()));
        Self { symbol, random, price: START, previous_close: START }
    }

    /// Takes a step, and gives the volume that was traded in it.
    fn step(&mut self, opens_day: bool) -> u64 {
        if opens_day {
            self.previous_close = self.price;
        }
        let drawn = self.random.next_u64();
        // Two independent halves; the remainders are uneven by less than one in 10⁵.
        let (low, high) = (drawn & u64::from(u32::MAX), drawn >> 32);
        self.price += (low % (2 * LONGEST_STEP + 1)) as i64 - LONGEST_STEP as i64;
        if self.price < FLOOR {
            self.price = 2 * FLOOR - self.price;
        }
        high % VOLUMES
    }
}

impl Synthetic {
    /// Walks for so many symbols, or for those that the options name.
    pub(super) fn open(symbols: Option<u32>, options: SourceOptions) -> Result<Self, SourceError> {
        let failed = |cause: &str| Err(SourceError { what: "synthetic".into(), cause: cause.into(), hint: None });
        let Ok(interval @ 1..) = u64::try_from(options.interval.as_millis()) else {
            return failed("the interval is to be 1 ms or more");
        };
        let names = match (symbols, options.symbols) {
            (Some(_), named) if !named.is_empty() => {
                return failed("give symbols or how many of them, not both");
            }
            (None, named) if !named.is_empty() => named,
            (number, _) => (0..number.unwrap_or(USUAL_SYMBOLS)).filter_map(numbered).collect(),
        };
        let walks: Vec<Walk> = names.into_iter().map(|symbol| Walk::new(symbol, options.seed)).collect();
        let total = match (options.count, options.start) {
            (Some(count), _) => Some(count),
            (None, None) if options.speed.gain() > 0.0 => {
                Some((DAY / interval).max(1).saturating_mul(walks.len() as u64))
            }
            _ => None,
        };
        Ok(Self {
            walks,
            currency: "USD".into(),
            source: "synthetic".into(),
            alert: options.alert,
            speed: options.speed,
            interval,
            start: options.start,
            total,
            run: None,
        })
    }

    /// Where market time begins, and how many quotes there are.
    ///
    /// A run that is faster than the market begins in the past, so that it ends at the time it then is: no quote is
    /// ever in the future, unless the start is given and the count demands it.
    fn begin(&self, now: Timestamp) -> Result<Run, SourceError> {
        let symbols = self.walks.len() as u64;
        // How far each step takes market time ahead of the clock, in milliseconds.
        let gain = self.interval as f64 * self.speed.gain();
        let failed = |cause: &str| SourceError { what: "synthetic".into(), cause: cause.into(), hint: None };
        let (first, left) = match (self.start, self.total) {
            (Some(first), None) if gain > 0.0 => {
                let behind = now.millis().saturating_sub(first.millis());
                if behind < 0 {
                    return Err(failed("it starts in the future; say with --count where it is to end"));
                }
                (first, Some(((behind as f64 / gain) as u64 + 1).saturating_mul(symbols)))
            }
            (Some(first), total) => (first, total),
            (None, Some(total)) if gain > 0.0 => {
                let steps = total.div_ceil(symbols).max(1);
                (now.plus_millis(-((steps - 1) as f64 * gain) as i64), Some(total))
            }
            (None, total) => (now, total),
        };
        if Some(first.date()) < Date::parse("2000-01-01") {
            return Err(failed(
                "it would start before 2000-01-01; use more symbols, a shorter interval or a lower count",
            ));
        }
        Ok(Run { began: Instant::now(), first, left, step: 0, walk: 0, at: first, opens_day: false })
    }
}

impl Source for Synthetic {
    fn next(&mut self, now: Timestamp, limit: usize, out: &mut Vec<Outgoing>) -> Result<Flow, SourceError> {
        let mut run = match self.run.take() {
            Some(run) => run,
            None => self.begin(now)?,
        };
        let flow = self.advance(&mut run, now, limit, out);
        self.run = Some(run);
        Ok(flow)
    }

    fn name(&self) -> String {
        match self.walks.len() {
            1 => "synthetic, 1 symbol".into(),
            symbols => format!("synthetic, {symbols} symbols"),
        }
    }

    fn total(&self) -> Option<u64> {
        self.total
    }

    fn symbols(&self) -> Vec<Symbol> {
        self.walks.iter().map(|walk| walk.symbol.clone()).collect()
    }
}

impl Synthetic {
    fn advance(&mut self, run: &mut Run, now: Timestamp, limit: usize, out: &mut Vec<Outgoing>) -> Flow {
        let mut room = limit as u64;
        while run.left != Some(0) && room > 0 {
            if run.walk == 0 {
                // From the start, not from the step before: what a step is late by is not handed down.
                let after = Duration::from_millis(self.interval.saturating_mul(run.step));
                if let Some(due) = self.speed.due(run.began, after).filter(|due| *due > Instant::now()) {
                    return Flow::WaitUntil(due);
                }
            }
            let walks = self.walks.get_mut(run.walk..).unwrap_or_default();
            let sent = room.min(run.left.unwrap_or(u64::MAX)).min(walks.len() as u64);
            out.reserve(sent as usize);
            for walk in walks.iter_mut().take(sent as usize) {
                let volume = walk.step(run.opens_day);
                // A walk is within these limits for longer than anyone can wait.
                let Some(price) = Price::from_units(walk.price * CENT) else { continue };
                out.push(Outgoing::Quote(Quote {
                    symbol: walk.symbol.clone(),
                    timestamp: run.at,
                    price,
                    open: None,
                    high: None,
                    low: None,
                    previous_close: Price::from_units(walk.previous_close * CENT),
                    volume: Volume::from_units(i128::from(volume) * i128::from(CENT) * 100),
                    currency: Some(Arc::clone(&self.currency)),
                    source: Some(Arc::clone(&self.source)),
                    origin: Origin::Replay,
                    stale: false,
                    alert: self.alert,
                    ingested_at: now,
                }));
            }
            room -= sent;
            run.left = run.left.map(|left| left - sent);
            run.walk += sent as usize;
            if run.walk == self.walks.len() {
                run.walk = 0;
                run.step += 1;
                let after = i64::try_from(self.interval.saturating_mul(run.step)).unwrap_or(i64::MAX);
                let at = run.first.plus_millis(after);
                run.opens_day = at.date() != run.at.date();
                run.at = at;
            }
        }
        if run.left == Some(0) { Flow::End } else { Flow::More }
    }
}

/// `SYN00000` to `SYN99999`: of one width, so that the order of names is the order of numbers.
fn numbered(number: u32) -> Option<Symbol> {
    Symbol::parse(&format!("SYN{number:05}")).ok()
}

/// The FNV-1a hash (64 bits) of a symbol, which names its stream of random numbers.
fn fnv1a(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3))
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: &str = "2026-11-20T21:00:00.123Z";

    fn now() -> Timestamp {
        Timestamp::parse(NOW).unwrap()
    }

    fn open(symbols: u32, options: SourceOptions) -> Synthetic {
        Synthetic::open(Some(symbols), options).unwrap()
    }

    fn counted(count: u64) -> SourceOptions {
        SourceOptions { count: Some(count), ..SourceOptions::default() }
    }

    fn all(source: &mut Synthetic, limit: usize) -> Vec<Quote> {
        let mut out = Vec::new();
        while source.next(now(), limit, &mut out).unwrap() != Flow::End {}
        let quote = |outgoing| if let Outgoing::Quote(quote) = outgoing { quote } else { panic!("not a quote") };
        out.into_iter().map(quote).collect()
    }

    fn failure(symbols: Option<u32>, options: SourceOptions) -> Option<String> {
        let next = |mut s: Synthetic| s.next(now(), 1, &mut Vec::new()).map(|_| ());
        Synthetic::open(symbols, options).and_then(next).err().map(|e| e.to_string())
    }

    #[test]
    fn the_last_of_a_count_falls_on_now() {
        let quotes = all(&mut open(3, counted(8)), 2);
        let seen: Vec<String> = quotes.iter().map(|q| format!("{} {}", q.symbol, q.timestamp)).collect();
        assert_eq!(seen.len(), 8);
        assert_eq!(seen[0], "SYN00000 2026-11-20T20:59:58.123Z");
        assert_eq!(seen[5], "SYN00002 2026-11-20T20:59:59.123Z");
        assert_eq!(seen[7], "SYN00001 2026-11-20T21:00:00.123Z");
        assert_eq!(quotes[7].ingested_at, now());
    }

    #[test]
    fn without_a_count_it_is_the_last_day() {
        let options = SourceOptions { interval: Duration::from_secs(3600), ..SourceOptions::default() };
        let mut source = open(2, options.clone());
        assert_eq!(source.total(), Some(48));
        let quotes = all(&mut source, 1000);
        assert_eq!(quotes.len(), 48);
        assert_eq!(quotes[0].timestamp.to_string(), "2026-11-19T22:00:00.123Z");
        assert_eq!(quotes[47].timestamp, now());
        // A given start moves the beginning, not the end.
        let start = Timestamp::parse("2026-11-20T18:30:00Z");
        let quotes = all(&mut open(1, SourceOptions { start, ..options }), 1000);
        assert_eq!(
            quotes.iter().map(|q| q.timestamp.to_string()).next_back().as_deref(),
            Some("2026-11-20T20:30:00.000Z")
        );
        assert_eq!(quotes.len(), 3);
    }

    #[test]
    fn the_seed_fixes_the_prices_and_nothing_else_does() {
        let prices = |symbols: u32, seed: u64, limit: usize| -> Vec<(Price, Option<Volume>)> {
            let quotes = all(&mut open(symbols, SourceOptions { seed, ..counted(100 * u64::from(symbols)) }), limit);
            quotes.iter().filter(|q| *q.symbol == *"SYN00000").map(|q| (q.price, q.volume)).collect()
        };
        assert_eq!(prices(1, 7, 1000), prices(5, 7, 3));
        assert_ne!(prices(1, 7, 1000), prices(1, 8, 1000));
        let quotes = all(&mut open(2, counted(200)), 1000);
        let (one, other): (Vec<_>, Vec<_>) = quotes.iter().partition(|q| *q.symbol == *"SYN00000");
        assert!(one.iter().zip(&other).any(|(a, b)| a.price != b.price));
        // These are for ever: recorded runs and what is documented depend on them.
        let first: Vec<String> = quotes.iter().take(6).map(|q| q.price.to_string()).collect();
        assert_eq!(first, ["99.98", "100.02", "99.97", "100.04", "99.99", "100.04"]);
    }

    #[test]
    fn a_day_s_previous_close_is_the_last_price_of_the_day_before() {
        let options = SourceOptions { interval: Duration::from_secs(6 * 3600), ..counted(2 * 30) };
        let quotes = all(&mut open(2, options), 5);
        let of = |symbol: &str| quotes.iter().filter(|q| *q.symbol == *symbol).cloned().collect::<Vec<_>>();
        for quotes in [of("SYN00000"), of("SYN00001")] {
            assert_eq!(quotes[0].previous_close.map(|p| p.to_string()).as_deref(), Some("100"));
            for pair in quotes.windows(2) {
                let same_day = pair[0].timestamp.date() == pair[1].timestamp.date();
                let expected = if same_day { pair[0].previous_close } else { Some(pair[0].price) };
                assert_eq!(pair[1].previous_close, expected);
            }
        }
    }

    #[test]
    fn a_walk_turns_before_zero() {
        let mut walk = Walk::new(numbered(0).unwrap(), 1);
        walk.price = FLOOR;
        for _ in 0..10_000 {
            let before = walk.price;
            assert!(walk.step(false) < VOLUMES);
            assert!(walk.price >= FLOOR && (walk.price - before).unsigned_abs() <= LONGEST_STEP);
        }
    }

    #[test]
    fn symbols_by_number_or_by_name() {
        assert_eq!(Synthetic::open(None, SourceOptions::default()).unwrap().name(), "synthetic, 5 symbols");
        let symbols = vec![Symbol::parse("AAPL").unwrap()];
        let named = SourceOptions { symbols, ..counted(2) };
        let quotes = all(&mut Synthetic::open(None, named.clone()).unwrap(), 10);
        assert!(quotes.iter().all(|q| *q.symbol == *"AAPL"));
        assert_eq!(failure(Some(2), named).as_deref(), Some("synthetic: give symbols or how many of them, not both"));
        assert_eq!(numbered(MOST_SYMBOLS - 1).as_deref(), Some("SYN99999"));
    }

    #[test]
    fn options_that_cannot_be_met_say_so() {
        let interval = Duration::from_micros(999);
        let short = failure(None, SourceOptions { interval, ..SourceOptions::default() });
        assert_eq!(short.as_deref(), Some("synthetic: the interval is to be 1 ms or more"));
        assert!(failure(Some(1), counted(u64::MAX)).is_some_and(|e| e.contains("before 2000-01-01")));
        let future = SourceOptions { start: Timestamp::parse("2027-01-01T00:00:00Z"), ..SourceOptions::default() };
        assert!(failure(None, future.clone()).is_some_and(|e| e.contains("--count")));
        assert_eq!(failure(None, SourceOptions { count: Some(1), ..future }), None);
    }

    #[test]
    fn in_real_time_each_step_has_its_own_moment() {
        let options =
            SourceOptions { speed: Speed::Times(1.0), interval: Duration::from_millis(50), ..SourceOptions::default() };
        let mut source = open(2, options);
        assert_eq!(source.total(), None);
        let (before, mut out) = (Instant::now(), Vec::new());
        let Flow::WaitUntil(due) = source.next(now(), 100, &mut out).unwrap() else { panic!("not waiting") };
        assert_eq!(out.len(), 2);
        assert!(due >= before + Duration::from_millis(50));
        // Three steps late: all are caught up at once, none is skipped, and the next is due on the grid.
        std::thread::sleep(due + Duration::from_millis(110) - Instant::now());
        let Flow::WaitUntil(next) = source.next(now(), 100, &mut out).unwrap() else { panic!("not waiting") };
        let steps = out.len() as u64 / 2;
        assert!(steps >= 4 && out.len() % 2 == 0);
        assert_eq!(next, due + Duration::from_millis(50) * (steps as u32 - 1));
        for (at, outgoing) in out.iter().enumerate() {
            let expected = now().plus_millis(50 * (at as i64 / 2));
            assert!(matches!(outgoing, Outgoing::Quote(q) if q.timestamp == expected));
        }
    }

    #[test]
    fn faster_than_the_market_it_ends_at_the_time_it_then_is() {
        let source = open(1, SourceOptions { speed: Speed::Times(10.0), ..counted(101) });
        // 100 steps of a second take 10 s, and begin 90 s ago.
        assert_eq!(source.begin(now()).unwrap().first, now().plus_millis(-90_000));
        let slow = open(1, SourceOptions { speed: Speed::Times(0.5), ..counted(101) });
        assert_eq!(slow.begin(now()).unwrap().first, now());
    }
}
