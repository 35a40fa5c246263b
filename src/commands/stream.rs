//! `stream`: sends quotes into the pipeline, runs the consumers if nobody does, and sums up.

use crate::{
    cli,
    cli::Format,
    error::{Error, ExitStatus},
    interrupt::Interrupt,
    report::{progress::Progress, style},
    settings::Settings,
    sources::{self, Flow, Outgoing, Source, SourceError, SourceOptions, SourceSpec, Speed},
    targets::local::{
        Drained, Lag, Local, Run, Wake,
        consumers::Event,
        producer::{Ack, OnAck, Producer},
        stream,
    },
};
use pipeline::{Quote, Raised, Timestamp};
use std::{
    io::{self, IsTerminal, Write},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
        mpsc,
    },
    thread,
    time::{Duration, Instant},
};

/// Quotes taken from the source at a time.
const CHUNK: usize = 4096;
/// How often Ctrl-C is noticed while waiting for the next quote.
const TICK: Duration = Duration::from_millis(20);
/// How often the screen is looked after: an alert waits no longer than this.
const LOOK: Duration = Duration::from_millis(5);
/// Quote lines a second that a person can follow; where there are more, none of that second is shown beyond these.
const LINES_PER_SECOND: u64 = 20;
/// When nothing gets on for so long after the last quote, the rest is left to whoever runs the consumers next.
const PATIENCE: Duration = Duration::from_secs(30);
/// So far the producer may be ahead of our own consumers at full speed: what is in memory is quickly read again.
const AHEAD_LIMIT: u64 = 400_000;

