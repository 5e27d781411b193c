//! How many tokens the models of workers take: a worker tells its proxy, and the proxy tells its clients. Version 3 and above;
//! a proxy of an earlier build refuses both questions with code 0, and is asked nothing else instead.

use tl_proto::{TlRead, TlWrite};

use crate::codec::{list, text};
use crate::limits::MAX_CONTEXT_LENGTH;

/// Tokens of a prompt and its answer together, from 1 to [`MAX_CONTEXT_LENGTH`]: a decoder gives no other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ContextLength(u32);

impl ContextLength {
    /// The longest that can be told.
    pub const MAX: Self = Self(MAX_CONTEXT_LENGTH);

    /// So many tokens; none if there is no place for one, or they are more than can be told.
    pub const fn new(tokens: u32) -> Option<Self> {
        match tokens {
            1..=MAX_CONTEXT_LENGTH => Some(Self(tokens)),
            _ => None,
        }
    }

    /// So many tokens, or as many as can be told; none if there is no place for one.
    pub fn at_most(tokens: usize) -> Option<Self> {
        Self::new(u32::try_from(tokens).unwrap_or(u32::MAX).min(MAX_CONTEXT_LENGTH))
    }

    /// The number of tokens.
    pub const fn tokens(self) -> u32 {
        self.0
    }
}

/// `int`, in its bounds.
mod length {
    use super::ContextLength;
    use tl_proto::{TlError, TlPacket, TlRead, TlResult};

    pub(super) const fn size_hint(_: &ContextLength) -> usize {
        4
    }

    pub(super) fn write<P: TlPacket>(value: &ContextLength, packet: &mut P) {
        packet.write_u32(value.tokens());
    }

    pub(super) fn read(packet: &mut &[u8]) -> TlResult<ContextLength> {
        ContextLength::new(u32::read_from(packet)?).ok_or(TlError::InvalidData)
    }
}

/// Worker to proxy, query, once the connection serves: what its model takes. Told again, the last one counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, TlRead, TlWrite)]
#[tl(boxed, id = "cocoon.tellContext", scheme = "../schema/cocoon.tl")]
pub struct TellContext {
    #[tl(with = "length")]
    pub length: ContextLength,
}

/// The proxy has heard it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, TlRead, TlWrite)]
#[tl(boxed, id = "cocoon.contextTold", scheme = "../schema/cocoon.tl")]
pub struct ContextTold;

/// Client to proxy, query: what the models take.
#[derive(Debug, Clone, Copy, PartialEq, Eq, TlRead, TlWrite)]
#[tl(boxed, id = "cocoon.getContexts", scheme = "../schema/cocoon.tl")]
pub struct GetContexts;

/// Of the workers that take requests now and have told it. A model of which none has is not there.
#[derive(Debug, Clone, PartialEq, Eq, TlRead, TlWrite)]
#[tl(boxed, id = "cocoon.contexts", scheme = "../schema/cocoon.tl")]
pub struct Contexts {
    #[tl(with = "list")]
    pub models: Vec<ModelContext>,
}

/// One model.
#[derive(Debug, Clone, PartialEq, Eq, TlRead, TlWrite)]
pub struct ModelContext {
    /// Base name.
    #[tl(with = "text")]
    pub name: String,
    /// Of the worker that takes least.
    #[tl(with = "length")]
    pub shortest: ContextLength,
    /// Of the worker that takes most.
    #[tl(with = "length")]
    pub longest: ContextLength,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::{DecodeError, decode, encode};

    #[test]
    fn a_length_that_no_model_can_have_is_refused_by_the_decoder() {
        let told = |length: i32| {
            let bytes = [TellContext::TL_ID.to_le_bytes(), length.to_le_bytes()].concat();
            decode::<TellContext>(&bytes)
        };
        let max = i32::try_from(MAX_CONTEXT_LENGTH).unwrap();
        for good in [1, 4096, max] {
            let length = told(good).unwrap().length;
            assert_eq!(i64::from(length.tokens()), i64::from(good));
            assert_eq!(told(good), decode(&encode(&TellContext { length })));
        }
        for bad in [0, -1, i32::MIN, max + 1, i32::MAX] {
            assert_eq!(told(bad), Err(DecodeError::Invalid), "{bad}");
        }
    }

    #[test]
    fn a_model_that_takes_more_than_can_be_told_is_told_as_the_longest() {
        assert_eq!(ContextLength::at_most(0), None);
        assert_eq!(ContextLength::at_most(40).map(ContextLength::tokens), Some(40));
        assert_eq!(ContextLength::at_most(usize::MAX), Some(ContextLength::MAX));
        assert_eq!(ContextLength::new(MAX_CONTEXT_LENGTH + 1), None);
    }
}
