//! `stream`: sends quotes into the pipeline, runs the consumers if nobody does, and sums up.

mod aws;
mod feeder;
mod live;
mod local;
mod screen;

use crate::{
    cli::{self, Format, TargetName},
    error::{Error, ExitStatus},
    interrupt::Interrupt,
    report::{pane::Pane, progress::Progress, style},
    settings::Settings,
    sources::{self, Missed, Source, SourceError, SourceOptions, SourceSpec, Speed, yahoo},
    targets::{
        Drained, Run,
        local::{Local, consumers::Event},
        producer::{Ack, Gauge, OnAck, Producer},
    },
};
use feeder::{Fed, Feeder, Showing};
use live::LiveTable;
use pipeline::{Symbol, Timestamp};
use screen::{Below, Screen, Show};
use std::{
    collections::HashSet,
    io::{self, IsTerminal, Write},
    sync::mpsc,
    thread,
    time::{Duration, Instant},
};

/// When nothing gets on for so long after the last quote, the rest is left to whoever runs the consumers next.
const PATIENCE: Duration = Duration::from_secs(30);

/// Runs it.
pub fn run(settings: &Settings, arguments: &cli::Stream) -> Result<ExitStatus, Error> {
    let plan = Plan::new(arguments)?;
    let output = Output { format: settings.format, acks: arguments.acks };
    let outcome = match settings.target {
        TargetName::Local => {
            let local = Local::new(settings.folder());
            local.last()?;
            let source = plan.open()?;
            Outcome::of(&local, source, &plan, &Interrupt::listen()?, output)?
        }
        TargetName::Aws => {
            let deployed = super::deployed(settings)?;
            let source = plan.open()?;
            let stream = aws::Stream { deployed: &deployed, plan: &plan, output, flags: settings.flags() };
            stream.run(source, arguments.wait, &Interrupt::listen()?)?
        }
    };
    outcome.report(settings)
}

/// What was typed, understood.
#[derive(Clone, Debug)]
pub struct Plan {
    spec: SourceSpec,
    options: SourceOptions,
    count: Option<u64>,
    duration: Option<Duration>,
}

/// What goes to standard output.
#[derive(Clone, Copy, Debug)]
pub struct Output {
    /// How.
    pub format: Format,
    /// Whether acknowledgements are printed, and then nothing else but the summary.
    pub acks: bool,
}

impl Plan {
    fn new(arguments: &cli::Stream) -> Result<Self, Error> {
        let wrong = |option: &str, text: &str, why: &dyn std::fmt::Display| {
            Error::new(format!("--{option} '{}'", style::visible(text))).because(why).status(ExitStatus::Usage)
        };
        let duration = |option: &str, text: &str| sources::parse_duration(text).map_err(|e| wrong(option, text, &e));
        let spec: SourceSpec = arguments.source.parse().map_err(|e| wrong("source", &arguments.source, &e))?;
        let speed = match (&arguments.speed, &spec) {
            (Some(text), SourceSpec::Yahoo) => {
                return Err(wrong("speed", text, &"yahoo is live; --interval says how often it is asked"));
            }
            (Some(text), _) => text.parse().map_err(|e| wrong("speed", text, &e))?,
            (None, SourceSpec::Replay(_)) => Speed::Max,
            (None, SourceSpec::Yahoo | SourceSpec::Synthetic { .. }) => Speed::Times(1.0),
        };
        let start = arguments.start.as_deref().map(|text| {
            Timestamp::parse(text).ok_or_else(|| wrong("start", text, &"not a time such as 2026-11-20T14:30:00Z"))
        });
        let interval = match (&arguments.interval, &spec) {
            (Some(text), _) => match duration("interval", text)? {
                interval if interval < Duration::from_millis(1) => {
                    return Err(wrong("interval", text, &"not at least 1ms"));
                }
                interval => interval,
            },
            (None, SourceSpec::Yahoo) => yahoo::INTERVAL,
            (None, _) => SourceOptions::default().interval,
        };
        let symbols = super::symbols(&arguments.symbols)?;
        if spec == SourceSpec::Yahoo && symbols.is_empty() {
            return Err(Error::new("which symbols?")
                .because("yahoo needs at least one")
                .hint("stockpipe stream AAPL MSFT, or without the network: stockpipe stream --source synthetic")
                .status(ExitStatus::Usage));
        }
        if spec == SourceSpec::Yahoo {
            yahoo::check(interval).map_err(|e| hinted(Error::new(e.to_string()), &e).status(ExitStatus::Usage))?;
        }
        Ok(Self {
            options: SourceOptions {
                symbols,
                alert: arguments.alerts,
                speed,
                interval,
                count: arguments.count,
                start: start.transpose()?,
                seed: arguments.seed,
            },
            spec,
            count: arguments.count,
            duration: arguments.duration.as_deref().map(|text| duration("for", text)).transpose()?,
        })
    }

