//! Points in time as the pipeline writes them: milliseconds, UTC, one fixed width.

use chrono::{DateTime, Datelike, NaiveDate, Timelike};
use std::fmt;

/// Milliseconds since 1970-01-01T00:00:00Z, in the years 0 to 9999.
///
/// Its text, `2026-11-20T20:59:30.000Z`, always has 24 characters, so the order of texts is the order of time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(i64);

/// A UTC date; its text is `2026-11-20`. Days of the lake are named by it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Date(i32);

/// Milliseconds in a day.
const DAY: i64 = 86_400_000;
/// 0000-01-01 and 9999-12-31T23:59:59.999, the years that four digits can say.
const RANGE: std::ops::RangeInclusive<i64> = -62_167_219_200_000..=253_402_300_799_999;

impl Timestamp {
    /// The time that an RFC 3339 text names; what is finer than a millisecond is cut off.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        if let Some(time) = parse_fixed(text.as_bytes()) {
            return Some(time);
        }
        let time = DateTime::parse_from_rfc3339(text).ok()?;
        Self::from_millis(time.timestamp_millis())
    }

    /// The time this many milliseconds after 1970; none outside the years 0 to 9999.
    #[must_use]
    pub fn from_millis(millis: i64) -> Option<Self> {
        RANGE.contains(&millis).then_some(Self(millis))
    }

    /// Milliseconds since 1970.
    #[must_use]
    pub const fn millis(self) -> i64 {
        self.0
    }

    /// Whole seconds since 1970, rounded down.
    #[must_use]
    pub const fn seconds(self) -> i64 {
        self.0.div_euclid(1000)
    }

    /// The UTC date.
    #[must_use]
    pub fn date(self) -> Date {
        Date(i32::try_from(self.0.div_euclid(DAY)).unwrap_or(i32::MAX))
    }

    /// The nearest time that can be said, `millis` later.
    #[must_use]
    pub fn plus_millis(self, millis: i64) -> Self {
        Self(self.0.saturating_add(millis).clamp(*RANGE.start(), *RANGE.end()))
    }

    /// Appends the text of 24 characters.
    pub fn push(self, out: &mut Vec<u8>) {
        self.date().push(out);
        let rest = self.0.rem_euclid(DAY);
        for (mark, value) in [(b'T', rest / 3_600_000), (b':', rest / 60_000 % 60), (b':', rest / 1000 % 60)] {
            out.push(mark);
            push_digits(out, value, 2);
        }
        out.push(b'.');
        push_digits(out, rest % 1000, 3);
        out.push(b'Z');
    }
}

impl Date {
    /// 1970-01-01.
    pub const EPOCH: Self = Self(0);

    /// The date this many days after 1970-01-01, or the nearest that can be said.
    #[must_use]
    pub fn from_days(days: i32) -> Self {
        Self(days).start().date()
    }

    /// The date that `2026-11-20` names.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let date = NaiveDate::parse_from_str(text, "%Y-%m-%d").ok()?;
        (text.len() == 10).then_some(Self(date.to_epoch_days()))
    }

    /// The first millisecond of the date.
    #[must_use]
    pub fn start(self) -> Timestamp {
        Timestamp(i64::from(self.0).saturating_mul(DAY).clamp(*RANGE.start(), *RANGE.end()))
    }

    /// The date this many days later.
    #[must_use]
    pub fn plus_days(self, days: i32) -> Self {
        Self(self.0.saturating_add(days)).start().date()
    }

    /// Days since 1970-01-01.
    #[must_use]
    pub const fn days(self) -> i32 {
        self.0
    }

    fn push(self, out: &mut Vec<u8>) {
        let date = NaiveDate::from_epoch_days(self.0).unwrap_or_default();
        push_digits(out, i64::from(date.year()), 4);
        out.push(b'-');
        push_digits(out, i64::from(date.month()), 2);
        out.push(b'-');
        push_digits(out, i64::from(date.day()), 2);
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = Vec::with_capacity(24);
        self.push(&mut text);
        f.pad(std::str::from_utf8(&text).map_err(|_| fmt::Error)?)
    }
}

impl fmt::Display for Date {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = Vec::with_capacity(10);
        self.push(&mut text);
        f.pad(std::str::from_utf8(&text).map_err(|_| fmt::Error)?)
    }
}

fn push_digits(out: &mut Vec<u8>, value: i64, width: u32) {
    for place in (0..width).rev() {
        out.push(b'0' + (value / 10_i64.pow(place) % 10) as u8);
    }
}

/// The pipeline's own fixed form, which nearly every quote has, read without the general parser.
fn parse_fixed(text: &[u8]) -> Option<Timestamp> {
    let &[y1, y2, y3, y4, b'-', m1, m2, b'-', d1, d2, b'T', h1, h2, b':', i1, i2, b':', s1, s2, b'.', f1, f2, f3, b'Z'] =
        text
    else {
        return None;
    };
    let number = |digits: &[u8]| {
        digits.iter().try_fold(0_u32, |sum, d| d.is_ascii_digit().then(|| sum * 10 + u32::from(d - b'0')))
    };
    let year = i32::try_from(number(&[y1, y2, y3, y4])?).ok()?;
    let date = NaiveDate::from_ymd_opt(year, number(&[m1, m2])?, number(&[d1, d2])?)?;
    let time =
        date.and_hms_milli_opt(number(&[h1, h2])?, number(&[i1, i2])?, number(&[s1, s2])?, number(&[f1, f2, f3])?)?;
    debug_assert!(time.nanosecond() < 1_000_000_000);
    Timestamp::from_millis(time.and_utc().timestamp_millis())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn many_spellings_one_time() {
        let expected = "2026-11-20T20:59:30.000Z";
        for text in [
            expected,
            "2026-11-20T20:59:30Z",
            "2026-11-20T20:59:30.0009Z",
            "2026-11-20T21:59:30+01:00",
            "2026-11-20t20:59:30z",
        ] {
            assert_eq!(Timestamp::parse(text).map(|t| t.to_string()).as_deref(), Some(expected), "{text}");
        }
    }

    #[test]
    fn what_names_no_time_is_refused() {
        for text in ["", "yesterday", "2026-13-01T00:00:00.000Z", "2026-02-30T00:00:00Z", "2026-11-20", "1763672370"] {
            assert_eq!(Timestamp::parse(text), None, "{text}");
        }
    }

    #[test]
    fn dates() {
        let date = Date::parse("2013-02-28").expect("a date");
        assert_eq!(date.plus_days(1).to_string(), "2013-03-01");
        assert_eq!(date.start().to_string(), "2013-02-28T00:00:00.000Z");
        assert_eq!(Date::parse("2013-2-28"), None);
    }

    proptest! {
        #[test]
        fn text_and_back(millis in RANGE) {
            let time = Timestamp(millis);
            let text = time.to_string();
            prop_assert_eq!(text.len(), 24);
            prop_assert_eq!(Timestamp::parse(&text), Some(time));
        }
    }
}
