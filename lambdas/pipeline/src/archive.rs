//! Archive: from a batch of the stream to objects in the lake.
//!
//! It works through the batch in stream order, in parts of as many objects as the lake takes at once. A part's
//! objects are named by its own first and last record, so a batch that comes again, cut the same, replaces them;
//! cut otherwise, it leaves a quote in two files, of which every query sees one.

use crate::{
    AnomalyThreshold, Date, Failed, Judge, PortError, Record, RecordSequence, Symbol, Timestamp,
    lake::{LakeQuote, Span, encode, quotes_key, raw_key},
};
use std::{
    collections::{BTreeMap, BTreeSet},
    future::Future,
};

/// The most objects of a part: so many are put at once, and begun again after a failure.
const PART_OBJECTS: usize = 500;

/// How the lines are kept as they came.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Raw {
    /// An object for each symbol of a part.
    #[default]
    Symbol,
    /// An object for each part.
    Batch,
    /// Not at all.
    Off,
}

/// What archive is told.
#[derive(Clone, Debug)]
pub struct ArchiveSettings {
    /// The shard that the batch is of.
    pub shard: String,
    /// How the lines are kept as they came.
    pub raw: Raw,
    /// Beyond which change a quote is an anomaly.
    pub anomaly: AnomalyThreshold,
}

/// An object of the lake.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Object {
    /// Its name.
    pub key: String,
    /// Its contents.
    pub bytes: Vec<u8>,
    /// What it is.
    pub kind: ObjectKind,
}

/// What an object is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ObjectKind {
    /// Lines as they came, each with its sequence.
    Raw,
    /// Quotes of one day.
    Parquet {
        /// The day, which the folder is named by.
        dt: Date,
        /// The market time of the oldest.
        first: Timestamp,
        /// The market time of the newest.
        last: Timestamp,
        /// How many there are.
        rows: u64,
    },
}

/// Where objects go.
pub trait Lake: Send {
    /// Puts these, many at once and in any order; one that is there already is replaced. When this returns they are
    /// durable and queries see them. After an error some of them may be there.
    fn put(&mut self, objects: Vec<Object>) -> impl Future<Output = Result<(), PortError>> + Send;
}

/// What became of a batch.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Archived {
    /// For each record of the batch, how many of its lines are quotes and in the lake now, duplicates included; 0
    /// from the first failed record on.
    pub quotes: Vec<u64>,
    /// The first record that has to come again, and why.
    pub failed: Option<Failed>,
}

/// Handles a batch, in stream order and of one shard.
///
/// Lines that can never become quotes are left out; process sets them aside. `late` says whether the time is up:
/// then no other part is begun, and the next one's first record is the failed one. The first part is always tried,
/// so that a batch gets on however often it comes.
pub async fn archive<L: Lake>(
    batch: &[Record],
    settings: &ArchiveSettings,
    lake: &mut L,
    late: impl Fn() -> bool,
) -> Archived {
    let mut done = Archived { quotes: vec![0; batch.len()], failed: None };
    let mut judge = Judge::default();
    let mut start = 0;
    while let Some(first) = batch.get(start) {
        if start > 0 && late() {
            let error = PortError("the time was up".into());
            done.failed = Some(Failed { record: first.sequence, error });
            break;
        }
        let part = Part::take(batch.get(start..).unwrap_or_default(), settings, &mut judge);
        let counts = part.counts.clone();
        let put = match part.objects(settings) {
            Ok(objects) if objects.is_empty() => Ok(()),
            Ok(objects) => lake.put(objects).await,
            Err(error) => Err(error),
        };
        if let Err(error) = put {
            done.failed = Some(Failed { record: first.sequence, error });
            break;
        }
        for (total, count) in done.quotes.iter_mut().skip(start).zip(&counts) {
            *total = *count;
        }
        start += counts.len().max(1);
    }
    done
}

/// Records whose quotes are put at once.
struct Part {
    first: RecordSequence,
    last: RecordSequence,
    /// The quotes of each record.
    counts: Vec<u64>,
    days: BTreeMap<Date, Vec<LakeQuote>>,
    raw: BTreeMap<Option<Symbol>, RawLines>,
}

/// The lines of an object.
struct RawLines {
    /// The market time of the first.
    time: Timestamp,
    bytes: Vec<u8>,
}

impl Part {
    /// As many of these records as make no more than [`PART_OBJECTS`] objects, but one at least.
    fn take(records: &[Record], settings: &ArchiveSettings, judge: &mut Judge) -> Self {
        let first = records.first().map_or(RecordSequence::local(0), |r| r.sequence);
        let mut part = Self { first, last: first, counts: Vec::new(), days: BTreeMap::new(), raw: BTreeMap::new() };
        for record in records {
            let mut quotes = Vec::new();
            judge.record(
                record,
                |sequence, quote, line| quotes.push((LakeQuote::new(quote, sequence, settings.anomaly), line)),
                |_| {},
            );
            if part.objects_with(&quotes, settings.raw) > PART_OBJECTS && !part.counts.is_empty() {
                break;
            }
            part.counts.push(quotes.len() as u64);
            part.last = record.sequence;
            for (quote, line) in quotes {
                part.push(quote, line, settings.raw);
            }
        }
        part
    }

