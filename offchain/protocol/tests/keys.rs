//! Messages of key managers: total decoders, inverse encoders, no secret in debug output.
#![allow(clippy::unwrap_used, reason = "helpers of tests")]

use bytes::Bytes;
use cocoon_protocol::codec::{DecodeError, decode, encode};
use cocoon_protocol::key::{GetKey, GetKeyRoot, GiveShare, Key, KeyRoot, ShareTaken};
use cocoon_protocol::message::KeyQuery;
use proptest::collection::vec;
use proptest::prelude::*;

fn question() -> impl Strategy<Value = KeyQuery> {
    let name = (".{0,80}", ".{0,80}", ".{0,80}", ".{0,80}", any::<[u8; 32]>());
    let share = (vec(any::<u8>(), 0..600), any::<i32>(), any::<[u8; 32]>());
    prop_oneof![
        name.prop_map(|(policy, role, node, purpose, owner)| {
            KeyQuery::from(GetKey {
                policy,
                role,
                node,
                purpose,
                owner,
            })
        }),
        Just(KeyQuery::from(GetKeyRoot)),
        share.prop_map(|(backup, index, share)| {
            KeyQuery::from(GiveShare {
                backup: Bytes::from(backup),
                index,
                share,
            })
        }),
    ]
}

proptest! {
    #[test]
    fn questions_to_a_key_manager_survive(question in question()) {
        prop_assert_eq!(KeyQuery::decode(&question.encode()).unwrap(), question);
    }

    #[test]
    fn answers_of_a_key_manager_survive((manager, seed, have, need) in any::<([u8; 32], [u8; 32], i32, i32)>()) {
        let key = Key { manager, seed };
        prop_assert_eq!(decode::<Key>(&encode(&key)).unwrap(), key);
        let root = KeyRoot { secret: seed };
        prop_assert_eq!(decode::<KeyRoot>(&encode(&root)).unwrap(), root);
        let taken = ShareTaken { have, need };
        prop_assert_eq!(decode::<ShareTaken>(&encode(&taken)).unwrap(), taken);
    }

    #[test]
    fn every_cut_and_every_tail_is_refused(question in question(), at in any::<prop::sample::Index>(), tail in 1usize..9) {
        let bytes = question.encode();
        prop_assert!(KeyQuery::decode(&bytes[..at.index(bytes.len())]).is_err());
        let longer = [&bytes[..], &vec![0; tail]].concat();
        prop_assert_eq!(KeyQuery::decode(&longer), Err(DecodeError::Trailing(tail)));
    }

    #[test]
    fn garbage_never_panics(data in vec(any::<u8>(), 0..300), id in 0usize..6) {
        let ids = [GetKey::TL_ID, GiveShare::TL_ID, GetKeyRoot::TL_ID, Key::TL_ID];
        let data = match ids.get(id) {
            Some(id) => [&id.to_le_bytes()[..], &data].concat(),
            None => data,
        };
        let _ = (KeyQuery::decode(&data), decode::<Key>(&data), decode::<ShareTaken>(&data));
    }
}

#[test]
fn no_secret_is_in_debug_output() {
    let secret = [0xab; 32];
    let shown = format!(
        "{:?} {:?} {:?} {:?}",
        GetKey {
            policy: "p".into(),
            role: "worker".into(),
            node: "n".into(),
            purpose: "wallet".into(),
            owner: secret,
        },
        Key {
            manager: [1; 32],
            seed: secret,
        },
        KeyRoot { secret },
        GiveShare {
            backup: Bytes::new(),
            index: 1,
            share: secret,
        },
    );
    assert!(
        !shown.contains("171") && !shown.to_lowercase().contains("ab, "),
        "{shown}"
    );
}
