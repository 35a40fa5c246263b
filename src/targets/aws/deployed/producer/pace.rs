//! How fast quotes are put: as fast as they come until the stream refuses some, from then on about as fast as it takes
//! them.
//!
//! A shard takes 1 MB and 1,000 records a second and says no more than that something was too much. So the rate is
//! found as TCP finds it: a refusal takes a part of it away, every second without one adds a little.

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

/// The first rate is no lower, whatever was put before: a quarter of what a shard takes in a second.
const FIRST: f64 = 262_144.0;
/// What a refusal leaves of the rate.
const CUT: f64 = 0.85;
/// What a second without a refusal adds to the rate, as a part of it; and after so long without one.
const RISE: f64 = 0.02;
const FAST_RISE: f64 = 0.2;
const CALM: Duration = Duration::from_secs(15);
/// The least rate, in bytes a second.
const LEAST: f64 = 16.0 * 1024.0;
/// A rate that nothing refuses is none.
const FREE: f64 = (64 << 20) as f64;
/// Refusals that come together count once.
const TOGETHER: Duration = Duration::from_millis(500);
/// So far back what was taken is measured.
const MEASURED: Duration = Duration::from_secs(1);

/// Found by trying.
#[derive(Debug, Default)]
pub struct Pace {
    /// In bytes a second; none while nothing was refused.
    rate: Option<f64>,
    /// What may be put now, in bytes; below 0 what was put too early.
    budget: f64,
    /// When `budget` was counted.
    counted: Option<Instant>,
    last_cut: Option<Instant>,
    /// When the rate was last changed.
    changed: Option<Instant>,
    /// What was taken within the last second.
    taken: VecDeque<(Instant, usize)>,
    /// How many records were refused.
    refused: u64,
}

impl Pace {
    /// How long to wait before the next request; zero where it may go.
    pub fn wait(&mut self, now: Instant) -> Duration {
        let Some(rate) = self.rate else { return Duration::ZERO };
        let since = self.counted.map_or(Duration::ZERO, |counted| now.saturating_duration_since(counted));
        // What was not used within a second is gone: the stream does not save it up either.
        self.budget = rate.mul_add(since.as_secs_f64(), self.budget).min(rate);
        self.counted = Some(now);
        if self.budget >= 0.0 { Duration::ZERO } else { Duration::from_secs_f64(-self.budget / rate) }
    }

    /// How many bytes are put at once: what the stream takes in a second, so that no request waits for long.
    pub fn request(&self) -> usize {
        self.rate.map_or(usize::MAX, |rate| rate as usize)
    }

    /// So many bytes are being put.
    pub fn puts(&mut self, bytes: usize) {
        if self.rate.is_some() {
            self.budget -= bytes as f64;
        }
    }

    /// A request was answered: so many bytes were taken, so many records refused.
    pub fn answered(&mut self, now: Instant, bytes: usize, refused: u64) {
        self.taken.push_back((now, bytes));
        while self.taken.front().is_some_and(|(at, _)| now.saturating_duration_since(*at) > MEASURED) {
            self.taken.pop_front();
        }
        self.refused += refused;
        if refused > 0 {
            if self.last_cut.is_some_and(|cut| now.saturating_duration_since(cut) < TOGETHER) {
                return;
            }
            let measured = || self.taken.iter().map(|(_, bytes)| *bytes as f64).sum::<f64>().max(FIRST);
            self.rate = Some((self.rate.unwrap_or_else(measured) * CUT).max(LEAST));
            self.budget = self.budget.min(0.0);
            self.counted.get_or_insert(now);
            self.last_cut = Some(now);
            self.changed = Some(now);
        } else if let (Some(rate), Some(changed)) = (self.rate, self.changed) {
            let seconds = now.saturating_duration_since(changed).as_secs_f64();
            let is_calm = self.last_cut.is_none_or(|cut| now.saturating_duration_since(cut) >= CALM);
            let rise = if is_calm { FAST_RISE } else { RISE };
            self.rate = Some(rate * rise.mul_add(seconds, 1.0)).filter(|rate| *rate < FREE);
            self.changed = Some(now);
        }
    }

    /// How many records were refused so far.
    pub fn refused(&self) -> u64 {
        self.refused
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A shard that takes so much a second, and saves up a second of it.
    struct Shard {
        rate: f64,
        budget: f64,
        at: Instant,
    }

    impl Shard {
        fn takes(&mut self, now: Instant, bytes: usize) -> bool {
            let since = now.duration_since(self.at).as_secs_f64();
            self.budget = self.rate.mul_add(since, self.budget).min(self.rate);
            self.at = now;
            let takes = self.budget >= bytes as f64;
            if takes {
                self.budget -= bytes as f64;
            }
            takes
        }
    }

    /// Would catch a rate that stays low after a refusal, and one that goes on being refused. Bytes taken in a minute as a
    /// part of what the shard takes, and requests refused as a part of all.
    fn minute(rate: f64) -> (f64, f64) {
        const REQUEST: usize = 100_000;
        let start = Instant::now();
        let mut shard = Shard { rate, budget: rate, at: start };
        let (mut pace, mut now) = (Pace::default(), start);
        let (mut taken, mut requests) = (0, 0);
        while now < start + Duration::from_secs(60) {
            let wait = pace.wait(now);
            if !wait.is_zero() {
                now += wait;
                continue;
            }
            pace.puts(REQUEST);
            requests += 1;
            now += Duration::from_millis(10);
            if shard.takes(now, REQUEST) {
                taken += REQUEST;
                pace.answered(now, REQUEST, 0);
            } else {
                pace.answered(now, 0, 4);
            }
        }
        (taken as f64 / (60.0 * rate), pace.refused() as f64 / 4.0 / f64::from(requests))
    }

    #[test]
    fn it_finds_the_rate_of_the_stream() {
        for rate in [256.0 * 1024.0, 1_048_576.0, 4_194_304.0] {
            let (taken, refused) = minute(rate);
            assert!(taken > 0.85 && refused < 0.05, "{rate}: {taken} taken, {refused} refused");
        }
    }

    /// Would catch a stream that is thought to take next to nothing because it was just begun, or hardly used.
    #[test]
    fn a_refusal_after_silence_says_little() {
        let (mut pace, now) = (Pace::default(), Instant::now());
        pace.answered(now, 0, 1);
        let most = pace.request();
        assert!(most > 200_000, "{most}");
        pace.puts(most);
        assert!(pace.wait(now) <= Duration::from_secs(1));
    }

    /// Would catch a rate that stays low for long after a throttling that has passed.
    #[test]
    fn what_was_lost_comes_back() {
        let (mut pace, start) = (Pace::default(), Instant::now());
        let second = |n: u64| start + Duration::from_secs(n);
        (0..60).for_each(|n| pace.answered(second(n), 0, 1));
        assert!(pace.request() <= LEAST as usize);
        (60..100).for_each(|n| pace.answered(second(n), 10_000, 0));
        assert!(pace.request() > 1 << 20, "{}", pace.request());
    }

    #[test]
    fn nothing_waits_where_nothing_is_refused() {
        let mut pace = Pace::default();
        let now = Instant::now();
        for _ in 0..1000 {
            assert_eq!(pace.wait(now), Duration::ZERO);
            pace.puts(5 << 20);
            pace.answered(now, 5 << 20, 0);
        }
    }
}
