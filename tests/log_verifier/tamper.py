#!/usr/bin/env python3
"""Changes a bundle in the ways that a verifier must notice, as the one who has the proxy's key could.

    python3 tests/log_verifier/tamper.py BUNDLE KEY FOLDER     writes FOLDER/NAME for each way; KEY is the file of the proxy's key: 64 hex digits
    python3 tests/log_verifier/tamper.py --list                names them

Where the cheat is the proxy's, everything below is signed and hashed again, so that only what the cheat is about does not fit. What is
anchored on chain cannot be signed again: in a bundle with transactions the anchors stay, and a change behind the last one shows best.
"""

import base64
import copy
import hashlib
import pathlib
import shutil
import sys

import fault  # noqa: F401  (finds the modules below)
import certificate
import ed25519
import receipt as codec
import tiles
from bundle import Bundle, Impossible
from cells import Cell, from_boc, to_boc
from published import WIDTH

FOREIGN = hashlib.sha256(b"a key that is not the proxy's").digest()


def byte_flip(bundle):
    path, at, length = bundle.place(bundle.size // 2)
    bundle.flip(path, at + length // 2)


def byte_flip_in_signature(bundle):
    at = max(at for at, signature in enumerate(bundle.signatures) if signature)
    path = bundle.path("signatures", at // WIDTH)
    before = bundle.signatures[at // WIDTH * WIDTH : at]
    bundle.flip(path, sum(2 + len(signature or b"") for signature in before) + 2 + 40)


def byte_flip_in_certificate(bundle):
    bundle.flip(f"log/evidence/{bundle.receipts[-1]['statement']['worker_evidence']}", 100)


def swap(bundle):
    """Two receipts change places, and the proxy signs."""
    at = bundle.followed()
    client = bundle.receipts[at]["client"]
    before = max(place for place in range(at) if bundle.receipts[place]["client"] == client)
    for row in (bundle.receipts, bundle.signatures):
        row[at], row[before] = row[before], row[at]
    bundle.publish()
    bundle.anchor_again()


def swap_containers(bundle):
    """Two containers change places, ids stay."""
    path, first, length = bundle.place(bundle.size - 2)
    file = bundle.folder / path
    data = file.read_bytes()
    one, two = data[first - 2 : first + length], data[first + length :]
    file.write_bytes(data[: first - 2] + two + one)


def drop(bundle):
    """A receipt in the middle of a channel is left out, and the proxy signs."""
    at = bundle.followed()
    client = bundle.receipts[at]["client"]
    before = max(place for place in range(at) if bundle.receipts[place]["client"] == client)
    del bundle.receipts[before], bundle.signatures[before]
    bundle.publish()
    bundle.anchor_again()


def drop_last(bundle):
    """The last receipt that charged, and what came after: no channel tells, the chain does."""
    at = bundle.charging()
    del bundle.receipts[at:], bundle.signatures[at:]
    bundle.publish()
    bundle.anchor_again()


def duplicate(bundle):
    """A receipt is there twice, and the proxy signs."""
    at = bundle.followed()
    bundle.receipts.insert(at, copy.deepcopy(bundle.receipts[at]))
    bundle.signatures.insert(at, bundle.signatures[at])
    bundle.publish()
    bundle.anchor_again()


def reorder(bundle):
    """The newest receipt comes first, and the proxy signs."""
    at = bundle.followed()
    bundle.receipts.insert(0, bundle.receipts.pop(at))
    bundle.signatures.insert(0, bundle.signatures.pop(at))
    bundle.publish()
    bundle.anchor_again()


def truncated_tile(bundle):
    file = bundle.folder / bundle.path("tile/0", 0)
    file.write_bytes(file.read_bytes()[:-32])


def truncated_entries(bundle):
    file = bundle.folder / bundle.path("tile/entries", 0)
    file.write_bytes(file.read_bytes()[:-1])


def truncated_receipts(bundle):
    file = bundle.folder / bundle.path("receipts", 0)
    file.write_bytes(file.read_bytes()[:-1])


def wrong_root(bundle):
    """A checkpoint with another root that the proxy signed."""
    bundle.publish(root=hashlib.sha256(b"another root").digest())


def wrong_price_version(bundle):
    """A receipt that says other terms than its contract has."""
    at = bundle.charging()
    bundle.change(at, params_version=bundle.receipts[at]["statement"]["params_version"] + 1)


def wrong_price(bundle):
    """A receipt whose adjusted tokens do not follow from its counts, at the same charge."""
    at = max(place for place, receipt in enumerate(bundle.receipts) if receipt["statement"]["counts"])
    used = bundle.receipts[at]["statement"]["used"]
    bundle.change(at, used=used | {"completion": used["completion"] + 1, "total": used["total"] + 1})


def foreign_key(bundle):
    """The log of another key under this log's name."""
    bundle.publish(secret=FOREIGN)


def foreign_receipt(bundle):
    """One receipt that another key signed; its id, and so the tree, are the same."""
    path, at, length = bundle.place(bundle.size - 1)
    boc = to_boc(codec.sign(bundle.receipts[-1], FOREIGN))
    file = bundle.folder / path
    data = file.read_bytes()
    file.write_bytes(data[: at - 2] + tiles.prefixed(boc) + data[at + length :])


def foreign_worker(bundle):
    """A statement that another key signed in the worker's place."""
    at = max(at for at, signature in enumerate(bundle.signatures) if signature)
    bundle.signatures[at] = ed25519.sign(FOREIGN, codec.statement_cell(bundle.receipts[at]["statement"]).hash)
    bundle.publish()


def fork(bundle):
    """A receipt that continues another history of its client's channel."""
    at = bundle.followed()
    bundle.receipts[at]["channel"] |= {"previous": hashlib.sha256(b"another history").hexdigest()}
    bundle.publish()
    bundle.anchor_again()


def fork_of_log(bundle):
    """Another history than the one that was anchored: sound in itself, signed by the proxy."""
    sizes = [anchor["size"] for proxy in bundle.chain["facts"]["proxies"] for anchor in proxy["anchors"] if anchor["size"]]
    if not sizes:
        raise Impossible("nothing was anchored")
    at = max(sizes) - 1
    statement = bundle.receipts[at]["statement"]
    bundle.receipts[at]["statement"] |= {"response_hash": hashlib.sha256(statement["response_hash"].encode()).hexdigest()}
    bundle.signatures[at] = None
    bundle.chained(at)
    bundle.publish()


def wrong_sum(bundle):
    """A receipt charges one token less than was settled for it."""
    at = bundle.charging()
    for part in (bundle.receipts[at], bundle.receipts[at]["statement"]):
        part["channel"] |= {"after": part["channel"]["after"] - 1}
    bundle.signatures[at] = None
    bundle.chained(at)
    bundle.publish()
    bundle.anchor_again()


def wrong_total(bundle):
    """A receipt charges the client and the worker differently."""
    at = bundle.charging()
    link = bundle.receipts[at]["channel"]
    bundle.receipts[at]["channel"] = link | {"after": link["after"] - 1}
    bundle.publish()
    bundle.anchor_again()


def wrong_amount(bundle):
    """The chain is said to have paid a nanoton more."""
    rows = [row for side in ("clients", "workers") for row in bundle.chain["facts"][side] if row["settlements"]]
    settlement = rows[-1]["settlements"][-1]
    settlement["amount"] = str(int(settlement["amount"]) + 1)
    bundle.save()


def wrong_data(bundle):
    """A client contract is said to count a token less, in both halves: its messages tell otherwise."""
    _, accounts, _ = bundle.raw()
    row = bundle.settled("clients")
    row["tokens"] -= 1
    state = accounts[row["address"]]
    cell = from_boc(base64.b64decode(state["data"]))
    old, new = (f"{tokens:064b}" for tokens in (row["tokens"] + 1, row["tokens"]))
    # The second field of so many bits: state, balance and stake come before it.
    at = cell.bits.index(old)
    state["data"] = base64.b64encode(to_boc(Cell(cell.bits[:at] + new + cell.bits[at + 64 :], cell.references))).decode()
    bundle.save()


def unlisted_image(bundle):
    """A worker with a sound certificate of an image that was never listed."""
    at = bundle.size - 1
    leaf = hashlib.sha256(b"a leaf of another image").digest()
    registers = certificate.registers("never listed")
    der = certificate.certificate(leaf, registers, 1)
    name = hashlib.sha256(der).hexdigest()
    (bundle.folder / "log" / "evidence" / name).write_bytes(der)
    told = {"hash": name, "key": ed25519.public_key(leaf).hex(), "image": certificate.image_hash(registers)}
    table = bundle.chain["facts"]["certificates"]
    table.append(told)
    table.sort(key=lambda row: row["hash"])
    bundle.receipts[at]["statement"]["worker_evidence"] = name
    bundle.chained(at)
    bundle.signatures[at] = ed25519.sign(leaf, codec.statement_cell(bundle.receipts[at]["statement"]).hash)
    bundle.publish()
    bundle.anchor_again()


def told_image(bundle):
    """The same, and the decoded half of chain.json says that it was listed: only its transactions tell otherwise."""
    bundle.raw()
    table = bundle.chain["facts"]["listings"]
    since = min(row["from"] for row in table)
    table.append({"kind": "worker_image", "hash": certificate.image_hash(certificate.registers("never listed")), "from": since, "until": None})
    table.sort(key=lambda row: (row["kind"], row["hash"], row["from"]))
    unlisted_image(bundle)


def dropped_raw_half(bundle):
    """No transactions: what is left is the word of whoever wrote it."""
    bundle.raw()
    bundle.chain |= {"accounts": {}, "transactions": {}}
    bundle.save()


def dropped_state(bundle):
    """A contract without its data."""
    _, accounts, _ = bundle.raw()
    accounts[bundle.settled("workers")["address"]]["data"] = None
    bundle.save()


def dropped_transaction(bundle):
    """The last transaction of a contract is left out."""
    _, _, transactions = bundle.raw()
    transactions[bundle.settled("clients")["address"]].pop()
    bundle.save()


def omitted_fact(bundle):
    """A worker's contract is left out of the decoded half: what it was paid is not looked at."""
    bundle.raw()
    row = bundle.settled("workers")
    bundle.chain["facts"]["workers"].remove(row)
    bundle.save()


def omitted_contract(bundle):
    """The same, and its state and transactions are gone: its proxy contract heard of it."""
    _, accounts, transactions = bundle.raw()
    address = bundle.settled("workers")["address"]
    del accounts[address], transactions[address]
    omitted_fact(bundle)


def unmade_contract(bundle):
    """The same, and it is said that it was never there."""
    _, accounts, transactions = bundle.raw()
    address = bundle.settled("workers")["address"]
    accounts[address] |= {"status": "none", "balance": "0", "code": None, "data": None, "last": None}
    transactions[address] = []
    omitted_fact(bundle)


def omitted_proxy(bundle):
    """A proxy contract is left out, state and transactions too: its anchors and settlements are not looked at."""
    facts, accounts, transactions = bundle.raw()
    others = [row for row in facts["proxies"] if row["address"] != bundle.chain["proxy"]]
    if not others:
        raise Impossible("there is one proxy contract")
    address = others[0]["address"]
    facts["proxies"].remove(others[0])
    for side in ("clients", "workers"):
        for row in [row for row in facts[side] if row["proxy"] == address]:
            facts[side].remove(row)
    del accounts[address], transactions[address]
    bundle.save()


def unlisted_model(bundle):
    bundle.change(bundle.size - 1, model=hashlib.sha256(b"never listed").hexdigest())


# Each with its class, as the project's goal names twelve, and with what a verifier may name as the first difference: in a bundle of
# make.py, whose anchors are written again; in one with transactions, where they stand. Empty: there is no such way there.
WAYS = {
    byte_flip: ("byte flip", {"log", "price", "signature"}, {"log", "price", "signature"}),
    byte_flip_in_signature: ("byte flip", {"signature"}, {"signature"}),
    byte_flip_in_certificate: ("byte flip", {"evidence"}, {"evidence"}),
    swap: ("swap", {"channel"}, {"channel"}),
    swap_containers: ("swap", {"log"}, {"log"}),
    drop: ("drop", {"channel"}, {"channel"}),
    drop_last: ("drop", {"settlement"}, {"settlement", "anchor"}),
    dropped_raw_half: ("drop", set(), {"unreadable"}),
    dropped_state: ("drop", set(), {"unreadable", "bundle", "contract"}),
    dropped_transaction: ("drop", set(), {"unreadable"}),
    omitted_fact: ("drop", set(), {"bundle"}),
    omitted_contract: ("drop", set(), {"unreadable", "bundle", "contract"}),
    unmade_contract: ("drop", set(), {"unreadable", "bundle", "contract"}),
    omitted_proxy: ("drop", set(), {"unreadable", "terms"}),
    duplicate: ("duplicate", {"channel"}, {"channel", "log"}),
    reorder: ("reorder", {"channel"}, {"channel"}),
    truncated_tile: ("truncated tile", {"log"}, {"log"}),
    truncated_entries: ("truncated tile", {"log"}, {"log"}),
    truncated_receipts: ("truncated tile", {"log"}, {"log"}),
    wrong_root: ("wrong root", {"log"}, {"log"}),
    wrong_price_version: ("wrong price version", {"terms"}, {"terms"}),
    wrong_price: ("wrong price version", {"price"}, {"price"}),
    foreign_key: ("foreign key", {"log"}, {"log"}),
    foreign_receipt: ("foreign key", {"signature"}, {"signature"}),
    foreign_worker: ("foreign key", {"signature"}, {"signature"}),
    fork: ("fork", {"channel"}, {"channel"}),
    fork_of_log: ("fork", {"anchor"}, {"anchor"}),
    wrong_sum: ("wrong sum", {"settlement"}, {"settlement", "anchor"}),
    wrong_total: ("wrong sum", {"price"}, {"price", "log"}),
    wrong_amount: ("wrong sum", {"amount"}, {"amount", "bundle"}),
    wrong_data: ("wrong sum", set(), {"balance", "amount", "bundle"}),
    unlisted_image: ("unlisted image", {"evidence"}, {"evidence"}),
    # The decoded half is believed for nothing: its own word, or what follows without it.
    told_image: ("unlisted image", set(), {"bundle", "evidence"}),
    unlisted_model: ("unlisted image", {"evidence"}, {"evidence"}),
}
assert len({class_ for class_, _, _ in WAYS.values()}) == 12


def tamper(bundle, secret, way, target):
    """A copy of the bundle, changed in one way."""
    shutil.copytree(bundle, target)
    way(Bundle(target, secret))


def main(arguments):
    if arguments == ["--list"]:
        for way, (class_, told, raw) in WAYS.items():
            print(way.__name__, class_, *(",".join(sorted(kinds)) or "-" for kinds in (told, raw)), sep="\t")
        return
    if len(arguments) != 3:
        sys.exit(__doc__)
    bundle, key, folder = arguments
    secret = bytes.fromhex(pathlib.Path(key).read_text().strip())
    for way in WAYS:
        target = pathlib.Path(folder) / way.__name__
        try:
            tamper(bundle, secret, way, target)
        except Impossible as reason:
            shutil.rmtree(target)
            print(f"{way.__name__}: left out, {reason}", file=sys.stderr)


if __name__ == "__main__":
    main(sys.argv[1:])
