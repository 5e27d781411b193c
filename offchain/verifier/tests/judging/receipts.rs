//! Receipts.

use cocoon_verifier::json::ReceiptDocument;
use serde_json::{Value, json};

use crate::world::{ANSWER, World, base64};
use crate::{Kind, ask, outcome, unproven};

#[test]
fn an_honest_receipt_is_proven_by_all_that_is_at_hand() {
    let question = World::new().receipt_question();
    let answer = ask("receipt-honest", Kind::Receipt, &question);
    assert_eq!(answer["ok"], true);
    assert!(unproven(&answer).is_empty(), "{answer}");
    assert_eq!(answer["verdict"], "proven");
    assert_eq!(answer["checkpoint"]["size"], "300");
    let document: ReceiptDocument = serde_json::from_value(question.clone()).unwrap();
    let again = ask("receipt-again", Kind::Receipt, &serde_json::to_value(document).unwrap());
    assert_eq!(
        again, answer,
        "a document that was read and written is the same question"
    );
}

#[test]
fn what_is_not_at_hand_is_unknown() {
    let whole = World::new().receipt_question();
    for (member, check) in [
        ("proxy_key", "proxy_signature"),
        ("expected", "parties"),
        ("request", "request_bytes"),
        ("response", "response_bytes"),
        ("prices", "price"),
        ("worker_certificate", "worker_signature"),
        ("proxy_certificate", "proxy_evidence"),
        ("inclusion", "inclusion"),
        ("previous", "channel"),
    ] {
        let mut question = whole.clone();
        question.as_object_mut().unwrap().remove(member);
        let answer = ask(&format!("receipt-without-{member}"), Kind::Receipt, &question);
        assert_eq!(outcome(&answer, check), "unknown", "{member}");
        let is_essential = !["proxy_certificate", "inclusion", "previous"].contains(&member);
        assert_eq!(
            answer["verdict"],
            if is_essential { "unknown" } else { "proven" },
            "{member}"
        );
    }
    let mut question = whole;
    question["prices"]["version"] = json!(4);
    let answer = ask("receipt-other-prices", Kind::Receipt, &question);
    assert_eq!(outcome(&answer, "price"), "unknown");
}

#[test]
fn whatever_is_changed_refutes_the_check_that_is_about_it() {
    let world = World::new();
    let whole = world.receipt_question();
    let other = World::new();
    let tampered = |name: &str, check: &str, change: &dyn Fn(&mut Value)| {
        let mut question = whole.clone();
        change(&mut question);
        let answer = ask(&format!("receipt-tampered-{name}"), Kind::Receipt, &question);
        assert_eq!(outcome(&answer, check), "refuted", "{name}: {answer}");
        assert_eq!(answer["verdict"], "refuted", "{name}");
    };
    tampered("key", "proxy_signature", &|q| q["proxy_key"] = json!("11".repeat(32)));
    tampered("proxy", "parties", &|q| {
        q["expected"]["proxy"] = q["expected"]["root"].clone()
    });
    tampered("id", "parties", &|q| {
        q["expected"]["request_id"] = json!("00".repeat(32))
    });
    tampered("question", "request_bytes", &|q| {
        let body = q["request"]["sent"]["body"]
            .as_str()
            .unwrap()
            .replace("Grüße", "Gruesse");
        q["request"]["sent"]["body"] = json!(body);
    });
    tampered("number", "request_bytes", &|q| {
        let body = q["request"]["sent"]["body"].as_str().unwrap().replace("1.50", "1.51");
        q["request"]["sent"]["body"] = json!(body);
    });
    tampered("salt", "request_bytes", &|q| {
        q["request"]["salt"] = json!("00".repeat(32))
    });
    tampered("answer", "response_bytes", &|q| {
        q["response"]["received"] = json!(base64(b"data: x\n\n"))
    });
    tampered("cut", "response_bytes", &|q| {
        q["response"]["received"] = json!(base64(&ANSWER[..ANSWER.len() - 20]));
    });
    tampered("coefficient", "price", &|q| q["max_coefficient"] = json!(1499));
    tampered("prices", "price", &|q| q["prices"]["completion"] = json!(20_000));
    tampered("channel", "channel", &|q| q["previous"]["total"] = json!("999"));
    tampered("worker", "worker_signature", &|q| {
        q["worker_certificate"] = json!(base64(other.worker.certificate_der()));
    });
    tampered("evidence", "proxy_evidence", &|q| {
        q["proxy_certificate"] = json!(base64(other.proxy.certificate_der()));
    });
    tampered("place", "inclusion", &|q| q["inclusion"]["index"] = json!(6));
    tampered("checkpoint", "inclusion", &|q| {
        let note = q["inclusion"]["checkpoint"].as_str().unwrap().replace("300", "301");
        q["inclusion"]["checkpoint"] = json!(note);
    });
}

#[test]
fn bytes_of_an_exchange_that_was_kept_are_as_good_as_what_a_page_sent() {
    let mut question = World::new().receipt_question();
    question["response"] = json!({ "salt": "08".repeat(32), "bytes": base64(ANSWER) });
    let answer = ask("receipt-kept", Kind::Receipt, &question);
    assert_eq!(outcome(&answer, "response_bytes"), "proven");
    // As the worker's they are taken as they are.
    let more = [ANSWER, b": cocoon-receipt-id 00\n\n"].concat();
    question["response"]["bytes"] = json!(base64(&more));
    let answer = ask("receipt-kept-longer", Kind::Receipt, &question);
    assert_eq!(outcome(&answer, "response_bytes"), "refuted");
}

#[test]
fn a_path_that_the_client_translates_cannot_be_computed() {
    let mut question = World::new().receipt_question();
    question["request"]["sent"]["path"] = json!("/v1/responses");
    let answer = ask("receipt-translated", Kind::Receipt, &question);
    assert_eq!(outcome(&answer, "request_bytes"), "unknown");
    assert_eq!(answer["verdict"], "unknown");
}

#[test]
fn questions_that_are_none_say_what_is_wrong() {
    let whole = World::new().receipt_question();
    for (name, member, value) in [
        ("boc", "receipt", json!("%")),
        ("key", "proxy_key", json!("zz")),
        ("address", "expected", json!({ "root": "nowhere" })),
        ("salt", "request", json!({ "salt": "00" })),
        ("kind", "prices", json!(5)),
    ] {
        let mut question = whole.clone();
        question[member] = value;
        let answer = ask(&format!("receipt-bad-{name}"), Kind::Receipt, &question);
        assert_eq!(
            (&answer["ok"], &answer["error"]["code"]),
            (&json!(false), &json!("bad_input"))
        );
        assert_ne!(answer["error"]["message"], "", "{name}");
    }
    let mut question = whole;
    question["receipt"] = json!(base64(b"no bag of cells"));
    let answer = ask("receipt-no-boc", Kind::Receipt, &question);
    assert_eq!(
        (outcome(&answer, "form"), &answer["verdict"]),
        ("refuted", &json!("refuted"))
    );
    assert!(answer["receipt"].is_null());
}
