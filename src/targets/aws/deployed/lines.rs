//! The stream line by line, its shards merged by arrival.
//!
//! Of one symbol the order is that of the stream: its quotes are in one shard, and where that was split or merged, what
//! follows it is read after it.

use super::{
    Deployed,
    shards::{Begin, Found, Listed, Shard, Source},
};
use crate::{
    error::Error,
    targets::{
        local::stream::now,
        span::{Ends, Line, Lines, Span},
    },
};
use futures::{StreamExt, TryStreamExt, stream};
use pipeline::Timestamp;
use std::collections::{HashSet, VecDeque};
use tokio::time::{Instant, sleep_until};

/// Shards that are read at once.
const AT_ONCE: usize = 16;
/// Lines of a shard that wait for those of others; then it waits, too.
const WAITING: usize = 20_000;
/// So far back the newest lines are looked for, in milliseconds, one after the other, and then all. A shard cannot be
/// read backwards.
const WINDOWS: [i64; 3] = [60_000, 15 * 60_000, 3 * 3_600_000];
/// A time that is not past yet, by AWS's clock, is refused, in milliseconds.
const CLOCKS: i64 = 1000;

/// The lines of a span.
pub(super) struct KinesisLines<'a> {
    deployed: &'a Deployed,
    source: Source,
    span: Span,
    /// The records that it begins and ends with, where it was typed so.
    bounds: [Option<Found>; 2],
    shards: Vec<Shard>,
    newest: Option<Newest>,
}

/// The newest lines, while they are looked for.
struct Newest {
    count: usize,
    /// How far back reading began: the place in [`WINDOWS`].
    window: usize,
    kept: VecDeque<Line>,
}

impl Deployed {
    /// The lines of a span, of those already in the stream all or the newest, so many.
    pub(super) fn read(&self, span: Span, newest: Option<u64>) -> Result<KinesisLines<'_>, Error> {
        let source = Source { client: self.aws.kinesis(), stream: self.names.stream() };
        let count = newest.map(|count| usize::try_from(count).unwrap_or(usize::MAX));
        let newest = count.map(|count| Newest { count, window: 0, kept: VecDeque::new() });
        let mut lines = KinesisLines { deployed: self, source, span, bounds: [None, None], shards: Vec::new(), newest };
        self.wait(lines.begin())?;
        Ok(lines)
    }
}

impl Lines for KinesisLines<'_> {
    fn next(&mut self) -> Result<Option<Vec<Line>>, Error> {
        let deployed = self.deployed;
        deployed.wait(self.step())
    }

    fn ends(&self) -> Ends {
        Ends(self.shards.iter().filter_map(|shard| Some((shard.id.clone(), shard.last?))).collect())
    }
}

