//! Looking up what became of what was sent, until all of it is known.

use super::{Sent, SentQuote, values};
use crate::{
    error::Error,
    targets::{
        Run,
        aws::{deployed::Deployed, failed},
        local::stream::now,
    },
};
use aws_ports::item;
use aws_sdk_dynamodb::types::AttributeValue;
use futures::{StreamExt, TryStreamExt, stream};
use pipeline::{Date, Item, RecordSequence, Sequence, Signal, Symbol, Timestamp};
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

/// Symbols that are asked for at once.
const QUERIES: usize = 32;

/// What is known so far of what was sent.
#[derive(Debug)]
pub struct Looked {
    sent: Sent,
    /// What became of it.
    run: Run,
    /// Quotes of which nothing is in the table yet, by symbol, in order of time.
    pending: HashMap<Symbol, Vec<SentQuote>>,
    /// Lines that are to be set aside.
    others: BTreeSet<Sequence>,
    /// Signals that are to be recorded.
    signals: HashMap<Symbol, BTreeSet<Timestamp>>,
    /// Records that are to be in the lake, by the day of their quotes, and how many of these there are.
    archiving: BTreeMap<Date, HashMap<u32, u64>>,
}

/// What is not known yet.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Waiting {
    /// Lines that are neither in the table nor set aside.
    pub storing: u64,
    /// Quotes that are not in the lake.
    pub archiving: u64,
    /// Signals that are not recorded.
    pub signals: u64,
}

impl Waiting {
    /// Whether all is known.
    pub fn is_nothing(&self) -> bool {
        *self == Self::default()
    }
}

impl Looked {
    /// Nothing is known yet.
    pub fn new(mut sent: Sent) -> Self {
        let mut pending = std::mem::take(&mut sent.quotes);
        let mut archiving = BTreeMap::<Date, HashMap<u32, u64>>::new();
        for quotes in pending.values_mut() {
            // Of an identity the first in the stream comes first.
            quotes.sort_by_key(|quote| quote.timestamp);
            for quote in quotes {
                *archiving.entry(quote.timestamp.date()).or_default().entry(quote.record).or_default() += 1;
            }
        }
        let others = std::mem::take(&mut sent.others).into_iter().collect();
        Self { sent, run: Run::default(), pending, others, signals: HashMap::new(), archiving }
    }

    /// What became of it, as far as it is known.
    pub fn run(&self) -> &Run {
        &self.run
    }

    /// What is not known yet.
    pub fn waiting(&self) -> Waiting {
        let quotes = self.pending.values().map(Vec::len).sum::<usize>();
        Waiting {
            storing: (quotes + self.others.len()) as u64,
            archiving: self.archiving.values().flat_map(HashMap::values).sum(),
            signals: self.signals.values().map(BTreeSet::len).sum::<usize>() as u64,
        }
    }

    /// Looks once for all that is not known yet.
    pub async fn look(&mut self, deployed: &Deployed) -> Result<(), Error> {
        let found = {
            let asked = self.pending.iter().map(|(symbol, quotes)| items(deployed, symbol, quotes));
            stream::iter(asked).buffer_unordered(QUERIES).try_collect::<Vec<_>>().await?
        };
        for (symbol, items) in found {
            self.stored(&symbol, &items);
        }
        if !self.pending.is_empty() || !self.others.is_empty() {
            let set_aside = set_aside(deployed, self.sent.began).await?;
            self.set_aside(&set_aside);
        }
        let recorded = {
            let first = |times: &BTreeSet<Timestamp>| times.first().copied();
            let asked =
                self.signals.iter().map(async |(symbol, times)| deployed.recorded_of(symbol, first(times)).await);
            stream::iter(asked).buffer_unordered(QUERIES).try_collect::<Vec<_>>().await?
        };
        for Signal { symbol, timestamp, .. } in recorded.into_iter().flatten() {
            if let Some(times) = self.signals.get_mut(&symbol)
                && times.remove(&timestamp)
                && times.is_empty()
            {
                self.signals.remove(&symbol);
            }
        }
        if let (Some((&from, _)), Some((&to, _))) = (self.archiving.first_key_value(), self.archiving.last_key_value())
        {
            let files = files(deployed, from, to).await?;
            self.archived(&files);
        }
        Ok(())
    }

