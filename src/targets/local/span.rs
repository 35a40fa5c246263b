//! The stream line by line, as process judges it: what `tail` shows, and what `replay` puts again of a span.
//!
//! It only reads, a short transaction at a time: neither producers nor consumers wait for it.

use super::{
    Local,
    state::Folder,
    stream::{self, BatchSize},
};
use crate::error::Error;
use pipeline::{Judge, Quote, Reason, Record, RecordSequence, Sequence, Timestamp};
use std::{cell::RefCell, sync::Arc};

/// What is read at once; one commit at least.
const BATCH: BatchSize = BatchSize { lines: 4000, bytes: 1 << 20 };
/// Exactly one commit.
const COMMIT: BatchSize = BatchSize { lines: 0, bytes: 0 };

/// A place in the stream, as it can be typed: a record, `42`, or one of its lines, `42-7`. Leading zeros, as the whole
/// sequence has them, make no difference.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    record: u64,
    line: Option<u32>,
}

impl Place {
    /// The place that this text names.
    pub fn parse(text: &str) -> Option<Self> {
        let is_number = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
        let (record, line) = match text.split_once('-') {
            Some((record, line)) => (record, Some(line)),
            None => (text, None),
        };
        if !is_number(record) || !line.is_none_or(is_number) {
            return None;
        }
        Some(Self { record: record.parse().ok()?, line: line.map(str::parse).transpose().ok()? })
    }

    /// The first line that it names.
    pub fn first(self) -> Sequence {
        RecordSequence::local(self.record).line(self.line.unwrap_or(0))
    }

    /// The last line that it can name.
    pub fn last(self) -> Sequence {
        RecordSequence::local(self.record).line(self.line.unwrap_or(u32::MAX))
    }

    /// Whether it names this line.
    pub fn has(self, sequence: Sequence) -> bool {
        (self.first()..=self.last()).contains(&sequence)
    }
}

/// Which lines; without anything all of them.
#[derive(Clone, Debug, Default)]
pub struct Span {
    /// Of these partition keys; of all where there are none.
    pub keys: Vec<String>,
    /// From this line on.
    pub from: Option<Sequence>,
    /// Up to this line.
    pub to: Option<Sequence>,
    /// What arrived at this time or later.
    pub since: Option<Timestamp>,
    /// What arrived at this time or earlier.
    pub until: Option<Timestamp>,
}

impl Span {
    fn has_record(&self, record: &Record) -> bool {
        (self.keys.is_empty() || self.keys.iter().any(|key| **key == *record.partition_key))
            && self.since.is_none_or(|since| record.arrived_at >= since)
            && self.until.is_none_or(|until| record.arrived_at <= until)
    }

    fn has(&self, sequence: Sequence) -> bool {
        self.from.is_none_or(|from| sequence >= from) && self.to.is_none_or(|to| sequence <= to)
    }
}

/// A line of the stream.
#[derive(Clone, Debug)]
pub struct Line {
    /// Its place.
    pub sequence: Sequence,
    /// Its record's partition key.
    pub partition_key: Arc<str>,
    /// When its record arrived.
    pub arrived_at: Timestamp,
    /// What it is, byte for byte.
    pub bytes: Vec<u8>,
    /// The quote that it is, or why it is none.
    pub judged: Result<Quote, Reason>,
}

/// The lines of a span in stream order, read as they are asked for.
pub struct Lines {
    folder: Folder,
    span: Span,
    judge: Judge,
    /// The last record that was read.
    after: u64,
}

impl Local {
    /// The lines of a span: those that are in the stream, and those that come while it is read.
    pub fn lines(&self, span: Span) -> Result<Lines, Error> {
        let mut after = span.from.and_then(|from| from.record.number()).map_or(0, |first| first.saturating_sub(1));
        if let Some(since) = span.since {
            let db = self.folder.stream()?;
            let failed = |e| self.folder.broken("stream.db", e);
            let last = stream::last(&db).map_err(failed)?;
            let first = stream::commit_since(&db, since).map_err(failed)?;
            after = after.max(first.map_or(last, |first| first - 1));
        }
        Ok(Lines { folder: self.folder.clone(), span, judge: Judge::default(), after })
    }

