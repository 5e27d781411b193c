//! Names of messages by what they begin with.

use cocoon_bindings::{client, governor, proxy, root, types, wallet, worker};

macro_rules! names {
    ($($module:ident::$name:ident),+ $(,)?) => {
        &[$(($module::$name::OPCODE, stringify!($name))),+]
    };
}

/// Everything that a contract of the network takes, or sends to somebody.
pub(super) const NAMES: &[(u32, &str)] = names![
    client::AskToTopUp,
    client::ChangeSecretHashFromOwner,
    client::ChargeSigned,
    client::ClaimByReceipt,
    client::GrantRefundSigned,
    client::IncreaseStakeFromOwner,
    client::RegisterFromOwner,
    client::ReopenFromOwner,
    client::RequestRefundFromOwner,
    client::TopUpWithSecretFromOwner,
    client::WithdrawFromOwner,
    governor::ApproveFromSigner,
    governor::AskToExecuteProposal,
    governor::AskToPurgeProposal,
    governor::CancelFromCouncil,
    governor::CancelFromProposer,
    governor::ChangeCouncil,
    governor::ChangeDelays,
    governor::ChangeSigners,
    governor::LiftPause,
    governor::PauseFromCouncil,
    governor::ProposeFromSigner,
    governor::WithdrawApprovalFromSigner,
    governor::WithdrawSurplus,
    proxy::AskToIncreaseProxyStake,
    proxy::AskToWithdrawEarnings,
    proxy::CloseProxyFromOwner,
    proxy::CloseProxySigned,
    proxy::CompleteCloseSigned,
    proxy::ReclaimStakeFromOwner,
    root::AcceptOwnership,
    root::AddImageFromOwner,
    root::AddModelFromOwner,
    root::AddModelHashFromOwner,
    root::AddProxyHashFromOwner,
    root::AddWorkerHashFromOwner,
    root::ChangeAllParamsFromOwner,
    root::ChangeCodesFromOwner,
    root::ChangeOwnerFromOwner,
    root::ChangeParamsFromOwner,
    root::ChangePricesFromOwner,
    root::ChangeRebuildersFromOwner,
    root::DeleteModelHashFromOwner,
    root::DeleteProxyHashFromOwner,
    root::DeleteWorkerHashFromOwner,
    root::DescribeHashFromOwner,
    root::OfferOwnershipFromOwner,
    root::RegisterProxyFromOwner,
    root::ResetFromOwner,
    root::RetireHash,
    root::ScheduleRetirementFromOwner,
    root::UnregisterProxyFromOwner,
    root::UpdateProxyFromOwner,
    root::UpgradeCodeFromOwner,
    root::UpgradeFullFromOwner,
    types::AnchorSigned,
    types::ClientStep,
    types::DoNotProcess,
    types::PayoutNotificationForOwner,
    types::ReportEquivocation,
    types::ReturnExcessesBack,
    types::SettleClaim,
    types::TextCommand,
    types::WorkerStep,
    wallet::SendMessageFromOwner,
    worker::ClaimByStatement,
    worker::LastPayoutSigned,
    worker::PayoutSigned,
    worker::RegisterWorkerFromOwner,
];

/// The name of the message that begins with `opcode`, as the contracts have it.
pub fn name_of(opcode: u32) -> Option<&'static str> {
    NAMES.iter().find(|(known, _)| *known == opcode).map(|(_, name)| *name)
}
