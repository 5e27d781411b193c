"""Signed notes (C2SP signed-note), checkpoints (tlog-checkpoint) and cosignatures (tlog-cosignature), as a log writes them."""

import base64
import hashlib

import ed25519
from cells import Builder

LOG_KEY, WITNESS_KEY = 1, 4


def key_id(name, kind, public):
    """Four bytes that tell keys of one name apart."""
    return hashlib.sha256(name.encode() + b"\n" + bytes([kind]) + public).digest()[:4]


def verifier_key(name, public, kind=LOG_KEY):
    """A key as tools for signed notes take it."""
    return f"{name}+{key_id(name, kind, public).hex()}+{base64.b64encode(bytes([kind]) + public).decode()}"


def origin(public):
    """The name of a proxy's log."""
    return f"cocoon-receipts/{public.hex()}"


def text(name, size, root):
    """What a checkpoint says."""
    return f"{name}\n{size}\n{base64.b64encode(root).decode()}\n"


def line(name, kind, public, signature):
    """A signature as it stands under a note."""
    return f"\u2014 {name} {base64.b64encode(key_id(name, kind, public) + signature).decode()}\n"


def checkpoint(secret, size, root, name=None):
    """A checkpoint that its log signed."""
    public = ed25519.public_key(secret)
    name = name or origin(public)
    body = text(name, size, root)
    return f"{body}\n{line(name, LOG_KEY, public, ed25519.sign(secret, body.encode()))}"


RESULTS = {"equal": 1, "different": 2, "not_comparable": 3}


def challenge(secret, result, after, time, first, second):
    """What a proxy says of a request that two workers answered: a record of docs/challenges.md."""
    body = bytes([1, RESULTS[result]]) + after.to_bytes(4, "big") + time.to_bytes(8, "big") + first + second
    return body + ed25519.sign(secret, b"cocoon challenge v1\n" + body)


CELL_KEY = b"\xffcocoon-checkpoint-cell-v1"


def cell(contract, size, root):
    """The checkpoint that the proxy contract reads: address, number, size, root, time."""
    workchain, account = contract.split(":")
    builder = Builder().uint(0x405DF46E, 32).address(int(workchain), bytes.fromhex(account))
    return builder.uint(2 * size, 64).uint(size, 64).raw(root).uint(0, 64).cell()


def cell_line(secret, contract, size, root, signed=None):
    """The line under a checkpoint that the contract understands. `signed` is another cell than the one that it tells."""
    name, public = f"cocoon-checkpoint/{contract}", ed25519.public_key(secret)
    signature = ed25519.sign(secret, (signed or cell(contract, size, root)).hash)
    id_ = hashlib.sha256(name.encode() + b"\n" + CELL_KEY + public).digest()[:4]
    return f"\u2014 {name} {base64.b64encode(id_ + size.to_bytes(8, 'big') + root + signature).decode()}\n"


def cosigned(note, name, secret, time):
    """The same with a witness's signature at its end."""
    body = note[: note.index("\n\n") + 1]
    signature = ed25519.sign(secret, f"cosignature/v1\ntime {time}\n{body}".encode())
    return note + line(name, WITNESS_KEY, ed25519.public_key(secret), time.to_bytes(8, "big") + signature)


def joined(line, other, at):
    """The first bytes of one signature and the rest of another, in base64."""
    one, other = base64.b64decode(line), base64.b64decode(other)
    return base64.b64encode(one[:at] + other[at:]).decode()


def shortened(line):
    """A line without the last byte of its signature."""
    start, encoded = line.rstrip("\n").rsplit(" ", 1)
    return f"{start} {base64.b64encode(base64.b64decode(encoded)[:-1]).decode()}\n"
