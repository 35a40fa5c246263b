//! Process: from a batch of the stream to items in the table.
//!
//! It reads the head of each symbol as it was before the batch and folds the batch in stream order, so what a
//! quote means depends on the stream alone: a batch that comes again, cut otherwise or to two instances, gives the
//! same items. In-order items are written in any order, since nothing else can have their identity; the others
//! one by one, on the condition that they are new.

use crate::{
    AnomalyThreshold, Asked, Head, Item, Judge, Newest, Origin, PortError, Put, Quote, Record, RecordSequence,
    SetAside, SetAsideStore, Signals, Symbol, Table, Timestamp, Trail, Window, change,
};
use std::collections::{BTreeMap, HashMap};

/// What process is told.
#[derive(Clone, Copy, Debug)]
pub struct ProcessSettings {
    /// How long an item is kept after its arrival, in seconds.
    pub retention: i64,
    /// Beyond which change a quote is an anomaly.
    pub anomaly: AnomalyThreshold,
}

/// What became of the lines of a record.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Lines that are quotes.
    pub quotes: u64,
    /// Quotes that are the first of their identity.
    pub stored: u64,
    /// Second ones with the same values.
    pub duplicates: u64,
    /// Second ones with others.
    pub revised: u64,
    /// Stored ones that were late.
    pub late: u64,
    /// Stored ones that were stale.
    pub stale: u64,
    /// Stored ones that are anomalies.
    pub anomalies: u64,
    /// Lines that can never become quotes.
    pub set_aside: u64,
}

impl Counts {
    /// Takes in another's.
    pub fn add(&mut self, other: &Self) {
        self.quotes += other.quotes;
        self.stored += other.stored;
        self.duplicates += other.duplicates;
        self.revised += other.revised;
        self.late += other.late;
        self.stale += other.stale;
        self.anomalies += other.anomalies;
        self.set_aside += other.set_aside;
    }
}

/// What became of a batch.
#[derive(Clone, Debug, Default)]
pub struct Processed {
    /// For each record of the batch; of those from the first failed one on they are void.
    pub counts: Vec<Counts>,
    /// The in-order items that were stored, of each symbol in stream order: what trend decides from.
    pub in_order: Vec<Item>,
    /// The first record that has to come again, and why.
    pub failed: Option<Failed>,
}

/// The first record that has to come again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failed {
    /// The record.
    pub record: RecordSequence,
    /// What failed.
    pub error: PortError,
}

