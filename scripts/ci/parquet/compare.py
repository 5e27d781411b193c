"""Compares the rows of Parquet files, as DuckDB and Arrow read them, with the same rows as lines of JSON."""

import glob
import importlib.util
import json
import sys
from datetime import datetime, timezone
from decimal import Decimal

AMOUNTS = {"price_per_token", "worker_fee_per_token", "price", "earned"}
TIMES = {"started", "first_token", "finished"}


def plain(name, value):
    """A value as the lines of JSON have it."""
    if name in AMOUNTS:
        assert isinstance(value, (Decimal, int)), (name, type(value))
        return str(value)
    if name in TIMES:
        assert isinstance(value, datetime), (name, type(value))
        since = value.astimezone(timezone.utc) - datetime(1970, 1, 1, tzinfo=timezone.utc)
        return round(since.total_seconds() * 1000)
    return value


def by_duckdb(files):
    import duckdb

    connection = duckdb.connect()
    connection.execute("SET TimeZone = 'UTC'")
    # Times as numbers: the package turns those with a zone into objects only with help of another package.
    columns = [row[0] for row in connection.execute("DESCRIBE SELECT * FROM read_parquet(?)", [files]).fetchall()]
    asked = ", ".join(f'epoch_ms("{name}")' if name in TIMES else f'"{name}"' for name in columns)
    rows = connection.execute(f"SELECT {asked} FROM read_parquet(?) ORDER BY index", [files]).fetchall()
    return [
        {name: value if name in TIMES else plain(name, value) for name, value in zip(columns, row)} for row in rows
    ]


def by_arrow(files):
    import pyarrow.parquet as parquet

    rows = []
    for file in files:
        table = parquet.read_table(file)
        rows += [{name: plain(name, value) for name, value in row.items()} for row in table.to_pylist()]
    return rows


def main(folder, lines):
    files = sorted(glob.glob(f"{folder}/*.parquet"))
    expected = []
    for file in sorted(glob.glob(f"{lines}/*.jsonl")):
        with open(file, encoding="utf-8") as rows:
            expected += [json.loads(row) for row in rows]
    assert expected, "no rows to compare"
    for name, read in (("duckdb", by_duckdb), ("pyarrow", by_arrow)):
        if importlib.util.find_spec(name) is None:
            continue
        found = read(files)
        assert len(found) == len(expected), (name, len(found), len(expected))
        for row, wanted in zip(found, expected):
            assert row == wanted, (name, row, wanted)
            assert list(row) == list(wanted), name
        print(f"{name} reads {len(found)} rows of {len(expected[0])} columns as they are")


main(*sys.argv[1:])
