//! How long a host is left alone that asked for it, or does not answer.

use rand_chacha::{
    ChaCha8Rng,
    rand_core::{Rng, SeedableRng},
};
use std::time::{Duration, Instant};

/// The pause after the first failure; each is twice as long as the one before.
const FIRST: Duration = Duration::from_secs(1);
/// No pause is longer: what is lost meanwhile cannot be had later.
const LONGEST: Duration = Duration::from_secs(300);
/// Unless the host asks for it, and for no more than this.
const LONGEST_WISH: Duration = Duration::from_secs(3600);
/// From so many failures on the pause no longer grows.
const MOST_DOUBLINGS: u32 = 9;

/// What is known of a host's health.
#[derive(Debug)]
pub(super) struct Backoff {
    failures: u32,
    /// When the first of these failures came.
    since: Option<Instant>,
    /// When it may be asked again.
    until: Option<Instant>,
    failed_at: Option<Instant>,
    random: ChaCha8Rng,
}

impl Backoff {
    /// A healthy host; the seed spreads those who were turned away together.
    pub(super) fn new(seed: u64) -> Self {
        Self { failures: 0, since: None, until: None, failed_at: None, random: ChaCha8Rng::seed_from_u64(seed) }
    }

    /// When the host may be asked again; none where it may be at once.
    pub(super) fn until(&self, now: Instant) -> Option<Instant> {
        self.until.filter(|until| *until > now)
    }

    /// How many questions it may have at once: a host that was down is tried with one.
    pub(super) fn at_once(&self, usual: usize) -> usize {
        if self.failures > 0 { 1 } else { usual }
    }

    /// Whether it did not fail since it last answered.
    pub(super) fn is_well(&self) -> bool {
        self.failures == 0
    }

    /// Since when it fails.
    pub(super) fn since(&self) -> Option<Instant> {
        self.since
    }

    /// Whether it failed more than once in a row.
    pub(super) fn is_down(&self) -> bool {
        self.failures > 1
    }

    /// A question that was asked then was answered.
    pub(super) fn answered(&mut self, asked: Instant) {
        // What was asked before the last failure says nothing of how it is since.
        if self.failed_at.is_none_or(|failed| asked > failed) {
            (self.failures, self.since, self.until, self.failed_at) = (0, None, None, None);
        }
    }

    /// A question that was asked then was turned away, or failed.
    pub(super) fn failed(&mut self, asked: Instant, now: Instant, retry_after: Option<Duration>) {
        // Questions that were under way together fail together, and count once.
        let counts = self.failed_at.is_none_or(|failed| asked > failed);
        let mut pause = Duration::ZERO;
        if counts {
            let full = (FIRST * 2_u32.pow(self.failures.min(MOST_DOUBLINGS))).min(LONGEST);
            // Between a half and the whole.
            pause = full / 2 + self.share_of(full / 2);
            self.failures = self.failures.saturating_add(1);
            self.since.get_or_insert(now);
            self.failed_at = Some(now);
        }
        // Those who were told the same time do not come back together.
        let wish = retry_after.map_or(Duration::ZERO, |wish| wish.min(LONGEST_WISH) + self.share_of(FIRST));
        let until = now + pause.max(wish);
        self.until = Some(self.until.map_or(until, |known| known.max(until)));
    }

    /// Some of it, in 1024 steps from none to nearly all.
    fn share_of(&mut self, whole: Duration) -> Duration {
        whole * u32::try_from(self.random.next_u64() % 1024).unwrap_or(0) / 1024
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pause(backoff: &Backoff, now: Instant) -> Duration {
        backoff.until(now).map_or(Duration::ZERO, |until| until - now)
    }

    #[test]
    fn pauses_double_up_to_five_minutes() {
        let (mut backoff, mut now) = (Backoff::new(1), Instant::now());
        for failure in 0..20 {
            let full = (FIRST * 2_u32.pow(failure.min(9))).min(LONGEST);
            backoff.failed(now, now, None);
            let pause = pause(&backoff, now);
            assert!(pause >= full / 2 && pause <= full, "{failure}: {pause:?}");
            assert_eq!(backoff.at_once(4), 1);
            now += pause + Duration::from_millis(1);
        }
        backoff.answered(now);
        assert_eq!((pause(&backoff, now), backoff.at_once(4)), (Duration::ZERO, 4));
    }

    #[test]
    fn the_host_s_own_wish_is_kept_within_the_limit_and_not_by_all_to_the_moment() {
        let now = Instant::now();
        let of = |seconds| {
            let mut backoff = Backoff::new(2);
            backoff.failed(now, now, Some(Duration::from_secs(seconds)));
            pause(&backoff, now)
        };
        assert_eq!((of(30).as_secs(), of(600).as_secs(), of(100_000).as_secs()), (30, 600, 3600));
        assert!(of(30) > Duration::from_secs(30));
        assert!(of(0) <= FIRST);
    }

    #[test]
    fn what_was_under_way_together_counts_once() {
        let (mut backoff, asked) = (Backoff::new(3), Instant::now());
        let now = asked + Duration::from_millis(10);
        for _ in 0..4 {
            backoff.failed(asked, now, None);
        }
        assert!(pause(&backoff, now) <= FIRST);
        // And an answer to what was asked before it does not end the pause.
        backoff.answered(asked);
        assert!(backoff.until(now).is_some());
    }

    #[test]
    fn not_all_wait_for_the_same_time() {
        let now = Instant::now();
        let mut pauses: Vec<Duration> = (0..8)
            .map(|seed| {
                let mut backoff = Backoff::new(seed);
                backoff.failed(now, now, None);
                pause(&backoff, now)
            })
            .collect();
        pauses.sort();
        pauses.dedup();
        assert!(pauses.len() > 4, "{pauses:?}");
    }
}
