//! The stream's shards, read one by one.
//!
//! A shard may be read five times a second, by all its readers together, and two of the reads are the functions'. So it
//! is asked rarely, and once it refuses, later.

use crate::{
    error::{Error, ExitStatus},
    targets::{
        aws::{Refused, failed},
        span::{Line, Span},
    },
};
use aws_sdk_kinesis::{
    Client,
    operation::get_records::GetRecordsOutput,
    primitives::DateTime,
    types::{self, ShardIteratorType},
};
use pipeline::{Judge, Record, RecordSequence, Sequence, Timestamp};
use std::{cell::RefCell, collections::VecDeque, sync::Arc, time::Duration};
use tokio::time::Instant;

/// From one read to the next, where there is nothing to catch up with, and where there is.
const POLL_EVERY: Duration = Duration::from_secs(1);
const BEHIND_EVERY: Duration = Duration::from_millis(400);
/// After a refusal; each one more doubles it, up to the last.
const FIRST_WAIT: Duration = Duration::from_secs(1);
const MOST_DOUBLINGS: u32 = 3;
/// Records of a read. More of them at 25 KB each would use up what a shard gives out in 5 seconds.
const RECORDS: i32 = 1000;
/// Arrivals need not be in the order of the records; none is further off than this, in milliseconds.
const DISORDER: i64 = 10_000;
/// Reads until the record that an iterator points at is there.
const TRIES: usize = 20;

const WHAT: &str = "the stream cannot be read";

/// Where reading begins.
#[derive(Clone, Debug)]
pub(super) enum Begin {
    /// With the oldest record that is left.
    Oldest,
    /// With what arrived at this time or later.
    Since(Timestamp),
    /// With the record of this name.
    At(String),
    /// Behind it.
    After(String),
}

/// A stream.
#[derive(Clone, Debug)]
pub(super) struct Source {
    pub(super) client: Client,
    pub(super) stream: String,
}

/// A shard as it is listed.
#[derive(Clone, Debug)]
pub(super) struct Listed {
    pub(super) id: String,
    /// What it was split off from, or merged of.
    parents: Vec<String>,
    /// The names of the first and, once it is closed, the last record that it can have.
    first: String,
    last: Option<String>,
}

/// A record that was looked up.
#[derive(Clone, Debug)]
pub(super) struct Found {
    pub(super) shard: String,
    /// What Kinesis calls it.
    pub(super) name: String,
    pub(super) arrived_at: Timestamp,
}

impl Source {
    /// All shards of which there are records left.
    pub(super) async fn shards(&self) -> Result<Vec<Listed>, Error> {
        let mut listed = Vec::new();
        let mut page = self.client.list_shards().stream_name(&self.stream).send().await;
        loop {
            let answer = match page {
                Ok(answer) => answer,
                Err(error) if error.is_absent() => {
                    let gone = Error::new(format!("the stream '{}' is not there any more", self.stream));
                    return Err(gone.status(ExitStatus::NotFound));
                }
                Err(error) => return Err(failed(WHAT, "Kinesis.ListShards", &error)),
            };
            listed.extend(answer.shards.unwrap_or_default().into_iter().map(Listed::from));
            let Some(token) = answer.next_token else { return Ok(listed) };
            page = self.client.list_shards().next_token(token).send().await;
        }
    }

    /// The record of this sequence, in whichever shard it is.
    pub(super) async fn find(&self, listed: &[Listed], record: RecordSequence) -> Result<Found, Error> {
        for shard in listed {
            let name = shard.name(record);
            if name < shard.first || shard.last.as_ref().is_some_and(|last| name > *last) {
                continue;
            }
            // That another shard has it is an invalid argument.
            let Opened::At(mut iterator) = self.open(&shard.id, &Begin::At(name.clone())).await? else { continue };
            for _ in 0..TRIES {
                let answer = self.client.get_records().shard_iterator(iterator).limit(1).send().await;
                let answer = answer.map_err(|e| failed(WHAT, "Kinesis.GetRecords", &e))?;
                if let Some(first) = answer.records().first() {
                    if first.sequence_number() == name {
                        return Ok(Found { shard: shard.id.clone(), name, arrived_at: arrived(first) });
                    }
                    break;
                }
                match answer.next_shard_iterator {
                    Some(next) if answer.millis_behind_latest.unwrap_or_default() > 0 => iterator = next,
                    _ => break,
                }
            }
        }
        Err(Error::new(format!("there is no record {record} in the stream"))
            .because("it keeps 24 hours")
            .hint("records are named by all their digits here, as `stockpipe tail --format json` shows them")
            .status(ExitStatus::NotFound))
    }

