//! A network whose root contract belongs to a governor.

use std::cell::RefCell;

use cocoon_bindings::governor::{
    ApproveFromSigner, AskToExecuteProposal, GetGovernorState, GetNextProposalId, GetOpenProposals, GetProposal,
    GovernorState, ProposalState, ProposalSummary, ProposalView, ProposeFromSigner,
};
use cocoon_bindings::root::ChangeOwnerFromOwner;
use cocoon_bindings::ton::{Address, Cell, CellFamily, Store};
use cocoon_bindings::types::{DoNotProcess, ExitCode};
use cocoon_bindings::{Governance, QueryId, governance, governor_state_init};
use cocoon_emulator::NetworkConfig;

use crate::messages::{body, query};
use crate::outcome::Outcome;
use crate::people::{ANYONE, COUNCIL, OWNER, SIGNERS};
use crate::world::{World, ton};

/// An hour in seconds.
pub const HOUR: u32 = 3600;
/// A day in seconds.
pub const DAY: u32 = 24 * HOUR;
/// Delay of changes in a [`Governed`] network.
pub const CHANGE_DELAY: u32 = 2 * HOUR;
/// Delay of critical proposals in a [`Governed`] network.
pub const CRITICAL_DELAY: u32 = DAY;
/// Longest pause.
pub const MAX_PAUSE: u32 = 3 * DAY;
/// Time after a pause without another one.
pub const PAUSE_REST: u32 = 7 * DAY;
/// What is spent on each message to the governor; most of it comes back.
pub const ATTACHED: &str = "0.5";

/// Three signers of whom two decide and one revokes, a council of two.
pub struct Governed {
    /// The network.
    pub world: World,
    /// The governor contract.
    pub governor: Address,
    /// Query id of messages to the governor.
    pub query_id: QueryId,
}

/// Who decides in a [`Governed`] network.
pub fn default_governance() -> Governance {
    let by_index = |wallets: &[Address]| (0u8..).zip(wallets.iter().cloned()).collect();
    Governance {
        threshold: 2,
        revoke_threshold: 1,
        change_delay: CHANGE_DELAY,
        critical_delay: CRITICAL_DELAY,
        signers: by_index(&SIGNERS),
        council: by_index(&COUNCIL),
    }
}

impl Governed {
    /// With the dearer fees.
    #[expect(clippy::new_without_default, reason = "nobody needs a default network")]
    pub fn new() -> Self {
        Self::by(&default_governance())
    }

    /// Governed by others than usual.
    pub fn by(governance: &Governance) -> Self {
        Self::not_yet_owner(governance).taken_over()
    }

    /// The root contract still belongs to its first owner.
    pub fn not_yet_owner(governance: &Governance) -> Self {
        Self::in_world(World::new(), governance)
    }

    /// On a chain with given fees.
    pub fn on(network: &NetworkConfig) -> Self {
        Self::in_world(World::on(network), &default_governance()).taken_over()
    }

    fn in_world(mut world: World, governance: &Governance) -> Self {
        let governor = deploy(&mut world, governance);
        Self {
            world,
            governor,
            query_id: query(99),
        }
    }

    /// The first owner hands the root contract over.
    fn taken_over(mut self) -> Self {
        let message = ChangeOwnerFromOwner {
            query_id: query(1),
            new_owner: self.governor.clone(),
        };
        let root = self.world.root.clone();
        self.world.send(&OWNER, &root, ton("0.1"), &message).assert_success();
        self
    }

    /// Sends a message to the governor.
    pub fn send(&mut self, from: &Address, message: &impl Store) -> Outcome {
        let governor = self.governor.clone();
        self.world.send(from, &governor, ton(ATTACHED), message)
    }

    /// The number of a signer's next proposal.
    pub fn next_id(&self, signer_index: u8) -> u64 {
        self.world.get(&self.governor, &GetNextProposalId { signer_index })
    }

    /// A signer's message that proposes a body.
    pub fn proposal_of(&self, signer_index: u8, body: Cell, lifetime: u32) -> ProposeFromSigner {
        ProposeFromSigner {
            query_id: self.query_id,
            signer_index,
            expires_at: self.world.chain.now() + lifetime,
            body,
        }
    }

