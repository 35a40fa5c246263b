//! Puts onto the stream again what was set aside, or a span of the stream. All of it is new there: it gets new
//! sequences and is judged anew, and a quote that is stored already counts as a duplicate.

use super::{
    Local, Wake,
    aside::Choice,
    producer::LocalProducer,
    span::Span,
    stream::{self, Group},
};
use crate::{
    error::{Error, ExitStatus},
    sources::Outgoing,
    targets::producer::Producer,
};
use pipeline::{Origin, Quote, RecordSequence, Timestamp};
use std::sync::Arc;

impl Local {
    /// Puts set-aside lines again as they are, each as a record with its old key, and marks them page by page.
    ///
    /// They are durable first and marked after: a crash in between leaves some that are put again the next time, and
    /// are duplicates then. Calls `go_on` with how many are durable so far; it may stop.
    pub fn replay_asides(
        &self,
        choice: Choice,
        run: i64,
        wake: &Wake,
        mut go_on: impl FnMut(u64) -> bool,
    ) -> Result<(), Error> {
        let mut db = self.folder.stream()?;
        let mut asides = self.asides(choice);
        let (mut group, mut replayed) = (Group::default(), 0);
        while let Some(page) = asides.page()? {
            if page.is_empty() {
                continue;
            }
            group.clear();
            for aside in &page {
                let lines = aside.bytes.split(|b| *b == b'\n').filter(|line| !line.trim_ascii().is_empty());
                let lines = lines.count().max(1) as u64;
                group.push(&aside.partition_key, stream::now_micros(), &aside.bytes, lines);
            }
            let last = stream::put(&mut db, run, &group).map_err(|e| self.folder.broken("stream.db", e))?;
            wake.notify();
            let first = last + 1 - page.len() as u64;
            let marks: Vec<_> =
                (first..).zip(&page).map(|(n, aside)| (aside.sequence, RecordSequence::local(n))).collect();
            replayed += page.len() as u64;
            let go_on = go_on(replayed);
            self.mark_replayed(&marks).map_err(|e| {
                Error::new(format!("{} lines were put again, but could not be marked as replayed", page.len()))
                    .because(e)
                    .hint("the next replay puts them again, and what is stored by then counts as a duplicate")
                    .status(ExitStatus::Partial)
            })?;
            if !go_on {
                break;
            }
        }
        Ok(())
    }

    /// Puts the quotes of a span again, as replayed ones. Calls `go_on` with how many are durable so far; it may stop.
    pub fn replay_span(
        &self,
        span: Span,
        alert: bool,
        run: i64,
        wake: &Arc<Wake>,
        mut go_on: impl FnMut(u64) -> bool,
    ) -> Result<(), Error> {
        let mut producer = Box::new(LocalProducer::start(&self.folder, run, Arc::clone(wake), None)?);
        let gauge = producer.gauge();
        let mut lines = self.lines(span)?;
        let read = loop {
            let lines = match lines.next() {
                Ok(Some(lines)) => lines,
                Ok(None) => break Ok(()),
                Err(error) => break Err(error),
            };
            let now = stream::now();
            let quotes = lines.into_iter().filter_map(|line| line.judged.ok());
            let mut quotes = quotes.map(|quote| Outgoing::Quote(again(quote, alert, now))).collect();
            if !producer.send(&mut quotes) || !go_on(gauge.acknowledged()) {
                break Ok(());
            }
        };
        let finished = producer.finish();
        go_on(gauge.acknowledged());
        read.and(finished)
    }
}

/// The quote as it is sent a second time. What raised nothing at first, stale or from a backfill, raises nothing now.
fn again(quote: Quote, alert: bool, now: Timestamp) -> Quote {
    let origin = if quote.origin == Origin::Backfill { Origin::Backfill } else { Origin::Replay };
    Quote { origin, alert, ingested_at: now, ..quote }
}