    async fn open(&self, shard: &str, begin: &Begin) -> Result<Opened, Error> {
        let open = self.client.get_shard_iterator().stream_name(&self.stream).shard_id(shard);
        let of = |kind, name: &String| open.clone().shard_iterator_type(kind).starting_sequence_number(name);
        let open = match begin {
            Begin::Oldest => open.shard_iterator_type(ShardIteratorType::TrimHorizon),
            Begin::Since(time) => {
                let time = DateTime::from_millis(time.millis());
                open.shard_iterator_type(ShardIteratorType::AtTimestamp).timestamp(time)
            }
            Begin::At(name) => of(ShardIteratorType::AtSequenceNumber, name),
            Begin::After(name) => of(ShardIteratorType::AfterSequenceNumber, name),
        };
        match open.send().await {
            Ok(opened) => Ok(opened.shard_iterator.map_or(Opened::Gone, Opened::At)),
            Err(error) if error.is_absent() => Ok(Opened::Gone),
            Err(error) if is_refusal(error.refusal().0) => Ok(Opened::Later),
            Err(error) if error.refusal().0 == "InvalidArgumentException" && matches!(begin, Begin::At(_)) => {
                Ok(Opened::Gone)
            }
            Err(error) => Err(failed(WHAT, "Kinesis.GetShardIterator", &error)),
        }
    }
}

enum Opened {
    /// This iterator is at the place.
    At(String),
    /// Too many ask just now.
    Later,
    /// There is no such place, or no such shard any more.
    Gone,
}

/// Whether it may be asked again, only later.
fn is_refusal(code: &str) -> bool {
    [
        "ProvisionedThroughputExceededException",
        "LimitExceededException",
        "KMSThrottlingException",
        "ThrottlingException",
    ]
    .contains(&code)
}

impl From<types::Shard> for Listed {
    fn from(shard: types::Shard) -> Self {
        let (first, last) = shard
            .sequence_number_range
            .map(|r| (r.starting_sequence_number, r.ending_sequence_number))
            .unwrap_or_default();
        let parents = shard.parent_shard_id.into_iter().chain(shard.adjacent_parent_shard_id).collect();
        Self { id: shard.shard_id, parents, first, last }
    }
}

impl Listed {
    /// What Kinesis calls a record here: it takes a name only as it gave it, and emulators give shorter ones.
    fn name(&self, record: RecordSequence) -> String {
        let padded = format!("{:0>width$}", record.as_str(), width = self.first.len());
        padded.get(padded.len() - self.first.len()..).unwrap_or_default().to_owned()
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// There is more to read at once.
    Behind,
    /// All that there was has been read.
    CaughtUp,
    /// It is closed, and was read to its end.
    Ended,
    /// What follows is past the span.
    Past,
}

/// A shard, as far as it was read.
pub(super) struct Shard {
    pub(super) id: String,
    parents: Vec<String>,
    /// What of it is asked for, and no further than this record.
    span: Span,
    end: Option<RecordSequence>,
    begin: Begin,
    iterator: Option<String>,
    due: Instant,
    refusals: u32,
    state: State,
    judge: Judge,
    /// The last record that was read.
    pub(super) last: Option<RecordSequence>,
    /// The latest arrival of what was read: no line that follows is sorted before it.
    pub(super) latest: Timestamp,
    /// What was read and is not given on yet, each line with what it is sorted by.
    pub(super) lines: VecDeque<(Timestamp, Line)>,
}

impl Shard {
    pub(super) fn new(listed: Listed, span: Span, begin: Begin) -> Self {
        // Of a shard that the end does not name there was nothing by then.
        let end = span.ends.as_ref().map(|ends| ends.0.get(&listed.id).copied());
        Self {
            id: listed.id,
            parents: listed.parents,
            span,
            end: end.flatten(),
            begin,
            iterator: None,
            due: Instant::now(),
            refusals: 0,
            state: if end == Some(None) { State::Past } else { State::Behind },
            judge: Judge::default(),
            last: None,
            latest: pipeline::Date::EPOCH.start(),
            lines: VecDeque::new(),
        }
    }

    /// Whether one of these has to be read before.
    pub(super) fn comes_after(&self, unread: &[String]) -> bool {
        self.parents.iter().any(|parent| unread.contains(parent))
    }

    /// Whether a shard is one of its parents.
    pub(super) fn is_child_of(&self, shard: &str) -> bool {
        self.parents.iter().any(|parent| parent == shard)
    }

    /// Whether there is no more to read, ever.
    pub(super) fn is_over(&self) -> bool {
        matches!(self.state, State::Ended | State::Past)
    }

    /// Whether it was closed, and others may go on in its place.
    pub(super) fn has_ended(&self) -> bool {
        self.state == State::Ended
    }

