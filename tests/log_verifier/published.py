"""Reads a published log (docs/log.md) from a folder, batch by batch, and proves each batch before it is believed."""

import hashlib

from checkpoints import cells, open_checkpoint
from fault import Fault, require
import ed25519
from tree import Frontier, leaf_hash, node_hash

WIDTH = 256
MAX_RECEIPT_BYTES = 4096
RECORD_BYTES = 142
RESULTS = {1: "equal", 2: "different", 3: "not_comparable"}


def number(index):
    """`x001/234` for 1234."""
    digits = f"{index:03}"
    digits = digits.zfill(-(-len(digits) // 3) * 3)
    groups = [digits[at : at + 3] for at in range(0, len(digits), 3)]
    return "/".join(["x" + group for group in groups[:-1]] + groups[-1:])


def subtree(hashes):
    """Root over a row of whole subtrees, as many as a power of two."""
    while len(hashes) > 1:
        hashes = [node_hash(hashes[at], hashes[at + 1]) for at in range(0, len(hashes), 2)]
    return hashes[0]


def split(data, path, count, allowed):
    """The items of a bundle: so many, each after its length in two bytes, and nothing behind."""
    items, at = [], 0
    for _ in range(count):
        length = int.from_bytes(data[at : at + 2], "big")
        require(at + 2 + length <= len(data), "log", f"{path} ends too early")
        require(allowed(length), "log", f"{path} has an item of {length} bytes")
        items.append(data[at + 2 : at + 2 + length])
        at += 2 + length
    require(at == len(data), "log", f"{path} has more than {count} items")
    return items


class Published:
    """A log whose proxy has this key."""

    def __init__(self, folder, key):
        self.folder, self.key = folder, key
        # Sizes whose root is wanted, and those roots once the entries went by.
        self.watch, self.roots = set(), {}
        self.note = self.file("checkpoint")
        self.size, self.root = open_checkpoint(self.note, key)
        # What is signed for contracts is of a beginning of this log.
        self.cells = cells(self.note, key)
        self.watch |= {size for _, size, _ in self.cells}

    def file(self, path):
        try:
            return (self.folder / path).read_bytes()
        except OSError as error:
            raise Fault("log", f"{path} cannot be read: {error.strerror}") from error

    def part(self, kind, index, items):
        """A file and how many items it has, when the level has so many in all."""
        width = min(WIDTH, items - index * WIDTH)
        path = f"{kind}/{number(index)}" + ("" if width == WIDTH else f".p/{width}")
        return path, self.file(path), width

    def tile(self, level, index, hashes):
        """The tile must be of exactly these hashes."""
        path, data, width = self.part(f"tile/{level}", index, self.size >> 8 * level)
        require(len(data) == 32 * width, "log", f"{path} holds {len(data)} bytes, not {width} hashes")
        require(data == b"".join(hashes), "log", f"{path} does not follow from the level below")

    def batches(self):
        """Lists of (id, container, worker's signature), whose hashes are in the tile. The caller must exhaust it: only the end
        has the whole tree compared with the checkpoint."""
        frontier, rows = Frontier(), {}
        for index in range(-(-self.size // WIDTH)):
            path, data, width = self.part("tile/entries", index, self.size)
            ids = split(data, path, width, lambda length: length == 32)
            path, data, _ = self.part("receipts", index, self.size)
            bocs = split(data, path, width, lambda length: 0 < length <= MAX_RECEIPT_BYTES)
            path, data, _ = self.part("signatures", index, self.size)
            signatures = split(data, path, width, lambda length: length in (0, 64))
            leaves = [leaf_hash(id_) for id_ in ids]
            for leaf in leaves:
                self.mark(frontier)
                frontier.push(leaf)
            self.climb(rows, 0, leaves)
            yield list(zip(ids, bocs, signatures, strict=True))
        self.mark(frontier)
        for level, (index, row) in rows.items():
            if row:
                self.tile(level, index, row)
        require(frontier.root() == self.root, "log", "the entries do not hash to the checkpoint's root")
        for contract, size, root in self.cells:
            require(self.roots[size] == root, "log", f"the line for {contract} is of another log of {size} entries")

    def mark(self, frontier):
        if frontier.size in self.watch:
            self.roots[frontier.size] = frontier.root()

    def climb(self, rows, level, hashes):
        """Collects the tiles of every level as they fill up."""
        index, row = rows.get(level, (0, []))
        row = row + hashes
        if len(row) < WIDTH:
            rows[level] = (index, row)
            return
        self.tile(level, index, row)
        rows[level] = (index + 1, [])
        self.climb(rows, level + 1, [subtree(row)])

    def certificate(self, hash_):
        """DER of the certificate with this hash in hex."""
        try:
            der = (self.folder / "evidence" / hash_).read_bytes()
        except OSError as error:
            raise Fault("evidence", f"certificate {hash_} is not kept") from error
        require(hashlib.sha256(der).hexdigest() == hash_, "evidence", f"certificate {hash_} has another hash")
        return der

    def challenges(self):
        """What the proxy says of requests that two workers answered (docs/challenges.md)."""
        found, index = [], 0
        while (path := self.folder / "challenges" / number(index)).exists():
            data = path.read_bytes()
            require(0 < len(data) <= WIDTH * RECORD_BYTES and len(data) % RECORD_BYTES == 0, "log", f"{path.name} of challenges holds no records")
            for at in range(0, len(data), RECORD_BYTES):
                body, signature = data[at : at + RECORD_BYTES - 64], data[at + RECORD_BYTES - 64 : at + RECORD_BYTES]
                after, pair = int.from_bytes(body[2:6], "big"), (body[14:46], body[46:78])
                formed = body[0] == 1 and body[1] in RESULTS and (after == 0 or body[1] == 2) and pair[0] != pair[1]
                require(formed, "log", "a record of a challenge is none")
                require(ed25519.verify(self.key, b"cocoon challenge v1\n" + body, signature), "log", "a record of a challenge is not signed by the proxy")
                found.append({"result": RESULTS[body[1]], "after": after, "time": int.from_bytes(body[6:14], "big"), "first": pair[0].hex(), "second": pair[1].hex()})
            if len(data) < WIDTH * RECORD_BYTES:
                break
            index += 1
        return found

    def check_evidence(self):
        """Certificates that no receipt names have the hash that names them, too."""
        for path in sorted((self.folder / "evidence").glob("*")):
            self.certificate(path.name)
