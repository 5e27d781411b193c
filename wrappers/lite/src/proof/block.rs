//! What a proof shows of a block and of the state after it.

use cocoon_bindings::ton::{Boc, Cell, CellError, CellFamily as _, CellSlice, HashBytes};
use tycho_types::merkle::MerkleProof;
use tycho_types::models::{BlockchainConfig, CurrencyCollection, ShardFeeCreated};
use tycho_types::prelude::{CellBuilder, Load as _, LoadCell as _};

use crate::LiteError;
use crate::messages::BlockId;

const BLOCK_TAG: u32 = 0x11ef_55aa;
const INFO_TAG: u32 = 0x9bc7_a987;
const EXTRA_TAG: u32 = 0x4a33_f6fd;
const MASTER_EXTRA_TAG: u16 = 0xcca5;
const STATE_TAG: u32 = 0x9023_afe2;
const MASTER_STATE_TAG: u16 = 0xcc26;
/// First byte of an update's cell.
const UPDATE: u8 = 4;

/// The header of a block.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Header {
    /// When it was made, seconds since 1970.
    pub time: u32,
    /// Whether it brings a new configuration.
    pub is_key_block: bool,
    /// Logical time at which it ends.
    pub end_lt: u64,
    /// Short hash of the list of those who could sign it.
    pub validator_set_hash: u32,
    /// Number of their session.
    pub catchain_seqno: u32,
    /// Number of the key block before it.
    pub previous_key_block: u32,
}

/// Two proofs in one bag.
pub(crate) fn pair(bytes: &[u8], what: &'static str) -> Result<(Cell, Cell), LiteError> {
    Boc::decode_pair(bytes).map_err(|source| LiteError::Boc { what, source })
}

pub(crate) fn single(bytes: &[u8], what: &'static str) -> Result<Cell, LiteError> {
    Boc::decode(bytes).map_err(|source| LiteError::Boc { what, source })
}

/// The tree that a proof shows, which must be that of a hash.
pub(crate) fn shown(proof: &Cell, hash: &HashBytes) -> Result<Cell, LiteError> {
    let proof = MerkleProof::load_from_cell(proof.as_ref()).map_err(LiteError::cells("a proof"))?;
    // The library compares the hash with that of the tree.
    if proof.hash != *hash {
        return Err(LiteError::Unproven("a proof is of something else"));
    }
    Ok(proof.cell)
}

fn slice<'a>(cell: &'a Cell, what: &'static str) -> Result<CellSlice<'a>, LiteError> {
    cell.as_ref().as_slice().map_err(LiteError::cells(what))
}

fn reference(slice: &mut CellSlice<'_>, what: &'static str) -> Result<Cell, LiteError> {
    slice.load_reference_cloned().map_err(LiteError::cells(what))
}

fn tag(slice: &mut CellSlice<'_>, expected: u32, what: &'static str) -> Result<(), LiteError> {
    match slice.load_u32() {
        Ok(found) if found == expected => Ok(()),
        Ok(_) => Err(LiteError::Unproven("a cell is not of the kind that it should be")),
        Err(error) => Err(LiteError::cells(what)(error)),
    }
}

/// The parts of a block that proofs are about: header, update of the state, content.
struct Parts {
    info: Cell,
    update: Cell,
    extra: Cell,
}

fn parts(block: &Cell) -> Result<Parts, LiteError> {
    const WHAT: &str = "a block";
    let mut root = slice(block, WHAT)?;
    tag(&mut root, BLOCK_TAG, WHAT)?;
    let info = reference(&mut root, WHAT)?;
    let _value_flow = reference(&mut root, WHAT)?;
    Ok(Parts {
        info,
        update: reference(&mut root, WHAT)?,
        extra: reference(&mut root, WHAT)?,
    })
}

