-- Gaps
-- Where a symbol was silent for more than 45 seconds.
SELECT
    symbol,
    before,
    count(*) AS gaps
FROM (
    SELECT
        symbol,
        "timestamp",
        lag("timestamp") OVER (PARTITION BY symbol ORDER BY "timestamp") AS before
    FROM stock_data_table
) AS followed
WHERE "timestamp" > before + INTERVAL '45' SECOND
GROUP BY symbol, before
ORDER BY symbol, before
