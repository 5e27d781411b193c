//! What is asked of lite servers, and what they answer. Names and numbers are those of the public scheme (`lite_api.tl`).

use cocoon_bindings::ton::{Address, HashBytes};

use crate::LiteError;
use crate::limits::{MAX_BLOCK_IDS, MAX_CANDIDATE_BYTES, MAX_ERROR_BYTES, MAX_SIGNATURES, MAX_STEPS};
use crate::tl::{Reader, Writer};

const QUERY: u32 = 0x798c_06df;
const ADNL_QUERY: u32 = 0xb48b_f97a;
const ADNL_ANSWER: u32 = 0x0fac_8416;
const GET_MASTERCHAIN_INFO: u32 = 0x89b5_e62e;
const GET_ACCOUNT_STATE: u32 = 0x6b89_0e25;
const GET_BLOCK_PROOF: u32 = 0x8aea_9c44;
const GET_TRANSACTIONS: u32 = 0x1c40_e7a1;
const SEND_MESSAGE: u32 = 0x690a_d482;
const ERROR: u32 = 0xbba9_e148;
const MASTERCHAIN_INFO: u32 = 0x8583_2881;
const ACCOUNT_STATE: u32 = 0x7079_c751;
const PARTIAL_BLOCK_PROOF: u32 = 0x8ed0_d2c1;
const LINK_FORWARD: u32 = 0x520f_ce1c;
const LINK_BACK: u32 = 0xef7e_1bef;
const SIGNATURE_SET: u32 = 0xf644_a6e6;
const SIGNATURE_SET_SIMPLEX: u32 = 0xac24_9800;
const TRANSACTION_LIST: u32 = 0x6f26_c60b;
const SEND_STATUS: u32 = 0x3950_e597;

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

fn account(reader: &mut Reader<'_>) -> Result<Address, LiteError> {
    let workchain = i8::try_from(reader.i32()?).map_err(|_| LiteError::Message("an unknown workchain"))?;
    Ok(Address::new(workchain, HashBytes(reader.array()?)))
}

fn write_account(writer: &mut Writer, account: &Address) {
    writer.u32(i32::from(account.workchain).cast_unsigned());
    writer.raw(account.address.as_array());
}

impl Request {
    /// Its bytes.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut writer;
        match self {
            Self::MasterchainInfo => writer = Writer::boxed(GET_MASTERCHAIN_INFO),
            Self::AccountState { block, account } => {
                writer = Writer::boxed(GET_ACCOUNT_STATE);
                block.write(&mut writer);
                write_account(&mut writer, account);
            }
            Self::BlockProof { known, target } => {
                writer = Writer::boxed(GET_BLOCK_PROOF);
                writer.u32(u32::from(target.is_some()));
                known.write(&mut writer);
                if let Some(target) = target {
                    target.write(&mut writer);
                }
            }
            Self::Transactions {
                count,
                account,
                lt,
                hash,
            } => {
                writer = Writer::boxed(GET_TRANSACTIONS);
                writer.u32(*count);
                write_account(&mut writer, account);
                writer.u64(*lt);
                writer.raw(hash.as_array());
            }
            Self::SendMessage { body } => {
                writer = Writer::boxed(SEND_MESSAGE);
                writer.bytes(body);
            }
        }
        writer.done()
    }

    /// Reads them.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, LiteError> {
        let reader = &mut Reader::new(bytes);
        let request = match reader.u32()? {
            GET_MASTERCHAIN_INFO => Self::MasterchainInfo,
            GET_ACCOUNT_STATE => Self::AccountState {
                block: BlockId::read(reader)?,
                account: account(reader)?,
            },
            GET_BLOCK_PROOF => {
                let mode = reader.u32()?;
                Self::BlockProof {
                    known: BlockId::read(reader)?,
                    target: (mode & 1 != 0).then(|| BlockId::read(reader)).transpose()?,
                }
            }
            GET_TRANSACTIONS => Self::Transactions {
                count: reader.u32()?,
                account: account(reader)?,
                lt: reader.u64()?,
                hash: HashBytes(reader.array()?),
            },
            SEND_MESSAGE => Self::SendMessage {
                body: reader.bytes()?.to_vec(),
            },
            _ => return Err(LiteError::Message("an unknown question")),
        };
        reader.end()?;
        Ok(request)
    }
}

