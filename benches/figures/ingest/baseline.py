"""What a plain loop does, for comparison with `stockpipe stream`: quotes per second, one quote at a time.

Per quote, as tutorials of such pipelines do it: one INSERT, committed by itself; one JSON file; one query for the
newest 21 prices, from which the averages of 5 and 20 now and one quote ago say whether they crossed. Quotes have the
fields of `--source synthetic`, from a random walk of the same shape.

The choices favour this loop: SQLite's fastest journal, synced now and then instead of at every commit
(`synchronous=NORMAL`: a power loss takes the newest quotes with it, while every quote that stockpipe counts is
durable), no stream before the table, no SQL over the history, and neither the interpreter's start nor the schema is
timed. `--synchronous FULL` makes each row durable, as stockpipe does; the files are not even then.
"""

import argparse
import json
import pathlib
import random
import sqlite3
import tempfile
import time
from datetime import datetime, timedelta, timezone

SCHEMA = """
    CREATE TABLE quotes (
        symbol TEXT NOT NULL, timestamp TEXT NOT NULL, price REAL NOT NULL, previous_close REAL, change_percent REAL,
        volume INTEGER, currency TEXT, source TEXT, anomaly INTEGER NOT NULL, PRIMARY KEY (symbol, timestamp)
    );
    CREATE TABLE signals (symbol TEXT NOT NULL, timestamp TEXT NOT NULL, signal TEXT NOT NULL, price REAL NOT NULL);
"""
NEWEST = "SELECT price FROM quotes WHERE symbol = ? ORDER BY timestamp DESC LIMIT 21"


def walk(symbols, count):
    """One quote per symbol and second, from 100, by at most two cents a step; the last falls on now."""
    cents = [10_000] * symbols
    first = datetime.now(timezone.utc) - timedelta(seconds=count // symbols)
    for number in range(count):
        step, symbol = divmod(number, symbols)
        cents[symbol] = max(100, cents[symbol] + random.randint(-2, 2))
        yield {
            "symbol": f"SYN{symbol:05}",
            "timestamp": (first + timedelta(seconds=step)).strftime("%Y-%m-%dT%H:%M:%S.000Z"),
            "price": cents[symbol] / 100,
            "previous_close": 100.0,
            "volume": random.randrange(10_000),
            "currency": "USD",
            "source": "synthetic",
        }


def insert(db, quote):
    """Stores a quote with its change against the previous close."""
    change = round((quote["price"] - quote["previous_close"]) / quote["previous_close"] * 100, 4)
    db.execute(
        "INSERT INTO quotes VALUES (:symbol, :timestamp, :price, :previous_close, :change, :volume, :currency, "
        ":source, :anomaly)",
        {**quote, "change": change, "anomaly": abs(change) > 5},
    )


def write_raw(folder, quote):
    """Keeps a quote as it came, in a file of its own; the symbol's folder is there."""
    name = quote["timestamp"].replace(":", "-")
    (folder / quote["symbol"] / f"{name}.json").write_text(json.dumps(quote))


def crossing(db, symbol):
    """BUY or SELL if the averages of the newest 5 and 20 prices crossed with the newest one."""
    prices = [price for (price,) in db.execute(NEWEST, (symbol,))]
    if len(prices) < 21:
        return None
    now = sum(prices[:5]) / 5 - sum(prices[:20]) / 20
    before = sum(prices[1:6]) / 5 - sum(prices[1:]) / 20
    if before <= 0 < now:
        return "BUY"
    if before >= 0 > now:
        return "SELL"
    return None


def run(folder, count, symbols, synchronous):
    """Handles so many quotes one by one; returns the seconds it took and the signals it found."""
    db = sqlite3.connect(folder / "table.db", isolation_level=None)
    db.execute("PRAGMA journal_mode = WAL")
    db.execute(f"PRAGMA synchronous = {synchronous}")
    db.executescript(SCHEMA)
    for symbol in range(symbols):
        (folder / f"SYN{symbol:05}").mkdir()
    signals = 0
    began = time.perf_counter()
    for quote in walk(symbols, count):
        insert(db, quote)
        write_raw(folder, quote)
        if signal := crossing(db, quote["symbol"]):
            signals += 1
            row = (quote["symbol"], quote["timestamp"], signal, quote["price"])
            db.execute("INSERT INTO signals VALUES (?, ?, ?, ?)", row)
    seconds = time.perf_counter() - began
    (stored,) = db.execute("SELECT count(*) FROM quotes").fetchone()
    assert stored == count, f"{stored} of {count} quotes are in the table"
    return seconds, signals


def main():
    """Prints one line of JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=30_000, help="quotes")
    parser.add_argument("--symbols", type=int, default=50)
    parser.add_argument("--synchronous", choices=["OFF", "NORMAL", "FULL"], default="NORMAL")
    parser.add_argument("--folder", help="where the files go, and are removed from at the end")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=arguments.folder) as folder:
        seconds, signals = run(pathlib.Path(folder), arguments.count, arguments.symbols, arguments.synchronous)
    rate = round(arguments.count / seconds, 1)
    print(json.dumps({"quotes": arguments.count, "signals": signals, "quotes_per_second": rate}))


if __name__ == "__main__":
    main()
