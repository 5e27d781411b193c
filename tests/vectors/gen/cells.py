"""Cells of TON: bits and references, their representation hash, and bags of cells.

Written from the public description of the format (TVM whitepaper, sections 3.1.4 and 5.3.9, `boc.tlb`), so that it shares
nothing with the implementation that it checks. Only ordinary cells of level 0, which is all that receipts are made of.
"""

import hashlib

MAX_BITS = 1023
MAX_REFERENCES = 4
MAX_DEPTH = 1024
MAGIC = bytes.fromhex("b5ee9c72")


class CellError(ValueError):
    """What is wrong with a cell or a bag of cells."""


class Cell:
    """An immutable cell."""

    def __init__(self, bits="", references=()):
        if len(bits) > MAX_BITS or len(references) > MAX_REFERENCES:
            raise CellError("a cell holds 1023 bits and four references")
        self.bits = bits
        self.references = tuple(references)
        self.depth = 1 + max((child.depth for child in self.references), default=-1)
        if self.depth > MAX_DEPTH:
            raise CellError("cells are nested too deep")
        body = self.descriptors() + self.data()
        body += b"".join(child.depth.to_bytes(2, "big") for child in self.references)
        body += b"".join(child.hash for child in self.references)
        self.hash = hashlib.sha256(body).digest()

    def descriptors(self):
        """Number of references; number of full and of begun bytes."""
        return bytes([len(self.references), len(self.bits) // 8 + (len(self.bits) + 7) // 8])

    def data(self):
        """The bits in bytes; a last byte that is not full ends with a one and zeros."""
        bits = self.bits
        if len(bits) % 8:
            bits += "1"
            bits += "0" * (-len(bits) % 8)
        return bytes(int(bits[at : at + 8], 2) for at in range(0, len(bits), 8))


class Builder:
    """Writes the fields of a cell in order."""

    def __init__(self):
        self.bits = ""
        self.references = []

    def uint(self, value, width):
        if not 0 <= value < 1 << width:
            raise CellError(f"{value} does not fit {width} bits")
        self.bits += format(value, f"0{width}b")
        return self

    def int8(self, value):
        return self.uint(value & 0xFF, 8)

    def raw(self, data):
        self.bits += "".join(format(byte, "08b") for byte in data)
        return self

    def address(self, workchain, account):
        """addr_std$10 without anycast."""
        self.bits += "100"
        return self.int8(workchain).raw(account)

    def reference(self, cell):
        self.references.append(cell)
        return self

    def cell(self):
        return Cell(self.bits, self.references)


class Reader:
    """Reads the fields of a cell in order."""

    def __init__(self, cell):
        self.bits = cell.bits
        self.references = list(cell.references)

    def take(self, width):
        if len(self.bits) < width:
            raise CellError("the cell ends too early")
        taken, self.bits = self.bits[:width], self.bits[width:]
        return taken

    def uint(self, width):
        return int(self.take(width), 2)

    def raw(self, length):
        return self.uint(8 * length).to_bytes(length, "big")

    def address(self):
        if self.take(3) != "100":
            raise CellError("not a standard address without anycast")
        workchain = self.uint(8)
        return workchain - 256 if workchain > 127 else workchain, self.raw(32)

    def reference(self):
        if not self.references:
            raise CellError("a reference is missing")
        return self.references.pop(0)

    def end(self):
        if self.bits or self.references:
            raise CellError("something follows the last field")


def to_boc(root):
    """A bag with one root, no index, no checksum."""
    order, places = [], {}

    def visit(cell):
        if cell.hash in places:
            return
        places[cell.hash] = None
        for child in cell.references:
            visit(child)
        order.append(cell)

    visit(root)
    order.reverse()
    places = {cell.hash: place for place, cell in enumerate(order)}
    size = max(1, (len(order).bit_length() + 7) // 8)
    cells = b""
    for cell in order:
        cells += cell.descriptors() + cell.data()
        cells += b"".join(places[child.hash].to_bytes(size, "big") for child in cell.references)
    offset = max(1, (len(cells).bit_length() + 7) // 8)
    numbers = (len(order), 1, 0)
    head = MAGIC + bytes([size, offset]) + b"".join(number.to_bytes(size, "big") for number in numbers)
    return head + len(cells).to_bytes(offset, "big") + (0).to_bytes(size, "big") + cells


def from_boc(data):
    """The one root of a bag of cells."""
    at = 0

    def take(length):
        nonlocal at
        if at + length > len(data):
            raise CellError("the bag ends too early")
        at += length
        return data[at - length : at]

    def number(width):
        return int.from_bytes(take(width), "big")

    if take(4) != MAGIC:
        raise CellError("not a bag of cells")
    flags = number(1)
    has_index, has_checksum, size = flags >> 7, flags >> 6 & 1, flags & 7
    offset = number(1)
    if flags & 0x38:
        raise CellError("flags that mean nothing here")
    if not 1 <= size <= 4 or not 1 <= offset <= 8:
        raise CellError("a width is out of range")
    count, roots, absent = number(size), number(size), number(size)
    total = number(offset)
    if roots != 1 or absent or not count:
        raise CellError("not one root")
    root = number(size)
    if has_index:
        take(count * offset)
    end = at + total
    raw = []
    for _ in range(count):
        first, second = take(2)
        if first > MAX_REFERENCES:
            raise CellError("not an ordinary cell of level 0")
        body = take((second + 1) // 2)
        bits = "".join(format(byte, "08b") for byte in body)
        if second & 1:
            bits = bits.rstrip("0")
            if len(bits) <= len(body) * 8 - 8 or not bits:
                raise CellError("the last byte has no end mark")
            bits = bits[:-1]
        raw.append((bits, [number(size) for _ in range(first)]))
    if at != end:
        raise CellError("the cells have another length than was told")
    if has_checksum:
        take(4)
    if at != len(data):
        raise CellError("something follows the bag")
    cells = {}
    for place in range(count - 1, -1, -1):
        bits, children = raw[place]
        if any(child <= place or child >= count for child in children):
            raise CellError("a reference does not point forward")
        cells[place] = Cell(bits, [cells[child] for child in children])
    if root >= count:
        raise CellError("the root is not in the bag")
    return cells[root]
