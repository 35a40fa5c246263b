-- Latest prices
-- The newest quote of each symbol.
-- ? from date = to - 29 days
-- ? to date = newest
-- ? symbol text = *
-- ? symbol
WITH ranked AS (
    SELECT
        symbol,
        "timestamp",
        price,
        open,
        high,
        low,
        volume,
        previous_close,
        change_percent,
        anomaly,
        row_number() OVER (PARTITION BY symbol ORDER BY "timestamp" DESC) AS n
    FROM stock_data_table
    WHERE dt >= ? AND dt <= ? AND (? = '*' OR symbol = ?)
)
SELECT
    symbol,
    "timestamp",
    price,
    open,
    high,
    low,
    volume,
    previous_close,
    change_percent,
    anomaly
FROM ranked
WHERE n = 1
ORDER BY symbol
