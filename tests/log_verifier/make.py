#!/usr/bin/env python3
"""Makes a bundle of a network that never was, with keys of its own: an audit of it is equal.

    python3 tests/log_verifier/make.py FOLDER [RECEIPTS]

The raw half of its chain.json is empty: `cocoon audit run --bundle` refuses it, `verify.py` too unless it is told so (`--told`).
"""

import json
import pathlib
import sys

import fault  # noqa: F401  (finds the modules below)
import network as made_up
import tiles


def windows(network, end):
    """What the root contract listed and until when: the first image of the workers was taken off at the change."""
    proxies, workers = [network.proxy.image_hash], {"worker image 1": None, "worker image 2": None}
    for image in workers:
        workers[image] = made_up.Runner("worker", "any", image).image_hash
    start, change = made_up.START_MS // 1000, end
    rows = [("proxy_image", proxies[0], start, None), ("model", network.model, start, None)]
    rows += [("worker_image", workers["worker image 1"], start, change), ("worker_image", workers["worker image 2"], change, None)]
    return [{"kind": kind, "hash": hash_, "from": begin, "until": until} for kind, hash_, begin, until in sorted(rows, key=lambda row: row[:3])]


def contracts(network, side, price):
    """The contracts of one side with settlements at some of their totals, the last one at the end."""
    totals, proxies, versions = {}, {}, {}
    for receipt in network.receipts:
        statement = receipt["statement"]
        contract, link = (receipt["client"], receipt["channel"]) if side == "client" else (statement["worker"], statement["channel"])
        totals.setdefault(contract, []).append((link["after"], statement["finished_ms"] // 1000))
        proxies[contract], versions[contract] = statement["proxy"], statement["params_version"]
    rows = []
    for contract in sorted(totals):
        settlements, last = [], 0
        for at, (tokens, time) in enumerate(totals[contract], 1):
            if (at % 7 == 0 or at == len(totals[contract])) and tokens > last:
                amount = (tokens - last) * made_up.TERMS[versions[contract]][price]
                settlements.append({"from": last, "tokens": tokens, "amount": str(amount), "lt": 1000 * time + at, "time": time})
                last = tokens
        row = {"address": contract, "proxy": proxies[contract], "tokens": last, "settlements": settlements}
        rows.append(row | ({"balance": "1000000000"} if side == "client" else {}))
    return rows


def chain(network, leaves):
    """chain.json."""
    by_proxy = {}
    for at, receipt in enumerate(network.receipts, 1):
        by_proxy.setdefault(receipt["statement"]["proxy"], []).append((at, receipt["statement"]))
    proxies = []
    for address, rows in by_proxy.items():
        ends = [rows[len(rows) // 2], rows[-1]]
        anchors = [
            {"seqno": seqno, "size": at, "root": tiles.root(leaves[:at]).hex(), "time": statement["finished_ms"] // 1000}
            for seqno, (at, statement) in enumerate(ends, 1)
        ]
        proxies.append({"address": address, "params_version": rows[0][1]["params_version"], "balance": "0", "anchors": anchors})
    first_of_last = next(iter(by_proxy[network.contract("proxy")]))[1]
    change = first_of_last["started_ms"] // 1000
    params = [
        {"version": version, "from": made_up.START_MS // 1000 if version == 7 else change, "price_per_token": str(terms["price_per_token"]), "worker_fee_per_token": str(terms["worker_fee_per_token"]), "multipliers": terms["multipliers"]}
        for version, terms in sorted(made_up.TERMS.items())
    ]
    runners = {runner.evidence: runner for other in (made_up.Network(), network) for runner in (other.proxy, *other.workers.values())}
    named = {hash_ for receipt in network.receipts for hash_ in (receipt["proxy_evidence"], receipt["statement"]["worker_evidence"])}
    runners = {hash_: runner for hash_, runner in runners.items() if hash_ in named}
    return {
        "version": 1,
        "time": network.now // 1000,
        "root": network.root,
        "proxy": network.contract("proxy"),
        "key": network.key().hex(),
        "accounts": {},
        "transactions": {},
        "facts": {
            "test_network": True,
            "grace": 3600,
            "skew": 300,
            "listings": windows(network, change),
            "params": params,
            "proxies": sorted(proxies, key=lambda row: row["params_version"]),
            "clients": contracts(network, "client", "price_per_token"),
            "workers": contracts(network, "worker", "worker_fee_per_token"),
            "certificates": [{"hash": hash_, "key": made_up.ed25519.public_key(runner.leaf).hex(), "image": runner.image_hash} for hash_, runner in sorted(runners.items())],
        },
    }, [runner.certificate for runner in runners.values()]


def make(folder, count=60):
    """Writes the bundle and gives the proxy's key."""
    network = made_up.Network().run(count)
    entries = network.entries(tiles)
    leaves = [tiles.leaf_hash(entry) for entry, _, _ in entries]
    facts, evidence = chain(network, leaves)
    files, hint, note = tiles.published(entries, network.proxy_secret, network.root, network.contract("proxy"), evidence)
    files |= {"checkpoint": note.encode(), "log.json": json.dumps(hint).encode()}
    for path, content in files.items():
        target = pathlib.Path(folder) / "log" / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content)
    (pathlib.Path(folder) / "chain.json").write_text(json.dumps(facts, indent=1))
    return network.proxy_secret


if __name__ == "__main__":
    if not 2 <= len(sys.argv) <= 3:
        sys.exit(__doc__)
    print(make(sys.argv[1], *map(int, sys.argv[2:])).hex())
