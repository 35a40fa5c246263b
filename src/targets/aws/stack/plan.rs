//! What a change set would do, for people and for programs.
//!
//! The change set is described by the caller; here it is put in order. What is replaced or removed is always named with
//! what becomes of its data. Who may do what has a section of its own. A new stack has some 45 resources: those that
//! hold data, functions and rights are named, the others counted by what they belong to; JSON has all of them.

mod json;
mod lines;

use super::kinds::{Kind, Part, kind};

/// What is done to a resource.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// It is made.
    Add,
    /// It is changed, in place or by making it anew.
    Modify,
    /// It leaves the stack.
    Remove,
    /// One that is there already becomes the stack's.
    Import,
    /// CloudFormation cannot tell before it does it.
    Dynamic,
}

/// Whether a change makes a resource anew.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Replacement {
    /// It is changed in place.
    #[default]
    None,
    /// That depends on a value that is not known yet.
    Conditional,
    /// A new one takes its place.
    Replaced,
}

/// Whether a changed property makes its resource anew.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Recreation {
    /// Never.
    #[default]
    Never,
    /// That depends on the value.
    Conditionally,
    /// Always.
    Always,
}

/// One resource of a change set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// What is done to it.
    pub action: Action,
    /// Whether it is made anew.
    pub replacement: Replacement,
    /// Whether the one that is removed or replaced stays, outside the stack (`PolicyAction` is `Retain` or
    /// `ReplaceAndRetain`).
    pub old_stays: bool,
    /// Its name in the template.
    pub logical_id: String,
    /// What the service calls it, where there is one.
    pub physical_id: Option<String>,
    /// Such as `AWS::Kinesis::Stream`.
    pub resource_type: String,
    /// What of it changes.
    pub details: Vec<Detail>,
}

/// What changes of a resource.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Detail {
    /// `Properties`, `Tags`, `Metadata`, `DeletionPolicy`, …
    pub attribute: String,
    /// The property, where the attribute is `Properties`.
    pub name: Option<String>,
    /// Where in the resource, such as `/Properties/Environment/Variables/RETENTION`.
    pub path: Option<String>,
    /// The value so far.
    pub before: Option<String>,
    /// The value to be.
    pub after: Option<String>,
    /// Whether it makes the resource anew.
    pub requires_recreation: Recreation,
    /// The parameter or resource because of which it changes.
    pub cause: Option<String>,
}

/// What becomes of a resource: the groups of a plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Group {
    /// It is changed in place, or that is not certain.
    Changed,
    /// It is made.
    Added,
    /// A new one takes its place.
    Replaced,
    /// It leaves the stack.
    Removed,
    /// One that was kept is taken in.
    Imported,
}

impl Group {
    const ALL: [Self; 5] = [Self::Changed, Self::Added, Self::Replaced, Self::Removed, Self::Imported];

    const fn mark(self) -> char {
        match self {
            Self::Changed => '~',
            Self::Added => '+',
            Self::Replaced => '!',
            Self::Removed => '-',
            Self::Imported => '=',
        }
    }

    /// What it is called in answers for programs.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Changed => "change",
            Self::Added => "add",
            Self::Replaced => "replace",
            Self::Removed => "remove",
            Self::Imported => "import",
        }
    }

    /// What is to be done: `2 to change`.
    const fn verb(self) -> &'static str {
        match self {
            Self::Changed => "change",
            Self::Added => "add",
            Self::Replaced => "replace",
            Self::Removed => "remove",
            Self::Imported => "take in",
        }
    }
}

impl Change {
    /// What becomes of it. Where that is uncertain for something that holds data, the worst.
    #[must_use]
    pub fn group(&self) -> Group {
        match (self.action, self.replacement) {
            (Action::Add, _) => Group::Added,
            (Action::Remove, _) => Group::Removed,
            (Action::Import, _) => Group::Imported,
            (_, Replacement::Replaced) => Group::Replaced,
            (_, Replacement::Conditional) if self.holds_data() => Group::Replaced,
            _ => Group::Changed,
        }
    }

    /// Whether it holds what cannot be made again, or the key to it.
    #[must_use]
    pub fn holds_data(&self) -> bool {
        self.kind().part == Part::Data
    }

    /// Whether it says who may do what; of a key that is its policy.
    #[must_use]
    pub fn is_right(&self) -> bool {
        let is_policy = |detail: &Detail| detail.name.as_deref() == Some("KeyPolicy");
        self.kind().part == Part::Rights || self.group() == Group::Changed && self.details.iter().any(is_policy)
    }

    fn kind(&self) -> Kind {
        kind(&self.resource_type)
    }
}

/// A change set, in order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Plan {
    /// In the order of the parts, then as CloudFormation gave them.
    changes: Vec<Change>,
}

impl Plan {
    /// Of the changes of a change set, all pages of it.
    #[must_use]
    pub fn new(mut changes: Vec<Change>) -> Self {
        changes.sort_by_key(|change| change.kind().part);
        Self { changes }
    }

    /// How many resources it touches.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.changes.len()
    }

    /// All of them.
    #[must_use]
    pub fn changes(&self) -> &[Change] {
        &self.changes
    }

    /// Those of one group.
    pub fn group(&self, group: Group) -> impl Iterator<Item = &Change> {
        self.changes.iter().filter(move |change| change.group() == group)
    }

    /// Those that hold data and are replaced or removed, with what is in them.
    pub fn data_at_stake(&self) -> impl Iterator<Item = &Change> {
        let goes = |change: &&Change| matches!(change.group(), Group::Replaced | Group::Removed) && !change.old_stays;
        self.changes.iter().filter(|change| change.holds_data()).filter(goes)
    }
}

#[cfg(test)]
mod tests;