impl Answer {
    /// Its bytes.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut writer;
        match self {
            Self::Error { code, message } => {
                writer = Writer::boxed(ERROR);
                writer.u32(code.cast_unsigned());
                writer.bytes(message.as_bytes());
            }
            Self::MasterchainInfo {
                last,
                state_root_hash,
                init: (workchain, root_hash, file_hash),
            } => {
                writer = Writer::boxed(MASTERCHAIN_INFO);
                last.write(&mut writer);
                writer.raw(state_root_hash.as_array());
                writer.u32(workchain.cast_unsigned());
                writer.raw(root_hash.as_array());
                writer.raw(file_hash.as_array());
            }
            Self::AccountState {
                id,
                shard_block,
                shard_proof,
                proof,
                state,
            } => {
                writer = Writer::boxed(ACCOUNT_STATE);
                id.write(&mut writer);
                shard_block.write(&mut writer);
                writer.bytes(shard_proof);
                writer.bytes(proof);
                writer.bytes(state);
            }
            Self::BlockProof {
                complete,
                from,
                to,
                steps,
            } => {
                writer = Writer::boxed(PARTIAL_BLOCK_PROOF);
                writer.bool(*complete);
                from.write(&mut writer);
                to.write(&mut writer);
                writer.count(steps.len());
                steps.iter().for_each(|step| step.write(&mut writer));
            }
            Self::Transactions { ids, transactions } => {
                writer = Writer::boxed(TRANSACTION_LIST);
                writer.count(ids.len());
                ids.iter().for_each(|id| id.write(&mut writer));
                writer.bytes(transactions);
            }
            Self::Sent { status } => {
                writer = Writer::boxed(SEND_STATUS);
                writer.u32(status.cast_unsigned());
            }
        }
        writer.done()
    }

    /// Reads them. Nothing in it is proven yet.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, LiteError> {
        let reader = &mut Reader::new(bytes);
        let answer = match reader.u32()? {
            ERROR => {
                let code = reader.i32()?;
                let message = reader.bytes()?;
                let message = message.get(..MAX_ERROR_BYTES).unwrap_or(message);
                Self::Error {
                    code,
                    message: String::from_utf8_lossy(message).into_owned(),
                }
            }
            MASTERCHAIN_INFO => Self::MasterchainInfo {
                last: BlockId::read(reader)?,
                state_root_hash: HashBytes(reader.array()?),
                init: (reader.i32()?, HashBytes(reader.array()?), HashBytes(reader.array()?)),
            },
            ACCOUNT_STATE => Self::AccountState {
                id: BlockId::read(reader)?,
                shard_block: BlockId::read(reader)?,
                shard_proof: reader.bytes()?.to_vec(),
                proof: reader.bytes()?.to_vec(),
                state: reader.bytes()?.to_vec(),
            },
            PARTIAL_BLOCK_PROOF => {
                let complete = reader.bool()?;
                let (from, to) = (BlockId::read(reader)?, BlockId::read(reader)?);
                let count = reader.count(MAX_STEPS)?;
                let steps = (0..count).map(|_| Link::read(reader)).collect::<Result<_, _>>()?;
                Self::BlockProof {
                    complete,
                    from,
                    to,
                    steps,
                }
            }
            TRANSACTION_LIST => {
                let count = reader.count(MAX_BLOCK_IDS)?;
                let ids = (0..count).map(|_| BlockId::read(reader)).collect::<Result<_, _>>()?;
                Self::Transactions {
                    ids,
                    transactions: reader.bytes()?.to_vec(),
                }
            }
            SEND_STATUS => Self::Sent { status: reader.i32()? },
            _ => return Err(LiteError::Message("an unknown answer")),
        };
        reader.end()?;
        Ok(answer)
    }
}

impl Link {
    fn read(reader: &mut Reader<'_>) -> Result<Self, LiteError> {
        let kind = reader.u32()?;
        let to_key_block = reader.bool()?;
        let (from, to) = (BlockId::read(reader)?, BlockId::read(reader)?);
        let dest_proof = reader.bytes()?.to_vec();
        let second = reader.bytes()?.to_vec();
        match kind {
            LINK_FORWARD => Ok(Self::Forward {
                to_key_block,
                from,
                to,
                dest_proof,
                config_proof: second,
                signatures: Signatures::read(reader)?,
            }),
            LINK_BACK => Ok(Self::Back {
                to_key_block,
                from,
                to,
                dest_proof,
                proof: second,
                state_proof: reader.bytes()?.to_vec(),
            }),
            _ => Err(LiteError::Message("an unknown step")),
        }
    }

