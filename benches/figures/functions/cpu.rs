//! What the functions take of a processor: for a quote, and until they are ready for the first.
//!
//! The same quotes go to both sides, in records of several as stockpipe's producer packs them, and one by one as the
//! tutorial's puts them. Each side's trend gets the items that its own process wrote.

use super::{
    market::{Market, Quotes, one_by_one, table_event},
    place::{Item, Place, Program},
};
use crate::{
    Result,
    ingest::check,
    process,
    report::{Bound, Report, median},
    say,
};
use pipeline::{Quote, Symbol};
use std::{collections::BTreeSet, time::Duration};

/// Records of a batch, on both sides.
pub const RECORDS: usize = 100;
/// What the mapping of trend hands over at most, on both sides.
const CHANGES: usize = 500;
/// So many times less than the tutorial's.
const LESS_CPU: Bound = Bound::AtLeast(20.0);
/// So many times sooner than the tutorial's.
const SOONER: Bound = Bound::AtLeast(10.0);

/// What one run of a program took.
struct Taken {
    program: Program,
    /// For a quote, in µs.
    cpu: f64,
    init_wall: Duration,
    init_cpu: Duration,
}

/// How the quotes come.
pub struct Shape {
    /// In the report.
    pub name: &'static str,
    /// Quotes of a record.
    pub quotes: usize,
    /// Batches that are measured, after one that is not.
    pub batches: usize,
}

/// So many runs, in each of which every program is started anew.
pub fn measure(
    place: &Place,
    market: &mut Market,
    shape: &Shape,
    runs: usize,
    sent: &mut Vec<Quote>,
    report: &mut Report,
) -> Result<()> {
    let Shape { name, quotes, batches } = shape;
    // What Python compiles once, and what is read from the disk once, is not measured.
    for program in [Program::Process, Program::TutorialProcess, Program::TutorialTrend] {
        place.start(program, place.emulator.port)?;
    }
    let mut taken = vec![];
    for run in 1..=runs {
        say(&format!("functions, {name}, run {run} of {runs}"));
        let batches: Vec<Vec<Quotes>> = (0..=*batches).map(|_| market.records(RECORDS, *quotes)).collect();
        taken.extend(ours(place, market, &batches)?);
        taken.extend(tutorial(place, market, &batches)?);
        sent.extend(batches.into_iter().flatten().flatten());
    }
    let of = |program: Program, what: &dyn Fn(&Taken) -> f64| {
        median(&taken.iter().filter(|taken| taken.program == program).map(what).collect::<Vec<_>>())
    };
    let cpu = |program| of(program, &|taken| taken.cpu);
    let ratio = |ours: Option<f64>, theirs: Option<f64>| ours.zip(theirs).map(|(ours, theirs)| theirs / ours);
    for program in ALL {
        report.maybe(
            &format!("functions_{name}_{}_us", program.name()),
            &format!("{name}: CPU of {} a quote", program.name()),
            cpu(program),
            "µs",
        );
    }
    let both = cpu(Program::Process).zip(cpu(Program::Archive)).map(|(process, archive)| process + archive);
    let stored = ratio(both, cpu(Program::TutorialProcess));
    let analysed = ratio(cpu(Program::Trend), cpu(Program::TutorialTrend));
    let (stored_name, analysed_name) = (
        format!("{name}: CPU, process and archive against tutorial's"),
        format!("{name}: CPU, trend against tutorial's"),
    );
    let (stored_key, analysed_key) =
        (format!("functions_{name}_stored_ratio"), format!("functions_{name}_trend_ratio"));
    if *quotes == 1 {
        // Every symbol once a batch: nothing can be put together but requests.
        report.maybe(&stored_key, &stored_name, stored, "×");
        report.maybe(&analysed_key, &analysed_name, analysed, "×");
        return Ok(());
    }
    report.claim(&stored_key, &stored_name, stored, "×", LESS_CPU);
    report.claim(&analysed_key, &analysed_name, analysed, "×", LESS_CPU);
    let millis = |duration: Duration| duration.as_secs_f64() * 1000.0;
    let wall = |program| of(program, &|taken| millis(taken.init_wall));
    for program in ALL {
        let (key, name) = (format!("init_{}", program.name()), format!("init of {}", program.name()));
        report.maybe(&format!("{key}_ms"), &name, wall(program), "ms");
        report.maybe(&format!("{key}_cpu_ms"), &format!("{name}, CPU"), of(program, &|t| millis(t.init_cpu)), "ms");
    }
    for (ours, theirs) in [
        (Program::Process, Program::TutorialProcess),
        (Program::Archive, Program::TutorialProcess),
        (Program::Trend, Program::TutorialTrend),
    ] {
        let name = format!("init, {} against {}", ours.name(), theirs.name());
        report.claim(&format!("init_{}_ratio", ours.name()), &name, ratio(wall(ours), wall(theirs)), "×", SOONER);
    }
    Ok(())
}

