//! One file per command: what it does from settings to exit status.

mod completions;
mod demo;
mod doctor;
mod down;
mod init;
mod latest;
mod operation;
mod policy;
mod query;
mod replay;
mod signals;
mod status;
mod stream;
mod tail;
mod template;
mod up;

use crate::{
    cli::{Command, Format, Global, TargetName},
    error::{Error, ExitStatus},
    interrupt::Interrupt,
    report::{progress::Progress, style, table},
    settings::Settings,
    sources,
    targets::{
        Target,
        aws::{Aws, deployed::Deployed},
        local::{self, Drained, Local, consumers::Event},
    },
};
use pipeline::{Date, Raised, Symbol, Timestamp};
use std::{
    collections::HashSet,
    io::{self, BufRead, IsTerminal},
    ops::{Deref, Range},
    sync::mpsc,
    thread,
    time::Duration,
};

/// Runs a command.
pub fn run(global: &Global, command: Command) -> Result<ExitStatus, Error> {
    // What needs no settings works with wrong ones too.
    let settings = || Settings::resolve(global);
    let local = |command| local_only(settings()?, command);
    match command {
        Command::Init(init) => init::run(&init),
        Command::Up(up) => up::run(&settings()?, &up),
        Command::Stream(stream) => stream::run(&settings()?, &stream),
        Command::Query(query) => query::run(&settings()?, &query),
        Command::Latest(latest) => latest::run(&settings()?, &latest),
        Command::Signals(signals) => signals::run(&settings()?, &signals),
        Command::Tail(tail) => tail::run(&local("tail")?, &tail),
        Command::Replay(replay) => replay::run(&local("replay")?, &replay),
        Command::Doctor => doctor::run(&settings()?),
        Command::Template(template) => template::run(&settings()?, &template),
        Command::Policy(policy) => policy::run(&settings()?, &policy),
        Command::Status(status) => status::run(&settings()?, &status),
        Command::Demo => demo::run(),
        Command::Down(down) => down::run(&settings()?, &down),
        Command::Completions(completions) => completions::run(&completions),
        Command::Man(man) => completions::man(&man),
    }
}

/// The settings of a command that only the local target has.
fn local_only(settings: Settings, command: &str) -> Result<Settings, Error> {
    match settings.target {
        TargetName::Local => Ok(settings),
        TargetName::Aws => {
            Err(Error::new(format!("`{command}` is not there for AWS yet")).status(ExitStatus::Usage).hint(
                "any producer can put quotes on its stream, and Athena's console has the saved queries;\n\
                 `stockpipe status --target aws` names both",
            ))
        }
    }
}

/// The pipeline, ready to be asked: what waits locally is stored before.
fn ready(settings: &Settings) -> Result<Box<dyn Target>, Error> {
    Ok(match settings.target {
        TargetName::Local => {
            let local = Local::new(settings.folder());
            catch_up(&local)?;
            Box::new(local)
        }
        TargetName::Aws => Box::new(deployed(settings)?),
    })
}

/// The pipeline on AWS.
fn deployed(settings: &Settings) -> Result<Deployed, Error> {
    Deployed::find(&settings.stack, async |aws: &Aws| status::no_stack(aws, settings).await)
}

/// Runs what takes its time elsewhere, to its end.
fn block_on<T>(future: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.map_err(|e| Error::new("the network cannot be used").because(e))?.block_on(future)
}

impl From<Format> for table::Format {
    fn from(format: Format) -> Self {
        match format {
            Format::Table => Self::Table,
            Format::Json => Self::Json,
            Format::Csv => Self::Csv,
        }
    }
}

/// The symbols that were typed.
fn symbols(typed: &[String]) -> Result<Vec<Symbol>, Error> {
    let parse = |text: &String| {
        Symbol::parse(text).map_err(|e| {
            Error::new(format!("'{}' is no symbol", style::visible(text))).because(e).status(ExitStatus::Usage)
        })
    };
    typed.iter().map(parse).collect()
}

