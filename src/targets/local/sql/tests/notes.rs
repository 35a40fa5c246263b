//! What is said of SQL that Athena does not take.

use super::*;
use crate::queries::{self, Defaults};

async fn notes(sql: &str) -> Vec<String> {
    Lake::new().engine().query(sql, &[]).await.unwrap_or_else(|e| panic!("{sql}: {e}")).notes
}

#[tokio::test]
async fn what_athena_does_not_take_is_noted() {
    let alias = "Athena does not group by an alias: for s write GROUP BY 1 or the expression";
    let time = "Athena does not compare a time with a text: write \"timestamp\" with timestamp '2026-11-20 10:00:00'";
    let day = "in Athena dt is a text: compare it with one, such as '2026-11-20'";
    for (rest, note) in [
        ("price FROM stock_data_table LIMIT 3 OFFSET 2", "Athena takes OFFSET before LIMIT: OFFSET 2 LIMIT 3"),
        ("price FROM stock_data_table LIMIT 2, 3", "Athena has no LIMIT with two numbers: write OFFSET 2 LIMIT 3"),
        (
            "price FROM stock_data_table QUALIFY row_number() OVER (PARTITION BY symbol ORDER BY dt) = 1",
            "Athena has no QUALIFY: put the query into a subquery and filter in WHERE",
        ),
        ("lower(symbol) AS s, count(*) FROM stock_data_table GROUP BY s", alias),
        ("* FROM (SELECT lower(symbol) AS s FROM stock_data_table AS t GROUP BY S)", &alias.replace("for s", "for S")),
        (
            "symbol, count(*) AS n FROM stock_data_table GROUP BY symbol HAVING n > 1",
            "Athena knows no alias in HAVING: for n write the expression",
        ),
        ("price FROM stock_data_table WHERE \"timestamp\" > '2026-11-20T10:00:00Z'", time),
        ("price FROM stock_data_table AS t WHERE '2026-11-20 10:00:00' <= t.\"timestamp\"", time),
        (
            "price FROM stock_data_table WHERE \"timestamp\" BETWEEN '2026-11-20 10:00:00' \
             AND timestamp '2026-11-21 10:00:00'",
            time,
        ),
        ("price FROM stock_data_table WHERE dt >= date '2026-11-20'", day),
        ("price FROM stock_data_table WHERE dt > current_date - interval '7' day", day),
    ] {
        assert_eq!(notes(&format!("SELECT {rest}")).await, [note], "{rest}");
    }
    let explained = notes("EXPLAIN SELECT price FROM stock_data_table LIMIT 3 OFFSET 2").await;
    assert_eq!(explained.len(), 1);
}

#[tokio::test]
async fn what_athena_takes_is_not() {
    for sql in [
        "SELECT price FROM stock_data_table OFFSET 2 LIMIT 3",
        "SELECT lower(symbol) AS s, count(*) AS n FROM stock_data_table GROUP BY lower(symbol) ORDER BY n",
        "SELECT lower(symbol) AS s, count(*) FROM stock_data_table GROUP BY 1",
        // The column is meant, by Athena as well.
        "SELECT s AS s, count(*) FROM (SELECT symbol AS s FROM stock_data_table) GROUP BY s",
        "SELECT symbol, max(price) AS top FROM stock_data_table GROUP BY symbol HAVING max(price) > 1",
        "SELECT price FROM stock_data_table WHERE \"timestamp\" > timestamp '2026-11-20 10:00:00'",
        "SELECT price FROM stock_data_table WHERE dt BETWEEN '2026-11-20' AND '2026-11-21' AND symbol IN ('A', 'B')",
    ] {
        assert!(notes(sql).await.is_empty(), "{sql}: {:?}", notes(sql).await);
    }
    let newest = Date::parse("2026-11-20").expect("a date");
    for query in queries::bundled().expect("queries") {
        let values = query.resolve(&[], Defaults { newest, all: None }).expect("values");
        let answer = Lake::new().engine().query(&query.sql, &values).await.expect("an answer");
        assert!(answer.notes.is_empty(), "{}: {:?}", query.name, answer.notes);
    }
}
