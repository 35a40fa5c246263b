//! An operation on a stack as it goes on: on a terminal what is worked on, drawn anew in place, below what is done;
//! elsewhere plain lines.
//!
//! A [`View`] says what is to be shown, for a `now` that is given to it; [`Deploy`] shows it. What the operation came to
//! is for the command to say.

use super::{
    pane::{Pane, Size},
    style::{self, BAD, FAINT, GOOD, WARN, outside},
    table::cut,
};
use crate::targets::aws::stack::{
    events::{Act, Board, Event, Phase, Resource, Status},
    failure,
};
use anstyle::Style;
use pipeline::Timestamp;
use std::time::Duration;

/// Elsewhere than on a terminal nobody waits longer than this for a line.
const PLAIN_EVERY: Duration = Duration::from_secs(10);
/// From one picture of the spinner to the next, in milliseconds.
const SPUN_EVERY: i64 = 100;
/// What a spinner looks like, one after the other.
const SPINNER: [char; 10] = ['⠋', '⠙', '⠹', '⠸', '⠼', '⠴', '⠦', '⠧', '⠇', '⠏'];
/// What is worked on has at most so many lines; CloudFormation works on dozens at once.
const MOST_LINES: usize = 10;
/// A plain line names so many that are worked on.
const MOST_NAMED: usize = 3;
/// Columns of a name, at least and at most.
const NAME: std::ops::RangeInclusive<usize> = 12..=28;
/// Columns of what is done to it: "taking in".
const LABEL: usize = 11;
/// Where a terminal is narrower, what is done is left out.
const LABELLED: usize = 44;

/// The progress of an operation, on stderr. Dropped, it takes what is worked on off the terminal.
pub struct Deploy {
    view: View,
    /// None where stderr is no terminal.
    pane: Option<Pane>,
}

impl Deploy {
    /// Begins. The names are those of the plan, where there is one: the columns then never move.
    pub fn new<'a>(names: impl IntoIterator<Item = &'a str>) -> Self {
        Self { view: View::new(names), pane: Pane::is_possible().then(Pane::new) }
    }

    /// Shows what happened, and how far it is by `now`. Call it about ten times a second: what is shown comes out of a
    /// call, never on its own.
    pub fn show(&mut self, events: &[Event], board: &Board, now: Timestamp) {
        let size = Size::now();
        let width = self.pane.as_ref().map(|_| size.width);
        let said = self.view.said(events, board, now, width);
        match &mut self.pane {
            Some(pane) => {
                said.iter().for_each(|line| pane.say(line));
                if board.outcome().is_some() { pane.clear() } else { pane.show(self.view.lines(board, now, size)) }
            }
            None => said.iter().for_each(|line| style::say(line)),
        }
    }
}

impl Drop for Deploy {
    fn drop(&mut self) {
        if let Some(pane) = &mut self.pane {
            pane.clear();
        }
    }
}

/// What is to be shown.
#[derive(Debug)]
pub struct View {
    /// Columns of the widest name.
    name: usize,
    /// When it was first asked.
    since: Option<Timestamp>,
    /// When the last line was said.
    said: Option<Timestamp>,
    failed: usize,
    cancelled: usize,
}

