//! Answering as a lite server does, with proofs.

use cocoon_bindings::ton::{Address, Boc, Cell, HashBytes};
use cocoon_emulator::Emulator;
use tycho_types::boc::ser::BocHeader;
use tycho_types::cell::{UsageTree, UsageTreeMode};
use tycho_types::merkle::MerkleProof;
use tycho_types::prelude::CellBuilder;

use super::{Blocks, Sealed};
use crate::LiteError;
use crate::limits::{MAX_STEPS, MAX_TRANSACTIONS};
use crate::messages::{Answer, BlockId, Link, Request};
use crate::proof::account::{account_in, listed_shard};
use crate::proof::block::{
    accounts_of_state, config_of_key_block, config_of_state, header, list_of_shards, shards_of_state,
    show_master_extra, state_hash,
};
use crate::proof::signatures::signers;

/// Code of a question that cannot be answered.
const NOT_READY: i32 = 651;

impl Blocks {
    /// Answers a question that changes nothing; a message is for whoever holds the chain.
    pub fn answer(&self, chain: &Emulator, request: &Request) -> Result<Answer, LiteError> {
        let unknown = |what: &str| Answer::Error {
            code: NOT_READY,
            message: format!("{what} is not in db"),
        };
        let (Some(first), Some(last)) = (self.sealed.first(), self.sealed.last()) else {
            return Ok(unknown("the chain"));
        };
        match request {
            Request::MasterchainInfo => Ok(Answer::MasterchainInfo {
                last: last.id,
                state_root_hash: *last.state.repr_hash(),
                init: (-1, first.id.root_hash, first.id.file_hash),
            }),
            Request::AccountState { block, account } => match self.find(block).filter(|sealed| sealed.id.seqno > 0) {
                Some(sealed) => account_state(sealed, account),
                None => Ok(unknown("block")),
            },
            Request::BlockProof { known, target } => {
                let target = target.unwrap_or(last.id);
                match (self.find(known), self.find(&target)) {
                    (Some(from), Some(to)) => self.way(from, to),
                    _ => Ok(unknown("block")),
                }
            }
            Request::Transactions {
                count,
                account,
                lt,
                hash,
            } => transactions(self, chain, account, *lt, hash, *count),
            Request::SendMessage { .. } => Ok(unknown("the sender")),
            Request::AllShards { block } => match self.find(block).filter(|sealed| sealed.id.seqno > 0) {
                Some(sealed) => all_shards(sealed),
                None => Ok(unknown("block")),
            },
            // Whoever holds the chain has waited.
            Request::Wait { question, .. } => self.answer(chain, question),
        }
    }

    fn find(&self, id: &BlockId) -> Option<&Sealed> {
        let place = usize::try_from(id.seqno).ok()?;
        self.sealed.get(place).filter(|sealed| sealed.id == *id)
    }

    /// From key block to key block, and from the last one to the target.
    fn way(&self, from: &Sealed, to: &Sealed) -> Result<Answer, LiteError> {
        let mut steps = Vec::new();
        let mut at = from;
        let keys = self.key_blocks.iter().filter_map(|place| self.sealed.get(*place));
        let between = keys.filter(|key| key.id.seqno > from.id.seqno && key.id.seqno < to.id.seqno);
        for next in between.chain([to]).take(MAX_STEPS) {
            steps.push(Link::Forward {
                to_key_block: next.is_key_block,
                from: at.id,
                to: next.id,
                dest_proof: proven(&next.block, |block| header(block, &next.id).map(drop))?,
                config_proof: proven(&at.block, |block| {
                    let config = match at.id.seqno {
                        0 => config_of_state(block)?,
                        _ => {
                            header(block, &at.id)?;
                            config_of_key_block(block)?
                        }
                    };
                    signers(&config, &header(&next.block, &next.id)?).map(drop)
                })?,
                signatures: next.signatures.clone(),
            });
            at = next;
        }
        Ok(Answer::BlockProof {
            complete: at.id == to.id,
            from: from.id,
            to: at.id,
            steps,
        })
    }
}

