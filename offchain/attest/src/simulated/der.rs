//! The few DER forms that the platform extension of a certificate needs.

const BOOLEAN: u8 = 0x01;
const INTEGER: u8 = 0x02;
const OCTET_STRING: u8 = 0x04;
const OBJECT_IDENTIFIER: u8 = 0x06;
const ENUMERATED: u8 = 0x0a;
const SEQUENCE: u8 = 0x30;

fn tagged(tag: u8, content: &[u8]) -> Vec<u8> {
    let mut out = vec![tag];
    match content.len() {
        length @ 0..=0x7f => out.push(length as u8),
        length @ 0x80..=0xff => out.extend([0x81, length as u8]),
        length => {
            out.push(0x82);
            out.extend((length as u16).to_be_bytes());
        }
    }
    out.extend(content);
    out
}

pub(super) fn sequence(parts: &[Vec<u8>]) -> Vec<u8> {
    tagged(SEQUENCE, &parts.concat())
}

pub(super) fn octets(bytes: &[u8]) -> Vec<u8> {
    tagged(OCTET_STRING, bytes)
}

/// A small non-negative integer.
pub(super) fn integer(value: u8) -> Vec<u8> {
    if value < 0x80 {
        tagged(INTEGER, &[value])
    } else {
        tagged(INTEGER, &[0, value])
    }
}

pub(super) fn enumerated(value: u8) -> Vec<u8> {
    tagged(ENUMERATED, &[value])
}

pub(super) fn boolean(value: bool) -> Vec<u8> {
    tagged(BOOLEAN, &[if value { 0xff } else { 0 }])
}

/// `SEQUENCE { 1.2.840.113741.1.13.1.<tail>, value }`.
pub(super) fn entry(tail: &[u8], value: Vec<u8>) -> Vec<u8> {
    // 1.2.840.113741.1.13.1; every further arc used is below 128, one byte each.
    let mut oid = vec![0x2a, 0x86, 0x48, 0x86, 0xf8, 0x4d, 0x01, 0x0d, 0x01];
    oid.extend(tail);
    sequence(&[tagged(OBJECT_IDENTIFIER, &oid), value])
}
