//! How late a pipeline is: by the age of what its functions were given last, and by what was stored last.

use crate::{
    error::Error,
    targets::{
        aws::{Aws, deployed::partition, failed, names::Names},
        local::stream::now,
    },
};
use aws_ports::{REGISTER, item};
use aws_sdk_cloudwatch::{
    primitives::DateTime,
    types::{Dimension, Metric, MetricDataQuery, MetricStat, ScanBy},
};
use futures::{StreamExt, TryStreamExt, stream};
use pipeline::{Item, Timestamp};

/// What is said of a function is at most so old, in milliseconds: Lambda's metrics come a minute or two late.
pub const LOOKED_BACK: i64 = 10 * 60 * 1000;
/// The functions by what they are called in the stack, and how late each may be before its alarm is raised, in
/// milliseconds.
pub const LATE: [(&str, i64); 3] =
    [("ProcessStockData", 300_000), ("StockTrendAnalysis", 300_000), ("ArchiveStockData", 900_000)];
/// Symbols of which the newest quote is asked for: it is a look, and no count.
const MOST_SYMBOLS: i32 = 50;
/// And how many at once.
const AT_ONCE: usize = 32;

/// How late a function is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lag {
    /// Its name in the template.
    pub function: &'static str,
    /// The age of the oldest record that it was given in the newest minute in which it was given any, in milliseconds;
    /// none where there was no such minute.
    pub millis: Option<i64>,
    /// When that minute began.
    pub at: Option<Timestamp>,
}

/// How late each function is.
pub async fn lags(aws: &Aws, names: &Names) -> Result<Vec<Lag>, Error> {
    let query = |(at, (function, _)): (usize, &(&str, i64))| {
        let dimension = Dimension::builder().name("FunctionName").value(names.function(function)).build();
        let metric = Metric::builder().namespace("AWS/Lambda").metric_name("IteratorAge").dimensions(dimension).build();
        let stat = MetricStat::builder().metric(metric).period(60).stat("Maximum").build();
        MetricDataQuery::builder().id(id(at)).metric_stat(stat).build()
    };
    let now = now();
    let get = aws.cloudwatch().get_metric_data().scan_by(ScanBy::TimestampDescending);
    let get = get.set_metric_data_queries(Some(LATE.iter().enumerate().map(query).collect()));
    let get =
        get.start_time(DateTime::from_millis(now.millis() - LOOKED_BACK)).end_time(DateTime::from_millis(now.millis()));
    let got = get.send().await.map_err(|e| failed("the metrics cannot be read", "CloudWatch.GetMetricData", &e))?;
    let results = got.metric_data_results();
    let lag = |(at, (function, _)): (usize, &(&'static str, i64))| {
        let found = results.iter().find(|result| result.id() == Some(&*id(at)));
        let newest = found.and_then(|result| {
            let points = result.timestamps().iter().zip(result.values());
            points.max_by_key(|(time, _)| time.secs())
        });
        Lag {
            function,
            millis: newest.map(|(_, value)| *value as i64),
            at: newest.and_then(|(time, _)| Timestamp::from_millis(time.to_millis().ok()?)),
        }
    };
    Ok(LATE.iter().enumerate().map(lag).collect())
}

/// Ids begin with a small letter.
fn id(at: usize) -> String {
    format!("lag{at}")
}

/// What was stored last, of the first symbols.
pub async fn newest(aws: &Aws, names: &Names) -> Result<Option<Item>, Error> {
    let what = "the table cannot be read";
    let registered = partition(aws, names.signals_table(), REGISTER).limit(MOST_SYMBOLS).send().await;
    let registered = registered.map_err(|e| failed("the symbols cannot be read", "DynamoDB.Query", &e))?;
    let symbols = registered.items().iter().filter_map(|item| item.get("id")?.as_s().ok());
    let newest = symbols.map(async |symbol| {
        let query = partition(aws, names.quotes_table(), symbol).scan_index_forward(false).limit(1).send().await;
        let query = query.map_err(|e| failed(what, "DynamoDB.Query", &e))?;
        query.items().first().map(item).transpose().map_err(|e| Error::new(what).because(e))
    });
    let newest: Vec<Option<Item>> = stream::iter(newest).buffer_unordered(AT_ONCE).try_collect().await?;
    Ok(newest.into_iter().flatten().max_by_key(|item| item.processed_at))
}
