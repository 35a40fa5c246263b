//! Functions by the examples and rules of Trino's documentation.

use super::*;

/// What each expression is.
async fn are(cases: &[(&str, &str)]) {
    let engine = Lake::new().engine();
    for (expression, text) in cases {
        assert_eq!(rows(&engine, &format!("SELECT {expression}")).await, [*text], "{expression}");
    }
}

/// Part of the message that each expression is refused with.
async fn are_refused(cases: &[(&str, &str)]) {
    let engine = Lake::new().engine();
    for (expression, text) in cases {
        let error = refused(&engine, &format!("SELECT {expression}")).await.to_string();
        assert!(error.contains(text), "{expression}: {error}");
    }
}

#[tokio::test]
async fn date_diff_counts_whole_units_toward_zero() {
    are(&[
        ("date_diff('second', timestamp '2020-03-01 00:00:00', timestamp '2020-03-02 00:00:00')", "86400"),
        ("date_diff('hour', timestamp '2020-03-01 00:00:00', timestamp '2020-03-02 00:00:00')", "24"),
        ("date_diff('day', date '2020-03-01', date '2020-03-02')", "1"),
        ("date_diff('minute', timestamp '2020-03-01 00:00:01', timestamp '2020-03-01 00:01:00')", "0"),
        ("date_diff('second', timestamp '2020-03-01 00:00:01.999', timestamp '2020-03-01 00:00:00')", "-1"),
        ("date_diff('MILLISECOND', timestamp '2020-03-01 00:00:00', timestamp '2020-03-01 00:00:00.250')", "250"),
        ("date_diff('week', date '2020-03-01', date '2020-03-14')", "1"),
        ("date_diff('month', date '2020-01-31', date '2020-02-28')", "0"),
        ("date_diff('month', date '2020-01-31', date '2020-02-29')", "1"),
        ("date_diff('month', date '2020-02-29', date '2020-01-31')", "-1"),
        ("date_diff('month', timestamp '2020-01-15 12:00:00', timestamp '2020-02-15 11:59:59')", "0"),
        ("date_diff('quarter', date '2020-01-01', date '2020-12-31')", "3"),
        ("date_diff('year', date '2020-02-29', date '2021-02-28')", "1"),
        ("date_diff('year', date '2021-01-01', date '2020-01-02')", "0"),
        ("date_diff('day', date '2020-03-01', null)", "null"),
        ("date_diff('day', date '2020-03-01', timestamp '2020-03-02 23:00:00')", "1"),
    ])
    .await;
    are_refused(&[
        ("date_diff('days', date '2020-03-01', date '2020-03-02')", "'days' is no unit of time"),
        ("date_diff('day', '2020-03-01', date '2020-03-02')", "argument 2 is a time or date, not Utf8"),
        ("date_diff('day', date '2020-03-02')", "date_diff"),
    ])
    .await;
}

#[tokio::test]
async fn date_add_keeps_to_the_calendar() {
    are(&[
        ("date_add('second', 86, timestamp '2020-03-01 00:00:00')", "2020-03-01T00:01:26.000Z"),
        ("date_add('hour', 9, timestamp '2020-03-01 00:00:00')", "2020-03-01T09:00:00.000Z"),
        ("date_add('day', -1, timestamp '2020-03-01 00:00:00')", "2020-02-29T00:00:00.000Z"),
        ("date_add('month', 1, date '2020-01-31')", "2020-02-29"),
        ("date_add('quarter', -1, date '2020-05-31')", "2020-02-29"),
        ("date_add('year', 1, date '2020-02-29')", "2021-02-28"),
        ("date_add('week', 1, date '2020-02-29')", "2020-03-07"),
        ("date_add('day', null, date '2020-02-29')", "null"),
    ])
    .await;
    are_refused(&[
        ("date_add('hour', 1, date '2020-02-29')", "'hour' is no unit of dates"),
        ("date_add('year', 9223372036854775807, date '2020-02-29')", "outside the calendar"),
    ])
    .await;
}

