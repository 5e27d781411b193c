"""Reads certificates of runners: enough DER for them, and the fields of a TDX quote (docs/audit.md, docs/attestation.md)."""

import hashlib

from fault import Fault
import ed25519

MAX_CERTIFICATE_BYTES = 36 << 10
SEQUENCE, INTEGER, BITS, OCTETS, OID, BOOLEAN, VERSION, EXTENSIONS = 0x30, 2, 3, 4, 6, 1, 0xA0, 0xA3
ED25519 = bytes.fromhex("2b6570")
QUOTE = bytes.fromhex("2b06010401e03901")
CLAIMS = bytes.fromhex("2b06010401e03902")
HEADER_BYTES = 48
BODY_BYTES = {2: 584, 3: 648, 4: 885}
TDX = 0x81


class Der:
    """Elements one after another."""

    def __init__(self, data):
        self.data, self.at = data, 0

    def peek(self):
        return self.data[self.at] if self.at < len(self.data) else None

    def take(self, count):
        if self.at + count > len(self.data):
            raise ValueError("it ends too early")
        self.at += count
        return self.data[self.at - count : self.at]

    def element(self):
        """Tag, content and all bytes of the next element."""
        start = self.at
        tag, length = self.take(1)[0], self.take(1)[0]
        if length > 127:
            size = length & 127
            digits = self.take(size)
            length = int.from_bytes(digits, "big")
            if not 1 <= size <= 3 or digits[0] == 0 or length < 128:
                raise ValueError("a length is not in its shortest form")
        content = self.take(length)
        return tag, content, self.data[start : self.at]

    def of(self, tag):
        found, content, _ = self.element()
        if found != tag:
            raise ValueError(f"tag {found:#x} where {tag:#x} belongs")
        return content

    def end(self):
        if self.at != len(self.data):
            raise ValueError("bytes follow the last field")


def _bits(content):
    if content[:1] != b"\0":
        raise ValueError("bits that are not whole bytes")
    return content[1:]


def _algorithm(content):
    reader = Der(content)
    found = reader.of(OID)
    reader.end()
    if found != ED25519:
        raise ValueError("not Ed25519")


def _extensions(content):
    """Contents by identifier."""
    outer = Der(content)
    rows = Der(outer.of(SEQUENCE))
    outer.end()
    found = {}
    while rows.peek() is not None:
        row = Der(rows.of(SEQUENCE))
        identifier = row.of(OID)
        if row.peek() == BOOLEAN:
            row.of(BOOLEAN)
        value = row.of(OCTETS)
        row.end()
        if identifier in found:
            raise ValueError("an extension comes twice")
        found[identifier] = value
    return found


def _parse(der):
    """The key, the extensions, what is signed and the signature."""
    outer = Der(der)
    whole = Der(outer.of(SEQUENCE))
    outer.end()
    _, content, signed = whole.element()
    _algorithm(whole.of(SEQUENCE))
    signature = _bits(whole.of(BITS))
    whole.end()
    body = Der(content)
    if body.peek() == VERSION:
        body.element()
    body.of(INTEGER)
    _algorithm(body.of(SEQUENCE))
    for _ in ("issuer", "validity", "subject"):
        body.of(SEQUENCE)
    info = Der(body.of(SEQUENCE))
    _algorithm(info.of(SEQUENCE))
    key = _bits(info.of(BITS))
    info.end()
    extensions = _extensions(body.of(EXTENSIONS)) if body.peek() == EXTENSIONS else {}
    body.end()
    if len(key) != 32:
        raise ValueError("its key is not 32 bytes long")
    return key, extensions, signed, signature


def _quote(quote):
    """Registers and report data of a TDX quote."""
    number = lambda at, size: int.from_bytes(quote[at : at + size], "little")
    version, at = number(0, 2), HEADER_BYTES
    if number(4, 4) != TDX or version not in (4, 5):
        raise ValueError("not a quote of a TDX guest")
    body = BODY_BYTES[2]
    if version == 5:
        body, at = BODY_BYTES.get(number(48, 2)), HEADER_BYTES + 6
        if body is None or body != number(50, 4):
            raise ValueError("a quote of an unknown form")
    end = at + body + 4 + number(at + body, 4)
    if len(quote) < at + body + 4 or len(quote) < end or any(quote[end:]):
        raise ValueError("a quote of another length")
    return quote[at + 136 : at + 520], quote[at + 520 : at + 584]


def read(der, hash_):
    """Key and image of a certificate that its own key signed, with a quote for that key."""
    try:
        if len(der) > MAX_CERTIFICATE_BYTES:
            raise ValueError("it is too long")
        key, extensions, signed, signature = _parse(der)
        if extensions.get(CLAIMS, key) != key:
            raise ValueError("it repeats another key")
        if not ed25519.verify(key, signed, signature):
            raise ValueError("it is not signed by its own key")
        if QUOTE not in extensions:
            raise ValueError("it has no quote")
        registers, report_data = _quote(extensions[QUOTE])
        if report_data != hashlib.sha512(key).digest():
            raise ValueError("its quote is for another key")
    except ValueError as error:
        raise Fault("evidence", f"certificate {hash_}: {error}") from error
    return key, hashlib.sha256(registers + bytes(64)).hexdigest()


