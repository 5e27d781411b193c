#!/usr/bin/env python3
"""Changes a bundle in the ways that a verifier must notice, as the one who has the proxy's key could.

    python3 tests/log_verifier/tamper.py BUNDLE KEY FOLDER     writes FOLDER/NAME for each way; KEY is the file of the proxy's key: 64 hex digits
    python3 tests/log_verifier/tamper.py --list                names them

Where the cheat is the proxy's, everything below is signed and hashed again, so that only what the cheat is about does not fit.
"""

import copy
import hashlib
import json
import pathlib
import shutil
import sys

import fault  # noqa: F401  (finds the modules below)
import certificate
import ed25519
import notes
import receipt as codec
import tiles
from cells import to_boc
from checkpoints import parse
from published import WIDTH, number, split

FOREIGN = hashlib.sha256(b"a key that is not the proxy's").digest()


class Impossible(Exception):
    """The bundle has nothing that could be changed so."""


class Bundle:
    """A bundle in memory."""

    def __init__(self, folder, secret):
        self.folder, self.secret = pathlib.Path(folder), secret
        self.chain = json.loads((self.folder / "chain.json").read_text())
        note = (self.folder / "log" / "checkpoint").read_bytes()
        self.size = int(parse(note)[0].split("\n")[1])
        columns = [self.column(kind) for kind in ("receipts", "signatures")]
        self.receipts, self.signatures = [], []
        for boc, signature in zip(*columns, strict=True):
            self.receipts.append(codec.read(boc)[0])
            self.signatures.append(signature or None)

    def column(self, kind):
        for index in range(-(-self.size // WIDTH)):
            width = min(WIDTH, self.size - index * WIDTH)
            path = self.path(kind, index)
            yield from split((self.folder / path).read_bytes(), path, width, lambda length: True)

    def path(self, kind, index):
        width = min(WIDTH, self.size - index * WIDTH)
        return f"log/{kind}/{number(index)}" + ("" if width == WIDTH else f".p/{width}")

    def flip(self, path, at, bit=1):
        data = bytearray((self.folder / path).read_bytes())
        data[at] ^= bit
        (self.folder / path).write_bytes(data)

    def place(self, index):
        """File and offset of a receipt's container, and its length."""
        path = self.path("receipts", index // WIDTH)
        data, at = (self.folder / path).read_bytes(), 0
        for _ in range(index % WIDTH):
            at += 2 + int.from_bytes(data[at : at + 2], "big")
        return path, at + 2, int.from_bytes(data[at : at + 2], "big")

    def publish(self, secret=None, name=None, root=None):
        """The proxy signs and publishes what is in memory."""
        secret = secret or self.secret
        entries = [
            (codec.receipt_cell(receipt).hash, to_boc(codec.sign(receipt, secret)), signature)
            for receipt, signature in zip(self.receipts, self.signatures, strict=True)
        ]
        for kind in ("tile", "receipts", "signatures"):
            shutil.rmtree(self.folder / "log" / kind, ignore_errors=True)
        for path, content in tiles.files(entries).items():
            target = self.folder / "log" / path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(content)
        root = root or tiles.root([tiles.leaf_hash(entry) for entry, _, _ in entries])
        name = name or notes.origin(ed25519.public_key(self.secret))
        (self.folder / "log" / "checkpoint").write_text(notes.checkpoint(secret, len(entries), root, name))

    def anchor_again(self):
        """Anchors of the log as it is now: the cheat was there from the beginning. Only in the decoded half of chain.json."""
        leaves = [tiles.leaf_hash(codec.receipt_cell(receipt).hash) for receipt in self.receipts]
        for proxy in self.chain["facts"]["proxies"]:
            for anchor in proxy["anchors"]:
                anchor["size"] = min(anchor["size"], len(leaves))
                anchor["root"] = tiles.root(leaves[: anchor["size"]]).hex()
        (self.folder / "chain.json").write_text(json.dumps(self.chain))

    def chained(self, changed):
        """Links again from receipt `changed` on, with what each one charges; the workers signed something else before."""
        heads = {}
        for at, receipt in enumerate(self.receipts):
            statement = receipt["statement"]
            sides = ((statement["worker"], statement, codec.statement_cell), (receipt["client"], receipt, codec.receipt_cell))
            before = codec.statement_cell(statement).hash
            for contract, part, cell in sides:
                link = part["channel"]
                seqno, previous, total = heads.get(contract, (0, "00" * 32, 0))
                if at >= changed:
                    part["channel"] = {"seqno": seqno + 1, "previous": previous, "before": total, "after": total + link["after"] - link["before"]}
                heads[contract] = (part["channel"]["seqno"], cell(part).hash.hex(), part["channel"]["after"])
            if codec.statement_cell(statement).hash != before:
                self.signatures[at] = None

    def followed(self):
        """A place whose receipt continues its client's channel, so that there is one before it."""
        return max(at for at, receipt in enumerate(self.receipts) if receipt["channel"]["seqno"] > 1)

    def charging(self):
        """The last place where something was charged."""
        return max(at for at, receipt in enumerate(self.receipts) if receipt["channel"]["after"] > receipt["channel"]["before"])

    def change(self, at, **fields):
        """Another statement at a place, as if it had always been so: the worker did not sign it."""
        self.receipts[at]["statement"] |= fields
        self.signatures[at] = None
        self.chained(at)
        self.publish()
        self.anchor_again()


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
    (bundle.folder / "chain.json").write_text(json.dumps(bundle.chain))


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
    if not bundle.chain["transactions"]:
        raise Impossible("there is only the decoded half")
    table = bundle.chain["facts"]["listings"]
    since = min(row["from"] for row in table)
    table.append({"kind": "worker_image", "hash": certificate.image_hash(certificate.registers("never listed")), "from": since, "until": None})
    table.sort(key=lambda row: (row["kind"], row["hash"], row["from"]))
    unlisted_image(bundle)


def unlisted_model(bundle):
    bundle.change(bundle.size - 1, model=hashlib.sha256(b"never listed").hexdigest())


# Each with its class, as the project's goal names twelve, and with what a verifier may name as the first difference.
WAYS = {
    byte_flip: ("byte flip", {"log", "price", "signature"}),
    byte_flip_in_signature: ("byte flip", {"signature"}),
    byte_flip_in_certificate: ("byte flip", {"evidence"}),
    swap: ("swap", {"channel"}),
    swap_containers: ("swap", {"log"}),
    drop: ("drop", {"channel"}),
    drop_last: ("drop", {"settlement"}),
    duplicate: ("duplicate", {"channel"}),
    reorder: ("reorder", {"channel"}),
    truncated_tile: ("truncated tile", {"log"}),
    truncated_entries: ("truncated tile", {"log"}),
    truncated_receipts: ("truncated tile", {"log"}),
    wrong_root: ("wrong root", {"log"}),
    wrong_price_version: ("wrong price version", {"terms"}),
    wrong_price: ("wrong price version", {"price"}),
    foreign_key: ("foreign key", {"log"}),
    foreign_receipt: ("foreign key", {"signature"}),
    foreign_worker: ("foreign key", {"signature"}),
    fork: ("fork", {"channel"}),
    fork_of_log: ("fork", {"anchor"}),
    wrong_sum: ("wrong sum", {"settlement"}),
    wrong_total: ("wrong sum", {"price"}),
    wrong_amount: ("wrong sum", {"amount"}),
    unlisted_image: ("unlisted image", {"evidence"}),
    told_image: ("unlisted image", {"bundle"}),
    unlisted_model: ("unlisted image", {"evidence"}),
}
assert len({class_ for class_, _ in WAYS.values()}) == 12


def tamper(bundle, secret, way, target):
    """A copy of the bundle, changed in one way."""
    shutil.copytree(bundle, target)
    way(Bundle(target, secret))


def main(arguments):
    if arguments == ["--list"]:
        for way, (class_, kinds) in WAYS.items():
            print(way.__name__, class_, ",".join(sorted(kinds)), sep="\t")
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
