//! What signers and council ask of the governor.

use std::collections::BTreeMap;

use cocoon_bindings::ton::Address;

use crate::model::Contract;
use crate::model::body::{Body, GovernAsk, GovernorOwn};
use crate::model::governor::Governor;
use crate::sequence::asks_of_root;
use crate::sequence::rng::Rng;
use crate::sequence::run::Run;
use crate::sequence::setup::{PEOPLE, STRANGER};
use crate::sequence::step::{Ask, TON};

fn governor(run: &Run) -> &Governor {
    let Contract::Governor(governor) = &run.net.contracts[&run.net.places.governor] else {
        panic!("the governor is a governor")
    };
    governor
}

/// One of the members: its index and its address.
fn member(list: &BTreeMap<u8, Address>, rng: &mut Rng) -> (u8, Address) {
    let place = rng.index(list.len().max(1));
    list.iter()
        .nth(place)
        .map_or((0, STRANGER), |(index, member)| (*index, member.clone()))
}

/// Anything that a signer or a member of the council may ask.
pub(crate) fn govern(run: &mut Run, rng: &mut Rng) -> Ask {
    let to = run.net.places.governor.clone();
    let query = run.next_query();
    let known = governor(run);
    let (signer, mut from) = member(&known.config.signers, rng);
    let (councillor, council) = member(&known.config.council, rng);
    let open: Vec<u64> = known.proposals.keys().copied().collect();
    let id = if open.is_empty() || rng.percent(4) {
        rng.below(200)
    } else {
        *rng.pick(&open)
    };
    let mut moved = 0;
    let choice = if open.is_empty() && rng.percent(80) {
        0
    } else {
        rng.below(40)
    };
    let ask = match choice {
        0..=11 => {
            moved = TON;
            propose(run, rng, signer)
        }
        12..=20 => {
            let body = known
                .proposals
                .get(&id)
                .map_or(Body::Empty, |proposal| proposal.body.clone());
            let body = if rng.percent(4) { Body::Empty } else { body };
            GovernAsk::Approve {
                signer,
                id,
                body: Box::new(body),
            }
        }
        21..=32 => {
            moved = TON / 2;
            from = run.anybody(rng);
            GovernAsk::Execute { id }
        }
        33 | 34 => GovernAsk::WithdrawApproval { signer, id },
        35 => GovernAsk::Cancel {
            signer: u8::try_from(id % 32).unwrap(),
            id,
        },
        36 => {
            from = council;
            GovernAsk::Veto { member: councillor, id }
        }
        37 => {
            from = council;
            let duration = u32::try_from(rng.below(4 * 86_400)).unwrap();
            GovernAsk::Pause {
                member: councillor,
                duration,
            }
        }
        _ => GovernAsk::Purge { id },
    };
    Ask {
        from,
        to,
        moved,
        body: Body::Govern { query, ask },
    }
}

fn propose(run: &mut Run, rng: &mut Rng, signer: u8) -> GovernAsk {
    let made = governor(run).proposers.get(&signer).map_or(0, |(made, _)| *made);
    let id = u64::from(made + 1) * 32 + u64::from(signer);
    let id = if rng.percent(4) { id + 32 } else { id };
    let body = if rng.percent(60) {
        match asks_of_root::root(run, rng).body {
            Body::Root { ask, .. } => Body::Root { query: id, ask },
            body => body,
        }
    } else {
        Body::GovernorOwn { id, own: own(rng) }
    };
    let life = match rng.below(10) {
        0 => rng.below(100),
        1 => rng.below(100 * 86_400),
        _ => 5 * 86_400 + rng.below(80 * 86_400),
    };
    let expires = run.chain.now().saturating_add(u32::try_from(life).unwrap());
    GovernAsk::Propose {
        signer,
        expires,
        body: Box::new(body),
    }
}

fn own(rng: &mut Rng) -> GovernorOwn {
    let list = |rng: &mut Rng, limit: u64| -> BTreeMap<u8, Address> {
        let count = rng.below(5);
        let mut one = || (u8::try_from(rng.below(limit)).unwrap(), rng.pick(&PEOPLE).0.clone());
        (0..count).map(|_| one()).collect()
    };
    match rng.below(10) {
        0..=2 => {
            let (revoke, more) = (rng.below(3), rng.below(3));
            let [revoke, threshold] = [revoke, revoke + more].map(|count| u8::try_from(count).unwrap());
            GovernorOwn::Signers {
                threshold,
                revoke,
                signers: list(rng, 34),
            }
        }
        3 | 4 => GovernorOwn::Council(list(rng, 17)),
        5 | 6 => GovernorOwn::Delays([3_500, 3_600].map(|least| least + u32::try_from(rng.below(9_000)).unwrap())),
        7 => GovernorOwn::LiftPause,
        _ => GovernorOwn::Surplus {
            to: rng.pick(&PEOPLE).0.clone(),
            amount: u128::from(rng.below(1_200_000_000)),
        },
    }
}