/// The header of a block, which must be that of its name.
pub(crate) fn header(block: &Cell, id: &BlockId) -> Result<Header, LiteError> {
    let Parts { info, .. } = parts(block)?;
    let read = |error| LiteError::cells("a block's header")(error);
    let mut info = slice(&info, "a block's header")?;
    tag(&mut info, INFO_TAG, "a block's header")?;
    let mut fields = || -> Result<(Header, u32, i32, u64), CellError> {
        let _version = info.load_u32()?;
        let flags = info.load_u16()?;
        let seqno = info.load_u32()?;
        let _vertical = info.load_u32()?;
        let (workchain, shard) = shard(&mut info)?;
        let time = info.load_u32()?;
        let _start_lt = info.load_u64()?;
        let end_lt = info.load_u64()?;
        let validator_set_hash = info.load_u32()?;
        let catchain_seqno = info.load_u32()?;
        let _min_ref = info.load_u32()?;
        let header = Header {
            time,
            is_key_block: flags & 0x0200 != 0,
            end_lt,
            validator_set_hash,
            catchain_seqno,
            previous_key_block: info.load_u32()?,
        };
        Ok((header, seqno, workchain, shard))
    };
    let (header, seqno, workchain, shard) = fields().map_err(read)?;
    if (seqno, workchain, shard) != (id.seqno, id.workchain, id.shard) {
        return Err(LiteError::Unproven(
            "a block has another number or shard than its name says",
        ));
    }
    Ok(header)
}

/// The hash of the state after a block. Only proofs of accounts show it: of a step from block to block it is cut off.
pub(crate) fn state_hash(block: &Cell) -> Result<HashBytes, LiteError> {
    state_after(&parts(block)?.update)
}

/// Workchain and prefix of a shard: a prefix of at most 60 bits, and a bit after it.
fn shard(slice: &mut CellSlice<'_>) -> Result<(i32, u64), CellError> {
    if slice.load_small_uint(2)? != 0 {
        return Err(CellError::InvalidTag);
    }
    let bits = slice.load_small_uint(6)?;
    let workchain = slice.load_u32()?.cast_signed();
    let prefix = slice.load_u64()?;
    let end = (1u64 << 63)
        .checked_shr(u32::from(bits))
        .ok_or(CellError::InvalidData)?;
    Ok((workchain, prefix | end))
}

/// The hash of the state after a block, which its update holds.
fn state_after(update: &Cell) -> Result<HashBytes, LiteError> {
    let what = "a block's update of the state";
    if !update.as_ref().is_exotic() {
        return Err(LiteError::Unproven("a block's update is none"));
    }
    let mut update = update.as_ref().as_slice_allow_exotic();
    let mut read = || -> Result<Option<HashBytes>, CellError> {
        let kind = update.load_u8()?;
        let _before = update.load_u256()?;
        let after = update.load_u256()?;
        Ok((kind == UPDATE).then_some(after))
    };
    read()
        .map_err(LiteError::cells(what))?
        .ok_or(LiteError::Unproven("a block's update is none"))
}

/// The configuration that a key block brings.
pub(crate) fn config_of_key_block(block: &Cell) -> Result<BlockchainConfig, LiteError> {
    let what = "a key block's configuration";
    let Parts { extra, .. } = parts(block)?;
    let mut extra = slice(&extra, what)?;
    tag(&mut extra, EXTRA_TAG, what)?;
    let mut custom = || -> Result<Option<Cell>, CellError> {
        (0..3).try_for_each(|_| extra.load_reference().map(drop))?;
        extra.skip_first(512, 0)?;
        match extra.load_bit()? {
            true => extra.load_reference_cloned().map(Some),
            false => Ok(None),
        }
    };
    let custom = custom().map_err(LiteError::cells(what))?;
    let custom = custom.ok_or(LiteError::Unproven("a block is not of the masterchain"))?;
    let mut custom = slice(&custom, what)?;
    let mut read = || -> Result<Option<BlockchainConfig>, CellError> {
        if custom.load_u16()? != MASTER_EXTRA_TAG || !custom.load_bit()? {
            return Ok(None);
        }
        let _shards = optional(&mut custom)?;
        let _fees = optional(&mut custom)?;
        ShardFeeCreated::load_from(&mut custom)?;
        let _signatures = custom.load_reference()?;
        BlockchainConfig::load_from(&mut custom).map(Some)
    };
    let config = read().map_err(LiteError::cells(what))?;
    config.ok_or(LiteError::Unproven(
        "a block that is no key block brings no configuration",
    ))
}

/// The configuration in a state of the masterchain.
pub(crate) fn config_of_state(state: &Cell) -> Result<BlockchainConfig, LiteError> {
    let what = "a state's configuration";
    let custom = master_extra(state)?;
    let mut custom = slice(&custom, what)?;
    let mut read = || -> Result<Option<BlockchainConfig>, CellError> {
        if custom.load_u16()? != MASTER_STATE_TAG {
            return Ok(None);
        }
        let _shards = optional(&mut custom)?;
        BlockchainConfig::load_from(&mut custom).map(Some)
    };
    let config = read().map_err(LiteError::cells(what))?;
    config.ok_or(LiteError::Unproven("a state is not of the masterchain"))
}

