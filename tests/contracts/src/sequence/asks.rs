//! What people ask of the contracts.

use crate::model::body::{
    Body, ClientAsk, ClientStep, ClientTold, Endpoints, RootAsk, Signed, SignedPart, Signer, WorkerAsk, WorkerStep,
};
use crate::model::root::Role;
use crate::model::signed::{CHARGE, CLOSE_PROXY, COMPLETE_CLOSE, GRANT, LAST_PAYOUT, PAYOUT};
use crate::model::{CLOSED, Contract};
use crate::sequence::rng::Rng;
use crate::sequence::run::Run;
use crate::sequence::setup::{CLIENT_OWNERS, PROXY_OWNER, ROOT_OWNER, STRANGER, WALLET_OWNER, WORKER_OWNERS};
use crate::sequence::step::{Ask, MOST_COINS, TON, any_mode};

/// Anything.
pub(crate) fn any(run: &mut Run, rng: &mut Rng) -> Ask {
    match rng.below(100) {
        0..=41 => client(run, rng),
        42..=63 => worker(run, rng),
        64..=81 => proxy(run, rng),
        82..=90 => root(run, rng),
        91..=94 => wallet(run, rng),
        _ => anything(run, rng),
    }
}

/// Amounts of all sizes, mostly a few TON.
fn amount(rng: &mut Rng) -> u128 {
    match rng.below(20) {
        0 => 0,
        1 => 1,
        2 => MOST_COINS,
        3 => 1 << 64,
        4 => u128::from(rng.below(100_000_000)),
        5..=7 => u128::from(rng.below(50)) * TON,
        _ => u128::from(rng.below(6_000_000_000)),
    }
}

/// A cumulative count, mostly beyond the one that is settled.
fn count(rng: &mut Rng, settled: u64) -> u64 {
    match rng.below(30) {
        0 => u64::MAX,
        1 => settled,
        2 => settled.saturating_sub(1 + rng.below(1_000_000)),
        3 => rng.next(),
        4 => rng.below(1000),
        5 => settled.saturating_add(1),
        6..=9 => settled.saturating_add(rng.below(3_000_000_000)),
        _ => settled.saturating_add(rng.below(120_000_000)),
    }
}

fn signed(run: &mut Run, rng: &mut Rng, op: u32, tokens: Option<u64>, to: &cocoon_bindings::ton::Address) -> Body {
    let query = run.next_query();
    let excesses = run.excesses(rng);
    let mut inner = SignedPart {
        op,
        query,
        tokens,
        expected: to.clone(),
        longer: false,
    };
    let mut signer = Signer::Proxy;
    match rng.below(40) {
        0 => inner.op = *rng.pick(&[CHARGE, GRANT, PAYOUT, LAST_PAYOUT]),
        1 => inner.query += 1,
        2 => inner.expected = run.any_contract(rng),
        3 => inner.longer = true,
        4 => signer = Signer::Stranger,
        5 => signer = Signer::Runner,
        _ => {}
    }
    // A payload of another kind has another length: only the kinds with a count are mixed up.
    if tokens.is_none() {
        inner.op = op;
    }
    Body::Signed(Signed {
        op,
        query,
        excesses,
        inner,
        signer,
    })
}

fn client(run: &mut Run, rng: &mut Rng) -> Ask {
    let place = rng.index(2);
    let (to, owner) = (run.net.places.clients[place].clone(), CLIENT_OWNERS[place].clone());
    let (settled, stake, state) = {
        let client = run.net.client(place);
        (client.tokens, client.stake, client.state)
    };
    let query = run.next_query();
    let excesses = run.excesses(rng);
    let mut moved = 0;
    let mut secret = [0; 32];
    secret[..8].copy_from_slice(&rng.next().to_be_bytes());
    let body = match rng.below(100) {
        0..=27 => {
            moved = amount(rng);
            Body::TopUp {
                query,
                amount: moved,
                excesses,
            }
        }
        28..=32 => {
            moved = amount(rng);
            Body::TopUpWithSecret {
                query,
                amount: moved,
                secret,
                excesses,
            }
        }
        33..=36 => {
            moved = amount(rng);
            Body::Reopen {
                query,
                amount: moved,
                excesses,
            }
        }
        37..=39 if state == CLOSED => {
            moved = amount(rng);
            Body::Reopen {
                query,
                amount: moved,
                excesses,
            }
        }
        37..=39 => Body::Register {
            query,
            nonce: rng.next(),
            excesses,
        },
        40..=42 => Body::ChangeSecret {
            query,
            secret,
            excesses,
        },
        43..=46 => {
            let stake = if rng.percent(70) {
                (stake + u128::from(rng.below(1_500_000_000))).min(MOST_COINS)
            } else {
                amount(rng)
            };
            Body::IncreaseStake { query, stake, excesses }
        }
        47..=55 => Body::Withdraw { query, excesses },
        56..=66 => Body::RequestRefund { query, excesses },
        67..=90 => {
            let tokens = count(rng, settled);
            signed(run, rng, CHARGE, Some(tokens), &to)
        }
        _ => {
            let tokens = count(rng, settled);
            signed(run, rng, GRANT, Some(tokens), &to)
        }
    };
    Ask {
        from: owner,
        to,
        moved,
        body,
    }
}

