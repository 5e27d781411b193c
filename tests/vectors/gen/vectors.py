#!/usr/bin/env python3
"""Writes the golden vectors of receipts: `tests/vectors/receipts.json`.

    python3 tests/vectors/gen/vectors.py            writes the file
    python3 tests/vectors/gen/vectors.py --check    compares it with the one that is checked in

Needs only Python's standard library. Nothing is random: the same vectors come out on every machine.
"""

import copy
import hashlib
import json
import pathlib
import sys

import ed25519
import receipt as codec
from cells import Builder, Cell, to_boc

FILE = pathlib.Path(__file__).resolve().parent.parent / "receipts.json"
PROXY_SECRET, WORKER_SECRET = bytes([1] * 32), bytes([2] * 32)
MAX = 2**64 - 1


def number(*name, below=MAX + 1):
    """A number that looks random and is always the same."""
    return int.from_bytes(hashlib.sha256(repr(name).encode()).digest(), "big") % below


def hash_of(*name):
    return hashlib.sha256(repr(name).encode()).hexdigest()


def address(*name, workchain=0):
    return f"{workchain}:{hash_of('address', *name)}"


def sample(name, charged=200):
    """A receipt whose fields all differ."""
    counts = {"prompt": 34, "cached": 11, "completion": 100, "reasoning": 10}
    multipliers = dict.fromkeys(codec.CLASSES, 10_000)
    before = [number(name, side, below=10**12) for side in ("worker", "client")]
    links = [
        {"seqno": 1 + number(name, side, "seqno", below=10**6), "previous": hash_of(name, side), "before": start, "after": start + charged}
        for side, start in zip(("worker", "client"), before, strict=True)
    ]
    started = 1_700_000_000_000 + number(name, "time", below=10**10)
    statement = {
        "root": address(name, "root", workchain=-1),
        "proxy": address(name, "proxy"),
        "worker": address(name, "worker"),
        "params_version": number(name, "params", below=2**32),
        "coefficient": 1500,
        "finish": "stop",
        "seed": number(name, "seed"),
        "started_ms": started,
        "first_token_ms": started + 40,
        "finished_ms": started + 900,
        "client": hash_of(name, "blinded"),
        "request_id": hash_of(name, "request of the worker"),
        "request_hash": hash_of(name, "request"),
        "response_hash": hash_of(name, "response"),
        "sampling_hash": hash_of(name, "sampling"),
        "model": hash_of(name, "model"),
        "worker_evidence": hash_of(name, "worker evidence"),
        "counts": counts,
        "used": codec.adjust(counts, 1500, multipliers),
        "channel": links[0],
    }
    return {
        "client": address(name, "client"),
        "request_id": hash_of(name, "request of the client"),
        "proxy_evidence": hash_of(name, "proxy evidence"),
        "statement": statement,
        "channel": links[1],
    }


def changed(name, change, charged=200):
    receipt = sample(name, charged)
    change(receipt, receipt["statement"])
    return receipt


def everything_zero(receipt, statement):
    zero = "00" * 32
    for part in (receipt, statement):
        for field, value in part.items():
            if isinstance(value, str) and len(value) == 64:
                part[field] = zero
            elif isinstance(value, int):
                part[field] = 0
    for field in ("root", "proxy", "worker"):
        statement[field] = f"0:{zero}"
    receipt["client"] = f"0:{zero}"
    statement["counts"] = dict.fromkeys(codec.CLASSES, 0)
    statement["used"] = dict.fromkeys((*codec.CLASSES, "total"), 0)
    for part in (receipt, statement):
        part["channel"] = {"seqno": 1, "previous": zero, "before": 0, "after": 0}


def everything_large(receipt, statement):
    full = "ff" * 32
    for part in (receipt, statement):
        for field, value in part.items():
            if isinstance(value, str) and len(value) == 64:
                part[field] = full
            elif isinstance(value, int):
                part[field] = 2**32 - 1 if field in ("params_version", "coefficient") else MAX
        part["channel"] = {"seqno": MAX, "previous": full, "before": 0, "after": MAX}
    for field in ("root", "proxy", "worker"):
        statement[field] = f"-128:{full}"
    receipt["client"] = f"127:{full}"
    statement["counts"] = dict.fromkeys(codec.CLASSES, MAX)
    statement["used"] = {"prompt": MAX, "cached": 0, "completion": 0, "reasoning": 0, "total": MAX}


