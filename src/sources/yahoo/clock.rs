//! A clock that counts what the machine slept through.
//!
//! The monotonic clock stands still while a laptop is closed, and the wall clock can be set. Together they tell: where
//! the wall clock got ahead of the monotonic one the machine slept, or its clock was set, which comes to the same for a
//! schedule. A wall clock that is set back changes nothing.

use pipeline::Timestamp;
use std::time::{Duration, Instant};

/// The wall clock is corrected by less than this while the machine is awake.
const CORRECTION: Duration = Duration::from_secs(2);

/// What was slept since the first reading is added to the monotonic time.
#[derive(Debug, Default)]
pub(super) struct Clock {
    read: Option<(Instant, Timestamp)>,
    slept: Duration,
}

impl Clock {
    /// The time on this clock, from what the two others say at the same moment.
    pub(super) fn read(&mut self, monotonic: Instant, wall: Timestamp) -> Instant {
        if let Some((monotonic_before, wall_before)) = self.read.replace((monotonic, wall)) {
            let awake = monotonic.saturating_duration_since(monotonic_before);
            let passed = Duration::from_millis(u64::try_from(wall.millis() - wall_before.millis()).unwrap_or(0));
            if let Some(slept) = passed.checked_sub(awake).filter(|slept| *slept > CORRECTION) {
                self.slept = self.slept.saturating_add(slept);
            }
        }
        self.at(monotonic)
    }

    /// The time on this clock, when nothing was slept since it was last read.
    pub(super) fn at(&self, monotonic: Instant) -> Instant {
        monotonic.checked_add(self.slept).unwrap_or(monotonic)
    }

    /// The monotonic clock's time for one of this clock.
    pub(super) fn monotonic(&self, at: Instant) -> Instant {
        at.checked_sub(self.slept).unwrap_or(at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sleep_counts_and_a_corrected_clock_does_not() {
        let (mut clock, start) = (Clock::default(), Instant::now());
        let wall = Timestamp::parse("2026-11-20T14:30:00Z").unwrap();
        let mut read = |monotonic: u64, at: i64| {
            let monotonic = start + Duration::from_millis(monotonic);
            let read = clock.read(monotonic, wall.plus_millis(at));
            assert_eq!(clock.at(monotonic), read);
            assert_eq!(clock.monotonic(read), monotonic);
            (read - start).as_millis()
        };
        assert_eq!(read(0, 0), 0);
        assert_eq!(read(1000, 1000), 1000);
        // Set forward by as much as a time server does, and back by an hour.
        assert_eq!(read(2000, 3500), 2000);
        assert_eq!(read(3000, 4500 - 3_600_000), 3000);
        // Two hours with the lid closed, of which the monotonic clock knows nothing.
        assert_eq!(read(4000, 5500 + 3_600_000), 4000 + 7_200_000);
        assert_eq!(read(5000, 6500 + 3_600_000), 5000 + 7_200_000);
    }
}
