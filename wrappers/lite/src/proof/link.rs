//! From a block that is trusted to a newer one.

use super::block::{config_of_key_block, config_of_state, header, shown, single};
use super::{Header, signatures};
use crate::LiteError;
use crate::messages::{Answer, BlockId, Link};

/// A block that was reached from a trusted one, and what its header says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reached {
    /// The block.
    pub id: BlockId,
    /// Its header.
    pub header: Header,
}

/// Checks one step. `trusted` is a key block, or the state that the chain began with.
///
/// Steps back are refused: whoever begins at a key block needs none.
pub fn verify_link(trusted: &BlockId, link: &Link) -> Result<Reached, LiteError> {
    let Link::Forward {
        to_key_block,
        from,
        to,
        dest_proof,
        config_proof,
        signatures,
    } = link
    else {
        return Err(LiteError::Unproven("a step leads back"));
    };
    if from != trusted || !from.is_masterchain() || !to.is_masterchain() {
        return Err(LiteError::Unproven("a step does not begin at the trusted block"));
    }
    if to.seqno <= from.seqno {
        return Err(LiteError::Unproven("a step does not lead forward"));
    }
    let shown_config = shown(&single(config_proof, "the proof of a configuration")?, &from.root_hash)?;
    let config = if from.seqno == 0 {
        config_of_state(&shown_config)?
    } else {
        if !header(&shown_config, from)?.is_key_block {
            return Err(LiteError::Unproven("a step begins at a block that is no key block"));
        }
        config_of_key_block(&shown_config)?
    };
    let reached = header(&shown(&single(dest_proof, "the proof of a block")?, &to.root_hash)?, to)?;
    if reached.is_key_block != *to_key_block {
        return Err(LiteError::Unproven(
            "a step is wrong about what kind of block it leads to",
        ));
    }
    // Whose set of validators is named by a newer key block may not speak for what came after it.
    if reached.previous_key_block > from.seqno {
        return Err(LiteError::Unproven("a step leaps over a key block"));
    }
    signatures::check(&config, to, &reached, signatures)?;
    Ok(Reached {
        id: *to,
        header: reached,
    })
}

/// Checks a server's way from a trusted key block toward a newer block: every step of it. The last block of the way is
/// returned, and the last key block, from which the next way may begin.
pub fn verify_chain(trusted: &BlockId, answer: &Answer) -> Result<(Reached, BlockId), LiteError> {
    let Answer::BlockProof { from, to, steps, .. } = answer else {
        return Err(LiteError::Message("not a way from block to block"));
    };
    if from != trusted {
        return Err(LiteError::Unproven("a way does not begin at the trusted block"));
    }
    let mut anchor = *trusted;
    let mut last = None;
    for (place, step) in steps.iter().enumerate() {
        let reached = verify_link(&anchor, step)?;
        if reached.header.is_key_block {
            anchor = reached.id;
        } else if place + 1 != steps.len() {
            return Err(LiteError::Unproven("a way goes on from a block that is no key block"));
        }
        last = Some(reached);
    }
    let last = last.ok_or(LiteError::Unproven("a way without steps"))?;
    if last.id != *to {
        return Err(LiteError::Unproven("a way does not lead where it says"));
    }
    Ok((last, anchor))
}
