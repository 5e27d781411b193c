//! What may happen, in no particular order.

use cocoon_bindings::governance::member_dictionary;
use cocoon_bindings::governor::{ChangeCouncil, ChangeDelays, ChangeSigners, LiftPause, WithdrawSurplus};
use cocoon_bindings::root::{AddWorkerHashFromOwner, ChangePricesFromOwner, DeleteWorkerHashFromOwner, ResetFromOwner};
use cocoon_bindings::ton::Cell;
use cocoon_bindings::{Nanoton, QueryId};
use cocoon_contract_tests::{COUNCIL, DAY, EXCESSES, HOUR, MAX_PAUSE, SIGNERS, body, ton};
use proptest::prelude::*;

use crate::governor::HASH;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::governor) enum Kind {
    Add,
    Delete,
    BadPrices,
    Reset,
    Lift,
    Signers(u8),
    Council,
    Delays(u32),
    Surplus,
}

impl Kind {
    pub(super) fn body(self, query_id: QueryId) -> Cell {
        match self {
            Self::Add => body(&AddWorkerHashFromOwner { query_id, hash: HASH }),
            Self::Delete => body(&DeleteWorkerHashFromOwner { query_id, hash: HASH }),
            Self::BadPrices => body(&ChangePricesFromOwner {
                query_id,
                price_per_token: Nanoton::new(1),
                worker_fee_per_token: Nanoton::new(2),
            }),
            Self::Reset => body(&ResetFromOwner { query_id }),
            Self::Lift => body(&LiftPause { query_id }),
            Self::Signers(threshold) => body(&ChangeSigners {
                query_id,
                threshold,
                revoke_threshold: 1,
                signers: member_dictionary(&(0..).zip(SIGNERS).collect()).unwrap(),
            }),
            Self::Council => body(&ChangeCouncil {
                query_id,
                council: member_dictionary(&(0..).zip(COUNCIL).collect()).unwrap(),
            }),
            Self::Delays(hours) => body(&ChangeDelays {
                query_id,
                change_delay: hours * HOUR,
                critical_delay: 2 * hours * HOUR,
            }),
            Self::Surplus => body(&WithdrawSurplus {
                query_id,
                to: EXCESSES,
                amount: ton("0.001"),
            }),
        }
    }

    pub(super) fn within_councils_reach(self) -> bool {
        !matches!(self, Self::Delete | Self::Lift | Self::Council)
    }

    pub(super) fn goes_to_root(self) -> bool {
        matches!(self, Self::Add | Self::Delete | Self::BadPrices | Self::Reset)
    }
}

/// One thing that somebody does, or the chain. Senders and the indices that they claim are independent.
#[derive(Debug, Clone)]
pub(in crate::governor) enum Step {
    Propose(usize, u8, Kind, u32),
    Approve(usize, u8, usize, bool),
    TakeBack(usize, u8, usize),
    Drop(usize, u8, usize),
    Cancel(usize, u8, usize),
    Pause(usize, u8, u32),
    Execute(usize, usize, u64),
    Purge(usize, usize),
    Wait(u32),
    Deliver(usize),
}

pub(super) fn any_kind() -> impl Strategy<Value = Kind> {
    prop_oneof![
        3 => Just(Kind::Add),
        2 => Just(Kind::Delete),
        2 => Just(Kind::BadPrices),
        1 => Just(Kind::Reset),
        2 => Just(Kind::Lift),
        1 => (0..5u8).prop_map(Kind::Signers),
        1 => Just(Kind::Council),
        1 => (0..4u32).prop_map(Kind::Delays),
        1 => Just(Kind::Surplus),
    ]
}

pub(in crate::governor) fn any_step() -> impl Strategy<Value = Step> {
    // Mostly the signer who holds the index; sometimes another one, the council or a stranger.
    let signer = || prop_oneof![9 => (0..3usize).prop_map(|s| (s, s as u8)), 1 => (0..6usize, 0..4u8)];
    let member = || prop_oneof![4 => (0..2usize).prop_map(|m| (3 + m, m as u8)), 1 => (0..6usize, 0..3u8)];
    prop_oneof![
        4 => (signer(), any_kind(), prop_oneof![4 => Just(30 * DAY), 1 => 0..100 * DAY])
            .prop_map(|((who, index), kind, lifetime)| Step::Propose(who, index, kind, lifetime)),
        8 => (signer(), 0..6usize, prop::bool::weighted(0.95))
            .prop_map(|((who, index), which, exact)| Step::Approve(who, index, which, exact)),
        1 => (signer(), 0..6usize).prop_map(|((who, index), which)| Step::TakeBack(who, index, which)),
        1 => (signer(), 0..6usize).prop_map(|((who, index), which)| Step::Drop(who, index, which)),
        1 => (member(), 0..6usize).prop_map(|((who, index), which)| Step::Cancel(who, index, which)),
        1 => (member(), prop_oneof![4 => 1..=MAX_PAUSE, 1 => any::<u32>()])
            .prop_map(|((who, index), duration)| Step::Pause(who, index, duration)),
        8 => (0..6usize, 0..6usize, prop_oneof![9 => Just(500u64), 1 => 0..400u64])
            .prop_map(|(who, which, milli)| Step::Execute(who, which, milli)),
        1 => (0..6usize, 0..6usize).prop_map(|(who, which)| Step::Purge(who, which)),
        5 => prop_oneof![4 => 1..2 * DAY, 1 => 1..20 * DAY].prop_map(Step::Wait),
        6 => (0..3usize).prop_map(Step::Deliver),
    ]
}
