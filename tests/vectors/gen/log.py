#!/usr/bin/env python3
"""Writes the golden published log, `tests/vectors/log/`, and what a reader must find in it, `tests/vectors/log.json`.

    python3 tests/vectors/gen/log.py            writes the files
    python3 tests/vectors/gen/log.py --check    compares them with those that are checked in

Needs only Python's standard library. Nothing is random: the same files come out on every machine.
"""

import json
import pathlib
import shutil
import sys

import ed25519
import network as made_up
import notes
import tiles

FOLDER = pathlib.Path(__file__).resolve().parent.parent
ENTRIES = 275
WITNESS = "witness.example"
TIME = 1_767_312_000
# How many receipts the last state commit covered.
COMMITTED = 272


def refused(note, name):
    """Notes that a reader of this log must refuse, with the reason."""
    body, signatures = note.split("\n\n")
    lines = body.split("\n")
    again = lambda text, secret=made_up.secret("proxy"): resigned(text, name, secret)
    yield "a flipped bit in the signature", "unsigned", note[:-10] + ("A" if note[-10] != "A" else "B") + note[-9:]
    yield "no signature", "format", body + "\n"
    yield "another size", "unsigned", "\n".join([lines[0], str(int(lines[1]) + 1), lines[2]]) + "\n\n" + signatures
    yield "another log's name", "origin", resigned("\n".join([name[:-1] + "x", *lines[1:]]) + "\n", name[:-1] + "x", made_up.secret("proxy"))
    yield "another key under the name", "unsigned", again(body + "\n", made_up.secret("other"))
    yield "a leading zero in the size", "format", again("\n".join([lines[0], "0" + lines[1], lines[2]]) + "\n")
    yield "a fourth line", "format", again(body + "\nmore\n")
    yield "two lines", "format", again("\n".join(lines[:2]) + "\n")
    yield "a root of 31 bytes", "format", again("\n".join([*lines[:2], "A" * 40 + "=="]) + "\n")
    yield "a witness's kind of signature by the log's key", "unsigned", notes.cosigned(f"{body}\n\n", name, made_up.secret("proxy"), TIME)


def refused_lines(note, contract, roots):
    """Notes whose line for the proxy contract a reader must refuse."""
    own, other = made_up.secret("proxy"), made_up.secret("other")
    line = lambda size, root, signed=None, secret=own: notes.cell_line(secret, contract, size, root, signed)
    good = line(COMMITTED, roots[COMMITTED])
    foreign = f"0:{'5a' * 32}"
    yield "a flipped bit in the signature", note + good[:-6] + ("A" if good[-6] != "A" else "B") + good[-5:]
    yield "more entries than the checkpoint", note + line(ENTRIES + 1, roots[COMMITTED])
    yield "another root for the same size", note + line(ENTRIES, roots[COMMITTED])
    yield "another root for an earlier size", note + line(COMMITTED, roots[ENTRIES])
    yield "a signature over another size", note + line(COMMITTED, roots[COMMITTED], notes.cell(contract, COMMITTED - 1, roots[COMMITTED]))
    yield "a signature over another contract", note + line(COMMITTED, roots[COMMITTED], notes.cell(foreign, COMMITTED, roots[COMMITTED]))
    yield "a signature of another key", note + good.replace(good.split()[2], forged(good.split()[2], line(COMMITTED, roots[COMMITTED], secret=other).split()[2]))
    yield "a byte too few", note + notes.shortened(good)


def forged(line, other):
    """The signature of one line under the key id of another."""
    return notes.joined(line, other, 4)


def resigned(body, name, secret):
    public = ed25519.public_key(secret)
    return body + "\n" + notes.line(name, notes.LOG_KEY, public, ed25519.sign(secret, body.encode()))


