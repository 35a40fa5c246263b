//! Lines of a file or a pipe, of any length, in bounded memory.

use std::io::{self, BufRead, BufReader, Read};

/// The longest line that is kept whole, in bytes; also the size of the pieces of a longer one.
pub(super) const LONGEST: usize = 1 << 20;
/// Read at once, in bytes.
const BUFFER: usize = 1 << 18;
/// What some editors put before the first line.
const BYTE_ORDER_MARK: &[u8] = b"\xEF\xBB\xBF";

/// Where a line, or a piece of one, stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Line {
    /// The line, whole.
    Whole,
    /// A piece of a line that is longer than [`LONGEST`].
    Piece,
    /// There is no more.
    End,
}

/// Reads lines.
pub(super) struct Lines {
    input: BufReader<Box<dyn Read + Send>>,
    /// Nothing was read yet.
    at_start: bool,
    /// What was read last did not end its line.
    within: bool,
}

impl Lines {
    pub(super) fn new(input: Box<dyn Read + Send>) -> Self {
        Self { input: BufReader::with_capacity(BUFFER, input), at_start: true, within: false }
    }

    /// Whether the next line is here already, so that reading it neither blocks nor fails.
    pub(super) fn is_ready(&self) -> bool {
        self.input.buffer().contains(&b'\n')
    }

    /// Puts the next line into `line`, without its line end and without a byte order mark.
    pub(super) fn next(&mut self, line: &mut Vec<u8>) -> io::Result<Line> {
        line.clear();
        if (&mut self.input).take(LONGEST as u64).read_until(b'\n', line)? == 0 {
            return Ok(Line::End);
        }
        if std::mem::take(&mut self.at_start) && line.starts_with(BYTE_ORDER_MARK) {
            line.drain(..BYTE_ORDER_MARK.len());
        }
        let ended = if line.last() == Some(&b'\n') {
            line.pop();
            true
        } else {
            // Either the input ends here, or the line goes on, if only with its line end.
            match self.input.fill_buf()?.first() {
                Some(b'\n') => {
                    self.input.consume(1);
                    true
                }
                Some(_) => false,
                None => true,
            }
        };
        if ended && line.last() == Some(&b'\r') {
            line.pop();
        }
        let piece = std::mem::replace(&mut self.within, !ended) || !ended;
        Ok(if piece { Line::Piece } else { Line::Whole })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(input: &[u8]) -> Vec<(Line, usize)> {
        let mut lines = Lines::new(Box::new(io::Cursor::new(input.to_vec())));
        let (mut line, mut read) = (Vec::new(), Vec::new());
        loop {
            match lines.next(&mut line).unwrap() {
                Line::End => return read,
                kind => read.push((kind, line.len())),
            }
        }
    }

    #[test]
    fn line_ends_and_the_byte_order_mark_are_left_out() {
        assert_eq!(read(b""), []);
        assert_eq!(read(b"ab\r\nc\n\nd"), [(Line::Whole, 2), (Line::Whole, 1), (Line::Whole, 0), (Line::Whole, 1)]);
        assert_eq!(read(b"\xEF\xBB\xBFab\n"), [(Line::Whole, 2)]);
    }

    #[test]
    fn only_what_is_longer_comes_in_pieces() {
        let x = |n: usize| vec![b'x'; n];
        assert_eq!(read(&x(LONGEST)), [(Line::Whole, LONGEST)]);
        assert_eq!(read(&[x(LONGEST), b"\na\n".to_vec()].concat()), [(Line::Whole, LONGEST), (Line::Whole, 1)]);
        let long = [x(2 * LONGEST + 5), b"\na\n".to_vec()].concat();
        let pieces = [(Line::Piece, LONGEST), (Line::Piece, LONGEST), (Line::Piece, 5), (Line::Whole, 1)];
        assert_eq!(read(&long), pieces);
    }
}