impl View {
    /// With these names.
    pub fn new<'a>(names: impl IntoIterator<Item = &'a str>) -> Self {
        let widest = names.into_iter().map(|name| style::width(&outside(name))).max().unwrap_or(*NAME.end());
        let name = widest.clamp(*NAME.start(), *NAME.end());
        Self { name, since: None, said: None, failed: 0, cancelled: 0 }
    }

    /// The lines to say for good: of what happened, and where there is no terminal (no width) now and then one of what
    /// goes on.
    pub fn said(&mut self, events: &[Event], board: &Board, now: Timestamp, width: Option<usize>) -> Vec<String> {
        let since = *self.since.get_or_insert(now);
        let mut lines: Vec<String> = events.iter().flat_map(|event| self.event(event, width)).collect();
        let last = self.said.unwrap_or(since);
        let is_silent = now.millis().abs_diff(last.millis()) >= PLAIN_EVERY.as_millis() as u64;
        if lines.is_empty() && is_silent && width.is_none() && board.outcome().is_none() {
            lines.push(self.going_on(board, now));
        }
        if !lines.is_empty() {
            self.said = Some(now);
        }
        lines
    }

    /// The lines to draw in place: what is worked on, the longest first, and how far it all is. None is wider than the
    /// terminal, and there are fewer than it has lines.
    pub fn lines(&self, board: &Board, now: Timestamp, size: Size) -> Vec<String> {
        let now = board.now(now);
        // One for the summary, one for the cursor, and some for what was said.
        let room = size.height.saturating_sub(2 + size.height / 8).min(MOST_LINES);
        let doing: Vec<&Resource> = board.doing().collect();
        let places = if doing.len() <= room { doing.len() } else { room.saturating_sub(1) };
        let spinner = now.millis() / SPUN_EVERY % SPINNER.len() as i64;
        let spinner = SPINNER.get(spinner as usize).copied().unwrap_or(' ');
        let shown = doing.iter().take(places);
        let mut lines: Vec<String> =
            shown.map(|resource| self.line(spinner, FAINT, resource, label(resource), now, Some(size.width))).collect();
        if places < doing.len() && room > 0 {
            let more = format!("    … and {} more", doing.len() - places);
            lines.push(style::paint(FAINT, &cut(&more, size.width)));
        }
        let summary = format!("  {}   {}", counted(board), clock(self.took(board, now)));
        lines.push(cut(&summary, size.width).into_owned());
        lines
    }

    /// What an event is worth saying for good. What is undone is not said one by one: it would push the failure away.
    fn event(&mut self, event: &Event, width: Option<usize>) -> Vec<String> {
        match event {
            Event::ResourceDone(resource) if resource.phase != Phase::Rollback => {
                vec![self.ended('✓', GOOD, resource, width)]
            }
            Event::ResourceKept(resource) => vec![self.ended('=', WARN, resource, width)],
            Event::ResourceFailed(resource) => {
                self.failed += 1;
                let line = self.ended('✗', BAD, resource, width);
                let cause = failure::cause(resource);
                // The error that ends it all has the cause in full.
                match width {
                    Some(width) => vec![line, style::paint(BAD, &cut(&format!("    {cause}"), width))],
                    None => vec![format!("{line}   {cause}")],
                }
            }
            Event::ResourceCancelled(_) => {
                self.cancelled += 1;
                vec![]
            }
            Event::RollbackBegan { reason } => {
                // Where nothing failed, somebody wanted it.
                let why = reason.as_deref().filter(|_| self.failed == 0).map(|why| format!(": {}", outside(why)));
                let counted = [(self.failed, "failed"), (self.cancelled, "cancelled because of it")];
                let counted: String =
                    counted.iter().filter(|(n, _)| *n > 0).map(|(n, what)| format!(", {n} {what}")).collect();
                let line = format!("  ! rolling back{counted}{}", why.unwrap_or_default());
                vec![style::paint(WARN, &cut(&line, width.unwrap_or(usize::MAX)))]
            }
            Event::StackBegan { .. } | Event::StackDone { .. } | Event::ResourceStarted(_) | Event::ResourceDone(_) => {
                vec![]
            }
        }
    }

    fn ended(&self, mark: char, style: Style, resource: &Resource, width: Option<usize>) -> String {
        let Some(now) = resource.ended.or(resource.began) else { return String::new() };
        self.line(mark, style, resource, label(resource), now, width)
    }

    /// `  ✓ StockStream       created      0:16`.
    fn line(
        &self,
        mark: char,
        style: Style,
        resource: &Resource,
        label: &str,
        now: Timestamp,
        width: Option<usize>,
    ) -> String {
        // What is kept takes no time.
        let took = resource.took(now).filter(|_| resource.status != Status::Kept).map(clock).unwrap_or_default();
        let is_labelled = width.is_none_or(|width| width >= LABELLED);
        let rest = if is_labelled { format!("  {label:<LABEL$}  {took}") } else { format!("  {took}") };
        let room = width.map_or(self.name, |width| width.saturating_sub(4 + style::width(&rest)));
        let room = room.min(self.name).max(1);
        let name = outside(&resource.name);
        let name = cut(&name, room);
        let pad = " ".repeat(room.saturating_sub(style::width(&name)));
        let text = format!(" {name}{pad}{rest}");
        let text = text.trim_end();
        match width {
            Some(width) if 3 + style::width(text) > width => cut(&format!("  {mark}{text}"), width).into_owned(),
            _ => format!("  {}{text}", style::paint(style, &mark.to_string())),
        }
    }

    /// `12 of 46 done, 1:05: StockStream creating 0:14, QuotesTable creating 0:09 and 3 more`.
    fn going_on(&self, board: &Board, now: Timestamp) -> String {
        let now = board.now(now);
        let doing: Vec<&Resource> = board.doing().collect();
        let named = doing.iter().take(MOST_NAMED).map(|resource| {
            let took = resource.took(now).map(clock).unwrap_or_default();
            format!("{} {} {took}", outside(&resource.name), label(resource)).trim_end().to_owned()
        });
        let named = named.collect::<Vec<_>>().join(", ");
        let colon = if named.is_empty() { "" } else { ": " };
        let more = doing.len().saturating_sub(MOST_NAMED);
        let more = if more > 0 { format!(" and {more} more") } else { String::new() };
        format!("  {}, {}{colon}{named}{more}", counted(board), clock(self.took(board, now)))
    }

    /// Since the first event, or before there is one since the first look.
    fn took(&self, board: &Board, now: Timestamp) -> Duration {
        if board.began().is_some() {
            return board.took(now);
        }
        let since = self.since.unwrap_or(now).millis();
        Duration::from_millis(u64::try_from(now.millis() - since).unwrap_or(0))
    }
}