def document():
    network = made_up.Network().run(ENTRIES)
    entries = network.entries(tiles)
    runners = {runner.evidence: runner.certificate for runner in evidence(network)}
    files, hint, note = tiles.published(entries, network.proxy_secret, network.root, network.contract("proxy"), runners.values())
    witness, plain = made_up.secret("witness"), note
    contract = network.contract("proxy")
    leaves = [tiles.leaf_hash(entry) for entry, _, _ in entries]
    roots = {size: tiles.root(leaves[:size]) for size in (COMMITTED, ENTRIES)}
    bound = plain + notes.cell_line(network.proxy_secret, contract, COMMITTED, roots[COMMITTED])
    note = notes.cosigned(bound, WITNESS, witness, TIME)
    # Of another witness, of whom the reader knows nothing.
    note = notes.cosigned(note, "stranger.example", made_up.secret("stranger"), TIME + 1)
    files["checkpoint"] = note.encode()
    told = challenges(network, [entry for entry, _, _ in entries])
    files["challenges/000"] = b"".join(
        notes.challenge(network.proxy_secret, one["result"], one["after"], one["time"], bytes.fromhex(one["first"]), bytes.fromhex(one["second"]))
        for one in told
    )
    files["log.json"] = (json.dumps(hint, sort_keys=True) + "\n").encode()
    name = notes.origin(network.key())
    hexes = lambda hashes: [value.hex() for value in hashes]
    facts = {
        "format": 1,
        "origin": name,
        "proxy_key": network.key().hex(),
        "proxy_secret": network.proxy_secret.hex(),
        "verifier_key": notes.verifier_key(name, network.key()),
        "size": ENTRIES,
        "root": tiles.root(leaves).hex(),
        "checkpoint": plain,
        "challenges": told,
        "bound": {
            "checkpoint": bound,
            "contract": contract,
            "size": COMMITTED,
            "root": roots[COMMITTED].hex(),
            "cell_hash": notes.cell(contract, COMMITTED, roots[COMMITTED]).hash.hex(),
        },
        "refused_lines": [{"name": what, "note": note} for what, note in refused_lines(plain, contract, roots)],
        "empty_checkpoint": notes.checkpoint(network.proxy_secret, 0, tiles.root([])),
        "witness": {
            "name": WITNESS,
            "key": ed25519.public_key(witness).hex(),
            "secret": witness.hex(),
            "verifier_key": notes.verifier_key(WITNESS, ed25519.public_key(witness), notes.WITNESS_KEY),
            "time": TIME,
        },
        "refused_checkpoints": [{"name": what, "why": why, "note": note} for what, why, note in refused(plain, name)],
        "receipts": [
            {"id": entry.hex(), "client": receipt["client"], "worker": receipt["statement"]["worker"], "charged": receipt["channel"]["after"] - receipt["channel"]["before"], "signed_by_worker": signature is not None}
            for (entry, _, signature), receipt in zip(entries, network.receipts, strict=True)
        ],
        "evidence": {runner.evidence: {"key": ed25519.public_key(runner.leaf).hex(), "image": runner.image_hash} for runner in evidence(network)},
        "roots": {str(size): tiles.root(leaves[:size]).hex() for size in (0, 1, 2, 3, 4, 7, 8, 200, 255, 256, 257, 272, ENTRIES)},
        "inclusion": [
            {"index": index, "size": size, "proof": hexes(tiles.inclusion(leaves[:size], index))}
            for index, size in ((0, 1), (0, 2), (1, 3), (6, 7), (255, 256), (255, 257), (256, 257), (0, ENTRIES), (100, ENTRIES), (ENTRIES - 1, ENTRIES))
        ],
        "consistency": [
            {"old": old, "new": new, "proof": hexes(tiles.consistency(leaves[:new], old)) if old else []}
            for old, new in ((0, 7), (1, 2), (2, 3), (3, 7), (4, 7), (7, 7), (255, 256), (256, 257), (256, ENTRIES), (200, ENTRIES), (272, ENTRIES))
        ],
    }
    return files, json.dumps(facts, indent=1, sort_keys=True) + "\n"


def challenges(network, ids):
    """Three requests that two workers answered, each pair under the same terms."""
    found = []
    for result, after, start in (("equal", 0, 0), ("different", 17, 40), ("not_comparable", 0, 200)):
        worker = lambda at: network.receipts[at]["statement"]["worker"]
        second = next(at for at in range(start + 1, len(ids)) if worker(at) != worker(start))
        time = (TIME + start) * 1000
        found.append({"result": result, "after": after, "time": time, "first": ids[start].hex(), "second": ids[second].hex()})
    return found


def evidence(network):
    """All runners of the story, those before the change too."""
    before = made_up.Network()
    return [before.proxy, *before.workers.values(), network.proxy, *network.workers.values()]


def main():
    files, facts = document()
    folder, page = FOLDER / "log", FOLDER / "log.json"
    if sys.argv[1:] == ["--check"]:
        found = {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
        if page.read_text() != facts or found != files:
            different = sorted(path for path in {*found, *files} if found.get(path) != files.get(path))
            sys.exit(f"{', '.join(different) or page.name}: not what the generator writes; hint: python3 tests/vectors/gen/log.py")
        print(f"log.json and {len(files)} files of the log are up to date")
    elif sys.argv[1:]:
        sys.exit(__doc__)
    else:
        shutil.rmtree(folder, ignore_errors=True)
        for path, content in files.items():
            target = folder / path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(content)
        page.write_text(facts)


if __name__ == "__main__":
    main()
