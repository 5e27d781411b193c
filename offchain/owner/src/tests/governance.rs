//! A council of three rules a root contract: changes, revocations, pauses, files between signers, and killed processes.

mod bundles;
mod killed;
mod rule;
mod shown;
mod stuck;
mod words;

use std::collections::BTreeMap;

use cocoon_bindings::Governance;
use cocoon_bindings::governance::{MAX_DELAY, MIN_DELAY};
use cocoon_bindings::governor::{ApproveFromSigner, ProposeFromSigner};
use cocoon_bindings::message::InternalMessage;
use cocoon_bindings::root::OfferOwnershipFromOwner;
use cocoon_bindings::ton::{Address, Cell, HashBytes, Store, to_cell};
use cocoon_bindings::units::{Nanoton, QueryId};
use cocoon_bindings::wallets::WalletContract;

use super::{START, Stage, person, v5};
use crate::governance::{Change, GovernorView, Network, RootState};
use crate::operation::governance::{Approve, Deploy, Execute, Propose};
use crate::{Operation, Outcome, OwnerError};

const DAY: u32 = 86_400;
/// Bytes of the keys of the signers and of the council's member.
const SIGNERS: [u8; 3] = [7, 8, 9];
const MEMBER: u8 = 10;

/// A stage whose root contract belongs to a governor.
struct Governed {
    stage: Stage,
    governor: Address,
}

fn wallet(byte: u8) -> WalletContract {
    v5(byte)
}

fn at(byte: u8) -> Address {
    wallet(byte).address().unwrap()
}

fn hash(byte: u8) -> HashBytes {
    HashBytes([byte; 32])
}

impl Governed {
    async fn new() -> Self {
        let stage = Stage::new();
        for byte in SIGNERS.into_iter().chain([MEMBER]) {
            stage.fund(&at(byte), 100);
        }
        let governance = Governance {
            threshold: 2,
            revoke_threshold: 1,
            change_delay: MIN_DELAY,
            critical_delay: MAX_DELAY / 10,
            signers: (0u8..).zip(SIGNERS.map(at)).collect(),
            council: BTreeMap::from([(0, at(MEMBER))]),
        };
        let root = stage.root.clone();
        let deploy = Deploy { root, governance };
        let governor = deploy.address().unwrap();
        let governed = Self { stage, governor };
        for sent in [1, 0] {
            let outcome = governed.run(9, &deploy).await.unwrap();
            assert_eq!(outcome.sent.len(), sent, "{outcome:?}");
        }
        governed.take_over().await;
        governed
    }

    /// The single owner offers the root contract, and the signers accept.
    async fn take_over(&self) {
        let offer = OfferOwnershipFromOwner {
            query_id: QueryId::new(1),
            new_owner: self.governor.clone(),
            until: START + 30 * DAY,
        };
        let message = InternalMessage {
            to: self.stage.root.clone(),
            value: Nanoton::from_ton(1),
            bounce: true,
            body: to_cell(&offer).unwrap(),
            state_init: None,
        };
        self.stage.chain.with(|chain| {
            chain.send_internal(&person(1), &message).unwrap();
            chain.run().unwrap();
        });
        let accept = Propose {
            governor: Some(self.governor.clone()),
            ..self.proposal(Change::accept())
        };
        let proposed = self.run(7, &accept).await.unwrap();
        assert_eq!(proposed.sent.len(), 1, "{proposed:?}");
        let network = Network::fetch(&self.stage.chain, &self.stage.root, Some(&self.governor)).await;
        let network = network.unwrap();
        let id = network.open(&Change::accept()).unwrap();
        let approve = Approve {
            governor: Some(self.governor.clone()),
            ..self.approval(&network, id)
        };
        self.run(8, &approve).await.unwrap();
        self.stage.advance(MIN_DELAY);
        let execute = Execute {
            governor: Some(self.governor.clone()),
            ..self.execution(id)
        };
        self.run(9, &execute).await.unwrap();
        let root = self.root().await;
        assert_eq!(root.storage.owner, self.governor);
    }