    fn write(&self, writer: &mut Writer) {
        let (kind, to_key_block, from, to, proofs) = match self {
            Self::Forward {
                to_key_block,
                from,
                to,
                dest_proof,
                config_proof,
                ..
            } => (LINK_FORWARD, to_key_block, from, to, vec![dest_proof, config_proof]),
            Self::Back {
                to_key_block,
                from,
                to,
                dest_proof,
                proof,
                state_proof,
            } => (LINK_BACK, to_key_block, from, to, vec![dest_proof, proof, state_proof]),
        };
        writer.u32(kind);
        writer.bool(*to_key_block);
        from.write(writer);
        to.write(writer);
        proofs.iter().for_each(|proof| writer.bytes(proof));
        if let Self::Forward { signatures, .. } = self {
            signatures.write(writer);
        }
    }
}

impl Signatures {
    fn read(reader: &mut Reader<'_>) -> Result<Self, LiteError> {
        // The two forms have their first two fields in different order.
        let kind = reader.u32()?;
        let (first, second) = (reader.u32()?, reader.u32()?);
        let (validator_set_hash, catchain_seqno) = match kind {
            SIGNATURE_SET => (first, second),
            SIGNATURE_SET_SIMPLEX => (second, first),
            _ => return Err(LiteError::Message("an unknown kind of signatures")),
        };
        let count = reader.count(MAX_SIGNATURES)?;
        let signatures = (0..count).map(|_| {
            let name = HashBytes(reader.array()?);
            let signature = reader.bytes()?.try_into();
            Ok((
                name,
                signature.map_err(|_| LiteError::Message("a signature of another length"))?,
            ))
        });
        let signatures = signatures.collect::<Result<_, LiteError>>()?;
        let vote = match kind {
            SIGNATURE_SET => None,
            _ => {
                let (session_id, slot) = (HashBytes(reader.array()?), reader.u32()?);
                let candidate = reader.bytes()?;
                if candidate.len() > MAX_CANDIDATE_BYTES {
                    return Err(LiteError::Message("a candidate is too large"));
                }
                Some(Vote {
                    session_id,
                    slot,
                    candidate: candidate.to_vec(),
                })
            }
        };
        Ok(Self {
            validator_set_hash,
            catchain_seqno,
            signatures,
            vote,
        })
    }

    fn write(&self, writer: &mut Writer) {
        let fields = match &self.vote {
            None => [SIGNATURE_SET, self.validator_set_hash, self.catchain_seqno],
            Some(_) => [SIGNATURE_SET_SIMPLEX, self.catchain_seqno, self.validator_set_hash],
        };
        fields.into_iter().for_each(|field| writer.u32(field));
        writer.count(self.signatures.len());
        for (name, signature) in &self.signatures {
            writer.raw(name.as_array());
            writer.bytes(signature);
        }
        if let Some(vote) = &self.vote {
            writer.raw(vote.session_id.as_array());
            writer.u32(vote.slot);
            writer.bytes(&vote.candidate);
        }
    }
}

/// A question as it travels, with a number that its answer repeats.
pub fn wrap_question(id: &[u8; 32], request: &Request) -> Vec<u8> {
    let mut query = Writer::boxed(QUERY);
    query.bytes(&request.to_bytes());
    let mut writer = Writer::boxed(ADNL_QUERY);
    writer.raw(id);
    writer.bytes(&query.done());
    writer.done()
}

/// Reads a question and its number.
pub fn unwrap_question(bytes: &[u8]) -> Result<([u8; 32], Request), LiteError> {
    let reader = &mut Reader::new(bytes);
    if reader.u32()? != ADNL_QUERY {
        return Err(LiteError::Message("not a question"));
    }
    let id = reader.array()?;
    let query = reader.bytes()?;
    reader.end()?;
    let reader = &mut Reader::new(query);
    if reader.u32()? != QUERY {
        return Err(LiteError::Message("not a question to a lite server"));
    }
    Ok((id, Request::from_bytes(reader.bytes()?)?))
}

/// An answer as it travels.
pub fn wrap_answer(id: &[u8; 32], answer: &Answer) -> Vec<u8> {
    let mut writer = Writer::boxed(ADNL_ANSWER);
    writer.raw(id);
    writer.bytes(&answer.to_bytes());
    writer.done()
}

