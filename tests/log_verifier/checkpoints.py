"""Reads checkpoints: C2SP signed-note, tlog-checkpoint and tlog-cosignature."""

import base64
import binascii
import hashlib

from fault import require
import ed25519
from cells import Builder

LOG_KEY, WITNESS_KEY = 1, 4
CELL_NAME, CELL_KEY = "cocoon-checkpoint/", b"\xffcocoon-checkpoint-cell-v1"
MAX_NOTE_BYTES = 1 << 16
MARK = "\u2014 "


def key_id(name, kind, key):
    return hashlib.sha256(name.encode() + b"\n" + bytes([kind]) + key).digest()[:4]


def origin_of(key):
    return f"cocoon-receipts/{key.hex()}"


def _base64(text):
    try:
        data = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return None
    return data if base64.b64encode(data).decode() == text else None


def parse(note):
    """The text that is signed, and name, key id and signature of each line below it."""
    require(len(note) <= MAX_NOTE_BYTES, "log", "the checkpoint is too long")
    try:
        note = note.decode()
    except UnicodeDecodeError:
        require(False, "log", "the checkpoint is not text")
    text, gap, below = note.rpartition("\n\n")
    require(gap and below.endswith("\n"), "log", "the checkpoint has no signatures")
    signatures = []
    for line in below[:-1].split("\n"):
        name, space, encoded = line.removeprefix(MARK).partition(" ")
        data = _base64(encoded)
        formed = line.startswith(MARK) and space and name and "+" not in name and data is not None and len(data) > 4
        require(formed, "log", "a line below the checkpoint is no signature")
        signatures.append((name, data[:4], data[4:]))
    return text + "\n", signatures


def open_checkpoint(note, key):
    """Size and root of a log whose proxy has this key."""
    text, signatures = parse(note)
    lines = text[:-1].split("\n")
    require(len(lines) == 3, "log", "the checkpoint's text is not three lines")
    origin, size, root = lines[0], lines[1], _base64(lines[2])
    formed = size.isascii() and size.isdigit() and str(int(size)) == size and int(size) < 1 << 64
    require(formed and root is not None and len(root) == 32, "log", "the checkpoint's text is not a size and a root")
    require(origin == origin_of(key), "log", f"the checkpoint is of log {origin}, not {origin_of(key)}")
    wanted = key_id(origin, LOG_KEY, key)
    own = [signature for name, id_, signature in signatures if (name, id_) == (origin, wanted)]
    holds = own and all(ed25519.verify(key, text.encode(), signature) for signature in own)
    require(holds, "log", "the checkpoint is not signed by its log")
    return int(size), root


def witnesses(note, known):
    """When the known witnesses (name and key) signed; a known one's signature that does not hold is a fault."""
    text, signatures = parse(note)
    seen = {}
    for name, id_, signature in signatures:
        for witness, key in known:
            if (name, id_) == (witness, key_id(witness, WITNESS_KEY, key)):
                require(len(signature) == 72, "log", f"witness {name}: not a cosignature")
                time = int.from_bytes(signature[:8], "big")
                message = f"cosignature/v1\ntime {time}\n{text}".encode()
                require(ed25519.verify(key, message, signature[8:]), "log", f"witness {name}: its signature does not hold")
                seen[name] = time
    return seen


def cells(note, key):
    """What the proxy signed for its contracts under a note: (contract, size, root) of each. A line that does not hold, or cannot be
    of this log, is a fault; that an earlier size has its root is for whoever reads the entries."""
    text, signatures = parse(note)
    size, root = open_checkpoint(note, key)
    seen = []
    for name, id_, signed in signatures:
        own = hashlib.sha256(name.encode() + b"\n" + CELL_KEY + key).digest()[:4]
        if not name.startswith(CELL_NAME) or id_ != own:
            continue
        contract = name.removeprefix(CELL_NAME)
        workchain, colon, account = contract.partition(":")
        formed = colon and workchain in ("0", "-1") and len(account) == 64 and account == account.lower()
        require(formed and len(signed) == 104, "log", "a line for a proxy contract is none")
        of, its_root, signature = int.from_bytes(signed[:8], "big"), signed[8:40], signed[40:]
        of_log = of <= 1 << 62 and (of < size or (of, its_root) == (size, root))
        require(of_log, "log", f"a line for {contract} is of another log")
        builder = Builder().uint(0x405DF46E, 32).address(int(workchain), bytes.fromhex(account))
        cell = builder.uint(2 * of, 64).uint(of, 64).raw(its_root).uint(0, 64).cell()
        require(ed25519.verify(key, cell.hash, signature), "log", f"the line for {contract} does not hold")
        seen.append((contract, of, its_root))
    return seen
