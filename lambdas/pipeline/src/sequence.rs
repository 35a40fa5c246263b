//! A quote's place in the stream.

use std::fmt;

/// The widest sequence number there is: Kinesis writes 56 digits.
const WIDTH: usize = 56;
/// Digits of a sequence number of the local stream.
const LOCAL_WIDTH: usize = 20;
/// The last line of a record that five digits can name.
pub(crate) const LAST_LINE: u32 = 99_999;

/// The number of a record within its stream: decimal digits, as many for every record of a target,
/// so that the order of texts is the order of the stream.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RecordSequence {
    /// How many of `digits` count. First, so that a wider number is a later one.
    width: u8,
    digits: [u8; WIDTH],
}

/// A quote's place in the stream: its record, and its line in the record, counted from 0.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Sequence {
    /// The record.
    pub record: RecordSequence,
    /// The line in the record.
    pub line: u32,
}

impl RecordSequence {
    /// A record of the local stream, whose numbers have 20 digits.
    #[must_use]
    pub fn local(mut number: u64) -> Self {
        let mut digits = [0; WIDTH];
        for digit in digits.iter_mut().take(LOCAL_WIDTH).rev() {
            *digit = b'0' + (number % 10) as u8;
            number /= 10;
        }
        Self { width: LOCAL_WIDTH as u8, digits }
    }

    /// The number that these digits are; none where they are not 1 to 56 digits.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let mut digits = [0; WIDTH];
        let bytes = text.as_bytes();
        if bytes.is_empty() || !bytes.iter().all(u8::is_ascii_digit) {
            return None;
        }
        digits.get_mut(..bytes.len())?.copy_from_slice(bytes);
        Some(Self { width: u8::try_from(bytes.len()).ok()?, digits })
    }

    /// The digits.
    #[must_use]
    pub fn as_str(&self) -> &str {
        self.digits.get(..usize::from(self.width)).and_then(|d| std::str::from_utf8(d).ok()).unwrap_or_default()
    }

    /// The number itself; none where it is wider than 64 bits.
    #[must_use]
    pub fn number(&self) -> Option<u64> {
        self.as_str().parse().ok()
    }

    /// The place of one of the record's lines.
    #[must_use]
    pub const fn line(self, line: u32) -> Sequence {
        Sequence { record: self, line }
    }
}

impl Sequence {
    /// The place that a text such as `00000000000000000042-00007` names.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (record, line) = text.split_once('-')?;
        Some(Self { record: RecordSequence::parse(record)?, line: (line.len() == 5).then(|| line.parse().ok())?? })
    }

    /// Appends the text.
    pub fn push(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(self.record.as_str().as_bytes());
        out.push(b'-');
        for place in [10_000, 1000, 100, 10, 1] {
            out.push(b'0' + (self.line / place % 10) as u8);
        }
    }
}

impl fmt::Display for RecordSequence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Display for Sequence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{:05}", self.record, self.line)
    }
}

impl fmt::Debug for RecordSequence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Debug for Sequence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_sort_as_the_stream_does() {
        let places =
            [(1, 0), (1, 1), (1, 10), (2, 0), (10, 0), (u64::MAX, 0)].map(|(n, l)| RecordSequence::local(n).line(l));
        assert!(places.is_sorted());
        assert!(places.map(|p| p.to_string()).is_sorted());
        for place in places {
            assert_eq!(Sequence::parse(&place.to_string()), Some(place));
            let mut text = Vec::new();
            place.push(&mut text);
            assert_eq!(String::from_utf8(text).ok(), Some(place.to_string()));
        }
        assert_eq!(RecordSequence::local(42).number(), Some(42));
    }
}
