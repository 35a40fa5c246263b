//! How often something is asked again: at once at first, seldom after a while, and at once again when it moved.

use crate::interrupt::Interrupt;
use std::time::Duration;

/// From the first question to the second.
const FIRST: Duration = Duration::from_millis(150);
/// At most from one to the next.
const LAST: Duration = Duration::from_secs(3);
/// How soon Ctrl-C is heard.
const HEARD: Duration = Duration::from_millis(50);

/// The waits between questions.
#[derive(Clone, Copy, Debug)]
pub struct Pace(Duration);

impl Default for Pace {
    fn default() -> Self {
        Self(FIRST)
    }
}

impl Pace {
    /// Something moved: the next question comes soon.
    pub fn moved(&mut self) {
        self.0 = FIRST;
    }

    /// The next wait.
    pub fn next(&mut self) -> Duration {
        let wait = self.0;
        self.0 = (wait * 3 / 2).min(LAST);
        wait
    }

    /// Waits.
    pub async fn wait(&mut self) {
        tokio::time::sleep(self.next()).await;
    }
}

/// Waits this long, or until Ctrl-C, and calls `tick` now and then, for spinners.
pub async fn wait(time: Duration, interrupt: &Interrupt, mut tick: impl FnMut()) {
    let end = tokio::time::Instant::now() + time;
    loop {
        let left = end.saturating_duration_since(tokio::time::Instant::now());
        if left.is_zero() || interrupt.is_set() {
            return;
        }
        tokio::time::sleep(left.min(HEARD)).await;
        tick();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Would catch a fixed wait, and one that grows without end.
    #[test]
    fn quick_at_first_and_again_when_it_moved() {
        let mut pace = Pace::default();
        let waits: Vec<u128> = (0..12).map(|_| pace.next().as_millis()).collect();
        assert_eq!(waits.first(), Some(&150));
        assert_eq!(waits.last(), Some(&3000));
        assert!(waits.windows(2).all(|pair| pair[0] <= pair[1]));
        pace.moved();
        assert_eq!(pace.next(), FIRST);
    }
}
