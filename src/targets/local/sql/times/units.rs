//! Units of time, as `date_diff` and `date_add` count in, and texts of ISO 8601. Times are milliseconds since 1970.

use chrono::{DateTime, Datelike, Days, Months, NaiveDate, NaiveDateTime};

/// A unit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unit {
    /// So many milliseconds.
    Fixed(i64),
    /// So many months, which differ in length.
    Months(i64),
}

const SECOND: i64 = 1000;
const MINUTE: i64 = 60 * SECOND;
const HOUR: i64 = 60 * MINUTE;
const DAY: i64 = 24 * HOUR;

impl Unit {
    /// The unit of this name, in letters of either size.
    pub(super) fn named(name: &str) -> Option<Self> {
        Some(match name.to_ascii_lowercase().as_str() {
            "millisecond" => Self::Fixed(1),
            "second" => Self::Fixed(SECOND),
            "minute" => Self::Fixed(MINUTE),
            "hour" => Self::Fixed(HOUR),
            "day" => Self::Fixed(DAY),
            "week" => Self::Fixed(7 * DAY),
            "month" => Self::Months(1),
            "quarter" => Self::Months(3),
            "year" => Self::Months(12),
            _ => return None,
        })
    }

    /// Whether a date after so many of it is a date again.
    pub(super) const fn is_of_dates(self) -> bool {
        matches!(self, Self::Fixed(DAY..) | Self::Months(_))
    }

    /// The whole ones from one time to another; below zero where the second is before the first.
    pub(super) fn between(self, from: i64, to: i64) -> Option<i64> {
        match self {
            Self::Fixed(millis) => Some(to.checked_sub(from)? / millis),
            Self::Months(months) if from <= to => Some(months_between(from, to)? / months),
            Self::Months(months) => Some(-(months_between(to, from)? / months)),
        }
    }

    /// The time so many after this one.
    pub(super) fn after(self, time: i64, count: i64) -> Option<i64> {
        match self {
            Self::Fixed(millis) => time.checked_add(millis.checked_mul(count)?),
            Self::Months(months) => {
                let total = count.checked_mul(months)?;
                let months = Months::new(u32::try_from(total.unsigned_abs()).ok()?);
                let at = calendar(time)?;
                let after = if total < 0 { at.checked_sub_months(months)? } else { at.checked_add_months(months)? };
                Some(after.and_utc().timestamp_millis())
            }
        }
    }
}

/// A time as the calendar has it.
pub(super) fn calendar(millis: i64) -> Option<NaiveDateTime> {
    Some(DateTime::from_timestamp_millis(millis)?.naive_utc())
}

/// The whole months from an earlier time to a later one. From the 31st to the last day of a shorter month is one.
fn months_between(from: i64, to: i64) -> Option<i64> {
    let (from, to) = (calendar(from)?, calendar(to)?);
    let months = 12 * i64::from(to.year() - from.year()) + i64::from(to.month()) - i64::from(from.month());
    let is_last = to.date().checked_add_days(Days::new(1))?.month() != to.month();
    let day = if is_last { from.day().min(to.day()) } else { from.day() };
    Some(months - i64::from((to.day(), to.time()) < (day, from.time())))
}

/// The time of a text such as `2026-11-20T20:59:30.5+01:00`, of which the zone, the time and parts of both may miss.
pub(super) fn iso8601(text: &str) -> Option<i64> {
    let (date, time) = text.split_once('T').map_or((text, None), |(date, time)| (date, Some(time)));
    let mut parts = date.splitn(3, '-');
    let year = parts.next()?;
    let (month, day) = (parts.next().unwrap_or("01"), parts.next().unwrap_or("01"));
    let day = NaiveDate::from_ymd_opt(digits(year, 4)?, digits(month, 2)?, digits(day, 2)?)?;
    let (time, zone) = match time {
        None => (0, 0),
        Some(time) => match time.find(['Z', '+', '-']) {
            None => (clock(time)?, 0),
            Some(at) => (clock(time.get(..at)?)?, zone(time.get(at..)?)?),
        },
    };
    Some(day.and_hms_opt(0, 0, 0)?.and_utc().timestamp_millis() + time - zone)
}

/// The number of exactly so many digits.
fn digits<N: std::str::FromStr>(text: &str, count: usize) -> Option<N> {
    (text.len() == count && text.bytes().all(|b| b.is_ascii_digit())).then(|| text.parse().ok()).flatten()
}

/// The milliseconds since midnight of `20`, `20:59`, `20:59:30` or `20:59:30.123`.
fn clock(text: &str) -> Option<i64> {
    let (whole, fraction) = text.split_once(['.', ',']).map_or((text, None), |(whole, part)| (whole, Some(part)));
    let mut parts = whole.split(':');
    let mut next = |below: i64| match parts.next() {
        None => Some(None),
        Some(part) => digits::<i64>(part, 2).filter(|n| *n < below).map(Some),
    };
    let (hour, minute, second) = (next(24)??, next(60)?, next(60)?);
    if parts.next().is_some() {
        return None;
    }
    let millis = match (fraction, second) {
        (None, _) => 0,
        (Some(fraction), Some(_)) => fraction_millis(fraction)?,
        (Some(_), None) => return None,
    };
    Some(hour * HOUR + minute.unwrap_or(0) * MINUTE + second.unwrap_or(0) * SECOND + millis)
}

/// The milliseconds of the digits after a second's point; finer is cut off.
pub(super) fn fraction_millis(digits: &str) -> Option<i64> {
    if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    format!("{digits:0<3}").get(..3)?.parse().ok()
}

/// How many milliseconds a zone is ahead: `Z`, `+01`, `+0100` or `+01:00`.
fn zone(text: &str) -> Option<i64> {
    if text == "Z" {
        return Some(0);
    }
    let (sign, ahead) = text.split_at_checked(1)?;
    let (hours, minutes) = match ahead.len() {
        2 => (ahead, "00"),
        4 => ahead.split_at_checked(2)?,
        _ => ahead.split_once(':')?,
    };
    let ahead = digits::<i64>(hours, 2)? * HOUR + digits::<i64>(minutes, 2).filter(|n| *n < 60)? * MINUTE;
    Some(if sign == "-" { -ahead } else { ahead })
}