/// Handles a batch, in stream order and of one shard.
///
/// What still counts when the first record arrives, and no longer when a later one does, ends the batch before that
/// one, which comes again first in a batch of its own. Its item might replace what the records before it are judged
/// by, and they may have to be judged again as long as the checkpoint is not past them.
///
/// # Errors
/// When the whole batch has to come again.
pub async fn process<P: Table + Signals, A: SetAsideStore>(
    batch: &[Record],
    settings: ProcessSettings,
    now: Timestamp,
    ports: &mut P,
    aside: &mut A,
) -> Result<Processed, PortError> {
    let mut done = Processed { counts: vec![Counts::default(); batch.len()], ..Processed::default() };
    let Some(first) = batch.first() else { return Ok(done) };
    // The batch's own items count until here at least.
    let limit = first.arrived_at.seconds().saturating_add(settings.retention.max(1));
    let len = batch.iter().position(|r| r.arrived_at.seconds() >= limit).unwrap_or(batch.len());
    let (batch, rest) = batch.split_at(len);
    done.failed = rest.first().map(|record| expired(record.sequence));

    let mut asked: Vec<Asked> = Vec::new();
    let mut places: HashMap<Symbol, usize> = HashMap::new();
    let mut arrived: Vec<Vec<Arrived>> = Vec::new();
    let mut rejected: Vec<SetAside> = Vec::new();
    let mut judge = Judge::default();
    for (record_at, record) in batch.iter().enumerate() {
        let mut place = None;
        let (mut quotes, mut bad) = (0, 0);
        judge.record(
            record,
            |sequence, quote, _| {
                // All quotes of a record are of one symbol, its partition key.
                let place = *place.get_or_insert_with(|| {
                    *places.entry(quote.symbol.clone()).or_insert_with(|| {
                        let (symbol, first) = (quote.symbol.clone(), quote.timestamp);
                        asked.push(Asked { symbol, first, last: first });
                        arrived.push(Vec::new());
                        asked.len() - 1
                    })
                });
                quotes += 1;
                if let Some(asked) = asked.get_mut(place) {
                    asked.first = asked.first.min(quote.timestamp);
                    asked.last = asked.last.max(quote.timestamp);
                }
                if let Some(list) = arrived.get_mut(place) {
                    let item = item(quote, sequence, record.arrived_at, settings, now);
                    list.push(Arrived { item, record: record_at, arrival: record.arrived_at });
                }
            },
            |line| {
                bad += 1;
                rejected.push(line);
            },
        );
        if let Some(counts) = done.counts.get_mut(record_at) {
            (counts.quotes, counts.set_aside) = (quotes, bad);
        }
    }

    let heads = if asked.is_empty() { vec![] } else { ports.heads(&asked, first.sequence, first.arrived_at).await? };
    if heads.len() != asked.len() {
        return Err(PortError(format!("asked for {} heads, got {}", asked.len(), heads.len())));
    }
    let unknown: Vec<Symbol> =
        asked.iter().zip(&heads).filter(|(_, head)| head.newest.is_none()).map(|(a, _)| a.symbol.clone()).collect();
    if !unknown.is_empty() {
        ports.register(&unknown).await?;
    }
    if !rejected.is_empty() {
        aside.put(&rejected).await?;
    }

    let mut parts = Parts::default();
    let mut taken: Vec<Item> = Vec::new();
    for (quotes, head) in arrived.into_iter().zip(heads) {
        let mut fold = Fold::new(head, &mut taken);
        for quote in quotes {
            if fold.expires(&quote, &taken) {
                fail(&mut done.failed, expired(quote.item.sequence.record));
                break;
            }
            fold.quote(quote, &mut parts);
        }
    }
    let Parts { items, records, others, seconds } = parts;
    // By symbol so far; what is written one by one is written in stream order.
    let mut order: Vec<usize> = (0..others.len()).collect();
    order.sort_by_key(|&i| others.get(i).map(|a: &Arrived| a.item.sequence));

    let unwritten = if items.is_empty() { vec![] } else { ports.put_in_order(&items).await? };
    for &i in &unwritten {
        if let Some(item) = items.get(i) {
            let error = PortError("not every item of a batch was taken".into());
            fail(&mut done.failed, Failed { record: item.sequence.record, error });
        }
    }
    for i in 0..items.len() {
        if let (Some(item), Some(&record)) = (items.get(i), records.get(i)) {
            count_stored(&mut done.counts, record, item);
        }
    }
    // Where each of `others` found its identity taken, by what.
    let mut holders: HashMap<usize, Item> = HashMap::new();
    for i in order {
        let Some(other) = others.get(i) else { continue };
        match ports.put_new(&other.item, first.arrived_at).await {
            Ok(Put::Stored) => count_stored(&mut done.counts, other.record, &other.item),
            Ok(Put::Taken(holder)) if holder.sequence == other.item.sequence => {
                count_stored(&mut done.counts, other.record, &other.item);
            }
            Ok(Put::Taken(holder)) if holder.expired(other.arrival) => {
                fail(&mut done.failed, expired(other.item.sequence.record));
                break;
            }
            Ok(Put::Taken(holder)) => {
                count_second(&mut done.counts, other.record, &other.item.quote, &holder.quote);
                holders.insert(i, *holder);
            }
            Err(error) => {
                // What follows comes again in any case: no more calls to what fails already.
                fail(&mut done.failed, Failed { record: other.item.sequence.record, error });
                break;
            }
        }
    }
    for (second, first) in seconds {
        let first = match first {
            First::InOrder(i) => items.get(i),
            First::Other(i) => holders.get(&i).or_else(|| others.get(i).map(|a| &a.item)),
            First::Table(i) => taken.get(i),
        };
        match first {
            Some(first) if first.expired(second.arrival) => {
                fail(&mut done.failed, expired(second.item.sequence.record));
            }
            Some(first) => count_second(&mut done.counts, second.record, &second.item.quote, &first.quote),
            None => {}
        }
    }
    done.in_order = items;
    if let Some(failed) = &done.failed {
        done.in_order.retain(|item| item.sequence.record < failed.record);
    }
    Ok(done)
}

/// A quote of the batch, and the record it came in.
struct Arrived {
    item: Item,
    record: usize,
    arrival: Timestamp,
}

/// The first quote of an identity, as far as is known.
#[derive(Clone, Copy)]
enum First {
    InOrder(usize),
    Other(usize),
    Table(usize),
}

