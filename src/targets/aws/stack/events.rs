//! How far an operation on the stack is: the events that CloudFormation tells, folded.
//!
//! Events come newest first, in pages that overlap from one poll to the next. A [`Board`] keeps each once, in order of
//! time, and folds them all anew whenever one is added: some hundreds at most, and whatever order they come in, the
//! state is the same (those of one millisecond stay in the order in which they were told). No clock is read here; what
//! is still going on is measured against a `now` of the caller's.
//!
//! **Which events are ours.** From the first one with our token on, every event of that stack's id, until the stack
//! itself has settled; afterwards only those with our token. The token alone would not do: an update that fails is
//! rolled back by a second operation, which somebody else may even have asked for. Nor would the stack alone: what was
//! done to it before, and what is done later, is not ours to show. While an operation runs no other can begin, so that
//! everything in between belongs to it.

mod board;

pub use board::Board;

use pipeline::Timestamp;
use std::time::Duration;

/// The type of a stack among its own resources.
const STACK: &str = "AWS::CloudFormation::Stack";
/// How CloudFormation says that a resource is made, and it waits until everybody sees it.
const SETTLING: &str = "Eventual consistency check initiated";
/// How it says that an update makes a resource anew.
const REPLACING: &str = "requires the creation of a new physical resource";

/// One event, as `DescribeStackEvents` gives it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StackEvent {
    /// What it is known by.
    pub id: String,
    /// When it happened, by the clock of AWS.
    pub time: Timestamp,
    /// The resource's name in the template; of the stack itself the stack's.
    pub logical_id: String,
    /// What the service calls it, once there is something.
    pub physical_id: Option<String>,
    /// Such as `AWS::Kinesis::Stream`.
    pub resource_type: String,
    /// Such as `CREATE_IN_PROGRESS`.
    pub status: String,
    /// Why, in CloudFormation's words.
    pub reason: Option<String>,
    /// What the operation was begun with (`ClientRequestToken`).
    pub token: Option<String>,
    /// The operation: a rolled-back update has two.
    pub operation_id: Option<String>,
    /// The ARN of the stack, which names it even after it is gone.
    pub stack_id: String,
    /// The name of the stack.
    pub stack_name: String,
}

impl StackEvent {
    /// Whether it is about the stack as a whole.
    #[must_use]
    pub fn is_of_stack(&self) -> bool {
        self.resource_type == STACK && self.physical_id.as_deref() == Some(&*self.stack_id)
    }

    /// Whether it only says that something else failed first.
    #[must_use]
    pub fn is_cancelled(&self) -> bool {
        let reason = self.reason.as_deref().unwrap_or_default().to_ascii_lowercase();
        // "Resource creation cancelled", "Resource update cancelled".
        reason.starts_with("resource ") && (reason.ends_with("cancelled") || reason.ends_with("canceled"))
    }

    /// Whether it says that a resource failed of itself.
    #[cfg(test)]
    #[must_use]
    pub fn is_failure(&self) -> bool {
        !self.is_of_stack() && self.status.ends_with("_FAILED") && !self.is_cancelled()
    }
}

/// What is done to a resource, or to the stack.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Act {
    /// It is made.
    Create,
    /// It is changed in place.
    Update,
    /// A new one is made, the old one goes when the rest is done.
    Replace,
    /// It is removed.
    Delete,
    /// One that is there already becomes the stack's.
    Import,
    /// What was done is undone.
    Rollback,
}

impl Act {
    fn of(status: &str) -> Option<Self> {
        match status {
            s if s.contains("ROLLBACK") => Some(Self::Rollback),
            s if s.starts_with("CREATE_") => Some(Self::Create),
            s if s.starts_with("UPDATE_") => Some(Self::Update),
            s if s.starts_with("DELETE_") => Some(Self::Delete),
            s if s.starts_with("IMPORT_") => Some(Self::Import),
            _ => None,
        }
    }
}

/// How far a resource is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// It is worked on.
    Doing,
    /// It is made and configured; CloudFormation waits until everybody sees it.
    Settling,
    /// What was to be done is done.
    Done,
    /// It failed of itself.
    Failed,
    /// It was given up because something else had failed.
    Cancelled,
    /// It leaves the stack and stays.
    Kept,
}

/// Which part of an operation is going on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Phase {
    /// What was asked for.
    #[default]
    Forward,
    /// Old versions of what was replaced, and what is no longer wanted, are removed.
    Cleanup,
    /// All of it is undone.
    Rollback,
}

/// How an operation ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// As it was asked for.
    Done,
    /// It failed, and everything is as it was before.
    RolledBack,
    /// It failed, and so did undoing it.
    RollbackFailed,
    /// It failed, and what was done so far stays.
    Failed,
}

/// A resource within one phase of the operation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resource {
    /// Its name in the template.
    pub name: String,
    /// Such as `AWS::Kinesis::Stream`.
    pub kind: String,
    /// What is done to it.
    pub act: Act,
    /// How far that is.
    pub status: Status,
    /// In which phase.
    pub phase: Phase,
    /// When it began; none where no event told.
    pub began: Option<Timestamp>,
    /// When it ended, if it has.
    pub ended: Option<Timestamp>,
    /// The last reason that was given.
    pub reason: Option<String>,
}

impl Resource {
    /// How long it took, or has been going on by `now`; none where no event told when it began.
    #[must_use]
    pub fn took(&self, now: Timestamp) -> Option<Duration> {
        self.began.map(|began| between(began, self.ended.unwrap_or(now)))
    }

    /// Whether it is worked on.
    #[must_use]
    pub const fn is_doing(&self) -> bool {
        matches!(self.status, Status::Doing | Status::Settling)
    }
}

/// What happened, for renderers. A resource is told as it was then.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// The operation began.
    StackBegan {
        /// What it does.
        act: Act,
    },
    /// A resource is worked on.
    ResourceStarted(Resource),
    /// What was to be done to it is done.
    ResourceDone(Resource),
    /// It failed of itself.
    ResourceFailed(Resource),
    /// It was given up because something else had failed.
    ResourceCancelled(Resource),
    /// It leaves the stack and stays.
    ResourceKept(Resource),
    /// From here on all is undone.
    RollbackBegan {
        /// CloudFormation's words.
        reason: Option<String>,
    },
    /// The operation ended.
    StackDone {
        /// How.
        outcome: Outcome,
        /// From the first to the last event.
        took: Duration,
    },
}

/// How many of how many resources are through, in the phase that goes on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Count {
    /// So many are done.
    pub done: usize,
    /// Of so many.
    pub total: usize,
}

/// From one time to another, nothing where that is earlier.
pub(super) fn between(from: Timestamp, to: Timestamp) -> Duration {
    Duration::from_millis(u64::try_from(to.millis() - from.millis()).unwrap_or(0))
}

#[cfg(test)]
pub(crate) mod tests;
