//! What must hold of any quotes.

use crate::{
    fold::fold,
    run::{Run, WEEK, settings},
    stream::{Stream, line, price, quote, time, units},
};
use proptest::{collection::vec, prelude::*, sample::Index};
use stockpipe_pipeline::{Origin, Price, Quote, Timestamp, Volume};

const SYMBOL: &str = "BTC-USD";

/// A market time, in seconds.
fn at(seconds: usize) -> Timestamp {
    time("2026-11-20T00:00:00Z").plus_millis(1000 * i64::try_from(seconds).expect("a time"))
}

/// Quotes of these prices, a second apart.
fn quotes(prices: &[Price]) -> Vec<Quote> {
    prices.iter().enumerate().map(|(i, price)| quote(SYMBOL, at(i), *price)).collect()
}

/// The quotes, one record each, all of one arrival, which follows them.
fn stream(quotes: &[Quote]) -> Stream {
    let mut stream = Stream::default();
    quotes.iter().for_each(|quote| stream.push_quote(quote, time("2026-11-21T00:00:00Z")));
    stream
}

fn signals(quotes: &[Quote]) -> Vec<[String; 4]> {
    Run::of(&stream(quotes).records, 50, 1, settings(WEEK)).signals()
}

fn any_price() -> impl Strategy<Value = Price> {
    (1..10_i64.pow(18)).prop_map(units)
}

/// Prices near each other, so that averages cross often and are sometimes equal.
fn walk(count: usize) -> impl Strategy<Value = Vec<Price>> {
    (vec(-2..=2_i64, count), 1..1_000_i64).prop_map(|(steps, unit)| {
        let mut now = 1000;
        let mut next = |step| {
            now += step;
            units(now * unit)
        };
        steps.into_iter().map(&mut next).collect()
    })
}

/// Cuts the list at these places.
fn cut<'a, T>(list: &'a [T], at: &[Index]) -> Vec<&'a [T]> {
    let mut places: Vec<usize> = at.iter().map(|at| at.index(list.len() + 1)).chain([0, list.len()]).collect();
    places.sort_unstable();
    places.windows(2).map(|ends| &list[ends[0]..ends[1]]).filter(|part| !part.is_empty()).collect()
}

/// A quote that makes no signal, put in after the first `after` ones.
#[derive(Clone, Debug)]
struct Intruder {
    after: Index,
    kind: u8,
    of: Index,
    price: Price,
}

fn intruders() -> impl Strategy<Value = Vec<Intruder>> {
    let intruder = (any::<Index>(), 0..5_u8, any::<Index>(), any_price())
        .prop_map(|(after, kind, of, price)| Intruder { after, kind, of, price });
    vec(intruder, 1..30)
}