    /// Whether there is more to read at once.
    pub(super) fn is_behind(&self) -> bool {
        self.state == State::Behind
    }

    /// When it is read next.
    pub(super) fn due(&self) -> Instant {
        self.due
    }

    /// Reads once.
    pub(super) async fn read(&mut self, source: &Source) -> Result<(), Error> {
        let iterator = match self.iterator.take() {
            Some(iterator) => iterator,
            None => match source.open(&self.id, &self.begin).await? {
                Opened::At(iterator) => iterator,
                Opened::Later => {
                    self.wait();
                    return Ok(());
                }
                Opened::Gone => {
                    self.state = State::Ended;
                    return Ok(());
                }
            },
        };
        match source.client.get_records().shard_iterator(&iterator).limit(RECORDS).send().await {
            Ok(answer) => self.take(answer)?,
            // It lasts 5 minutes, which a machine may sleep through.
            Err(error) if error.refusal().0 == "ExpiredIteratorException" => {}
            Err(error) if error.is_absent() => self.state = State::Ended,
            Err(error) if is_refusal(error.refusal().0) => {
                self.iterator = Some(iterator);
                self.wait();
            }
            Err(error) => return Err(failed(WHAT, "Kinesis.GetRecords", &error)),
        }
        Ok(())
    }

    /// It is asked again later.
    fn wait(&mut self) {
        self.due = Instant::now() + FIRST_WAIT * 2u32.pow(self.refusals.min(MOST_DOUBLINGS));
        self.refusals += 1;
    }

    fn take(&mut self, answer: GetRecordsOutput) -> Result<(), Error> {
        self.refusals = 0;
        self.iterator = answer.next_shard_iterator;
        let is_behind = answer.millis_behind_latest.unwrap_or_default() > 0;
        (self.state, self.due) = match (&self.iterator, is_behind) {
            (None, _) => (State::Ended, self.due),
            (_, true) => (State::Behind, Instant::now() + BEHIND_EVERY),
            (_, false) => (State::CaughtUp, Instant::now() + POLL_EVERY),
        };
        for record in answer.records {
            let name = record.sequence_number();
            let sequence =
                aws_ports::sequence(name).ok_or_else(|| Error::new(WHAT).because("a record has no number"))?;
            let arrived_at = arrived(&record);
            let until = self.span.until.map(|until| until.plus_millis(DISORDER));
            if self.end.is_some_and(|end| sequence > end)
                || self.span.to.is_some_and(|to| sequence > to.record)
                || until.is_some_and(|until| arrived_at > until)
            {
                self.state = State::Past;
                return Ok(());
            }
            self.begin = Begin::After(name.to_owned());
            self.last = Some(sequence);
            self.latest = self.latest.max(arrived_at);
            self.judge(&Record {
                sequence,
                partition_key: record.partition_key.into(),
                arrived_at,
                data: record.data.into_inner().into(),
            });
        }
        if self.last.is_some() && self.last == self.end {
            self.state = State::Past;
        }
        Ok(())
    }

    fn judge(&mut self, record: &Record) {
        if !self.span.has_record(record) {
            return;
        }
        let lines = RefCell::new(&mut self.lines);
        let add = |sequence: Sequence, bytes, judged| {
            if self.span.has(sequence) {
                let (partition_key, arrived_at) = (Arc::clone(&record.partition_key), record.arrived_at);
                let line = Line { sequence, partition_key, arrived_at, bytes, judged };
                lines.borrow_mut().push_back((self.latest, line));
            }
        };
        self.judge.record(
            record,
            |sequence, quote, bytes| add(sequence, bytes.to_vec(), Ok(quote)),
            |line| add(line.sequence, line.bytes, Err(line.reason)),
        );
    }
}

/// When a record arrived; now, should the stream not say.
fn arrived(record: &types::Record) -> Timestamp {
    let time = record.approximate_arrival_timestamp().and_then(|time| Timestamp::from_millis(time.to_millis().ok()?));
    time.unwrap_or_else(crate::targets::local::stream::now)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Would catch a name that Kinesis does not know, or a record that is taken for another.
    #[test]
    fn records_are_called_as_the_stream_calls_them() {
        let listed = |first: &str| Listed { id: "s".into(), parents: vec![], first: first.into(), last: None };
        let aws = "49590338271490256608559692538361571095921575989136588898";
        let record = |name: &str| aws_ports::sequence(name).expect("a record");
        assert_eq!(listed(aws).name(record(aws)), aws);
        let emulated = "000000017640000000000000000042";
        assert_eq!(listed(emulated).name(record(emulated)), emulated);
    }
}
