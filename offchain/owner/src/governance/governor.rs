//! A governor at one moment.

use std::collections::BTreeMap;

use cocoon_bindings::governance::{MAX_SIGNERS, approvers, members};
use cocoon_bindings::governor::{GovernorStorage, Proposal, ProposalClass, ProposalState, ProposerRecord};
use cocoon_bindings::ton::{Address, CellError, Dict, from_cell};
use cocoon_bindings::{BindingsError, ContractKind};
use cocoon_chain::{AccountState, ChainClient};

use crate::OwnerError;
use crate::limits::ANSWER_TIMEOUT;

/// Who decides, and what is proposed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GovernorView {
    /// The account: coins, last transaction, the chain's time.
    pub account: AccountState,
    /// Thresholds, delays, pauses.
    pub storage: GovernorStorage,
    /// Wallets of the signers by index.
    pub signers: BTreeMap<u8, Address>,
    /// Wallets of the council by index.
    pub council: BTreeMap<u8, Address>,
    /// Proposals that are kept, by number.
    pub proposals: BTreeMap<u64, Proposal>,
    /// What is remembered of the signers' indices.
    pub records: BTreeMap<u8, ProposerRecord>,
}

impl GovernorView {
    /// Reads a governor; none where the account is no governor, such as a wallet.
    pub async fn fetch(chain: &dyn ChainClient, address: &Address) -> Result<Option<Self>, OwnerError> {
        let account = chain.account(address).await?;
        let data = account.data.as_ref().filter(|_| account.is_active());
        let storage = data.and_then(|data| from_cell::<GovernorStorage>(data).ok());
        let Some(storage) = storage else { return Ok(None) };
        let (signers, council) = (
            members(storage.config.signers.clone())?,
            members(storage.config.council.clone())?,
        );
        let read = || -> Result<_, CellError> {
            let proposals = Dict::<u64, Proposal>::from_raw(storage.proposals.clone());
            let proposals = proposals.iter().collect::<Result<_, _>>()?;
            let records = Dict::<u8, ProposerRecord>::from_raw(storage.proposers.clone());
            Ok((proposals, records.iter().collect::<Result<_, _>>()?))
        };
        let (proposals, records) = read().map_err(BindingsError::layout("a governor's proposals"))?;
        Ok(Some(Self {
            account,
            storage,
            signers,
            council,
            proposals,
            records,
        }))
    }

    /// Whether its code is that which this program carries: the rules of another are not known here, whatever its data says.
    pub fn has_known_code(&self) -> bool {
        let code = self.account.code.as_ref().map(|code| *code.repr_hash());
        code.is_some() && code == ContractKind::Governor.code_hash().ok()
    }

    /// The index of a signer's wallet.
    pub fn signer(&self, wallet: &Address) -> Option<u8> {
        index_of(&self.signers, wallet)
    }

    /// The index of a council member's wallet.
    pub fn member(&self, wallet: &Address) -> Option<u8> {
        index_of(&self.council, wallet)
    }

    /// The number that a signer's next proposal has.
    pub fn next_id(&self, signer: u8) -> u64 {
        let made = self.records.get(&signer).map_or(0, |record| u64::from(record.sequence));
        // Below 2^38.
        (made + 1) * u64::from(MAX_SIGNERS) + u64::from(signer)
    }

    /// Whether a proposal with this number was ever made.
    pub fn was_made(&self, id: u64) -> bool {
        let signer = proposer_of(id);
        id >= u64::from(MAX_SIGNERS) && id < self.next_id(signer)
    }

    /// Where a proposal stands, by the rules of the contract.
    pub fn state_of(&self, proposal: &Proposal) -> ProposalState {
        let now = self.account.time;
        if proposal.execution.is_some() {
            ProposalState::UnderWay
        } else if proposal.epoch != self.storage.epoch {
            ProposalState::Stale
        } else if now >= proposal.expires_at {
            ProposalState::Expired
        } else if proposal.ready_at == 0 {
            ProposalState::Collecting
        } else if now < proposal.ready_at {
            ProposalState::Delayed
        } else if is_within_councils_reach(proposal.class) && now < self.storage.paused_until {
            ProposalState::Paused
        } else {
            ProposalState::Ready
        }
    }

    /// Whether anyone may remove it: it cannot be executed any more, and no answer of the root contract is expected.
    pub fn can_be_removed(&self, proposal: &Proposal) -> bool {
        let now = self.account.time;
        let is_over = proposal.epoch != self.storage.epoch || now >= proposal.expires_at;
        let is_answered = proposal
            .execution
            .as_ref()
            .is_none_or(|execution| now >= execution.started_at.saturating_add(ANSWER_TIMEOUT));
        is_over && is_answered
    }

    /// How many signers a proposal of a class needs.
    pub fn threshold(&self, class: ProposalClass) -> u8 {
        match class {
            ProposalClass::Revoke => self.storage.config.revoke_threshold,
            _ => self.storage.config.threshold,
        }
    }

    /// How long a proposal of a class waits after its approval, in seconds.
    pub fn delay(&self, class: ProposalClass) -> u32 {
        match class {
            ProposalClass::Change => self.storage.config.change_delay,
            ProposalClass::Critical | ProposalClass::CouncilChange => self.storage.config.critical_delay,
            ProposalClass::Revoke | ProposalClass::Release => 0,
        }
    }

    /// How far the approval of a proposal has come, for a person.
    pub fn standing(&self, proposal: &Proposal) -> String {
        let (have, need) = (approvers(proposal.approvals).len(), self.threshold(proposal.class));
        let of = format!("{have} of {need} approvals");
        match self.state_of(proposal) {
            ProposalState::Collecting => of,
            ProposalState::Delayed => format!("{of}, may be executed from {}", crate::date(proposal.ready_at)),
            ProposalState::Paused => format!("{of}, paused until {}", crate::date(self.storage.paused_until)),
            ProposalState::Ready => format!("{of}, may be executed"),
            ProposalState::UnderWay => format!("{of}, the root contract's answer is awaited"),
            ProposalState::Expired => "expired".to_owned(),
            ProposalState::Stale => "stale: the signers have changed".to_owned(),
        }
    }
}

/// The signer whose proposal has a number.
pub(crate) fn proposer_of(id: u64) -> u8 {
    u8::try_from(id % u64::from(MAX_SIGNERS)).unwrap_or(0)
}

/// Whether the council may pause and cancel it.
pub(crate) fn is_within_councils_reach(class: ProposalClass) -> bool {
    matches!(class, ProposalClass::Change | ProposalClass::Critical)
}

/// A class in words.
pub(crate) fn class_name(class: ProposalClass) -> &'static str {
    match class {
        ProposalClass::Revoke => "revoke",
        ProposalClass::Change => "change",
        ProposalClass::Critical => "critical",
        ProposalClass::Release => "release",
        ProposalClass::CouncilChange => "council change",
    }
}

fn index_of(members: &BTreeMap<u8, Address>, wallet: &Address) -> Option<u8> {
    members
        .iter()
        .find(|(_, member)| *member == wallet)
        .map(|(index, _)| *index)
}
