-- Volatility of quotes
-- How much each symbol's price moves from quote to quote: the deviation of 20 changes, on average and at most.
WITH changed AS (
    SELECT
        symbol,
        "timestamp",
        cast(price AS double)
        / lag(cast(price AS double)) OVER (PARTITION BY symbol ORDER BY "timestamp") - 1 AS change
    FROM stock_data_table
),
spread AS (
    SELECT
        symbol,
        stddev_samp(change) OVER (
            PARTITION BY symbol ORDER BY "timestamp" ROWS BETWEEN 19 PRECEDING AND CURRENT ROW
        ) AS deviation
    FROM changed
)
SELECT
    symbol,
    avg(deviation) AS mean,
    max(deviation) AS highest
FROM spread
GROUP BY symbol
ORDER BY symbol
