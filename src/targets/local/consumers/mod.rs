//! The consumers: process, archive, alerts and housekeeping, in whichever process holds the lease.
//!
//! Batches are delivered by the rules that Lambda documents for its stream event sources, so that what works here
//! works there: in order, at least once, a checkpoint per consumer; what fails is tried again with growing pauses,
//! from the first failed record on; a batch that fails as a whole comes again in halves; a record that makes a
//! handler panic is set aside.

mod batches;
mod deliver;
mod housekeeping;
mod session;

use super::{
    Settings, Wake,
    lease::{Acquired, Holder, Lease},
    state::{Folder, integer},
};
use crate::error::Error;
use pipeline::Raised;
use rusqlite::Connection;
use session::Session;
use std::{
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
        mpsc,
    },
    thread::{self, JoinHandle},
    time::Duration,
};

/// How often other processes' records are looked for.
const POLL: Duration = Duration::from_millis(5);
/// The first and the longest pause after a failure.
const PAUSES: (Duration, Duration) = (Duration::from_millis(50), Duration::from_secs(10));
/// The consumers of the stream, as their checkpoints name them.
const PROCESS: &str = "process";
const ARCHIVE: &str = "archive";

/// Something a user may want to see.
#[derive(Debug)]
pub enum Event {
    /// Alerts are published by showing them; only then are they marked.
    Alerts {
        /// What was raised.
        raised: Vec<Raised>,
        /// To be told once they are shown.
        shown: mpsc::Sender<()>,
    },
    /// A consumer failed, and tries again.
    Retrying {
        /// Which.
        consumer: &'static str,
        /// Why.
        error: String,
        /// After which pause.
        pause: Duration,
    },
    /// A record made a handler panic and was set aside.
    Poisoned {
        /// The record's number.
        record: u64,
    },
}

/// Where events go.
pub type Events = Arc<dyn Fn(Event) + Send + Sync>;

/// Runs the consumers while it has the lease, and asks for the lease while it has not.
pub struct Consumers {
    shared: Arc<Shared>,
    thread: JoinHandle<()>,
}

struct Shared {
    folder: Folder,
    settings: Settings,
    wake: Arc<Wake>,
    stop: AtomicBool,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    holding: bool,
    holder: Option<Holder>,
    failure: Option<String>,
}

/// Who runs the consumers, as seen from here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Role {
    /// This process.
    Ours,
    /// Another one.
    Theirs(Holder),
    /// Not known yet.
    Asking,
}

impl Consumers {
    /// Starts to ask for the lease.
    pub fn start(folder: &Folder, settings: Settings, wake: Arc<Wake>, events: Events) -> Result<Self, Error> {
        let in_use = folder.use_it()?;
        let shared = Arc::new(Shared {
            folder: folder.clone(),
            settings,
            wake,
            stop: AtomicBool::new(false),
            state: Mutex::default(),
        });
        let theirs = Arc::clone(&shared);
        let thread = thread::Builder::new()
            .name("lease".into())
            .spawn(move || {
                let _in_use = in_use;
                theirs.run(&events);
            })
            .map_err(|e| Error::new("a thread cannot be started").because(e))?;
        Ok(Self { shared, thread })
    }

    /// Who runs the consumers.
    pub fn role(&self) -> Role {
        let state = self.shared.state();
        match &state.holder {
            _ if state.holding => Role::Ours,
            Some(holder) => Role::Theirs(holder.clone()),
            None => Role::Asking,
        }
    }

    /// Why the consumers cannot run at all, if so.
    pub fn failure(&self) -> Option<String> {
        self.shared.state().failure.clone()
    }

    /// Ends after the batches under way, and gives the lease back.
    pub fn stop(self) {
        self.shared.stop.store(true, Ordering::Release);
        self.shared.wake.notify();
        // A panic there has been reported by the panic hook; the lease runs out by itself.
        let _ = self.thread.join();
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn run(&self, events: &Events) {
        while !self.stop.load(Ordering::Acquire) {
            let result = self.folder.table().and_then(|mut db| {
                let acquired = Lease::acquire(&mut db).map_err(|e| self.folder.broken("table.db", e))?;
                match acquired {
                    Acquired::Ours { lease, abandoned } => {
                        self.state().holding = true;
                        let session = Session::new(self, lease, db, Arc::clone(events))?;
                        let result = session.run(abandoned);
                        self.state().holding = false;
                        result.map_err(|e| self.folder.broken("table.db", e))
                    }
                    Acquired::Held(holder) => {
                        self.state().holder = Some(holder);
                        Ok(())
                    }
                }
            });
            self.state().failure = result.as_ref().err().map(ToString::to_string);
            if !self.stop.load(Ordering::Acquire) {
                self.wake.wait(self.wake.now(), if result.is_ok() { POLL * 20 } else { PAUSES.1 / 10 });
            }
        }
    }
}

/// Up to which record a consumer has taken the stream.
pub fn checkpoint(db: &Connection, consumer: &str) -> rusqlite::Result<u64> {
    db.prepare_cached("SELECT record FROM checkpoints WHERE consumer = ?")?
        .query_row([consumer], |row| row.get::<_, i64>(0))
        .map(|n| n as u64)
}

/// Asks for the lake to be written up to this record without waiting for more.
pub fn want_through(db: &Connection, record: u64) -> rusqlite::Result<()> {
    if wanted_through(db)? < record {
        db.execute("UPDATE flush SET through = max(through, ?)", [record as i64])?;
    }
    Ok(())
}

fn wanted_through(db: &Connection) -> rusqlite::Result<u64> {
    integer(db, "SELECT through FROM flush").map(|n| n.unwrap_or(0) as u64)
}
