//! Objects of the session layer. They borrow from the frame that holds them.

use tl_proto::{TlRead, TlWrite};

use crate::codec::{DecodeError, constructor_id, decode};

macro_rules! with_id {
    ($(#[$doc:meta])* $name:ident, $tl:literal) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, TlRead, TlWrite)]
        #[tl(boxed, id = $tl, scheme = "../schema/cocoon.tl")]
        pub struct $name {
            pub id: i64,
        }
    };
}

with_id!(
    /// First frame of the dialing side.
    Connect,
    "tcp.connect"
);
with_id!(
    /// First frame of the accepting side, with the dialer's id.
    Connected,
    "tcp.connected"
);
with_id!(
    /// Question whether the peer is alive.
    Ping,
    "tcp.ping"
);
with_id!(
    /// Answer to a ping.
    Pong,
    "tcp.pong"
);

/// A one-way message.
#[derive(Clone, PartialEq, Eq, TlRead, TlWrite)]
#[tl(boxed, id = "tcp.packet", scheme = "../schema/cocoon.tl")]
pub struct Packet<'tl> {
    #[tl(with = "raw")]
    pub data: &'tl [u8],
}

/// A question; its id is unique among the asker's pending ones.
#[derive(Clone, PartialEq, Eq, TlRead, TlWrite)]
#[tl(boxed, id = "tcp.query", scheme = "../schema/cocoon.tl")]
pub struct Query<'tl> {
    pub id: i64,
    #[tl(with = "raw")]
    pub data: &'tl [u8],
}

/// The answer to a question.
#[derive(Clone, PartialEq, Eq, TlRead, TlWrite)]
#[tl(boxed, id = "tcp.queryAnswer", scheme = "../schema/cocoon.tl")]
pub struct QueryAnswer<'tl> {
    pub id: i64,
    #[tl(with = "raw")]
    pub data: &'tl [u8],
}

/// A refusal of a question. The text is free and need not be UTF-8.
#[derive(Clone, PartialEq, Eq, TlRead, TlWrite)]
#[tl(boxed, id = "tcp.queryError", scheme = "../schema/cocoon.tl")]
pub struct QueryError<'tl> {
    pub id: i64,
    pub code: i32,
    #[tl(with = "raw")]
    pub message: &'tl [u8],
}

/// What one frame may hold.
#[derive(Clone, PartialEq, Eq)]
pub enum Message<'a> {
    /// `tcp.connect`
    Connect(Connect),
    /// `tcp.connected`
    Connected(Connected),
    /// `tcp.packet`
    Packet(Packet<'a>),
    /// `tcp.query`
    Query(Query<'a>),
    /// `tcp.queryAnswer`
    QueryAnswer(QueryAnswer<'a>),
    /// `tcp.queryError`
    QueryError(QueryError<'a>),
    /// `tcp.ping`
    Ping(Ping),
    /// `tcp.pong`
    Pong(Pong),
}

impl<'a> Message<'a> {
    /// Reads the object of one frame.
    pub fn decode(data: &'a [u8]) -> Result<Self, DecodeError> {
        match constructor_id(data).ok_or(DecodeError::Truncated)? {
            Connect::TL_ID => decode(data).map(Self::Connect),
            Connected::TL_ID => decode(data).map(Self::Connected),
            Packet::TL_ID => decode(data).map(Self::Packet),
            Query::TL_ID => decode(data).map(Self::Query),
            QueryAnswer::TL_ID => decode(data).map(Self::QueryAnswer),
            QueryError::TL_ID => decode(data).map(Self::QueryError),
            Ping::TL_ID => decode(data).map(Self::Ping),
            Pong::TL_ID => decode(data).map(Self::Pong),
            other => Err(DecodeError::UnknownConstructor(other)),
        }
    }

    /// Its bytes.
    pub fn encode(&self) -> Vec<u8> {
        match self {
            Self::Connect(m) => tl_proto::serialize(m),
            Self::Connected(m) => tl_proto::serialize(m),
            Self::Packet(m) => tl_proto::serialize(m),
            Self::Query(m) => tl_proto::serialize(m),
            Self::QueryAnswer(m) => tl_proto::serialize(m),
            Self::QueryError(m) => tl_proto::serialize(m),
            Self::Ping(m) => tl_proto::serialize(m),
            Self::Pong(m) => tl_proto::serialize(m),
        }
    }
}

/// `bytes` that stay where they are.
mod raw {
    use crate::codec::blob;
    use tl_proto::{TlPacket, TlResult};

    pub(super) fn size_hint(value: &[u8]) -> usize {
        tl_proto::bytes_max_size_hint(value.len())
    }

    pub(super) fn write<P: TlPacket>(value: &[u8], packet: &mut P) {
        blob::write_slice(value, packet);
    }

    pub(super) fn read<'a>(packet: &mut &'a [u8]) -> TlResult<&'a [u8]> {
        blob::read_slice(packet)
    }
}
