//! How things look: colours, marks, and numbers for people.
//!
//! Texts are styled here without asking where they go. [`say`] strips the colours where stderr does not take them;
//! what is written to stdout asks its [`Screen`].

use anstyle::{AnsiColor, Style};
use std::{borrow::Cow, fmt::Write as _, io::Write as _, time::Duration};
use terminal_size::{Height, Width, terminal_size_of};
use unicode_width::UnicodeWidthStr;

/// What was done, or is as it should be.
pub const GOOD: Style = AnsiColor::Green.on_default();
/// What needs attention.
pub const WARN: Style = AnsiColor::Yellow.on_default().bold();
/// What failed.
pub const BAD: Style = AnsiColor::Red.on_default().bold();
/// What to type, or what to do.
pub const HINT: Style = AnsiColor::Cyan.on_default();
/// Headings.
pub const STRONG: Style = Style::new().bold();
/// What matters less.
pub const FAINT: Style = Style::new().dimmed();

/// What stdout can show.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Screen {
    /// Columns; none where lines may be of any length, as in a pipe.
    pub width: Option<usize>,
    /// Lines; none where there is no end.
    pub height: Option<usize>,
    /// Whether it takes colours.
    pub colour: bool,
}

impl Screen {
    /// What stdout can show now, by the terminal, `NO_COLOR`, `CLICOLOR` and `CLICOLOR_FORCE`.
    #[must_use]
    pub fn stdout() -> Self {
        let stdout = std::io::stdout();
        let size = terminal_size_of(&stdout);
        Self {
            width: size.map(|(Width(width), _)| width.into()),
            height: size.map(|(_, Height(height))| height.into()),
            colour: anstream::AutoStream::choice(&stdout) != anstream::ColorChoice::Never,
        }
    }

    /// What stderr can show now.
    #[must_use]
    pub fn stderr() -> Self {
        let stderr = std::io::stderr();
        let size = terminal_size_of(&stderr);
        Self {
            width: size.map(|(Width(width), _)| width.into()),
            height: size.map(|(_, Height(height))| height.into()),
            colour: anstream::AutoStream::choice(&stderr) != anstream::ColorChoice::Never,
        }
    }

    /// The text in this style, where the screen takes it.
    #[must_use]
    pub fn paint(self, style: Style, text: &str) -> String {
        if self.colour { paint(style, text) } else { text.into() }
    }
}

/// The text in this style.
#[must_use]
pub fn paint(style: Style, text: &str) -> String {
    format!("{style}{text}{style:#}")
}

/// Prints a line to stderr, without colours where it does not take them.
pub fn say(line: &str) {
    // Nobody can be told that stderr is gone, and what stdout gives is not to be lost for it.
    let _ = writeln!(anstream::stderr().lock(), "{line}");
}

/// `✓ text`: done.
#[must_use]
pub fn done(text: &str) -> String {
    format!("{GOOD}✓{GOOD:#} {}", block(text, 2))
}

/// `warning: text`.
#[must_use]
pub fn warning(text: &str) -> String {
    format!("{WARN}warning:{WARN:#} {}", block(text, 2))
}

/// `error: text`; further lines are details.
#[must_use]
pub fn error(text: &str) -> String {
    format!("{BAD}error:{BAD:#} {}", block(text, 2))
}

/// `hint: text`, below an error or a warning.
#[must_use]
pub fn hint(text: &str) -> String {
    format!("  {HINT}hint:{HINT:#} {}", block(text, 8))
}

/// The lines of a text, made visible, all but the first moved in.
fn block(text: &str, indent: usize) -> String {
    let lines: Vec<_> = text.lines().map(visible).collect();
    lines.join(&format!("\n{:indent$}", ""))
}

/// The text with what a terminal would obey instead of showing written as an escape: `\n`, `\u{1b}`.
///
/// That is control characters, and those that change the direction of the text around them.
#[must_use]
pub fn visible(text: &str) -> Cow<'_, str> {
    let obeyed = |c: char| {
        c.is_control()
            || matches!(c, '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{200e}' | '\u{200f}' | '\u{61c}')
    };
    if !text.contains(obeyed) {
        return Cow::Borrowed(text);
    }
    let mut shown = String::with_capacity(text.len() + 8);
    for c in text.chars() {
        if obeyed(c) { shown.extend(c.escape_default()) } else { shown.push(c) }
    }
    Cow::Owned(shown)
}

