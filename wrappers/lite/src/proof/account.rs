//! An account as of a block, and its transactions.

use cocoon_bindings::ton::{Address, Boc, Cell, CellError, CellFamily as _, Dict, HashBytes};
use cocoon_emulator::TransactionReport;
use tycho_types::boc::de::{BocHeader, Options};
use tycho_types::models::ShardDescription;
use tycho_types::prelude::Load as _;

use super::block::{
    accounts_of_state, header, no_account, original_hash, pair, shards_of_state, shown, skip_balance, state_hash,
};
use crate::LiteError;
use crate::limits::{MAX_SPLIT_DEPTH, MAX_TRANSACTIONS};
use crate::messages::{Answer, BlockId, WHOLE_SHARD};

/// An account whose state follows from a block of the masterchain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProvenAccount {
    /// Its address.
    pub address: Address,
    /// The account's cell; the cell of no account if there is none.
    pub account: Cell,
    /// Logical time of its last transaction, 0 if there is none.
    pub last_lt: u64,
    /// Hash of its last transaction.
    pub last_hash: HashBytes,
    /// The time of the masterchain's block, seconds since 1970.
    pub time: u32,
}

/// Checks a server's answer about an account as of a block that is trusted.
pub fn verify_account(trusted: &BlockId, address: &Address, answer: &Answer) -> Result<ProvenAccount, LiteError> {
    let Answer::AccountState {
        id,
        shard_block,
        shard_proof,
        proof,
        state,
    } = answer
    else {
        return Err(LiteError::Message("not an account"));
    };
    if id != trusted {
        return Err(LiteError::Unproven("the answer is about another block"));
    }
    let workchain = i32::from(address.workchain);
    let (block_proof, state_proof) = pair(proof, "the proof of an account")?;
    let (time, in_shard) = if workchain == -1 {
        if shard_block != trusted {
            return Err(LiteError::Unproven(
                "the account's block is not the one that was asked for",
            ));
        }
        (None, *trusted)
    } else {
        let (time, listed) = shard_of(trusted, address, shard_proof)?;
        if listed != *shard_block {
            return Err(LiteError::Unproven(
                "the shard's block is not the one that the masterchain lists",
            ));
        }
        (Some(time), listed)
    };
    let block = shown(&block_proof, &in_shard.root_hash)?;
    let (_, accounts) = accounts_of_state(&shown(&state_proof, &state_hash(&block)?)?)?;
    let block = header(&block, &in_shard)?;
    let found = account_in(&accounts, &address.address).map_err(LiteError::cells("the proof of an account"))?;
    let none = no_account().map_err(LiteError::cells("no account"))?;
    let time = time.unwrap_or(block.time);
    let Some((hash, last_hash, last_lt)) = found else {
        if !state.is_empty() {
            return Err(LiteError::Unproven("there is no such account"));
        }
        return Ok(ProvenAccount {
            address: address.clone(),
            account: none,
            last_lt: 0,
            last_hash: HashBytes::ZERO,
            time,
        });
    };
    let account = match state.is_empty() {
        true => none,
        false => Boc::decode(state).map_err(|source| LiteError::Boc {
            what: "an account",
            source,
        })?,
    };
    if *account.repr_hash() != hash {
        return Err(LiteError::Unproven("the account is not the one in the proof"));
    }
    Ok(ProvenAccount {
        address: address.clone(),
        account,
        last_lt,
        last_hash,
        time,
    })
}

/// The time of a block of the masterchain, and the block of an account's shard that its state lists.
fn shard_of(trusted: &BlockId, address: &Address, proof: &[u8]) -> Result<(u32, BlockId), LiteError> {
    let (block_proof, state_proof) = pair(proof, "the proof of a shard")?;
    let block = shown(&block_proof, &trusted.root_hash)?;
    let state = shown(&state_proof, &state_hash(&block)?)?;
    Ok((header(&block, trusted)?.time, listed_shard(&state, address)?))
}

