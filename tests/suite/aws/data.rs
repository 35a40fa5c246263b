//! What is kept, taken in again, protected, and gone.

use super::cloud::Cloud;
use crate::harness::{csv, data};
use aws_sdk_athena::types::{QueryExecutionContext, QueryExecutionState};
use aws_sdk_dynamodb::types::AttributeValue;
use std::{thread::sleep, time::Duration};

impl Cloud {
    /// A quote in the table, an object in the lake and one that was set aside, each with an old version.
    fn fill(&self) {
        let text = |text: &str| AttributeValue::S(text.into());
        let put = self.dynamodb().put_item().table_name("stockpipe-stock-market-data");
        let put = put.item("symbol", text("AAPL")).item("timestamp", text("2026-11-20T21:00:00.000Z"));
        self.ask(put.send()).expect("a quote");
        let bucket = self.bucket("stock-market-data-bucket-");
        for key in ["quotes/dt=2026-11-20/a.parquet", "set-aside/dt=2026-11-20/b.json"] {
            for body in ["old", "new"] {
                let body = aws_sdk_s3::primitives::ByteStream::from_static(body.as_bytes());
                self.ask(self.s3().put_object().bucket(&bucket).key(key).body(body).send()).expect("an object");
            }
        }
        // A marker, of which only its key is seen no more.
        self.ask(self.s3().delete_object().bucket(&bucket).key("set-aside/dt=2026-11-20/b.json").send())
            .expect("a marker");
        let results = self.bucket("athena-query-results-");
        let body = aws_sdk_s3::primitives::ByteStream::from_static(b"an answer");
        self.ask(self.s3().put_object().bucket(results).key("answer.csv").body(body).send()).expect("an answer");
    }
}

/// Would catch data that goes although it is to stay, that is not found again, or that keeps a removal from ending.
#[test]
fn kept_data_is_taken_in_again() {
    let cloud = Cloud::new();
    cloud.run(&["up", "--yes"]).expect(0);
    cloud.fill();
    let lake = cloud.bucket("stock-market-data-bucket-");
    cloud.run(&["down", "--keep-data", "--yes"]).expect(0).says(&[
        "= table stockpipe-stock-market-data: about 1 quote   stays",
        "1 object (5 with old versions)",
        "Next: `stockpipe up --target aws` takes them in again",
    ]);
    assert_eq!(cloud.status("stockpipe"), "");
    assert_eq!(cloud.tables(), ["stockpipe-stock-market-data", "stockpipe-stock-market-signals"]);
    assert_eq!(cloud.keys(&lake), ["quotes/dt=2026-11-20/a.parquet"]);
    cloud.run(&["down", "--keep-data", "--yes"]).expect(0).says(&["It is down already; its data stays."]);

    cloud.run(&["up", "--dry-run"]).expect(0).says(&["3 to take in", "about 1 quote among it"]);
    cloud.run(&["up", "--yes"]).expect(0).says(&["= QuotesTable", "Ready. Next: "]);
    assert_eq!(cloud.keys(&lake), ["quotes/dt=2026-11-20/a.parquet"]);
    cloud.run(&["up", "--yes"]).expect(0).says(&["No changes"]);

    // And it goes, be it with the stack or without.
    cloud.run(&["down", "--keep-data", "--yes"]).expect(0);
    cloud.run(&["down", "--yes"]).expect(0).says(&["bucket stock-market-data-bucket-", "and its data are gone"]);
    assert_eq!((cloud.buckets(), cloud.tables()), (Vec::new(), Vec::new()));
}

/// Would catch a removal that goes half way before it finds that it may not, and old versions that keep a bucket.
#[test]
fn what_is_protected_stays_until_it_is_not() {
    let cloud = Cloud::new();
    cloud.run(&["up", "--yes", "--set", "deletion_protection=yes"]).expect(0);
    cloud.fill();
    cloud.run(&["down", "--yes"]).expect(1).says(&["is protected against deletion", "--set deletion_protection=no"]);
    assert_eq!(cloud.status("stockpipe"), "CREATE_COMPLETE");
    cloud.run(&["up", "--yes", "--set", "deletion_protection=no"]).expect(0);
    cloud.run(&["down", "--yes"]).expect(0);
    assert_eq!((cloud.buckets(), cloud.tables()), (Vec::new(), Vec::new()));
}

