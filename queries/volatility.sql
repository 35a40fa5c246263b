-- Volatility
-- Each day's close, its change in percent, and the standard deviation of the last 20 such changes.
-- ? lead_in date = from - 60 days
-- ? to date = newest
-- ? symbol text = *
-- ? symbol
-- ? from date = to - 29 days
WITH daily AS (
    SELECT
        symbol,
        dt,
        max_by(price, "timestamp") AS close
    FROM stock_data_table
    WHERE dt >= ? AND dt <= ? AND (? = '*' OR symbol = ?)
    GROUP BY symbol, dt
),
followed AS (
    SELECT
        symbol,
        dt,
        close,
        lag(close) OVER (PARTITION BY symbol ORDER BY dt) AS close_before,
        row_number() OVER (PARTITION BY symbol ORDER BY dt) AS n
    FROM daily
),
changed AS (
    SELECT
        symbol,
        dt,
        close,
        n,
        cast(close - close_before AS double) * 100 / cast(close_before AS double) AS change
    FROM followed
),
spread AS (
    SELECT
        symbol,
        dt,
        close,
        n,
        change,
        stddev_samp(change) OVER (
            PARTITION BY symbol ORDER BY dt ROWS BETWEEN 19 PRECEDING AND CURRENT ROW
        ) AS deviation
    FROM changed
)
SELECT
    symbol,
    dt AS day,
    close,
    round(change, 4) AS change_percent,
    -- The first close has no change, so that 20 changes take 21 closes.
    CASE WHEN n >= 21 THEN round(deviation, 4) END AS volatility_20
FROM spread
WHERE dt >= ?
ORDER BY symbol, day
