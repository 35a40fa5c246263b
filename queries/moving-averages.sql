-- Moving averages
-- Each quote with the averages of the last 5 and 20 prices, in time order, and whether the first is above the second.
-- ? lead_in date = from - 60 days
-- ? to date = newest
-- ? symbol text = *
-- ? symbol
-- ? from date = to - 29 days
WITH summed AS (
    SELECT
        symbol,
        dt,
        "timestamp",
        price,
        sum(price) OVER (
            PARTITION BY symbol ORDER BY "timestamp" ROWS BETWEEN 4 PRECEDING AND CURRENT ROW
        ) AS sum_5,
        sum(price) OVER (
            PARTITION BY symbol ORDER BY "timestamp" ROWS BETWEEN 19 PRECEDING AND CURRENT ROW
        ) AS sum_20,
        row_number() OVER (PARTITION BY symbol ORDER BY "timestamp") AS n
    FROM stock_data_table
    WHERE dt >= ? AND dt <= ? AND (? = '*' OR symbol = ?)
)
SELECT
    symbol,
    "timestamp",
    price,
    CASE WHEN n >= 5 THEN sum_5 * decimal '0.2' END AS sma_5,
    CASE WHEN n >= 20 THEN sum_20 * decimal '0.05' END AS sma_20,
    CASE
        WHEN n < 20 THEN 'warming up'
        WHEN 4 * sum_5 > sum_20 THEN 'above'
        WHEN 4 * sum_5 < sum_20 THEN 'below'
        ELSE 'equal'
    END AS side
FROM summed
WHERE dt >= ?
ORDER BY symbol, "timestamp"
