//! A change as a value: what a message to the root contract, or to its governor, would do.

use cocoon_bindings::governor::{self, GovernorBody, ProposalClass};
use cocoon_bindings::root::{self, HashRole, RootMessage};
use cocoon_bindings::ton::{Address, Cell, HashBytes, from_cell};
use cocoon_bindings::units::{Nanoton, QueryId};
use cocoon_bindings::{ContractKind, HashDescriptor, Params, ProxyEndpoints};

use crate::OwnerError;
use crate::operation::{body, state};

/// A change that the owner of a root contract can make, without the number that a proposal gives it: that is zero.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// By a message to the root contract.
    Root(Box<RootMessage>),
    /// Of the governor itself.
    Governor(GovernorBody),
}

/// The number that a change has before it gets one.
const NONE: QueryId = QueryId::new(0);

impl Change {
    /// A change by a message to the root contract.
    pub fn root(message: RootMessage) -> Self {
        let mut change = Self::Root(Box::new(message));
        if let Some(number) = change.number() {
            *number = NONE;
        }
        change
    }

    /// A change of the governor.
    pub fn governor(own: GovernorBody) -> Self {
        let mut change = Self::Governor(own);
        if let Some(number) = change.number() {
            *number = NONE;
        }
        change
    }

    /// Trust an image or a model, with what is known of it if anything is.
    pub fn list(role: HashRole, hash: HashBytes, descriptor: Option<HashDescriptor>) -> Self {
        let query_id = NONE;
        let source_commit = HashBytes::ZERO;
        let attestations = root::Attestations { signatures: None };
        Self::root(match (role, descriptor) {
            (HashRole::Worker, None) => {
                RootMessage::AddWorkerHashFromOwner(root::AddWorkerHashFromOwner { query_id, hash })
            }
            (HashRole::Proxy, None) => {
                RootMessage::AddProxyHashFromOwner(root::AddProxyHashFromOwner { query_id, hash })
            }
            (HashRole::Model, None) => {
                RootMessage::AddModelHashFromOwner(root::AddModelHashFromOwner { query_id, hash })
            }
            (HashRole::Model, Some(descriptor)) => RootMessage::AddModelFromOwner(root::AddModelFromOwner {
                query_id,
                hash,
                descriptor,
            }),
            (role, Some(descriptor)) => RootMessage::AddImageFromOwner(root::AddImageFromOwner {
                query_id,
                role,
                hash,
                source_commit,
                descriptor,
                attestations,
            }),
        })
    }

    /// Trust it no longer.
    pub fn delete(role: HashRole, hash: HashBytes) -> Self {
        let query_id = NONE;
        Self::root(match role {
            HashRole::Worker => {
                RootMessage::DeleteWorkerHashFromOwner(root::DeleteWorkerHashFromOwner { query_id, hash })
            }
            HashRole::Proxy => RootMessage::DeleteProxyHashFromOwner(root::DeleteProxyHashFromOwner { query_id, hash }),
            HashRole::Model => RootMessage::DeleteModelHashFromOwner(root::DeleteModelHashFromOwner { query_id, hash }),
        })
    }

    /// Trust it until a time, seconds since 1970; 0 for no end.
    pub fn retire(role: HashRole, hash: HashBytes, retire_after: u32) -> Self {
        Self::root(RootMessage::ScheduleRetirementFromOwner(
            root::ScheduleRetirementFromOwner {
                query_id: NONE,
                role,
                hash,
                retire_after,
            },
        ))
    }

    /// List a proxy under the next number.
    pub fn register(endpoints: ProxyEndpoints) -> Self {
        let query_id = NONE;
        Self::root(RootMessage::RegisterProxyFromOwner(root::RegisterProxyFromOwner {
            query_id,
            endpoints,
        }))
    }

    /// Take a proxy off the list.
    pub fn unregister(seqno: u32) -> Self {
        let query_id = NONE;
        Self::root(RootMessage::UnregisterProxyFromOwner(root::UnregisterProxyFromOwner {
            query_id,
            seqno,
        }))
    }

    /// Change the price of a token and the worker's part of it.
    pub fn prices(price_per_token: Nanoton, worker_fee_per_token: Nanoton) -> Self {
        Self::root(RootMessage::ChangePricesFromOwner(root::ChangePricesFromOwner {
            query_id: NONE,
            price_per_token,
            worker_fee_per_token,
        }))
    }

