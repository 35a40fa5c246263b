//! `query`: a saved query, or SQL of one's own, over the history.

use crate::{
    cli,
    cli::Format,
    error::{Error, ExitStatus},
    queries::{self, Defaults, Parameter, QueryError, SavedQuery},
    report::{
        chart::{self, Series},
        style,
        table::Writer,
    },
    rows::{Column, ColumnKind, Row},
    settings::Settings,
    targets::local::{
        Local,
        sql::{Engine, SqlError},
        stream,
    },
};
use std::{
    fs,
    time::{Duration, Instant},
};

/// Memory for sorting and grouping, in bytes; what needs more goes to disk.
const MEMORY: usize = 160 << 20;
/// Days that a chart shows at most.
const CHART_POINTS: usize = 2000;

/// Runs it.
pub fn run(settings: &Settings, arguments: &cli::Query) -> Result<ExitStatus, Error> {
    let local = Local::new(settings.folder());
    let Some(question) = Question::new(arguments)? else { return list(settings, &local) };
    super::catch_up(&local)?;
    ask(settings.format, &local, &question)?;
    Ok(ExitStatus::Done)
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
pub fn ask(format: Format, local: &Local, question: &Question) -> Result<(), Error> {
    let started = Instant::now();
    let files = local.lake_files()?;
    let newest = files.iter().map(|f| f.dt).max().unwrap_or_else(|| stream::now().date());
    let (sql, parameters): (&str, Vec<Parameter>) = match &question.what {
        What::Sql(sql) => (sql, vec![]),
        What::Saved(query) => {
            let defaults = Defaults { newest, all: question.all };
            (&query.sql, query.resolve(&question.given, defaults).map_err(|e| query_error(&e))?)
        }
    };
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|e| Error::new("threads cannot be started").because(e))?;
    let mut for_chart = Vec::new();
    let (rows, bytes, columns) = runtime.block_on(async {
        let engine = Engine::open(files, MEMORY).map_err(|e| sql_error(&e))?;
        let mut answer = engine.query(sql, &parameters).await.map_err(|e| sql_error(&e))?;
        for note in &answer.notes {
            style::say(&style::warning(note));
        }
        let columns = answer.columns.clone();
        let mut writer = Writer::stdout(format.into(), columns.clone())?;
        while let Some(rows) = answer.next().await {
            for row in rows.map_err(|e| sql_error(&e))? {
                if question.chart && for_chart.len() < CHART_POINTS {
                    for_chart.push(row.clone());
                }
                writer.row(row)?;
            }
        }
        Ok::<_, Error>((writer.finish()?, answer.bytes, columns))
    })?;
    if format == Format::Table {
        if question.chart {
            draw(&columns, &for_chart);
        }
        let took = style::elapsed(started.elapsed().max(Duration::from_millis(1)));
        let more = if question.chart { "--format csv saves it" } else { "--chart draws it, --format csv saves it" };
        style::say(&format!("{}, {took}, {} read.   {more}", style::plural(rows, "row"), style::bytes(bytes)));
    }
    Ok(())
}

/// The saved queries, and how to run one.
fn list(settings: &Settings, local: &Local) -> Result<ExitStatus, Error> {
    let column = |name: &str| Column { name: name.into(), kind: ColumnKind::Text };
    let columns = vec![column("name"), column("parameters"), column("description")];
    let mut writer = Writer::stdout(settings.format.into(), columns)?;
    for query in queries::bundled().map_err(|e| query_error(&e))? {
        let parameters = query.parameters.iter().map(|p| p.name.as_str()).collect::<Vec<_>>().join(", ");
        writer.row(vec![Some(query.name), Some(parameters), Some(query.description)])?;
    }
    writer.finish()?;
    if settings.format == Format::Table {
        let flag = local.folder().stack_flag();
        style::say(&format!("Next: stockpipe query{flag} daily-trend -p symbol=AAPL, or --sql 'SELECT …'"));
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

fn sql_error(error: &SqlError) -> Error {
    let made = Error::new("the query failed").because(error);
    match error {
        SqlError::Failed(_) => made,
        SqlError::ReadOnly(_) => made.status(ExitStatus::Usage),
        _ => made
            .status(ExitStatus::Usage)
            .hint("the table is stock_data_table; `--sql 'DESCRIBE stock_data_table'` lists its columns"),
    }
}
