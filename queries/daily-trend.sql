-- Daily trend
-- Each day's open, high, low, close and volume, the averages of 5 and 20 closes, and which of them is above.
-- ? lead_in date = from - 60 days
-- ? to date = newest
-- ? symbol text = *
-- ? symbol
-- ? from date = to - 29 days
WITH daily AS (
    SELECT
        symbol,
        dt,
        min_by(coalesce(open, price), "timestamp") AS open,
        max(greatest(coalesce(high, price), price)) AS high,
        min(least(coalesce(low, price), price)) AS low,
        max_by(price, "timestamp") AS close,
        -- Yahoo's volume is the day's so far; that of bars is each bar's own.
        coalesce(max(volume) FILTER (WHERE source = 'yahoo'), sum(volume)) AS volume
    FROM stock_data_table
    WHERE dt >= ? AND dt <= ? AND (? = '*' OR symbol = ?)
    GROUP BY symbol, dt
),
summed AS (
    SELECT
        symbol,
        dt,
        open,
        high,
        low,
        close,
        volume,
        sum(close) OVER (PARTITION BY symbol ORDER BY dt ROWS BETWEEN 4 PRECEDING AND CURRENT ROW) AS sum_5,
        sum(close) OVER (PARTITION BY symbol ORDER BY dt ROWS BETWEEN 19 PRECEDING AND CURRENT ROW) AS sum_20,
        row_number() OVER (PARTITION BY symbol ORDER BY dt) AS n
    FROM daily
)
SELECT
    symbol,
    dt AS day,
    open,
    high,
    low,
    close,
    CASE WHEN n >= 5 THEN sum_5 * decimal '0.2' END AS sma_5,
    CASE WHEN n >= 20 THEN sum_20 * decimal '0.05' END AS sma_20,
    CASE
        WHEN n < 20 THEN 'warming up'
        WHEN 4 * sum_5 > sum_20 THEN 'up'
        WHEN 4 * sum_5 < sum_20 THEN 'down'
        ELSE 'flat'
    END AS trend,
    volume
FROM summed
WHERE dt >= ?
ORDER BY symbol, day
