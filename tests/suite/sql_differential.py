"""Answers the saved queries as Athena would: parsed as its SQL by sqlglot, run by DuckDB on the same Parquet files.

Takes JSON on standard input, {"files": [path], "queries": {name: text}}, and gives JSON on standard output:
{name: {"columns": [[name, kind]], "rows": [[text or null]]}}.
"""

import datetime
import json
import re
import sys

import duckdb
import sqlglot
from sqlglot import exp

ALL_FROM = "2000-01-01"


def values(sql, newest):
    """The literals for the `?` of a query with --all, as its header has them; written apart from the CLI's own."""
    declared, places = {}, []
    for line in sql.splitlines():
        if not line.startswith("--"):
            break
        if not (found := re.match(r"-- \? (\w+)(?: (\w+) = (.*))?$", line)):
            continue
        name, kind, default = found.groups()
        if kind:
            declared[name] = (kind, default)
        places.append(name)

    def date(name):
        if name == "newest":
            return newest
        default = ALL_FROM if name == "from" else declared[name][1]
        base, *after = default.split()
        days = int(after[0] + after[1]) if after else 0
        start = date(base) if base in declared or base == "newest" else datetime.date.fromisoformat(base)
        return start + datetime.timedelta(days=days)

    def literal(name):
        kind, default = declared[name]
        if kind == "date":
            return f"'{date(name)}'"
        return f"'{default}'" if kind == "text" else default if kind == "integer" else f"decimal '{default}'"

    return [literal(name) for name in places]


def bound(sql, newest):
    tree = sqlglot.parse_one(sql, dialect="athena")
    marks = list(tree.find_all(exp.Placeholder))
    stray = sum(mark.find_ancestor(exp.Where) is None for mark in marks)
    assert not stray, f"{stray} ? outside WHERE, where Athena takes none"
    literals = iter(values(sql, newest))
    body = "\n".join(line.split("--")[0] for line in sql.splitlines())
    text = re.sub(r"\?", lambda _: next(literals), body)
    assert next(literals, None) is None, "more parameters than ?"
    return sqlglot.parse_one(text, dialect="athena").sql(dialect="duckdb")


def text(value):
    if value is None:
        return None
    if isinstance(value, datetime.datetime):
        return value.strftime("%Y-%m-%dT%H:%M:%S.") + f"{value.microsecond // 1000:03}Z"
    if isinstance(value, bool):
        return "true" if value else "false"
    return repr(value) if isinstance(value, float) else str(value)


def kind(duckdb_type):
    name = str(duckdb_type).split("(")[0].split("_")[0].lower()
    known = {"varchar": "text", "hugeint": "integer", "bigint": "integer", "integer": "integer"}
    return known.get(name, name)


def main():
    asked = json.load(sys.stdin)
    db = duckdb.connect()
    db.execute("SET TimeZone = 'UTC'")
    db.execute("SET default_null_order = 'nulls_last'")
    files = ", ".join(f"'{file}'" for file in asked["files"])
    db.execute(
        "CREATE TABLE stock_data_table AS "
        f"SELECT * FROM read_parquet([{files}], hive_partitioning = true, hive_types_autocast = false) "
        "QUALIFY row_number() OVER (PARTITION BY dt, symbol, \"timestamp\" ORDER BY sequence) = 1"
    )
    newest = datetime.date.fromisoformat(db.execute("SELECT max(dt) FROM stock_data_table").fetchone()[0])
    answers = {}
    for name, sql in asked["queries"].items():
        try:
            found = db.execute(bound(sql, newest))
        except Exception as error:
            raise SystemExit(f"{name}: {error}")
        columns = [[column[0], kind(column[1])] for column in found.description]
        answers[name] = {"columns": columns, "rows": [[text(value) for value in row] for row in found.fetchall()]}
    json.dump(answers, sys.stdout)


if __name__ == "__main__":
    main()
