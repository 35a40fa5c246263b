//! `query`: a saved query, or SQL of one's own, over the history.

use crate::{
    cli,
    cli::{Format, TargetName},
    error::{Error, ExitStatus},
    interrupt::Interrupt,
    queries::{self, Defaults, Parameter, QueryError, SavedQuery},
    report::{
        chart::{self, Series},
        progress::Progress,
        style,
        table::Writer,
    },
    rows::{Column, ColumnKind, Row},
    settings::Settings,
    sources,
    targets::{
        Asked, History,
        aws::deployed::athena::Reuse,
        local::{Local, stream},
    },
};
use std::{
    fs,
    time::{Duration, Instant},
};

/// Days that a chart shows at most.
const CHART_POINTS: usize = 2000;

/// Runs it.
pub fn run(settings: &Settings, arguments: &cli::Query) -> Result<ExitStatus, Error> {
    let Some(question) = Question::new(arguments)? else { return list(settings) };
    let reuse = arguments.reuse.as_deref().map(reuse).transpose()?;
    match settings.target {
        TargetName::Local if reuse.is_some() => {
            return Err(Error::new(
                "--reuse is Athena's: on this machine no answers are kept, and asking costs nothing",
            )
            .status(ExitStatus::Usage)
            .hint("leave it out, or add --target aws"));
        }
        TargetName::Local => {
            let local = Local::new(settings.folder());
            super::catch_up(&local)?;
            ask(settings.format, &local.history()?, &question)?;
        }
        TargetName::Aws => {
            let deployed = super::deployed(settings)?;
            let interrupt = Interrupt::listen_to_query()?;
            ask(settings.format, &deployed.history(reuse, interrupt), &question)?;
        }
    }
    Ok(ExitStatus::Done)
}

/// How old an answer may be, as it was typed.
fn reuse(text: &str) -> Result<Reuse, Error> {
    let usage =
        |why: String| Error::new(format!("--reuse '{}'", style::visible(text))).because(why).status(ExitStatus::Usage);
    let age = sources::parse_duration(text).map_err(|e| usage(e.to_string()))?;
    Reuse::within(age).ok_or_else(|| usage("Athena gives answers again from 1m to 7d after".into()))
}

/// What is asked.
#[derive(Debug)]
pub struct Question {
    what: What,
    given: Vec<(String, String)>,
    all: bool,
    chart: bool,
}

#[derive(Debug)]
enum What {
    Saved(SavedQuery),
    Sql(String),
}

impl Question {
    /// A saved query with some of its parameters.
    pub fn saved(name: &str, given: &[(&str, &str)], chart: bool) -> Result<Self, Error> {
        let query = queries::find(name).map_err(|e| query_error(&e))?;
        let given = given.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect();
        Ok(Self { what: What::Saved(query), given, all: false, chart })
    }

    /// What was typed; none where the saved queries are to be listed.
    fn new(arguments: &cli::Query) -> Result<Option<Self>, Error> {
        let usage = |what: String| Error::new(what).status(ExitStatus::Usage);
        let mut given = Vec::new();
        for parameter in &arguments.parameters {
            let Some((name, value)) = parameter.split_once('=') else {
                return Err(usage(format!("-p '{}' is not of the form name=value", style::visible(parameter)))
                    .hint("for example -p symbol=AAPL"));
            };
            given.push((name.to_owned(), value.to_owned()));
        }
        let what = match (&arguments.name, &arguments.sql, &arguments.file) {
            (Some(name), _, _) => What::Saved(queries::find(name).map_err(|e| query_error(&e))?),
            (_, Some(sql), _) => What::Sql(sql.clone()),
            (_, _, Some(file)) => {
                let text = fs::read_to_string(file)
                    .map_err(|e| usage(format!("'{}' cannot be read", file.display())).because(e))?;
                let name = file.file_stem().unwrap_or_default().to_string_lossy();
                // A file may have a header as the saved queries have, and then parameters.
                if text.starts_with("--") && text.contains("\n-- ?") {
                    What::Saved(SavedQuery::parse(&name, &text).map_err(|e| query_error(&e))?)
                } else {
                    What::Sql(text)
                }
            }
            (None, None, None) => return Ok(None),
        };
        if let What::Sql(_) = what
            && (!given.is_empty() || arguments.all)
        {
            return Err(usage("-p and --all are for saved queries".into())
                .hint("write the values into the SQL, or give the file a header with `-- ?` lines"));
        }
        Ok(Some(Self { what, given, all: arguments.all, chart: arguments.chart }))
    }
}