    /// Replace one of the codes of new contracts, with the others as the terms have them, or the root contract's own.
    pub fn code(kind: ContractKind, code: Cell, params: &Params) -> Result<Self, OwnerError> {
        let query_id = NONE;
        let of = |other: ContractKind| -> Result<Cell, OwnerError> {
            Ok(if other == kind {
                code.clone()
            } else {
                params.code_of(other)?.clone()
            })
        };
        match kind {
            ContractKind::Root => Ok(Self::root(RootMessage::UpgradeCodeFromOwner(
                root::UpgradeCodeFromOwner { query_id, code },
            ))),
            ContractKind::Proxy | ContractKind::Worker | ContractKind::Client => Ok(Self::root(
                RootMessage::ChangeCodesFromOwner(root::ChangeCodesFromOwner {
                    query_id,
                    proxy_code: of(ContractKind::Proxy)?,
                    worker_code: of(ContractKind::Worker)?,
                    client_code: of(ContractKind::Client)?,
                }),
            )),
            ContractKind::Wallet | ContractKind::Governor => Err(state(
                format!("the root contract fixes no code of a {} contract", kind.name()),
                "it has codes of proxy, worker and client contracts, and its own",
            )),
        }
    }

    /// Offer the root contract to a new owner until a time, seconds since 1970.
    pub fn offer(new_owner: Address, until: u32) -> Self {
        Self::root(RootMessage::OfferOwnershipFromOwner(root::OfferOwnershipFromOwner {
            query_id: NONE,
            new_owner,
            until,
        }))
    }

    /// Take over a root contract that was offered.
    pub fn accept() -> Self {
        Self::root(RootMessage::AcceptOwnership(root::AcceptOwnership { query_id: NONE }))
    }

    /// End a pause.
    pub fn lift_pause() -> Self {
        Self::governor(GovernorBody::LiftPause(governor::LiftPause { query_id: NONE }))
    }

    /// Pay coins of the governor that it does not need.
    pub fn withdraw_surplus(to: Address, amount: Nanoton) -> Self {
        let query_id = NONE;
        Self::governor(GovernorBody::WithdrawSurplus(governor::WithdrawSurplus {
            query_id,
            to,
            amount,
        }))
    }

    /// Whether the new owner sends it, and not the owner of today.
    pub fn is_acceptance(&self) -> bool {
        matches!(self, Self::Root(message) if matches!(**message, RootMessage::AcceptOwnership(_)))
    }

    /// The message itself under a number.
    pub fn body(&self, number: QueryId) -> Result<Cell, OwnerError> {
        let mut numbered = self.clone();
        if let Some(place) = numbered.number() {
            *place = number;
        }
        match &numbered {
            Self::Root(message) => body(message.as_ref()),
            Self::Governor(own) => body(own),
        }
    }

