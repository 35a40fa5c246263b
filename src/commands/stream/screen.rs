//! What is seen while quotes are sent: lines on standard output, and below them, on standard error, how far it is.

use super::{Output, feeder::Fed, live::LiveTable};
use crate::{
    cli::Format,
    commands::{alert_line, event_line},
    interrupt::Interrupt,
    report::{progress::Progress, style},
    sources::Note,
    targets::{
        local::{Lag, consumers::Event},
        producer::{Ack, Gauge},
    },
};
use pipeline::{Quote, Raised, Symbol};
use std::{
    io::{self, IsTerminal, Write},
    sync::mpsc,
    thread,
    time::{Duration, Instant},
};

/// How often the screen is looked after: an alert waits no longer than this.
const LOOK: Duration = Duration::from_millis(5);

/// A look that took so long was none: the process was stopped (Ctrl-Z), or the machine slept.
const STOPPED: Duration = Duration::from_secs(1);

/// Something to show.
pub(super) enum Show {
    Acks(Vec<Ack>),
    Quote(Box<Quote>),
    /// Symbols of quotes that are sent for the first time.
    Symbols(Vec<Symbol>),
    Note(Note),
}

/// What is below the lines, and always the newest.
pub(super) enum Below {
    Progress(Progress),
    Live(Box<LiveTable>),
}

impl Below {
    fn say(&mut self, line: &str) {
        match self {
            Self::Progress(progress) => progress.say(line),
            Self::Live(table) => table.say(line),
        }
    }

    fn set(&mut self, sent: u64) {
        match self {
            Self::Progress(progress) => progress.set(sent),
            Self::Live(table) => table.set(sent),
        }
    }

    fn storing(&mut self, quotes: u64) {
        match self {
            Self::Progress(progress) => progress.message(&format!("storing {}", style::count(quotes))),
            Self::Live(table) => table.storing(quotes),
        }
    }

    /// Says beside the progress what is waited for.
    pub(super) fn message(&mut self, text: &str) {
        if let Self::Progress(progress) = self {
            progress.message(text);
        }
    }

    /// Ends: progress is cleared, a table stays as it is then.
    pub(super) fn finish(self, sent: u64) {
        match self {
            Self::Progress(progress) => progress.finish(),
            Self::Live(table) => table.finish(sent),
        }
    }
}

/// The terminal, while quotes are sent.
pub(super) struct Screen {
    pub(super) below: Below,
    pub(super) output: Output,
}

impl Screen {
    /// Shows what comes until the source's thread ends. An error means that nobody reads standard output any more.
    pub(super) fn watch(
        &mut self,
        finished: &mpsc::Receiver<Fed>,
        shown: mpsc::Receiver<Show>,
        events: &mpsc::Receiver<Event>,
        gauge: &dyn Gauge,
        interrupt: &Interrupt,
    ) -> io::Result<Fed> {
        loop {
            let asked = Instant::now();
            let first = shown.recv_timeout(LOOK);
            if asked.elapsed() >= STOPPED
                && let Below::Live(table) = &mut self.below
            {
                table.leave();
            }
            match first {
                Ok(first) => self.show(std::iter::once(first).chain(shown.try_iter()))?,
                Err(mpsc::RecvTimeoutError::Timeout) => {}
                Err(mpsc::RecvTimeoutError::Disconnected) => thread::sleep(LOOK),
            }
            self.events_to(events)?;
            self.below.set(gauge.acknowledged());
            let ended = match finished.try_recv() {
                Ok(fed) => Some(fed),
                Err(mpsc::TryRecvError::Disconnected) => Some(Fed::default()),
                // A source that blocks, such as a pipe without data, is left behind; what it gave is durable.
                Err(mpsc::TryRecvError::Empty) if interrupt.is_set() => {
                    Some(finished.recv_timeout(Duration::from_millis(500)).unwrap_or_default())
                }
                Err(mpsc::TryRecvError::Empty) => None,
            };
            if let Some(fed) = ended {
                // What came between the last look and the end.
                self.show(shown.try_iter())?;
                return Ok(fed);
            }
        }
    }

    pub(super) fn draining(&mut self, lag: Lag, events: &mpsc::Receiver<Event>) {
        self.below.storing(lag.process.max(lag.archive));
        self.events(events);
    }

    pub(super) fn events(&mut self, events: &mpsc::Receiver<Event>) {
        // Nobody may read any more; what is published counts all the same.
        let _ = self.events_to(events);
    }

    fn events_to(&mut self, events: &mpsc::Receiver<Event>) -> io::Result<()> {
        for event in events.try_iter() {
            match event {
                Event::Alerts { raised, shown } => {
                    self.alerts(&raised)?;
                    let _ = shown.send(());
                }
                event => event_line(&event).iter().for_each(|line| self.below.say(line)),
            }
        }
        Ok(())
    }

    /// Shows alerts: on standard output, unless something else is asked for there.
    fn alerts(&mut self, raised: &[Raised]) -> io::Result<()> {
        let line = |raised| match self.output.format {
            Format::Json => Raised::to_json(raised),
            _ => alert_line(raised),
        };
        if self.output.acks || self.output.format == Format::Csv {
            raised.iter().for_each(|raised| self.below.say(&alert_line(raised)));
            return Ok(());
        }
        self.print(&raised.iter().map(|raised| line(raised) + "\n").collect::<String>())
    }

    /// Shows what came. Lines are written together, for there may be thousands a second; notes are said at once.
    fn show(&mut self, shown: impl Iterator<Item = Show>) -> io::Result<()> {
        let mut text = String::new();
        for show in shown {
            match show {
                Show::Acks(acks) => acks.iter().for_each(|ack| text.push_str(&ack_line(ack))),
                Show::Quote(quote) => text.push_str(&quote_line(&quote)),
                Show::Symbols(symbols) => {
                    if let Below::Live(table) = &mut self.below {
                        table.add(symbols);
                    }
                }
                Show::Note(note) => self.note(&note),
            }
        }
        self.print(&text)
    }

    fn note(&mut self, note: &Note) {
        self.below.say(&if note.is_warning { style::warning(&note.text) } else { style::visible(&note.text).into() });
        if let Some(hint) = &note.hint {
            self.below.say(&style::hint(hint));
        }
    }

    /// Writes lines to standard output; where both go to the terminal above what is below, which they would tear
    /// otherwise.
    fn print(&mut self, lines: &str) -> io::Result<()> {
        if io::stdout().is_terminal() && io::stderr().is_terminal() {
            lines.lines().for_each(|line| self.below.say(line));
            return Ok(());
        }
        let mut out = anstream::stdout().lock();
        out.write_all(lines.as_bytes())?;
        out.flush()
    }
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
    let stale = if quote.stale { format!("  {}", style::paint(style::WARN, "stale")) } else { String::new() };
    format!("{}  {:<8} {:>12}  {change}{stale}\n", quote.timestamp, quote.symbol, quote.price)
}
