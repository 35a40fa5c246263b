-- Anomalies
-- The quotes that were beyond the threshold when they arrived, newest first.
-- ? from date = to - 29 days
-- ? to date = newest
-- ? symbol text = *
-- ? symbol
-- ? limit integer = 100
WITH ranked AS (
    SELECT
        symbol,
        "timestamp",
        price,
        previous_close,
        change_percent,
        source,
        row_number() OVER (ORDER BY "timestamp" DESC, symbol) AS rank
    FROM stock_data_table
    WHERE dt >= ? AND dt <= ? AND (? = '*' OR symbol = ?) AND anomaly
)
SELECT
    rank,
    symbol,
    "timestamp",
    price,
    previous_close,
    change_percent,
    source
FROM ranked
WHERE rank <= ?
ORDER BY rank