    /// Takes in the items of a symbol.
    fn stored(&mut self, symbol: &Symbol, items: &HashMap<Timestamp, Item>) {
        let Some(quotes) = self.pending.remove(symbol) else { return };
        let own: HashSet<Sequence> = quotes.iter().filter_map(|quote| self.sent.sequence(quote)).collect();
        let mut claimed = HashSet::new();
        let mut left = Vec::new();
        for quote in quotes {
            let (Some(item), Some(sequence)) = (items.get(&quote.timestamp), self.sent.sequence(&quote)) else {
                left.push(quote);
                continue;
            };
            let is_same = values(&item.quote) == quote.values;
            // Put twice because the answer was lost: the first of both is there, whose place nobody knows.
            let is_own_retry = self.sent.is_in_doubt(&quote)
                && is_same
                && item.quote.ingested_at == quote.ingested_at
                && !own.contains(&item.sequence);
            self.run.counts.quotes += 1;
            if item.sequence == sequence || is_own_retry && claimed.insert(quote.timestamp) {
                self.count_stored(item);
            } else if is_same {
                self.run.counts.duplicates += 1;
            } else {
                self.run.counts.revised += 1;
            }
        }
        if !left.is_empty() {
            self.pending.insert(symbol.clone(), left);
        }
    }

    fn count_stored(&mut self, item: &Item) {
        let counts = &mut self.run.counts;
        counts.stored += 1;
        counts.late += u64::from(item.late);
        counts.stale += u64::from(item.quote.stale);
        counts.anomalies += u64::from(item.anomaly);
        let took = item.processed_at.millis() - item.quote.ingested_at.millis();
        // Two clocks: the sender's and the function's.
        self.run.latency.record(u64::try_from(took).unwrap_or(0) * 1000, 1);
        if let Some(signal) = Signal::of(item) {
            self.run.signals += 1;
            self.signals.entry(signal.symbol).or_default().insert(signal.timestamp);
        }
    }

    /// Takes in the places of lines that were set aside.
    fn set_aside(&mut self, sequences: &HashSet<Sequence>) {
        let before = self.others.len();
        self.others.retain(|line| !sequences.contains(line));
        self.run.counts.set_aside += (before - self.others.len()) as u64;
        // What is a quote for us need not be one by the time of its arrival.
        let Self { pending, sent, run, archiving, .. } = self;
        for quotes in pending.values_mut() {
            quotes.retain(|quote| {
                let is_set_aside = sent.sequence(quote).is_some_and(|sequence| sequences.contains(&sequence));
                if is_set_aside {
                    run.counts.set_aside += 1;
                    if let Some(count) =
                        archiving.get_mut(&quote.timestamp.date()).and_then(|r| r.get_mut(&quote.record))
                    {
                        *count -= 1;
                    }
                }
                !is_set_aside
            });
        }
        pending.retain(|_, quotes| !quotes.is_empty());
        archiving.values_mut().for_each(|records| records.retain(|_, count| *count > 0));
        archiving.retain(|_, records| !records.is_empty());
    }

    /// Takes in the files of the lake.
    fn archived(&mut self, files: &[File]) {
        let Self { archiving, sent, run, .. } = self;
        for (day, records) in &mut *archiving {
            let files: Vec<&File> = files.iter().filter(|file| file.day == *day).collect();
            records.retain(|record, count| {
                let Some(record) = sent.records.get(*record as usize) else { return false };
                let has =
                    |file: &&&File| *file.shard == *record.shard && (file.first..=file.last).contains(&record.sequence);
                let is_there = files.iter().any(|file| has(&file));
                if is_there {
                    run.archived += *count;
                }
                !is_there
            });
        }
        archiving.retain(|_, records| !records.is_empty());
    }
}