def valid():
    cases = [
        ("ordinary", sample("ordinary"), True),
        ("the worker's signature is absent", sample("unsigned"), False),
        ("the worker told no counts", changed("no counts", lambda _, s: s.update(counts=None)), True),
        ("nothing is charged", sample("free", charged=0), True),
        ("less is charged than was used", sample("capped", charged=150), True),
        ("every number is zero", changed("zero", everything_zero), True),
        ("every number is as large as it can be", changed("large", everything_large), True),
        ("all happened in one millisecond", changed("instant", lambda _, s: s.update(first_token_ms=s["started_ms"], finished_ms=s["started_ms"])), False),
    ]
    for word in codec.FINISH:
        cases.append((f"finish {word}", changed(word, lambda _, s, word=word: s.update(finish=word)), True))
    for name, receipt, is_signed in cases:
        signed = codec.sign(receipt, PROXY_SECRET, WORKER_SECRET if is_signed else None)
        boc = to_boc(signed)
        assert codec.verify(boc, ed25519.public_key(PROXY_SECRET), ed25519.public_key(WORKER_SECRET)) == receipt
        read, proxy_signature, worker_signature = codec.read(boc)
        assert read == receipt
        yield {
            "name": name,
            "receipt": receipt,
            "statement_hash": codec.statement_cell(receipt["statement"]).hash.hex(),
            "receipt_id": codec.receipt_cell(receipt).hash.hex(),
            "proxy_signature": proxy_signature.hex(),
            "worker_signature": worker_signature.hex() if worker_signature else None,
            "boc": boc.hex(),
        }


def replaced(cell, path, change):
    """The cell with the one under `path` (numbers of references) changed by a function."""
    if not path:
        return change(cell)
    references = list(cell.references)
    references[path[0]] = replaced(references[path[0]], path[1:], change)
    return Cell(cell.bits, references)


def bits(at, value, width):
    """Writes a number over the bits of a cell."""
    return lambda cell: Cell(cell.bits[:at] + format(value, f"0{width}b") + cell.bits[at + width :], cell.references)


def refused():
    """Each with the class of its refusal. The paths are those of `SignedReceipt` in contracts/receipt.tlb."""
    receipt, statement, link, hashes, tokens = [0], [0, 0], [0, 1], [0, 0, 2], [0, 0, 3]
    more_data = lambda cell: Cell(cell.bits + "0", cell.references)
    more_reference = lambda cell: Cell(cell.bits, (*cell.references, Cell()))
    less_data = lambda cell: Cell(cell.bits[:-1], cell.references)
    less_reference = lambda cell: Cell(cell.bits, cell.references[:-1])
    layout = [
        ("a bit follows the signed receipt", [], more_data),
        ("a bit follows the receipt", receipt, more_data),
        ("a bit follows the statement's tokens", tokens, more_data),
        ("a reference follows the link", link, more_reference),
        ("a reference follows the worker's signature", [1], more_reference),
        ("the link ends too early", link, less_data),
        ("the hashes lack their reference", hashes, less_reference),
        ("the statement lacks a reference", statement, less_reference),
        ("the client's address is none", receipt, lambda cell: Cell(cell.bits[:40] + "00" + cell.bits[42:], cell.references)),
        ("the client's address has an anycast", receipt, lambda cell: Cell(cell.bits[:42] + "1" + cell.bits[43:], cell.references)),
        ("the flag promises a worker's signature that is absent", [], less_reference),
    ]
    signed = codec.sign(sample("refused"), PROXY_SECRET, WORKER_SECRET)
    for name, path, change in layout:
        yield name, "layout", to_boc(replaced(signed, path, change))
    other_values = [
        ("constructor of the signed receipt", "constructor", [], bits(0, codec.RECEIPT, 32)),
        ("constructor of the receipt", "constructor", receipt, bits(0, codec.WORK_STATEMENT, 32)),
        ("constructor of the statement", "constructor", statement, bits(0, 0, 32)),
        ("version 0 of the signed receipt", "version", [], bits(32, 0, 8)),
        ("version 2 of the receipt", "version", receipt, bits(32, 2, 8)),
        ("version 255 of the statement", "version", statement, bits(32, 255, 8)),
        ("a reason to end that nobody knows", "finish", statement, bits(104, len(codec.FINISH), 8)),
    ]
    for name, why, path, change in other_values:
        yield name, why, to_boc(replaced(signed, path, change))

    def wrong(**fields):
        return lambda _, statement: statement.update(fields)

    def with_part(part, **fields):
        return lambda _, statement: statement[part].update(fields)

    both = lambda **fields: lambda receipt, statement: (receipt["channel"].update(fields), statement["channel"].update(fields))
    arithmetic = [
        ("the total is one too many", with_part("used", total=201)),
        ("the classes overflow 64 bits to the right total", lambda _, s: s["used"].update(prompt=MAX, cached=1, completion=100, reasoning=100, total=200)),
        ("more is charged than was used", both(before=0, after=201)),
        ("the client is charged another number", lambda r, _: r["channel"].update(before=0, after=199)),
        ("the client's total shrinks", lambda r, _: r["channel"].update(before=200, after=0)),
        ("the worker's total shrinks", with_part("channel", before=200, after=0)),
        ("the client's link has number 0", lambda r, _: r["channel"].update(seqno=0)),
        ("the worker's link has number 0", with_part("channel", seqno=0)),
        ("more cached than prompt", with_part("counts", cached=35)),
        ("more reasoning than completion", with_part("counts", reasoning=101)),
        ("the first token before the start", wrong(first_token_ms=1)),
        ("the end before the first token", wrong(finished_ms=1)),
    ]
    for name, change in arithmetic:
        receipt_ = changed("refused", change)
        yield name, "arithmetic", to_boc(codec.sign(receipt_, PROXY_SECRET, WORKER_SECRET))
    boc = to_boc(signed)
    yield "no bytes", "layout", b""
    yield "one byte is missing", "layout", boc[:-1]
    yield "one byte follows", "layout", boc + b"\0"
    for flag in (8, 16, 32):
        yield f"a bag with flag {flag}", "layout", boc[:4] + bytes([boc[4] | flag]) + boc[5:]
    yield "a bag with its old magic", "layout", bytes.fromhex("68ff65f3") + boc[4:]
    two_roots = bytearray(boc)
    two_roots[7] = 2
    yield "two roots", "layout", bytes(two_roots)
    yield "a bag that is too long", "size", boc + bytes(codec.MAX_BYTES)