impl Cloud {
    /// The rows that Athena gives, the header among them.
    fn athena_rows(&self, sql: &str, parameters: &[String]) -> Vec<Vec<String>> {
        let athena = self.athena();
        let context = QueryExecutionContext::builder().database("stockpipe_stock_data_db").build();
        let start = athena.start_query_execution().query_string(sql).query_execution_context(context);
        let start = start.work_group("stockpipe-stock-queries").set_execution_parameters(Some(parameters.to_vec()));
        let id = self.ask(start.send()).expect("a query").query_execution_id.expect("an id");
        loop {
            let execution = self.ask(athena.get_query_execution().query_execution_id(&id).send()).expect("a query");
            let status = execution.query_execution.and_then(|e| e.status).expect("a status");
            match status.state {
                Some(QueryExecutionState::Queued | QueryExecutionState::Running) => sleep(Duration::from_millis(50)),
                Some(QueryExecutionState::Succeeded) => break,
                _ => panic!("{}: {sql}", status.state_change_reason.unwrap_or_default()),
            }
        }
        let mut pages = athena.get_query_results().query_execution_id(&id).into_paginator().send();
        let mut rows = Vec::new();
        while let Some(page) = self.ask(pages.next()) {
            let found = page.expect("rows").result_set.and_then(|set| set.rows).unwrap_or_default();
            let cells = |row: &aws_sdk_athena::types::Row| {
                row.data().iter().map(|cell| cell.var_char_value().unwrap_or_default().to_owned()).collect()
            };
            rows.extend(found.iter().map(cells));
        }
        rows
    }
}

/// What follows `1. `.
fn numbered(line: &str) -> Option<&str> {
    let (number, rest) = line.split_once(". ")?;
    number.parse::<u32>().ok().map(|_| rest)
}

/// The days and signals of a history's crossovers.
fn days_and_signals(header: &[String], rows: &[Vec<String>]) -> Vec<(String, String)> {
    let at = |name: &str| header.iter().position(|column| column == name).expect("a column");
    let (time, signal) = (at("timestamp"), at("signal"));
    rows.iter().map(|row| (row[time][..10].to_owned(), row[signal].clone())).collect()
}

/// Would catch a saved query that Athena refuses as it is saved, and quotes that it counts twice: every file is there
/// twice, as while small files are merged.
#[test]
fn saved_queries_work_in_athena_and_see_each_quote_once() {
    let cloud = Cloud::new();
    cloud.run(&["up", "--yes"]).expect(0);
    // What a pipeline on this machine made of the same quotes.
    cloud.home.ok(["up"]);
    cloud.home.replay(&data("daily_FB_2012-2013.csv"));
    let (header, local) = csv(&cloud.home.ok(["query", "crossovers", "--all", "--format", "csv"]));
    let local = days_and_signals(&header, &local);
    assert!(local.len() > 3, "{local:?}");
    cloud.upload_lake(&["", "-again"]);
    for (name, sql) in cloud.saved_queries() {
        // Each numbered line is a parameter; where a name comes again it stands alone.
        let mut kinds = std::collections::BTreeMap::new();
        let mut parameters = Vec::new();
        for declared in sql.lines().filter_map(|line| numbered(line.strip_prefix("-- ")?)) {
            let (parameter, rest) = declared.split_once(' ').unwrap_or((declared, ""));
            let kind = rest.split(' ').next().filter(|kind| !kind.is_empty()).map(str::to_owned);
            let kind = kind.unwrap_or_else(|| String::clone(&kinds[parameter]));
            let default = rest.split_once("= ").map_or("", |(_, default)| default).to_owned();
            parameters.push(match (&*kind, parameter) {
                ("date", "to") => "'2013-12-31'".to_owned(),
                ("date", _) => "'2000-01-01'".to_owned(),
                ("text", _) => "'*'".to_owned(),
                _ if default.is_empty() => "1".to_owned(),
                _ => default,
            });
            kinds.insert(parameter.to_owned(), kind);
        }
        let rows = cloud.athena_rows(&sql, &parameters);
        let (header, rows) = rows.split_first().expect("a header");
        assert!(!rows.is_empty() || name == "anomalies", "{name}");
        if name == "crossovers" {
            assert_eq!(days_and_signals(header, rows), local);
        }
    }
}