/// The shards that a state of the masterchain lists: the tree of one workchain, if it is there.
pub(crate) fn shards_of_state(state: &Cell, workchain: i32) -> Result<Option<Cell>, LiteError> {
    let what = "a state's list of shards";
    let custom = master_extra(state)?;
    let mut custom = slice(&custom, what)?;
    let mut read = || -> Result<Option<Cell>, CellError> {
        if custom.load_u16()? != MASTER_STATE_TAG {
            return Err(CellError::InvalidTag);
        }
        let shards = cocoon_bindings::ton::Dict::<i32, Cell>::load_from(&mut custom)?;
        shards.get(workchain)
    };
    read().map_err(LiteError::cells(what))
}

/// Looks at the cells that real servers show with any part of a masterchain's state: verifiers of others read them.
pub(crate) fn show_master_extra(state: &Cell) -> Result<(), LiteError> {
    let what = "a state of the masterchain";
    let custom = master_extra(state)?;
    let mut custom = slice(&custom, what)?;
    while custom.size_refs() > 0 {
        let cell = reference(&mut custom, what)?;
        // A look at its bits is what shows a cell.
        slice(&cell, what)?.load_bit().map_err(LiteError::cells(what))?;
    }
    Ok(())
}

/// The whole list of shards in a state of the masterchain: a dictionary by workchain.
pub(crate) fn list_of_shards(state: &Cell) -> Result<Cell, LiteError> {
    let what = "a state's list of shards";
    let custom = master_extra(state)?;
    let mut custom = slice(&custom, what)?;
    let mut read = || -> Result<Cell, CellError> {
        if custom.load_u16()? != MASTER_STATE_TAG {
            return Err(CellError::InvalidTag);
        }
        CellBuilder::build_from(optional(&mut custom)?)
    };
    read().map_err(LiteError::cells(what))
}

/// Of a state: its time, its accounts, and what a state of the masterchain has more.
struct State {
    accounts: Cell,
    time: u32,
    custom: Option<Cell>,
}

fn state(cell: &Cell) -> Result<State, LiteError> {
    let what = "a state";
    let mut root = slice(cell, what)?;
    tag(&mut root, STATE_TAG, what)?;
    let mut read = || -> Result<State, CellError> {
        let _global_id = root.load_u32()?;
        shard(&mut root)?;
        let (_seqno, _vertical) = (root.load_u32()?, root.load_u32()?);
        let time = root.load_u32()?;
        let (_lt, _min_ref, _split) = (root.load_u64()?, root.load_u32()?, root.load_bit()?);
        let has_custom = root.load_bit()?;
        let _queue = root.load_reference()?;
        let accounts = root.load_reference_cloned()?;
        let _balances = root.load_reference()?;
        let custom = match has_custom {
            true => Some(root.load_reference_cloned()?),
            false => None,
        };
        Ok(State { accounts, time, custom })
    };
    read().map_err(LiteError::cells(what))
}

fn master_extra(cell: &Cell) -> Result<Cell, LiteError> {
    state(cell)?
        .custom
        .ok_or(LiteError::Unproven("a state is not of the masterchain"))
}

/// Time and accounts of a state.
pub(crate) fn accounts_of_state(cell: &Cell) -> Result<(u32, Cell), LiteError> {
    state(cell).map(|state| (state.time, state.accounts))
}

/// A reference that may be there; it may have been cut off.
fn optional(slice: &mut CellSlice<'_>) -> Result<Option<Cell>, CellError> {
    match slice.load_bit()? {
        true => slice.load_reference_cloned().map(Some),
        false => Ok(None),
    }
}

/// What stands before an account's value in the dictionary of accounts: sums for the other branches.
pub(crate) fn skip_balance(slice: &mut CellSlice<'_>) -> Result<(), CellError> {
    let _depth = slice.load_small_uint(5)?;
    CurrencyCollection::load_from(slice).map(drop)
}

/// The hash of a cell that may have been cut off.
pub(crate) fn original_hash(cell: &Cell) -> HashBytes {
    *cell.as_ref().hash(0)
}

/// A cell that stands for no account.
pub(crate) fn no_account() -> Result<Cell, CellError> {
    let mut builder = cocoon_bindings::ton::CellBuilder::new();
    builder.store_bit_zero()?;
    builder.build_ext(Cell::empty_context())
}