def forged():
    """They read, but a signature does not hold. Each with whose."""
    base = sample("forged")
    proxy, worker = (ed25519.sign(PROXY_SECRET, codec.receipt_cell(base).hash), ed25519.sign(WORKER_SECRET, codec.statement_cell(base["statement"]).hash))
    flipped = lambda signature: bytes([signature[0] ^ 1]) + signature[1:]
    more = copy.deepcopy(base)
    more["statement"]["coefficient"] += 1
    other = copy.deepcopy(base)
    other["proxy_evidence"] = hash_of("other")
    order = 2**252 + 27742317777372353535851937790883648493
    high = proxy[:32] + (int.from_bytes(proxy[32:], "little") + order).to_bytes(32, "little")
    yield "a flipped bit in the proxy's signature", "proxy signature", codec.signed_cell(base, flipped(proxy), worker)
    yield "a flipped bit in the worker's signature", "worker signature", codec.signed_cell(base, proxy, flipped(worker))
    yield "the worker's signature in the proxy's place", "proxy signature", codec.signed_cell(base, worker, worker)
    yield "the proxy's signature in the worker's place", "worker signature", codec.signed_cell(base, proxy, proxy)
    yield "a field that the proxy did not sign", "proxy signature", codec.signed_cell(other, proxy, worker)
    yield "a statement that neither signed", "proxy signature", codec.signed_cell(more, proxy, worker)
    signed_more = ed25519.sign(PROXY_SECRET, codec.receipt_cell(more).hash)
    yield "a statement that the worker did not sign", "worker signature", codec.signed_cell(more, signed_more, worker)
    yield "a signature whose number is not reduced", "proxy signature", codec.signed_cell(base, high, worker)
    # With the neutral point for R the equation holds; whoever has the key can make it, and no reader may take it.
    neutral = (1).to_bytes(32, "little")
    scalar, _ = ed25519._expand(PROXY_SECRET)
    challenge = ed25519._number(neutral, ed25519.public_key(PROXY_SECRET), codec.receipt_cell(base).hash)
    flat = neutral + (challenge * scalar % order).to_bytes(32, "little")
    yield "a signature whose point is of small order", "proxy signature", codec.signed_cell(base, flat, worker)


def prices():
    """Numbers where double precision and exact arithmetic differ are among them."""
    cases = [((34, 11, 100, 10), 1500, (10_000,) * 4), ((0, 0, 0, 0), 1000, (10_000,) * 4), ((1, 5, 2, 9), 1000, (10_000,) * 4)]
    cases += [((MAX,) * 4, 2**32 - 1, (2**32 - 1,) * 4), ((2**53 + 1, 0, 2**53 + 1, 0), 1000, (10_000,) * 4)]
    for at in range(60):
        counts = [number("price", at, place, below=10 ** (1 + at % 8)) for place in range(4)]
        multipliers = tuple(number("multiplier", at, place, below=50_000) for place in range(4))
        cases.append((tuple(counts), number("coefficient", at, below=5000), multipliers))
    for counts, coefficient, multipliers in cases:
        counts, multipliers = dict(zip(codec.CLASSES, counts, strict=True)), dict(zip(codec.CLASSES, multipliers, strict=True))
        used = codec.adjust(counts, coefficient, multipliers)
        yield {"counts": counts, "coefficient": coefficient, "multipliers": multipliers, "used": used}
    # Found by search: exact arithmetic gives one token more.
    found = 0
    for tokens in range(10, 4000, 10):
        for coefficient in range(1010, 3000, 10):
            exact = tokens * coefficient * 10_000 // 10**7
            counts = {"prompt": tokens, "cached": 0, "completion": 0, "reasoning": 0}
            used = codec.adjust(counts, coefficient, dict.fromkeys(codec.CLASSES, 10_000))
            if used["prompt"] != exact and found < 12:
                found += 1
                yield {"counts": counts, "coefficient": coefficient, "multipliers": dict.fromkeys(codec.CLASSES, 10_000), "used": used}
    assert found == 12


