//! What people ask of the contracts.

use cocoon_bindings::ton::Address;

use crate::model::body::{
    Body, Claim, ClientAsk, ClientStep, ClientTold, Receipt, Score, Signed, SignedCheckpoint, SignedPart, Signer,
    Statement, WorkerAsk, WorkerStep,
};
use crate::model::signed::{CHARGE, CLOSE_PROXY, COMPLETE_CLOSE, GRANT, LAST_PAYOUT, PAYOUT};
use crate::model::{CLOSED, Contract};
use crate::sequence::asks_of_root::root;
use crate::sequence::govern;
use crate::sequence::rng::Rng;
use crate::sequence::run::Run;
use crate::sequence::setup::{CLIENT_OWNERS, PROXY_OWNER, STRANGER, WALLET_OWNER, WORKER_OWNERS};
use crate::sequence::step::{Ask, MOST_COINS, TON, any_mode};

/// Anything.
pub(crate) fn any(run: &mut Run, rng: &mut Rng) -> Ask {
    if run.governing && rng.percent(80) {
        return if rng.percent(25) {
            root(run, rng)
        } else {
            govern::govern(run, rng)
        };
    }
    match rng.below(100) {
        99 => govern::govern(run, rng),
        0..=41 => client(run, rng),
        42..=63 => worker(run, rng),
        64..=81 => proxy(run, rng),
        82..=90 => root(run, rng),
        91..=94 => wallet(run, rng),
        _ => anything(run, rng),
    }
}

/// Amounts of all sizes, mostly a few TON.
pub(crate) fn amount(rng: &mut Rng) -> u128 {
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

fn signed(run: &mut Run, rng: &mut Rng, op: u32, tokens: Option<u64>, to: &Address) -> Body {
    let query = run.next_query();
    let excesses = run.excesses(rng);
    let mut inner = SignedPart {
        op,
        query,
        tokens,
        expected: to.clone(),
        longer: false,
        score: None,
    };
    let mut signer = Signer::Proxy;
    match rng.below(40) {
        0 => inner.op = *rng.pick(&[CHARGE, GRANT, PAYOUT, LAST_PAYOUT]),
        1 => inner.query += 1,
        2 => inner.expected = run.any_contract(rng),
        3 => inner.longer = true,
        4 => signer = Signer::Stranger,
        5 => signer = Signer::Runner,
        6..=11 => inner.score = Some(score(rng)),
        12..=19 if [PAYOUT, LAST_PAYOUT].contains(&op) => inner.score = Some(score(rng)),
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

fn score(rng: &mut Rng) -> Score {
    Score {
        requests: rng.below(20),
        failures: rng.below(5),
        longer: rng.percent(8),
    }
}

/// A claim by what the proxy signed, mostly right.
fn claim(run: &mut Run, rng: &mut Rng, after: u64, client: Option<&Address>, worker: &Address) -> Body {
    let mut statement = Statement {
        known: true,
        version: 1,
        proxy: run.net.places.proxy.clone(),
        worker: worker.clone(),
        after,
    };
    let mut receipt = client.map(|client| Receipt {
        known: true,
        version: 1,
        client: client.clone(),
        after,
    });
    let mut signer = Signer::Proxy;
    match rng.below(30) {
        0 => statement.known = false,
        1 => statement.version = 2,
        2 => statement.proxy = run.any_contract(rng),
        3 => statement.worker = run.any_contract(rng),
        4 => signer = Signer::Stranger,
        5 => {
            receipt = receipt.map(|receipt| Receipt {
                client: run.any_contract(rng),
                ..receipt
            })
        }
        6 => {
            receipt = receipt.map(|receipt| Receipt {
                known: false,
                ..receipt
            })
        }
        7 => receipt = receipt.map(|receipt| Receipt { version: 0, ..receipt }),
        8 => statement.after = rng.next(),
        _ => {}
    }
    let (query, excesses) = (run.next_query(), run.excesses(rng));
    Body::Claim(Box::new(Claim {
        query,
        excesses,
        receipt,
        statement,
        signer,
    }))
}

/// A checkpoint of the proxy's log, mostly one that follows.
fn checkpoint(run: &mut Run, rng: &mut Rng) -> SignedCheckpoint {
    let last = run.net.proxy().anchor.clone();
    let (seqno, size, time) = last.map_or((1, 10, 100), |last| (last.seqno, last.size, last.time));
    let near = |rng: &mut Rng, value: u64| match rng.below(12) {
        0 => value.saturating_sub(1),
        1..=3 => value,
        4 => u64::MAX,
        _ => value.saturating_add(1 + rng.below(5)),
    };
    let mut signed = SignedCheckpoint {
        known: true,
        proxy: run.net.places.proxy.clone(),
        seqno: near(rng, seqno),
        size: near(rng, size),
        tree: u8::try_from(rng.below(3)).unwrap(),
        time: near(rng, time),
        longer: false,
        signer: Signer::Proxy,
    };
    match rng.below(30) {
        0 => signed.known = false,
        1 => signed.proxy = run.any_contract(rng),
        2 => signed.longer = true,
        3 => signed.signer = Signer::Stranger,
        _ => {}
    }
    signed
}

fn client(run: &mut Run, rng: &mut Rng) -> Ask {
    let place = rng.index(2);
    let (to, owner) = (run.net.places.clients[place].clone(), CLIENT_OWNERS[place].clone());
    let (settled, stake, state, claimed) = {
        let client = run.net.client(place);
        (
            client.tokens,
            client.stake,
            client.state,
            client.claim.is_some_and(|(tokens, _)| tokens > client.tokens),
        )
    };
    let query = run.next_query();
    let excesses = run.excesses(rng);
    let mut moved = 0;
    let mut secret = [0; 32];
    secret[..8].copy_from_slice(&rng.next().to_be_bytes());
    let body = match rng.below(100) {
        0..=19 if claimed => Body::SettleClaim { query, excesses },
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
        67..=85 => {
            let tokens = count(rng, settled);
            signed(run, rng, CHARGE, Some(tokens), &to)
        }
        86..=88 => {
            let tokens = count(rng, settled);
            let worker = run.net.places.workers[rng.index(2)].clone();
            claim(run, rng, tokens, Some(&to), &worker)
        }
        89..=91 => Body::SettleClaim { query, excesses },
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
    let claimed = run.net.worker(place).claim.is_some_and(|(tokens, _)| tokens > settled);
    let tokens = count(rng, settled);
    let body = match rng.below(20) {
        0..=4 if claimed => Body::SettleClaim {
            query: run.next_query(),
            excesses: run.excesses(rng),
        },
        0..=11 => signed(run, rng, PAYOUT, Some(tokens), &to),
        12 | 13 => signed(run, rng, LAST_PAYOUT, Some(tokens), &to),
        14 | 15 => claim(run, rng, tokens, None, &to),
        16 | 17 => Body::SettleClaim {
            query: run.next_query(),
            excesses: run.excesses(rng),
        },
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
    let body = match rng.below(52) {
        40..=44 => Body::Anchor {
            query,
            excesses,
            signed: checkpoint(run, rng),
        },
        45..=49 => {
            let evidence = Box::new([checkpoint(run, rng), checkpoint(run, rng)]);
            Body::ReportEquivocation {
                query,
                reporter: excesses,
                evidence,
            }
        }
        50 | 51 => Body::ReclaimStake { query, excesses },
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

fn forged_client_step(run: &mut Run, rng: &mut Rng, owner: Address) -> ClientStep {
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