/// The time that was typed for an option: a time, a date, or how long ago.
fn moment(option: &str, text: &str) -> Result<Timestamp, Error> {
    let ago = || {
        let ago = sources::parse_duration(text).ok()?;
        Some(local::stream::now().plus_millis(-i64::try_from(ago.as_millis()).ok()?))
    };
    Timestamp::parse(text).or_else(|| Date::parse(text).map(Date::start)).or_else(ago).ok_or_else(|| {
        Error::new(format!("--{option} '{}'", style::visible(text)))
            .because("not a time such as 2026-11-20T14:30:00Z, a date, or how long ago, such as 10m")
            .status(ExitStatus::Usage)
    })
}

/// A time at which something arrived, for people: `14:30:00.125` today, `11-20 14:30` on another day. In UTC.
fn clock(time: Timestamp, today: Date) -> String {
    let text = time.to_string();
    let part = |range: Range<usize>| text.get(range).unwrap_or_default();
    if time.date() == today { part(11..23).into() } else { format!("{} {}", part(5..10), part(11..16)) }
}

/// Asks on the terminal, and gives the answer. Where there is none to ask on, or no answer, `undone` says what was not
/// done.
fn ask(question: &str, undone: &str) -> Result<String, Error> {
    put_question(question, undone)?;
    let answer = read_answer().map_err(|e| not_confirmed(undone, &e.to_string()))?;
    Ok(answer.trim().to_owned())
}

/// As [`ask`], where Ctrl-C is listened to: it is an answer, too.
fn ask_unless(interrupt: &Interrupt, question: &str, undone: &str) -> Result<String, Error> {
    put_question(question, undone)?;
    let (sender, answer) = mpsc::channel();
    // It may wait for ever; by then the command has ended.
    thread::spawn(move || sender.send(read_answer()));
    loop {
        match answer.recv_timeout(Duration::from_millis(50)) {
            Ok(Ok(answer)) => return Ok(answer.trim().to_owned()),
            Ok(Err(error)) => return Err(not_confirmed(undone, &error.to_string())),
            Err(_) if interrupt.is_set() => {
                return Err(not_confirmed(undone, "interrupted").status(ExitStatus::Interrupted));
            }
            Err(_) => {}
        }
    }
}

fn put_question(question: &str, undone: &str) -> Result<(), Error> {
    if !io::stdin().is_terminal() || !io::stderr().is_terminal() {
        return Err(not_confirmed(undone, "confirm with --yes (there is no terminal to ask on)"));
    }
    style::say(question);
    Ok(())
}

fn read_answer() -> io::Result<String> {
    let mut answer = String::new();
    io::stdin().lock().read_line(&mut answer).map(|_| answer)
}

fn not_confirmed(undone: &str, why: &str) -> Error {
    Error::new(format!("{undone}: {why}")).status(ExitStatus::NotConfirmed)
}

/// Takes what waits before a question is answered, and says what is missing if that takes too long.
fn catch_up(local: &Local) -> Result<(), Error> {
    let mut progress = Progress::new("storing what waits", None);
    let mut happened = Vec::new();
    let drained = local.catch_up(
        |lag| progress.message(&format!("{} quotes", style::count(lag.process.max(lag.archive)))),
        |event| match event {
            // Not this command's answer: to the other stream, where whoever runs it sees it.
            Event::Alerts { raised, shown } => {
                raised.iter().for_each(|raised| style::say(&alert_line(raised)));
                let _ = shown.send(());
            }
            event => happened.push(event),
        },
    )?;
    progress.finish();
    happened.iter().filter_map(event_line).for_each(|line| style::say(&line));
    if let Drained::Missing { quotes, because } = drained {
        style::say(&style::warning(&format!("{} quotes are still missing here: {because}", style::count(quotes))));
        style::say(&style::hint(&format!(
            "ask again in a moment, or see `stockpipe status{}`",
            local.folder().stack_flag()
        )));
    }
    Ok(())
}

/// How an event reads in a terminal; none for alerts, which are shown one by one.
fn event_line(event: &Event) -> Option<String> {
    match event {
        Event::Alerts { .. } => None,
        Event::Retrying { consumer, error, pause } => Some(style::warning(&format!(
            "{consumer} failed and tries again in {}: {error}. Nothing is lost",
            style::elapsed(*pause)
        ))),
        Event::Poisoned { record } => Some(style::warning(&format!(
            "record {record} cannot be handled and was set aside whole; `stockpipe status` counts it"
        ))),
    }
}

