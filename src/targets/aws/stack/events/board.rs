//! The events folded: which of them are ours, and what they come to.

use super::{Act, Count, Event, Outcome, Phase, REPLACING, Resource, SETTLING, StackEvent, Status, between};
use pipeline::Timestamp;
use std::{collections::HashSet, time::Duration};

/// The state of one operation.
#[derive(Clone, Debug)]
pub struct Board {
    token: String,
    /// How many resources the plan names.
    planned: usize,
    /// All that came, of whichever operation, the oldest first.
    events: Vec<StackEvent>,
    /// The ids of those events.
    known: HashSet<String>,
    /// The ids of those that were told on.
    told: HashSet<String>,
    state: State,
}

#[derive(Clone, Debug, Default)]
struct State {
    /// What the operation does.
    act: Option<Act>,
    began: Option<Timestamp>,
    phase: Phase,
    /// The stack's own status.
    status: Option<String>,
    outcome: Option<Outcome>,
    /// When the newest event happened.
    newest: Option<Timestamp>,
    resources: Vec<Resource>,
}

impl Board {
    /// Of the operation that was begun with this token, and is to touch so many resources (0 where no plan tells).
    #[must_use]
    pub fn new(token: impl Into<String>, planned: usize) -> Self {
        Self {
            token: token.into(),
            planned,
            events: vec![],
            known: HashSet::new(),
            told: HashSet::new(),
            state: State::default(),
        }
    }

    /// Takes events, newest first as they are given, and tells what is new of ours, the oldest first.
    ///
    /// They may have come before, and be of other operations. An event that comes after later ones is told when it
    /// comes.
    pub fn add(&mut self, newest_first: Vec<StackEvent>) -> Vec<Event> {
        let before = self.events.len();
        for event in newest_first.into_iter().rev() {
            if self.known.insert(event.id.clone()) {
                self.events.push(event);
            }
        }
        if self.events.len() == before {
            return vec![];
        }
        // Stable: events of the same millisecond stay in the order in which they were told.
        self.events.sort_by_key(|event| event.time);
        let mut state = State::default();
        let told: Vec<(String, Vec<Event>)> = self.ours().map(|event| (event.id.clone(), state.fold(event))).collect();
        self.state = state;
        told.into_iter().filter(|(id, _)| self.told.insert(id.clone())).flat_map(|(_, events)| events).collect()
    }

    /// The events of the operation, the oldest first.
    pub fn ours(&self) -> impl Iterator<Item = &StackEvent> {
        let mine = |event: &StackEvent| event.token.as_deref() == Some(&*self.token);
        let first = self.events.iter().position(mine).unwrap_or(self.events.len());
        let ours = self.events.get(first..).unwrap_or_default();
        let stack = ours.first().map(|event| &event.stack_id);
        let mut settled = false;
        ours.iter().filter(move |event| {
            let is_ours = mine(event) || !settled && Some(&event.stack_id) == stack;
            settled |= is_ours && event.is_of_stack() && outcome(&event.status, None).is_some();
            is_ours
        })
    }

    /// Whether the events hold one with this id: further pages then bring nothing new.
    #[must_use]
    pub fn knows(&self, id: &str) -> bool {
        self.known.contains(id)
    }

    /// What the operation does, once an event has told.
    #[must_use]
    pub const fn act(&self) -> Option<Act> {
        self.state.act
    }

    /// The part of it that goes on.
    #[must_use]
    pub const fn phase(&self) -> Phase {
        self.state.phase
    }

    /// The stack's own status, such as `UPDATE_IN_PROGRESS`.
    #[must_use]
    pub fn status(&self) -> Option<&str> {
        self.state.status.as_deref()
    }

    /// How it ended, if it has.
    #[must_use]
    pub const fn outcome(&self) -> Option<Outcome> {
        self.state.outcome
    }

    /// When it began.
    #[must_use]
    pub const fn began(&self) -> Option<Timestamp> {
        self.state.began
    }

    /// The resources that were touched so far, in each phase in which they were, in the order in which they began.
    #[must_use]
    pub fn resources(&self) -> &[Resource] {
        &self.state.resources
    }

    /// Those that are worked on, the longest first.
    pub fn doing(&self) -> impl Iterator<Item = &Resource> {
        self.state.resources.iter().filter(|resource| resource.phase == self.state.phase && resource.is_doing())
    }

    /// How long it took, or has been going on by `now`.
    #[must_use]
    pub fn took(&self, now: Timestamp) -> Duration {
        let until = if self.state.outcome.is_some() { self.state.newest } else { None };
        self.state.began.map_or(Duration::ZERO, |began| between(began, until.unwrap_or(self.now(now))))
    }

    /// The later of `now` and the newest event: this machine's clock may be behind that of AWS.
    #[must_use]
    pub fn now(&self, now: Timestamp) -> Timestamp {
        self.state.newest.map_or(now, |newest| newest.max(now))
    }

