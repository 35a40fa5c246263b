//! A span of the stream, put again.

use super::{
    Pipeline, confirm, named,
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
        span::{Ends, Line, Place, Span, typed},
    },
};
use pipeline::Timestamp;
use std::collections::BTreeSet;

/// Plans, asks, and puts.
pub(super) fn run(
    settings: &Settings,
    arguments: &cli::Replay,
    pipeline: &Pipeline,
    from: &str,
) -> Result<ExitStatus, Error> {
    let target = pipeline.stream();
    let span = span(arguments, from)?;
    let plan = Plan::of(target, &span)?;
    let unknown = unknown(target, &plan.unseen(&arguments.symbols))?;
    let status = say_unknown(settings, target, &arguments.symbols, &unknown)?;
    let (Some(first), Some(last)) = (&plan.first, &plan.last) else {
        return Err(Error::new(format!("there is no quote in this span of {}", target.title()))
            .hint(format!(
                "the stream keeps what is younger than 24 hours: stockpipe tail{} --since 24h",
                settings.flags()
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
        style::say(&format!("  {word:<4} {}, arrived {arrived_at}", typed(*sequence)));
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
    let named = |number| plural(number, "quote");
    let work = Work { what: format!("replay of {quotes}"), named, total: plan.quotes, status };
    // What is put again does not belong to it.
    let span = Span { ends: Some(plan.ends), ..span };
    let alert = arguments.alerts;
    match pipeline {
        Pipeline::Local(local) => {
            run::put_locally(settings, local, work, |id, wake, go_on| local.replay_span(span, alert, id, wake, go_on))
        }
        Pipeline::Aws(deployed) => run::put_on_aws(settings, work, |go_on| deployed.replay_span(span, alert, go_on)),
    }
}

/// The span that was typed.
fn span(arguments: &cli::Replay, from: &str) -> Result<Span, Error> {
    let mut span = Span { keys: arguments.symbols.clone(), ..Span::default() };
    match Place::parse(from) {
        Some(place) => span.from = Some(place.first()),
        None => span.since = Some(time("from", from)?),
    }
    match arguments.to.as_deref().map(|to| (to, Place::parse(to))) {
        Some((_, Some(place))) => span.to = Some(place.last()),
        Some((to, None)) => span.until = Some(time("to", to)?),
        None => {}
    }
    Ok(span)
}

fn time(option: &str, text: &str) -> Result<Timestamp, Error> {
    moment(option, text).map_err(|e| e.hint("or a sequence, as `stockpipe tail --format json` shows them"))
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
    /// Where the stream ended by then.
    ends: Ends,
}

impl Plan {
    fn of(target: &dyn Stream, span: &Span) -> Result<Self, Error> {
        let mut plan = Self::default();
        let mut progress = Progress::new("reading the stream", None);
        let mut lines = target.lines(span.clone())?;
        while let Some(batch) = lines.next()? {
            batch.iter().for_each(|line| plan.add(line));
            progress.set(plan.quotes);
        }
        progress.finish();
        plan.ends = lines.ends();
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