/// Runs it.
pub fn run(settings: &Settings, arguments: &cli::Stream) -> Result<ExitStatus, Error> {
    let plan = Plan::new(arguments)?;
    let local = Local::new(settings.folder());
    local.last()?;
    let source = plan.open()?;
    let interrupt = Interrupt::listen()?;
    let outcome =
        Outcome::of(&local, source, &plan, &interrupt, Output { format: settings.format, acks: arguments.acks })?;
    outcome.report(settings, &local)
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
            (Some(text), _) => text.parse().map_err(|e| wrong("speed", text, &e))?,
            (None, SourceSpec::Replay(_)) => Speed::Max,
            (None, SourceSpec::Synthetic { .. }) => Speed::Times(1.0),
        };
        let start = arguments.start.as_deref().map(|text| {
            Timestamp::parse(text).ok_or_else(|| wrong("start", text, &"not a time such as 2026-11-20T14:30:00Z"))
        });
        let interval = duration("interval", &arguments.interval)?;
        if interval < Duration::from_millis(1) {
            return Err(wrong("interval", &arguments.interval, &"not at least 1ms"));
        }
        Ok(Self {
            options: SourceOptions {
                symbols: super::symbols(&arguments.symbols)?,
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

    fn unhurried(&self) -> bool {
        self.options.speed != Speed::Max
    }
}

/// How a run of `stream` went.
#[derive(Debug)]
pub struct Outcome {
    /// Quotes that are durable.
    pub sent: u64,
    /// What became of them.
    pub run: Run,
    drained: Drained,
    elapsed: Duration,
    interrupted: bool,
    in_flight: u64,
    failure: Option<Error>,
}

impl Outcome {
    /// Sends all that the source has, and waits until it is stored and archived.
    pub fn of(
        local: &Local,
        source: Box<dyn Source>,
        plan: &Plan,
        interrupt: &Interrupt,
        output: Output,
    ) -> Result<Self, Error> {
        let started = Instant::now();
        let run = stream::now_micros() as i64;
        let wake: Arc<Wake> = Arc::default();
        let (to_screen, shown) = mpsc::sync_channel(64);
        let (happened, events) = mpsc::channel();
        let consumers = local.start_consumers(
            &wake,
            Arc::new(move |event| {
                let _ = happened.send(event);
            }),
        )?;
        let on_ack: Option<OnAck> = output.acks.then(|| {
            let (screen, interrupt) = (to_screen.clone(), interrupt.clone());
            Box::new(move |acks: &[Ack]| {
                if screen.send(Show::Acks(acks.to_vec())).is_err() {
                    interrupt.set();
                }
            }) as OnAck
        });
        let producer = Producer::start(local.folder(), run, Arc::clone(&wake), on_ack)?;
        let total = plan.count.or_else(|| source.total());
        let name = source.name();
        style::say(&format!("{name} → local stack '{}'   Ctrl-C stops, nothing is lost", local.folder().name()));

        let counters = Arc::new(Counters::default());
        let feeder = Feeder {
            source,
            plan: plan.clone(),
            interrupt: interrupt.clone(),
            counters: Arc::clone(&counters),
            lines: (plan.unhurried() && !output.acks && output.format == Format::Table).then(|| to_screen.clone()),
            local: local.clone(),
        };
        drop(to_screen);
        let (done, finished) = mpsc::channel();
        thread::Builder::new()
            .name("source".into())
            .spawn(move || {
                let _ = done.send(feeder.run(producer));
            })
            .map_err(|e| Error::new("a thread cannot be started").because(e))?;

        let mut screen = Screen { progress: Progress::new(&name, total), output };
        let fed = match screen.watch(&finished, shown, &events, &counters, interrupt) {
            Ok(fed) => fed,
            Err(_) => {
                // Nobody reads any more: stop as on Ctrl-C, and let what was sent be stored.
                interrupt.set();
                finished.recv_timeout(PATIENCE).unwrap_or_default()
            }
        };

        let last = local.last()?;
        let mut in_flight = None;
        let mut best = (u64::MAX, Instant::now());
        let drained = local.drain(&consumers, last, |_, lag| {
            in_flight.get_or_insert(lag.process);
            screen.draining(lag, &events);
            let waiting = lag.process + lag.archive;
            if waiting < best.0 {
                best = (waiting, Instant::now());
            }
            best.1.elapsed() < PATIENCE
        })?;
        consumers.stop();
        screen.events(&events);
        screen.progress.finish();
        Ok(Self {
            sent: fed.sent,
            run: local.run(run)?,
            drained,
            elapsed: started.elapsed(),
            interrupted: interrupt.is_set(),
            in_flight: in_flight.unwrap_or(0),
            failure: fed.failure,
        })
    }

    /// Sums up, and says how it ended.
    fn report(self, settings: &Settings, local: &Local) -> Result<ExitStatus, Error> {
        if settings.format == Format::Json {
            let mut out = io::stdout().lock();
            writeln!(out, "{}", self.to_json())?;
            out.flush()?;
        }
        let run = &self.run;
        let drained = match (self.interrupted, self.in_flight) {
            (true, in_flight) => format!("drained {} in flight. ", style::count(in_flight)),
            _ => String::new(),
        };
        let mut parts =
            vec![format!("{} sent", style::count(self.sent)), format!("{} stored", style::count(run.stored))];
        for (number, what) in [
            (run.duplicates, "duplicate"),
            (run.revised, "revised"),
            (run.late, "late"),
            (run.stale, "stale"),
            (run.set_aside, "set aside"),
            (run.anomalies, "anomalies"),
        ] {
            if number > 0 {
                parts.push(format!("{} {what}", style::count(number)));
            }
        }
        parts.push(format!("{} signals", style::count(run.signals)));
        let latency = run.latency(0.5).zip(run.latency(0.99));
        let latency = latency.map(|(p50, p99)| format!(", put → stored {p50:.1} ms (p99 {p99:.1} ms)"));
        let rate = style::rate(self.sent, self.elapsed);
        style::say(&format!("{drained}{}.", parts.join(", ")));
        style::say(&format!("{} at {rate}{}.", style::elapsed(self.elapsed), latency.unwrap_or_default()));
        let flag = local.folder().stack_flag();
        if run.set_aside > 0 {
            style::say(&style::warning("what was set aside is kept with its reason: stockpipe status"));
        }
        if let Drained::Missing { quotes, because } = &self.drained {
            return Err(Error::new(format!("{} quotes are durable, but not stored yet", style::count(*quotes)))
                .because(because)
                .hint(format!("the next `stockpipe stream{flag}` or `query` goes on with them"))
                .status(ExitStatus::Partial));
        }
        match self.failure {
            Some(failure) if self.sent > 0 => Err(failure.status(ExitStatus::Partial)),
            Some(failure) => Err(failure),
            None => {
                style::say(&format!("Next: stockpipe query{flag} daily-trend"));
                Ok(ExitStatus::Done)
            }
        }
    }

    fn to_json(&self) -> String {
        let run = &self.run;
        let milliseconds = |share| run.latency(share).map(|ms| (ms * 1000.0).round() / 1000.0);
        let lag = match &self.drained {
            Drained::All => 0,
            Drained::Missing { quotes, .. } => *quotes,
        };
        let rate = self.sent as f64 / self.elapsed.as_secs_f64().max(1e-9);
        serde_json::json!({
            "sent": self.sent,
            "stored": run.stored,
            "archived": run.archived,
            "duplicates": run.duplicates,
            "revised": run.revised,
            "late": run.late,
            "stale": run.stale,
            "set_aside": run.set_aside,
            "signals": run.signals,
            "anomalies": run.anomalies,
            "quotes_per_second": (rate * 10.0).round() / 10.0,
            "latency_ms": { "p50": milliseconds(0.5), "p99": milliseconds(0.99) },
            "lag": lag,
        })
        .to_string()
    }
}

/// What the source's thread says of its progress.
#[derive(Debug, Default)]
struct Counters {
    sent: AtomicU64,
}

/// How feeding ended.
#[derive(Debug, Default)]
struct Fed {
    sent: u64,
    failure: Option<Error>,
}

/// Something to show.
enum Show {
    Acks(Vec<Ack>),
    Quote(Box<Quote>),
}

/// Takes from the source and gives to the producer, on a thread of its own, for a source may block.
struct Feeder {
    source: Box<dyn Source>,
    plan: Plan,
    interrupt: Interrupt,
    counters: Arc<Counters>,
    lines: Option<mpsc::SyncSender<Show>>,
    local: Local,
}

impl Feeder {
    fn run(mut self, mut producer: Producer) -> Fed {
        let started = Instant::now();
        let mut left = self.plan.count.unwrap_or(u64::MAX);
        let mut chunk = Vec::with_capacity(CHUNK);
        let mut failure = None;
        let mut limiter = (Instant::now(), 0);
        let mut since_look = 0;
        while left > 0 && !self.interrupt.is_set() && self.plan.duration.is_none_or(|d| started.elapsed() < d) {
            let limit = usize::try_from(left).unwrap_or(CHUNK).min(CHUNK);
            let flow = match self.source.next(stream::now(), limit, &mut chunk) {
                Ok(flow) => flow,
                Err(error) => {
                    failure = Some(source_error(&error));
                    Flow::End
                }
            };
            chunk.truncate(limit);
            left -= chunk.len() as u64;
            since_look += chunk.len() as u64;
            self.show(&chunk, &mut limiter);
            if !chunk.is_empty() && !producer.send(&mut chunk) {
                break;
            }
            self.counters.sent.store(producer.acknowledged(), Ordering::Relaxed);
            match flow {
                Flow::More if since_look > AHEAD_LIMIT / 4 => {
                    since_look = 0;
                    self.let_consumers_follow();
                }
                Flow::More => {}
                Flow::WaitUntil(due) => self.wait(due, started),
                Flow::End => break,
            }
        }
        let (sent, result) = producer.finish();
        self.counters.sent.store(sent, Ordering::Relaxed);
        Fed { sent, failure: failure.or(result.err()) }
    }

    fn wait(&self, due: Instant, started: Instant) {
        loop {
            let mut left = due.saturating_duration_since(Instant::now());
            if let Some(duration) = self.plan.duration {
                left = left.min(duration.saturating_sub(started.elapsed()));
            }
            if left.is_zero() || self.interrupt.is_set() {
                return;
            }
            thread::sleep(left.min(TICK));
        }
    }

    /// Waits a little while the consumers are far behind: the nearer they are, the less is read from disk again.
    fn let_consumers_follow(&self) {
        let patience = Instant::now() + Duration::from_secs(2);
        while !self.interrupt.is_set() && Instant::now() < patience {
            match self.local.lag() {
                Ok(lag) if lag.process > AHEAD_LIMIT => thread::sleep(TICK),
                _ => return,
            }
        }
    }

    fn show(&self, chunk: &[Outgoing], limiter: &mut (Instant, u64)) {
        let Some(lines) = &self.lines else { return };
        if limiter.0.elapsed() >= Duration::from_secs(1) {
            *limiter = (Instant::now(), 0);
        }
        for outgoing in chunk {
            if let Outgoing::Quote(quote) = outgoing
                && limiter.1 < LINES_PER_SECOND
            {
                limiter.1 += 1;
                let _ = lines.send(Show::Quote(Box::new(quote.clone())));
            }
        }
    }
}

/// The terminal, while quotes are sent.
struct Screen {
    progress: Progress,
    output: Output,
}

impl Screen {
    /// Shows what comes until the source's thread ends. An error means that nobody reads standard output any more.
    fn watch(
        &mut self,
        finished: &mpsc::Receiver<Fed>,
        shown: mpsc::Receiver<Show>,
        events: &mpsc::Receiver<Event>,
        counters: &Counters,
        interrupt: &Interrupt,
    ) -> io::Result<Fed> {
        loop {
            match shown.recv_timeout(LOOK) {
                Ok(first) => self.print(&text_of(std::iter::once(first).chain(shown.try_iter())))?,
                Err(mpsc::RecvTimeoutError::Timeout) => {}
                Err(mpsc::RecvTimeoutError::Disconnected) => thread::sleep(LOOK),
            }
            self.events_to(events)?;
            self.progress.set(counters.sent.load(Ordering::Relaxed));
            let fed = match finished.try_recv() {
                Ok(fed) => Some(fed),
                Err(mpsc::TryRecvError::Disconnected) => Some(Fed::default()),
                // A source that blocks, such as a pipe without data, is left behind; what it gave is durable.
                Err(mpsc::TryRecvError::Empty) if interrupt.is_set() => {
                    let fed = finished.recv_timeout(Duration::from_millis(500)).ok();
                    Some(fed.unwrap_or_else(|| Fed { sent: counters.sent.load(Ordering::Relaxed), failure: None }))
                }
                Err(mpsc::TryRecvError::Empty) => None,
            };
            if let Some(fed) = fed {
                // What came between the last look and the end.
                self.print(&text_of(shown.try_iter()))?;
                return Ok(fed);
            }
        }
    }

    fn draining(&mut self, lag: Lag, events: &mpsc::Receiver<Event>) {
        self.progress.message(&format!("storing {}", style::count(lag.process.max(lag.archive))));
        self.events(events);
    }

    fn events(&self, events: &mpsc::Receiver<Event>) {
        // Nobody may read any more; what is published counts all the same.
        let _ = self.events_to(events);
    }

    fn events_to(&self, events: &mpsc::Receiver<Event>) -> io::Result<()> {
        for event in events.try_iter() {
            match event {
                Event::Alerts { raised, shown } => {
                    self.alerts(&raised)?;
                    let _ = shown.send(());
                }
                event => super::event_line(&event).iter().for_each(|line| self.progress.say(line)),
            }
        }
        Ok(())
    }

    /// Shows alerts: on standard output, unless something else is asked for there.
    fn alerts(&self, raised: &[Raised]) -> io::Result<()> {
        let line = |raised| match self.output.format {
            Format::Json => Raised::to_json(raised),
            _ => super::alert_line(raised),
        };
        if self.output.acks || self.output.format == Format::Csv {
            raised.iter().for_each(|raised| self.progress.say(&super::alert_line(raised)));
            return Ok(());
        }
        self.print(&raised.iter().map(|raised| line(raised) + "\n").collect::<String>())
    }

    /// Writes lines to standard output; on a terminal above the progress, which it would tear otherwise.
    fn print(&self, lines: &str) -> io::Result<()> {
        if io::stdout().is_terminal() {
            lines.lines().for_each(|line| self.progress.say(line));
            return Ok(());
        }
        let mut out = anstream::stdout().lock();
        out.write_all(lines.as_bytes())?;
        out.flush()
    }
}

/// What was shown, as lines: there may be thousands a second, and they are written together.
fn text_of(shown: impl Iterator<Item = Show>) -> String {
    let mut text = String::new();
    for show in shown {
        match show {
            Show::Acks(acks) => acks.iter().for_each(|ack| text.push_str(&ack_line(ack))),
            Show::Quote(quote) => text.push_str(&quote_line(&quote)),
        }
    }
    text
}

fn ack_line(ack: &Ack) -> String {
    let key = serde_json::Value::from(&*ack.key);
    let through = ack.through.map_or_else(|| "null".into(), |through| format!("\"{through}\""));
    format!("{{\"acked\":{key},\"through\":{through},\"count\":{}}}\n", ack.count)
}

fn quote_line(quote: &Quote) -> String {
    let change = match pipeline::change(quote, pipeline::AnomalyThreshold::default()).0 {
        Some(change) if change.0 > 0 => style::paint(style::GOOD, &format!("▲ {change} %")),
        Some(change) if change.0 < 0 => style::paint(style::BAD, &format!("▼ {} %", pipeline::Percent(-change.0))),
        Some(_) => "= 0 %".into(),
        None => String::new(),
    };
    format!("{}  {:<8} {:>12}  {change}\n", quote.timestamp, quote.symbol, quote.price)
}

fn source_error(error: &SourceError) -> Error {
    Error::new(format!("the source failed: {error}"))
}
