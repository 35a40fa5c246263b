//! Random streams with all that may happen to quotes on their way, from a seed.

use crate::{
    run::WEEK,
    stream::{Stream, line, quote, time},
};
use stockpipe_pipeline::{Origin, Price, Quote, Timestamp, Volume};

/// Random numbers from a seed (SplitMix64), the same on every machine.
#[derive(Clone, Debug)]
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// From 0 to `end`, without it.
    pub(crate) fn below(&mut self, end: usize) -> usize {
        usize::try_from(self.next() % u64::try_from(end).expect("64 bits")).expect("less than `end`")
    }

    /// From `start` to `end`, both included.
    pub(crate) fn between(&mut self, start: i64, end: i64) -> i64 {
        start + i64::try_from(self.next() % (end - start + 1).unsigned_abs()).expect("a small span")
    }

    /// True so many times in a thousand.
    pub(crate) fn chance(&mut self, per_mille: usize) -> bool {
        self.below(1000) < per_mille
    }

    pub(crate) fn pick<'a, T>(&mut self, from: &'a [T]) -> &'a T {
        &from[self.below(from.len())]
    }

    pub(crate) fn shuffle<T>(&mut self, list: &mut [T]) {
        for end in (1..list.len()).rev() {
            list.swap(end, self.below(end + 1));
        }
    }
}

/// A stream, and how long its items are kept, in seconds.
#[derive(Debug)]
pub(crate) struct History {
    pub(crate) stream: Stream,
    pub(crate) retention: i64,
}

impl History {
    /// 40 to 120 lines of one to three symbols. Three in ten histories expire while they last.
    pub(crate) fn new(random: &mut Random) -> Self {
        let retention = if random.chance(300) { random.between(10, 120) } else { WEEK };
        let names = ["AAPL", "BTC-USD", "^GSPC"];
        let count = *random.pick(&[1, 1, 1, 2, 2, 3]);
        let mut markets: Vec<Market> = names[..count].iter().map(|name| Market::new(name, random)).collect();
        let mut stream = Stream::default();
        let mut arrival = time("2026-11-20T00:00:00Z");
        let mut left = random.between(40, 120);
        while left > 0 {
            let lines = *random.pick(&[1, 1, 1, 2, 3, 5]);
            let market = &mut markets[random.below(count)];
            arrival = arrival.plus_millis(random.between(0, 3000));
            if retention != WEEK && random.chance(40) {
                // A silence about as long as the retention: a little less, exactly, or a little more.
                arrival = arrival.plus_millis(retention * 1000 + random.between(-6000, 4000));
                for market in &mut markets {
                    market.after_silence(random);
                }
                continue;
            }
            let packed: Vec<Vec<u8>> = (0..lines).map(|_| market.line(random)).collect();
            stream.push(market.symbol, arrival, &packed);
            left -= lines;
        }
        Self { stream, retention }
    }
}

/// Where the quotes of a symbol come from.
struct Market {
    symbol: &'static str,
    now: Timestamp,
    price: i64,
    sent: Vec<Quote>,
    /// How many of the next lines are likely to repeat others.
    echoes: usize,
}

impl Market {
    fn new(symbol: &'static str, random: &mut Random) -> Self {
        Self { symbol, now: time("2026-10-20T23:59:00Z"), price: random.between(94, 106), sent: Vec::new(), echoes: 0 }
    }

    /// What comes after a silence has often been there before, as when a recording is sent again.
    fn after_silence(&mut self, random: &mut Random) {
        self.echoes = random.below(8);
        if random.chance(500) {
            self.now = self.now.plus_millis(-1000 * random.between(1, 40));
        }
    }

    fn line(&mut self, random: &mut Random) -> Vec<u8> {
        if random.chance(40) {
            return self.bad_line(random);
        }
        let kinds = if self.echoes > 0 { 28 } else { 100 };
        self.echoes = self.echoes.saturating_sub(1);
        let quote = match (random.below(kinds), self.sent.is_empty()) {
            (0..6, false) => {
                let earlier = self.earlier(random).timestamp.plus_millis(-random.between(0, 3) * 500);
                self.quote(earlier, random)
            }
            (6..14, false) => self.earlier(random).clone(),
            (14..19, false) => {
                let price = self.step(random);
                Quote { price, ..self.earlier(random).clone() }
            }
            (19..24, _) => {
                Quote { stale: true, ..self.quote(self.now.plus_millis(random.between(0, 5) * 1000), random) }
            }
            (24..28, _) => {
                let at = self.now.plus_millis(random.between(-10, 4) * 1000);
                Quote { origin: Origin::Backfill, ..self.quote(at, random) }
            }
            _ => {
                let step = if random.chance(30) { 8 * 3600 } else { random.between(1, 2) };
                self.now = self.now.plus_millis(step * 1000);
                self.quote(self.now, random)
            }
        };
        self.sent.push(quote.clone());
        line(&quote)
    }

    fn quote(&mut self, timestamp: Timestamp, random: &mut Random) -> Quote {
        Quote {
            previous_close: random.chance(400).then(|| whole(100)),
            volume: random.chance(500).then(|| Volume::from_units(150_000_001).expect("a volume")),
            origin: if random.chance(500) { Origin::Live } else { Origin::Replay },
            alert: !random.chance(150),
            ..quote(self.symbol, timestamp, self.step(random))
        }
    }

    /// A walk on few prices, so that averages are often equal and anomalies not rare.
    fn step(&mut self, random: &mut Random) -> Price {
        self.price = (self.price + random.between(-2, 2)).clamp(92, 108);
        whole(self.price)
    }

    /// One that was sent before, mostly not long ago.
    fn earlier(&self, random: &mut Random) -> &Quote {
        let recent = if random.chance(700) { self.sent.len().saturating_sub(6) } else { 0 };
        random.pick(&self.sent[recent..])
    }

    fn bad_line(&mut self, random: &mut Random) -> Vec<u8> {
        let good = self.quote(self.now, random);
        match random.below(5) {
            0 => b"rubbish".to_vec(),
            1 => vec![b'{', 0xff, b'}'],
            2 => line(&Quote { timestamp: time("2026-12-31T00:00:00Z"), ..good }),
            3 => line(&Quote { timestamp: time("1999-12-31T00:00:00Z"), ..good }),
            _ => line(&quote("OTHER", good.timestamp, good.price)),
        }
    }
}

fn whole(price: i64) -> Price {
    Price::from_units(price * 100_000_000).expect("a price")
}
