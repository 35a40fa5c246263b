//! Putting again what was planned: with the consumers, if nobody runs them, until all of it is stored.

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

/// What is to be put.
pub(super) struct Work {
    /// For people.
    pub(super) what: String,
    /// What one of it is called.
    pub(super) noun: &'static str,
    /// How many lines or quotes there are.
    pub(super) total: u64,
    /// How it ends if all goes well.
    pub(super) status: ExitStatus,
}

/// Puts it with `put`, which is given the run, what wakes the consumers, and whom to tell how many are durable; waits
/// until they are stored, and sums up.
pub(super) fn put(
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
    let id = stream::now_micros() as i64;
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
        writeln!(out, "{}", json(replayed, &run, &drained))?;
        out.flush()?;
    }
    sum_up(local, &work, replayed, &run);
    if let Err(error) = result {
        return Err(if replayed > 0 { error.status(ExitStatus::Partial) } else { error });
    }
    if let Drained::Missing { quotes, because } = drained {
        return Err(Error::new(format!("{} quotes are durable, but not stored yet", style::count(quotes)))
            .because(because)
            .hint(format!("`stockpipe latest{}` goes on with them", local.folder().stack_flag()))
            .status(ExitStatus::Partial));
    }
    Ok(work.status)
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
    let all = style::plural(work.total, work.noun);
    let put = if replayed < work.total { format!("{} of {all}", style::count(replayed)) } else { all };
    let mut parts = vec![format!("{put} replayed"), format!("{} stored", style::count(counts.stored))];
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
        style::say("The rest was not put; the same command can be given again.");
    }
    if counts.set_aside > 0 {
        style::say(&style::hint(&format!(
            "what is still no quote has to be mended by hand:\n\
             `stockpipe replay{flag} --list --format json` gives its bytes,\n\
             `stockpipe stream{flag} --source replay:-` takes the mended lines"
        )));
    }
}

fn json(replayed: u64, run: &Run, drained: &Drained) -> serde_json::Value {
    let counts = &run.counts;
    let lag = match drained {
        Drained::All => 0,
        Drained::Missing { quotes, .. } => *quotes,
    };
    serde_json::json!({
        "replayed": replayed,
        "stored": counts.stored,
        "archived": run.archived,
        "duplicates": counts.duplicates,
        "revised": counts.revised,
        "late": counts.late,
        "stale": counts.stale,
        "set_aside": counts.set_aside,
        "signals": run.signals,
        "anomalies": counts.anomalies,
        "lag": lag,
    })
}
