-- Top movers
-- How far each symbol's last price of the newest day is from the close of the session before, the furthest first.
-- ? lead_in date = from - 60 days
-- ? to date = newest
-- ? symbol text = *
-- ? symbol
-- ? from date = to - 29 days
-- ? limit integer = 20
WITH daily AS (
    SELECT
        symbol,
        dt,
        max_by(price, "timestamp") AS close,
        max_by(previous_close, "timestamp") FILTER (WHERE previous_close IS NOT NULL) AS told
    FROM stock_data_table
    WHERE dt >= ? AND dt <= ? AND (? = '*' OR symbol = ?)
    GROUP BY symbol, dt
),
-- The source knows the session before even where the lake missed it; without its word the lake's own counts.
followed AS (
    SELECT
        symbol,
        dt,
        close,
        coalesce(told, lag(close) OVER (PARTITION BY symbol ORDER BY dt)) AS previous_close,
        max(dt) OVER () AS newest
    FROM daily
),
changed AS (
    SELECT
        symbol,
        dt,
        close,
        previous_close,
        cast(close - previous_close AS double) * 100 / cast(previous_close AS double) AS change
    FROM followed
    WHERE dt = newest AND dt >= ? AND previous_close IS NOT NULL
),
ranked AS (
    SELECT
        symbol,
        dt,
        close,
        previous_close,
        change,
        row_number() OVER (ORDER BY abs(change) DESC, symbol) AS rank
    FROM changed
)
SELECT
    rank,
    symbol,
    dt AS day,
    close,
    previous_close,
    round(change, 4) AS change_percent
FROM ranked
WHERE rank <= ?
ORDER BY rank
