//! The local stream line by line.
//!
//! It only reads, a short transaction at a time: neither producers nor consumers wait for it.

use super::{
    Local, SHARD,
    state::Folder,
    stream::{self, BatchSize},
};
use crate::{
    error::Error,
    targets::span::{Ends, Line, Lines, Span},
};
use pipeline::{Judge, Record, RecordSequence};
use std::{cell::RefCell, collections::BTreeMap, sync::Arc};

/// What is read at once; one commit at least.
const BATCH: BatchSize = BatchSize { lines: 4000, bytes: 1 << 20 };
/// Exactly one commit.
const COMMIT: BatchSize = BatchSize { lines: 0, bytes: 0 };

/// The lines of a span of the local stream.
pub struct LocalLines {
    folder: Folder,
    span: Span,
    judge: Judge,
    /// The last record that was read.
    after: u64,
}

impl Local {
    /// The lines of a span.
    pub(super) fn lines_of(&self, mut span: Span) -> Result<LocalLines, Error> {
        if let Some(ends) = &span.ends {
            let end = ends.0.get(SHARD).copied().unwrap_or(RecordSequence::local(0)).line(u32::MAX);
            span.to = Some(span.to.map_or(end, |to| to.min(end)));
        }
        let mut after = span.from.and_then(|from| from.record.number()).map_or(0, |first| first.saturating_sub(1));
        if let Some(since) = span.since {
            let db = self.folder.stream()?;
            let failed = |e| self.folder.broken("stream.db", e);
            let last = stream::last(&db).map_err(failed)?;
            let first = stream::commit_since(&db, since).map_err(failed)?;
            after = after.max(first.map_or(last, |first| first - 1));
        }
        Ok(LocalLines { folder: self.folder.clone(), span, judge: Judge::default(), after })
    }

    /// The lines of a span, of those already in the stream only the newest, so many.
    pub(super) fn newest_lines_of(&self, mut span: Span, count: u64) -> Result<LocalLines, Error> {
        let failed = |e| self.folder.broken("stream.db", e);
        let db = self.folder.stream()?;
        let last = stream::last(&db).map_err(failed)?;
        let mut lines = self.lines_of(span.clone())?;
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
        self.lines_of(span)
    }
}

impl Lines for LocalLines {
    fn next(&mut self) -> Result<Option<Vec<Line>>, Error> {
        self.read(BATCH)
    }

    fn ends(&self) -> Ends {
        Ends(BTreeMap::from([(SHARD.to_owned(), RecordSequence::local(self.after))]))
    }
}

impl LocalLines {
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
    use crate::targets::{local::stream::Group, span::Place};
    use pipeline::Timestamp;

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

    fn texts(mut lines: LocalLines) -> Vec<String> {
        let mut texts = Vec::new();
        while let Some(batch) = lines.next().expect("lines") {
            texts.extend(batch.iter().map(|line| String::from_utf8_lossy(&line.bytes).into_owned()));
        }
        texts
    }

    /// Would catch a line that is left out, comes twice or out of order at the edge of a record or a commit.
    #[test]
    fn the_newest_lines_whatever_they_are_packed_in() {
        let commits: [&[(&str, &str)]; 3] = [&[("A", "a\nb"), ("B", "c")], &[("A", "d\n\ne\nf")], &[("B", "g")]];
        let (_home, local) = stack(&commits);
        let all = ["a", "b", "c", "d", "e", "f", "g"];
        for count in 0..9 {
            let expected = &all[all.len().saturating_sub(count)..];
            assert_eq!(
                texts(local.newest_lines_of(Span::default(), count as u64).expect("lines")),
                expected,
                "{count}"
            );
        }
        let of_a = |count| newest(&local, Span { keys: vec!["A".into()], ..Span::default() }, count);
        assert_eq!(of_a(0), [""; 0]);
        assert_eq!(of_a(2), ["e", "f"]);
        assert_eq!(of_a(4), ["b", "d", "e", "f"]);
        assert_eq!(of_a(u64::MAX), ["a", "b", "d", "e", "f"]);
    }

    fn newest(local: &Local, span: Span, count: u64) -> Vec<String> {
        texts(local.newest_lines_of(span, count).expect("lines"))
    }

    /// Would catch a span that is a line too long or too short.
    #[test]
    fn a_span_from_line_to_line() {
        let (_home, local) = stack(&[&[("A", "a\nb\nc"), ("A", "d")], &[("A", "e")]]);
        let of = |from: &str, to: &str| {
            let (from, to) = (Place::parse(from).map(Place::first), Place::parse(to).map(Place::last));
            texts(local.lines_of(Span { from, to, ..Span::default() }).expect("lines"))
        };
        assert_eq!(of("1", "3"), ["a", "b", "c", "d", "e"]);
        assert_eq!(of("1-1", "1-1"), ["b"]);
        assert_eq!(of("1-2", "2"), ["c", "d"]);
        assert_eq!(of("3", "99"), ["e"]);
        assert_eq!(of("4", "99"), [""; 0]);
    }

    /// Would catch a second reading of a span that finds what was put since the first.
    #[test]
    fn what_is_put_later_lies_behind_the_end() {
        let (_home, local) = stack(&[&[("A", "a"), ("A", "b")]]);
        let mut lines = local.lines_of(Span::default()).expect("lines");
        while lines.next().expect("lines").is_some() {}
        let ends = Some(lines.ends());
        let mut group = Group::default();
        group.push("A", 1, b"c", 1);
        stream::put(&mut local.folder().stream().expect("a stream"), 1, &group).expect("put");
        assert_eq!(texts(local.lines_of(Span { ends: ends.clone(), ..Span::default() }).expect("lines")), ["a", "b"]);
        let to = Place::parse("1").map(Place::last);
        assert_eq!(texts(local.lines_of(Span { ends, to, ..Span::default() }).expect("lines")), ["a"]);
    }

    /// Would catch somebody waiting for ever for lines of a stream that is gone.
    #[test]
    fn a_stack_that_was_made_anew_is_noticed() {
        let (_home, local) = stack(&[&[("A", "a")]]);
        let mut lines = local.lines_of(Span::default()).expect("lines");
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
        assert_eq!(texts(local.lines_of(span(at(2), None)).expect("lines")), ["b", "c"]);
        assert_eq!(texts(local.lines_of(span(at(2), at(2))).expect("lines")), ["b"]);
        assert_eq!(texts(local.lines_of(span(at(4), None)).expect("lines")), [""; 0]);
        assert_eq!(newest(&local, span(at(2), None), 1), ["c"]);
        assert_eq!(newest(&local, span(at(2), None), 9), ["b", "c"]);
    }
}
