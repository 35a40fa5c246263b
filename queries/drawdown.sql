-- Drawdown
-- The worst fall of each symbol from its highest price until then, in percent, and when it began and ended.
-- ? from date = to - 29 days
-- ? to date = newest
-- ? symbol text = *
-- ? symbol
WITH peaked AS (
    SELECT
        symbol,
        "timestamp",
        price,
        max(price) OVER (
            PARTITION BY symbol ORDER BY "timestamp" ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW
        ) AS peak
    FROM stock_data_table
    WHERE dt >= ? AND dt <= ? AND (? = '*' OR symbol = ?)
),
-- A peak is reached whenever the price equals it; the fall begins where it last did.
fallen AS (
    SELECT
        symbol,
        "timestamp",
        price,
        peak,
        max(CASE WHEN price = peak THEN "timestamp" END) OVER (
            PARTITION BY symbol ORDER BY "timestamp" ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW
        ) AS peak_at,
        cast(peak - price AS double) * 100 / cast(peak AS double) AS fall
    FROM peaked
),
ranked AS (
    SELECT
        symbol,
        "timestamp",
        price,
        peak,
        peak_at,
        fall,
        row_number() OVER (PARTITION BY symbol ORDER BY fall DESC, "timestamp") AS n
    FROM fallen
)
SELECT
    symbol,
    peak,
    peak_at,
    price AS trough,
    "timestamp" AS trough_at,
    round(fall, 4) AS fall_percent
FROM ranked
WHERE n = 1
ORDER BY symbol