/// The items of a symbol at the times of these quotes that have not expired.
async fn items(
    deployed: &Deployed,
    symbol: &Symbol,
    quotes: &[SentQuote],
) -> Result<(Symbol, HashMap<Timestamp, Item>), Error> {
    let time =
        |quote: Option<&SentQuote>| AttributeValue::S(quote.map(|q| q.timestamp.to_string()).unwrap_or_default());
    let wanted: HashSet<Timestamp> = quotes.iter().map(|quote| quote.timestamp).collect();
    let mut found = deployed
        .of(deployed.names.quotes_table(), symbol)
        .key_condition_expression("symbol = :symbol AND #time BETWEEN :from AND :to")
        .expression_attribute_names("#time", "timestamp")
        .expression_attribute_values(":from", time(quotes.first()))
        .expression_attribute_values(":to", time(quotes.last()))
        .into_paginator()
        .items()
        .send();
    let mut items = HashMap::new();
    while let Some(map) = found.next().await {
        let map = map.map_err(|e| failed("the table cannot be read", "DynamoDB.Query", &e))?;
        let item = item(&map).map_err(|e| Error::new("the table cannot be read").because(e))?;
        if wanted.contains(&item.quote.timestamp) && !item.expired(now()) {
            items.insert(item.quote.timestamp, item);
        }
    }
    Ok((symbol.clone(), items))
}

/// The places of all lines that were set aside on this day and since.
async fn set_aside(deployed: &Deployed, since: Timestamp) -> Result<HashSet<Sequence>, Error> {
    let mut sequences = HashSet::new();
    // By the stream's clock it may have been the day before.
    let first = since.plus_millis(-5 * 60 * 1000).date();
    let keys = keys(deployed, "set-aside/", &format!("set-aside/dt={first}")).await?;
    for key in keys {
        let name = key.rsplit('/').next().and_then(|name| name.strip_suffix(".json"));
        sequences.extend(name.and_then(Sequence::parse));
    }
    Ok(sequences)
}

/// A file of the lake, as its name says.
#[derive(Debug)]
struct File {
    day: Date,
    shard: String,
    first: RecordSequence,
    last: RecordSequence,
}

impl File {
    /// Reads `quotes/dt=2026-11-20/shardId-000000000000-<first>-<last>.parquet`; none of a merged one. Those that it was
    /// merged from stay for an hour.
    fn parse(key: &str) -> Option<Self> {
        let (day, name) = key.strip_prefix("quotes/dt=")?.split_once('/')?;
        let mut parts = name.strip_suffix(".parquet")?.rsplitn(3, '-');
        let (last, first, shard) = (parts.next()?, parts.next()?, parts.next()?);
        Some(Self {
            day: Date::parse(day)?,
            shard: shard.to_owned(),
            first: RecordSequence::parse(first)?,
            last: RecordSequence::parse(last)?,
        })
    }
}

/// The files of these days.
async fn files(deployed: &Deployed, from: Date, to: Date) -> Result<Vec<File>, Error> {
    let keys = keys(deployed, "quotes/", &format!("quotes/dt={from}")).await?;
    Ok(keys.iter().filter_map(|key| File::parse(key)).filter(|file| file.day <= to).collect())
}

