//! Ctrl-C: the first one asks to finish, the second one ends at once. SIGTERM is a first one.

use crate::{
    error::{Error, ExitStatus},
    report::style,
};
use std::{
    io, process,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
};

/// What a second Ctrl-C leaves behind where quotes flow.
const OF_QUOTES: &str = "interrupted at once: what was acknowledged is durable, the next command stores it";
/// What it leaves behind where AWS is at work.
const OF_AWS: &str =
    "interrupted at once: what AWS has begun goes on; `stockpipe --target aws status --watch` looks on";

/// What it leaves behind where Athena is asked.
const OF_QUERY: &str = "interrupted at once: Athena may go on with the query, and charge for what it scans";

/// Whether the user asked to finish.
#[derive(Clone, Debug, Default)]
pub struct Interrupt(Arc<AtomicBool>);

impl Interrupt {
    /// Begins to listen: from now on no Ctrl-C ends the process by itself.
    pub fn listen() -> Result<Self, Error> {
        Self::listen_saying(OF_QUOTES)
    }

    /// As [`Self::listen`], while AWS does something.
    pub fn listen_to_aws() -> Result<Self, Error> {
        Self::listen_saying(OF_AWS)
    }

    /// As [`Self::listen`], while Athena answers.
    pub fn listen_to_query() -> Result<Self, Error> {
        Self::listen_saying(OF_QUERY)
    }

    fn listen_saying(at_once: &'static str) -> Result<Self, Error> {
        let failed = |e: io::Error| Error::new("signals cannot be received").because(e);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build().map_err(failed)?;
        let signals = {
            let _context = runtime.enter();
            Signals::listen().map_err(failed)?
        };
        let interrupt = Self::default();
        let theirs = interrupt.clone();
        thread::spawn(move || runtime.block_on(theirs.count(signals, at_once)));
        Ok(interrupt)
    }

    /// Whether it was asked.
    pub fn is_set(&self) -> bool {
        self.0.load(Ordering::Acquire)
    }

    /// Asks as Ctrl-C does.
    pub fn set(&self) {
        self.0.store(true, Ordering::Release);
    }

    /// Forgets that it was asked: what was asked for is done.
    pub fn clear(&self) {
        self.0.store(false, Ordering::Release);
    }

    async fn count(self, mut signals: Signals, at_once: &str) {
        loop {
            signals.next().await;
            if self.0.swap(true, Ordering::AcqRel) {
                style::say(&format!("\n{at_once}"));
                process::exit(ExitStatus::Interrupted as i32);
            }
        }
    }
}

/// What asks to finish. Listened to once and for all: one that comes while another is handled is not missed.
#[cfg(unix)]
struct Signals {
    interrupt: tokio::signal::unix::Signal,
    terminate: tokio::signal::unix::Signal,
}

#[cfg(unix)]
impl Signals {
    fn listen() -> io::Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};
        Ok(Self { interrupt: signal(SignalKind::interrupt())?, terminate: signal(SignalKind::terminate())? })
    }

    async fn next(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }
}

#[cfg(not(unix))]
struct Signals;

#[cfg(not(unix))]
impl Signals {
    fn listen() -> io::Result<Self> {
        Ok(Self)
    }

    async fn next(&mut self) {
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}
