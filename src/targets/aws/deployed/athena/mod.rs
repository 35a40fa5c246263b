//! The history of a pipeline on AWS, which Athena answers from the lake's files.
//!
//! What is sent keeps each quote once: see [`sql`]. What would change something is refused here, in the words of the
//! embedded engine, before it is sent.

mod cost;
mod failure;
mod pages;
mod poll;
mod values;

use super::Deployed;
use crate::{
    error::{Error, ExitStatus},
    interrupt::Interrupt,
    queries::Parameter,
    report::style::count,
    targets::{
        Answer, Asked, History,
        aws::{deploy::queries::numbered, failed, sql},
        local::sql::{Judged, Sort, judge},
    },
};
use aws_sdk_athena::types::{QueryExecutionContext, ResultReuseByAgeConfiguration, ResultReuseConfiguration};
use failure::Sent;
use pages::Pages;
use pipeline::Date;
use std::time::Duration;

/// Bytes of a statement that Athena takes.
const LONGEST: usize = 262_144;
/// Of the keys of the lake's files, up to the day.
const DAYS: &str = "quotes/dt=";
/// What a query without a first day costs.
const UNBOUNDED: &str = "dt has no lower bound: Athena looks for the files of every day since 2000 and scans all that \
                         there are; WHERE dt >= '2026-11-20' or the like makes it quicker and cheaper";
const MINUTE: u64 = 60;
/// Ages of an answer, in minutes, that Athena may give again.
const AGES: std::ops::RangeInclusive<u64> = 1..=7 * 24 * 60;

/// How old an answer may be that is given again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reuse {
    minutes: i32,
}

impl Reuse {
    /// At most so old; none where Athena keeps none of that age. A part of a minute is left away.
    #[must_use]
    pub fn within(age: Duration) -> Option<Self> {
        let minutes = age.as_secs() / MINUTE;
        i32::try_from(minutes).ok().filter(|_| AGES.contains(&minutes)).map(|minutes| Self { minutes })
    }
}

/// Asks Athena.
#[derive(Debug)]
pub struct Athena<'a> {
    deployed: &'a Deployed,
    /// Whether an answer to the same query may be given again.
    pub reuse: Option<Reuse>,
    /// What stops a query.
    pub interrupt: Interrupt,
}

impl Deployed {
    /// The history, in the lake.
    pub fn history(&self, reuse: Option<Reuse>, interrupt: Interrupt) -> Athena<'_> {
        Athena { deployed: self, reuse, interrupt }
    }
}

impl History for Athena<'_> {
    fn days(&self) -> Result<Option<[Date; 2]>, Error> {
        self.deployed.wait(self.days_of_lake())
    }

    fn query(
        &self,
        sql: &str,
        parameters: &[Parameter],
        tell: &mut dyn FnMut(Asked<'_>),
    ) -> Result<Box<dyn Answer + '_>, Error> {
        let pages = self.deployed.wait(async {
            let judged = judge(sql, parameters).await?;
            if judged.is_unbounded {
                tell(Asked::Note(UNBOUNDED));
            }
            let sql = sql.trim_end().trim_end_matches(';');
            let sent = Sent { sql, text: self.text(sql, &judged)?, judged };
            let id = self.start(&sent, parameters).await?;
            let spent = self.end_of(&id, &sent, tell).await?;
            Pages::open(self.deployed, id, spent, &self.interrupt).await
        })?;
        Ok(Box::new(pages))
    }
}

impl Athena<'_> {
    /// The first and the last day with files.
    async fn days_of_lake(&self) -> Result<Option<[Date; 2]>, Error> {
        let s3 = self.deployed.aws.s3();
        let list = s3.list_objects_v2().bucket(self.deployed.names.data_bucket()).prefix(DAYS).delimiter("/");
        let mut pages = list.into_paginator().send();
        let mut days: Option<[Date; 2]> = None;
        while let Some(page) = pages.next().await {
            let page = page.map_err(|e| failed("the lake's days cannot be read", "S3.ListObjectsV2", &e))?;
            let prefixes = page.common_prefixes.unwrap_or_default();
            let each = prefixes.iter().filter_map(|prefix| day(prefix.prefix()?));
            for day in each {
                days = Some(days.map_or([day; 2], |[first, last]| [first.min(day), last.max(day)]));
            }
        }
        Ok(days)
    }

    /// What is sent for a query.
    fn text(&self, sql: &str, judged: &Judged) -> Result<String, Error> {
        let text = match judged.sort {
            Sort::Query => sql::with_each_quote_once(&numbered(sql), &self.deployed.names.database()),
            Sort::About => sql.to_owned(),
        };
        if text.len() > LONGEST {
            let [length, longest] = [text.len() as u64, LONGEST as u64].map(count);
            return Err(Error::new("the query is too long for Athena")
                .because(format!("it is sent with {length} bytes, and Athena takes {longest}"))
                .status(ExitStatus::Usage)
                .hint("a long list of values is better read from a table, or asked for in parts"));
        }
        Ok(text)
    }

    /// Has Athena begin, and gives the id of the query.
    async fn start(&self, sent: &Sent<'_>, parameters: &[Parameter]) -> Result<String, Error> {
        let names = &self.deployed.names;
        let context = QueryExecutionContext::builder().database(names.database()).build();
        let start = self.deployed.aws.athena().start_query_execution();
        let mut start = start.work_group(names.workgroup()).query_string(&sent.text).query_execution_context(context);
        if !parameters.is_empty() {
            let values = parameters.iter().map(Parameter::literal).collect();
            start = start.set_execution_parameters(Some(values));
        }
        if let Some(Reuse { minutes }) = self.reuse {
            let by_age = ResultReuseByAgeConfiguration::builder().enabled(true).max_age_in_minutes(minutes).build();
            let reuse = ResultReuseConfiguration::builder().result_reuse_by_age_configuration(by_age).build();
            start = start.result_reuse_configuration(reuse);
        }
        let started = start.send().await.map_err(|e| sent.not_started(self.deployed, &e))?;
        started.query_execution_id.ok_or_else(|| Error::new("Athena gives the query no id"))
    }
}

/// The day in `quotes/dt=2026-11-20/`.
fn day(prefix: &str) -> Option<Date> {
    Date::parse(prefix.strip_prefix(DAYS)?.strip_suffix('/')?)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Would catch an age that Athena refuses, and one that is older than was asked for.
    #[test]
    fn ages_of_answers() {
        let within = |seconds| Reuse::within(Duration::from_secs(seconds)).map(|reuse| reuse.minutes);
        assert_eq!([59, 60, 119, 604_800, 604_860].map(within), [None, Some(1), Some(1), Some(10_080), None]);
    }

    #[test]
    fn days_of_prefixes() {
        assert_eq!(day("quotes/dt=2026-11-20/"), Date::parse("2026-11-20"));
        assert_eq!([day("quotes/dt=soon/"), day("quotes/dt=2026-11-20"), day("raw-data/")], [None; 3]);
    }
}
