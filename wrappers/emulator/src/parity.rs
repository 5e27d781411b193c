//! Hash parity with the reference node.
//!
//! The executor agrees with the reference implementation in every number that matters (gas, fees, balances, messages,
//! data), but writes six fields differently, so that hashes of transactions and accounts would differ from those of
//! the public chain. They are rewritten here, after the run, each in a function of its own. One rule is more than a
//! field: an account that is frozen does not run, see [`freezing`].

mod forward_fees;
pub(crate) mod freezing;
mod storage_dict;

use cocoon_bindings::ton::{Cell, CellBuilder, CellError};
use tycho_executor::{ExecutorOutput, ParsedConfig};
use tycho_types::cell::{CellTreeStats, Lazy};
use tycho_types::models::{
    AccountState, ActionPhase, BouncePhase, ComputePhase, ComputePhaseSkipReason, HashUpdate, MsgInfo, OptionalAccount,
    OrdinaryTxInfo, OwnedMessage, ShardAccount, TxInfo,
};
use tycho_types::num::Tokens;

/// A transaction and the account that it left behind, as the reference node writes them.
pub(crate) struct Rewritten {
    pub(crate) account: ShardAccount,
    pub(crate) transaction: Cell,
}

/// Rewrites what the executor wrote. `frozen` says that it ran on the account as frozen in this very transaction.
pub(crate) fn rewrite(
    before: &ShardAccount,
    frozen: bool,
    output: ExecutorOutput,
    actions: Option<&Cell>,
    workchain: i8,
    config: &ParsedConfig,
) -> Result<Rewritten, CellError> {
    let mut transaction = output.transaction.load()?;
    let TxInfo::Ordinary(mut info) = transaction.load_info()? else {
        return Ok(Rewritten {
            account: output.new_state,
            transaction: output.transaction.into_inner(),
        });
    };
    let in_msg = transaction
        .in_msg
        .as_ref()
        .map(|cell| cell.parse::<OwnedMessage>())
        .transpose()?;

    deploying_does_not_mark_the_state_as_used(&mut info.compute_phase);
    frozen_account_without_state_has_no_state(before, frozen, in_msg.as_ref(), &mut info.compute_phase)?;
    if frozen && let Some(phase) = &mut info.storage_phase {
        freezing::tell(&mut transaction, &mut phase.status_change);
    }
    if let Some(action) = &mut info.action_phase {
        failed_actions_keep_their_forwarding_fees(action, actions, workchain, config);
        first_action_has_no_argument(action);
    }
    bounce_without_funds_names_the_whole_fee(&mut info, in_msg.as_ref(), workchain, config);

    let mut account = output.new_state;
    let mut state = account.account.load()?;
    if frozen && let Some(account) = &mut state.0 {
        freezing::keep_the_hash(before, account)?;
    }
    if storage_dict_hash_is_kept(before, &mut state, workchain)? || frozen {
        account.account = Lazy::new(&state)?;
    }
    transaction.state_update = Lazy::new(&HashUpdate {
        old: *before.account.repr_hash(),
        new: *account.account.repr_hash(),
    })?;
    transaction.info = Lazy::new(&TxInfo::Ordinary(info))?;
    let transaction: Cell = CellBuilder::build_from(&transaction)?;
    account.last_trans_hash = *transaction.repr_hash();
    Ok(Rewritten { account, transaction })
}

/// The reference node never sets `msg_state_used` and `account_activated`, not even when a message deploys the
/// account; the executor sets both.
fn deploying_does_not_mark_the_state_as_used(phase: &mut ComputePhase) {
    if let ComputePhase::Executed(phase) = phase {
        phase.msg_state_used = false;
        phase.account_activated = false;
    }
}

/// A frozen account that gets a message without a state was skipped for *no state* according to the reference node;
/// the executor says *bad state*, which belongs to a message with a wrong state.
fn frozen_account_without_state_has_no_state(
    before: &ShardAccount,
    frozen: bool,
    in_msg: Option<&OwnedMessage>,
    phase: &mut ComputePhase,
) -> Result<(), CellError> {
    let ComputePhase::Skipped(skipped) = phase else {
        return Ok(());
    };
    let without_state = in_msg.is_none_or(|message| message.init.is_none());
    if skipped.reason != ComputePhaseSkipReason::BadState || !without_state {
        return Ok(());
    }
    let account = before.load_account()?;
    if frozen || account.is_some_and(|account| matches!(account.state, AccountState::Frozen(_))) {
        skipped.reason = ComputePhaseSkipReason::NoState;
    }
    Ok(())
}

/// A failure of action number 0 carries no `result_arg` in the reference node (zero is taken for absent); the executor
/// writes a present zero.
fn first_action_has_no_argument(phase: &mut ActionPhase) {
    if phase.result_arg == Some(0) {
        phase.result_arg = None;
    }
}

