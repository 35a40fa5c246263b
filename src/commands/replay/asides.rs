//! What was set aside: shown, or put again.

use super::{
    confirm, named,
    run::{self, Work},
};
use crate::{
    cli,
    cli::Format,
    commands::{catch_up, clock, moment},
    error::{Error, ExitStatus},
    report::{
        style::{self, count, plural, visible},
        table::Writer,
    },
    rows::{self, Column, ColumnKind, Row},
    settings::Settings,
    targets::{
        Stream,
        aside::{Aside, Choice, Through},
        local::{Local, stream},
        span::{Place, told},
    },
};
use pipeline::Date;
use std::{
    cmp::Reverse,
    collections::{BTreeMap, BTreeSet},
};

/// So much is shown of a line, in bytes.
const SHOWN: usize = 200;
/// Reasons that are shown.
const REASONS: usize = 5;

/// Shows them, or plans, asks, and puts.
pub(super) fn run(settings: &Settings, arguments: &cli::Replay, local: &Local) -> Result<ExitStatus, Error> {
    let choice = choice(arguments)?;
    // What waits may have to be set aside as well.
    catch_up(local)?;
    if arguments.list {
        return list(settings, arguments, local, choice);
    }
    let plan = Plan::of(local, arguments, &choice)?;
    let status = plan.check(local, arguments)?;
    let lines = plural(plan.lines, "set-aside line");
    style::say(&format!("{lines}, of {}", named(plan.keys.iter().map(String::as_str))));
    let mut reasons: Vec<_> = plan.reasons.iter().collect();
    reasons.sort_by_key(|(_, number)| Reverse(**number));
    for (reason, number) in reasons.iter().take(REASONS) {
        style::say(&format!("  {:>6}  {}", count(**number), style::visible_bytes(reason.as_bytes(), SHOWN)));
    }
    if reasons.len() > REASONS {
        let rest: u64 = reasons.iter().skip(REASONS).map(|(_, number)| **number).sum();
        style::say(&format!("  {:>6}  for other reasons", count(rest)));
    }
    style::say(&match plan.still_none {
        0 => "  All of it would be quotes now.".to_owned(),
        none if none == plan.lines => "  None of it would be a quote now: all would be set aside again.".to_owned(),
        none => format!("  {} would be set aside again.", count(none)),
    });
    confirm(&format!("Put {lines} onto the stream again, as they are?"), arguments.yes)?;
    let choice = Choice { only_open: !arguments.again, through: plan.through, ..choice };
    let work = Work { what: format!("replay of {lines}"), noun: "line", total: plan.lines, status };
    run::put(settings, local, work, |id, wake, go_on| local.replay_asides(choice, id, wake, go_on))
}

fn choice(arguments: &cli::Replay) -> Result<Choice, Error> {
    let id = |text: &String| {
        Place::parse(text).ok_or_else(|| {
            Error::new(format!("--id '{}'", visible(text)))
                .because("not such as 42-7 or 42; `stockpipe replay --list` shows them")
                .status(ExitStatus::Usage)
        })
    };
    Ok(Choice {
        keys: arguments.symbols.clone(),
        places: arguments.id.iter().map(id).collect::<Result<_, _>>()?,
        since: arguments.since.as_deref().map(|text| moment("since", text)).transpose()?,
        reason: arguments.reason.clone(),
        ..Choice::default()
    })
}

/// What was typed, and what was found of it.
#[derive(Default)]
struct Plan {
    /// What would be put.
    lines: u64,
    /// Of these partition keys.
    keys: BTreeSet<String>,
    /// Why it was set aside, and how often.
    reasons: BTreeMap<String, u64>,
    /// What of it would be set aside again.
    still_none: u64,
    /// What was chosen, but replayed already.
    replayed: u64,
    /// The last one there is: what is set aside meanwhile is not replayed at once.
    through: Option<Through>,
    /// Symbols and ids that were typed, in vain.
    missing: Vec<String>,
}

impl Plan {
    fn of(local: &Local, arguments: &cli::Replay, choice: &Choice) -> Result<Self, Error> {
        let mut plan = Self::default();
        let mut seen = Seen::default();
        let mut asides = local.asides(choice.clone());
        while let Some(page) = asides.page()? {
            for aside in page {
                seen.add(&aside, choice);
                if aside.replayed.is_some() && !arguments.again {
                    plan.replayed += 1;
                    continue;
                }
                plan.lines += 1;
                plan.still_none += u64::from(!aside.would_be_quote());
                plan.keys.insert(aside.partition_key);
                *plan.reasons.entry(aside.reason).or_default() += 1;
            }
        }
        plan.through = asides.through();
        plan.missing = seen.missing(arguments);
        Ok(plan)
    }

    /// Whether there is anything to do, and all that was typed is there.
    fn check(&self, local: &Local, arguments: &cli::Replay) -> Result<ExitStatus, Error> {
        if self.lines == 0 && self.replayed > 0 {
            return Err(Error::new(format!("nothing was put: {} replayed already", chosen(self.replayed)))
                .hint("--again puts what was replayed once more")
                .status(ExitStatus::NotFound));
        }
        check_found(local, arguments, self.lines, &self.missing)
    }
}

fn chosen(number: u64) -> String {
    format!("{} {}", plural(number, "line"), if number == 1 { "was" } else { "were" })
}

/// Which of the typed symbols and ids were found.
#[derive(Default)]
struct Seen {
    keys: BTreeSet<String>,
    places: BTreeSet<usize>,
}