fn account_state(sealed: &Sealed, account: &Address) -> Result<Answer, LiteError> {
    let of_master = account.workchain == -1;
    let (id, block, state) = match of_master {
        true => (sealed.id, &sealed.block, &sealed.state),
        false => (sealed.shard_id, &sealed.shard_block, &sealed.shard_state),
    };
    let shard_proof = match of_master {
        true => Vec::new(),
        false => both(
            proof(&sealed.block, |block| header_and_state(block, &sealed.id))?,
            proof(&sealed.state, |state| {
                listed_shard(state, account)?;
                show_master_extra(state)
            })?,
        ),
    };
    let mut found = None;
    let in_state = proof(state, |state| {
        let (_, accounts) = accounts_of_state(state)?;
        found = account_in(&accounts, &account.address).map_err(LiteError::cells("an account"))?;
        Ok(())
    })?;
    let state = match found {
        Some((hash, ..)) => cell_of(state, &hash)?,
        None => Vec::new(),
    };
    Ok(Answer::AccountState {
        id: sealed.id,
        shard_block: id,
        shard_proof,
        proof: both(proof(block, |block| header_and_state(block, &id))?, in_state),
        state,
    })
}

fn all_shards(sealed: &Sealed) -> Result<Answer, LiteError> {
    let in_state = proof(&sealed.state, |state| {
        shards_of_state(state, 0)?;
        show_master_extra(state)
    })?;
    Ok(Answer::AllShards {
        id: sealed.id,
        proof: both(
            proof(&sealed.block, |block| header_and_state(block, &sealed.id))?,
            in_state,
        ),
        data: Boc::encode(list_of_shards(&sealed.state)?),
    })
}

/// What the proof of an account shows of a block. The proof of a step shows the header alone, as on real servers.
fn header_and_state(block: &Cell, id: &BlockId) -> Result<(), LiteError> {
    header(block, id)?;
    state_hash(block).map(drop)
}

/// The bag of the cell with a hash, somewhere in a tree.
fn cell_of(root: &Cell, hash: &HashBytes) -> Result<Vec<u8>, LiteError> {
    let mut open = vec![root.clone()];
    while let Some(cell) = open.pop() {
        if cell.repr_hash() == hash {
            return Ok(Boc::encode(&cell));
        }
        let children = (0..cell.as_ref().reference_count()).filter_map(|place| cell.as_ref().reference_cloned(place));
        open.extend(children);
    }
    Err(LiteError::Message("an account is not in its state"))
}

fn transactions(
    blocks: &Blocks,
    chain: &Emulator,
    account: &Address,
    lt: u64,
    hash: &HashBytes,
    count: u32,
) -> Result<Answer, LiteError> {
    let count = usize::try_from(count).unwrap_or(usize::MAX).min(MAX_TRANSACTIONS);
    let found = chain.transactions_from(account, Some((lt, *hash)), count);
    if found.is_empty() {
        return Ok(Answer::Error {
            code: NOT_READY,
            message: "cannot locate transaction in block with specified logical time".to_owned(),
        });
    }
    let mut bag = BocHeader::<std::hash::RandomState>::default();
    for report in &found {
        bag.add_root(report.cell.as_ref());
    }
    let mut bytes = Vec::new();
    bag.encode(&mut bytes);
    let last = blocks.sealed.last().map(|sealed| sealed.shard_id);
    Ok(Answer::Transactions {
        ids: last.into_iter().cycle().take(found.len()).collect(),
        transactions: bytes,
    })
}

/// The proof of all that is looked at in a tree.
fn proof(root: &Cell, look: impl FnOnce(&Cell) -> Result<(), LiteError>) -> Result<Cell, LiteError> {
    let usage = UsageTree::new(UsageTreeMode::OnDataAccess);
    look(&usage.track(root))?;
    let failed = LiteError::cells("a proof");
    let proof = MerkleProof::create(root.as_ref(), usage).build().map_err(&failed)?;
    CellBuilder::build_from(proof).map_err(&failed)
}

fn proven(root: &Cell, look: impl FnOnce(&Cell) -> Result<(), LiteError>) -> Result<Vec<u8>, LiteError> {
    proof(root, look).map(|proof| Boc::encode(&proof))
}

fn both(first: Cell, second: Cell) -> Vec<u8> {
    Boc::encode_pair((first, second))
}