#[tokio::test]
async fn formats_are_those_of_mysql() {
    are(&[
        ("date_parse('2020-01-31 12:05:09', '%Y-%m-%d %H:%i:%s')", "2020-01-31T12:05:09.000Z"),
        ("date_parse('2013', '%Y')", "2013-01-01T00:00:00.000Z"),
        ("date_parse('20130228', '%Y%m%d')", "2013-02-28T00:00:00.000Z"),
        ("date_parse('2/8/69 1:05 pm', '%c/%e/%y %l:%i %p')", "2069-02-08T13:05:00.000Z"),
        ("date_parse('12 AM 70', '%I %p %y')", "1970-01-01T00:00:00.000Z"),
        ("date_parse('Thu 28 february 2013 23:59:59.1239', '%a %d %M %Y %T.%f')", "2013-02-28T23:59:59.123Z"),
        ("date_parse('100% 2012 366', '100%% %Y %j')", "2012-12-31T00:00:00.000Z"),
        ("date_parse(null, '%Y')", "null"),
        ("date_format(timestamp '2013-02-08 13:05:09.25', '%Y-%m-%d %H:%i:%s.%f')", "2013-02-08 13:05:09.250000"),
        (
            "date_format(timestamp '2013-02-08 00:05:09', '%W %a %M %b %e %l %p %y %j %T %% %r')",
            "Friday Fri February Feb 8 12 AM 13 039 00:05:09 % 12:05:09 AM",
        ),
        ("date_format(date '2013-02-08', '%c/%d')", "2/08"),
    ])
    .await;
    are_refused(&[
        ("date_parse('2020-01-32', '%Y-%m-%d')", "'2020-01-32' is not of the format '%Y-%m-%d'"),
        ("date_parse('2020-01-31x', '%Y-%m-%d')", "is not of the format"),
        ("date_parse('1', '%w')", "%w is not supported"),
        ("date_format('2020-01-31', '%Y')", "argument 1 is a time or date"),
    ])
    .await;
}

#[tokio::test]
async fn times_of_iso_8601() {
    are(&[
        ("from_iso8601_timestamp('2020-05-11')", "2020-05-11T00:00:00.000Z"),
        ("from_iso8601_timestamp('2020-05-11T11')", "2020-05-11T11:00:00.000Z"),
        ("from_iso8601_timestamp('2020-05-11T11:15:05')", "2020-05-11T11:15:05.000Z"),
        ("from_iso8601_timestamp('2020-05-11T11:15:05.055+01:00')", "2020-05-11T10:15:05.055Z"),
        ("from_iso8601_timestamp('2020-05-11T11:15-0230')", "2020-05-11T13:45:00.000Z"),
        ("from_iso8601_timestamp('2020-05-11T11:15:05.9999999Z')", "2020-05-11T11:15:05.999Z"),
        ("from_iso8601_timestamp(null)", "null"),
        ("from_iso8601_timestamp('2020-05-11T00:00:00Z') = timestamp '2020-05-11 00:00:00'", "true"),
        ("to_unixtime(timestamp '1970-01-01 00:00:01.5')", "1.5"),
    ])
    .await;
    for text in ["", "2020-05-11 11:15:05", "2020-13-01", "2020-05-11T24:00", "2020-05-11T11:15:05+1", "2020-05-11T11é"]
    {
        are_refused(&[(&format!("from_iso8601_timestamp('{text}')"), "is no time of ISO 8601")]).await;
    }
    let lake = Lake::new().with(&[("A", "2026-11-20T10:00:00Z", "1", 1), ("A", "2026-11-20T11:00:00Z", "2", 2)]);
    let sql = "SELECT price FROM stock_data_table WHERE \"timestamp\" > from_iso8601_timestamp('2026-11-20T10:00:00Z')";
    assert_eq!(rows(&lake.engine(), sql).await, ["2"]);
}

