use super::*;
use crate::ton::CellBuilder;
use proptest::prelude::*;

const KEY: [u8; 32] = [7; 32];

fn proxy() -> Address {
    Address::new(0, [0x11; 32].into())
}

fn checkpoint(seqno: u64, size: u64, root: u8, time: u64) -> Checkpoint {
    Checkpoint {
        proxy: proxy(),
        seqno,
        size,
        root_hash: [root; 32].into(),
        time,
    }
}

/// Made by other code: the cell's representation written out bit by bit and signed with OpenSSL (Node.js).
#[test]
fn the_hash_and_the_signature_are_those_that_another_implementation_computes() {
    let checkpoint = checkpoint(5, 1000, 0x22, 1_780_000_000);
    let hash = "43dfc94c1e4b013fb7eb05cb418008afad9148ba996b99b299af70a1878a8261";
    let signature = "2bbed742f8f04aad4180916569ee49d3b09cee62be46cbe29194a78476d262a37b202ad30a875a3cf9d49e508adfc9f0\
                     eb2f545dcfd7f18f4e5fb5c3d310be00";
    assert_eq!(hex::encode(checkpoint.hash().unwrap().0), hash);
    let signed = SignedCheckpoint::sign(checkpoint, &SigningKey::from_bytes(&KEY)).unwrap();
    assert_eq!(hex::encode(signed.signature), signature);
    assert_eq!(to_cell(&signed.checkpoint).unwrap().bit_len(), 747);
    let message = to_cell(&signed.anchor(QueryId::new(1), &proxy())).unwrap();
    assert_eq!((message.bit_len(), message.reference_count()), (875, 1));
}

#[test]
fn each_contradiction_has_its_name() {
    let base = checkpoint(5, 100, 1, 50);
    let cases = [
        (checkpoint(6, 100, 2, 60), Some(Contradiction::AnotherTree)),
        (checkpoint(5, 100, 2, 50), Some(Contradiction::AnotherTree)),
        (checkpoint(6, 99, 2, 60), Some(Contradiction::Shrunk)),
        (checkpoint(4, 101, 2, 40), Some(Contradiction::Shrunk)),
        (checkpoint(5, 101, 2, 50), Some(Contradiction::SameNumber)),
        (checkpoint(5, 100, 1, 51), Some(Contradiction::SameNumber)),
        (checkpoint(6, 100, 1, 60), None),
        (checkpoint(6, 101, 2, 60), None),
        (checkpoint(4, 99, 2, 40), None),
        // A clock that goes back is not accepted as an anchor, but no reader was lied to.
        (checkpoint(6, 101, 2, 40), None),
        (base.clone(), None),
    ];
    for (other, expected) in cases {
        assert_eq!(base.contradiction(&other), expected, "{other:?}");
        assert_eq!(other.contradiction(&base), expected, "{other:?}");
    }
}

#[test]
fn a_proof_needs_two_checkpoints_of_this_proxy_signed_by_it() {
    let key = SigningKey::from_bytes(&KEY);
    let sign = |checkpoint| SignedCheckpoint::sign(checkpoint, &key).unwrap();
    let (one, two) = (sign(checkpoint(1, 9, 1, 5)), sign(checkpoint(2, 9, 2, 6)));
    let prove = |one: &SignedCheckpoint, two: &SignedCheckpoint, key: &PublicKey, proxy: &Address| {
        EquivocationProof::new(one.clone(), two.clone(), key, proxy)
    };
    let public = PublicKey::from(&key);
    let proof = prove(&one, &two, &public, &proxy()).unwrap().unwrap();
    assert_eq!(proof.contradiction(), Contradiction::AnotherTree);
    let report = proof.report(QueryId::new(3), &proxy());
    assert_eq!((&report.first, &report.second), (&one, &two));
    let consistent = sign(checkpoint(2, 9, 1, 6));
    assert_eq!(prove(&one, &consistent, &public, &proxy()).unwrap(), None);
    let other = Address::new(0, [0x12; 32].into());
    assert!(matches!(
        prove(&one, &two, &public, &other),
        Err(BindingsError::OtherContract)
    ));
    let stranger = PublicKey::from(&SigningKey::from_bytes(&[8; 32]));
    assert!(matches!(
        prove(&one, &two, &stranger, &proxy()),
        Err(BindingsError::Signature)
    ));
}