/// In the order of the report.
const ALL: [Program; 5] =
    [Program::Process, Program::Archive, Program::TutorialProcess, Program::Trend, Program::TutorialTrend];

/// Runs our three functions over these batches, the first of them to warm up.
fn ours(place: &Place, market: &mut Market, batches: &[Vec<Quotes>]) -> Result<Vec<Taken>> {
    let events: Vec<String> = batches.iter().map(|batch| market.stream_event(batch)).collect();
    let quotes = count(batches);
    let process = run(place, Program::Process, &events, 1, quotes)?;
    let archive = run(place, Program::Archive, &events, 1, quotes)?;
    let trend = run_trend(place, Program::Trend, batches)?;
    Ok(vec![process, archive, trend])
}

/// Runs the tutorial's two over the same quotes.
fn tutorial(place: &Place, market: &mut Market, batches: &[Vec<Quotes>]) -> Result<Vec<Taken>> {
    let mut events = vec![];
    let mut warm_up = 0;
    for (at, batch) in batches.iter().enumerate() {
        events.extend(one_by_one(batch).chunks(RECORDS).map(|records| market.stream_event(records)));
        if at == 0 {
            warm_up = events.len();
        }
    }
    let process = run(place, Program::TutorialProcess, &events, warm_up, count(batches))?;
    let trend = run_trend(place, Program::TutorialTrend, batches)?;
    Ok(vec![process, trend])
}

/// Quotes after the batch that warms up.
fn count(batches: &[Vec<Quotes>]) -> usize {
    batches.iter().skip(1).flatten().map(Vec::len).sum()
}

/// Runs a trend over the items that these batches became.
fn run_trend(place: &Place, program: Program, batches: &[Vec<Quotes>]) -> Result<Taken> {
    let (events, warm_up, quotes) = changes(place, program, batches)?;
    run(place, program, &events, warm_up, quotes)
}

/// The changes of the items that these batches became; how many of the events are to warm up, and how many changes the
/// others hold.
pub fn changes(place: &Place, program: Program, batches: &[Vec<Quotes>]) -> Result<(Vec<String>, usize, usize)> {
    let items = items(place, program, batches.iter().flatten().flatten())?;
    let (warm_up, measured) = items.split_at(items.len() - count(batches));
    let events = |items: &[Item]| items.chunks(CHANGES).map(table_event).collect::<Vec<_>>();
    let warm_up = events(warm_up);
    let first = warm_up.len();
    Ok(([warm_up, events(measured)].concat(), first, measured.len()))
}

/// The items that these quotes became, in order of time; later ones are there not yet.
fn items<'a>(place: &Place, program: Program, quotes: impl Iterator<Item = &'a Quote> + Clone) -> Result<Vec<Item>> {
    let symbols: BTreeSet<Symbol> = quotes.clone().map(|quote| quote.symbol.clone()).collect();
    let from = quotes.clone().map(|quote| quote.timestamp).min().ok_or("no quotes")?;
    let items = place.items(program, &symbols, from)?;
    check::equal("items in the table", &items.len(), &quotes.count())?;
    Ok(items)
}

fn run(place: &Place, program: Program, events: &[String], warm_up: usize, quotes: usize) -> Result<Taken> {
    let mut function = place.start(program, place.emulator.port)?;
    let mut cpu = Duration::ZERO;
    for (at, event) in events.iter().enumerate() {
        let taken = function.handle(event.clone())?;
        if at >= warm_up {
            cpu += taken;
        }
    }
    let cpu = cpu.as_secs_f64() * 1e6 / quotes as f64;
    Ok(Taken { program, cpu, init_wall: function.init_wall, init_cpu: function.init_cpu })
}

/// Whether every quote is where it is to be, on both sides, and every signal is raised.
pub fn all_there(place: &Place, mut sent: Vec<Quote>) -> Result<()> {
    say("functions: what they left");
    for program in [Program::Process, Program::TutorialProcess] {
        items(place, program, sent.iter())?;
    }
    for program in [Program::Archive, Program::TutorialProcess] {
        check::equal("quotes in the bucket", &place.archived(program)?, &sent.len())?;
    }
    sent.sort_by(|a, b| (&*a.symbol, a.timestamp).cmp(&(&*b.symbol, b.timestamp)));
    let symbols: BTreeSet<&str> = sent.iter().map(|quote| &*quote.symbol).collect();
    let arguments: Vec<&str> = ["signals", "--format", "csv"].into_iter().chain(symbols).collect();
    let rows = sent.iter().map(|quote| format!("{},{},{}", quote.symbol, quote.timestamp, quote.price));
    let expected = check::signals(rows)?;
    let (signals, _) = process::output(place.command(place.emulator.port, &arguments))?;
    check::equal("signals", &signals, &expected)
}