/// The text with each account id of AWS, which is twelve digits, cut to its last four: `…4821`.
#[must_use]
pub fn masked(text: &str) -> Cow<'_, str> {
    let mut shown = String::new();
    let mut told = 0;
    let digits = |c: char| c.is_ascii_digit();
    let mut at = 0;
    while let Some(from) = text.get(at..).and_then(|rest| rest.find(digits)).map(|found| at + found) {
        let length = text.get(from..).map_or(0, |rest| rest.find(|c| !digits(c)).unwrap_or(rest.len()));
        at = from + length;
        let is_word = |c: Option<char>| c.is_some_and(char::is_alphanumeric);
        let before = text.get(..from).and_then(|text| text.chars().next_back());
        let after = text.get(at..).and_then(|text| text.chars().next());
        if length == 12 && !is_word(before) && !is_word(after) {
            shown.extend([text.get(told..from).unwrap_or_default(), "…", text.get(at - 4..at).unwrap_or_default()]);
            told = at;
        }
    }
    if told == 0 {
        return Cow::Borrowed(text);
    }
    shown.push_str(text.get(told..).unwrap_or_default());
    Cow::Owned(shown)
}

/// What somebody else wrote, as it may be shown: [`visible`], and [`masked`].
#[must_use]
pub fn outside(text: &str) -> String {
    masked(&visible(text)).into_owned()
}

/// The beginning of what may be anything, at most so many bytes of it, as one line that a terminal shows: what is no
/// UTF-8 is written as `\xff`.
#[must_use]
pub fn visible_bytes(bytes: &[u8], most: usize) -> String {
    let mut shown = String::new();
    for chunk in bytes.get(..most).unwrap_or(bytes).utf8_chunks() {
        shown.push_str(&visible(chunk.valid()));
        shown.extend(chunk.invalid().iter().map(|byte| format!("\\x{byte:02x}")));
    }
    if bytes.len() > most {
        shown.push('…');
    }
    shown
}

