"""One query, answered by DuckDB on the files of the lake: how long it takes, and whether another answer is the same.

Takes JSON on standard input, {"files": [path], "sql": text, "other": path of a CSV or null}, and gives JSON on standard
output: {"seconds": number, "peak_bytes": number, "rows": number, "differing": number or null}.

Timed is the query alone, its answer written as CSV to nowhere. The process, the connection and the table, which is a
view of the files, are there before; what the files hold is not.
"""

import datetime
import json
import resource
import sys
import time

import duckdb

# The reading of a saved query as Athena's SQL.
from sql_differential import bound

TOLERANCE = 1e-9


def differing(db, sql, path):
    """Rows in which the answers differ, position by position; all of them if the counts differ."""
    db.execute(f"CREATE TABLE here AS SELECT * FROM ({sql})")
    db.execute(f"CREATE TABLE there AS SELECT * FROM read_csv('{path}', header = true, all_varchar = true, nullstr = '')")
    count = lambda table: db.execute(f"SELECT count(*) FROM {table}").fetchone()[0]
    if count("here") != count("there"):
        return max(count("here"), count("there"))
    differ = []
    for name, kind, *_ in db.execute("DESCRIBE here").fetchall():
        other = f'CAST(there."{name}" AS {kind})'
        if kind == "DOUBLE":
            size = f'greatest(abs(here."{name}"), abs({other}))'
            differ.append(f'(here."{name}" IS NULL) <> ({other} IS NULL) OR abs(here."{name}" - {other}) > {TOLERANCE} * {size}')
        else:
            differ.append(f'here."{name}" IS DISTINCT FROM {other}')
    found = db.execute(f"SELECT count(*) FROM here POSITIONAL JOIN there WHERE {' OR '.join(differ)}")
    return found.fetchone()[0]


def main():
    asked = json.load(sys.stdin)
    db = duckdb.connect()
    db.execute("SET TimeZone = 'UTC'")
    db.execute("SET default_null_order = 'nulls_last'")
    files = ", ".join(f"'{file}'" for file in asked["files"])
    db.execute(
        "CREATE VIEW stock_data_table AS "
        f"SELECT * FROM read_parquet([{files}], hive_partitioning = true, hive_types_autocast = false)"
    )
    newest = max(part for file in asked["files"] for part in file.split("/") if part.startswith("dt="))
    sql = bound(asked["sql"], datetime.date.fromisoformat(newest.removeprefix("dt=")))
    started = time.perf_counter()
    rows = db.execute(f"COPY ({sql}) TO '/dev/null' (FORMAT csv, USE_TMP_FILE false)").fetchone()[0]
    seconds = time.perf_counter() - started
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    other = asked["other"] and differing(db, sql, asked["other"])
    json.dump({"seconds": seconds, "peak_bytes": peak, "rows": rows, "differing": other}, sys.stdout)


main()
