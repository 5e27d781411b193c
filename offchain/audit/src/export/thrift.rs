//! What Parquet's metadata is written in: Thrift's compact protocol, as far as it is needed.

const TRUE: u8 = 1;
const FALSE: u8 = 2;
const I8: u8 = 3;
const I32: u8 = 5;
const I64: u8 = 6;
const BINARY: u8 = 8;
const LIST: u8 = 9;
const STRUCT: u8 = 12;

/// What a list holds.
#[derive(Debug, Clone, Copy)]
pub(super) enum Element {
    Int,
    Text,
    Struct,
}

/// A struct that is being written: fields in the order of their numbers.
#[derive(Debug, Default)]
pub(super) struct Compact {
    bytes: Vec<u8>,
    /// Numbers of the last fields of the structs that are open, the innermost last.
    last: Vec<i16>,
    field: i16,
}

impl Compact {
    pub(super) fn int(&mut self, field: i16, value: i32) {
        self.field(field, I32);
        self.zigzag(value.into());
    }

    pub(super) fn long(&mut self, field: i16, value: i64) {
        self.field(field, I64);
        self.zigzag(value);
    }

    pub(super) fn byte(&mut self, field: i16, value: i8) {
        self.field(field, I8);
        self.bytes.push(value.to_le_bytes()[0]);
    }

    pub(super) fn flag(&mut self, field: i16, value: bool) {
        self.field(field, if value { TRUE } else { FALSE });
    }

    pub(super) fn text(&mut self, field: i16, value: &str) {
        self.field(field, BINARY);
        self.string(value);
    }

    /// Opens a struct; [`Compact::end`] closes it.
    pub(super) fn begin(&mut self, field: i16) {
        self.field(field, STRUCT);
        self.open();
    }

    /// Opens a struct that is an element of a list.
    pub(super) fn open(&mut self) {
        self.last.push(self.field);
        self.field = 0;
    }

    pub(super) fn end(&mut self) {
        self.bytes.push(0);
        self.field = self.last.pop().unwrap_or(0);
    }

    /// Begins a list, whose elements follow.
    pub(super) fn list(&mut self, field: i16, of: Element, length: usize) {
        self.field(field, LIST);
        let kind = match of {
            Element::Int => I32,
            Element::Text => BINARY,
            Element::Struct => STRUCT,
        };
        match u8::try_from(length) {
            Ok(short @ 0..15) => self.bytes.push((short << 4) | kind),
            _ => {
                self.bytes.push(0xf0 | kind);
                varint(length as u64, &mut self.bytes);
            }
        }
    }

    /// An element of a list of numbers.
    pub(super) fn int_element(&mut self, value: i32) {
        self.zigzag(value.into());
    }

    /// An element of a list of texts.
    pub(super) fn string(&mut self, value: &str) {
        varint(value.len() as u64, &mut self.bytes);
        self.bytes.extend_from_slice(value.as_bytes());
    }

    /// The outermost struct.
    pub(super) fn finish(mut self) -> Vec<u8> {
        self.bytes.push(0);
        self.bytes
    }

    fn field(&mut self, field: i16, kind: u8) {
        match u8::try_from(i32::from(field) - i32::from(self.field)) {
            Ok(step @ 1..=15) => self.bytes.push((step << 4) | kind),
            _ => {
                self.bytes.push(kind);
                self.zigzag(field.into());
            }
        }
        self.field = field;
    }

    fn zigzag(&mut self, value: i64) {
        let folded = (value << 1) ^ (value >> 63);
        varint(u64::from_le_bytes(folded.to_le_bytes()), &mut self.bytes);
    }
}

/// Seven bits a byte, the lowest first.
pub(super) fn varint(mut value: u64, bytes: &mut Vec<u8>) {
    while value >= 0x80 {
        bytes.push(value.to_le_bytes()[0] | 0x80);
        value >>= 7;
    }
    bytes.push(value.to_le_bytes()[0]);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_numbers_and_lists_are_those_of_the_protocol() {
        let mut compact = Compact::default();
        compact.int(1, -1);
        compact.long(3, 300);
        compact.flag(4, true);
        compact.begin(20);
        compact.text(1, "ab");
        compact.byte(2, 64);
        compact.end();
        compact.list(21, Element::Int, 2);
        compact.int_element(1);
        compact.int_element(-2);
        compact.list(22, Element::Text, 16);
        let expected = [
            0x15, 1, // field 1: zigzag of -1
            0x26, 0xd8, 4,    // field 3: zigzag of 300 is 600
            0x11, // field 4: true
            0x0c, 40, // field 20, a step of 16: number of its own
            0x18, 2, b'a', b'b', 0x13, 64, 0, // the struct
            0x19, 0x25, 2, 3, // field 21: two numbers
            0x19, 0xf8, 16, // field 22: sixteen texts
            0,
        ];
        assert_eq!(compact.finish(), expected);
    }
}