    /// A signer proposes what is made for the number given; it lives for 30 days.
    pub fn propose<M: Store>(&mut self, signer_index: u8, message: impl FnOnce(QueryId) -> M) -> u64 {
        let id = self.next_id(signer_index);
        let message = self.proposal_of(signer_index, body(&message(query(id))), 30 * DAY);
        let signer = SIGNERS[usize::from(signer_index)].clone();
        self.send(&signer, &message).assert_success();
        id
    }

    /// A signer's approval of a proposal as it is.
    pub fn approval_of(&self, signer_index: u8, proposal_id: u64) -> ApproveFromSigner {
        ApproveFromSigner {
            query_id: self.query_id,
            signer_index,
            proposal_id,
            body_hash: *self.proposal(proposal_id).body.repr_hash(),
        }
    }

    /// A signer approves.
    pub fn approve(&mut self, signer_index: u8, proposal_id: u64) {
        let message = self.approval_of(signer_index, proposal_id);
        let signer = SIGNERS[usize::from(signer_index)].clone();
        self.send(&signer, &message).assert_success();
    }

    /// Somebody executes a proposal.
    pub fn execute(&mut self, proposal_id: u64) -> Outcome {
        let message = self.execution_of(proposal_id);
        self.send(&ANYONE, &message)
    }

    /// The message that executes a proposal.
    pub fn execution_of(&self, proposal_id: u64) -> AskToExecuteProposal {
        AskToExecuteProposal {
            query_id: self.query_id,
            proposal_id,
        }
    }

    /// Two signers decide on what is made for the number given, and the longest delay passes.
    pub fn decide<M: Store>(&mut self, message: impl FnOnce(QueryId) -> M) -> u64 {
        let id = self.propose(0, message);
        self.approve(1, id);
        self.world.chain.advance(CRITICAL_DELAY).unwrap();
        id
    }

    /// A message that must be refused: with this error, with nothing changed, and with the value back.
    pub fn refused(&mut self, from: &Address, message: Cell, error: ExitCode) {
        self.pay_storage();
        let governor = self.governor.clone();
        self.world.refused(from, &governor, ATTACHED, message, error);
    }

    /// Has the governor pay for the storage of the time that has passed, so that its balance can be compared.
    pub fn pay_storage(&mut self) {
        let note = DoNotProcess {
            query_id: self.query_id,
            note: Cell::empty_cell(),
        };
        let governor = self.governor.clone();
        self.world.send(&ANYONE, &governor, ton("0.01"), &note).assert_success();
    }

    /// A proposal.
    pub fn proposal(&self, proposal_id: u64) -> ProposalView {
        self.world.get(&self.governor, &GetProposal { proposal_id })
    }

    /// Where a proposal stands.
    pub fn state_of(&self, proposal_id: u64) -> ProposalState {
        self.proposal(proposal_id).state
    }

    /// All proposals that are kept.
    pub fn open(&self) -> std::collections::BTreeMap<u64, ProposalSummary> {
        governance::open_proposals(self.world.get(&self.governor, &GetOpenProposals)).unwrap()
    }

    /// What the governor says of itself.
    pub fn state(&self) -> GovernorState {
        self.world.get(&self.governor, &GetGovernorState)
    }
}

thread_local! {
    /// What is deployed instead of the governor's code.
    static CODE: RefCell<Option<Cell>> = const { RefCell::new(None) };
}

/// Runs something in which governors have another code.
pub fn with_governor_code<R>(code: &Cell, run: impl FnOnce() -> R) -> R {
    CODE.set(Some(code.clone()));
    let result = run();
    CODE.set(None);
    result
}

fn deploy(world: &mut World, governance: &Governance) -> Address {
    let mut init = governor_state_init(&world.root, governance).unwrap();
    if let Some(code) = CODE.with_borrow(Clone::clone) {
        init.code = code;
    }
    let governor = init.address().unwrap();
    world
        .deploy(&OWNER, &governor, ton("1"), Cell::empty_cell(), init)
        .assert_success();
    governor
}