    fn proposal(&self, change: Change) -> Propose {
        Propose {
            root: self.stage.root.clone(),
            governor: None,
            change,
            lifetime: 30 * DAY,
        }
    }

    fn approval(&self, network: &Network, id: u64) -> Approve {
        Approve {
            root: self.stage.root.clone(),
            governor: None,
            proposal: id,
            body_hash: *network.proposal(id).unwrap().1.body.repr_hash(),
            may_send: true,
        }
    }

    fn execution(&self, proposal: u64) -> Execute {
        let (root, governor) = (self.stage.root.clone(), None);
        Execute {
            root,
            governor,
            proposal,
        }
    }

    /// Runs an operation with the wallet of a key.
    async fn run(&self, byte: u8, operation: &dyn Operation) -> Result<Outcome, OwnerError> {
        self.stage.run(&wallet(byte), byte, operation).await
    }

    /// Sends a message to the governor as a wallet of no program would.
    fn by_hand(&self, byte: u8, body: &impl Store) {
        let message = InternalMessage {
            to: self.governor.clone(),
            value: Nanoton::from_ton(2),
            bounce: true,
            body: to_cell(body).unwrap(),
            state_init: None,
        };
        self.stage.chain.with(|chain| {
            chain.send_internal(&at(byte), &message).unwrap();
            chain.run().unwrap();
        });
    }

    /// Has the first signer propose a body that no verb would propose, given its number, and tells the number.
    async fn propose_by_hand(&self, body: impl FnOnce(QueryId) -> Cell) -> u64 {
        let governor = self.governor().await;
        let id = governor.next_id(0);
        self.by_hand(
            7,
            &ProposeFromSigner {
                query_id: QueryId::new(1),
                signer_index: 0,
                expires_at: governor.account.time + 30 * DAY,
                body: body(QueryId::new(id)),
            },
        );
        assert!(self.governor().await.proposals.contains_key(&id));
        id
    }

    /// Has a second signer approve what no verb would approve.
    async fn approve_by_hand(&self, proposal_id: u64) {
        let body_hash = *self.network().await.proposal(proposal_id).unwrap().1.body.repr_hash();
        self.by_hand(
            8,
            &ApproveFromSigner {
                query_id: QueryId::new(1),
                signer_index: 1,
                proposal_id,
                body_hash,
            },
        );
    }

    async fn network(&self) -> Network {
        Network::fetch(&self.stage.chain, &self.stage.root, None).await.unwrap()
    }

    async fn governor(&self) -> GovernorView {
        let network = self.network().await;
        network.governor().unwrap().clone()
    }

    async fn root(&self) -> RootState {
        RootState::fetch(&self.stage.chain, &self.stage.root).await.unwrap()
    }

    /// Has a change proposed by the first signer, and tells its number.
    async fn propose(&self, change: &Change) -> u64 {
        let outcome = self.run(7, &self.proposal(change.clone())).await.unwrap();
        assert_eq!(outcome.sent.len(), 1, "{outcome:?}");
        self.network().await.open(change).unwrap()
    }

    /// Proposes, approves, waits and executes.
    async fn decide(&self, change: &Change) {
        let id = self.propose(change).await;
        self.see_through(id).await;
    }

    /// The same with what no verb would propose.
    async fn decide_by_hand(&self, change: &Change) {
        let id = self.propose_by_hand(|number| change.body(number).unwrap()).await;
        self.see_through(id).await;
    }

    /// Approves, waits and executes.
    async fn see_through(&self, id: u64) {
        let approve = self.approval(&self.network().await, id);
        self.run(8, &approve).await.unwrap();
        let execute = self.execution(id);
        let waits = self.run(9, &execute).await.unwrap();
        if let Some(awaited) = waits.awaits {
            let now = self.governor().await.account.time;
            self.stage.advance(awaited.until.unwrap() - now);
            let done = self.run(9, &execute).await.unwrap();
            assert!(done.awaits.is_none() && done.sent.len() == 1, "{done:?}");
        }
        assert!(!self.governor().await.proposals.contains_key(&id));
    }
}