fn worker(run: &mut Run, rng: &mut Rng) -> Ask {
    let place = rng.index(2);
    let (to, from) = (run.net.places.workers[place].clone(), WORKER_OWNERS[place].clone());
    let settled = run.net.worker(place).tokens;
    let tokens = count(rng, settled);
    let body = match rng.below(20) {
        0..=14 => signed(run, rng, PAYOUT, Some(tokens), &to),
        15 | 16 => signed(run, rng, LAST_PAYOUT, Some(tokens), &to),
        _ => Body::RegisterWorker {
            query: run.next_query(),
            excesses: run.excesses(rng),
        },
    };
    Ask {
        from,
        to,
        moved: 0,
        body,
    }
}

fn proxy(run: &mut Run, rng: &mut Rng) -> Ask {
    let to = run.net.places.proxy.clone();
    let query = run.next_query();
    let excesses = run.excesses(rng);
    let mut moved = 0;
    let mut from = PROXY_OWNER;
    let body = match rng.below(40) {
        0..=13 => {
            moved = amount(rng);
            Body::IncreaseProxyStake {
                query,
                amount: moved,
                excesses,
            }
        }
        14..=20 => Body::WithdrawEarnings { query, excesses },
        21 | 22 => Body::CloseProxy { query, excesses },
        23 => signed(run, rng, CLOSE_PROXY, None, &to),
        24..=27 => signed(run, rng, COMPLETE_CLOSE, None, &to),
        28 => Body::Text(
            rng.pick(&[b"c".to_vec(), b"x".to_vec(), Vec::new(), b"cc".to_vec()])
                .clone(),
        ),
        29 | 30 => Body::Text(b"w".to_vec()),
        // Steps that no client or worker has made.
        _ => {
            from = STRANGER;
            let owner = run.anybody(rng);
            if rng.percent(60) {
                Body::ClientStep(forged_client_step(run, rng, owner))
            } else {
                let ask = WorkerAsk {
                    worker_part: amount(rng).min(1 << 100),
                    proxy_part: 5,
                    excesses,
                };
                let ask = rng.percent(90).then_some(ask);
                Body::WorkerStep(WorkerStep {
                    query,
                    owner,
                    state: 0,
                    tokens: rng.next(),
                    ask,
                })
            }
        }
    };
    Ask { from, to, moved, body }
}

fn forged_client_step(run: &mut Run, rng: &mut Rng, owner: cocoon_bindings::ton::Address) -> ClientStep {
    let (amount, excesses) = (amount(rng), run.excesses(rng));
    let ask = match rng.below(6) {
        0 => ClientAsk::TopUp { amount, excesses },
        1 | 2 => ClientAsk::Refund { amount, excesses },
        3 => ClientAsk::ForcedRefund { amount, excesses },
        4 => ClientAsk::Register { nonce: 1 },
        _ => ClientAsk::Unknown,
    };
    let told = ClientTold {
        state: 0,
        balance: amount,
        stake: 1,
        tokens: 5,
        secret: [1; 32],
    };
    ClientStep {
        query: run.next_query(),
        owner,
        told,
        ask: rng.percent(90).then_some(ask),
    }
}

fn root(run: &mut Run, rng: &mut Rng) -> Ask {
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
    let (price, fee) = (u128::from(rng.below(40)), u128::from(rng.below(30)));
    let delays = [3600, 7200].map(|most| u32::try_from(rng.below(most)).unwrap());
    let stakes = [amount(rng), amount(rng)];
    let seqno = u32::try_from(rng.below(u64::from(last) + 2)).unwrap();
    let ask = match rng.below(40) {
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

fn wallet(run: &mut Run, rng: &mut Rng) -> Ask {
    let to = run.net.places.wallet.clone();
    let body = match rng.below(10) {
        0..=4 => Body::WalletSend {
            query: run.next_query(),
            mode: any_mode(rng),
            message: Box::new(run.plain_outgoing(rng)),
        },
        5 => Body::Text(b"b".to_vec()),
        6 | 7 => Body::Text(b"u".to_vec()),
        8 => Body::Text(b"w".to_vec()),
        _ => Body::Empty,
    };
    Ask {
        from: WALLET_OWNER,
        to,
        moved: u128::from(rng.below(10)) * TON,
        body,
    }
}

/// What belongs nowhere.
fn anything(run: &mut Run, rng: &mut Rng) -> Ask {
    let query = run.next_query();
    let original = Box::new(Body::Withdraw {
        query,
        excesses: STRANGER,
    });
    let body = match rng.below(8) {
        0 | 1 => Body::Empty,
        2 => Body::Unknown { op: 0x0bad_0bad, query },
        3 => Body::Note { query },
        4 => Body::Excesses { query },
        5 => Body::Payout { query },
        6 => Body::Text(b"w".to_vec()),
        _ => Body::Damaged(Box::new(*original), crate::model::body::Damage::Longer),
    };
    Ask {
        from: run.anybody(rng),
        to: run.any_contract(rng),
        moved: 0,
        body,
    }
}

impl Run {
    /// A simple message for the wallet to send.
    fn plain_outgoing(&mut self, rng: &mut Rng) -> crate::model::body::Outgoing {
        let ask = if rng.percent(50) {
            client(self, rng)
        } else {
            proxy(self, rng)
        };
        crate::model::body::Outgoing {
            to: ask.to,
            value: ask.moved.min(100 * TON) + TON / 2,
            bounce: rng.percent(80),
            body: ask.body,
        }
    }

    /// Number of the wallet's next message.
    pub(crate) fn wallet_seqno(&self) -> u32 {
        match &self.net.contracts[&self.net.places.wallet] {
            Contract::Wallet(wallet) => wallet.seqno,
            _ => 0,
        }
    }
}