impl KinesisLines<'_> {
    /// Begins to read, with all shards that there are.
    async fn begin(&mut self) -> Result<(), Error> {
        let listed = self.source.shards().await?;
        for (bound, sequence) in self.bounds.iter_mut().zip([self.span.from, self.span.to]) {
            if let (None, Some(sequence)) = (&bound, sequence) {
                *bound = Some(self.source.find(&listed, sequence.record).await?);
            }
        }
        let since = match &self.newest {
            Some(newest) => {
                let window = WINDOWS.get(newest.window).map(|window| now().plus_millis(-window));
                self.span.since.into_iter().chain(window).max()
            }
            None => self.span.since,
        };
        self.shards = listed.into_iter().map(|shard| self.shard(shard, since)).collect();
        Ok(())
    }

    /// A shard, and what of the span is in it. A record that was typed bounds its own shard; others are bounded by its
    /// arrival.
    fn shard(&self, listed: Listed, since: Option<Timestamp>) -> Shard {
        let mut span = self.span.clone();
        let latest = now().plus_millis(-CLOCKS);
        let mut begin = since.map_or(Begin::Oldest, |since| Begin::Since(since.min(latest)));
        let [from, to] = &self.bounds;
        match from {
            Some(from) if from.shard == listed.id => begin = Begin::At(from.name.clone()),
            Some(from) => {
                begin = Begin::Since(from.arrived_at);
                (span.from, span.since) = (None, Some(from.arrived_at));
            }
            None => {}
        }
        if let Some(to) = to
            && to.shard != listed.id
        {
            span.until = Some(span.until.map_or(to.arrived_at, |until| until.min(to.arrived_at)));
            span.to = None;
        }
        Shard::new(listed, span, begin)
    }

    /// Reads the shards whose turn it is, and gives what can be given.
    async fn step(&mut self) -> Result<Option<Vec<Line>>, Error> {
        if !self.is_any_due() {
            let behind = self.open().filter(|shard| is_to_read(shard, &[]) && shard.is_behind());
            let Some(due) = behind.map(Shard::due).min() else {
                return Ok(None);
            };
            sleep_until(due).await;
        }
        let (unread, time) = (self.unread(), Instant::now());
        let source = &self.source;
        let due = self.shards.iter_mut().filter(|shard| is_to_read(shard, &unread) && shard.due() <= time);
        let reads: Vec<_> = due.map(|shard| shard.read(source)).collect();
        stream::iter(reads).buffer_unordered(AT_ONCE).try_collect::<()>().await?;
        self.go_on_with_children(&unread).await?;
        let lines = self.merged();
        let is_behind = self.open().any(Shard::is_behind);
        let Some(newest) = &mut self.newest else {
            return Ok((is_behind || !lines.is_empty()).then_some(lines));
        };
        for line in lines {
            newest.kept.push_back(line);
            if newest.kept.len() > newest.count {
                newest.kept.pop_front();
            }
        }
        if is_behind {
            return Ok(Some(Vec::new()));
        }
        let from = WINDOWS.get(newest.window).map(|window| now().plus_millis(-window));
        let is_all = from.is_none_or(|from| self.span.since.is_some_and(|since| since >= from));
        if newest.kept.len() >= newest.count || is_all {
            let kept = std::mem::take(&mut newest.kept);
            self.newest = None;
            return Ok(Some(kept.into()));
        }
        newest.kept.clear();
        newest.window += 1;
        self.begin().await?;
        Ok(Some(Vec::new()))
    }

    /// The shards of which there may be more.
    fn unread(&self) -> Vec<String> {
        self.shards.iter().filter(|shard| !shard.is_over()).map(|shard| shard.id.clone()).collect()
    }

    /// The shards that can be read: none whose parents are not read to their end.
    fn open(&self) -> impl Iterator<Item = &Shard> {
        let unread = self.unread();
        self.shards.iter().filter(move |shard| !shard.is_over() && !shard.comes_after(&unread))
    }

    fn is_any_due(&self) -> bool {
        let now = Instant::now();
        self.open().any(|shard| is_to_read(shard, &[]) && shard.due() <= now)
    }

    /// What takes the place of shards that have just ended is read from its beginning.
    async fn go_on_with_children(&mut self, unread: &[String]) -> Result<(), Error> {
        let ended: Vec<(String, Timestamp)> = self
            .shards
            .iter()
            .filter(|shard| shard.has_ended() && unread.contains(&shard.id))
            .map(|shard| (shard.id.clone(), shard.latest))
            .collect();
        if ended.is_empty() {
            return Ok(());
        }
        let known: HashSet<String> = self.shards.iter().map(|shard| shard.id.clone()).collect();
        for listed in self.source.shards().await?.into_iter().filter(|listed| !known.contains(&listed.id)) {
            let shard = self.shard(listed, None);
            self.shards.push(shard);
        }
        for shard in &mut self.shards {
            let parents = ended.iter().filter(|(parent, _)| shard.is_child_of(parent));
            shard.latest = parents.map(|(_, latest)| *latest).fold(shard.latest, Timestamp::max);
        }
        Ok(())
    }

    /// What was read, in order of arrival, as far as no shard can have anything earlier.
    fn merged(&mut self) -> Vec<Line> {
        let limit = self.open().filter(|shard| shard.is_behind()).map(|shard| shard.latest).min();
        let mut merged = Vec::new();
        loop {
            let first = |shard: &Shard| shard.lines.front().map(|(at, line)| (*at, line.sequence));
            let next = self.shards.iter_mut().filter(|shard| !shard.lines.is_empty()).min_by_key(|shard| first(shard));
            let Some((at, _)) = next.as_ref().and_then(|shard| shard.lines.front()) else { return merged };
            if limit.is_some_and(|limit| *at > limit) {
                return merged;
            }
            merged.extend(next.and_then(|shard| shard.lines.pop_front()).map(|(_, line)| line));
        }
    }
}

/// Whether it is read on: not before these are read to their end, nor while much of it waits for others.
fn is_to_read(shard: &Shard, unread: &[String]) -> bool {
    !shard.is_over() && shard.lines.len() < WAITING && !shard.comes_after(unread)
}
