"""Receipts as docs/receipt.md describes them: their cells, what is signed, and what a reader refuses."""

import hashlib

import ed25519
from cells import Builder, CellError, Reader, from_boc, to_boc

WORK_STATEMENT = 0xC0C057A1
RECEIPT = 0xC0C02ECE
SIGNED_RECEIPT = 0xC0C051ED
VERSION = 1
MAX_BYTES = 4096
MAX_CLASS_TOKENS = 1 << 60
FINISH = ["unknown", "stop", "length", "tool_calls", "content_filter", "cancelled", "worker_lost", "timeout", "failed"]
CLASSES = ("prompt", "cached", "completion", "reasoning")


class Refused(ValueError):
    """Why a reader refuses a receipt."""


def _address(text):
    workchain, account = text.split(":")
    return int(workchain), bytes.fromhex(account)


def _text(address):
    return f"{address[0]}:{address[1].hex()}"


def _hash(text):
    return bytes.fromhex(text)


def link_cell(link):
    cell = Builder().uint(link["seqno"], 64).raw(_hash(link["previous"]))
    return cell.uint(link["before"], 64).uint(link["after"], 64).cell()


def tokens_cell(statement):
    cell = Builder()
    for name in (*CLASSES, "total"):
        cell.uint(statement["used"][name], 64)
    counts = statement["counts"]
    cell.uint(0 if counts is None else 1, 1)
    if counts is not None:
        for name in CLASSES:
            cell.uint(counts[name], 64)
    return cell.cell()


def statement_cell(statement):
    parties = Builder()
    for name in ("root", "proxy", "worker"):
        parties.address(*_address(statement[name]))
    identity = Builder().raw(_hash(statement["model"])).raw(_hash(statement["worker_evidence"]))
    hashes = Builder()
    for name in ("request_hash", "response_hash", "sampling_hash"):
        hashes.raw(_hash(statement[name]))
    hashes.reference(identity.cell())
    cell = Builder().uint(WORK_STATEMENT, 32).uint(VERSION, 8).uint(statement["params_version"], 32)
    cell.uint(statement["coefficient"], 32).uint(FINISH.index(statement["finish"]), 8).uint(statement["seed"], 64)
    for name in ("started_ms", "first_token_ms", "finished_ms"):
        cell.uint(statement[name], 64)
    cell.raw(_hash(statement["client"])).raw(_hash(statement["request_id"]))
    cell.reference(parties.cell()).reference(link_cell(statement["channel"]))
    return cell.reference(hashes.cell()).reference(tokens_cell(statement)).cell()


def receipt_cell(receipt):
    cell = Builder().uint(RECEIPT, 32).uint(VERSION, 8).address(*_address(receipt["client"]))
    cell.raw(_hash(receipt["request_id"])).raw(_hash(receipt["proxy_evidence"]))
    return cell.reference(statement_cell(receipt["statement"])).reference(link_cell(receipt["channel"])).cell()


def signed_cell(receipt, proxy_signature, worker_signature=None):
    cell = Builder().uint(SIGNED_RECEIPT, 32).uint(VERSION, 8).raw(proxy_signature)
    cell.uint(0 if worker_signature is None else 1, 1).reference(receipt_cell(receipt))
    if worker_signature is not None:
        cell.reference(Builder().raw(worker_signature).cell())
    return cell.cell()


def sign(receipt, proxy_secret, worker_secret=None):
    """The signed receipt; without the second key it has no signature of a worker."""
    proxy = ed25519.sign(proxy_secret, receipt_cell(receipt).hash)
    worker = None
    if worker_secret is not None:
        worker = ed25519.sign(worker_secret, statement_cell(receipt["statement"]).hash)
    return signed_cell(receipt, proxy, worker)


def _header(reader, constructor):
    if reader.uint(32) != constructor:
        raise Refused("constructor")
    if reader.uint(8) != VERSION:
        raise Refused("version")


def _read_link(cell):
    reader = Reader(cell)
    link = {"seqno": reader.uint(64), "previous": reader.raw(32).hex(), "before": reader.uint(64), "after": reader.uint(64)}
    reader.end()
    if link["seqno"] == 0 or link["after"] < link["before"]:
        raise Refused("arithmetic")
    return link


def _read_tokens(cell):
    reader = Reader(cell)
    used = {name: reader.uint(64) for name in (*CLASSES, "total")}
    counts = {name: reader.uint(64) for name in CLASSES} if reader.uint(1) else None
    reader.end()
    return used, counts