fn alert_line(raised: &Raised) -> String {
    match raised {
        Raised::Signal(signal) => {
            let colour = match signal.direction {
                pipeline::Direction::Buy => style::GOOD,
                pipeline::Direction::Sell => style::BAD,
            };
            format!(
                "{}  {:<8} {} at {}   SMA-5/20 {} / {}",
                signal.timestamp,
                signal.symbol,
                // Padded before it is painted: escapes have no width.
                style::paint(colour, &format!("{:<4}", signal.direction.as_str())),
                signal.price,
                signal.sma_5,
                signal.sma_20
            )
        }
        Raised::Anomaly(anomaly) => {
            let change = anomaly.change_percent.map_or_else(|| "beyond measure".into(), |p| format!("{p} %"));
            format!(
                "{}  {:<8} {} {change} against the previous close, at {}",
                anomaly.timestamp,
                anomaly.symbol,
                style::paint(style::WARN, "anomaly"),
                anomaly.price
            )
        }
    }
}

/// Which of these symbols the pipeline does not know: an error where it knows none of them, a note where it knows some.
fn check_known(settings: &Settings, target: &dyn Target, symbols: &[Symbol]) -> Result<ExitStatus, Error> {
    if symbols.is_empty() {
        return Ok(ExitStatus::Done);
    }
    say_unknown(settings, target, symbols, &unknown(target, symbols)?)
}

/// Those symbols that the pipeline does not know.
fn unknown<S: Deref<Target = str> + Clone>(target: &dyn Target, symbols: &[S]) -> Result<Vec<S>, Error> {
    if symbols.is_empty() {
        return Ok(Vec::new());
    }
    let known: HashSet<String> = target.symbols()?.into_iter().collect();
    Ok(symbols.iter().filter(|symbol| !known.contains(&***symbol)).cloned().collect())
}

/// As [`check_known`], where it is found out already which of them are unknown.
fn say_unknown<S: Deref<Target = str>>(
    settings: &Settings,
    target: &dyn Target,
    symbols: &[S],
    unknown: &[S],
) -> Result<ExitStatus, Error> {
    if unknown.is_empty() {
        return Ok(ExitStatus::Done);
    }
    let named = unknown.iter().map(|s| format!("'{}'", style::visible(s))).collect::<Vec<_>>().join(", ");
    let what = format!("there is no quote of {named} in stack '{}'", settings.stack);
    let known = target.symbols()?;
    let nearest = unknown.first().and_then(|unknown| nearest(unknown, known.iter().map(String::as_str)));
    let hint = match (nearest, known.is_empty()) {
        (Some(nearest), _) => format!("did you mean {nearest}?"),
        (None, true) => {
            format!("nothing was streamed yet: stockpipe stream --source synthetic{} sends something", settings.flags())
        }
        (None, false) => format!("it has {}", shortened(&known)),
    };
    if unknown.len() == symbols.len() {
        return Err(Error::new(what).hint(hint).status(ExitStatus::NotFound));
    }
    style::say(&style::warning(&what));
    style::say(&style::hint(&hint));
    Ok(ExitStatus::Partial)
}

fn shortened(names: &[String]) -> String {
    let shown = names.iter().take(8).cloned().collect::<Vec<_>>().join(", ");
    if names.len() > 8 { format!("{shown} and {} more", names.len() - 8) } else { shown }
}

/// The name that was probably meant.
fn nearest<'n>(typed: &str, names: impl Iterator<Item = &'n str>) -> Option<&'n str> {
    let score = |name: &str| strsim::jaro_winkler(&typed.to_lowercase(), &name.to_lowercase());
    names.map(|name| (score(name), name)).filter(|(s, _)| *s > 0.75).max_by(|a, b| a.0.total_cmp(&b.0)).map(|(_, n)| n)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_arrival_on_another_day_has_its_date() {
        let time = Timestamp::parse("2026-11-20T14:30:00.125Z").expect("a time");
        assert_eq!(clock(time, time.date()), "14:30:00.125");
        assert_eq!(clock(time, time.date().plus_days(1)), "11-20 14:30");
    }
}
