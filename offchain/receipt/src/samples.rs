//! Receipts for the tests of this crate.

use cocoon_bindings::tokens::{TokenCounts, TokensUsed};
use cocoon_bindings::ton::{Address, HashBytes};
use cocoon_bindings::units::{Coefficient, ModelHash, ParamsVersion};
use proptest::prelude::*;

use crate::channel::ChannelLink;
use crate::finish::FinishReason;
use crate::receipt::Receipt;
use crate::statement::{Timing, WorkStatement};

pub(crate) fn address(tag: u8) -> Address {
    Address::new(0, HashBytes([tag; 32]))
}

/// A fixed statement; the golden vectors are made of it.
pub(crate) fn statement() -> WorkStatement {
    WorkStatement {
        root: address(1),
        params_version: ParamsVersion::new(3),
        proxy: address(2),
        worker: address(3),
        client: HashBytes([4; 32]),
        request_id: HashBytes([5; 32]),
        channel: ChannelLink {
            seqno: 7,
            previous: HashBytes([6; 32]),
            before: 1000,
            after: 1200,
        },
        request_hash: HashBytes([7; 32]),
        response_hash: HashBytes([8; 32]),
        sampling_hash: HashBytes([9; 32]),
        seed: 42,
        model: ModelHash::new([10; 32]),
        worker_evidence: HashBytes([11; 32]),
        counts: Some(TokenCounts {
            prompt: 34,
            cached: 11,
            completion: 100,
            reasoning: 10,
        }),
        used: TokensUsed {
            prompt: 34,
            cached: 16,
            completion: 135,
            reasoning: 15,
            total: 200,
        },
        coefficient: Coefficient::new(1500),
        timing: Timing {
            started_ms: 1_000_000,
            first_token_ms: 1_000_040,
            finished_ms: 1_000_900,
        },
        finish: FinishReason::Stop,
    }
}

pub(crate) fn receipt() -> Receipt {
    Receipt {
        statement: statement(),
        client: address(12),
        request_id: HashBytes([13; 32]),
        channel: ChannelLink {
            seqno: 3,
            previous: HashBytes([14; 32]),
            before: 400,
            after: 600,
        },
        proxy_evidence: HashBytes([15; 32]),
    }
}

fn any_hash() -> impl Strategy<Value = HashBytes> {
    any::<[u8; 32]>().prop_map(HashBytes)
}

fn any_address() -> impl Strategy<Value = Address> {
    (any::<i8>(), any_hash()).prop_map(|(workchain, hash)| Address::new(workchain, hash))
}

fn any_link(charged: u64) -> impl Strategy<Value = ChannelLink> {
    (1u64.., any_hash(), 0..=u64::MAX - charged).prop_map(move |(seqno, previous, before)| ChannelLink {
        seqno,
        previous,
        before,
        after: before + charged,
    })
}

fn any_counts() -> impl Strategy<Value = TokenCounts> {
    any::<[u64; 4]>().prop_map(|[a, b, c, d]| TokenCounts {
        prompt: a.max(b),
        cached: a.min(b),
        completion: c.max(d),
        reasoning: c.min(d),
    })
}

pub(crate) fn any_statement() -> impl Strategy<Value = WorkStatement> {
    let used =
        [0u64..1 << 61, 0..1 << 61, 0..1 << 61, 0..1 << 61].prop_map(|[prompt, cached, completion, reasoning]| {
            let total = prompt + cached + completion + reasoning;
            TokensUsed {
                prompt,
                cached,
                completion,
                reasoning,
                total,
            }
        });
    let charge = used.prop_flat_map(|used| (Just(used), 0..=used.total));
    let charge = charge.prop_flat_map(|(used, charged)| (Just(used), any_link(charged)));
    let ids = (
        [any_address(), any_address(), any_address()],
        prop::array::uniform7(any_hash()),
    );
    let finish = prop::sample::select(FinishReason::ALL.to_vec());
    let numbers = (any::<u32>(), any::<u32>(), any::<u64>(), any::<[u64; 3]>());
    (charge, ids, finish, numbers, prop::option::of(any_counts())).prop_map(
        |(
            (used, channel),
            ([root, proxy, worker], hashes),
            finish,
            (version, coefficient, seed, mut times),
            counts,
        )| {
            times.sort_unstable();
            let [
                client,
                request_id,
                request_hash,
                response_hash,
                sampling_hash,
                model,
                worker_evidence,
            ] = hashes;
            WorkStatement {
                root,
                params_version: ParamsVersion::new(version),
                proxy,
                worker,
                client,
                request_id,
                channel,
                request_hash,
                response_hash,
                sampling_hash,
                seed,
                model: ModelHash::from(model),
                worker_evidence,
                counts,
                used,
                coefficient: Coefficient::new(coefficient),
                timing: Timing {
                    started_ms: times[0],
                    first_token_ms: times[1],
                    finished_ms: times[2],
                },
                finish,
            }
        },
    )
}

pub(crate) fn any_receipt() -> impl Strategy<Value = Receipt> {
    any_statement().prop_flat_map(|statement| {
        let charged = statement.charged();
        (
            Just(statement),
            any_address(),
            any_hash(),
            any_link(charged),
            any_hash(),
        )
            .prop_map(|(statement, client, request_id, channel, proxy_evidence)| Receipt {
                statement,
                client,
                request_id,
                channel,
                proxy_evidence,
            })
    })
}
