//! `stream` into a pipeline on AWS, whose functions run there; `--wait` looks up what becomes of what was sent.

use super::{Feeding, Outcome, Output, Plan, Screen, Show};
use crate::{
    error::Error,
    interrupt::Interrupt,
    report::style::{self, count},
    sources::Source,
    targets::{
        Drained, Run, Target,
        aws::deployed::{
            Deployed,
            producer::{AwsProducer, Listeners, Shared},
            sent::{Looked, Sent, Waiting},
        },
        producer::Gauge,
    },
};
use std::{
    sync::{Arc, Mutex, PoisonError, mpsc},
    thread,
    time::{Duration, Instant},
};

/// How often the screen is looked after while what is on its way is delivered.
const LOOK: Duration = Duration::from_millis(100);
/// What was sent is looked up again so soon at first, then less and less often.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LAST_PAUSE: Duration = Duration::from_secs(3);
/// Beyond archive's window: when nothing gets on for so long, something is wrong.
const PATIENCE: Duration = Duration::from_secs(120);

/// Where to, and how.
pub struct Stream<'a> {
    pub deployed: &'a Deployed,
    pub plan: &'a Plan,
    pub output: Output,
    /// What to add to a command to mean this pipeline.
    pub flags: String,
}

impl Stream<'_> {
    /// Sends all that the source has; with `wait` it ends once all is stored and archived.
    pub fn run(&self, source: Box<dyn Source>, wait: bool, interrupt: &Interrupt) -> Result<Outcome, Error> {
        let started = Instant::now();
        let (to_screen, shown) = mpsc::sync_channel(64);
        let notes = to_screen.clone();
        let sent: Option<Arc<Mutex<Sent>>> = wait.then(Arc::default);
        let listeners = Listeners {
            on_ack: super::on_ack(self.output, &to_screen, interrupt),
            on_note: Some(Box::new(move |note| _ = notes.send(Show::Note(note)))),
            sent: sent.clone(),
        };
        let producer = AwsProducer::start(self.deployed, self.plan.is_live(), listeners);
        let gauge = producer.gauge();
        style::say(&format!("{} → {}   Ctrl-C stops, nothing is lost", source.name(), self.deployed.title()));
        let feeding = Feeding {
            source,
            producer: Box::new(producer),
            gauge: &*gauge,
            plan: self.plan,
            interrupt,
            output: self.output,
            to_screen,
            shown,
            events: &mpsc::channel().1,
            local: None,
        };
        let (mut screen, fed) = feeding.run()?;
        let in_flight = gauge.waiting();
        deliver(&gauge, &mut screen);
        let interrupted = interrupt.is_set();
        let undelivered = gauge.waiting();
        let (run, drained) = match sent {
            Some(sent) => {
                // What was asked for by the first Ctrl-C is done.
                interrupt.clear();
                let sent = std::mem::take(&mut *sent.lock().unwrap_or_else(PoisonError::into_inner));
                let (run, drained) = self.wait(sent, &mut screen, interrupt);
                (Some(run), drained)
            }
            None => (None, Drained::All),
        };
        screen.below.finish(gauge.acknowledged());
        self.say_refused(gauge.refused());
        let not_delivered = || {
            let quotes = style::plural(undelivered, "quote");
            Error::new(format!("{quotes} could not be put onto the stream in time"))
                .hint("what was acknowledged is durable; what is sent again counts as a duplicate where it was")
        };
        Ok(Outcome {
            sent: gauge.acknowledged(),
            run,
            drained,
            elapsed: started.elapsed(),
            interrupted,
            in_flight,
            failure: fed.failure.or_else(|| (undelivered > 0).then(not_delivered)),
            missed: fed.missed,
        })
    }

    /// Looks up what was sent until all of it is known, or nothing gets on any more.
    fn wait(&self, sent: Sent, screen: &mut Screen, interrupt: &Interrupt) -> (Run, Drained) {
        let window = self.deployed.stack.values.get("ArchiveWindow").and_then(|text| text.parse().ok()).unwrap_or(0);
        let patience = Duration::from_secs(window) + PATIENCE;
        let mut looked = Looked::new(sent);
        let (mut before, mut since, mut pause) = (looked.waiting(), Instant::now(), FIRST_PAUSE);
        let because = loop {
            let result = self.deployed.wait(looked.look(self.deployed));
            let waiting = looked.waiting();
            if waiting.is_nothing() {
                return (looked.run().clone(), Drained::All);
            }
            screen.below.message(&in_words(waiting, window));
            if waiting == before {
                pause = (pause * 3 / 2).min(LAST_PAUSE);
            } else {
                (before, since, pause) = (waiting, Instant::now(), FIRST_PAUSE);
            }
            if since.elapsed() > patience {
                let nothing = || format!("nothing got on for {}", style::elapsed(patience));
                break result.map_or_else(|error| error.to_string(), |()| nothing());
            }
            let until = Instant::now() + pause;
            while Instant::now() < until && !interrupt.is_set() {
                thread::sleep(LOOK.min(pause));
            }
            if interrupt.is_set() {
                break "interrupted while waiting".into();
            }
        };
        let Waiting { storing, archiving, .. } = looked.waiting();
        let because = format!("{because}: {}", in_words(looked.waiting(), window));
        (looked.run().clone(), Drained::Missing { quotes: storing.max(archiving), because })
    }

    /// Says what more shards would help, where the stream refused something.
    fn say_refused(&self, refused: u64) {
        if refused == 0 {
            return;
        }
        let values = &self.deployed.stack.values;
        let records = style::plural(refused, "record");
        let shards: u64 = values.get("ShardCount").and_then(|text| text.parse().ok()).unwrap_or(1);
        if values.get("StreamMode").is_some_and(|mode| mode != "provisioned") {
            style::say(&style::warning(&format!("the stream refused {records} until it had grown; they went again")));
            return;
        }
        let carry = style::plural(shards, "shard");
        style::say(&style::warning(&format!(
            "the stream refused {records}, which went again: it has {carry} of 1 MB and 1,000 records a second each"
        )));
        style::say(&style::hint(&format!("more carry more: stockpipe up{} --shards {}", self.flags, shards + 1)));
    }
}

/// Waits until what was handed over is durable, or the producer gives up.
fn deliver(gauge: &Shared, screen: &mut Screen) {
    let mut waiting = gauge.waiting();
    while waiting > 0 && !gauge.has_failed() {
        screen.below.message(&format!("delivering {}", count(waiting)));
        gauge.settle(LOOK);
        waiting = gauge.waiting();
    }
}

/// What is waited for.
fn in_words(waiting: Waiting, window: u64) -> String {
    let Waiting { storing, archiving, signals } = waiting;
    let mut parts = Vec::new();
    if storing > 0 {
        parts.push(format!("{} to be stored", count(storing)));
    }
    if archiving > 0 {
        let every = if window > 0 { format!(", which takes {window} s of quotes at a time") } else { String::new() };
        parts.push(format!("{} to be archived{every}", count(archiving)));
    }
    if signals > 0 {
        parts.push(format!("{} to be recorded", style::plural(signals, "signal")));
    }
    parts.join(", ")
}
