use super::*;
use crate::ton::{boc_bytes, parse_address, parse_boc};
use crate::worker::LatencyBuckets;
use proptest::prelude::*;

/// A client's and a worker's payment as a deployed proxy sent them, and its key
/// (shared test data: wire/verified-vectors.txt, ports 11102 and 11101).
const PROXY_KEY: &str = "559087582b7e5ea2b2b986c258e0067b806a59b154e955decf00429610eab095";
const CLIENT_PAYMENT: &str = "b5ee9c720101020100a90001dbbb63ff931e1b59c0502171268002e34ad0278342595f291a3820c55e\
    978049cbde922b93153380ccc585426a643aea8077074b14ca551ea0d718d5862e2a077876d582c0798c9826e3550c7907f62505c47aa7\
    6b6a87dc9b2ef4f86698bf97b51ef20834768a1ea7a2408746019001006bbb63ff931e1b59c05021712600000000000000008010014668\
    a5b1c01591f32ea1600d66200b71a9578f92a400b582c3ed2dd4e01ab0";
const WORKER_PAYMENT: &str = "b5ee9c720101020100a90001dba040ad2899c84f7045237c708002e34ad0278342595f291a3820c55e\
    978049cbde922b93153380ccc585426a6420bf101efb2aaa671325114d12d894cb4154834b8423e482ec5df24ac7a2ac84fc5161a9797fb\
    fe2531efb28b26032aa0ece78d2720820302b968ad33ce9e2e05001006ba040ad2899c84f7045237c70000000000000000080196c0d0a23\
    9b52f55c52e4b59d91980a8a42bdb333f9b44dc6ff7f6676d3079a30";

#[test]
fn payments_of_a_deployed_proxy_are_read_verified_and_written_back() {
    let cases = [
        (
            CLIENT_PAYMENT,
            VoucherOp::ClientCharge,
            "UQCACjNFLY4ArI-ZdQsAazEAW41KvHyVIAWsFh9pbqcA1f12",
        ),
        (
            WORKER_PAYMENT,
            VoucherOp::WorkerPayout,
            "UQDLYGhRHNqXquKXJazsjMBUUhXtmZ_Nom43-_sztpg80bUO",
        ),
    ];
    let key: PublicKey = PROXY_KEY.parse().unwrap();
    for (hex, op, address) in cases {
        let bytes = hex::decode(hex).unwrap();
        let voucher = SignedVoucher::from_cell(&parse_boc(&bytes).unwrap()).unwrap();
        let contract = parse_address(address).unwrap();
        assert_eq!((voucher.op(), voucher.tokens()), (op, TokenCount::ZERO));
        voucher.verify(&key, &contract).unwrap();
        assert_eq!(boc_bytes(&voucher.to_cell().unwrap()), bytes);
        assert!(matches!(
            voucher.verify(&key, voucher.excesses()),
            Err(BindingsError::OtherContract)
        ));
        assert!(matches!(
            voucher.verify(&PublicKey::new([1; 32]), &contract),
            Err(BindingsError::Signature)
        ));
    }
}

fn any_address() -> impl Strategy<Value = Address> {
    any::<[u8; 32]>().prop_map(|hash| Address::new(0, hash.into()))
}

fn any_score() -> impl Strategy<Value = WorkerScore> {
    (any::<[u64; 3]>(), any::<[u32; 8]>()).prop_map(|([requests, failures, tokens], counts)| {
        let [
            within100_ms,
            within250_ms,
            within500_ms,
            within1_s,
            within2500_ms,
            within5_s,
            within10_s,
            later,
        ] = counts;
        WorkerScore {
            requests,
            failures,
            tokens: TokenCount::new(tokens),
            latency: LatencyBuckets {
                within100_ms,
                within250_ms,
                within500_ms,
                within1_s,
                within2500_ms,
                within5_s,
                within10_s,
                later,
            },
        }
    })
}

/// The same voucher with something else in its payload.
fn with_payload(voucher: &SignedVoucher, extend: impl Fn(&mut CellBuilder)) -> Cell {
    let cell = voucher.to_cell().unwrap();
    let mut payload = CellBuilder::new();
    payload
        .store_slice(cell.reference(0).unwrap().as_slice().unwrap())
        .unwrap();
    extend(&mut payload);
    let mut message = CellBuilder::from_raw_data(cell.data(), cell.bit_len()).unwrap();
    message.store_reference(payload.build().unwrap()).unwrap();
    message.build().unwrap()
}

#[test]
fn nothing_but_a_score_may_follow_the_address() {
    let key = SigningKey::from_bytes(&[7; 32]);
    let contract = Address::new(0, [3; 32].into());
    let sign = |op| SignedVoucher::sign(op, QueryId::new(5), TokenCount::new(6), &contract, &contract, &key).unwrap();
    let score = to_cell(&WorkerScore::EMPTY).unwrap();
    let longer = {
        let mut builder = CellBuilder::new();
        builder.store_slice(score.as_slice().unwrap()).unwrap();
        builder.store_bit_one().unwrap();
        builder.build().unwrap()
    };
    let payout = sign(VoucherOp::WorkerPayout);
    let extended = with_payload(&payout, |payload| payload.store_reference(score.clone()).unwrap());
    assert_eq!(
        SignedVoucher::from_cell(&extended).unwrap().score(),
        Some(&WorkerScore::EMPTY)
    );
    let refused = [
        with_payload(&payout, |payload| payload.store_bit_one().unwrap()),
        with_payload(&payout, |payload| payload.store_reference(longer.clone()).unwrap()),
        with_payload(&payout, |payload| {
            payload.store_reference(score.clone()).unwrap();
            payload.store_reference(score.clone()).unwrap();
        }),
        with_payload(&sign(VoucherOp::ClientCharge), |payload| {
            payload.store_reference(score.clone()).unwrap()
        }),
    ];
    for cell in refused {
        assert!(SignedVoucher::from_cell(&cell).is_err());
    }
}

