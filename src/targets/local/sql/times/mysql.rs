//! MySQL's formats of times, as `date_parse` and `date_format` take them.

use super::units::{calendar, fraction_millis};
use chrono::{Datelike, NaiveDate, Timelike};
use datafusion::{
    common::{exec_datafusion_err, exec_err},
    error::Result,
};
use std::fmt::Write;

const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];
/// From Monday, as chrono counts.
const WEEKDAYS: [&str; 7] = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"];
/// As long as short names are.
const SHORT: usize = 3;
/// A year of two digits below it is of this century.
const PIVOT: i64 = 70;

/// What a text says of a time; what it does not say is the beginning of 1970.
struct Said {
    year: i64,
    month: i64,
    day: i64,
    day_of_year: Option<i64>,
    hour: i64,
    /// Whether the hour counts to 12, and if so whether it is after noon.
    half: Option<bool>,
    of_twelve: bool,
    minute: i64,
    second: i64,
    millis: i64,
}

/// The time that a text is, in milliseconds since 1970.
pub(super) fn parse(text: &str, format: &str) -> Result<i64> {
    let invalid = || exec_datafusion_err!("date_parse: '{text}' is not of the format '{format}'");
    let mut said = Said {
        year: 1970,
        month: 1,
        day: 1,
        day_of_year: None,
        hour: 0,
        half: None,
        of_twelve: false,
        minute: 0,
        second: 0,
        millis: 0,
    };
    let mut rest = text;
    said.read(&mut rest, format, &invalid)?;
    if !rest.is_empty() {
        return Err(invalid());
    }
    said.millis().ok_or_else(invalid)
}

impl Said {
    fn read(
        &mut self,
        rest: &mut &str,
        format: &str,
        invalid: &impl Fn() -> datafusion::error::DataFusionError,
    ) -> Result<()> {
        let mut marks = format.chars();
        while let Some(mark) = marks.next() {
            if mark != '%' {
                *rest = rest.strip_prefix(mark).ok_or_else(invalid)?;
                continue;
            }
            let mut number = |most: usize| number(rest, most).ok_or_else(invalid);
            match marks.next() {
                Some('Y') => self.year = number(4)?,
                Some('y') => {
                    let year = number(2)?;
                    self.year = if year < PIVOT { 2000 + year } else { 1900 + year };
                }
                Some('m' | 'c') => self.month = number(2)?,
                Some('d' | 'e') => self.day = number(2)?,
                Some('j') => self.day_of_year = Some(number(3)?),
                Some('H' | 'k') => self.hour = number(2)?,
                Some('h' | 'I' | 'l') => {
                    self.hour = number(2)?;
                    self.of_twelve = true;
                }
                Some('i') => self.minute = number(2)?,
                Some('s' | 'S') => self.second = number(2)?,
                Some('f') => {
                    let length = rest.bytes().take(9).take_while(u8::is_ascii_digit).count();
                    let (digits, after) = rest.split_at(length);
                    self.millis = fraction_millis(digits).ok_or_else(invalid)?;
                    *rest = after;
                }
                Some('p') => {
                    let after_noon = named(rest, &["AM", "PM"], 2).ok_or_else(invalid)?;
                    self.half = Some(after_noon == 1);
                }
                Some('M') => self.month = named(rest, &MONTHS, usize::MAX).ok_or_else(invalid)? + 1,
                Some('b') => self.month = named(rest, &MONTHS, SHORT).ok_or_else(invalid)? + 1,
                // Which day of the week it is follows from the date.
                Some('W') => drop(named(rest, &WEEKDAYS, usize::MAX).ok_or_else(invalid)?),
                Some('a') => drop(named(rest, &WEEKDAYS, SHORT).ok_or_else(invalid)?),
                Some('T') => self.read(rest, "%H:%i:%s", invalid)?,
                Some('r') => self.read(rest, "%h:%i:%s %p", invalid)?,
                Some('%') => *rest = rest.strip_prefix('%').ok_or_else(invalid)?,
                mark => return unsupported("date_parse", mark),
            }
        }
        Ok(())
    }

