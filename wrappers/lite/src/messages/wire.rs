//! Questions and answers as bytes.

use cocoon_bindings::ton::{Address, HashBytes};

use super::{Answer, BlockId, Link, Request};
use crate::LiteError;
use crate::limits::{MAX_BLOCK_IDS, MAX_ERROR_BYTES, MAX_STEPS};
use crate::tl::{Reader, Writer};

const GET_MASTERCHAIN_INFO: u32 = 0x89b5_e62e;
const GET_ACCOUNT_STATE: u32 = 0x6b89_0e25;
const GET_BLOCK_PROOF: u32 = 0x8aea_9c44;
const GET_TRANSACTIONS: u32 = 0x1c40_e7a1;
const SEND_MESSAGE: u32 = 0x690a_d482;
const GET_ALL_SHARDS: u32 = 0x74d3_fd6b;
const WAIT_MASTERCHAIN: u32 = 0xbaea_b892;
const ERROR: u32 = 0xbba9_e148;
const MASTERCHAIN_INFO: u32 = 0x8583_2881;
const ACCOUNT_STATE: u32 = 0x7079_c751;
const PARTIAL_BLOCK_PROOF: u32 = 0x8ed0_d2c1;
const TRANSACTION_LIST: u32 = 0x6f26_c60b;
const SEND_STATUS: u32 = 0x3950_e597;
const ALL_SHARDS: u32 = 0x098f_e72d;

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
            Self::AllShards { block } => {
                writer = Writer::boxed(GET_ALL_SHARDS);
                block.write(&mut writer);
            }
            Self::Wait {
                seqno,
                timeout_ms,
                question,
            } => {
                writer = Writer::boxed(WAIT_MASTERCHAIN);
                writer.u32(*seqno);
                writer.u32(*timeout_ms);
                writer.raw(&question.to_bytes());
            }
        }
        writer.done()
    }

    /// Reads them.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, LiteError> {
        let reader = &mut Reader::new(bytes);
        let kind = reader.u32()?;
        if kind != WAIT_MASTERCHAIN {
            let request = Self::read(kind, reader)?;
            reader.end()?;
            return Ok(request);
        }
        let (seqno, timeout_ms) = (reader.u32()?, reader.u32()?);
        let kind = reader.u32()?;
        // A question that waits inside another one is unknown there.
        let question = Box::new(Self::read(kind, reader)?);
        reader.end()?;
        Ok(Self::Wait {
            seqno,
            timeout_ms,
            question,
        })
    }

    /// Reads what stands behind the number of a question.
    fn read(kind: u32, reader: &mut Reader<'_>) -> Result<Self, LiteError> {
        Ok(match kind {
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
            GET_ALL_SHARDS => Self::AllShards {
                block: BlockId::read(reader)?,
            },
            _ => return Err(LiteError::Message("an unknown question")),
        })
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
            Self::AllShards { id, proof, data } => {
                writer = Writer::boxed(ALL_SHARDS);
                id.write(&mut writer);
                writer.bytes(proof);
                writer.bytes(data);
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
            ALL_SHARDS => Self::AllShards {
                id: BlockId::read(reader)?,
                proof: reader.bytes()?.to_vec(),
                data: reader.bytes()?.to_vec(),
            },
            SEND_STATUS => Self::Sent { status: reader.i32()? },
            _ => return Err(LiteError::Message("an unknown answer")),
        };
        reader.end()?;
        Ok(answer)
    }
}