/// The keys below a folder that come after `after`.
async fn keys(deployed: &Deployed, folder: &str, after: &str) -> Result<Vec<String>, Error> {
    let list = deployed.aws.s3().list_objects_v2().bucket(deployed.names.data_bucket()).prefix(folder);
    let mut pages = list.start_after(after).into_paginator().send();
    let mut keys = Vec::new();
    while let Some(page) = pages.next().await {
        let page = page.map_err(|e| failed("the lake cannot be listed", "S3.ListObjectsV2", &e))?;
        keys.extend(page.contents.unwrap_or_default().into_iter().filter_map(|object| object.key));
    }
    Ok(keys)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::targets::producer::{Ack, Packed};
    use pipeline::{AnomalyThreshold, Quote};
    use std::sync::Arc;

    fn put(sent: &mut Sent, number: &str, lines: &[&str], is_in_doubt: bool) {
        let ack = Ack { key: Arc::from("A"), through: None, count: lines.len() as u64 };
        let packed = Packed { ack, put_at: 0, data: lines.join("\n").into_bytes() };
        sent.add(&packed, number, Some("shardId-000000000000"), is_in_doubt);
    }

    fn quote(time: &str, price: &str, ingested_at: &str) -> String {
        format!(
            r#"{{"symbol":"A","timestamp":"2026-11-20T{time}.000Z","price":{price},"ingested_at":"2026-11-20T{ingested_at}.000Z"}}"#
        )
    }

    fn item(text: &str, number: &str, line: u32) -> Item {
        let mut quotes = Vec::new();
        let record = pipeline::Record {
            sequence: aws_ports::sequence(number).unwrap(),
            partition_key: "A".into(),
            arrived_at: now(),
            data: text.as_bytes().into(),
        };
        pipeline::Judge::default().record(&record, |_, quote: Quote, _| quotes.push(quote), |_| {});
        let quote = quotes.pop().unwrap();
        let (change_percent, anomaly) = pipeline::change(&quote, AnomalyThreshold::default());
        Item {
            sequence: record.sequence.line(line),
            processed_at: quote.ingested_at.plus_millis(40),
            expires_at: i64::MAX,
            late: false,
            trail: None,
            change_percent,
            anomaly,
            quote,
        }
    }

    fn by_time(items: Vec<Item>) -> HashMap<Timestamp, Item> {
        items.into_iter().map(|item| (item.quote.timestamp, item)).collect()
    }

    /// Would catch a quote that is counted before it is there, or counted as what it is not.
    #[test]
    fn an_item_says_what_became_of_each_quote() {
        let (one, two, three) = (
            quote("10:00:00", "1", "11:00:00"),
            quote("10:01:00", "2", "11:00:00"),
            quote("10:02:00", "3", "11:00:00"),
        );
        let revised = quote("10:00:00", "7", "11:00:00");
        let mut sent = Sent::default();
        let four = quote("10:03:00", "4", "11:00:00");
        put(&mut sent, "41", &[&one, &two, "no quote", &one, &revised], false);
        put(&mut sent, "42", &[&three], true);
        put(&mut sent, "43", &[&four], false);
        let mut looked = Looked::new(sent);
        assert_eq!(looked.waiting(), Waiting { storing: 7, archiving: 6, signals: 0 });
        // The second was there before, of somebody else; the third is not there yet.
        let theirs = quote("10:01:00", "2", "09:00:00");
        let symbol = Symbol::parse("A").unwrap();
        looked.stored(&symbol, &by_time(vec![item(&one, "41", 0), item(&theirs, "7", 0)]));
        let counts = looked.run().counts;
        assert_eq!((counts.stored, counts.duplicates, counts.revised), (1, 2, 1));
        assert_eq!(looked.waiting().storing, 3);
        // The answer to the third was lost, and it was put again: the first of both is in the table. The fourth was put
        // once, and somebody else sent the same in the same millisecond, before.
        looked.stored(&symbol, &by_time(vec![item(&three, "40", 0), item(&four, "39", 0)]));
        let counts = looked.run().counts;
        assert_eq!((counts.stored, counts.duplicates, counts.revised), (2, 3, 1));
        assert!((40.0..43.0).contains(&looked.run().latency(0.5).unwrap()));
        looked.set_aside(&HashSet::from([aws_ports::sequence("41").unwrap().line(2)]));
        assert_eq!((looked.waiting().storing, looked.run().counts.set_aside), (0, 1));
    }

    /// Would catch a file that is taken for one that holds a record, or not.
    #[test]
    fn the_name_of_a_file_says_what_is_in_the_lake() {
        let mut sent = Sent::default();
        put(&mut sent, "41", &[&quote("10:00:00", "1", "11:00:00"), &quote("10:00:01", "1", "11:00:00")], false);
        put(&mut sent, "43", &[&quote("10:00:02", "1", "11:00:00")], false);
        let mut looked = Looked::new(sent);
        let file = |day: &str, shard: &str, first: &str, last: &str| {
            let [first, last] = [first, last].map(|number| aws_ports::sequence(number).unwrap());
            File::parse(&format!("quotes/dt={day}/{shard}-{first}-{last}.parquet")).unwrap()
        };
        let shard = "shardId-000000000000";
        looked.archived(&[
            file("2026-11-19", shard, "1", "50"),
            file("2026-11-20", "shardId-000000000001", "1", "50"),
            file("2026-11-20", shard, "40", "42"),
        ]);
        assert_eq!((looked.waiting().archiving, looked.run().archived), (1, 2));
        looked.archived(&[file("2026-11-20", shard, "43", "43")]);
        assert_eq!((looked.waiting().archiving, looked.run().archived), (0, 3));
        assert!(File::parse("quotes/dt=2026-11-20/0123456789abcdef0123456789abcdef.parquet").is_none());
    }
}