/// A batch, folded: what is to be done with its quotes.
#[derive(Default)]
struct Parts {
    /// The in-order items, symbol by symbol, and beside each the place of its record.
    items: Vec<Item>,
    records: Vec<usize>,
    /// Those that are written one by one.
    others: Vec<Arrived>,
    /// Those whose identity is taken, by what.
    seconds: Vec<(Arrived, First)>,
}

/// One symbol's quotes, folded in stream order.
struct Fold {
    newest: Option<Newest>,
    /// The batch's own in-order quotes: market time, and place among the in-order items. Ascending.
    in_order: Vec<(Timestamp, usize)>,
    /// The other identities that are taken.
    firsts: BTreeMap<Timestamp, First>,
}

impl Fold {
    fn new(head: Head, taken: &mut Vec<Item>) -> Self {
        let mut firsts = BTreeMap::new();
        for item in head.taken {
            firsts.insert(item.quote.timestamp, First::Table(taken.len()));
            taken.push(item);
        }
        Self { newest: head.newest, in_order: Vec::new(), firsts }
    }

    /// Whether what the quote is judged by counted when the batch began, and does no longer.
    fn expires(&self, arrived: &Arrived, taken: &[Item]) -> bool {
        let holder = match self.firsts.get(&arrived.item.quote.timestamp) {
            Some(First::Table(i)) => taken.get(*i),
            _ => None,
        };
        self.newest.as_ref().is_some_and(|n| n.expires_at <= arrived.arrival.seconds())
            || holder.is_some_and(|item| item.expired(arrived.arrival))
    }

    fn quote(&mut self, mut arrived: Arrived, parts: &mut Parts) {
        let timestamp = arrived.item.quote.timestamp;
        arrived.item.late = self.newest.as_ref().is_some_and(|n| timestamp <= n.timestamp);
        if let Some(first) = self.first(timestamp) {
            parts.seconds.push((arrived, first));
            return;
        }
        let quote = &arrived.item.quote;
        if arrived.item.late || quote.stale || quote.origin == Origin::Backfill {
            self.firsts.insert(timestamp, First::Other(parts.others.len()));
            parts.others.push(arrived);
            return;
        }
        let expires_at = arrived.item.expires_at;
        let mut trail = match &self.newest {
            Some(newest) => Trail { window: newest.trail.window.clone(), side: newest.trail.side_after() },
            None => Trail { window: Window::default(), side: None },
        };
        trail.window.push(quote.price);
        self.newest = Some(Newest { timestamp, trail: trail.clone(), expires_at });
        self.in_order.push((timestamp, parts.items.len()));
        arrived.item.trail = Some(Box::new(trail));
        parts.items.push(arrived.item);
        parts.records.push(arrived.record);
    }

    /// What holds the identity, as far as is known without asking the table.
    fn first(&self, timestamp: Timestamp) -> Option<First> {
        if self.in_order.last().is_some_and(|(newest, _)| timestamp <= *newest)
            && let Ok(at) = self.in_order.binary_search_by_key(&timestamp, |(t, _)| *t)
        {
            return self.in_order.get(at).map(|(_, i)| First::InOrder(*i));
        }
        self.firsts.get(&timestamp).copied()
    }
}

fn item(
    quote: Quote,
    sequence: crate::Sequence,
    arrival: Timestamp,
    settings: ProcessSettings,
    now: Timestamp,
) -> Item {
    let (change_percent, anomaly) = change(&quote, settings.anomaly);
    Item {
        quote,
        sequence,
        change_percent,
        anomaly,
        late: false,
        trail: None,
        processed_at: now,
        expires_at: arrival.seconds().saturating_add(settings.retention),
    }
}

fn expired(record: RecordSequence) -> Failed {
    Failed { record, error: PortError("something expired since the batch began: it comes again by itself".into()) }
}

fn fail(first: &mut Option<Failed>, failed: Failed) {
    if first.as_ref().is_none_or(|f| failed.record < f.record) {
        *first = Some(failed);
    }
}

fn count_stored(counts: &mut [Counts], record: usize, item: &Item) {
    if let Some(counts) = counts.get_mut(record) {
        counts.stored += 1;
        counts.late += u64::from(item.late);
        counts.stale += u64::from(item.quote.stale);
        counts.anomalies += u64::from(item.anomaly);
    }
}

fn count_second(counts: &mut [Counts], record: usize, second: &Quote, first: &Quote) {
    if let Some(counts) = counts.get_mut(record) {
        let kind = if second.same_values(first) { &mut counts.duplicates } else { &mut counts.revised };
        *kind += 1;
    }
}
