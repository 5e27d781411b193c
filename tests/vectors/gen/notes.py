"""Signed notes (C2SP signed-note), checkpoints (tlog-checkpoint) and cosignatures (tlog-cosignature), as a log writes them."""

import base64
import hashlib

import ed25519

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


def cosigned(note, name, secret, time):
    """The same with a witness's signature at its end."""
    body = note[: note.index("\n\n") + 1]
    signature = ed25519.sign(secret, f"cosignature/v1\ntime {time}\n{body}".encode())
    return note + line(name, WITNESS_KEY, ed25519.public_key(secret), time.to_bytes(8, "big") + signature)
