//! What a user sees when something fails: what happened, to what, why, and what to type next.

use std::fmt;

/// What the process ends with. Scripts rely on the numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum ExitStatus {
    /// Done, a drained Ctrl-C included.
    Done = 0,
    /// Failed.
    Failed = 1,
    /// Wrong usage or settings.
    Usage = 2,
    /// Not confirmed.
    NotConfirmed = 3,
    /// No such stack, query, or none of the symbols.
    NotFound = 4,
    /// Done in part.
    Partial = 5,
    /// Interrupted at once.
    Interrupted = 130,
}

/// The one error that commands return.
#[derive(Debug)]
pub struct Error {
    what: String,
    causes: Vec<String>,
    hint: Option<String>,
    status: ExitStatus,
    beyond_repair: bool,
}

impl Error {
    /// Something failed.
    pub fn new(what: impl Into<String>) -> Self {
        Self { what: what.into(), causes: vec![], hint: None, status: ExitStatus::Failed, beyond_repair: false }
    }

    /// Adds why, the nearest cause first.
    #[must_use]
    pub fn because(mut self, cause: impl fmt::Display) -> Self {
        self.causes.push(cause.to_string());
        self
    }

    /// Says what to type next.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// Ends the process with another status than [`ExitStatus::Failed`].
    #[must_use]
    pub const fn status(mut self, status: ExitStatus) -> Self {
        self.status = status;
        self
    }

    /// Says that what it is about can only be removed and made anew.
    #[must_use]
    pub const fn beyond_repair(mut self) -> Self {
        self.beyond_repair = true;
        self
    }

    /// Whether what it is about can only be removed and made anew.
    pub const fn is_beyond_repair(&self) -> bool {
        self.beyond_repair
    }

    /// What the process ends with.
    pub const fn exit_status(&self) -> ExitStatus {
        self.status
    }

    /// What to type next.
    pub fn hint_text(&self) -> Option<&str> {
        self.hint.as_deref()
    }

    /// Whether it only says that nobody reads our output any more.
    pub fn is_broken_pipe(&self) -> bool {
        self.what == BROKEN_PIPE
    }
}

const BROKEN_PIPE: &str = "standard output was closed";

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.what)?;
        self.causes.iter().try_for_each(|cause| write!(f, ": {cause}"))
    }
}

impl std::error::Error for Error {}

impl From<std::io::Error> for Error {
    /// For writing to standard output; an error about a file is made where the file's name is known.
    fn from(error: std::io::Error) -> Self {
        match error.kind() {
            std::io::ErrorKind::BrokenPipe => Self::new(BROKEN_PIPE).status(ExitStatus::Done),
            _ => Self::new("standard output cannot be written").because(error),
        }
    }
}