impl Intruder {
    /// The quote, where `before` are those in order before it, and `all` are those in order.
    fn quote(&self, before: &[Quote], all: &[Quote]) -> Quote {
        let earlier = before.get(self.of.index(before.len().max(1)));
        // Half a second off, so that no identity is taken which one in order needs.
        let beside = all[self.of.index(all.len())].timestamp.plus_millis(500);
        match (self.kind, earlier) {
            (0, Some(earlier)) => earlier.clone(),
            (1, Some(earlier)) => Quote { price: self.price, ..earlier.clone() },
            (2, Some(earlier)) => quote(SYMBOL, earlier.timestamp.plus_millis(-500), self.price),
            (3, _) => Quote { origin: Origin::Backfill, ..quote(SYMBOL, beside, self.price) },
            _ => Quote { stale: true, ..quote(SYMBOL, beside, self.price) },
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Would catch averages that are not exact: a rounding error of one unit is a side.
    #[test]
    fn a_flat_series_never_signals(price in any_price(), count in 1..400_usize) {
        prop_assert!(signals(&quotes(&vec![price; count])).is_empty());
    }

    /// Would catch a binary float, or a sum that overflows, anywhere between the line and the signal.
    #[test]
    fn any_prices_and_volumes_are_exact(prices in vec(any_price(), 20..60), volumes in vec(0..10_i128.pow(28), 60)) {
        let mut quotes = quotes(&prices);
        for (quote, units) in quotes.iter_mut().zip(volumes) {
            quote.volume = Volume::from_units(units);
        }
        let stream = stream(&quotes);
        Run::of(&stream.records, 7, 1, settings(WEEK)).assert_is_fold_of(&stream.records);
    }

    /// Would catch whatever depends on a batch rather than on the stream.
    #[test]
    fn no_split_and_no_repetition_changes_anything(
        prices in walk(120),
        intruders in intruders(),
        cuts in vec(any::<Index>(), 0..20),
        again in vec((any::<Index>(), any::<Index>()), 0..5),
    ) {
        let stream = stream(&with(&quotes(&prices), &intruders));
        let mut run = Run::new(settings(WEEK));
        for batch in cut(&stream.records, &cuts) {
            run.lose(&batch[..1]);
            run.lose(batch);
            run.batch(batch);
        }
        // Long done, and delivered once more, as by an instance that hangs on.
        for (from, to) in again {
            let (from, to) = (from.index(stream.records.len()), to.index(stream.records.len()));
            run.batch(&stream.records[from.min(to)..=from.max(to)]);
        }
        run.assert_is_fold_of(&stream.records);
    }

    /// Would catch an average that a quote shifts which is not in order.
    #[test]
    fn late_stale_and_repeated_quotes_change_no_signal(prices in walk(120), intruders in intruders()) {
        let quotes = quotes(&prices);
        prop_assert_eq!(signals(&with(&quotes, &intruders)), signals(&quotes));
    }

    /// Would catch a signal that looks ahead, or is taken back.
    #[test]
    fn a_signal_depends_on_earlier_quotes_only(prices in walk(120), len in 0..120_usize) {
        let quotes = quotes(&prices);
        let (all, prefix) = (signals(&quotes), signals(&quotes[..len]));
        let until = at(len).to_string();
        prop_assert_eq!(prefix, all.into_iter().take_while(|signal| signal[0] < until).collect::<Vec<_>>());
    }

    /// Would catch an item that counts a second too long or too short, wherever in a batch it expires: here the
    /// retention is shorter than the stream, often than a batch, and identities are taken again.
    #[test]
    fn expiry_is_the_same_for_any_split(
        steps in vec((0..40_usize, 0..6_i64, 0..8_u8), 1..120),
        retention in 1..30_i64,
        cuts in vec(any::<Index>(), 0..20),
    ) {
        let mut stream = Stream::default();
        let mut arrival = time("2026-11-21T00:00:00Z");
        for (seconds, pause, kind) in steps {
            // Now and then a silence.
            arrival = arrival.plus_millis(1000 * if pause == 5 { retention } else { pause / 2 });
            let quote = quote(SYMBOL, at(seconds), units(100 + i64::from(kind)));
            stream.push_quote(&Quote { stale: kind == 0, ..quote }, arrival);
        }
        let mut run = Run::new(settings(retention));
        for batch in cut(&stream.records, &cuts) {
            run.lose(batch);
            run.batch(batch);
        }
        run.assert_is_fold_of(&stream.records);
    }
}

/// The quotes with the others put in.
fn with(quotes: &[Quote], intruders: &[Intruder]) -> Vec<Quote> {
    let mut intruders: Vec<_> = intruders.iter().map(|i| (i.after.index(quotes.len() + 1), i)).collect();
    intruders.sort_by_key(|(after, _)| *after);
    let mut all = Vec::new();
    for after in 0..=quotes.len() {
        let (before, next) = quotes.split_at(after);
        all.extend(intruders.iter().filter(|(at, _)| *at == after).map(|(_, i)| i.quote(before, quotes)));
        all.extend(next.first().cloned());
    }
    all
}

/// Prices whose averages differ by these sums (`3·` the last five less the fifteen before, in units), after 20 that
/// rise.
fn differing(differences: &[i128]) -> Vec<Price> {
    let mut prices: Vec<i128> = (1..=20).map(|i| 3_000_000 + 3000 * i).collect();
    for difference in differences {
        let last_four: i128 = prices[prices.len() - 4..].iter().sum();
        let fifteen: i128 = prices[prices.len() - 19..prices.len() - 4].iter().sum();
        prices.push((difference + fifteen) / 3 - last_four);
    }
    prices.iter().map(|price| units(i64::try_from(*price).expect("64 bits"))).collect()
}

/// Would catch the usual strict comparison of this quote with the one before, which misses the cross by way of
/// equality, and one that takes equality for a side, which signals at the touch.
#[test]
fn touch_and_return_is_no_signal_and_touch_and_cross_is_one() {
    let directions = |differences: &[i128]| {
        signals(&quotes(&differing(differences))).into_iter().map(|[at, signal, ..]| (at, signal)).collect::<Vec<_>>()
    };
    assert_eq!(directions(&[0, 3]), []);
    assert_eq!(directions(&[0, 0, 0, 3]), []);
    assert_eq!(directions(&[0, -3]), [(at(21).to_string(), "SELL".into())]);
    assert_eq!(
        directions(&[0, 0, -3, 0, 3]),
        [(at(22).to_string(), "SELL".into()), (at(24).to_string(), "BUY".into())]
    );
    assert_eq!(directions(&[3, -3]), [(at(21).to_string(), "SELL".into())]);
}

/// Would catch a side that is taken for known too early: flat for hours, then the first step off is the first side.
#[test]
fn flat_for_hours_and_then_the_first_side_is_no_signal() {
    let (flat, up, down) = (price("0.00000002"), price("0.00000003"), price("0.00000001"));
    let mut prices = vec![flat; 10_000];
    prices.push(up);
    assert_eq!(signals(&quotes(&prices)), Vec::<[String; 4]>::new());
    prices.extend([down; 3]);
    assert_eq!(signals(&quotes(&prices)).len(), 1);
}

/// Would catch averages that reach over a silence: after one longer than the retention a new warm-up begins, and
/// after one a second shorter it does not.
#[test]
fn after_a_silence_longer_than_the_retention_the_warm_up_is_new() {
    let mut prices: Vec<Price> = (1..=30).map(units).collect();
    prices.extend((1..=19).rev().map(units));
    let quotes = quotes(&prices);
    let signals_after = |silence: i64| {
        let mut stream = Stream::default();
        for (i, quote) in quotes.iter().enumerate() {
            let pause = if i < 30 { 0 } else { silence * 1000 };
            stream.push_quote(quote, time("2026-11-21T00:00:00Z").plus_millis(pause));
        }
        let run = Run::of(&stream.records, 10, 1, settings(60));
        run.assert_is_fold_of(&stream.records);
        assert_eq!(fold(&stream.records, settings(60)).restarts, usize::from(silence >= 60));
        run.signals().len()
    };
    assert_eq!(signals_after(59), 1);
    assert_eq!(signals_after(60), 0);
}

/// Would catch an identity that is never free again, or too early.
#[test]
fn an_expired_identity_can_be_taken_again() {
    let first = quote(SYMBOL, at(0), price("1"));
    let second = Quote { stale: true, ..quote(SYMBOL, at(0), price("2")) };
    for (pause, stored, revised, holder) in [(59, 1, 1, "1"), (60, 2, 0, "2")] {
        let mut stream = Stream::default();
        let arrival = time("2026-11-21T00:00:00Z");
        stream.push_quote(&first, arrival);
        stream.push(SYMBOL, arrival.plus_millis(pause * 1000), &[line(&second)]);
        for size in [1, 2] {
            let run = Run::of(&stream.records, size, 1, settings(60));
            assert_eq!((run.counts().stored, run.counts().revised), (stored, revised));
            assert_eq!(run.world().table[SYMBOL][&at(0)].quote.price, price(holder));
        }
    }
}
