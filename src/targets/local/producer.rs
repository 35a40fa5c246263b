//! The producer: packs quotes into records and puts them. While one commit is synced the next one gathers, so the
//! size of commits follows the load: a quote alone waits for nobody, a flood shares its syncs.

use super::{
    Wake,
    state::Folder,
    stream::{self, Group},
};
use crate::{error::Error, sources::Outgoing};
use pipeline::{RECORD_LIMIT, Symbol, Timestamp, push_json};
use std::{
    collections::HashMap,
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    thread::{self, JoinHandle},
    time::Duration,
};

/// How many bytes may wait for the commit that is under way.
const WAITING_LIMIT: usize = 2 << 20;
/// How often a put is tried before the producer gives up; each pause is twice as long as the one before.
const TRIES: u32 = 6;
/// The first pause.
const FIRST_PAUSE: Duration = Duration::from_millis(100);

/// A record that is durable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ack {
    /// The record's partition key.
    pub key: Arc<str>,
    /// The market time of its last quote; none for a line that is no quote.
    pub through: Option<Timestamp>,
    /// Its lines.
    pub count: u64,
}

/// Called with what has become durable, on the producer's thread.
pub type OnAck = Box<dyn FnMut(&[Ack]) + Send>;

/// Packs and puts.
pub struct Producer {
    shared: Arc<Shared>,
    /// Records that are being filled, by symbol; `order` says in which order they were begun.
    open: HashMap<Symbol, usize>,
    records: Vec<Open>,
    thread: JoinHandle<Result<(), Error>>,
}

struct Open {
    symbol: Symbol,
    data: Vec<u8>,
    put_at: u64,
    lines: u64,
    through: Timestamp,
}

struct Shared {
    waiting: Mutex<Waiting>,
    changed: Condvar,
}

#[derive(Default)]
struct Waiting {
    group: Group,
    acks: Vec<Ack>,
    /// What was taken is not durable yet.
    committing: bool,
    closed: bool,
    /// The writer gave up: nothing will be taken any more.
    failed: bool,
    acknowledged: u64,
}

/// How far a producer is, for others than whoever feeds it.
#[derive(Clone)]
pub struct Gauge(Arc<Shared>);

impl Gauge {
    /// How many quotes are durable.
    pub fn acknowledged(&self) -> u64 {
        self.0.lock().acknowledged
    }

