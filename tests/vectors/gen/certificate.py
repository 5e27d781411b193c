"""Certificates of runners: self-signed, Ed25519, with a TDX quote for their key. The quotes are unsigned: who reads a log checks
the binding of key and image, the platform's signatures were checked when the peers met."""

import hashlib

import ed25519


def tlv(tag, *content):
    content = b"".join(content)
    if len(content) < 128:
        length = bytes([len(content)])
    else:
        size = (len(content).bit_length() + 7) // 8
        length = bytes([0x80 | size]) + len(content).to_bytes(size, "big")
    return bytes([tag]) + length + content


def sequence(*content):
    return tlv(0x30, *content)


def oid(text):
    first, second, *rest = (int(part) for part in text.split("."))
    data = bytes([40 * first + second])
    for arc in rest:
        septets = [arc & 127]
        while arc := arc >> 7:
            septets.insert(0, 128 | arc & 127)
        data += bytes(septets)
    return tlv(6, data)


def registers(name):
    """Eight registers of 48 bytes that look measured."""
    return b"".join(hashlib.sha384(f"{name} register {at}".encode()).digest() for at in range(8))


def image_hash(measured):
    """As the root contract lists it."""
    return hashlib.sha256(measured + bytes(64)).hexdigest()


def quote(measured, key):
    """Version 4, TDX 1.0: header, body, and signature data without a signature."""
    header = (4).to_bytes(2, "little") + (2).to_bytes(2, "little") + (0x81).to_bytes(4, "little") + bytes(40)
    body = bytes(16 + 48 + 48 + 8 + 8 + 8) + measured + hashlib.sha512(key).digest()
    assert len(header) == 48 and len(body) == 584
    return header + body + (0).to_bytes(4, "little")


def extension(identifier, content, critical=True):
    return sequence(oid(identifier), tlv(1, b"\xff") if critical else b"", tlv(4, content))


def certificate(secret, measured, serial, dates=("260101000000Z", "260102000000Z"), signer=None, attested=None):
    """DER. `signer` and `attested` make false ones: signed by another key, with a quote for another key."""
    key = ed25519.public_key(secret)
    algorithm = sequence(oid("1.3.101.112"))
    name = sequence(tlv(0x31, sequence(oid("2.5.4.3"), tlv(12, b"localhost"))))
    extensions = sequence(
        extension("1.3.6.1.4.1.12345.1", quote(measured, attested or key)),
        extension("1.3.6.1.4.1.12345.2", key),
        extension("2.5.29.19", sequence()),
        extension("2.5.29.15", bytes.fromhex("03020780")),
        extension("2.5.29.37", sequence(oid("1.3.6.1.5.5.7.3.1"), oid("1.3.6.1.5.5.7.3.2"))),
        extension("2.5.29.17", sequence(tlv(0x82, b"localhost"), tlv(0x82, b"127.0.0.1")), critical=False),
    )
    signed = sequence(
        tlv(0xA0, tlv(2, b"\2")),
        tlv(2, b"\1" + serial.to_bytes(8, "big")),
        algorithm,
        name,
        sequence(*(tlv(23, date.encode()) for date in dates)),
        name,
        sequence(algorithm, tlv(3, b"\0", key)),
        tlv(0xA3, extensions),
    )
    return sequence(signed, algorithm, tlv(3, b"\0", ed25519.sign(signer or secret, signed)))
