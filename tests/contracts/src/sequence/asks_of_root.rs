//! What is asked of the root.

use crate::model::body::{Body, Endpoints, RootAsk, Signer};
use crate::model::root::{Descriptor, Role};
use crate::model::{Contract, Root};
use crate::sequence::asks::amount;
use crate::sequence::rng::Rng;
use crate::sequence::run::Run;
use crate::sequence::setup::{ROOT_OWNER, STRANGER};
use crate::sequence::step::Ask;

/// Anything that the owner may ask of the root.
pub(crate) fn root(run: &mut Run, rng: &mut Rng) -> Ask {
    let to = run.net.places.root.clone();
    let Contract::Root(root) = &run.net.contracts[&to] else {
        panic!("the root is a root")
    };
    let from = root.owner.clone();
    let state = root.clone();
    let code = root.code.clone();
    let last = root.last_proxy;
    let [proxy_code, worker_code, client_code] = root.terms.codes.clone().map(Option::unwrap_or_default);
    let role = *rng.pick(&[Role::Proxy, Role::Worker, Role::Model]);
    let hash = [u8::try_from(rng.below(6)).unwrap(); 32];
    let hash = match root_of(run).hashes[role as usize].keys().next() {
        Some(listed) if rng.percent(60) => *listed,
        _ => hash,
    };
    let (price, fee) = (u128::from(rng.below(40)), u128::from(rng.below(30)));
    let delays = [3600, 7200].map(|most| u32::try_from(rng.below(most)).unwrap());
    let stakes = [amount(rng), amount(rng)];
    let seqno = u32::try_from(rng.below(u64::from(last) + 2)).unwrap();
    let now = run.chain.now();
    let after = if rng.percent(25) {
        0
    } else {
        now + u32::try_from(rng.below(2000)).unwrap()
    };
    let ask = match rng.below(64) {
        40..=44 => RootAsk::AddImage {
            role,
            hash,
            commit: [1; 32],
            descriptor: descriptor(rng, now),
            signers: attesting(rng),
        },
        45 | 46 => RootAsk::AddModel {
            hash,
            descriptor: descriptor(rng, now),
        },
        47..=49 => {
            let descriptor = rng.percent(70).then(|| descriptor(rng, now));
            RootAsk::Describe { role, hash, descriptor }
        }
        50..=53 => RootAsk::Retirement {
            role,
            hash,
            after: after.saturating_sub(20),
        },
        54..=56 => RootAsk::Retire { role, hash },
        57 | 58 => {
            let all = [Signer::Proxy, Signer::Runner, Signer::Stranger].map(Signer::public);
            let keys: Vec<_> = all.into_iter().take(rng.index(4)).collect();
            RootAsk::Rebuilders {
                threshold: u8::try_from(rng.below(4)).unwrap(),
                keys,
            }
        }
        59..=61 => RootAsk::Offer {
            to: run.anybody(rng),
            until: after,
        },
        62 | 63 => {
            let offered = root_of(run).offer.as_ref().map_or(STRANGER, |(to, _)| to.clone());
            return Ask {
                from: offered,
                to,
                moved: 0,
                body: Body::Root {
                    query: run.next_query(),
                    ask: RootAsk::Accept,
                },
            };
        }
        0..=9 => RootAsk::Add(role, hash),
        10..=14 => RootAsk::Delete(role, hash),
        15..=18 => RootAsk::RegisterProxy(endpoints(rng)),
        19 | 20 => RootAsk::UnregisterProxy(seqno),
        21..=23 => RootAsk::UpdateProxy(seqno, endpoints(rng)),
        24..=27 => RootAsk::Prices { price, fee },
        28 | 29 => RootAsk::Params {
            price,
            fee,
            delays,
            stakes,
        },
        30 | 31 => {
            let weights = [1, 2, 3, 4].map(|least| u32::try_from(least * 1000 + rng.below(20_000)).unwrap());
            RootAsk::AllParams {
                price,
                fee,
                weights,
                delays,
                stakes,
            }
        }
        32 => RootAsk::Codes([worker_code, client_code, proxy_code]),
        33 => RootAsk::UpgradeCode(code),
        34 => RootAsk::UpgradeFull { state, code },
        35 => RootAsk::Reset,
        _ => RootAsk::ChangeOwner(if rng.percent(50) { ROOT_OWNER } else { run.anybody(rng) }),
    };
    Ask {
        from,
        to,
        moved: 0,
        body: Body::Root {
            query: run.next_query(),
            ask,
        },
    }
}

fn root_of(run: &Run) -> &Root {
    let Contract::Root(root) = &run.net.contracts[&run.net.places.root] else {
        panic!("the root is a root")
    };
    root
}

fn descriptor(rng: &mut Rng, now: u32) -> Descriptor {
    let soon = |rng: &mut Rng| {
        now.saturating_add(u32::try_from(rng.below(2000)).unwrap())
            .saturating_sub(500)
    };
    let longest = if rng.percent(90) { 32 } else { 36 };
    Descriptor {
        known: !rng.percent(4),
        manifest: 7,
        not_before: if rng.percent(50) { 0 } else { soon(rng) },
        retire_after: if rng.percent(50) { 0 } else { soon(rng) },
        label: vec![b'a'; rng.index(longest)],
        longer: rng.percent(4),
    }
}

/// Who signs that an image is what its sources build, rightly or not.
fn attesting(rng: &mut Rng) -> Vec<(Signer, bool)> {
    let mut attestations = Vec::new();
    for signer in [Signer::Proxy, Signer::Runner, Signer::Stranger] {
        if rng.percent(60) {
            attestations.push((signer, rng.percent(90)));
        }
    }
    attestations
}

fn endpoints(rng: &mut Rng) -> Endpoints {
    let text = rng
        .pick(&["10.0.0.1:8080", "10.0.0.1:1 10.0.0.2:2", ""])
        .as_bytes()
        .to_vec();
    let length = u8::try_from(text.len()).unwrap();
    Endpoints {
        kind: rng.percent(6),
        length: if rng.percent(8) { length + 1 } else { length },
        text,
    }
}