proptest! {
    #[test]
    fn a_voucher_survives_a_round_trip_and_a_new_submitter(
        seed in any::<[u8; 32]>(), query_id in any::<u64>(), tokens in any::<u64>(),
        contract in any_address(), first in any_address(), second in any_address(), op in 0usize..4,
    ) {
        let ops = [
            VoucherOp::ClientCharge, VoucherOp::WorkerPayout, VoucherOp::ClientRefund, VoucherOp::WorkerLastPayout,
        ];
        let key = SigningKey::from_bytes(&seed);
        let (query_id, tokens) = (QueryId::new(query_id), TokenCount::new(tokens));
        let signed = SignedVoucher::sign(ops[op], query_id, tokens, &contract, &first, &key).unwrap();
        let read = SignedVoucher::from_cell(&signed.to_cell().unwrap()).unwrap();
        prop_assert_eq!(&read, &signed);
        read.with_excesses(&second).verify(&PublicKey::from(&key), &contract).unwrap();
        prop_assert_eq!(VoucherOp::from_opcode(ops[op].opcode()), Some(ops[op]));
    }

    #[test]
    fn a_score_is_signed_with_the_payout_and_survives_a_round_trip(
        seed in any::<[u8; 32]>(), contract in any_address(), excesses in any_address(), score in any_score(),
    ) {
        let key = SigningKey::from_bytes(&seed);
        let (query, tokens) = (QueryId::new(5), TokenCount::new(6));
        for op in [VoucherOp::WorkerPayout, VoucherOp::WorkerLastPayout] {
            let plain = SignedVoucher::sign(op, query, tokens, &contract, &excesses, &key).unwrap();
            let scored =
                SignedVoucher::sign_with_score(op, query, tokens, &contract, &excesses, score.clone(), &key).unwrap();
            let read = SignedVoucher::from_cell(&scored.to_cell().unwrap()).unwrap();
            prop_assert_eq!(&read, &scored);
            prop_assert_eq!(read.score(), Some(&score));
            read.verify(&PublicKey::from(&key), &contract).unwrap();
            // The signature of the one is not that of the other.
            let stripped = SignedVoucher { score: None, ..scored };
            prop_assert!(stripped.verify(&PublicKey::from(&key), &contract).is_err());
            prop_assert_eq!(plain.score(), None);
        }
        for op in [VoucherOp::ClientCharge, VoucherOp::ClientRefund] {
            let refused = SignedVoucher::sign_with_score(op, query, tokens, &contract, &excesses, score.clone(), &key);
            prop_assert!(refused.is_err());
        }
    }

    #[test]
    fn a_closing_survives_a_round_trip(seed in any::<[u8; 32]>(), query in any::<u64>(), proxy in any_address()) {
        let key = SigningKey::from_bytes(&seed);
        for op in [CloseOp::Request, CloseOp::Complete] {
            let signed = SignedClose::sign(op, QueryId::new(query), &proxy, &proxy, &key).unwrap();
            let read = SignedClose::from_cell(&signed.to_cell().unwrap()).unwrap();
            read.verify(&PublicKey::from(&key), &proxy).unwrap();
            prop_assert_eq!(read, signed);
        }
    }

    #[test]
    fn one_flipped_bit_never_verifies(bit in 0usize..1302, seed in any::<[u8; 32]>()) {
        let key = SigningKey::from_bytes(&seed);
        let contract = Address::new(0, [3; 32].into());
        let excesses = Address::new(0, [4; 32].into());
        let (query, tokens) = (QueryId::new(5), TokenCount::new(6));
        let cell =
            SignedVoucher::sign(VoucherOp::ClientCharge, query, tokens, &contract, &excesses, &key)
                .unwrap().to_cell().unwrap();
        let flipped = flip(&cell, bit);
        // Bits 96 to 362 say where the excesses go: unsigned by design.
        if let Ok(voucher) = SignedVoucher::from_cell(&flipped) {
            let genuine = voucher.verify(&PublicKey::from(&key), &contract).is_ok();
            prop_assert_eq!(genuine, (96..363).contains(&bit), "bit {}", bit);
        }
    }
}

fn flip(cell: &Cell, bit: usize) -> Cell {
    let mut data = cell.data().to_vec();
    let bits = usize::from(cell.bit_len());
    let mut payload = cell.reference_cloned(0).unwrap();
    if bit < bits {
        data[bit / 8] ^= 0x80 >> (bit % 8);
    } else {
        let bit = bit - bits;
        let mut inner = payload.data().to_vec();
        inner[bit / 8] ^= 0x80 >> (bit % 8);
        payload = CellBuilder::from_raw_data(&inner, payload.bit_len())
            .unwrap()
            .build()
            .unwrap();
    }
    let mut builder = CellBuilder::from_raw_data(&data, cell.bit_len()).unwrap();
    builder.store_reference(payload).unwrap();
    builder.build().unwrap()
}
