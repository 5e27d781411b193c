"""Transactions and messages of TON (`block.tlb`), as far as a reader of contracts' histories needs them."""

import base64
import binascii

from fault import Fault
from cells import CellError, Reader, from_boc

ACTIVE = 2
STATUS = ("uninit", "frozen", "active", "none")


class Bits(Reader):
    """Fields of TON's own types."""

    def coins(self):
        return self.uint(8 * self.uint(4)) if self.bits[:4] != "0000" else self.uint(4)

    def maybe(self, read):
        return read() if self.uint(1) else None

    def currencies(self):
        coins = self.coins()
        self.maybe(self.reference)
        return coins

    def text_address(self):
        workchain, account = self.address()
        return f"{workchain}:{account.hex()}"

    def any_address(self):
        """None, external or standard; only the last is given."""
        kind = self.bits[:2]
        if kind == "10":
            return self.text_address()
        self.take(2)
        if kind == "01":
            self.take(self.uint(9))
        elif kind != "00":
            raise CellError("an address of another kind")
        return None

    def inside(self):
        return Bits(self.reference())

    def opcode(self):
        """The first 32 bits, or None where there are fewer."""
        return int(self.bits[:32], 2) if len(self.bits) >= 32 else None


def dictionary(cell, width):
    """Key bits and the rest of each leaf of a Hashmap."""
    reader = Bits(cell)
    label = _label(reader, width)
    left = width - len(label)
    if left == 0:
        yield label, reader
        return
    for bit in "01":
        for key, value in dictionary(reader.reference(), left - 1):
            yield label + bit + key, value


def _label(reader, most):
    size = most.bit_length()
    if not reader.uint(1):
        length = 0
        while reader.uint(1):
            length += 1
    elif not reader.uint(1):
        length = reader.uint(size)
    else:
        bit, length = reader.take(1), reader.uint(size)
        return bit * length
    if length > most:
        raise CellError("a label is longer than its key")
    return reader.take(length)


class Message:
    """Where from, whether it came back, and its body."""

    def __init__(self, cell):
        reader = Bits(cell)
        self.bounced, self.source = False, None
        if not reader.uint(1):
            _, _, self.bounced = (bool(reader.uint(1)) for _ in range(3))
            self.source = reader.any_address()
            reader.any_address()
            reader.currencies()
            reader.coins(), reader.coins(), reader.uint(64), reader.uint(32)
        elif not reader.uint(1):
            reader.any_address(), reader.any_address(), reader.coins()
        else:
            reader.any_address(), reader.any_address(), reader.uint(64), reader.uint(32)
        self.code, self.data = None, None  # of a contract that it deploys
        if reader.uint(1):
            init = reader.inside() if reader.uint(1) else reader
            init.maybe(lambda: init.uint(5)), init.maybe(lambda: init.uint(2))
            self.code = init.maybe(init.reference)
            self.data = init.maybe(init.reference)
            init.maybe(init.reference)
        self.body_cell = reader.reference() if reader.uint(1) else None
        self.rest = reader

    def body(self):
        if self.body_cell is not None:
            return Bits(self.body_cell)
        copy = Bits(_nothing)
        copy.bits, copy.references = self.rest.bits, list(self.rest.references)
        return copy


class _Nothing:
    bits, references = "", ()


_nothing = _Nothing()


class Transaction:
    """What an account took and sent, and whether it came to pass."""

    def __init__(self, cell):
        self.hash = cell.hash.hex()
        reader = Bits(cell)
        if reader.take(4) != "0111":
            raise CellError("not a transaction")
        self.account, self.lt = reader.raw(32).hex(), reader.uint(64)
        self.previous = (reader.uint(64 * 4), reader.uint(64))
        self.now, _, before, after = reader.uint(32), reader.uint(15), reader.uint(2), reader.uint(2)
        self.deployed, self.status = before != ACTIVE and after == ACTIVE, STATUS[after]
        messages = reader.inside()
        taken = messages.maybe(messages.reference)
        sent = messages.maybe(messages.reference)
        reader.currencies()
        reader.reference()
        description = reader.inside()
        self.taken = Message(taken) if taken else None
        self.sent = [Message(value.reference()) for _, value in dictionary(sent, 15)] if sent else []
        self.succeeded = _succeeded(description)


def _succeeded(reader):
    """Of an ordinary transaction: not aborted."""
    if reader.take(4) != "0000":
        return False
    reader.uint(1)
    if reader.uint(1):  # storage phase
        reader.coins(), reader.maybe(reader.coins)
        if reader.uint(1):
            reader.uint(1)
    if reader.uint(1):  # credit phase
        reader.maybe(reader.coins), reader.currencies()
    if reader.uint(1):  # compute phase
        reader.uint(3), reader.coins(), reader.reference()
    elif reader.uint(2) == 3:
        reader.uint(1)
    reader.maybe(reader.reference)
    return not reader.uint(1)


def cell_of(text, what):
    try:
        return from_boc(base64.b64decode(text, validate=True))
    except (binascii.Error, TypeError, CellError) as error:
        raise Fault("unreadable", f"chain.json: {what} is no bag of cells") from error