/// The newest block of an account's shard in a state of the masterchain.
pub(crate) fn listed_shard(state: &Cell, address: &Address) -> Result<BlockId, LiteError> {
    let what = "the list of shards";
    let workchain = i32::from(address.workchain);
    let tree = shards_of_state(state, workchain)?;
    let mut node = tree.ok_or(LiteError::Unproven("the masterchain lists no such workchain"))?;
    let prefix = address
        .address
        .as_array()
        .first_chunk::<8>()
        .copied()
        .map(u64::from_be_bytes);
    let prefix = prefix.unwrap_or_default();
    for depth in 0..=MAX_SPLIT_DEPTH {
        let mut slice = node.as_ref().as_slice().map_err(LiteError::cells(what))?;
        if slice.load_bit().map_err(LiteError::cells(what))? {
            let right = prefix >> 63u32.saturating_sub(depth) & 1;
            let branch = slice
                .get_reference_cloned(u8::from(right == 1))
                .map_err(LiteError::cells(what))?;
            node = branch;
            continue;
        }
        let shard = ShardDescription::load_from(&mut slice).map_err(LiteError::cells(what))?;
        let end = WHOLE_SHARD >> depth;
        return Ok(BlockId {
            workchain,
            // The bits of the way here, and one that ends them.
            shard: (prefix & !(end | end.wrapping_sub(1))) | end,
            seqno: shard.seqno,
            root_hash: shard.root_hash,
            file_hash: shard.file_hash,
        });
    }
    Err(LiteError::Unproven("shards split too often"))
}

/// Hash of an account, hash and logical time of its last transaction, if it is in the dictionary.
pub(crate) fn account_in(
    accounts: &Cell,
    address: &HashBytes,
) -> Result<Option<(HashBytes, HashBytes, u64)>, CellError> {
    let mut slice = accounts.as_ref().as_slice()?;
    let dictionary = Dict::<HashBytes, ()>::load_from(&mut slice)?;
    let Some(mut entry) = dictionary.get_raw(address)? else {
        return Ok(None);
    };
    skip_balance(&mut entry)?;
    let account = entry.load_reference_cloned()?;
    let last_hash = entry.load_u256()?;
    let last_lt = entry.load_u64()?;
    Ok(Some((original_hash(&account), last_hash, last_lt)))
}

/// Checks a server's answer about an account's transactions: the first must be the one of `lt` and `hash`, which the caller has
/// from a proven state, and each names the one before it.
pub fn verify_history(
    address: &Address,
    lt: u64,
    hash: &HashBytes,
    answer: &Answer,
) -> Result<Vec<TransactionReport>, LiteError> {
    let Answer::Transactions { transactions, .. } = answer else {
        return Err(LiteError::Message("not transactions"));
    };
    let mut expected = (lt, *hash);
    let mut found = Vec::new();
    for cell in roots(transactions)? {
        let report = TransactionReport::from_cell(address.workchain, cell);
        let report = report.map_err(LiteError::cells("a transaction"))?;
        if report.address != *address || (report.lt, report.hash) != expected {
            return Err(LiteError::Unproven(
                "a transaction does not follow from the one after it",
            ));
        }
        expected = (report.previous_lt, report.previous_hash);
        found.push(report);
    }
    if found.is_empty() {
        return Err(LiteError::Unproven("a transaction that exists is not shown"));
    }
    Ok(found)
}

/// All roots of a bag of cells.
fn roots(bytes: &[u8]) -> Result<Vec<Cell>, LiteError> {
    let wrong = |source| LiteError::Boc {
        what: "a list of transactions",
        source,
    };
    let options = Options {
        min_roots: Some(1),
        max_roots: Some(MAX_TRANSACTIONS),
    };
    let header = BocHeader::decode(bytes, &options).map_err(wrong)?;
    let cells = header.finalize(Cell::empty_context()).map_err(wrong)?;
    let roots = header.roots().iter().map(|root| cells.get(*root));
    roots
        .collect::<Option<_>>()
        .ok_or(LiteError::Message("a bag of cells without its roots"))
}
