-- Crossovers
-- Where the average of 5 quotes crossed that of 20, by the rule of the signals, in time order and late quotes included.
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
),
-- Which average is above; null where they are equal, which keeps the last side.
sided AS (
    SELECT
        symbol,
        dt,
        "timestamp",
        price,
        sum_5,
        sum_20,
        CASE WHEN 4 * sum_5 > sum_20 THEN 1 WHEN 4 * sum_5 < sum_20 THEN -1 END AS side
    FROM summed
    WHERE n >= 20
),
followed AS (
    SELECT
        symbol,
        dt,
        "timestamp",
        price,
        sum_5,
        sum_20,
        side,
        lag(side) IGNORE NULLS OVER (PARTITION BY symbol ORDER BY "timestamp") AS side_before
    FROM sided
)
SELECT
    symbol,
    "timestamp",
    CASE WHEN side > 0 THEN 'BUY' ELSE 'SELL' END AS signal,
    price,
    sum_5 * decimal '0.2' AS sma_5,
    sum_20 * decimal '0.05' AS sma_20
FROM followed
WHERE side <> side_before AND dt >= ?
ORDER BY symbol, "timestamp"