    /// Reads a body of a proposal and its number. Every cell gives a change or an error, and a change gives the same cell
    /// again: what this version cannot say in full is not taken for something that it can.
    pub fn decode(cell: &Cell) -> Result<(Self, u64), OwnerError> {
        let unreadable = |why: &'static str| OwnerError::Unreadable {
            body_hash: *cell.repr_hash(),
            why,
        };
        let mut change = match from_cell::<GovernorBody>(cell) {
            Ok(own) => Self::Governor(own),
            Err(_) => Self::Root(Box::new(
                from_cell::<RootMessage>(cell).map_err(|_| unreadable("it is no message that this version knows"))?,
            )),
        };
        let number = change.number().ok_or_else(|| unreadable("it changes nothing"))?;
        let id = std::mem::replace(number, NONE);
        if change.body(id)?.repr_hash() != cell.repr_hash() {
            return Err(unreadable("written again it is another message"));
        }
        Ok((change, id.get()))
    }

    /// What the governor takes it for. A kind of message that its contract does not know is critical there.
    pub fn class(&self) -> ProposalClass {
        use ProposalClass::{Change, CouncilChange, Critical, Release, Revoke};
        match self {
            Self::Root(message) => match message.as_ref() {
                RootMessage::DeleteWorkerHashFromOwner(_)
                | RootMessage::DeleteProxyHashFromOwner(_)
                | RootMessage::DeleteModelHashFromOwner(_)
                | RootMessage::UnregisterProxyFromOwner(_) => Revoke,
                RootMessage::AddWorkerHashFromOwner(_)
                | RootMessage::AddProxyHashFromOwner(_)
                | RootMessage::AddModelHashFromOwner(_)
                | RootMessage::RegisterProxyFromOwner(_)
                | RootMessage::UpdateProxyFromOwner(_)
                | RootMessage::ChangePricesFromOwner(_)
                | RootMessage::ChangeParamsFromOwner(_)
                | RootMessage::ChangeAllParamsFromOwner(_)
                | RootMessage::ChangeCodesFromOwner(_)
                | RootMessage::AddImageFromOwner(_)
                | RootMessage::AddModelFromOwner(_)
                | RootMessage::DescribeHashFromOwner(_)
                | RootMessage::ScheduleRetirementFromOwner(_)
                | RootMessage::AcceptOwnership(_) => Change,
                RootMessage::UpgradeCodeFromOwner(_)
                | RootMessage::UpgradeFullFromOwner(_)
                | RootMessage::ResetFromOwner(_)
                | RootMessage::ChangeOwnerFromOwner(_)
                | RootMessage::RetireHash(_)
                | RootMessage::ChangeRebuildersFromOwner(_)
                | RootMessage::OfferOwnershipFromOwner(_)
                | RootMessage::DoNotProcess(_) => Critical,
            },
            Self::Governor(GovernorBody::WithdrawSurplus(_)) => Change,
            Self::Governor(GovernorBody::LiftPause(_)) => Release,
            Self::Governor(GovernorBody::ChangeCouncil(_)) => CouncilChange,
            Self::Governor(GovernorBody::ChangeSigners(_) | GovernorBody::ChangeDelays(_)) => Critical,
        }
    }

    /// Where the message has its number; a note has none that counts.
    fn number(&mut self) -> Option<&mut QueryId> {
        Some(match self {
            Self::Root(message) => match message.as_mut() {
                RootMessage::AddWorkerHashFromOwner(message) => &mut message.query_id,
                RootMessage::DeleteWorkerHashFromOwner(message) => &mut message.query_id,
                RootMessage::AddProxyHashFromOwner(message) => &mut message.query_id,
                RootMessage::DeleteProxyHashFromOwner(message) => &mut message.query_id,
                RootMessage::AddModelHashFromOwner(message) => &mut message.query_id,
                RootMessage::DeleteModelHashFromOwner(message) => &mut message.query_id,
                RootMessage::RegisterProxyFromOwner(message) => &mut message.query_id,
                RootMessage::UnregisterProxyFromOwner(message) => &mut message.query_id,
                RootMessage::UpdateProxyFromOwner(message) => &mut message.query_id,
                RootMessage::ChangePricesFromOwner(message) => &mut message.query_id,
                RootMessage::ChangeParamsFromOwner(message) => &mut message.query_id,
                RootMessage::ChangeAllParamsFromOwner(message) => &mut message.query_id,
                RootMessage::ChangeCodesFromOwner(message) => &mut message.query_id,
                RootMessage::UpgradeCodeFromOwner(message) => &mut message.query_id,
                RootMessage::UpgradeFullFromOwner(message) => &mut message.query_id,
                RootMessage::ResetFromOwner(message) => &mut message.query_id,
                RootMessage::ChangeOwnerFromOwner(message) => &mut message.query_id,
                RootMessage::AddImageFromOwner(message) => &mut message.query_id,
                RootMessage::AddModelFromOwner(message) => &mut message.query_id,
                RootMessage::DescribeHashFromOwner(message) => &mut message.query_id,
                RootMessage::ScheduleRetirementFromOwner(message) => &mut message.query_id,
                RootMessage::RetireHash(message) => &mut message.query_id,
                RootMessage::ChangeRebuildersFromOwner(message) => &mut message.query_id,
                RootMessage::OfferOwnershipFromOwner(message) => &mut message.query_id,
                RootMessage::AcceptOwnership(message) => &mut message.query_id,
                RootMessage::DoNotProcess(_) => return None,
            },
            Self::Governor(own) => match own {
                GovernorBody::ChangeSigners(own) => &mut own.query_id,
                GovernorBody::ChangeCouncil(own) => &mut own.query_id,
                GovernorBody::ChangeDelays(own) => &mut own.query_id,
                GovernorBody::LiftPause(own) => &mut own.query_id,
                GovernorBody::WithdrawSurplus(own) => &mut own.query_id,
            },
        })
    }
}