impl Seen {
    fn add(&mut self, aside: &Aside, choice: &Choice) {
        if !choice.keys.is_empty() && !self.keys.contains(&aside.partition_key) {
            self.keys.insert(aside.partition_key.clone());
        }
        self.places
            .extend(choice.places.iter().enumerate().filter(|(_, place)| place.has(aside.sequence)).map(|(at, _)| at));
    }

    fn missing(&self, arguments: &cli::Replay) -> Vec<String> {
        let keys = arguments.symbols.iter().filter(|key| !self.keys.contains(*key));
        let ids = arguments.id.iter().enumerate().filter(|(at, _)| !self.places.contains(at)).map(|(_, id)| id);
        keys.chain(ids).cloned().collect()
    }
}

/// An error where nothing was found that was typed; a note where some was not.
fn check_found(local: &Local, arguments: &cli::Replay, found: u64, missing: &[String]) -> Result<ExitStatus, Error> {
    let flag = local.folder().stack_flag();
    let everything = arguments.symbols.is_empty()
        && arguments.id.is_empty()
        && arguments.since.is_none()
        && arguments.reason.is_none();
    match found {
        0 if everything => Err(Error::new(format!("nothing is set aside in stack '{}'", local.folder().name()))
            .hint(format!("a span of the stream is put again with `stockpipe replay{flag} --from 10m`"))
            .status(ExitStatus::NotFound)),
        0 => Err(Error::new("nothing that is set aside is of that kind")
            .hint(format!("`stockpipe replay{flag} --list` shows all of it"))
            .status(ExitStatus::NotFound)),
        _ if missing.is_empty() => Ok(ExitStatus::Done),
        _ => {
            let named: Vec<_> = missing.iter().map(|name| format!("'{}'", visible(name))).collect();
            style::say(&style::warning(&format!("nothing is set aside of {}", named.join(", "))));
            Ok(ExitStatus::Partial)
        }
    }
}

fn list(settings: &Settings, arguments: &cli::Replay, local: &Local, choice: Choice) -> Result<ExitStatus, Error> {
    let (mut found, mut open, mut seen) = (0, 0, Seen::default());
    let mut asides = local.asides(choice.clone());
    while let Some(page) = asides.page()? {
        found += page.len() as u64;
        open += page.iter().filter(|aside| aside.replayed.is_none()).count() as u64;
        page.iter().for_each(|aside| seen.add(aside, &choice));
    }
    let is_narrowed = !arguments.symbols.is_empty() || !arguments.id.is_empty();
    let status = match found {
        0 if !is_narrowed => ExitStatus::Done,
        _ => check_found(local, arguments, found, &seen.missing(arguments))?,
    };
    let is_table = settings.format == Format::Table;
    let form = if is_table { Form::Short { replayed: open < found, today: stream::now().date() } } else { Form::Exact };
    let mut writer = Writer::stdout(settings.format.into(), form.columns())?;
    let mut asides = local.asides(choice);
    while let Some(page) = asides.page()? {
        page.iter().try_for_each(|aside| writer.row(form.row(aside)))?;
    }
    writer.finish()?;
    if found == 0 {
        style::say("Nothing is set aside, or nothing of that kind.");
        return Ok(status);
    }
    if is_table {
        let replayed = match found - open {
            0 => String::new(),
            replayed => format!(", {} replayed", count(replayed)),
        };
        let flag = local.folder().stack_flag();
        style::say(&format!("{} open{replayed}. Next: stockpipe replay{flag} --set-aside", count(open)));
    }
    Ok(status)
}

/// What is shown of a set-aside line.
enum Form {
    /// For people: the beginning of its bytes; whether it was replayed only where some were.
    Short { replayed: bool, today: Date },
    /// For programs: all of it.
    Exact,
}

impl Form {
    fn columns(&self) -> Vec<Column> {
        let text = |name| Column::new(name, ColumnKind::Text);
        let time = |name| Column::new(name, ColumnKind::Time);
        match self {
            Self::Short { replayed, .. } => {
                // What is never cut comes as a time: an id that is cut is none.
                let mut columns = vec![time("id"), time("arrived"), text("key")];
                columns.extend(replayed.then(|| time("replayed")));
                columns.extend([text("reason"), text("data")]);
                columns
            }
            Self::Exact => vec![
                text("sequence"),
                time("arrived_at"),
                text("partition_key"),
                text("reason"),
                time("replayed_at"),
                text("replayed_as"),
                text("data"),
                text("data_hex"),
            ],
        }
    }

    fn row(&self, aside: &Aside) -> Row {
        let (key, reason) = (Some(aside.partition_key.clone()), Some(aside.reason.clone()));
        match self {
            Self::Short { replayed, today } => {
                let mut row = vec![Some(aside.id()), Some(clock(aside.arrived_at, *today)), key];
                let replayed_as = || aside.replayed.map(|(_, record)| format!("as {}", told(record)));
                row.extend(replayed.then(replayed_as));
                row.extend([reason, Some(style::visible_bytes(&aside.bytes, SHOWN))]);
                row
            }
            Self::Exact => {
                let (at, replayed_as) = aside.replayed.map(|(at, record)| (at.to_string(), record.to_string())).unzip();
                let [data, hex] = rows::exact(&aside.bytes);
                let place = [Some(aside.sequence.to_string()), Some(aside.arrived_at.to_string())];
                place.into_iter().chain([key, reason, at, replayed_as, data, hex]).collect()
            }
        }
    }
}