/// `12 of 46 done`.
fn counted(board: &Board) -> String {
    let count = board.count();
    let of = format!("{} of {}", count.done, count.total);
    match (board.phase(), board.act()) {
        (_, None) => "waiting for CloudFormation".into(),
        (Phase::Rollback, _) => format!("rolling back, {of} undone"),
        (Phase::Cleanup, _) if count.total == 0 => "removing what is left over".into(),
        (Phase::Cleanup, _) => format!("removing what is left over, {of} done"),
        (Phase::Forward, Some(Act::Delete)) => format!("{of} removed"),
        (Phase::Forward, _) => format!("{of} done"),
    }
}

/// What is done to a resource, or was.
const fn label(resource: &Resource) -> &'static str {
    match (resource.status, resource.act) {
        (Status::Settling, _) => "settling",
        (Status::Failed, _) if matches!(resource.phase, Phase::Rollback) => "not undone",
        (Status::Failed, _) => "failed",
        (Status::Cancelled, _) => "cancelled",
        (Status::Kept, _) => "kept",
        (Status::Doing, Act::Create) => "creating",
        (Status::Doing, Act::Update) => "updating",
        (Status::Doing, Act::Replace) => "replacing",
        (Status::Doing, Act::Delete) => "removing",
        (Status::Doing, Act::Import) => "taking in",
        (Status::Doing, Act::Rollback) => "undoing",
        (Status::Done, Act::Create) => "created",
        (Status::Done, Act::Update) => "updated",
        (Status::Done, Act::Replace) => "replaced",
        (Status::Done, Act::Delete) => "removed",
        (Status::Done, Act::Import) => "taken in",
        (Status::Done, Act::Rollback) => "undone",
    }
}

/// `0:06`, `1:05`, `1:02:03`: a clock's form, so that what is below each other is easily compared.
fn clock(time: Duration) -> String {
    let seconds = time.as_secs();
    let (hours, minutes, seconds) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    if hours > 0 { format!("{hours}:{minutes:02}:{seconds:02}") } else { format!("{minutes}:{seconds:02}") }
}

#[cfg(test)]
mod tests;
