#!/usr/bin/env python3
"""Reputation as docs/reputation.md describes it, and its vectors, `tests/vectors/reputation.json`.

    python3 tests/vectors/gen/reputation.py            writes the file
    python3 tests/vectors/gen/reputation.py --check    compares it with the one that is checked in

Needs only Python's standard library. Nothing is random: the same vectors come out on every machine.
"""

import json
import math
import pathlib
import sys

import network as made_up

FILE = pathlib.Path(__file__).resolve().parent.parent / "reputation.json"
DAY_MS = 86_400_000
WINDOW, HALF = 56, 14
FULL = 10_000
ANSWERED = {"stop", "length", "tool_calls", "content_filter"}
FAILED = {"worker_lost", "timeout", "failed"}


def mark(finish, charged, signed):
    """What one receipt says, or None."""
    if finish in FAILED:
        return 0
    if finish in ANSWERED or (finish == "unknown" and charged > 0):
        return FULL if signed else FULL // 2
    return None


def reputation(receipts, day):
    """Of rows with client, started_ms, finish, charged, signed, on a day."""
    groups = {}
    for row in receipts:
        value = mark(row["finish"], row["charged"], row["signed"])
        age = day - row["started_ms"] // DAY_MS - 1
        if value is not None and 0 <= age < WINDOW:
            groups.setdefault((row["client"], age), []).append(value)
    good = weight = 0
    for (_, age), marks in groups.items():
        own = math.isqrt(len(marks) * FULL * FULL)
        weight += own >> age // HALF
        good += own * sum(marks) // (len(marks) * FULL) >> age // HALF
    return (good + 2 * FULL) * FULL // (weight + 4 * FULL)


def rows(name, count, days, payers, finishes, signed=lambda at: True):
    """Receipts that look random."""
    made = []
    for at in range(count):
        pick = lambda what, below: made_up.number(name, at, what, below=below)
        made.append(
            {
                "client": made_up.hash_of(name, "payer", pick("payer", payers)),
                "started_ms": 20_400 * DAY_MS + pick("time", days * DAY_MS),
                "finish": finishes[pick("finish", len(finishes))],
                "charged": pick("charged", 3) * 100,
                "signed": signed(at),
            }
        )
    return made


def cases():
    every = ["unknown", *sorted(ANSWERED), "cancelled", *sorted(FAILED)]
    one = {"client": made_up.hash_of("one"), "started_ms": 20_400 * DAY_MS, "finish": "stop", "charged": 100, "signed": True}
    yield "nobody knows it", [], [0, 20_400]
    yield "one good answer, at every age", [one], [20_400, 20_401, 20_402, 20_414, 20_415, 20_428, 20_429, 20_443, 20_456, 20_457, 20_458]
    yield "the last millisecond of a day", [one | {"started_ms": 20_401 * DAY_MS - 1}], [20_400, 20_401, 20_456, 20_457]
    for finish in every:
        for signed in (True, False):
            for charged in (0, 1):
                yield f"one that ended with {finish}", [one | {"finish": finish, "signed": signed, "charged": charged}], [20_401]
    yield "one payer asks often", [one] * 100, [20_401]
    yield "one payer complains often", [one | {"finish": "failed"}] * 99 + [one], [20_401]
    yield "many payers, everything", rows("many", 300, 70, 9, every, lambda at: at % 5 != 0), [20_400, 20_410, 20_440, 20_470, 20_500, 20_530]
    yield "a good worker", rows("good", 200, 56, 40, ["stop", "length"]), [20_456]
    yield "a bad worker", rows("bad", 200, 56, 40, sorted(FAILED)), [20_456]
    yield "no signatures", rows("unsigned", 200, 56, 40, ["stop"], lambda at: False), [20_456]


def document():
    made = []
    for name, receipts, days in cases():
        made.append({"name": name, "receipts": receipts, "on": [{"day": day, "reputation": reputation(receipts, day)} for day in days]})
    return {"format": 1, "cases": made}


def main():
    text = json.dumps(document(), sort_keys=True, indent=None, separators=(",", ":")).replace('{"name"', '\n{"name"').replace('{"charged"', '\n{"charged"') + "\n"
    if sys.argv[1:] == ["--check"]:
        if FILE.read_text() != text:
            sys.exit(f"{FILE.name} is not what the generator writes; hint: python3 tests/vectors/gen/reputation.py")
        print(f"{FILE.name} is up to date")
    elif sys.argv[1:]:
        sys.exit(__doc__)
    else:
        FILE.write_text(text)


if __name__ == "__main__":
    main()