    /// A replay of a file at full speed, without alerts.
    pub fn replay(file: &std::path::Path) -> Self {
        Self {
            spec: SourceSpec::Replay(file.to_owned()),
            options: SourceOptions::default(),
            count: None,
            duration: None,
        }
    }

    /// The source, ready to run.
    pub fn open(&self) -> Result<Box<dyn Source>, Error> {
        sources::open(&self.spec, self.options.clone()).map_err(|e| source_error(&e))
    }

    /// Whether its source has no end of its own.
    fn is_live(&self) -> bool {
        self.spec == SourceSpec::Yahoo
    }

    fn unhurried(&self) -> bool {
        self.options.speed != Speed::Max
    }
}

/// How a run of `stream` went.
#[derive(Debug)]
pub struct Outcome {
    /// Quotes that are durable.
    pub sent: u64,
    /// What became of them, where that is known.
    pub run: Option<Run>,
    drained: Drained,
    elapsed: Duration,
    interrupted: bool,
    in_flight: u64,
    failure: Option<Error>,
    missed: Missed,
}

/// What it takes to feed a producer, and to show it.
struct Feeding<'a> {
    source: Box<dyn Source>,
    producer: Box<dyn Producer>,
    gauge: &'a dyn Gauge,
    plan: &'a Plan,
    interrupt: &'a Interrupt,
    output: Output,
    to_screen: mpsc::SyncSender<Show>,
    shown: mpsc::Receiver<Show>,
    /// From the consumers, where they are in this process.
    events: &'a mpsc::Receiver<Event>,
    /// The pipeline and the run, where it can be looked at all the time.
    local: Option<(&'a Local, i64)>,
}

impl Feeding<'_> {
    /// Feeds all that the source has, and shows it.
    fn run(self) -> Result<(Screen, Fed), Error> {
        let Self { source, producer, gauge, plan, interrupt, output, to_screen, shown, events, local } = self;
        let total = plan.count.or_else(|| source.total());
        let name = source.name();
        let for_people = plan.unhurried() && !output.acks && output.format == Format::Table;
        let (below, showing) = match local {
            Some((local, run)) if for_people && io::stdout().is_terminal() && Pane::is_possible() => {
                let symbols = source.symbols();
                let showing = if symbols.is_empty() {
                    Showing::Symbols { to: to_screen.clone(), known: HashSet::new() }
                } else {
                    Showing::Nothing
                };
                (Below::Live(Box::new(LiveTable::new(local, run, symbols, total)?)), showing)
            }
            _ if for_people => {
                let second = (Instant::now(), 0);
                (Below::Progress(Progress::new(&name, total)), Showing::Lines { to: to_screen.clone(), second })
            }
            _ => (Below::Progress(Progress::new(&name, total)), Showing::Nothing),
        };
        let feeder = Feeder {
            source,
            plan: plan.clone(),
            interrupt: interrupt.clone(),
            notes: to_screen,
            showing,
            local: local.map(|(local, _)| local.clone()),
        };
        let (done, finished) = mpsc::channel();
        thread::Builder::new()
            .name("source".into())
            .spawn(move || {
                let _ = done.send(feeder.run(producer));
            })
            .map_err(|e| Error::new("a thread cannot be started").because(e))?;
        let mut screen = Screen { below, output };
        let fed = match screen.watch(&finished, shown, events, gauge, interrupt) {
            Ok(fed) => fed,
            Err(_) => {
                // Nobody reads any more: stop as on Ctrl-C, and let what was sent be stored.
                interrupt.set();
                finished.recv_timeout(PATIENCE).unwrap_or_default()
            }
        };
        Ok((screen, fed))
    }
}

/// Acknowledgements for the screen, where they are asked for; when nobody reads them, it is as on Ctrl-C.
fn on_ack(output: Output, to_screen: &mpsc::SyncSender<Show>, interrupt: &Interrupt) -> Option<OnAck> {
    output.acks.then(|| {
        let (screen, interrupt) = (to_screen.clone(), interrupt.clone());
        Box::new(move |acks: &[Ack]| {
            if screen.send(Show::Acks(acks.to_vec())).is_err() {
                interrupt.set();
            }
        }) as OnAck
    })
}