def channels():
    """Links in order with what is wrong with the first bad one: `null`, or a word and its number."""

    def chain(*charges):
        links, total, previous = [], 0, "00" * 32
        for at, charge in enumerate(charges, 1):
            own = hash_of("link", at)
            links.append({"seqno": at, "previous": previous, "before": total, "after": total + charge, "hash": own})
            total, previous = total + charge, own
        return links

    honest = chain(5, 0, 7, 11, 13)
    edit = lambda at, **fields: [link | (fields if place == at else {}) for place, link in enumerate(honest)]
    yield {"links": [], "fault": None}
    yield {"links": honest, "fault": None}
    yield {"links": honest[:2] + honest[3:], "fault": ["gap", 4]}
    yield {"links": honest[1:], "fault": ["gap", 2]}
    yield {"links": [honest[0], honest[2], honest[1], *honest[3:]], "fault": ["gap", 3]}
    yield {"links": [*honest[:2], honest[1], *honest[2:]], "fault": ["reorder", 2]}
    yield {"links": edit(2, previous=hash_of("other")), "fault": ["fork", 3]}
    yield {"links": edit(2, hash=hash_of("other")), "fault": ["fork", 4]}
    yield {"links": edit(3, before=13), "fault": ["total", 4]}
    yield {"links": edit(2, after=13), "fault": ["total", 4]}
    yield {"links": edit(4, before=23, after=22), "fault": ["backwards", 5]}
    yield {"links": edit(0, seqno=0), "fault": ["zero", 0]}
    yield {"links": edit(0, previous=hash_of("other")), "fault": ["fork", 1]}


def blinded():
    for at, chains in enumerate([(0, 0), (-1, 0), (0, -1), (127, -128)]):
        secret, worker, client = hash_of("secret", at), address("worker", at, workchain=chains[0]), address("client", at, workchain=chains[1])
        yield {"secret": secret, "worker": worker, "client": client, "id": codec.blind_client(bytes.fromhex(secret), worker, client)}


def salted():
    for at, content in enumerate([b"", b"abc", bytes(range(256)) * 5]):
        salt = bytes.fromhex(hash_of("salt", at))
        yield {"salt": salt.hex(), "content": content.hex(), "hash": codec.salted_hash(salt, content)}


def all_refused():
    for name, why, boc in refused():
        try:
            codec.read(boc)
        except codec.Refused as fault:
            assert str(fault) == why, (name, str(fault), why)
        else:
            raise AssertionError(f"{name}: it was read")
        yield {"name": name, "why": why, "boc": boc.hex()}


def all_forged():
    keys = ed25519.public_key(PROXY_SECRET), ed25519.public_key(WORKER_SECRET)
    for name, whose, cell in forged():
        boc = to_boc(cell)
        codec.read(boc)
        try:
            codec.verify(boc, *keys)
        except codec.Refused as fault:
            assert str(fault) == whose, (name, str(fault), whose)
        else:
            raise AssertionError(f"{name}: it was believed")
        yield {"name": name, "whose": whose, "boc": boc.hex()}


def document():
    return {
        "format": 1,
        "proxy_secret": PROXY_SECRET.hex(),
        "proxy_key": ed25519.public_key(PROXY_SECRET).hex(),
        "worker_secret": WORKER_SECRET.hex(),
        "worker_key": ed25519.public_key(WORKER_SECRET).hex(),
        "valid": list(valid()),
        "refused": list(all_refused()),
        "forged": list(all_forged()),
        "prices": list(prices()),
        "channels": list(channels()),
        "blinded": list(blinded()),
        "salted": list(salted()),
    }


def main():
    text = json.dumps(document(), indent=1, sort_keys=True) + "\n"
    if sys.argv[1:] == ["--check"]:
        if FILE.read_text() != text:
            sys.exit(f"{FILE.name} is not what the generator writes; hint: python3 tests/vectors/gen/vectors.py")
        print(f"{FILE.name} is up to date")
    elif sys.argv[1:]:
        sys.exit(__doc__)
    else:
        FILE.write_text(text)


if __name__ == "__main__":
    main()