/// When an action fails, the reference node leaves the forwarding fees of the messages before it in the record, though
/// they are not taken; the executor clears them. Where the list of actions does not tell them for certain (a message
/// before it was skipped or laid out anew), they stay cleared, and the hash differs.
fn failed_actions_keep_their_forwarding_fees(
    phase: &mut ActionPhase,
    actions: Option<&Cell>,
    workchain: i8,
    config: &ParsedConfig,
) {
    if phase.success || phase.total_fwd_fees.is_some() || phase.messages_created == 0 {
        return;
    }
    if let Some(actions) = actions
        && let Ok(fees) = forward_fees::before_failure(phase, actions, workchain, config)
    {
        phase.total_fwd_fees = fees;
    }
}

/// When a bounce cannot be paid for, the reference node records the whole forwarding fee as required; the executor
/// records what is missing. A message beyond the size limits, which the executor marks with the largest amount, has no
/// fee and stays.
fn bounce_without_funds_names_the_whole_fee(
    info: &mut OrdinaryTxInfo,
    in_msg: Option<&OwnedMessage>,
    workchain: i8,
    config: &ParsedConfig,
) {
    let Some(BouncePhase::NoFunds(phase)) = &mut info.bounce_phase else {
        return;
    };
    if phase.req_fwd_fees == Tokens::MAX {
        return;
    }
    let from_masterchain = in_msg.is_some_and(|message| match &message.info {
        MsgInfo::Int(info) => info.src.is_masterchain(),
        MsgInfo::ExtIn(_) | MsgInfo::ExtOut(_) => false,
    });
    let prices = config.fwd_prices(workchain == -1 || from_masterchain);
    phase.req_fwd_fees = prices.compute_fwd_fee(CellTreeStats {
        bit_count: phase.msg_size.bits.into_inner(),
        cell_count: phase.msg_size.cells.into_inner(),
    });
}

/// Accounts of workchain 0 with 26 cells or more carry the hash of their storage dictionary; the executor drops it.
///
/// Returns whether the account changed.
fn storage_dict_hash_is_kept(
    before: &ShardAccount,
    state: &mut OptionalAccount,
    workchain: i8,
) -> Result<bool, CellError> {
    let Some(account) = &mut state.0 else {
        return Ok(false);
    };
    let extra = storage_dict::extra(before, account, workchain)?;
    let changed = account.storage_stat.storage_extra != extra;
    account.storage_stat.storage_extra = extra;
    Ok(changed)
}

#[cfg(test)]
mod tests {
    use super::*;
    use tycho_types::models::{
        AccountStatusChange, ExecutedComputePhase, NoFundsBouncePhase, SkippedComputePhase, StorageUsedShort,
    };
    use tycho_types::num::VarUint56;

    #[test]
    fn an_argument_of_zero_is_absent_and_others_stay() {
        for (before, after) in [(Some(0), None), (Some(3), Some(3)), (None, None)] {
            let mut phase = action();
            phase.result_arg = before;
            first_action_has_no_argument(&mut phase);
            assert_eq!(phase.result_arg, after);
        }
    }

    #[test]
    fn deploy_flags_are_cleared() {
        let mut phase = ComputePhase::Executed(ExecutedComputePhase {
            success: true,
            msg_state_used: true,
            account_activated: true,
            gas_fees: Tokens::ZERO,
            gas_used: VarUint56::ZERO,
            gas_limit: VarUint56::ZERO,
            gas_credit: None,
            mode: 0,
            exit_code: 0,
            exit_arg: None,
            vm_steps: 1,
            vm_init_state_hash: Default::default(),
            vm_final_state_hash: Default::default(),
        });
        deploying_does_not_mark_the_state_as_used(&mut phase);
        assert!(matches!(phase, ComputePhase::Executed(phase) if !phase.msg_state_used && !phase.account_activated));
    }

    #[test]
    fn the_required_fee_of_a_bounce_is_the_whole_fee() {
        let config = crate::NetworkConfig::october_2025().parse(1).unwrap();
        let mut info = OrdinaryTxInfo {
            credit_first: false,
            storage_phase: None,
            credit_phase: None,
            compute_phase: ComputePhase::Skipped(SkippedComputePhase {
                reason: ComputePhaseSkipReason::NoGas,
            }),
            action_phase: None,
            aborted: true,
            bounce_phase: Some(BouncePhase::NoFunds(NoFundsBouncePhase {
                msg_size: StorageUsedShort {
                    cells: VarUint56::new(1),
                    bits: VarUint56::new(100),
                },
                req_fwd_fees: Tokens::new(17),
            })),
            destroyed: false,
        };
        bounce_without_funds_names_the_whole_fee(&mut info, None, 0, &config);
        let Some(BouncePhase::NoFunds(phase)) = &info.bounce_phase else {
            panic!("phase changed its kind")
        };
        assert_eq!(phase.req_fwd_fees, Tokens::new(400_000 + 40_000 + 40_000));
    }

    fn action() -> ActionPhase {
        ActionPhase {
            success: false,
            valid: true,
            no_funds: true,
            status_change: AccountStatusChange::Unchanged,
            total_fwd_fees: None,
            total_action_fees: None,
            result_code: 37,
            result_arg: None,
            total_actions: 1,
            special_actions: 0,
            skipped_actions: 0,
            messages_created: 0,
            action_list_hash: Default::default(),
            total_message_size: StorageUsedShort::ZERO,
        }
    }
}
