//! Putting again what was planned: locally with the consumers, if nobody runs them, until all of it is stored. On AWS
//! the functions take it from the stream, whoever waits for them.

use crate::{
    cli::Format,
    commands::{alert_line, event_line},
    error::{Error, ExitStatus},
    interrupt::Interrupt,
    report::{progress::Progress, style},
    settings::Settings,
    targets::local::{Drained, Local, Run, Wake, consumers::Event, stream},
};
use std::{
    io::{self, Write},
    sync::{Arc, mpsc},
    time::{Duration, Instant},
};

/// When nothing gets on for so long, the rest is left to whoever runs the consumers next.
const PATIENCE: Duration = Duration::from_secs(30);

/// What is said where something is left.
const REST: &str = "The rest is as it was; the same command can be given again.";

/// What is to be put.
pub(super) struct Work {
    /// For people.
    pub(super) what: String,
    /// So many of it, for people.
    pub(super) named: fn(u64) -> String,
    /// How many lines or quotes there are.
    pub(super) total: u64,
    /// How it ends if all goes well.
    pub(super) status: ExitStatus,
}

/// Puts it locally with `put`, which is given the run, what wakes the consumers, and whom to tell how many are durable; waits
/// until they are stored, and sums up.
pub(super) fn put_locally(
    settings: &Settings,
    local: &Local,
    work: Work,
    put: impl FnOnce(i64, &Arc<Wake>, &mut dyn FnMut(u64) -> bool) -> Result<(), Error>,
) -> Result<ExitStatus, Error> {
    let interrupt = Interrupt::listen()?;
    let wake: Arc<Wake> = Arc::default();
    let (happened, events) = mpsc::channel();
    let send = Arc::new(move |event| {
        let _ = happened.send(event);
    });
    let consumers = local.start_consumers(&wake, send)?;
    let mut progress = Progress::new(&work.what, Some(work.total));
    let id = stream::new_run();
    let mut replayed = 0;
    let result = put(id, &wake, &mut |durable| {
        replayed = durable;
        progress.set(durable);
        show(&events, &mut progress);
        !interrupt.is_set()
    });
    let mut best = (u64::MAX, Instant::now());
    let drained = local.drain(&consumers, local.last()?, |_, lag| {
        progress.message(&format!("storing {}", style::count(lag.process.max(lag.archive))));
        show(&events, &mut progress);
        let waiting = lag.process + lag.archive;
        if waiting < best.0 {
            best = (waiting, Instant::now());
        }
        best.1.elapsed() < PATIENCE
    })?;
    consumers.stop();
    show(&events, &mut progress);
    progress.finish();
    let run = local.run(id)?;
    if settings.format == Format::Json {
        let mut out = io::stdout().lock();
        writeln!(out, "{}", json(replayed, Some((&run, &drained))))?;
        out.flush()?;
    }
    sum_up(local, &work, replayed, &run);
    ended(result, replayed)?;
    if let Drained::Missing { quotes, because } = drained {
        return Err(Error::new(format!("{} quotes are durable, but not stored yet", style::count(quotes)))
            .because(because)
            .hint(format!("`stockpipe latest{}` goes on with them", local.folder().stack_flag()))
            .status(ExitStatus::Partial));
    }
    Ok(work.status)
}

/// Puts it onto the stream on AWS with `put`, which is given whom to tell how much is durable.
pub(super) fn put_on_aws(
    settings: &Settings,
    work: Work,
    put: impl FnOnce(&mut dyn FnMut(u64) -> bool) -> Result<(), Error>,
) -> Result<ExitStatus, Error> {
    let interrupt = Interrupt::listen()?;
    let mut progress = Progress::new(&work.what, Some(work.total));
    let mut replayed = 0;
    let result = put(&mut |durable| {
        replayed = durable;
        progress.set(durable);
        !interrupt.is_set()
    });
    progress.finish();
    if settings.format == Format::Json {
        let mut out = io::stdout().lock();
        writeln!(out, "{}", json(replayed, None))?;
        out.flush()?;
    }
    style::say(&format!("{} replayed.", work.share(replayed)));
    if replayed < work.total {
        style::say(REST);
    }
    ended(result, replayed)?;
    let flags = settings.flags();
    style::say(&format!("The functions take it from there. Next: stockpipe status{flags}"));
    style::say(&style::hint(&format!("what is no quote is set aside anew; `stockpipe replay{flags} --list` shows it")));
    Ok(work.status)
}

impl Work {
    /// How much of it was done.
    fn share(&self, done: u64) -> String {
        let all = (self.named)(self.total);
        if done < self.total { format!("{} of {all}", style::count(done)) } else { (self.named)(done) }
    }
}

/// What failed, in part where something was put.
fn ended(result: Result<(), Error>, replayed: u64) -> Result<(), Error> {
    result.map_err(|error| if replayed > 0 { error.status(ExitStatus::Partial) } else { error })
}

fn show(events: &mpsc::Receiver<Event>, progress: &mut Progress) {
    for event in events.try_iter() {
        match event {
            // Not this command's answer: to the other stream, where whoever runs it sees it.
            Event::Alerts { raised, shown } => {
                raised.iter().for_each(|raised| progress.say(&alert_line(raised)));
                let _ = shown.send(());
            }
            event => event_line(&event).iter().for_each(|line| progress.say(line)),
        }
    }
}

fn sum_up(local: &Local, work: &Work, replayed: u64, run: &Run) {
    let counts = &run.counts;
    let mut parts =
        vec![format!("{} replayed", work.share(replayed)), format!("{} stored", style::count(counts.stored))];
    for (number, what) in [
        (counts.duplicates, "duplicates"),
        (counts.revised, "revised"),
        (counts.late, "late"),
        (counts.stale, "stale"),
        (counts.set_aside, "set aside again"),
        (counts.anomalies, "anomalies"),
    ] {
        if number > 0 {
            parts.push(format!("{} {what}", style::count(number)));
        }
    }
    parts.push(style::plural(run.signals, "signal"));
    style::say(&format!("{}.", parts.join(", ")));
    let flag = local.folder().stack_flag();
    if replayed < work.total {
        style::say(REST);
    }
    if counts.set_aside > 0 {
        style::say(&style::hint(&format!(
            "what is still no quote has to be mended by hand:\n\
             `stockpipe replay{flag} --list --format json` gives its bytes,\n\
             `stockpipe stream{flag} --source replay:-` takes the mended lines"
        )));
    }
}

/// As one object; what the consumers do is null where nobody waited for them.
fn json(replayed: u64, stored: Option<(&Run, &Drained)>) -> serde_json::Value {
    let of = |count: fn(&Run) -> u64| stored.map(|(run, _)| count(run));
    let lag = stored.map(|(_, drained)| match drained {
        Drained::All => 0,
        Drained::Missing { quotes, .. } => *quotes,
    });
    serde_json::json!({
        "replayed": replayed,
        "stored": of(|run| run.counts.stored),
        "archived": of(|run| run.archived),
        "duplicates": of(|run| run.counts.duplicates),
        "revised": of(|run| run.counts.revised),
        "late": of(|run| run.counts.late),
        "stale": of(|run| run.counts.stale),
        "set_aside": of(|run| run.counts.set_aside),
        "signals": of(|run| run.signals),
        "anomalies": of(|run| run.counts.anomalies),
        "lag": lag,
    })
}
