-- Data quality
-- By symbol and day: quotes, gaps longer than `gap` seconds, late and stale ones, and seconds from the market to here.
-- ? lead_in date = from - 60 days
-- ? to date = newest
-- ? symbol text = *
-- ? symbol
-- ? from date = to - 29 days
-- ? gap integer = 900
WITH followed AS (
    SELECT
        symbol,
        dt,
        "timestamp",
        stale,
        date_diff('millisecond', "timestamp", ingested_at) AS lag_ms,
        date_diff(
            'millisecond', lag("timestamp") OVER (PARTITION BY symbol, dt ORDER BY "timestamp"), "timestamp"
        ) AS gap_ms,
        -- The newest market time that had come in order before this quote did: stale and filled-in ones set no order.
        max(CASE WHEN NOT stale AND origin <> 'backfill' THEN "timestamp" END) OVER (
            PARTITION BY symbol ORDER BY sequence ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
        ) AS newest_before
    FROM stock_data_table
    WHERE dt >= ? AND dt <= ? AND (? = '*' OR symbol = ?)
),
shown AS (
    SELECT * FROM followed WHERE dt >= ?
),
-- Apart from the rest, since a parameter may stand in WHERE only.
gaps AS (
    SELECT
        symbol,
        dt,
        count(*) AS gaps
    FROM shown
    WHERE gap_ms > ? * cast(1000 AS bigint)
    GROUP BY symbol, dt
),
daily AS (
    SELECT
        symbol,
        dt,
        count(*) AS quotes,
        max(gap_ms) AS longest_gap_ms,
        sum(CASE WHEN "timestamp" <= newest_before THEN 1 ELSE 0 END) AS late,
        sum(CASE WHEN stale THEN 1 ELSE 0 END) AS stale,
        sum(lag_ms) AS sum_lag_ms,
        max(lag_ms) AS max_lag_ms
    FROM shown
    GROUP BY symbol, dt
)
SELECT
    daily.symbol,
    daily.dt AS day,
    quotes,
    coalesce(gaps.gaps, 0) AS gaps,
    cast(longest_gap_ms AS double) / 1000 AS longest_gap,
    late,
    stale,
    round(cast(sum_lag_ms AS double) / quotes / 1000, 3) AS mean_lag,
    cast(max_lag_ms AS double) / 1000 AS max_lag
FROM daily
LEFT JOIN gaps ON gaps.symbol = daily.symbol AND gaps.dt = daily.dt
ORDER BY daily.symbol, day
