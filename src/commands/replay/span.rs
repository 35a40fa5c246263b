//! A span of the stream, put again.

use super::{
    confirm, named,
    run::{self, Work},
};
use crate::{
    cli,
    commands::{moment, say_unknown, unknown},
    error::{Error, ExitStatus},
    report::{
        progress::Progress,
        style::{self, plural},
    },
    settings::Settings,
    targets::{
        Stream,
        local::Local,
        span::{Line, Place, Span},
    },
};
use pipeline::{RecordSequence, Timestamp};
use std::collections::BTreeSet;

/// Plans, asks, and puts.
pub(super) fn run(
    settings: &Settings,
    arguments: &cli::Replay,
    local: &Local,
    from: &str,
) -> Result<ExitStatus, Error> {
    let span = span(arguments, local, from)?;
    let plan = Plan::of(local, &span)?;
    let unknown = unknown(local, &plan.unseen(&arguments.symbols))?;
    let status = say_unknown(settings, local, &arguments.symbols, &unknown)?;
    let (Some(first), Some(last)) = (&plan.first, &plan.last) else {
        return Err(Error::new(format!("there is no quote in this span of stack '{}'", local.folder().name()))
            .hint(format!(
                "the stream keeps what is younger than 24 hours: stockpipe tail{} --since 24h",
                local.folder().stack_flag()
            ))
            .status(ExitStatus::NotFound));
    };
    let quotes = plural(plan.quotes, "quote");
    style::say(&format!(
        "{quotes} in {} of the stream, of {}",
        plural(plan.records, "record"),
        named(plan.symbols.iter().map(String::as_str))
    ));
    for (word, (sequence, arrived_at)) in [("from", first), ("to", last)] {
        let record = sequence.record.number().unwrap_or(0);
        style::say(&format!("  {word:<4} {record}-{}, arrived {arrived_at}", sequence.line));
    }
    if plan.set_aside > 0 {
        style::say(&format!(
            "  without {} that {} no quote, which `--set-aside` replays",
            plural(plan.set_aside, "line"),
            if plan.set_aside == 1 { "is" } else { "are" }
        ));
    }
    let alerts = if arguments.alerts { "what they raise is alerted" } else { "no alerts" };
    style::say(&format!("  as replayed quotes: what is stored already counts as a duplicate, {alerts}"));
    confirm(&format!("Put {quotes} again?"), arguments.yes)?;
    let work = Work { what: format!("replay of {quotes}"), noun: "quote", total: plan.quotes, status };
    run::put(settings, local, work, |id, wake, go_on| local.replay_span(span, arguments.alerts, id, wake, go_on))
}

/// The span that was typed. It ends where the stream does now: what is put again does not belong to it.
fn span(arguments: &cli::Replay, local: &Local, from: &str) -> Result<Span, Error> {
    let end = RecordSequence::local(local.last()?).line(u32::MAX);
    let mut span = Span { keys: arguments.symbols.clone(), to: Some(end), ..Span::default() };
    match Place::parse(from) {
        Some(place) => span.from = Some(place.first()),
        None => span.since = Some(time("from", from)?),
    }
    match arguments.to.as_deref().map(|to| (to, Place::parse(to))) {
        Some((_, Some(place))) => span.to = Some(place.last().min(end)),
        Some((to, None)) => span.until = Some(time("to", to)?),
        None => {}
    }
    Ok(span)
}

fn time(option: &str, text: &str) -> Result<Timestamp, Error> {
    moment(option, text).map_err(|e| e.hint("or a sequence such as 42 or 42-7, as `stockpipe tail` shows them"))
}

/// What is in a span.
#[derive(Default)]
struct Plan {
    records: u64,
    quotes: u64,
    set_aside: u64,
    symbols: BTreeSet<String>,
    /// The first and the last quote: its place, and when it arrived.
    first: Option<(pipeline::Sequence, Timestamp)>,
    last: Option<(pipeline::Sequence, Timestamp)>,
}

impl Plan {
    fn of(local: &Local, span: &Span) -> Result<Self, Error> {
        let mut plan = Self::default();
        let mut progress = Progress::new("reading the stream", None);
        let mut lines = local.lines(span.clone())?;
        while let Some(batch) = lines.next()? {
            batch.iter().for_each(|line| plan.add(line));
            progress.set(plan.quotes);
        }
        progress.finish();
        Ok(plan)
    }

    fn add(&mut self, line: &Line) {
        let Ok(quote) = &line.judged else {
            self.set_aside += 1;
            return;
        };
        self.quotes += 1;
        self.records += u64::from(self.last.is_none_or(|(last, _)| last.record != line.sequence.record));
        if !self.symbols.contains(&*quote.symbol) {
            self.symbols.insert(quote.symbol.to_string());
        }
        let here = (line.sequence, line.arrived_at);
        self.first.get_or_insert(here);
        self.last = Some(here);
    }

    /// Those symbols of which there is no quote.
    fn unseen(&self, symbols: &[String]) -> Vec<String> {
        symbols.iter().filter(|symbol| !self.symbols.contains(*symbol)).cloned().collect()
    }
}
