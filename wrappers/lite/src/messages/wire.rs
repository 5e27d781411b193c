//! Questions and answers as bytes.

use cocoon_bindings::ton::{Address, HashBytes};

use super::{Answer, BlockId, Link, Request, Signatures, Vote};
use crate::LiteError;
use crate::limits::{MAX_BLOCK_IDS, MAX_CANDIDATE_BYTES, MAX_ERROR_BYTES, MAX_SIGNATURES, MAX_STEPS};
use crate::tl::{Reader, Writer};

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
