//! What is asked of both.

/// Queries that touch each operator, and what comes near to one and is none.
pub(super) const QUERIES: &[&str] = &[
    // Windows that are known, of each argument type.
    r#"SELECT symbol, "timestamp", sum(price) OVER w, sum(price) OVER w1, sum(open) OVER w, row_number() OVER w
       FROM stock_data_table WINDOW w AS (PARTITION BY symbol ORDER BY "timestamp" ROWS BETWEEN 2 PRECEDING AND
       CURRENT ROW), w1 AS (PARTITION BY symbol ORDER BY "timestamp" ROWS BETWEEN 0 PRECEDING AND CURRENT ROW)"#,
    r#"SELECT symbol, "timestamp", sum(open) OVER w, max(high) OVER w, min(low) OVER w, max(volume) OVER w,
       min(ingested_at) OVER w FROM stock_data_table
       WINDOW w AS (PARTITION BY symbol ORDER BY "timestamp" ROWS UNBOUNDED PRECEDING)"#,
    r#"SELECT symbol, "timestamp", sum(open) OVER w, max(high) OVER w, min(low) OVER w, max(x) OVER w
       FROM (SELECT *, to_unixtime("timestamp") AS u, date_diff('second', "timestamp", ingested_at) AS x
       FROM stock_data_table) WINDOW w AS (PARTITION BY symbol ORDER BY "timestamp"
       ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING)"#,
    r#"SELECT symbol, "timestamp", lag(price) OVER w, lag(open, 3) OVER w, lag(source, 2) OVER w, lag(stale, 40) OVER w,
       lag(open) IGNORE NULLS OVER w, lag(source) IGNORE NULLS OVER w, lag(dt, 1, NULL) OVER w
       FROM stock_data_table WINDOW w AS (PARTITION BY symbol ORDER BY "timestamp")"#,
    r#"SELECT symbol, dt, "timestamp", lag("timestamp") OVER (PARTITION BY symbol, dt ORDER BY "timestamp"),
       sum(price) OVER (PARTITION BY dt, symbol ORDER BY "timestamp" ROWS BETWEEN 1 PRECEDING AND CURRENT ROW)
       FROM stock_data_table"#,
    // Other frames, functions, arguments and filters.
    r#"SELECT symbol, "timestamp", sum(price) OVER (PARTITION BY symbol ORDER BY "timestamp"),
       sum(price) OVER (PARTITION BY symbol ORDER BY "timestamp" ROWS BETWEEN 2 PRECEDING AND 1 FOLLOWING),
       sum(price) OVER (PARTITION BY symbol ORDER BY "timestamp" ROWS BETWEEN 3 PRECEDING AND 1 PRECEDING),
       max(price) OVER (PARTITION BY symbol ORDER BY "timestamp" ROWS BETWEEN 3 PRECEDING AND CURRENT ROW),
       max(price) OVER (PARTITION BY symbol ORDER BY "timestamp" ROWS BETWEEN UNBOUNDED PRECEDING AND 2 PRECEDING),
       max(price) OVER (PARTITION BY symbol) FROM stock_data_table"#,
    r#"SELECT symbol, "timestamp", sum(price) FILTER (WHERE open IS NOT NULL) OVER w, count(open) OVER w,
       count(*) OVER w, avg(price) OVER w, max(source) OVER w, lead(price) OVER w, lag(price, 0) OVER w,
       lag(price, 2, 1.5) OVER w, lag(price, -1) OVER w, lag(open, 2) IGNORE NULLS OVER w, first_value(price) OVER w,
       rank() OVER w, max(to_unixtime("timestamp")) OVER w
       FROM stock_data_table WINDOW w AS (PARTITION BY symbol ORDER BY "timestamp" ROWS UNBOUNDED PRECEDING)"#,
    r#"SELECT symbol, "timestamp", sum(price) FILTER (WHERE open IS NOT NULL) OVER w FROM stock_data_table WINDOW w AS
       (PARTITION BY symbol ORDER BY "timestamp" ROWS UNBOUNDED PRECEDING)"#,
    r#"SELECT symbol, "timestamp", lag(price, 2, 1.5) OVER w FROM stock_data_table WINDOW w AS
       (PARTITION BY symbol ORDER BY "timestamp")"#,
    r#"SELECT symbol, "timestamp", lead(open) IGNORE NULLS OVER w, row_number() OVER w FROM stock_data_table WINDOW w AS
       (PARTITION BY symbol ORDER BY "timestamp" DESC)"#,
    // Other partitions and orders.
    r#"SELECT symbol, "timestamp", row_number() OVER (ORDER BY "timestamp", symbol),
       sum(price) OVER (ORDER BY symbol, "timestamp" ROWS BETWEEN 4 PRECEDING AND CURRENT ROW) FROM stock_data_table"#,
    r#"SELECT symbol, "timestamp", row_number() OVER (PARTITION BY source ORDER BY symbol, "timestamp"),
       lag(price) OVER (PARTITION BY source ORDER BY symbol, "timestamp") FROM stock_data_table"#,
    r#"SELECT symbol, "timestamp", sum(price) OVER (PARTITION BY dt ORDER BY symbol, "timestamp" ROWS BETWEEN 4 PRECEDING
       AND CURRENT ROW) FROM stock_data_table"#,
    r#"SELECT symbol, "timestamp", max("timestamp") OVER (PARTITION BY symbol ORDER BY sequence ROWS BETWEEN UNBOUNDED
       PRECEDING AND 1 PRECEDING), lag(price) OVER (PARTITION BY symbol ORDER BY "timestamp") FROM stock_data_table"#,
    r#"SELECT symbol, "timestamp", max(volume) OVER (PARTITION BY symbol, dt, source ORDER BY "timestamp"
       ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) FROM stock_data_table"#,
    r#"SELECT symbol, "timestamp", row_number() OVER (PARTITION BY symbol ORDER BY price DESC, "timestamp"),
       row_number() OVER (PARTITION BY symbol ORDER BY open, "timestamp" DESC),
       row_number() OVER (PARTITION BY symbol, source ORDER BY volume DESC, "timestamp") FROM stock_data_table"#,
    r#"SELECT symbol, "timestamp", row_number() OVER (PARTITION BY to_unixtime("timestamp") ORDER BY symbol)
       FROM stock_data_table"#,
    // Filters of each kind below a window.
    r#"SELECT symbol, "timestamp", sum(price) OVER (PARTITION BY symbol ORDER BY "timestamp" ROWS BETWEEN 2 PRECEDING AND
       CURRENT ROW) FROM stock_data_table WHERE "timestamp" > timestamp '2026-11-19 10:40:00'"#,
    r#"SELECT symbol, "timestamp", lag(open) IGNORE NULLS OVER (PARTITION BY symbol ORDER BY "timestamp")
       FROM stock_data_table WHERE symbol IN ('AAPL', 'a', 'none') AND dt <> '2026-11-19'"#,
    r#"SELECT symbol, "timestamp", sum(price) OVER (PARTITION BY symbol ORDER BY "timestamp" ROWS UNBOUNDED PRECEDING)
       FROM stock_data_table WHERE price > 100 OR source = 'yahoo' OR symbol LIKE '%.%'"#,
    r#"SELECT symbol, row_number() OVER (PARTITION BY symbol ORDER BY "timestamp") FROM stock_data_table
       WHERE symbol > 'AAPL' AND symbol < 'a' AND NOT stale"#,
    r#"SELECT symbol, row_number() OVER (PARTITION BY symbol ORDER BY "timestamp") FROM stock_data_table
       WHERE dt > '2027-01-01'"#,
    // A limit, an order that is there already, and none.
    r#"SELECT symbol, "timestamp", lag(price) OVER (PARTITION BY symbol ORDER BY "timestamp") FROM stock_data_table
       ORDER BY symbol, "timestamp" LIMIT 17"#,
    r#"SELECT symbol, "timestamp", lag(price) OVER (PARTITION BY symbol ORDER BY "timestamp") FROM stock_data_table
       ORDER BY symbol DESC, "timestamp" DESC LIMIT 9"#,
    r#"SELECT count(*), sum(n) FROM (SELECT row_number() OVER (PARTITION BY symbol ORDER BY "timestamp") AS n
       FROM stock_data_table)"#,
    "SELECT count(n) FROM (SELECT row_number() OVER (PARTITION BY symbol) AS n FROM stock_data_table)",
    // The first or last rows of each.
    r#"SELECT * FROM (SELECT *, row_number() OVER (PARTITION BY symbol ORDER BY "timestamp" DESC) AS n
       FROM stock_data_table) WHERE n = 1"#,
    r#"SELECT symbol, price, n FROM (SELECT *, row_number() OVER (PARTITION BY symbol ORDER BY "timestamp" DESC) AS n
       FROM stock_data_table WHERE NOT stale) WHERE n <= 1"#,
    r#"SELECT symbol, open, n FROM (SELECT *, row_number() OVER (PARTITION BY symbol ORDER BY "timestamp" DESC) AS n
       FROM stock_data_table WHERE "timestamp" < timestamp '2026-11-19 10:40:00') WHERE 1 >= n"#,
    r#"SELECT symbol, dt, price FROM (SELECT *, row_number() OVER (PARTITION BY symbol, dt ORDER BY "timestamp" DESC) AS n
       FROM stock_data_table WHERE symbol <> 'a') WHERE n < 2"#,
    r#"SELECT symbol, "timestamp", open FROM (SELECT *, row_number() OVER (PARTITION BY symbol ORDER BY open DESC,
       "timestamp") AS n FROM stock_data_table) WHERE n = 1"#,
    r#"SELECT symbol, "timestamp", open FROM (SELECT *, row_number() OVER (PARTITION BY symbol ORDER BY open,
       "timestamp" DESC) AS n FROM stock_data_table) WHERE n = 2 OR n = 1"#,
    r#"SELECT symbol, "timestamp" FROM (SELECT *, row_number() OVER (PARTITION BY symbol ORDER BY "timestamp") AS n,
       lag(price) OVER (PARTITION BY symbol ORDER BY "timestamp") AS l FROM stock_data_table) WHERE n = 1 AND l IS NULL"#,
    r#"SELECT source, symbol, "timestamp" FROM (SELECT *, row_number() OVER (PARTITION BY source ORDER BY "timestamp" DESC,
       symbol) AS n FROM stock_data_table) WHERE n = 1"#,
    // Deviations, to the digits in which both ways of working them out agree.
    r#"SELECT symbol, "timestamp", round(stddev_samp(cast(open AS double)) OVER w, 6), round(stddev(cast(price AS double))
       OVER w1, 6), round(stddev_samp(cast(price AS double)) OVER all_before, 6) FROM stock_data_table
       WINDOW w AS (PARTITION BY symbol ORDER BY "timestamp" ROWS BETWEEN 19 PRECEDING AND CURRENT ROW),
       w1 AS (PARTITION BY symbol ORDER BY "timestamp" ROWS BETWEEN 1 PRECEDING AND CURRENT ROW),
       all_before AS (PARTITION BY symbol ORDER BY "timestamp" ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW)"#,
    // Groups.
    r#"SELECT symbol, dt, min_by(open, "timestamp"), max(high), min(low), max_by(price, "timestamp"), sum(volume),
       max(volume) FILTER (WHERE source = 'yahoo'), count(*), count(open) FROM stock_data_table GROUP BY symbol, dt"#,
    r#"SELECT symbol, max_by(open, "timestamp"), min_by(source, "timestamp"), max("timestamp"), count(DISTINCT source)
       FROM stock_data_table WHERE NOT stale GROUP BY symbol"#,
    r#"SELECT symbol, max_by(open, "timestamp") FILTER (WHERE open > 100)
       FROM stock_data_table GROUP BY symbol"#,
    "SELECT dt, source, avg(price), max(symbol), count(*) FROM stock_data_table GROUP BY dt, source",
    // Groups that are runs of rows, with every function and filter; and symbols that end one file and begin the next.
    r#"SELECT dt, symbol, avg(open), sum(open), min(source), max(stale), bool_and(stale), bool_or(anomaly), count(volume),
       every(stale), arbitrary(currency), count_if(stale), round(stddev_samp(cast(open AS double)), 6),
       min_by(source, "timestamp"), max_by(open, price) FROM stock_data_table GROUP BY dt, symbol"#,
    r#"SELECT symbol, dt, sum(open) FILTER (WHERE NOT stale), count(*) FILTER (WHERE open > 100), avg(low) FILTER (WHERE
       source = 'yahoo'), min(high) FILTER (WHERE false), max_by(open, "timestamp") FILTER (WHERE open IS NOT NULL)
       FROM stock_data_table GROUP BY symbol, dt"#,
    r#"SELECT symbol, count(*), sum(price), max(greatest(coalesce(high, price), price)), min_by(dt, "timestamp")
       FROM stock_data_table WHERE symbol IN ('AAPL', 'ZZ') GROUP BY symbol"#,
    r#"SELECT symbol, dt, count(*), min(price + 1) FROM stock_data_table WHERE price > 105 GROUP BY symbol, dt"#,
    "SELECT dt, count(*), count(DISTINCT symbol), sum(DISTINCT price) FROM stock_data_table GROUP BY dt",
    "SELECT dt, max(symbol), count(open) FROM stock_data_table WHERE stale GROUP BY dt HAVING count(*) > 2",
    r#"SELECT symbol, array_agg(price ORDER BY "timestamp") FROM stock_data_table GROUP BY symbol"#,
    "SELECT dt FROM stock_data_table WHERE NOT stale GROUP BY dt",
    "SELECT symbol, dt, count(*) FROM stock_data_table WHERE dt > '2027-01-01' GROUP BY symbol, dt",
    r#"SELECT symbol, n, count(*) FROM (SELECT symbol, dt AS n, price FROM stock_data_table WHERE price > 95) GROUP BY n,
       symbol ORDER BY symbol, n"#,
    r#"SELECT symbol, sum(n) FROM (SELECT symbol, dt, count(*) AS n FROM stock_data_table GROUP BY symbol, dt)
       GROUP BY symbol"#,
    r#"SELECT symbol, dt, count(*), max(l) FROM (SELECT symbol, dt, lag(open) OVER (PARTITION BY symbol ORDER BY
       "timestamp") AS l FROM stock_data_table) GROUP BY symbol, dt"#,
    r#"SELECT symbol, dt, sum(price) FROM (SELECT * FROM stock_data_table WHERE stale UNION ALL SELECT * FROM
       stock_data_table WHERE NOT stale) GROUP BY symbol, dt"#,
    r#"SELECT symbol, dt, source, count(*), sum(l), max_by(l, "timestamp"), avg(n) FROM (SELECT *, lag(open) OVER w AS l,
       row_number() OVER w AS n FROM stock_data_table WINDOW w AS (PARTITION BY symbol, dt, source ORDER BY "timestamp"))
       GROUP BY symbol, dt, source"#,
    r#"SELECT symbol, count(*) FILTER (WHERE l < 3), min(l), max(source) FROM (SELECT *, row_number() OVER (PARTITION BY
       symbol ORDER BY "timestamp") AS l FROM stock_data_table) WHERE l <> 2 GROUP BY symbol"#,
    // Spans of time, of fixed length and not, on either side, and of what is missing.
    r#"SELECT symbol, "timestamp" + INTERVAL '45' SECOND, INTERVAL '1' DAY + ingested_at, "timestamp" - INTERVAL '2' HOUR,
       "timestamp" + INTERVAL '1' MONTH, "timestamp" - INTERVAL '1' YEAR - INTERVAL '1' DAY,
       "timestamp" + INTERVAL '0.5' SECOND, "timestamp" - INTERVAL '0.0004' SECOND, INTERVAL '1' DAY
       FROM stock_data_table"#,
    r#"SELECT symbol, before, count(*) FROM (SELECT symbol, "timestamp", lag("timestamp") OVER (PARTITION BY symbol ORDER BY
       "timestamp") AS before FROM stock_data_table) WHERE "timestamp" > before + INTERVAL '90' SECOND
       GROUP BY symbol, before"#,
    r#"SELECT date '2026-11-20' + INTERVAL '1' DAY, "timestamp" + (ingested_at - "timestamp"),
       cast("timestamp" AS date) + INTERVAL '1' DAY, from_iso8601_timestamp('2026-11-20') + INTERVAL '1' HOUR
       FROM stock_data_table WHERE "timestamp" - INTERVAL '11' HOUR < timestamp '2026-11-19 00:10:00'"#,
    r#"SELECT date_diff('second', "timestamp", ingested_at), date_diff('DAY', ingested_at, "timestamp"), date_diff(source,
       "timestamp", ingested_at), date_diff('month', timestamp '2026-01-31 00:00:00', "timestamp"), date_add('hour', 3,
       "timestamp"), date_add('month', 1, "timestamp"), date_format("timestamp", '%Y-%m-%d %H'), date_parse('2026-11',
       '%Y-%m'), date_parse(dt, '%Y-%m-%d') FROM (SELECT "timestamp", ingested_at, dt, CASE WHEN source = 'yahoo' THEN
       'minute' WHEN stale THEN 'quarter' END AS source FROM stock_data_table)"#,
    // Filters by which whole files can be passed over, or not.
    "SELECT symbol, price FROM stock_data_table WHERE anomaly",
    "SELECT symbol, price FROM stock_data_table WHERE NOT anomaly AND price > 109.5",
    "SELECT count(*), sum(price) FROM stock_data_table WHERE anomaly IS NULL OR change_percent > 14.5",
    "SELECT symbol, open FROM stock_data_table WHERE open < 95.05 OR volume = 49",
    "SELECT symbol, open FROM stock_data_table WHERE previous_close IS NULL AND source = 'yahoo' AND currency IS NULL",
    "SELECT symbol, price FROM stock_data_table WHERE price > 1000 OR source > 'z' OR origin = 'none'",
    "SELECT symbol, price FROM stock_data_table WHERE price IN (91.23, 100, 108.55) OR sequence = 'none'",
    "SELECT symbol, price FROM stock_data_table WHERE stale AND (dt = '2026-11-19' OR price < 90.1)",
    r#"SELECT symbol, row_number() OVER (PARTITION BY symbol ORDER BY "timestamp") FROM stock_data_table WHERE anomaly"#,
    "SELECT symbol, extract(hour FROM \"timestamp\") AS h, sum(volume), count(*) FROM stock_data_table GROUP BY 1, 2",
    r#"SELECT symbol, "timestamp", sum(price) FROM stock_data_table GROUP BY symbol, "timestamp""#,
    "SELECT symbol, dt, sum(price) FROM stock_data_table GROUP BY GROUPING SETS ((symbol, dt), (symbol), ())",
    "SELECT DISTINCT symbol, dt FROM stock_data_table",
    r#"SELECT count(*), max_by(price, "timestamp"), max("timestamp"), min(symbol) FROM stock_data_table"#,
    // The table more than once.
    r#"SELECT a.symbol, a."timestamp", a.l, b.m FROM
       (SELECT symbol, "timestamp", lag(price) OVER (PARTITION BY symbol ORDER BY "timestamp") AS l
        FROM stock_data_table WHERE dt >= '2026-11-19') a
       JOIN (SELECT symbol, "timestamp", sum(open) OVER (PARTITION BY symbol ORDER BY "timestamp" ROWS BETWEEN 2 PRECEDING
        AND CURRENT ROW) AS m FROM stock_data_table WHERE NOT stale) b
       ON a.symbol = b.symbol AND a."timestamp" = b."timestamp""#,
    r#"SELECT symbol, row_number() OVER (PARTITION BY symbol ORDER BY "timestamp") AS n FROM stock_data_table
       WHERE symbol = 'a' UNION ALL SELECT symbol, count(*) FROM stock_data_table GROUP BY symbol"#,
    r#"SELECT symbol, n FROM (SELECT symbol, dt, row_number() OVER (PARTITION BY symbol ORDER BY "timestamp") AS n
       FROM stock_data_table) WHERE dt = (SELECT max(dt) FROM stock_data_table WHERE symbol = 'AAPL')"#,
    r#"SELECT t.symbol, t.n FROM (SELECT symbol, "timestamp", row_number() OVER (PARTITION BY symbol ORDER BY "timestamp")
       AS n FROM (SELECT * FROM stock_data_table WHERE dt = '2026-11-18' UNION ALL SELECT * FROM stock_data_table
       WHERE dt = '2026-11-20')) t"#,
    r#"SELECT symbol, price FROM stock_data_table WHERE price > (SELECT max(p) FROM (SELECT lag(price) OVER (PARTITION BY
       symbol ORDER BY "timestamp") AS p FROM stock_data_table WHERE symbol = 'ZZ'))"#,
];
