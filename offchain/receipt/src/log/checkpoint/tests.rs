//! Notes of logs and witnesses, and what is none.

use proptest::prelude::*;

use super::*;
fn key(tag: u8) -> SigningKey {
    SigningKey::from_bytes(&[tag; 32])
}

fn origin(tag: u8) -> String {
    Checkpoint::origin_of(&PublicKey::from(&key(tag)))
}

fn checkpoint() -> Checkpoint {
    Checkpoint {
        origin: origin(1),
        size: 300,
        root: HashBytes([9; 32]),
    }
}

fn open(note: &str) -> Result<Checkpoint, CheckpointError> {
    Checkpoint::open(note, &origin(1), &PublicKey::from(&key(1)))
}

#[test]
fn a_signed_checkpoint_opens_with_its_own_key_and_name_only() {
    let note = checkpoint().sign(&key(1)).unwrap();
    assert_eq!(open(&note), Ok(checkpoint()));
    assert_eq!(
        Checkpoint::open(&note, &origin(1), &PublicKey::from(&key(2))),
        Err(CheckpointError::Unsigned)
    );
    assert!(matches!(
        Checkpoint::open(&note, &origin(2), &PublicKey::from(&key(1))),
        Err(CheckpointError::Origin { .. })
    ));
}

#[test]
fn tools_for_signed_notes_verify_it_with_the_text_of_the_key() {
    let note = checkpoint().sign(&key(1)).unwrap();
    let text = Checkpoint::verifier_key(&checkpoint().origin, &PublicKey::from(&key(1)));
    let verifier = signed_note::StandardVerifier::new(&text).unwrap();
    let known = VerifierList::new(vec![Box::new(verifier)]);
    assert!(Note::from_bytes(note.as_bytes()).unwrap().verify(&known).is_ok());
}

#[test]
fn texts_of_keys_lead_back_and_no_other_spelling_does() {
    let text = Checkpoint::verifier_key(&origin(1), &PublicKey::from(&key(1)));
    assert_eq!(
        Checkpoint::parse_verifier_key(&text),
        Some((origin(1), PublicKey::from(&key(1))))
    );
    let witness = WitnessKey {
        name: "witness.example".into(),
        key: PublicKey::from(&key(5)),
    };
    assert_eq!(WitnessKey::parse(&witness.verifier_key()), Some(witness.clone()));
    assert_eq!(WitnessKey::parse(&text), None, "a log's key is no witness's");
    for wrong in [
        text.replacen("cocoon", "other", 1),
        text.to_uppercase(),
        format!("{text} "),
        "a+b".into(),
    ] {
        assert_eq!(Checkpoint::parse_verifier_key(&wrong), None, "{wrong}");
    }
    let note = checkpoint().sign(&key(1)).unwrap();
    assert_eq!(Checkpoint::named_origin(&note), Ok(origin(1)));
}

#[test]
fn witnesses_sign_beside_the_log_and_are_told_apart() {
    let note = checkpoint().sign(&key(1)).unwrap();
    let witness = |tag: u8| WitnessKey {
        name: format!("witness.example/{tag}"),
        key: PublicKey::from(&key(tag)),
    };
    let first = Checkpoint::cosign(&note, &witness(5).name, &key(5), 1_700_000_000).unwrap();
    let both = Checkpoint::cosign(&first, &witness(6).name, &key(6), 1_700_000_009).unwrap();
    let again = Checkpoint::cosign(&both, &witness(5).name, &key(5), 1_700_000_010).unwrap();
    assert_eq!(open(&again), Ok(checkpoint()));
    let seen = |note: &str, witnesses: &[WitnessKey]| {
        let found = Checkpoint::cosignatures(note, witnesses).unwrap();
        found
            .into_iter()
            .map(|found| (found.witness, found.time))
            .collect::<Vec<_>>()
    };
    assert!(seen(&note, &[witness(5)]).is_empty());
    assert_eq!(seen(&both, &[witness(5)]), [(witness(5).name, 1_700_000_000)]);
    assert_eq!(seen(&again, &[witness(5), witness(6), witness(7)]).len(), 2);
    assert!(seen(&again, &[witness(5)])[0].1 == 1_700_000_010);
    let mut thief = witness(5);
    thief.key = PublicKey::from(&key(6));
    assert!(seen(&first, &[thief]).is_empty(), "another key has another id");
    assert!(matches!(
        Checkpoint::cosign(&note, "a b", &key(5), 1),
        Err(CheckpointError::Name(_))
    ));
}

#[test]
fn a_changed_time_or_text_is_not_what_the_witness_signed() {
    let witness = WitnessKey {
        name: "witness.example".into(),
        key: PublicKey::from(&key(5)),
    };
    let note = Checkpoint::cosign(&checkpoint().sign(&key(1)).unwrap(), &witness.name, &key(5), 7).unwrap();
    let larger = note.replacen("\n300\n", "\n301\n", 1);
    assert!(Checkpoint::cosignatures(&larger, std::slice::from_ref(&witness)).is_err());
    assert_eq!(open(&larger), Err(CheckpointError::Unsigned));
}

#[test]
fn another_spelling_of_a_text_is_no_checkpoint() {
    let texts = [
        "x\n+3\nA\n",
        "x\n03\nA\n",
        "\n3\nA\n",
        "x\n3\nA",
        "x\n3\nA\nmore\n",
        "x\n-3\nA\n",
    ];
    for text in texts.map(|text| text.replace('A', &STANDARD.encode([9; 32]))) {
        assert_eq!(Checkpoint::parse(text.as_bytes()), None, "{text}");
    }
}

#[test]
fn a_log_that_is_longer_than_any_is_refused() {
    let of = |size| Checkpoint { size, ..checkpoint() }.sign(&key(1)).unwrap();
    assert_eq!(open(&of(MAX_LOG_SIZE)).map(|opened| opened.size), Ok(MAX_LOG_SIZE));
    for size in [MAX_LOG_SIZE + 1, u64::MAX] {
        assert!(matches!(open(&of(size)), Err(CheckpointError::Format(_))), "{size}");
    }
}

proptest! {
    #[test]
    fn garbage_is_refused_without_panic(note in ".{0,300}") {
        prop_assert!(open(&note).is_err());
        prop_assert!(Checkpoint::cosign(&note, "w", &key(5), 1).is_err());
    }

    #[test]
    fn a_changed_letter_never_opens_as_another_checkpoint(at in any::<prop::sample::Index>(), letter in "[ -~\n]") {
        let note = checkpoint().sign(&key(1)).unwrap();
        let starts: Vec<_> = note.char_indices().map(|(start, _)| start).collect();
        let start = starts[at.index(starts.len())];
        let mut changed = note.clone();
        let end = start + note[start..].chars().next().unwrap().len_utf8();
        changed.replace_range(start..end, &letter);
        match open(&changed) {
            Ok(opened) => prop_assert_eq!(opened, checkpoint()),
            Err(_) => prop_assert!(changed != note),
        }
    }
}
