//! The producer: puts packed quotes. While one commit is synced the next one gathers, so the
//! size of commits follows the load: a quote alone waits for nobody, a flood shares its syncs.

use super::{
    Wake,
    state::Folder,
    stream::{self, Group},
};
use crate::{
    error::Error,
    sources::Outgoing,
    targets::producer::{Ack, Gauge, OnAck, Packed, Packer, Producer},
};
use std::{
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

/// Packs and puts.
pub struct LocalProducer {
    shared: Arc<Shared>,
    packer: Packer,
    thread: JoinHandle<Result<(), Error>>,
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

impl Gauge for Shared {
    fn acknowledged(&self) -> u64 {
        self.lock().acknowledged
    }

    fn settle(&self, at_most: Duration) {
        let unsettled = |w: &mut Waiting| !w.failed && (w.committing || !w.group.is_empty());
        drop(self.changed.wait_timeout_while(self.lock(), at_most, unsettled));
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits while too much is on its way.
    fn hand_over(&self, packed: Packed) {
        let mut waiting = self.lock();
        while waiting.group.len() > WAITING_LIMIT && !waiting.failed {
            waiting = self.changed.wait(waiting).unwrap_or_else(PoisonError::into_inner);
        }
        if waiting.failed {
            return;
        }
        let Packed { ack, put_at, data } = packed;
        waiting.group.push(&ack.key, put_at, &data, ack.count);
        waiting.acks.push(ack);
        self.changed.notify_all();
    }
}

impl LocalProducer {
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
        Ok(Self { shared, packer: Packer::default(), thread })
    }

    /// How far it is.
    pub fn gauge(&self) -> Arc<dyn Gauge> {
        Arc::clone(&self.shared) as Arc<dyn Gauge>
    }
}

impl Producer for LocalProducer {
    fn send(&mut self, quotes: &mut Vec<Outgoing>) -> bool {
        let shared = &self.shared;
        self.packer.pack(quotes, stream::now_micros(), |packed| shared.hand_over(packed));
        !shared.lock().failed
    }

    fn finish(self: Box<Self>) -> Result<(), Error> {
        self.shared.lock().closed = true;
        self.shared.changed.notify_all();
        self.thread.join().unwrap_or_else(|_| Err(Error::new("the thread that puts quotes panicked")))
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
