//! Whatever bytes come, there is an answer, and it is never that something is proven.

use cocoon_verifier::json::{verify_evidence, verify_receipt};
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::world::{World, base64};

fn answer(bytes: &[u8]) -> Value {
    serde_json::from_slice(bytes).unwrap()
}

proptest! {
    #[test]
    fn any_bytes_are_answered(bytes: Vec<u8>, text in "\\PC{0,200}") {
        for question in [bytes.as_slice(), text.as_bytes()] {
            prop_assert_eq!(&answer(&verify_evidence(question))["ok"], &json!(false));
            prop_assert_eq!(&answer(&verify_receipt(question))["ok"], &json!(false));
        }
    }

    #[test]
    fn any_certificate_and_any_receipt_is_refuted(bytes: Vec<u8>, now: u64) {
        let question = json!({ "now": now, "certificate": base64(&bytes) });
        let judged = answer(&verify_evidence(question.to_string().as_bytes()));
        prop_assert_eq!(&judged["verdict"], "refuted");
        let question = json!({ "receipt": base64(&bytes) });
        let judged = answer(&verify_receipt(question.to_string().as_bytes()));
        prop_assert_eq!(&judged["verdict"], "refuted");
    }
}

#[test]
fn no_member_of_another_kind_panics() {
    let world = World::new();
    let questions = [
        world.receipt_question(),
        world.evidence_question(world.worker.certificate_der()),
    ];
    for whole in questions {
        for member in whole.as_object().unwrap().keys() {
            for value in [
                json!(null),
                json!(-1),
                json!("ü"),
                json!([1, []]),
                json!({}),
                json!(1e300),
            ] {
                let mut question = whole.clone();
                question[member] = value;
                let text = question.to_string();
                let receipt = answer(&verify_receipt(text.as_bytes()));
                let evidence = answer(&verify_evidence(text.as_bytes()));
                assert!(receipt["ok"].is_boolean() && evidence["ok"].is_boolean(), "{member}");
            }
        }
    }
}
