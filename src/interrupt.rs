//! Ctrl-C: the first one asks to finish, the second one ends at once. SIGTERM is a first one.

use crate::error::{Error, ExitStatus};
use std::{
    process,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
};

/// Whether the user asked to finish.
#[derive(Clone, Debug, Default)]
pub struct Interrupt(Arc<AtomicBool>);

impl Interrupt {
    /// Begins to listen.
    pub fn listen() -> Result<Self, Error> {
        let interrupt = Self::default();
        let theirs = interrupt.clone();
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_io()
            .build()
            .map_err(|e| Error::new("signals cannot be received").because(e))?;
        thread::spawn(move || runtime.block_on(theirs.count()));
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

    async fn count(self) {
        loop {
            first_of_either().await;
            if self.0.swap(true, Ordering::AcqRel) {
                process::exit(ExitStatus::Interrupted as i32);
            }
        }
    }
}

#[cfg(unix)]
async fn first_of_either() {
    use tokio::signal::unix::{SignalKind, signal};
    let (interrupt, terminate) = (signal(SignalKind::interrupt()), signal(SignalKind::terminate()));
    if let (Ok(mut interrupt), Ok(mut terminate)) = (interrupt, terminate) {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
    } else {
        std::future::pending::<()>().await;
    }
}

#[cfg(not(unix))]
async fn first_of_either() {
    if tokio::signal::ctrl_c().await.is_err() {
        std::future::pending::<()>().await;
    }
}