    /// How many objects there were with these quotes as well, which are of one symbol.
    fn objects_with(&self, quotes: &[(LakeQuote, &[u8])], raw: Raw) -> usize {
        let days: BTreeSet<Date> = quotes.iter().map(|(q, _)| q.quote.timestamp.date()).collect();
        let new_days = days.iter().filter(|day| !self.days.contains_key(day)).count();
        let new_raw = quotes
            .first()
            .and_then(|(q, _)| raw_object(&q.quote.symbol, raw))
            .is_some_and(|name| !self.raw.contains_key(&name));
        self.days.len() + new_days + self.raw.len() + usize::from(new_raw)
    }

    fn push(&mut self, quote: LakeQuote, line: &[u8], raw: Raw) {
        if let Some(name) = raw_object(&quote.quote.symbol, raw) {
            let time = quote.quote.timestamp;
            let lines = self.raw.entry(name).or_insert_with(|| RawLines { time, bytes: Vec::new() });
            push_line(&mut lines.bytes, line, &quote);
        }
        self.days.entry(quote.quote.timestamp.date()).or_default().push(quote);
    }

    fn objects(self, settings: &ArchiveSettings) -> Result<Vec<Object>, PortError> {
        let Self { first, last, days, raw, .. } = self;
        let mut objects = Vec::with_capacity(days.len() + raw.len());
        for (dt, quotes) in days {
            let key = quotes_key(dt, &settings.shard, first, last);
            let mut bytes = Vec::new();
            // It never fails on quotes that were judged, and if it does they must not be lost.
            let Span { first, last, rows } =
                encode(&quotes, &mut bytes).map_err(|e| PortError(format!("{key}: {e}")))?;
            objects.push(Object { key, bytes, kind: ObjectKind::Parquet { dt, first, last, rows } });
        }
        for (symbol, RawLines { time, bytes }) in raw {
            let key = raw_key(symbol.as_deref(), time, &settings.shard, first, last);
            objects.push(Object { key, bytes, kind: ObjectKind::Raw });
        }
        Ok(objects)
    }
}

/// Which of a part's objects a symbol's lines go to: its own, or that of all; none where they are not kept.
fn raw_object(symbol: &Symbol, raw: Raw) -> Option<Option<Symbol>> {
    match raw {
        Raw::Symbol => Some(Some(symbol.clone())),
        Raw::Batch => Some(None),
        Raw::Off => None,
    }
}