impl Outcome {
    /// Sums up, and says how it ended.
    fn report(self, settings: &Settings) -> Result<ExitStatus, Error> {
        if settings.format == Format::Json {
            let mut out = io::stdout().lock();
            writeln!(out, "{}", self.to_json())?;
            out.flush()?;
        }
        let flags = settings.flags();
        style::say(&self.in_words());
        if self.run.as_ref().is_some_and(|run| run.counts.set_aside > 0) {
            style::say(&style::warning(&format!("`stockpipe replay{flags} --list` shows what was set aside, and why")));
        }
        if let Drained::Missing { quotes, because } = &self.drained {
            let how_on = match settings.target {
                TargetName::Local => format!("the next `stockpipe stream{flags}` or `query` goes on with them"),
                TargetName::Aws => format!("`stockpipe status{flags}` says how the functions do, `logs` what they say"),
            };
            return Err(Error::new(format!("{} quotes are durable, but not stored yet", style::count(*quotes)))
                .because(because)
                .hint(how_on)
                .status(ExitStatus::Partial));
        }
        match self.failure {
            Some(failure) if self.sent > 0 => Err(failure.status(ExitStatus::Partial)),
            Some(failure) => Err(failure),
            None => {
                let status = self.judge_missed()?;
                style::say(&format!("Next: stockpipe query{flags} daily-trend"));
                Ok(status)
            }
        }
    }

    /// What was sent, and what became of it.
    fn in_words(&self) -> String {
        let mut said = match (self.interrupted, self.in_flight) {
            (true, in_flight) => format!("drained {} in flight. ", style::count(in_flight)),
            _ => String::new(),
        };
        said.push_str(&format!("{} sent", style::count(self.sent)));
        let rate = style::rate(self.sent, self.elapsed);
        let elapsed = style::elapsed(self.elapsed);
        let Some(run) = &self.run else { return format!("{said}.\n{elapsed} at {rate}.") };
        said.push_str(&format!(", {} stored", style::count(run.counts.stored)));
        for (number, what) in [
            (run.counts.duplicates, "duplicates"),
            (run.counts.revised, "revised"),
            (run.counts.late, "late"),
            (run.counts.stale, "stale"),
            (run.counts.set_aside, "set aside"),
            (run.counts.anomalies, "anomalies"),
        ] {
            if number > 0 {
                said.push_str(&format!(", {} {what}", style::count(number)));
            }
        }
        said.push_str(&format!(", {}.\n{elapsed} at {rate}", style::plural(run.signals, "signal")));
        if let Some((p50, p99)) = run.latency(0.5).zip(run.latency(0.99)) {
            said.push_str(&format!(", put → stored {p50:.1} ms (p99 {p99:.1} ms)"));
        }
        said + "."
    }

    /// What it means that of some symbols, or of all, no quote came.
    fn judge_missed(&self) -> Result<ExitStatus, Error> {
        let Missed { unknown, unanswered, asked } = &self.missed;
        let named = |symbols: &[Symbol]| symbols.iter().map(|s| format!("'{s}'")).collect::<Vec<_>>().join(", ");
        if !unknown.is_empty() && unknown.len() == *asked {
            return Err(Error::new(format!("the source knows none of the symbols: {}", named(unknown)))
                .hint("look them up at https://finance.yahoo.com/lookup")
                .status(ExitStatus::NotFound));
        }
        let mut status = ExitStatus::Done;
        if !unknown.is_empty() {
            style::say(&style::warning(&format!("the source does not know {}", named(unknown))));
            status = ExitStatus::Partial;
        }
        // Who stops it before the first answer knows that there was none.
        if !self.interrupted && !unanswered.is_empty() {
            let what = format!("no quote came for {}", named(unanswered));
            if self.sent == 0 {
                return Err(Error::new(what).because("the source failed for each, as said above"));
            }
            style::say(&style::warning(&what));
            status = ExitStatus::Partial;
        }
        Ok(status)
    }

    /// For programs. What became of the quotes is null where it is not known.
    fn to_json(&self) -> String {
        let run = self.run.as_ref();
        let count = |of: fn(&Run) -> u64| run.map(of);
        let milliseconds = |share| run?.latency(share).map(|ms| (ms * 1000.0).round() / 1000.0);
        let lag = match &self.drained {
            Drained::All => 0,
            Drained::Missing { quotes, .. } => *quotes,
        };
        let rate = self.sent as f64 / self.elapsed.as_secs_f64().max(1e-9);
        serde_json::json!({
            "sent": self.sent,
            "stored": count(|run| run.counts.stored),
            "archived": count(|run| run.archived),
            "duplicates": count(|run| run.counts.duplicates),
            "revised": count(|run| run.counts.revised),
            "late": count(|run| run.counts.late),
            "stale": count(|run| run.counts.stale),
            "set_aside": count(|run| run.counts.set_aside),
            "signals": count(|run| run.signals),
            "anomalies": count(|run| run.counts.anomalies),
            "quotes_per_second": (rate * 10.0).round() / 10.0,
            "latency_ms": { "p50": milliseconds(0.5), "p99": milliseconds(0.99) },
            "lag": run.map(|_| lag),
        })
        .to_string()
    }
}

fn source_error(error: &SourceError) -> Error {
    hinted(Error::new(format!("the source failed: {error}")), error)
}

fn hinted(said: Error, error: &SourceError) -> Error {
    match error.hint {
        Some(hint) => said.hint(hint),
        None => said,
    }
}