#[tokio::test]
async fn parts_of_a_time() {
    let of = "(timestamp '2013-03-03 21:05:09.5')";
    let parts =
        ["year", "quarter", "month", "week", "day", "day_of_week", "dow", "day_of_year", "hour", "minute", "second"];
    let sql = parts.map(|part| format!("{part}{of}")).join(", ");
    assert_eq!(rows(&Lake::new().engine(), &format!("SELECT {sql}")).await, ["2013,1,3,9,3,7,7,62,21,5,9"]);
    are(&[("day_of_week(date '2013-03-04')", "1"), ("hour(null)", "null")]).await;
    are_refused(&[("hour('2013-03-04')", "hour: argument 1 is a time or date")]).await;
}

#[tokio::test]
async fn aggregates_under_athenas_names() {
    let engine = Lake::new().engine();
    let of = |values: &str| format!("FROM (VALUES {values}) AS t (k, x)");
    let values = of("('a', NULL), ('a', 7), ('b', NULL)");
    let sql = format!("SELECT k, arbitrary(x), any_value(x), every(x > 1) {values} GROUP BY k ORDER BY k");
    assert_eq!(rows(&engine, &sql).await, ["a,7,7,true", "b,null,null,null"]);
    let sql = format!("SELECT approx_percentile(x, 0.5) {}", of("('a', 1), ('a', 2), ('a', 3), ('a', NULL)"));
    assert_eq!(rows(&engine, &sql).await, ["2"]);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// Of many groups, in batches and partitions of any size, with nulls on both sides.
    #[test]
    fn max_by_and_min_by_of_groups(
        values in proptest::collection::vec((0..5_usize, proptest::option::of(0..9_u8)), 1..80),
        batch_size in prop_oneof![Just(1_usize), Just(3), Just(8192)],
    ) {
        // Each x is another one, so that it tells which row was taken; of equal y any may be.
        let engine = Lake::new().engine();
        let size = batch_size.to_string();
        let state = engine.context.state_ref();
        state.write().config_mut().options_mut().set("datafusion.execution.batch_size", &size).expect("a setting");
        let mut expected: std::collections::BTreeMap<usize, [Option<u8>; 3]> = Default::default();
        let mut table = Vec::new();
        for (x, (group, y)) in values.into_iter().enumerate() {
            let [most, least, even] = expected.entry(group).or_default();
            if let Some(y) = y {
                *most = (*most).max(Some(y));
                *least = Some(least.map_or(y, |least| least.min(y)));
                if x % 2 == 0 {
                    *even = (*even).max(Some(y));
                }
            }
            // The text of x ends in y, and is null where y is 4.
            let [text, y] = match y {
                Some(4) => ["null".to_owned(), "4".to_owned()],
                Some(y) => [format!("'some text of more than twelve letters {x} {y}'"), y.to_string()],
                None => [format!("'{x} none'"), "null".to_owned()],
            };
            table.push(format!("({group}, {text}, cast({y} as decimal(18,8)), cast({y} as bigint), {})", x % 2));
        }
        let table = format!("(VALUES {}) AS t (g, x, y, z, odd)", table.join(", "));
        let sql = format!(
            "SELECT g, max_by(x, y), min_by(x, z), max_by(x, date_add('day', z, date '2020-01-01')) \
             FILTER (WHERE odd = 0) FROM {table} GROUP BY g ORDER BY g"
        );
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
        let found = runtime.block_on(rows(&engine, &sql));
        let last = |line: &String| {
            line.split(',').map(|t| t.rsplit(' ').next().unwrap_or_default().to_owned()).collect::<Vec<_>>().join(",")
        };
        let text = |y: Option<u8>| y.filter(|y| *y != 4).map_or("null".to_owned(), |y| y.to_string());
        let expected: Vec<_> =
            expected.into_iter().map(|(g, [a, b, c])| format!("{g},{},{},{}", text(a), text(b), text(c))).collect();
        prop_assert_eq!(found.iter().map(last).collect::<Vec<_>>(), expected);
    }
}