    fn millis(&self) -> Option<i64> {
        let year = i32::try_from(self.year).ok()?;
        let date = match self.day_of_year {
            Some(day) => NaiveDate::from_yo_opt(year, u32::try_from(day).ok()?)?,
            None => NaiveDate::from_ymd_opt(year, u32::try_from(self.month).ok()?, u32::try_from(self.day).ok()?)?,
        };
        let hour = match (self.of_twelve, self.half) {
            (true, _) if !(1..=12).contains(&self.hour) => return None,
            (true, after_noon) => self.hour % 12 + if after_noon == Some(true) { 12 } else { 0 },
            (false, _) => self.hour,
        };
        let [hour, minute, second] = [hour, self.minute, self.second].map(|n| u32::try_from(n).unwrap_or(u32::MAX));
        let second = date.and_hms_opt(hour, minute, second)?;
        Some(second.and_utc().timestamp_millis() + self.millis)
    }
}

/// Takes the digits at the beginning, of which there is one at least.
fn number(rest: &mut &str, most: usize) -> Option<i64> {
    let length = rest.bytes().take(most).take_while(u8::is_ascii_digit).count();
    let (digits, after) = rest.split_at(length);
    *rest = after;
    digits.parse().ok()
}

/// Takes one of the names at the beginning, of which so many letters count, and tells which.
fn named(rest: &mut &str, names: &[&str], letters: usize) -> Option<i64> {
    for (place, name) in (0..).zip(names) {
        let name = name.get(..letters).unwrap_or(name);
        if let Some((begin, after)) = rest.split_at_checked(name.len())
            && begin.eq_ignore_ascii_case(name)
        {
            *rest = after;
            return Some(place);
        }
    }
    None
}

fn unsupported<T>(function: &str, mark: Option<char>) -> Result<T> {
    match mark {
        Some(mark) => exec_err!("{function}: %{mark} is not supported"),
        None => exec_err!("{function}: a format ends in %"),
    }
}

/// The text of a time.
pub(super) fn format(millis: i64, format: &str) -> Result<String> {
    let time = calendar(millis).ok_or_else(|| exec_datafusion_err!("date_format: a time outside the calendar"))?;
    let of_twelve = time.hour12().1;
    let half = if time.hour12().0 { "PM" } else { "AM" };
    let month = MONTHS.get(time.month0() as usize).copied().unwrap_or_default();
    let weekday = WEEKDAYS.get(time.weekday().num_days_from_monday() as usize).copied().unwrap_or_default();
    let short = |name: &'static str| name.get(..SHORT).unwrap_or(name);
    let mut text = String::new();
    let mut marks = format.chars();
    while let Some(mark) = marks.next() {
        if mark != '%' {
            text.push(mark);
            continue;
        }
        let written = match marks.next() {
            Some('Y') => write!(text, "{:04}", time.year()),
            Some('y') => write!(text, "{:02}", time.year().rem_euclid(100)),
            Some('m') => write!(text, "{:02}", time.month()),
            Some('c') => write!(text, "{}", time.month()),
            Some('d') => write!(text, "{:02}", time.day()),
            Some('e') => write!(text, "{}", time.day()),
            Some('j') => write!(text, "{:03}", time.ordinal()),
            Some('H') => write!(text, "{:02}", time.hour()),
            Some('k') => write!(text, "{}", time.hour()),
            Some('h' | 'I') => write!(text, "{of_twelve:02}"),
            Some('l') => write!(text, "{of_twelve}"),
            Some('i') => write!(text, "{:02}", time.minute()),
            Some('s' | 'S') => write!(text, "{:02}", time.second()),
            Some('f') => write!(text, "{:06}", time.and_utc().timestamp_subsec_micros()),
            Some('p') => write!(text, "{half}"),
            Some('M') => write!(text, "{month}"),
            Some('b') => write!(text, "{}", short(month)),
            Some('W') => write!(text, "{weekday}"),
            Some('a') => write!(text, "{}", short(weekday)),
            Some('T') => write!(text, "{}", time.format("%H:%M:%S")),
            Some('r') => write!(text, "{of_twelve:02}:{:02}:{:02} {half}", time.minute(), time.second()),
            Some('v') => write!(text, "{:02}", time.iso_week().week()),
            Some('x') => write!(text, "{:04}", time.iso_week().year()),
            Some('%') => write!(text, "%"),
            mark => return unsupported("date_format", mark),
        };
        written.map_err(|e| exec_datafusion_err!("date_format: {e}"))?;
    }
    Ok(text)
}
