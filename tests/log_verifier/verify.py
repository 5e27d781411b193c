#!/usr/bin/env python3
"""Checks a bundle of `cocoon audit bundle` without the network and without any code of ours but the specifications'.

    python3 tests/log_verifier/verify.py [--json] [--told] BUNDLE

Exit code 0: equal to the last token; 1: open or different; 3: there is no bundle that could be judged. Needs only Python's
standard library. `--told` takes the maker's word for the chain when the bundle has no transactions, as those of make.py have none.
"""

import json
import pathlib
import sys

from books import Books
from fault import Fault, require
from history import History
from published import Published
from raw import Raw


def verify(bundle, told=False):
    """A report: verdict, and the first difference or what was counted. `told`: a bundle without the raw half will do."""
    bundle = pathlib.Path(bundle)
    try:
        text = (bundle / "chain.json").read_bytes()
    except OSError as error:
        raise Fault("unreadable", f"chain.json cannot be read: {error.strerror}") from error
    history = History(text)
    # Without the raw half the decoded one is only its maker's word.
    has_raw = bool(history.accounts or history.transactions)
    require(has_raw or told, "unreadable", "chain.json: it has no transactions from which its facts would follow")
    contracts = Raw(history).check() if has_raw else 0
    log = Published(bundle / "log", history.key)
    anchors = history.anchors()
    log.watch |= {anchor["size"] for _, anchor in anchors}
    books = Books(history, log)
    for batch in log.batches():
        for entry in batch:
            books.take(*entry)
    check_anchors(anchors, log)
    unsettled = books.close()
    log.check_evidence()
    log.challenges()
    require(set(books.known) == set(history.certificates), "bundle", "chain.json: its certificates are not those that the receipts name")
    counted = {"receipts": books.receipts, "tokens": books.tokens, "signed_by_worker": books.signed, "anchors": len(anchors), "contracts": contracts}
    return {"verdict": "open" if unsettled else "equal", "unsettled": unsettled, **counted}


def check_anchors(anchors, log):
    """Every anchor is the root of a prefix, and each contract's follow one another."""
    last = {}
    for proxy, anchor in anchors:
        name = f"anchor {anchor['seqno']} of {proxy}"
        require(anchor["size"] <= log.size, "anchor", f"{name}: it is of {anchor['size']} entries, the log has {log.size}")
        require(log.roots[anchor["size"]].hex() == anchor["root"], "anchor", f"{name}: its root is not that of the first {anchor['size']} entries")
        before = last.get(proxy, {"seqno": -1, "size": 0, "time": 0})
        grows = anchor["seqno"] > before["seqno"] and anchor["size"] >= before["size"] and anchor["time"] >= before["time"]
        require(grows, "anchor", f"{name}: it goes back behind the one before")
        last[proxy] = anchor


def sentence(report):
    if report["verdict"] == "different":
        return report["difference"]["sentence"]
    counted = f"{report['receipts']} receipts over {report['tokens']} tokens, {report['anchors']} anchors, "
    counted += f"{report['contracts']} contracts replayed" if report["contracts"] else "the chain as it was told"
    return f"Open: {counted}; {report['unsettled']} tokens are not settled yet" if report["verdict"] == "open" else f"Equal: {counted}"


def main(arguments):
    flags = {argument for argument in arguments if argument.startswith("--")}
    folders = [argument for argument in arguments if argument not in flags]
    if len(folders) != 1 or flags - {"--json", "--told"}:
        print(__doc__, file=sys.stderr)
        return 2
    try:
        report = verify(folders[0], "--told" in flags)
    except Fault as fault:
        if fault.kind == "unreadable":
            print(f"error: {fault.sentence}", file=sys.stderr)
            return 3
        report = {"verdict": "different", "difference": {"kind": fault.kind, "sentence": fault.sentence}}
    print(json.dumps(report) if "--json" in flags else sentence(report))
    return int(report["verdict"] != "equal")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