/// Answers on standard output, and says on standard error what it took.
pub fn ask(format: Format, history: &dyn History, question: &Question) -> Result<(), Error> {
    let started = Instant::now();
    let (sql, parameters): (&str, Vec<Parameter>) = match &question.what {
        What::Sql(sql) => (sql, vec![]),
        What::Saved(query) => {
            let [first, newest] = history.days()?.unwrap_or_else(|| [stream::now().date(); 2]);
            let defaults = Defaults { newest, all: question.all.then_some(first) };
            (&query.sql, query.resolve(&question.given, defaults).map_err(|e| query_error(&e))?)
        }
    };
    let mut progress = Progress::new("asking", None);
    let asked = history.query(sql, &parameters, &mut |asked| match asked {
        Asked::Note(note) => progress.say(&style::warning(note)),
        Asked::GoingOn(what) => progress.message(what),
    });
    progress.finish();
    let mut answer = asked?;
    let mut for_chart = Vec::new();
    let mut writer = Writer::stdout(format.into(), answer.columns().to_vec())?;
    while let Some(rows) = answer.next()? {
        for row in rows {
            if question.chart && for_chart.len() < CHART_POINTS {
                for_chart.push(row.clone());
            }
            writer.row(row)?;
        }
    }
    let rows = writer.finish()?;
    if format == Format::Table {
        if question.chart {
            draw(answer.columns(), &for_chart);
        }
        let time = style::elapsed(started.elapsed().max(Duration::from_millis(1)));
        let more = if question.chart { "--format csv saves it" } else { "--chart draws it, --format csv saves it" };
        style::say(&format!("{}, {time}, {}.   {more}", style::plural(rows, "row"), answer.took()));
    }
    Ok(())
}

/// The saved queries, and how to run one.
fn list(settings: &Settings) -> Result<ExitStatus, Error> {
    let column = |name: &str| Column { name: name.into(), kind: ColumnKind::Text };
    let columns = vec![column("name"), column("parameters"), column("description")];
    let mut writer = Writer::stdout(settings.format.into(), columns)?;
    for query in queries::bundled().map_err(|e| query_error(&e))? {
        let parameters = query.parameters.iter().map(|p| p.name.as_str()).collect::<Vec<_>>().join(", ");
        writer.row(vec![Some(query.name), Some(parameters), Some(query.description)])?;
    }
    writer.finish()?;
    if settings.format == Format::Table {
        let flags = settings.flags();
        style::say(&format!("Next: stockpipe query{flags} daily-trend -p symbol=AAPL, or --sql 'SELECT …'"));
    }
    Ok(ExitStatus::Done)
}

/// Draws the answer's numbers over its days or times: one symbol's, since prices of several do not fit one scale.
fn draw(columns: &[Column], rows: &[Row]) {
    let at = |names: &[&str]| names.iter().find_map(|name| columns.iter().position(|c| c.name == *name));
    let (Some(x), Some(price)) = (at(&["day", "dt", "timestamp"]), at(&["close", "price"])) else {
        style::say(&style::warning("there is nothing to draw: it takes a column day or timestamp, and close or price"));
        return;
    };
    let symbol = at(&["symbol"]);
    let of = |row: &Row| symbol.and_then(|i| row.get(i).cloned().flatten());
    let first = rows.first().and_then(of);
    let rows: Vec<&Row> = rows.iter().filter(|row| of(row) == first).collect();
    let labels: Vec<String> = rows.iter().map(|row| row.get(x).cloned().flatten().unwrap_or_default()).collect();
    let series = |column: usize| Series {
        name: columns.get(column).map(|c| c.name.clone()).unwrap_or_default(),
        values: rows.iter().map(|row| row.get(column)?.as_deref()?.parse().ok()).collect(),
    };
    let drawn = [Some(price), at(&["sma_5"]), at(&["sma_20"])].into_iter().flatten();
    let drawn: Vec<Series> =
        drawn.filter(|i| columns.get(*i).is_some_and(|c| c.kind == ColumnKind::Number)).map(series).collect();
    if let Some(symbol) = first {
        style::say(&format!("\n{symbol}"));
    }
    style::say(&chart::chart(&labels, &drawn, style::Screen::stdout()));
}

fn query_error(error: &QueryError) -> Error {
    let made = Error::new(error.to_string());
    match error {
        QueryError::Unknown { name, names } => {
            let made = made.status(ExitStatus::NotFound);
            match super::nearest(name, names.iter().map(String::as_str)) {
                Some(nearest) => made.hint(format!("did you mean {nearest}?")),
                None => made.hint("`stockpipe query` lists them"),
            }
        }
        QueryError::Header { .. } => made,
        _ => made.status(ExitStatus::Usage),
    }
}
