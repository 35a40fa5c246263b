//! What the functions say, as CloudWatch has it: in order of time, each event once.
//!
//! An event can be there later than one that happened after it. So each look begins a while before the newest event
//! that was seen, and leaves out what was given already.

use super::Deployed;
use crate::{
    error::Error,
    targets::aws::{Refused, failed},
};
use futures::future::try_join_all;
use pipeline::Timestamp;
use std::collections::{HashMap, VecDeque};

/// An event comes at most so much later than one that happened after it, in milliseconds.
const OVERLAP: i64 = 2 * 60 * 1000;

/// The functions, by the word for each and its name in the template.
pub const FUNCTIONS: [(&str, &str); 3] =
    [("process", "ProcessStockData"), ("trend", "StockTrendAnalysis"), ("archive", "ArchiveStockData")];

/// Something that a function said, or Lambda of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// `process`, `trend` or `archive`.
    pub function: &'static str,
    /// When it was said.
    pub time: Timestamp,
    /// What was said.
    pub message: String,
}

/// The logs of some functions, read from the oldest on.
pub struct Logs<'a> {
    deployed: &'a Deployed,
    sources: Vec<Source>,
}

/// One function's log.
struct Source {
    function: &'static str,
    group: String,
    given: Given,
    events: VecDeque<Event>,
    /// Where the next page is; none before the first one and after the last.
    next: Option<String>,
    is_read: bool,
}

/// What was given of a log.
#[derive(Debug)]
struct Given {
    /// From when on it is read, in milliseconds.
    from: i64,
    newest: i64,
    /// The ids of the events since then, and when each was.
    ids: HashMap<String, i64>,
}

impl Deployed {
    /// What these functions say, from this time on.
    pub fn logs(&self, functions: &[&'static str], since: Timestamp) -> Logs<'_> {
        let source = |(word, function): &(&'static str, &'static str)| Source {
            function: word,
            group: self.names.log_group(function),
            given: Given { from: since.millis(), newest: since.millis(), ids: HashMap::new() },
            events: VecDeque::new(),
            next: None,
            is_read: false,
        };
        let wanted = FUNCTIONS.iter().filter(|(word, _)| functions.is_empty() || functions.contains(word));
        Logs { deployed: self, sources: wanted.map(source).collect() }
    }
}

impl Logs<'_> {
    /// Begins to look again, for what came since.
    pub fn look_again(&mut self) {
        for source in &mut self.sources {
            source.given.settle();
            source.is_read = false;
        }
    }

    /// The next events of this look, those that happened until then; none after the last.
    pub fn next(&mut self, until: Timestamp) -> Result<Option<Vec<Event>>, Error> {
        let deployed = self.deployed;
        deployed.wait(try_join_all(self.sources.iter_mut().map(|source| source.fill(deployed, until))))?;
        if self.sources.iter().all(|source| source.events.is_empty()) {
            return Ok(None);
        }
        Ok(Some(merged(&mut self.sources)))
    }
}

/// The events in order of time, as far as they are known to be in order: until a source has to be read on.
fn merged(sources: &mut [Source]) -> Vec<Event> {
    let mut merged = Vec::new();
    while sources.iter().all(|source| source.is_read || !source.events.is_empty()) {
        let first = sources.iter_mut().filter(|source| !source.events.is_empty());
        let Some(first) = first.min_by_key(|source| source.events.front().map(|event| event.time)) else { break };
        merged.extend(first.events.pop_front());
    }
    merged
}

impl Source {
    /// Reads on until there are events, or no more.
    async fn fill(&mut self, deployed: &Deployed, until: Timestamp) -> Result<(), Error> {
        while self.events.is_empty() && !self.is_read {
            let filter = deployed.aws.logs().filter_log_events().log_group_name(&self.group);
            let filter = filter.start_time(self.given.from).end_time(until.millis());
            let page = match filter.set_next_token(self.next.take()).send().await {
                Ok(page) => page,
                // It comes with the function's stack.
                Err(error) if error.is_absent() => {
                    self.is_read = true;
                    return Ok(());
                }
                Err(error) => {
                    let what = format!("what {} says cannot be read", self.function);
                    return Err(failed(what, "Logs.FilterLogEvents", &error));
                }
            };
            self.next = page.next_token;
            self.is_read = self.next.is_none();
            for event in page.events.unwrap_or_default() {
                let message = event.message.unwrap_or_default();
                let Some(time) = event.timestamp.and_then(Timestamp::from_millis) else { continue };
                let id = event.event_id.unwrap_or_else(|| message.clone());
                if self.given.is_new(id, time.millis()) {
                    self.events.push_back(Event { function: self.function, time, message });
                }
            }
        }
        Ok(())
    }
}

impl Given {
    /// Whether an event was not given before; from now on it was.
    fn is_new(&mut self, id: String, time: i64) -> bool {
        self.newest = self.newest.max(time);
        self.ids.insert(id, time).is_none()
    }

    /// Moves on to where the next look begins.
    fn settle(&mut self) {
        let from = self.from.max(self.newest - OVERLAP);
        self.from = from;
        self.ids.retain(|_, time| *time >= from);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Would catch an event that is shown twice, one that is lost since it came late, and ids that are kept for ever.
    #[test]
    fn late_events_are_given_once() {
        let mut given = Given { from: 1_000, newest: 1_000, ids: HashMap::new() };
        assert!(given.is_new("a".into(), 10_000));
        assert!(given.is_new("b".into(), 200_000));
        given.settle();
        assert_eq!((given.from, given.ids.len()), (80_000, 1));
        assert!(!given.is_new("b".into(), 200_000));
        // It happened before, and is there only now.
        assert!(given.is_new("c".into(), 90_000));
        given.settle();
        assert_eq!(given.from, 80_000);
        assert!(!given.is_new("c".into(), 90_000));
        assert!(given.is_new("d".into(), 1_000_000));
        given.settle();
        assert_eq!((given.from, given.ids.len()), (880_000, 1));
    }

    /// Would catch a log that is shown ahead of another one, of which a page is still to come.
    #[test]
    fn logs_are_merged_as_far_as_they_are_known() {
        let event = |function, millis| Event {
            function,
            time: Timestamp::from_millis(millis).expect("a time"),
            message: String::new(),
        };
        let source = |function, is_read, times: &[i64]| Source {
            function,
            group: String::new(),
            given: Given { from: 0, newest: 0, ids: HashMap::new() },
            events: times.iter().map(|time| event(function, *time)).collect(),
            next: None,
            is_read,
        };
        let mut sources =
            [source("process", false, &[1, 4]), source("trend", true, &[2, 3, 9]), source("archive", true, &[])];
        let seen: Vec<i64> = merged(&mut sources).iter().map(|event| event.time.millis()).collect();
        assert_eq!(seen, [1, 2, 3, 4]);
        sources[0].is_read = true;
        assert_eq!(merged(&mut sources), [event("trend", 9)]);
    }
}
