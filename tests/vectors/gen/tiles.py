"""The published log as docs/log.md describes it: tiles, bundles and the checkpoint, written all at once."""

import hashlib

import notes
from cells import to_boc
import receipt as codec

WIDTH = 256


def leaf_hash(entry):
    return hashlib.sha256(b"\0" + entry).digest()


def node_hash(left, right):
    return hashlib.sha256(b"\1" + left + right).digest()


def root(leaves):
    """Root of the tree of RFC 6962."""
    if not leaves:
        return hashlib.sha256(b"").digest()
    if len(leaves) == 1:
        return leaves[0]
    half = 1 << (len(leaves) - 1).bit_length() - 1
    return node_hash(root(leaves[:half]), root(leaves[half:]))


def inclusion(leaves, index):
    """The nodes that prove one leaf, from the bottom up."""
    if len(leaves) < 2:
        return []
    half = 1 << (len(leaves) - 1).bit_length() - 1
    if index < half:
        return [*inclusion(leaves[:half], index), root(leaves[half:])]
    return [*inclusion(leaves[half:], index - half), root(leaves[:half])]


def consistency(leaves, old, whole=True):
    """The nodes that prove that the tree of the first `old` leaves is a prefix."""
    if old == len(leaves):
        return [] if whole else [root(leaves)]
    half = 1 << (len(leaves) - 1).bit_length() - 1
    if old <= half:
        return [*consistency(leaves[:half], old, whole), root(leaves[half:])]
    return [*consistency(leaves[half:], old - half, False), root(leaves[:half])]


def number(index):
    """An index in groups of three digits, all but the last with an x."""
    groups = [f"{index % 1000:03}"]
    while index := index // 1000:
        groups.insert(0, f"x{index % 1000:03}")
    return "/".join(groups)


def parts(kind, items):
    """Path and content of the files of one kind: whole ones and a partial one."""
    for start in range(0, len(items), WIDTH):
        part = items[start : start + WIDTH]
        partial = "" if len(part) == WIDTH else f".p/{len(part)}"
        yield f"{kind}/{number(start // WIDTH)}{partial}", b"".join(part)


def prefixed(data):
    return len(data).to_bytes(2, "big") + data


def files(entries):
    """The files that hold entries: triples of a receipt's id, its container, and the worker's signature or none."""
    made = {}
    row, level = [leaf_hash(entry) for entry, _, _ in entries], 0
    while row:
        made |= parts(f"tile/{level}", row)
        row = [root(row[at : at + WIDTH]) for at in range(0, len(row) - WIDTH + 1, WIDTH)]
        level += 1
    made |= parts("tile/entries", [prefixed(entry) for entry, _, _ in entries])
    made |= parts("receipts", [prefixed(boc) for _, boc, _ in entries])
    made |= parts("signatures", [prefixed(signature or b"") for _, _, signature in entries])
    return made


def entry(receipt, proxy_secret, worker_secret=None):
    """One receipt, signed."""
    cell = codec.receipt_cell(receipt)
    worker = None
    if worker_secret is not None:
        worker = codec.ed25519.sign(worker_secret, codec.statement_cell(receipt["statement"]).hash)
    return cell.hash, to_boc(codec.sign(receipt, proxy_secret)), worker


def published(entries, secret, root_contract, proxy_contract, evidence, origin=None):
    """Every file of a log, by path; the checkpoint has no witness yet."""
    public = codec.ed25519.public_key(secret)
    origin = origin or notes.origin(public)
    hint = {"version": 1, "origin": origin, "key": notes.verifier_key(origin, public), "root": root_contract, "proxy": proxy_contract}
    leaves = [leaf_hash(entry) for entry, _, _ in entries]
    made = files(entries) | {f"evidence/{hashlib.sha256(der).hexdigest()}": der for der in evidence}
    return made, hint, notes.checkpoint(secret, len(entries), root(leaves), origin)
