//! TL primitives that bound what a peer can make us do, and the two entry points [`encode`] and [`decode`].

use bytes::Bytes;
use tl_proto::{TlError, TlRead, TlWrite};

use crate::limits::MAX_BYTES_FIELD;

/// Why bytes are not the object that they should be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DecodeError {
    /// The object ends before its last field.
    #[error("the message is cut short")]
    Truncated,
    /// No object with this id is allowed here.
    #[error("unexpected constructor {0:#010x}")]
    UnknownConstructor(u32),
    /// A field holds a value that it cannot have.
    #[error("a field of the message is not valid")]
    Invalid,
    /// Bytes follow the object.
    #[error("{0} bytes follow the message")]
    Trailing(usize),
}

/// Serialises an object.
pub fn encode<T: TlWrite>(value: &T) -> Bytes {
    Bytes::from(tl_proto::serialize(value))
}

/// Reads one object that must fill `data` exactly.
pub fn decode<'a, T: TlRead<'a>>(data: &'a [u8]) -> Result<T, DecodeError> {
    let mut rest = data;
    let value = T::read_from(&mut rest).map_err(|e| match e {
        TlError::UnexpectedEof => DecodeError::Truncated,
        TlError::UnknownConstructor => DecodeError::UnknownConstructor(constructor_id(data).unwrap_or_default()),
        TlError::InvalidData => DecodeError::Invalid,
    })?;
    if rest.is_empty() {
        Ok(value)
    } else {
        Err(DecodeError::Trailing(rest.len()))
    }
}

/// The constructor id at the start of a boxed object.
pub fn constructor_id(data: &[u8]) -> Option<u32> {
    data.first_chunk().map(|id| u32::from_le_bytes(*id))
}

/// `bytes`: as the library's, but a length that the three-byte prefix cannot hold is refused, both ways.
pub(crate) mod blob {
    use super::*;
    use tl_proto::{TlPacket, TlResult};

    pub(crate) fn size_hint(value: &Bytes) -> usize {
        tl_proto::bytes_max_size_hint(value.len())
    }

    pub(crate) fn write<P: TlPacket>(value: &Bytes, packet: &mut P) {
        write_slice(value, packet);
    }

    pub(crate) fn read(packet: &mut &[u8]) -> TlResult<Bytes> {
        read_slice(packet).map(Bytes::copy_from_slice)
    }

    /// Writes a slice. A field over the limit is written as empty: no frame could hold the object anyway, and
    /// sessions refuse to send it (see [`crate::session::Session::send_packet`]).
    pub(crate) fn write_slice<P: TlPacket>(value: &[u8], packet: &mut P) {
        let value = if value.len() > MAX_BYTES_FIELD { &[] } else { value };
        TlWrite::write_to(&value, packet);
    }

    pub(crate) fn read_slice<'a>(packet: &mut &'a [u8]) -> TlResult<&'a [u8]> {
        if packet.first() == Some(&0xff) {
            // Seven-byte length, at least 2^24: longer than any frame, and unknown to the library.
            return Err(TlError::InvalidData);
        }
        <&[u8]>::read_from(packet)
    }
}

/// `string` that must be UTF-8.
pub(crate) mod text {
    use super::*;
    use tl_proto::{TlPacket, TlResult};

    pub(crate) fn size_hint(value: &str) -> usize {
        tl_proto::bytes_max_size_hint(value.len())
    }

    pub(crate) fn write<P: TlPacket>(value: &str, packet: &mut P) {
        blob::write_slice(value.as_bytes(), packet);
    }

    pub(crate) fn read(packet: &mut &[u8]) -> TlResult<String> {
        let bytes = blob::read_slice(packet)?;
        std::str::from_utf8(bytes)
            .map(str::to_owned)
            .map_err(|_| TlError::InvalidData)
    }
}

/// `string` of free text: not refused for its bytes, cut to a readable length.
pub(crate) mod text_lossy {
    use super::*;
    use crate::limits::MAX_ERROR_TEXT;
    use tl_proto::{TlPacket, TlResult};

    pub(crate) use super::text::size_hint;

    pub(crate) fn write<P: TlPacket>(value: &str, packet: &mut P) {
        super::text::write(value, packet);
    }

    pub(crate) fn read(packet: &mut &[u8]) -> TlResult<String> {
        let bytes = blob::read_slice(packet)?;
        let mut text = String::from_utf8_lossy(&bytes[..bytes.len().min(MAX_ERROR_TEXT)]).into_owned();
        text.truncate(text.floor_char_boundary(MAX_ERROR_TEXT));
        Ok(text)
    }
}

/// `double`: the plain IEEE-754 bits (the library writes another form).
pub(crate) mod double {
    use super::*;
    use tl_proto::{TlPacket, TlResult};

    pub(crate) const fn size_hint(_: &f64) -> usize {
        8
    }

    pub(crate) fn write<P: TlPacket>(value: &f64, packet: &mut P) {
        packet.write_u64(value.to_bits());
    }

    pub(crate) fn read(packet: &mut &[u8]) -> TlResult<f64> {
        u64::read_from(packet).map(f64::from_bits)
    }
}

/// `vector`: memory grows with what was read, not with the announced count.
pub(crate) mod list {
    use super::*;
    use crate::limits::MAX_VECTOR_ITEMS;
    use tl_proto::{TlPacket, TlResult};

    pub(crate) fn size_hint<T: TlWrite>(value: &[T]) -> usize {
        value.max_size_hint()
    }

    pub(crate) fn write<T: TlWrite, P: TlPacket>(value: &[T], packet: &mut P) {
        TlWrite::write_to(&value, packet);
    }

    pub(crate) fn read<'a, T: TlRead<'a>>(packet: &mut &'a [u8]) -> TlResult<Vec<T>> {
        let count = u32::read_from(packet)? as usize;
        if count > MAX_VECTOR_ITEMS {
            return Err(TlError::InvalidData);
        }
        let mut items = Vec::new();
        for _ in 0..count {
            items.push(T::read_from(packet)?);
        }
        Ok(items)
    }
}
