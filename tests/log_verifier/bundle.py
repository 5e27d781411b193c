"""A bundle in memory, for those who change it."""

import json
import pathlib
import shutil

import fault  # noqa: F401  (finds the modules below)
import ed25519
import notes
import receipt as codec
import tiles
from cells import to_boc
from checkpoints import parse
from published import WIDTH, number, split


class Impossible(Exception):
    """The bundle has nothing that could be changed so."""


class Bundle:
    """A bundle in memory."""

    def __init__(self, folder, secret):
        self.folder, self.secret = pathlib.Path(folder), secret
        self.chain = json.loads((self.folder / "chain.json").read_text())
        note = (self.folder / "log" / "checkpoint").read_bytes()
        # Whether it has the raw half of chain.json, as every bundle of a real network has.
        self.is_raw = bool(self.chain["transactions"])
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
        """Anchors of the log as it is now: the cheat was there from the beginning. What stands in transactions stays."""
        if self.is_raw:
            self.save()
            return
        leaves = [tiles.leaf_hash(codec.receipt_cell(receipt).hash) for receipt in self.receipts]
        for proxy in self.chain["facts"]["proxies"]:
            for anchor in proxy["anchors"]:
                anchor["size"] = min(anchor["size"], len(leaves))
                anchor["root"] = tiles.root(leaves[: anchor["size"]]).hex()
        self.save()

    def save(self):
        (self.folder / "chain.json").write_text(json.dumps(self.chain))

    def raw(self):
        """Only what has transactions can be changed there."""
        if not self.is_raw:
            raise Impossible("there is only the decoded half")
        return self.chain["facts"], self.chain["accounts"], self.chain["transactions"]

    def settled(self, side):
        """The facts of a contract that settled something."""
        return next(row for row in self.chain["facts"][side] if row["settlements"])

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
