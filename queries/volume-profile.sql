-- Volume profile
-- Quotes and volume by hour of the day (UTC): of bars their sum, of yahoo what the volume of the day grew by.
-- ? from date = to - 29 days
-- ? to date = newest
-- ? symbol text = *
-- ? symbol
WITH followed AS (
    SELECT
        symbol,
        extract(hour FROM "timestamp") AS hour,
        source,
        volume,
        max(volume) OVER (
            PARTITION BY symbol, dt, source ORDER BY "timestamp" ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
        ) AS volume_before
    FROM stock_data_table
    WHERE dt >= ? AND dt <= ? AND (? = '*' OR symbol = ?)
),
-- The hours of a day add up to its last volume less its first: what was traded before the first quote is in no hour.
counted AS (
    SELECT
        symbol,
        hour,
        CASE
            WHEN source = 'yahoo' AND volume > volume_before THEN volume - volume_before
            WHEN source = 'yahoo' THEN volume - volume
            ELSE volume
        END AS volume
    FROM followed
)
SELECT
    symbol,
    hour,
    count(*) AS quotes,
    sum(volume) AS volume
FROM counted
GROUP BY symbol, hour
ORDER BY symbol, hour