    /// Waits until all that was handed over is durable or given up, so long at most.
    pub fn settle(&self, at_most: Duration) {
        let unsettled = |w: &mut Waiting| !w.failed && (w.committing || !w.group.is_empty());
        drop(self.0.changed.wait_timeout_while(self.0.lock(), at_most, unsettled));
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Producer {
    /// Starts to put for a run; `wake` tells the consumers of this process.
    pub fn start(folder: &Folder, run: i64, wake: Arc<Wake>, on_ack: Option<OnAck>) -> Result<Self, Error> {
        let in_use = folder.use_it()?;
        let db = folder.stream()?;
        let shared = Arc::new(Shared { waiting: Mutex::default(), changed: Condvar::new() });
        let (theirs, folder) = (Arc::clone(&shared), folder.clone());
        let thread = thread::Builder::new()
            .name("put".into())
            .spawn(move || {
                let _in_use = in_use;
                let result = write(db, run, &theirs, &wake, on_ack).map_err(|e| folder.broken("stream.db", e));
                let mut waiting = theirs.lock();
                waiting.failed |= result.is_err();
                theirs.changed.notify_all();
                result
            })
            .map_err(|e| Error::new("a thread cannot be started").because(e))?;
        Ok(Self { shared, open: HashMap::new(), records: Vec::new(), thread })
    }

    /// Takes quotes in their order, and waits while too much is on its way. False when it has given up.
    pub fn send(&mut self, quotes: &mut Vec<Outgoing>) -> bool {
        let put_at = stream::now_micros();
        for outgoing in quotes.drain(..) {
            match outgoing {
                Outgoing::Quote(quote) => self.pack(&quote, put_at),
                // What is no quote may still belong to a symbol, whose order it keeps.
                Outgoing::Raw { key, bytes } => {
                    self.close_all();
                    let ack = Ack { key: Arc::from(key), through: None, count: 1 };
                    self.hand_over(ack, put_at, &bytes);
                }
            }
        }
        self.close_all();
        !self.shared.lock().failed
    }

    /// How far it is.
    pub fn gauge(&self) -> Gauge {
        Gauge(Arc::clone(&self.shared))
    }

    /// Puts what is left and ends.
    pub fn finish(mut self) -> Result<(), Error> {
        self.close_all();
        self.shared.lock().closed = true;
        self.shared.changed.notify_all();
        self.thread.join().unwrap_or_else(|_| Err(Error::new("the thread that puts quotes panicked")))
    }

    fn pack(&mut self, quote: &pipeline::Quote, put_at: u64) {
        let at = match self.open.get(&quote.symbol) {
            Some(at) => *at,
            None => {
                let open = Open {
                    symbol: quote.symbol.clone(),
                    data: Vec::with_capacity(512),
                    put_at,
                    lines: 0,
                    through: quote.timestamp,
                };
                self.records.push(open);
                self.open.insert(quote.symbol.clone(), self.records.len() - 1);
                self.records.len() - 1
            }
        };
        let Some(record) = self.records.get_mut(at) else { return };
        let full = record.data.len();
        if record.lines > 0 {
            record.data.push(b'\n');
        }
        push_json(&mut record.data, quote);
        if record.data.len() > RECORD_LIMIT && record.lines > 0 {
            let next = record.data.split_off(full + 1);
            record.data.truncate(full);
            let done = std::mem::replace(&mut record.data, next);
            let ack = Ack { key: Arc::from(&*record.symbol), through: Some(record.through), count: record.lines };
            let begun_at = std::mem::replace(&mut record.put_at, put_at);
            record.lines = 0;
            self.hand_over(ack, begun_at, &done);
        }
        if let Some(record) = self.records.get_mut(at) {
            record.lines += 1;
            record.through = quote.timestamp;
        }
    }

    fn close_all(&mut self) {
        self.open.clear();
        for record in std::mem::take(&mut self.records) {
            let ack = Ack { key: Arc::from(&*record.symbol), through: Some(record.through), count: record.lines };
            self.hand_over(ack, record.put_at, &record.data);
        }
    }

    fn hand_over(&self, ack: Ack, put_at: u64, data: &[u8]) {
        let mut waiting = self.shared.lock();
        while waiting.group.len() > WAITING_LIMIT && !waiting.failed {
            waiting = self.shared.changed.wait(waiting).unwrap_or_else(PoisonError::into_inner);
        }
        if waiting.failed {
            return;
        }
        waiting.group.push(&ack.key, put_at, data, ack.count);
        waiting.acks.push(ack);
        self.shared.changed.notify_all();
    }
}

fn write(
    mut db: rusqlite::Connection,
    run: i64,
    shared: &Shared,
    wake: &Wake,
    mut on_ack: Option<OnAck>,
) -> rusqlite::Result<()> {
    let (mut group, mut acks) = (Group::default(), Vec::new());
    loop {
        {
            let mut waiting = shared.lock();
            while waiting.group.is_empty() {
                if waiting.closed {
                    return Ok(());
                }
                waiting = shared.changed.wait(waiting).unwrap_or_else(PoisonError::into_inner);
            }
            std::mem::swap(&mut waiting.group, &mut group);
            std::mem::swap(&mut waiting.acks, &mut acks);
            waiting.committing = true;
            shared.changed.notify_all();
        }
        let mut pause = FIRST_PAUSE;
        let mut tried = 1;
        while let Err(error) = stream::put(&mut db, run, &group) {
            if tried == TRIES {
                return Err(error);
            }
            thread::sleep(pause);
            (tried, pause) = (tried + 1, pause * 2);
        }
        wake.notify();
        let mut waiting = shared.lock();
        waiting.acknowledged += group.lines();
        waiting.committing = false;
        drop(waiting);
        shared.changed.notify_all();
        if let Some(on_ack) = &mut on_ack {
            on_ack(&acks);
        }
        group.clear();
        acks.clear();
    }
}