/// Appends the line as it came, with its sequence as the object's last member.
fn push_line(out: &mut Vec<u8>, line: &[u8], quote: &LakeQuote) {
    let line = line.trim_ascii();
    out.extend_from_slice(line.strip_suffix(b"}").unwrap_or(line));
    out.extend_from_slice(b",\"sequence\":\"");
    quote.sequence.push(out);
    out.extend_from_slice(b"\"}\n");
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{
        cell::Cell,
        collections::BTreeMap,
        pin::pin,
        task::{Context, Poll, Waker},
    };

    /// A lake in memory, that fails at one of its puts.
    #[derive(Default)]
    struct Memory {
        objects: BTreeMap<String, Object>,
        puts: Vec<usize>,
        fails_at: Option<usize>,
    }

    impl Lake for Memory {
        async fn put(&mut self, objects: Vec<Object>) -> Result<(), PortError> {
            self.puts.push(objects.len());
            if self.fails_at == Some(self.puts.len()) {
                return Err(PortError("throttled".into()));
            }
            self.objects.extend(objects.into_iter().map(|o| (o.key.clone(), o)));
            Ok(())
        }
    }

    fn run(batch: &[Record], raw: Raw, lake: &mut Memory, late: impl Fn() -> bool) -> Archived {
        let settings = ArchiveSettings { shard: "0".into(), raw, anomaly: AnomalyThreshold::default() };
        let mut future = pin!(archive(batch, &settings, lake, late));
        match future.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(archived) => archived,
            Poll::Pending => panic!("nothing here waits"),
        }
    }

    fn record(number: u64, symbol: &str, lines: &[&str]) -> Record {
        Record {
            sequence: RecordSequence::local(number),
            partition_key: symbol.into(),
            arrived_at: Timestamp::parse("2026-11-20T21:00:00Z").expect("a time"),
            data: lines.join("\n").as_bytes().into(),
        }
    }

    fn line(symbol: &str, time: &str) -> String {
        format!(r#"{{"symbol":"{symbol}","timestamp":"{time}","price":1.5}}"#)
    }

    /// One record a day, from 2020-01-01 on.
    fn days(count: u64) -> Vec<Record> {
        let start = Date::parse("2020-01-01").expect("a date");
        let time = |i: u64| start.plus_days(i as i32).start().to_string();
        (0..count).map(|i| record(i + 1, "A", &[&line("A", &time(i))])).collect()
    }

    #[test]
    fn a_batch_becomes_a_file_a_day_and_lines_by_symbol() {
        let spaced = format!("  {} \r", line("A", "2026-11-19T20:00:00Z"));
        let batch = [
            record(5, "A", &[&spaced, "{broken", &line("A", "2026-11-20T20:00:00Z")]),
            record(6, "B", &[&line("B", "2026-11-20T20:00:00Z"), &line("B", "2026-11-20T20:00:00Z")]),
            record(9, "C", &["nonsense"]),
        ];
        let mut lake = Memory::default();
        let archived = run(&batch, Raw::Symbol, &mut lake, || true);
        assert_eq!(archived, Archived { quotes: vec![2, 2, 0], failed: None });
        let ends = "0-00000000000000000005-00000000000000000009";
        assert_eq!(
            lake.objects.keys().cloned().collect::<Vec<_>>(),
            [
                format!("quotes/dt=2026-11-19/{ends}.parquet"),
                format!("quotes/dt=2026-11-20/{ends}.parquet"),
                format!("raw-data/A/20261119T200000.000Z_{ends}.json"),
                format!("raw-data/B/20261120T200000.000Z_{ends}.json"),
            ]
        );
        let raw = &lake.objects[&format!("raw-data/A/20261119T200000.000Z_{ends}.json")];
        assert_eq!(
            String::from_utf8_lossy(&raw.bytes),
            concat!(
                r#"{"symbol":"A","timestamp":"2026-11-19T20:00:00Z","price":1.5,"sequence":"00000000000000000005-00000"}"#,
                "\n",
                r#"{"symbol":"A","timestamp":"2026-11-20T20:00:00Z","price":1.5,"sequence":"00000000000000000005-00002"}"#,
                "\n"
            )
        );
        // Raw lines have the duplicate, the file has not.
        let b = &lake.objects[&format!("raw-data/B/20261120T200000.000Z_{ends}.json")];
        assert_eq!(b.bytes.iter().filter(|b| **b == b'\n').count(), 2);
        let time = Timestamp::parse("2026-11-20T20:00:00Z").expect("a time");
        assert_eq!(
            lake.objects[&format!("quotes/dt=2026-11-20/{ends}.parquet")].kind,
            ObjectKind::Parquet { dt: time.date(), first: time, last: time, rows: 2 }
        );
    }

    #[test]
    fn one_object_of_lines_or_none() {
        let batch = [
            record(1, "A", &[&line("A", "2026-11-20T20:00:00Z")]),
            record(2, "B", &[&line("B", "2026-11-20T20:00:00Z")]),
        ];
        for (raw, objects) in [(Raw::Batch, 1), (Raw::Off, 0)] {
            let mut lake = Memory::default();
            run(&batch, raw, &mut lake, || false);
            assert_eq!(lake.objects.keys().filter(|k| k.starts_with("raw-data/")).count(), objects);
        }
    }

    #[test]
    fn a_long_replay_goes_in_parts() {
        let batch = days(1300);
        let mut lake = Memory::default();
        let archived = run(&batch, Raw::Batch, &mut lake, || false);
        assert_eq!(archived, Archived { quotes: vec![1; 1300], failed: None });
        // 499 days and their lines, twice, and what is left.
        assert_eq!(lake.puts, [500, 500, 303]);
        let before = lake.objects.clone();
        run(&batch, Raw::Batch, &mut lake, || false);
        assert_eq!(lake.objects, before);
    }

    #[test]
    fn what_fails_or_comes_too_late_is_the_first_failed_record() {
        let batch = days(1300);
        let mut lake = Memory { fails_at: Some(2), ..Memory::default() };
        let archived = run(&batch, Raw::Off, &mut lake, || false);
        let failed = archived.failed.expect("a failure");
        assert_eq!((failed.record.number(), failed.error.0.as_str()), (Some(501), "throttled"));
        assert_eq!(archived.quotes.iter().sum::<u64>(), 500);

        let asked = Cell::new(0);
        let late = || {
            asked.set(asked.get() + 1);
            asked.get() == 2
        };
        let archived = run(&batch, Raw::Off, &mut Memory::default(), late);
        assert_eq!(archived.failed.and_then(|f| f.record.number()), Some(1001));
        assert_eq!(archived.quotes.iter().sum::<u64>(), 1000);
    }

    #[test]
    fn a_batch_of_bad_lines_is_done_with() {
        let mut lake = Memory::default();
        let archived = run(&[record(1, "A", &["x"]), record(2, "A", &[""])], Raw::Symbol, &mut lake, || false);
        assert_eq!(archived, Archived { quotes: vec![0, 0], failed: None });
        assert!(lake.puts.is_empty());
        assert_eq!(run(&[], Raw::Symbol, &mut lake, || false), Archived::default());
    }
}
