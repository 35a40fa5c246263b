//! Process: from a batch of the stream to items in the table.
//!
//! It reads the head of each symbol as it was before the batch and folds the batch in stream order, so what a
//! quote means depends on the stream alone: a batch that comes again, cut otherwise or to two instances, gives the
//! same items. In-order items are written in any order, since nothing else can have their identity; the others
//! one by one, on the condition that they are new.

use crate::{
    AnomalyThreshold, Head, Item, Judge, Newest, Origin, PortError, Put, Quote, Record, RecordSequence, SetAside,
    SetAsideStore, Signals, Symbol, Table, Timestamp, Trail, Window, change,
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
/// # Errors
/// When the heads cannot be read: then nothing was done, and the whole batch has to come again.
pub async fn process<P: Table + Signals, A: SetAsideStore>(
    batch: &[Record],
    settings: ProcessSettings,
    now: Timestamp,
    ports: &mut P,
    aside: &mut A,
) -> Result<Processed, PortError> {
    let mut done = Processed { counts: vec![Counts::default(); batch.len()], ..Processed::default() };
    let mut start = 0;
    while let Some(first) = batch.get(start) {
        // Within one part nothing that the part itself stores can expire.
        let limit = first.arrived_at.seconds().saturating_add(settings.retention.max(1));
        let part = batch.get(start..).unwrap_or_default();
        let len = part.iter().position(|r| r.arrived_at.seconds() >= limit).unwrap_or(part.len()).max(1);
        let part = part.get(..len).unwrap_or_default();
        if let Err(error) = process_part(part, start, settings, now, ports, aside, &mut done).await {
            if start == 0 {
                return Err(error);
            }
            done.failed = Some(Failed { record: first.sequence, error });
        }
        if done.failed.is_some() {
            break;
        }
        start += len;
    }
    Ok(done)
}

/// A quote of the part, and the record it came in.
struct Arrived {
    item: Item,
    record: usize,
}

/// The first quote of an identity, as far as is known.
#[derive(Clone, Copy)]
enum First {
    InOrder(usize),
    Other(usize),
    Table(usize),
}

async fn process_part<P: Table + Signals, A: SetAsideStore>(
    part: &[Record],
    offset: usize,
    settings: ProcessSettings,
    now: Timestamp,
    ports: &mut P,
    aside: &mut A,
    done: &mut Processed,
) -> Result<(), PortError> {
    let Some(first) = part.first() else { return Ok(()) };
    let mut symbols: Vec<Symbol> = Vec::new();
    let mut places: HashMap<Symbol, usize> = HashMap::new();
    let mut arrived: Vec<Vec<Arrived>> = Vec::new();
    let mut rejected: Vec<SetAside> = Vec::new();
    let mut judge = Judge::default();
    for (i, record) in part.iter().enumerate() {
        let record_at = offset + i;
        let mut place = None;
        let (mut quotes, mut bad) = (0, 0);
        judge.record(
            record,
            |sequence, quote, _| {
                // All quotes of a record are of one symbol, its partition key.
                let place = *place.get_or_insert_with(|| {
                    *places.entry(quote.symbol.clone()).or_insert_with(|| {
                        symbols.push(quote.symbol.clone());
                        arrived.push(Vec::new());
                        symbols.len() - 1
                    })
                });
                quotes += 1;
                if let Some(list) = arrived.get_mut(place) {
                    let item = item(quote, sequence, record.arrived_at, settings, now);
                    list.push(Arrived { item, record: record_at });
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

    let heads =
        if symbols.is_empty() { vec![] } else { ports.heads(&symbols, first.sequence, first.arrived_at).await? };
    if heads.len() != symbols.len() {
        return Err(PortError(format!("asked for {} heads, got {}", symbols.len(), heads.len())));
    }
    let unknown: Vec<Symbol> =
        symbols.iter().zip(&heads).filter(|(_, head)| head.newest.is_none()).map(|(s, _)| s.clone()).collect();
    if !unknown.is_empty() {
        ports.register(&unknown).await?;
    }
    if !rejected.is_empty() {
        aside.put(&rejected).await?;
    }

    let (mut in_order, mut others, mut seconds) = (Vec::new(), Vec::new(), Vec::new());
    let mut taken: Vec<Item> = Vec::new();
    for (quotes, head) in arrived.into_iter().zip(heads) {
        let mut fold = Fold::new(head, &mut taken);
        for quote in quotes {
            let arrival = part.get(quote.record - offset).map_or(now, |r| r.arrived_at);
            fold.quote(quote, arrival, &taken, &mut in_order, &mut others, &mut seconds);
        }
    }
    // By symbol so far; what is written one by one is written in stream order.
    let mut order: Vec<usize> = (0..others.len()).collect();
    order.sort_by_key(|&i| others.get(i).map(|(a, _): &(Arrived, Timestamp)| a.item.sequence));

    let mut failed: Option<Failed> = None;
    let (items, records): (Vec<Item>, Vec<usize>) = in_order.into_iter().map(|a: Arrived| (a.item, a.record)).unzip();
    let unwritten = if items.is_empty() { vec![] } else { ports.put_in_order(&items).await? };
    for &i in &unwritten {
        if let Some(item) = items.get(i) {
            let error = PortError("not every item of a batch was taken".into());
            fail(&mut failed, Failed { record: item.sequence.record, error });
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
        let Some((other, arrival)) = others.get(i) else { continue };
        match ports.put_new(&other.item, *arrival).await {
            Ok(Put::Stored) => count_stored(&mut done.counts, other.record, &other.item),
            Ok(Put::Taken(holder)) if holder.sequence == other.item.sequence => {
                count_stored(&mut done.counts, other.record, &other.item);
            }
            Ok(Put::Taken(holder)) => {
                count_second(&mut done.counts, other.record, &other.item.quote, &holder.quote);
                holders.insert(i, *holder);
            }
            Err(error) => {
                // What follows of the same identity must not come first: stop here.
                fail(&mut failed, Failed { record: other.item.sequence.record, error });
                break;
            }
        }
    }
    for (second, first) in seconds {
        let first = match first {
            First::InOrder(i) => items.get(i).map(|item| &item.quote),
            First::Other(i) => holders.get(&i).or_else(|| others.get(i).map(|(a, _)| &a.item)).map(|item| &item.quote),
            First::Table(i) => taken.get(i).map(|item| &item.quote),
        };
        if let Some(first) = first {
            count_second(&mut done.counts, second.record, &second.item.quote, first);
        }
    }
    match failed {
        None => done.in_order.extend(items),
        Some(failed) => {
            done.in_order.extend(items.into_iter().filter(|item| item.sequence.record < failed.record));
            done.failed = Some(failed);
        }
    }
    Ok(())
}

/// One symbol's quotes, folded in stream order.
struct Fold {
    newest: Option<Newest>,
    /// The part's own in-order quotes: market time, and place among the in-order items. Ascending.
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

    fn quote(
        &mut self,
        mut arrived: Arrived,
        arrival: Timestamp,
        taken: &[Item],
        in_order: &mut Vec<Arrived>,
        others: &mut Vec<(Arrived, Timestamp)>,
        seconds: &mut Vec<(Arrived, First)>,
    ) {
        let timestamp = arrived.item.quote.timestamp;
        self.newest.take_if(|n| n.expires_at <= arrival.seconds());
        arrived.item.late = self.newest.as_ref().is_some_and(|n| timestamp <= n.timestamp);
        if let Some(first) = self.first(timestamp, arrival, taken) {
            seconds.push((arrived, first));
            return;
        }
        let quote = &arrived.item.quote;
        if arrived.item.late || quote.stale || quote.origin == Origin::Backfill {
            self.firsts.insert(timestamp, First::Other(others.len()));
            others.push((arrived, arrival));
            return;
        }
        let (mut window, side) = match &self.newest {
            Some(newest) => (newest.trail.window.clone(), newest.trail.side_after()),
            None => (Window::default(), None),
        };
        window.push(quote.price);
        let trail = Trail { window, side };
        self.newest = Some(Newest { timestamp, trail: trail.clone(), expires_at: arrived.item.expires_at });
        self.in_order.push((timestamp, in_order.len()));
        arrived.item.trail = Some(trail);
        in_order.push(arrived);
    }

    /// What holds the identity, as far as is known without asking the table.
    fn first(&self, timestamp: Timestamp, arrival: Timestamp, taken: &[Item]) -> Option<First> {
        if self.in_order.last().is_some_and(|(newest, _)| timestamp <= *newest)
            && let Ok(at) = self.in_order.binary_search_by_key(&timestamp, |(t, _)| *t)
        {
            return self.in_order.get(at).map(|(_, i)| First::InOrder(*i));
        }
        match self.firsts.get(&timestamp)? {
            First::Table(i) if taken.get(*i).is_none_or(|item| item.expired(arrival)) => None,
            first => Some(*first),
        }
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