/// Reads an answer, if it is the one to a question; none for any other message, which may be on the way too.
pub fn unwrap_answer(id: &[u8; 32], bytes: &[u8]) -> Result<Option<Answer>, LiteError> {
    let reader = &mut Reader::new(bytes);
    if bytes.is_empty() || reader.u32()? != ADNL_ANSWER || reader.array::<32>()? != *id {
        return Ok(None);
    }
    let answer = reader.bytes()?;
    reader.end()?;
    Answer::from_bytes(answer).map(Some)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn block(n: u8) -> BlockId {
        BlockId {
            workchain: -1,
            shard: WHOLE_SHARD,
            seqno: u32::from(n),
            root_hash: HashBytes([n; 32]),
            file_hash: HashBytes([n + 1; 32]),
        }
    }

    fn messages() -> (Vec<Request>, Vec<Answer>) {
        let account = Address::new(-1, HashBytes([3; 32]));
        let requests = vec![
            Request::MasterchainInfo,
            Request::AccountState {
                block: block(1),
                account: account.clone(),
            },
            Request::BlockProof {
                known: block(1),
                target: Some(block(2)),
            },
            Request::BlockProof {
                known: block(1),
                target: None,
            },
            Request::Transactions {
                count: 16,
                account,
                lt: 7,
                hash: HashBytes([8; 32]),
            },
            Request::SendMessage { body: vec![1; 300] },
        ];
        let signatures = |vote| Signatures {
            validator_set_hash: 1,
            catchain_seqno: 2,
            signatures: vec![(HashBytes([5; 32]), [6; 64])],
            vote,
        };
        let vote = Vote {
            session_id: HashBytes([9; 32]),
            slot: 3,
            candidate: vec![1, 2, 3],
        };
        let forward = |signatures| Link::Forward {
            to_key_block: true,
            from: block(1),
            to: block(2),
            dest_proof: vec![1],
            config_proof: vec![2; 500],
            signatures,
        };
        let back = Link::Back {
            to_key_block: false,
            from: block(2),
            to: block(1),
            dest_proof: vec![],
            proof: vec![1],
            state_proof: vec![2],
        };
        let answers = vec![
            Answer::Error {
                code: -400,
                message: "no".to_owned(),
            },
            Answer::MasterchainInfo {
                last: block(1),
                state_root_hash: HashBytes([2; 32]),
                init: (-1, HashBytes([3; 32]), HashBytes([4; 32])),
            },
            Answer::AccountState {
                id: block(1),
                shard_block: block(2),
                shard_proof: vec![1; 260],
                proof: vec![2],
                state: vec![],
            },
            Answer::BlockProof {
                complete: true,
                from: block(1),
                to: block(2),
                steps: vec![forward(signatures(None)), forward(signatures(Some(vote))), back],
            },
            Answer::Transactions {
                ids: vec![block(1), block(2)],
                transactions: vec![7; 9],
            },
            Answer::Sent { status: 1 },
        ];
        (requests, answers)
    }

    #[test]
    fn messages_survive_and_what_is_cut_or_longer_is_refused() {
        let (requests, answers) = messages();
        let id = [9; 32];
        for request in requests {
            let bytes = request.to_bytes();
            assert_eq!(Request::from_bytes(&bytes).unwrap(), request);
            assert_eq!(unwrap_question(&wrap_question(&id, &request)).unwrap(), (id, request));
            assert!((0..bytes.len()).all(|cut| Request::from_bytes(&bytes[..cut]).is_err()));
        }
        for answer in answers {
            let bytes = answer.to_bytes();
            assert_eq!(Answer::from_bytes(&bytes).unwrap(), answer);
            assert_eq!(
                unwrap_answer(&id, &wrap_answer(&id, &answer)).unwrap(),
                Some(answer.clone())
            );
            assert_eq!(unwrap_answer(&[1; 32], &wrap_answer(&id, &answer)).unwrap(), None);
            assert!((0..bytes.len()).all(|cut| Answer::from_bytes(&bytes[..cut]).is_err()));
            assert!(Answer::from_bytes(&[bytes.as_slice(), &[0; 4]].concat()).is_err());
        }
    }

    #[test]
    fn a_question_has_the_bytes_that_public_servers_know() {
        let bytes = wrap_question(&[0xaa; 32], &Request::MasterchainInfo);
        let expected = format!("7af98bb4{}0cdf068c79042ee6b589000000000000", "aa".repeat(32));
        assert_eq!(hex::encode(bytes), expected);
    }
}