/// A count with its thousands apart: `12,345`.
#[must_use]
pub fn count(number: u64) -> String {
    let digits = number.to_string();
    let mut grouped = String::with_capacity(digits.len() + digits.len() / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

/// So many of something: `1 quote`, `12,345 quotes`.
#[must_use]
pub fn plural(number: u64, what: &str) -> String {
    format!("{} {what}{}", count(number), if number == 1 { "" } else { "s" })
}

/// A large number with about three digits: `48.1 M`; a small one with at most two places: `0.25`.
#[must_use]
pub fn compact(number: f64) -> String {
    if number < 9.995 {
        return trimmed(number, 2);
    }
    scaled(number, &["", " k", " M", " G", " T", " P", " E"])
}

/// A size: `900 B`, `12 kB`, `9.1 MB`; a kB is 1000 bytes.
#[must_use]
pub fn bytes(number: u64) -> String {
    scaled(number as f64, &[" B", " kB", " MB", " GB", " TB"])
}

/// The number in the largest unit that it fills, each 1000 times the one before.
fn scaled(mut number: f64, units: &[&str]) -> String {
    let mut units = units.iter().peekable();
    let mut unit = units.next().copied().unwrap_or_default();
    let mut whole = true;
    // What would be rounded to 1000 is the next unit's.
    while number >= 999.5
        && let Some(next) = units.next()
    {
        (number, unit, whole) = (number / 1000.0, next, false);
    }
    // Up to three digits; a trailing `.0` says nothing.
    let text = if whole || number >= 99.95 { format!("{number:.0}") } else { format!("{number:.1}") };
    format!("{}{unit}", text.strip_suffix(".0").unwrap_or(&text))
}

/// Columns of the screen that a styled text takes.
#[must_use]
pub fn width(text: &str) -> usize {
    anstream::adapter::strip_str(text).map(UnicodeWidthStr::width).sum()
}

/// How many a second: `285,000/s`, `2.5/s`. Nothing was measured where no time has passed: `-`.
#[must_use]
pub fn rate(number: u64, time: Duration) -> String {
    let rate = number as f64 / time.as_secs_f64();
    match rate {
        _ if time.is_zero() => "-".into(),
        9.95.. => format!("{}/s", count(rate.round() as u64)),
        _ => format!("{}/s", trimmed(rate, 1)),
    }
}

/// How long something took or has been going on: `4 ms`, `0.04 s`, `31 s`, `1:02`, `2:00:05`.
#[must_use]
pub fn elapsed(time: Duration) -> String {
    let seconds = time.as_secs_f64();
    let whole = seconds.round() as u64;
    match whole {
        _ if seconds < 0.01 => latency(time),
        _ if seconds < 9.995 => format!("{} s", trimmed(seconds, 2)),
        ..60 => format!("{whole} s"),
        60..3600 => format!("{}:{:02}", whole / 60, whole % 60),
        3600.. => format!("{}:{:02}:{:02}", whole / 3600, whole / 60 % 60, whole % 60),
    }
}

/// How long one thing takes, in the unit of latencies: `0.4 ms`, `11 ms`, `2,500 ms`.
#[must_use]
pub fn latency(time: Duration) -> String {
    let millis = time.as_secs_f64() * 1000.0;
    if millis < 9.95 { format!("{} ms", trimmed(millis, 1)) } else { format!("{} ms", count(millis.round() as u64)) }
}

/// The number with at most so many places.
fn trimmed(number: f64, places: usize) -> String {
    let mut text = String::new();
    // Writing to a string cannot fail.
    let _ = write!(text, "{number:.places$}");
    if text.contains('.') {
        text.truncate(text.trim_end_matches('0').trim_end_matches('.').len());
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_for_people() {
        let counts = [0, 999, 1000, 12_345, 1_234_567].map(count);
        assert_eq!(counts, ["0", "999", "1,000", "12,345", "1,234,567"]);
        let compacted = [0.0, 0.256, 9.995, 950.0, 12_000.0, 999_400.0, 48_123_456.0, 1e20].map(compact);
        assert_eq!(compacted, ["0", "0.26", "10", "950", "12 k", "999 k", "48.1 M", "100 E"]);
        assert_eq!([0, 1, 1000].map(|n| plural(n, "quote")), ["0 quotes", "1 quote", "1,000 quotes"]);
        let sizes = [0, 999, 12_000, 9_100_000, 999_949, 999_950, 123_456_789_000].map(bytes);
        assert_eq!(sizes, ["0 B", "999 B", "12 kB", "9.1 MB", "1 MB", "1 MB", "123 GB"]);
        let second = Duration::from_secs(1);
        assert_eq!(rate(285_000, second), "285,000/s");
        assert_eq!(rate(5, second * 2), "2.5/s");
        assert_eq!(rate(10, second), "10/s");
        assert_eq!(rate(5, Duration::ZERO), "-");
    }

    #[test]
    fn durations_for_people() {
        let of = |millis| elapsed(Duration::from_millis(millis));
        let seen = [0, 4, 40, 100, 3210, 9994, 9995, 31_900, 59_999, 62_000, 7_205_000].map(of);
        assert_eq!(
            seen,
            ["0 ms", "4 ms", "0.04 s", "0.1 s", "3.21 s", "9.99 s", "10 s", "32 s", "1:00", "1:02", "2:00:05"]
        );
        let of = |micros| latency(Duration::from_micros(micros));
        assert_eq!([40, 400, 3960, 11_200, 2_500_000].map(of), ["0 ms", "0.4 ms", "4 ms", "11 ms", "2,500 ms"]);
    }

    #[test]
    fn what_a_terminal_would_obey_is_shown() {
        assert_eq!(visible("AAPL ▲ é"), "AAPL ▲ é");
        assert_eq!(visible("a\u{1b}[31m\nb\t\u{7f}\u{9b}"), "a\\u{1b}[31m\\nb\\t\\u{7f}\\u{9b}");
        assert_eq!(visible("\u{202e}cba"), "\\u{202e}cba");
    }

    /// Would catch an account id that is shown whole, and other numbers that are cut.
    #[test]
    fn account_ids_are_masked() {
        assert_eq!(masked("arn:aws:iam::123456784821:role/a"), "arn:aws:iam::…4821:role/a");
        assert_eq!(masked("123456784821 and 210987654321"), "…4821 and …4321");
        for text in ["1234567890123", "12345678901", "stream-5e123456784821", "", "é"] {
            assert_eq!(masked(text), text);
        }
        assert_eq!(outside("\u{1b}123456784821"), "\\u{1b}…4821");
    }

    #[test]
    fn any_bytes_are_shown_as_one_line() {
        assert_eq!(visible_bytes("{\"é\": 1}".as_bytes(), 100), "{\"é\": 1}");
        assert_eq!(visible_bytes(b"a\x1b[2J\n\xff\xc3(\r", 100), "a\\u{1b}[2J\\n\\xff\\xc3(\\r");
        assert_eq!(visible_bytes(b"abcdef", 3), "abc…");
        assert_eq!(visible_bytes(b"abc", 3), "abc");
    }

    #[test]
    fn messages() {
        let plain = |text: String| anstream::adapter::strip_str(&text).to_string();
        assert_eq!(plain(done("up")), "✓ up");
        assert_eq!(plain(warning("slow")), "warning: slow");
        assert_eq!(plain(error("no\ncause  \u{1b}[2J")), "error: no\n  cause  \\u{1b}[2J");
        assert_eq!(plain(hint("do this,\nor that")), "  hint: do this,\n        or that");
        assert!(error("no").starts_with("\u{1b}["));
    }

    #[test]
    fn colours_only_where_they_are_taken() {
        assert_eq!(Screen::default().paint(BAD, "no"), "no");
        assert_eq!(Screen { colour: true, ..Screen::default() }.paint(STRONG, "a"), "\u{1b}[1ma\u{1b}[0m");
    }
}
