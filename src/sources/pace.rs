//! How fast a source runs, and how durations are typed.

use super::ArgumentError;
use std::{
    str::FromStr,
    time::{Duration, Instant},
};

/// Slower or faster than this is a typing error.
const TIMES: std::ops::RangeInclusive<f64> = 0.001..=1_000_000.0;
/// A wait that no clock can express is cut to this; whoever waits asks again.
const LONGEST_WAIT: Duration = Duration::from_secs(86_400);

/// How fast a source runs.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Speed {
    /// Without a pause.
    Max,
    /// So many times as fast as the market did; 1 is real time.
    Times(f64),
}

impl Speed {
    /// When something is due that comes so long after the start by the market's time; none where it is due at once.
    pub(super) fn due(self, began: Instant, after: Duration) -> Option<Instant> {
        let Self::Times(times) = self else { return None };
        let wait = Duration::try_from_secs_f64(after.as_secs_f64() / times).unwrap_or(Duration::MAX);
        began.checked_add(wait).or_else(|| Instant::now().checked_add(LONGEST_WAIT))
    }

    /// How far market time gets ahead of the clock while it advances by one: 1 at full speed, 0 in real time.
    pub(super) fn gain(self) -> f64 {
        match self {
            Self::Max => 1.0,
            Self::Times(times) => 1.0 - 1.0 / times,
        }
    }
}

impl FromStr for Speed {
    type Err = ArgumentError;

    fn from_str(text: &str) -> Result<Self, ArgumentError> {
        match text {
            "max" => Ok(Self::Max),
            "realtime" => Ok(Self::Times(1.0)),
            _ => {
                let times = text.strip_suffix('x').and_then(|t| t.parse().ok());
                times.filter(|t| TIMES.contains(t)).map(Self::Times).ok_or(ArgumentError::Speed)
            }
        }
    }
}

/// The duration that a text such as `500ms`, `30s`, `5m`, `1h` or `7d` names.
///
/// # Errors
/// When it is no whole number with one of these units.
pub fn parse_duration(text: &str) -> Result<Duration, ArgumentError> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at(digits);
    let millis: u64 = match unit {
        "ms" => 1,
        "s" => 1000,
        "m" => 60_000,
        "h" => 3_600_000,
        "d" => 86_400_000,
        _ => return Err(ArgumentError::Duration),
    };
    let number: u64 = number.parse().map_err(|_| ArgumentError::Duration)?;
    number.checked_mul(millis).map(Duration::from_millis).ok_or(ArgumentError::Duration)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations() {
        let millis = |text: &str| parse_duration(text).map(|d| d.as_millis());
        assert_eq!(millis("500ms"), Ok(500));
        assert_eq!(millis("30s"), Ok(30_000));
        assert_eq!(millis("5m"), Ok(300_000));
        assert_eq!(millis("1h"), Ok(3_600_000));
        assert_eq!(millis("7d"), Ok(604_800_000));
        assert_eq!(millis("0s"), Ok(0));
        for text in
            ["", "30", "s", "-1s", "1.5h", "5 m", "5min", "99999999999999999999s", "18446744073709551615d", "٣s"]
        {
            assert_eq!(millis(text), Err(ArgumentError::Duration), "{text}");
        }
    }

    #[test]
    fn speeds() {
        assert_eq!("max".parse(), Ok(Speed::Max));
        assert_eq!("realtime".parse(), Ok(Speed::Times(1.0)));
        assert_eq!("10x".parse(), Ok(Speed::Times(10.0)));
        assert_eq!("0.5x".parse(), Ok(Speed::Times(0.5)));
        for text in ["", "x", "10", "0x", "-1x", "NaNx", "infx", "1e9x", "fast"] {
            assert_eq!(text.parse::<Speed>(), Err(ArgumentError::Speed), "{text}");
        }
    }

    #[test]
    fn due_is_counted_from_the_start() {
        let began = Instant::now();
        let minute = Duration::from_secs(60);
        assert_eq!(Speed::Max.due(began, minute), None);
        assert_eq!(Speed::Times(1.0).due(began, minute), Some(began + minute));
        assert_eq!(Speed::Times(60.0).due(began, minute), Some(began + Duration::from_secs(1)));
        // Past what a clock can say, it is still some time from now.
        assert!(Speed::Times(0.001).due(began, Duration::MAX).is_some_and(|due| due > began));
    }
}