prop_compose! {
    /// Small numbers, so that they meet.
    fn any_checkpoint()(seqno in 0..4u64, size in 0..4u64, root in 0..3u8, time in 0..3u64) -> Checkpoint {
        checkpoint(seqno, size, root, time)
    }
}

/// A root and a time that follow from the size: an honest log. The time does not fall.
fn of_one_log(size: u64, is_anchor: bool) -> Checkpoint {
    let (root, time) = (HashBytes([(size * 37 % 251) as u8; 32]), 1_700_000_000 + size / 3);
    let made = if is_anchor {
        Checkpoint::anchored(proxy(), size, root, time)
    } else {
        Checkpoint::published(proxy(), size, root)
    };
    made.unwrap()
}

#[test]
fn a_log_that_is_longer_than_any_has_no_number() {
    let root = HashBytes::ZERO;
    assert!(Checkpoint::published(proxy(), u64::MAX / 2, root).is_some());
    assert_eq!(Checkpoint::published(proxy(), u64::MAX / 2 + 1, root), None);
    assert_eq!(Checkpoint::anchored(proxy(), u64::MAX, root, 1), None);
}

proptest! {
    /// Published and anchored in any order, again after crashes, at any moment: what is signed never contradicts itself.
    #[test]
    fn an_honest_log_signs_nothing_that_can_be_punished(
        signed in prop::collection::vec((0..40u64, any::<bool>()), 2..30),
    ) {
        let signed: Vec<_> = signed.into_iter().map(|(size, is_anchor)| of_one_log(size, is_anchor)).collect();
        for one in &signed {
            for other in &signed {
                prop_assert_eq!(one.contradiction(other), None, "{:?} {:?}", one, other);
            }
        }
    }

    #[test]
    fn later_anchors_follow_earlier_ones(size in 0..1000u64, more in 1..1000u64) {
        prop_assert!(of_one_log(size + more, true).follows(&of_one_log(size, true)));
    }

    #[test]
    fn two_logs_of_one_size_can_be_punished(size in 1..1000u64, kinds in any::<[bool; 2]>()) {
        let mut forked = of_one_log(size, kinds[1]);
        forked.root_hash = HashBytes([255; 32]);
        prop_assert_eq!(of_one_log(size, kinds[0]).contradiction(&forked), Some(Contradiction::AnotherTree));
    }

    #[test]
    fn a_signed_checkpoint_survives_a_round_trip(
        seed in any::<[u8; 32]>(), seqno in any::<u64>(), size in any::<u64>(), root in any::<u8>(), time in any::<u64>(),
    ) {
        let key = SigningKey::from_bytes(&seed);
        let signed = SignedCheckpoint::sign(checkpoint(seqno, size, root, time), &key).unwrap();
        let read = SignedCheckpoint::from_cell(&signed.to_cell().unwrap()).unwrap();
        read.verify(&PublicKey::from(&key), &proxy()).unwrap();
        prop_assert_eq!(read, signed);
    }

    #[test]
    fn one_flipped_bit_never_verifies(bit in 0usize..747) {
        let key = SigningKey::from_bytes(&KEY);
        let signed = SignedCheckpoint::sign(checkpoint(5, 1000, 0x22, 1_780_000_000), &key).unwrap();
        let cell = to_cell(&signed.checkpoint).unwrap();
        let mut data = cell.data().to_vec();
        data[bit / 8] ^= 0x80 >> (bit % 8);
        let flipped = CellBuilder::from_raw_data(&data, cell.bit_len()).unwrap().build().unwrap();
        if let Ok(checkpoint) = from_cell::<Checkpoint>(&flipped) {
            let forged = SignedCheckpoint { checkpoint, ..signed };
            prop_assert!(forged.verify(&PublicKey::from(&key), &proxy()).is_err());
        }
    }

    #[test]
    fn what_follows_never_contradicts_and_what_contradicts_never_follows(
        one in any_checkpoint(), two in any_checkpoint(),
    ) {
        prop_assert_eq!(one.contradiction(&two), two.contradiction(&one));
        prop_assert_eq!(one.contradiction(&one), None);
        if two.follows(&one) {
            prop_assert_eq!(one.contradiction(&two), None);
        }
    }
}
