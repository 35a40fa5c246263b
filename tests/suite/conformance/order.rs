//! Quotes that come twice, changed, late, stale, or from two at once: what they count as is a matter of their order in the
//! stream alone.

use super::{
    answers::{folded, history, rows},
    place::Place,
};
use crate::{
    harness::{data, numbers, replay_of, summary},
    stream::{line, price, quote, time},
};
use pipeline::{Origin, Price, Quote, Volume};
use std::fs;

/// Prices that fall and rise: one BUY.
fn valley() -> impl Iterator<Item = u32> {
    (0..25).map(|n| 100 - n).chain((0..15).map(|n| 77 + 2 * n))
}

/// Daily quotes from the first of 2014 on.
pub fn daily(symbol: &str, prices: impl IntoIterator<Item = u32>) -> Vec<Quote> {
    let first = time("2014-01-01T21:00:00Z");
    let one = |(day, units): (i64, u32)| quote(symbol, first.plus_millis(day * 86_400_000), price(&units.to_string()));
    (0..).zip(prices).map(one).collect()
}

/// The quotes as JSON lines.
pub fn lines<'q>(quotes: impl IntoIterator<Item = &'q Quote>) -> Vec<u8> {
    quotes.into_iter().flat_map(|quote| [line(quote), b"\n".to_vec()].concat()).collect()
}

fn dearer(quote: &Quote) -> Quote {
    Quote { price: Price::from_units(quote.price.units() + 100_000_000).expect("a price"), ..quote.clone() }
}

/// Would catch a quote that counts as what it is not, or that means something although it must not.
pub fn marked(place: &dyn Place) {
    let symbol = "MARKED";
    let base = daily(symbol, valley());
    let hours = |quote: &Quote, hours: i64| Quote {
        timestamp: quote.timestamp.plus_millis(hours * 3_600_000),
        ..dearer(quote)
    };
    let [stale, backfilled] = [(true, Origin::Live), (false, Origin::Backfill)];
    let marked = |at: &Quote, (stale, origin): (bool, Origin)| Quote { stale, origin, ..hours(at, 1) };
    let mut all = base[..30].to_vec();
    // Three again, two of them with another price, two from between others.
    all.extend([&base[29], &base[4], &base[11]].map(Quote::clone));
    all.extend([&base[6], &base[19]].map(dearer));
    all.extend([&base[6], &base[19]].map(|quote| hours(quote, -5)));
    // Newer than all before them, and yet they move nothing.
    all.extend([0, 1, 2].map(|_| marked(&base[29], stale)));
    all.push(marked(&base[28], backfilled));
    all.extend_from_slice(&base[30..]);
    all.push(marked(&base[39], stale));
    let sum = place.stream(&place.home().write("marked.jsonl", lines(&all)), &[]);
    let counts = ["sent", "stored", "archived", "duplicates", "revised", "late", "stale", "set_aside"];
    // Of the three stale ones two come again; the backfilled one is late as well, as of the day before.
    assert_eq!(numbers(&sum, counts), [52, 45, 52, 5, 2, 3, 2, 0], "{sum}");
    let known = rows(&folded(&base).signals);
    assert_eq!(known.len(), 1);
    place.becomes("signals", &known, || place.signals(symbol));
    assert_eq!(place.crossovers(symbol), history(&all));
    assert_eq!(place.in_lake(symbol), 45);
    assert_eq!(place.latest(symbol)[0][1..3], [all[51].timestamp.to_string(), all[51].price.to_string()]);
}

/// A recording with a symbol of its own.
fn recorded(symbol: &str) -> Vec<Quote> {
    let text = fs::read_to_string(data("daily_FB_2012-2013.csv")).expect("a recording");
    let row = |line: &str| {
        let cells: Vec<&str> = line.split(',').collect();
        let [open, high, low, close] = [2, 3, 4, 5].map(|at| price(cells[at]));
        let volume = Some(Volume::parse(cells[6]).expect("a volume"));
        Quote { open: Some(open), high: Some(high), low: Some(low), volume, ..quote(symbol, time(cells[1]), close) }
    };
    text.lines().skip(1).map(row).collect()
}

fn csv(quotes: &[Quote]) -> String {
    let row = |q: &Quote| {
        let [open, high, low] = [q.open, q.high, q.low].map(|price| price.expect("a price"));
        let volume = q.volume.expect("a volume");
        format!("{},{},{open},{high},{low},{},{volume}\n", q.symbol, q.timestamp, q.price)
    };
    ["symbol,timestamp,open,high,low,close,volume\n".to_owned()].into_iter().chain(quotes.iter().map(row)).collect()
}

/// The order in which a recording might have arrived: some late, some again, some revised.
fn as_arrived(mut quotes: Vec<Quote>) -> Vec<Quote> {
    for at in (5..quotes.len() - 6).step_by(17) {
        // Two places later than it was.
        quotes[at..=at + 2].rotate_left(1);
    }
    let mut arrived = Vec::new();
    for (at, quote) in quotes.iter().enumerate() {
        arrived.push(quote.clone());
        match at % 23 {
            7 => arrived.push(quotes[at - 3].clone()),
            11 => arrived.push(dearer(&quotes[at - 2])),
            _ => {}
        }
    }
    arrived
}

/// Would catch signals that follow the clock and not the stream, or an order that is lost on the way.
pub fn arrival(place: &dyn Place) {
    let symbol = "ARRIVAL";
    let arrived = as_arrived(recorded(symbol));
    let known = folded(&arrived);
    let counts = [known.counts.stored, known.counts.duplicates, known.counts.revised, known.counts.late];
    assert_eq!(counts, [196, 9, 9, 11]);
    let sum = place.stream(&place.home().write("arrival.csv", csv(&arrived)), &[]);
    assert_eq!(numbers(&sum, ["stored", "duplicates", "revised", "late"]), counts, "{sum}");
    let signals = rows(&known.signals);
    assert!(signals.len() > 3 && signals != history(&arrived));
    place.becomes("signals", &signals, || place.signals(symbol));
    assert_eq!(place.crossovers(symbol), history(&arrived));
}

/// Would catch two producers that lose each other's quotes, or make two of one.
pub fn two_producers(place: &dyn Place) {
    let both = daily("BOTH", valley().chain(valley()).chain(valley()));
    let own = ["FIRST", "SECOND"].map(|symbol| daily(symbol, valley()));
    let producers = [0, 1].map(|at| {
        let mixed: Vec<&Quote> =
            both.chunks(3).zip(&own[at]).flat_map(|(both, own)| both.iter().chain([own])).collect();
        let source = replay_of(&place.home().write(&format!("producer-{at}.jsonl"), lines(mixed)));
        place.start(&["stream", "--source", &source, "--wait", "--format", "json"])
    });
    let names = ["sent", "stored", "duplicates", "revised", "late"];
    let [first, second] =
        producers.map(|p| numbers(&summary(&p.end_within(super::place::PATIENCE).expect(0).stdout), names));
    let sum: Vec<u64> = first.iter().zip(&second).map(|(a, b)| a + b).collect();
    assert_eq!(sum, [320, 200, 120, 0, 0], "{first:?} {second:?}");
    for (quotes, symbol) in [(&both, "BOTH"), (&own[0], "FIRST"), (&own[1], "SECOND")] {
        let known = rows(&folded(quotes).signals);
        assert!(!known.is_empty());
        place.becomes(&format!("signals of {symbol}"), &known, || place.signals(symbol));
        assert_eq!(place.crossovers(symbol), known);
        assert_eq!(place.in_lake(symbol), quotes.len());
    }
}