    /// As [`Local::lines`], of those already in the stream only the newest, so many.
    pub fn newest_lines(&self, mut span: Span, count: u64) -> Result<Lines, Error> {
        let failed = |e| self.folder.broken("stream.db", e);
        let db = self.folder.stream()?;
        let last = stream::last(&db).map_err(failed)?;
        let mut lines = self.lines(span.clone())?;
        let (oldest, mut before) = (lines.after, last + 1);
        // What follows all that is there, and then a line earlier for each line found.
        span.from = Some(RecordSequence::local(before).line(0));
        let mut found = 0;
        while found < count
            && let Some(first) = stream::commit_before(&db, before).map_err(failed)?.filter(|first| *first > oldest)
        {
            lines.after = first - 1;
            let commit = lines.read(COMMIT)?.unwrap_or_default();
            for line in commit.iter().rev().take(usize::try_from(count - found).unwrap_or(usize::MAX)) {
                span.from = Some(line.sequence);
                found += 1;
            }
            before = first;
        }
        self.lines(span)
    }
}

impl Lines {
    /// The next lines, perhaps none although more follow; nothing at all where there is nothing to read for now.
    pub fn next(&mut self) -> Result<Option<Vec<Line>>, Error> {
        self.read(BATCH)
    }

    fn read(&mut self, size: BatchSize) -> Result<Option<Vec<Line>>, Error> {
        if self.span.to.and_then(|to| to.record.number()).is_some_and(|to| to <= self.after) {
            return Ok(None);
        }
        let db = self.folder.stream()?;
        let batch = stream::read(&db, self.after, size)
            .map_err(|e| Error::new(format!("local stack '{}'", self.folder.name())).because(e))?;
        let Some(last) = batch.records.last().and_then(|record| record.sequence.number()) else {
            let last = stream::last(&db).map_err(|e| self.folder.broken("stream.db", e))?;
            if last < self.after {
                return Err(Error::new(format!("stack '{}' was made anew meanwhile", self.folder.name()))
                    .hint("give the same command again to see the new one"));
            }
            return Ok(None);
        };
        self.after = last;
        let lines = RefCell::new(Vec::new());
        let add = |record: &Record, sequence, bytes: Vec<u8>, judged| {
            if self.span.has(sequence) {
                let (partition_key, arrived_at) = (Arc::clone(&record.partition_key), record.arrived_at);
                lines.borrow_mut().push(Line { sequence, partition_key, arrived_at, bytes, judged });
            }
        };
        for record in batch.records.iter().filter(|record| self.span.has_record(record)) {
            self.judge.record(
                record,
                |sequence, quote, bytes| add(record, sequence, bytes.to_vec(), Ok(quote)),
                |line| add(record, line.sequence, line.bytes, Err(line.reason)),
            );
        }
        Ok(Some(lines.into_inner()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::targets::local::stream::Group;

    fn stack(commits: &[&[(&str, &str)]]) -> (tempfile::TempDir, Local) {
        let home = tempfile::tempdir().expect("a folder");
        let local = Local::new(Folder::new(home.path(), "s"));
        local.folder().create().expect("a stack");
        for commit in commits {
            let mut group = Group::default();
            commit.iter().for_each(|(key, data)| group.push(key, 1, data.as_bytes(), data.lines().count() as u64));
            stream::put(&mut local.folder().stream().expect("a stream"), 1, &group).expect("put");
        }
        (home, local)
    }

    fn texts(mut lines: Lines) -> Vec<String> {
        let mut texts = Vec::new();
        while let Some(batch) = lines.next().expect("lines") {
            texts.extend(batch.iter().map(|line| String::from_utf8_lossy(&line.bytes).into_owned()));
        }
        texts
    }

    #[test]
    fn places_as_they_are_typed() {
        for (text, record, line) in [
            ("42", 42, None),
            ("42-7", 42, Some(7)),
            ("00000000000000000042-00007", 42, Some(7)),
            ("00000000000000000042", 42, None),
        ] {
            assert_eq!(Place::parse(text), Some(Place { record, line }), "{text}");
        }
        for text in ["", "-", "4-", "-4", "+4", "4-+4", "10m", "2026-11-20", "99999999999999999999", "1-99999999999"] {
            assert_eq!(Place::parse(text), None, "{text}");
        }
    }

    /// Would catch a line that is left out, comes twice or out of order at the edge of a record or a commit.
    #[test]
    fn the_newest_lines_whatever_they_are_packed_in() {
        let commits: [&[(&str, &str)]; 3] = [&[("A", "a\nb"), ("B", "c")], &[("A", "d\n\ne\nf")], &[("B", "g")]];
        let (_home, local) = stack(&commits);
        let all = ["a", "b", "c", "d", "e", "f", "g"];
        for count in 0..9 {
            let expected = &all[all.len().saturating_sub(count)..];
            assert_eq!(texts(local.newest_lines(Span::default(), count as u64).expect("lines")), expected, "{count}");
        }
        let of_a = |count| Span { keys: vec!["A".into()], ..Span::default() }.newest(&local, count);
        assert_eq!(of_a(0), [""; 0]);
        assert_eq!(of_a(2), ["e", "f"]);
        assert_eq!(of_a(4), ["b", "d", "e", "f"]);
        assert_eq!(of_a(u64::MAX), ["a", "b", "d", "e", "f"]);
    }

    impl Span {
        fn newest(self, local: &Local, count: u64) -> Vec<String> {
            texts(local.newest_lines(self, count).expect("lines"))
        }
    }

    /// Would catch a span that is a line too long or too short.
    #[test]
    fn a_span_from_line_to_line() {
        let (_home, local) = stack(&[&[("A", "a\nb\nc"), ("A", "d")], &[("A", "e")]]);
        let of = |from: &str, to: &str| {
            let (from, to) = (Place::parse(from).map(Place::first), Place::parse(to).map(Place::last));
            texts(local.lines(Span { from, to, ..Span::default() }).expect("lines"))
        };
        assert_eq!(of("1", "3"), ["a", "b", "c", "d", "e"]);
        assert_eq!(of("1-1", "1-1"), ["b"]);
        assert_eq!(of("1-2", "2"), ["c", "d"]);
        assert_eq!(of("3", "99"), ["e"]);
        assert_eq!(of("4", "99"), [""; 0]);
    }

    /// Would catch somebody waiting for ever for lines of a stream that is gone.
    #[test]
    fn a_stack_that_was_made_anew_is_noticed() {
        let (_home, local) = stack(&[&[("A", "a")]]);
        let mut lines = local.lines(Span::default()).expect("lines");
        assert_eq!(lines.next().expect("a line").map(|lines| lines.len()), Some(1));
        assert!(lines.next().expect("nothing").is_none());
        local.folder().remove().expect("removed");
        local.folder().create().expect("a stack");
        assert!(lines.next().is_err_and(|e| e.to_string().contains("made anew")));
    }

    #[test]
    fn what_arrived_in_time() {
        let (_home, local) = stack(&[&[("A", "a")], &[("A", "b")], &[("A", "c")]]);
        let db = local.folder().stream().expect("a stream");
        db.execute("UPDATE log SET arrived_at = first * 1000", []).expect("update");
        let at = |second: i64| Timestamp::from_millis(second * 1000);
        let span = |since, until| Span { since, until, ..Span::default() };
        assert_eq!(texts(local.lines(span(at(2), None)).expect("lines")), ["b", "c"]);
        assert_eq!(texts(local.lines(span(at(2), at(2))).expect("lines")), ["b"]);
        assert_eq!(texts(local.lines(span(at(4), None)).expect("lines")), [""; 0]);
        assert_eq!(span(at(2), None).newest(&local, 1), ["c"]);
        assert_eq!(span(at(2), None).newest(&local, 9), ["b", "c"]);
    }
}