    /// How many are through. What is to be undone is what was begun; how many old versions go, nobody says before.
    #[must_use]
    pub fn count(&self) -> Count {
        let of = |phase| self.state.resources.iter().filter(move |resource| resource.phase == phase);
        let is_through = |resource: &&Resource| matches!(resource.status, Status::Done | Status::Kept);
        let phase = self.state.phase;
        let total = if phase == Phase::Forward { self.planned } else { 0 };
        let begun = if phase == Phase::Rollback { of(Phase::Forward).count() } else { 0 };
        Count { done: of(phase).filter(is_through).count(), total: total.max(begun).max(of(phase).count()) }
    }
}

impl State {
    /// Takes the next event and tells what it means.
    fn fold(&mut self, event: &StackEvent) -> Vec<Event> {
        self.newest = Some(event.time);
        if event.is_of_stack() { self.fold_stack(event) } else { self.fold_resource(event).into_iter().collect() }
    }

    fn fold_stack(&mut self, event: &StackEvent) -> Vec<Event> {
        let mut events = vec![];
        self.status = Some(event.status.clone());
        let Some(act) = Act::of(&event.status) else { return events };
        if self.act.is_none() {
            (self.act, self.began) = (Some(act), Some(event.time));
            events.push(Event::StackBegan { act });
        }
        let undoes = act == Act::Rollback || (act == Act::Delete && self.act != Some(Act::Delete));
        self.outcome = outcome(&event.status, self.act);
        if let Some(outcome) = self.outcome {
            let took = self.began.map_or(Duration::ZERO, |began| between(began, event.time));
            events.push(Event::StackDone { outcome, took });
        } else if undoes && self.phase != Phase::Rollback {
            self.phase = Phase::Rollback;
            events.push(Event::RollbackBegan { reason: event.reason.clone() });
        } else if event.status == "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS" {
            self.phase = Phase::Cleanup;
        }
        events
    }

    fn fold_resource(&mut self, event: &StackEvent) -> Option<Event> {
        let act = Act::of(&event.status)?;
        let reason = event.reason.as_deref().unwrap_or_default();
        let status = match event.status.rsplit('_').next()? {
            "PROGRESS" if reason.starts_with(SETTLING) => Status::Settling,
            "PROGRESS" => Status::Doing,
            "COMPLETE" => Status::Done,
            "SKIPPED" => Status::Kept,
            "FAILED" if event.is_cancelled() => Status::Cancelled,
            "FAILED" => Status::Failed,
            _ => return None,
        };
        // Nothing is made by undoing: what was under way when the stack turned back ends a little later.
        let is_late = self.phase == Phase::Rollback && act == Act::Create;
        let phase = if is_late { Phase::Forward } else { self.phase };
        let at = self.resources.iter().position(|r| r.name == event.logical_id && r.phase == phase);
        let fresh = Resource {
            name: event.logical_id.clone(),
            kind: event.resource_type.clone(),
            act,
            status,
            phase,
            began: (status == Status::Doing).then_some(event.time),
            ended: None,
            reason: None,
        };
        let resource = match at.and_then(|at| self.resources.get_mut(at)) {
            Some(known) => known,
            None => {
                self.resources.push(fresh.clone());
                self.resources.last_mut()?
            }
        };
        let is_new = at.is_none();
        // A removal that is tried again, or an update of what was imported.
        let again = !is_new && !resource.is_doing() && status == Status::Doing;
        if again {
            *resource = fresh;
        }
        if reason.contains(REPLACING) {
            resource.act = Act::Replace;
        }
        resource.status = status;
        resource.reason = event.reason.clone().or(resource.reason.take());
        if !resource.is_doing() {
            resource.ended = Some(event.time);
        }
        let told = resource.clone();
        match status {
            Status::Doing | Status::Settling => (is_new || again).then_some(Event::ResourceStarted(told)),
            Status::Done => Some(Event::ResourceDone(told)),
            Status::Failed => Some(Event::ResourceFailed(told)),
            Status::Cancelled => Some(Event::ResourceCancelled(told)),
            Status::Kept => Some(Event::ResourceKept(told)),
        }
    }
}

/// How a stack's status ends an operation; none where it goes on. A creation that fails may end in the removal of all.
fn outcome(status: &str, act: Option<Act>) -> Option<Outcome> {
    match status {
        "DELETE_COMPLETE" if act.is_some_and(|act| act != Act::Delete) => Some(Outcome::RolledBack),
        "DELETE_FAILED" if act.is_some_and(|act| act != Act::Delete) => Some(Outcome::RollbackFailed),
        "ROLLBACK_COMPLETE" | "UPDATE_ROLLBACK_COMPLETE" | "IMPORT_ROLLBACK_COMPLETE" => Some(Outcome::RolledBack),
        "ROLLBACK_FAILED" | "UPDATE_ROLLBACK_FAILED" | "IMPORT_ROLLBACK_FAILED" => Some(Outcome::RollbackFailed),
        "CREATE_COMPLETE" | "UPDATE_COMPLETE" | "DELETE_COMPLETE" | "IMPORT_COMPLETE" => Some(Outcome::Done),
        "CREATE_FAILED" | "UPDATE_FAILED" | "DELETE_FAILED" => Some(Outcome::Failed),
        _ => None,
    }
}
