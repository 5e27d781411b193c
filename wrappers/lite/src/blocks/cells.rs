//! The cells of blocks and states.

use std::num::NonZeroU16;

use cocoon_bindings::ton::{Boc, Cell, CellError, CellFamily as _, HashBytes};
use cocoon_emulator::Emulator;
use ed25519_dalek::SigningKey;
use tycho_types::cell::{Lazy, LazyExotic};
use tycho_types::merkle::{MerkleUpdate, make_pruned_branch};
use tycho_types::models::{
    Block, BlockExtra, BlockInfo, BlockRef, BlockchainConfig, CatchainConfig, ConfigParam28, ConfigParam34,
    DepthBalanceInfo, McBlockExtra, McStateExtra, ShardAccounts, ShardIdent, ShardStateUnsplit, ValidatorDescription,
    ValidatorSet, ValueFlow,
};
use tycho_types::prelude::CellBuilder;

use crate::messages::{BlockId, WHOLE_SHARD};

/// The network that the blocks are of: no public one has this number.
const GLOBAL_ID: i32 = -7777;

/// Puts validators into a configuration.
pub(super) fn install(config: &mut BlockchainConfig, validators: &[SigningKey]) -> Result<(), CellError> {
    let list: Vec<_> = validators
        .iter()
        .zip(0u64..)
        .map(|(key, place)| ValidatorDescription {
            public_key: HashBytes(key.verifying_key().to_bytes()),
            weight: 1,
            adnl_addr: None,
            mc_seqno_since: 0,
            prev_total_weight: place,
        })
        .collect();
    let count = u16::try_from(list.len())
        .ok()
        .and_then(NonZeroU16::new)
        .ok_or(CellError::IntOverflow)?;
    config.params.set::<ConfigParam34>(&ValidatorSet {
        utime_since: 0,
        utime_until: u32::MAX,
        main: count,
        total_weight: u64::from(count.get()),
        list,
    })?;
    config.params.set::<ConfigParam28>(&CatchainConfig {
        isolate_mc_validators: false,
        shuffle_mc_validators: false,
        mc_catchain_lifetime: 250,
        shard_catchain_lifetime: 250,
        shard_validators_lifetime: 1000,
        shard_validators_num: 7,
    })?;
    Ok(())
}

/// The accounts of the shard; those of the masterchain are not served.
pub(super) fn shard_accounts(chain: &Emulator) -> Result<ShardAccounts, CellError> {
    let mut accounts = ShardAccounts::new();
    for (address, account) in chain.shard_accounts().filter(|(address, _)| address.workchain == 0) {
        // One that was deleted is not in the state.
        let Some(state) = account.load_account()? else {
            continue;
        };
        let sum = DepthBalanceInfo {
            split_depth: 0,
            balance: state.balance,
        };
        accounts.set(address.address, sum, account)?;
    }
    Ok(accounts)
}

pub(super) fn state(
    chain: &Emulator,
    shard_ident: ShardIdent,
    seqno: u32,
    accounts: ShardAccounts,
    custom: Option<McStateExtra>,
) -> Result<Cell, CellError> {
    CellBuilder::build_from(ShardStateUnsplit {
        global_id: GLOBAL_ID,
        shard_ident,
        seqno,
        gen_utime: chain.now(),
        gen_lt: chain.all_transactions().last().map_or(0, |report| report.lt),
        total_balance: accounts.root_extra().balance.clone(),
        accounts: Lazy::new(&accounts)?,
        custom: custom.as_ref().map(Lazy::new).transpose()?,
        ..ShardStateUnsplit::default()
    })
}

pub(super) fn block(
    info: &BlockInfo,
    before: &Cell,
    after: &Cell,
    custom: Option<McBlockExtra>,
) -> Result<Cell, CellError> {
    let pruned = |cell: &Cell| make_pruned_branch(cell.as_ref(), 0, Cell::empty_context());
    let update = MerkleUpdate {
        old_hash: *before.repr_hash(),
        new_hash: *after.repr_hash(),
        old_depth: before.repr_depth(),
        new_depth: after.repr_depth(),
        old: pruned(before)?,
        new: pruned(after)?,
    };
    CellBuilder::build_from(Block {
        global_id: GLOBAL_ID,
        info: Lazy::new(info)?,
        value_flow: Lazy::new(&ValueFlow::default())?,
        state_update: LazyExotic::new(&update)?,
        out_msg_queue_updates: None,
        extra: Lazy::new(&BlockExtra {
            custom: custom.as_ref().map(Lazy::new).transpose()?,
            ..BlockExtra::default()
        })?,
    })
}

pub(super) fn last_lt(chain: &Emulator) -> u64 {
    chain.all_transactions().last().map_or(0, |report| report.lt)
}

pub(super) fn name(root: &Cell, workchain: i32, seqno: u32) -> BlockId {
    BlockId {
        workchain,
        shard: WHOLE_SHARD,
        seqno,
        root_hash: *root.repr_hash(),
        file_hash: Boc::file_hash(Boc::encode(root)),
    }
}

pub(super) fn block_ref(id: &BlockId, end_lt: u64) -> BlockRef {
    BlockRef {
        end_lt,
        seqno: id.seqno,
        root_hash: id.root_hash,
        file_hash: id.file_hash,
    }
}