def _read_statement(cell):
    reader = Reader(cell)
    _header(reader, WORK_STATEMENT)
    statement = {"params_version": reader.uint(32), "coefficient": reader.uint(32)}
    finish = reader.uint(8)
    if finish >= len(FINISH):
        raise Refused("finish")
    statement |= {"finish": FINISH[finish], "seed": reader.uint(64)}
    for name in ("started_ms", "first_token_ms", "finished_ms"):
        statement[name] = reader.uint(64)
    for name in ("client", "request_id"):
        statement[name] = reader.raw(32).hex()
    parties, channel, hashes, tokens = (reader.reference() for _ in range(4))
    reader.end()
    parties, hashes = Reader(parties), Reader(hashes)
    for name in ("root", "proxy", "worker"):
        statement[name] = _text(parties.address())
    parties.end()
    for name in ("request_hash", "response_hash", "sampling_hash"):
        statement[name] = hashes.raw(32).hex()
    identity = Reader(hashes.reference())
    hashes.end()
    for name in ("model", "worker_evidence"):
        statement[name] = identity.raw(32).hex()
    identity.end()
    statement["channel"] = _read_link(channel)
    statement["used"], statement["counts"] = _read_tokens(tokens)
    return statement


def check(receipt):
    """Numbers that contradict each other."""
    statement = receipt["statement"]
    used, counts, channel = statement["used"], statement["counts"], statement["channel"]
    charged = channel["after"] - channel["before"]
    total = sum(used[name] for name in CLASSES)
    times = [statement[name] for name in ("started_ms", "first_token_ms", "finished_ms")]
    holds = total == used["total"] and charged <= used["total"] and times == sorted(times)
    holds &= receipt["channel"]["after"] - receipt["channel"]["before"] == charged
    if counts is not None:
        holds &= counts["cached"] <= counts["prompt"] and counts["reasoning"] <= counts["completion"]
    if not holds:
        raise Refused("arithmetic")


def read(boc):
    """Receipt, the proxy's signature, the worker's or None. Refuses what docs/receipt.md says that a reader refuses."""
    if len(boc) > MAX_BYTES:
        raise Refused("size")
    try:
        reader = Reader(from_boc(boc))
        _header(reader, SIGNED_RECEIPT)
        proxy_signature, has_worker = reader.raw(64), reader.uint(1)
        inner = Reader(reader.reference())
        worker_signature = None
        if has_worker:
            cell = Reader(reader.reference())
            worker_signature = cell.raw(64)
            cell.end()
        reader.end()
        _header(inner, RECEIPT)
        receipt = {"client": _text(inner.address()), "request_id": inner.raw(32).hex(), "proxy_evidence": inner.raw(32).hex()}
        statement, channel = inner.reference(), inner.reference()
        inner.end()
        receipt |= {"statement": _read_statement(statement), "channel": _read_link(channel)}
    except CellError as error:
        raise Refused("layout") from error
    check(receipt)
    return receipt, proxy_signature, worker_signature


def verify(boc, proxy_key, worker_key=None):
    """The receipt if it reads and its signatures hold. A worker's signature needs its key."""
    receipt, proxy_signature, worker_signature = read(boc)
    if not ed25519.verify(proxy_key, receipt_cell(receipt).hash, proxy_signature):
        raise Refused("proxy signature")
    if worker_signature is not None:
        if worker_key is None or not ed25519.verify(worker_key, statement_cell(receipt["statement"]).hash, worker_signature):
            raise Refused("worker signature")
    return receipt


def blind_client(secret, worker, client):
    """The name under which a worker knows a payer."""
    data = b"cocoon blinded client v1" + secret
    for address in (worker, client):
        workchain, account = _address(address)
        data += workchain.to_bytes(1, "big", signed=True) + account
    return hashlib.sha256(data).hexdigest()


def salted_hash(salt, content):
    """What binds request and answer without telling them."""
    return hashlib.sha256(salt + content).hexdigest()


def adjust(counts, coefficient, multipliers):
    """Adjusted tokens: double precision from left to right, truncated class by class."""
    parts = {
        "prompt": max(counts["prompt"] - counts["cached"], 0),
        "cached": counts["cached"],
        "completion": max(counts["completion"] - counts["reasoning"], 0),
        "reasoning": counts["reasoning"],
    }
    used = {}
    for name in CLASSES:
        scaled = float(parts[name]) * (float(coefficient) * 0.001) * float(multipliers[name]) * 0.0001
        used[name] = min(int(scaled), MAX_CLASS_TOKENS)
    used["total"] = sum(used.values())
    return used


__all__ = ["Refused", "adjust", "blind_client", "check", "read", "salted_hash", "sign", "to_boc", "verify"]
