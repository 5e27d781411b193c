//! What is asked of lite servers, and what they answer. Names and numbers are those of the public scheme (`lite_api.tl`).

mod envelope;
mod steps;
#[cfg(test)]
mod tests;
mod wire;

use cocoon_bindings::ton::{Address, HashBytes};

use crate::LiteError;
use crate::tl::{Reader, Writer};
pub use envelope::{unwrap_answer, unwrap_question, wrap_answer, wrap_question};

/// The shard that holds a whole workchain.
pub const WHOLE_SHARD: u64 = 1 << 63;

/// A block, or with number 0 the state that a chain begins with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BlockId {
    /// Workchain: −1 for the masterchain.
    pub workchain: i32,
    /// Shard: a prefix of addresses, and a bit that ends it.
    pub shard: u64,
    /// Its number.
    pub seqno: u32,
    /// Hash of its root cell.
    pub root_hash: HashBytes,
    /// Hash of its bytes.
    pub file_hash: HashBytes,
}

impl BlockId {
    /// Whether it is a block of the masterchain.
    pub fn is_masterchain(&self) -> bool {
        self.workchain == -1 && self.shard == WHOLE_SHARD
    }

    fn read(reader: &mut Reader<'_>) -> Result<Self, LiteError> {
        Ok(Self {
            workchain: reader.i32()?,
            shard: reader.u64()?,
            seqno: reader.u32()?,
            root_hash: HashBytes(reader.array()?),
            file_hash: HashBytes(reader.array()?),
        })
    }

    pub(crate) fn write(&self, writer: &mut Writer) {
        writer.u32(self.workchain.cast_unsigned());
        writer.u64(self.shard);
        writer.u32(self.seqno);
        writer.raw(self.root_hash.as_array());
        writer.raw(self.file_hash.as_array());
    }
}

/// A question.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Request {
    /// The newest block of the masterchain.
    MasterchainInfo,
    /// An account as of a block of the masterchain.
    AccountState {
        /// The block.
        block: BlockId,
        /// The account.
        account: Address,
    },
    /// A way from a block that is known to another one.
    BlockProof {
        /// Where it begins.
        known: BlockId,
        /// Where it ends; none for the newest.
        target: Option<BlockId>,
    },
    /// Transactions of an account, backwards.
    Transactions {
        /// How many.
        count: u32,
        /// The account.
        account: Address,
        /// Logical time of the first.
        lt: u64,
        /// Hash of the first.
        hash: HashBytes,
    },
    /// An external message.
    SendMessage {
        /// Its bag of cells.
        body: Vec<u8>,
    },
    /// The shards that a block of the masterchain lists.
    AllShards {
        /// The block.
        block: BlockId,
    },
    /// A question that is to be answered when the masterchain has reached a number.
    Wait {
        /// The number.
        seqno: u32,
        /// How long to wait for it, in milliseconds.
        timeout_ms: u32,
        /// The question, which waits for nothing itself.
        question: Box<Request>,
    },
}

/// An answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// The server does not, and says why.
    Error {
        /// Its code.
        code: i32,
        /// Its words.
        message: String,
    },
    /// The newest block of the masterchain.
    MasterchainInfo {
        /// The block.
        last: BlockId,
        /// Hash of the state after it.
        state_root_hash: HashBytes,
        /// Workchain and hashes of the state that the chain began with.
        init: (i32, HashBytes, HashBytes),
    },
    /// An account.
    AccountState {
        /// The block that was asked for.
        id: BlockId,
        /// The newest block of the account's shard in it.
        shard_block: BlockId,
        /// Two proofs: from the block to its state, and in the state to the shard's block.
        shard_proof: Vec<u8>,
        /// Two proofs: from the shard's block to its state, and in the state to the account.
        proof: Vec<u8>,
        /// The account; empty if there is none.
        state: Vec<u8>,
    },
    /// A way from block to block, or its beginning.
    BlockProof {
        /// Whether it reaches the end.
        complete: bool,
        /// Where it begins.
        from: BlockId,
        /// Where it ends.
        to: BlockId,
        /// Its steps.
        steps: Vec<Link>,
    },
    /// Transactions, newest first.
    Transactions {
        /// The block of each.
        ids: Vec<BlockId>,
        /// A bag of cells with a root for each.
        transactions: Vec<u8>,
    },
    /// Shards.
    AllShards {
        /// The block that was asked for.
        id: BlockId,
        /// Two proofs: from the block to its state, and in the state to the list.
        proof: Vec<u8>,
        /// The list: a dictionary by workchain.
        data: Vec<u8>,
    },
    /// A message was taken.
    Sent {
        /// 1 if all is well.
        status: i32,
    },
}

/// A step from one block of the masterchain to another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Link {
    /// To a newer block, signed by those whom a key block names.
    Forward {
        /// Whether it leads to a key block.
        to_key_block: bool,
        /// The key block, or the state that the chain began with.
        from: BlockId,
        /// The newer block.
        to: BlockId,
        /// Proof of the newer block's header.
        dest_proof: Vec<u8>,
        /// Proof of the key block's configuration.
        config_proof: Vec<u8>,
        /// Who signed the newer block.
        signatures: Signatures,
    },
    /// To an older block, which a newer one's state lists.
    Back {
        /// Whether it leads to a key block.
        to_key_block: bool,
        /// The newer block.
        from: BlockId,
        /// The older block.
        to: BlockId,
        /// Proof of the older block's header.
        dest_proof: Vec<u8>,
        /// Proof from the newer block to its state.
        proof: Vec<u8>,
        /// Proof of the list in that state.
        state_proof: Vec<u8>,
    },
}

/// Those who signed a block.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signatures {
    /// Short hash of the list of those who could.
    pub validator_set_hash: u32,
    /// Number of their session.
    pub catchain_seqno: u32,
    /// Short name and signature of each who did.
    pub signatures: Vec<(HashBytes, [u8; 64])>,
    /// What the newer consensus signs instead of the block itself.
    pub vote: Option<Vote>,
}

/// A vote of the newer consensus (Simplex), which names a block through a candidate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Vote {
    /// The session that it was given in.
    pub session_id: HashBytes,
    /// Its place in the session.
    pub slot: u32,
    /// The candidate: it begins with the block's identity.
    pub candidate: Vec<u8>,
}
