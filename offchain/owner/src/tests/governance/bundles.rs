//! The file between signers: each field is compared with the chain, and none is believed.

use cocoon_bindings::root::HashRole;
use cocoon_bindings::ton::boc_base64;
use cocoon_bindings::units::{Nanoton, QueryId};
use serde_json::{Value, json};

use super::{Governed, hash};
use crate::OwnerError;
use crate::governance::{Bundle, Change};

async fn bundle(governed: &Governed, id: u64) -> Bundle {
    let network = governed.network().await;
    Bundle::of(&governed.stage.chain, &network, id).await.unwrap()
}

async fn verify(governed: &Governed, bundle: &Bundle) -> Result<(), OwnerError> {
    bundle.verify(&governed.stage.chain, &governed.network().await).await
}

#[tokio::test]
async fn a_file_says_what_the_chain_says_and_a_wrong_one_is_refused_in_each_field() {
    let governed = Governed::new().await;
    let id = governed
        .propose(&Change::prices(Nanoton::new(20_000), Nanoton::new(16_000)))
        .await;
    let right = bundle(&governed, id).await;
    let told: Vec<String> = right.differences.iter().map(ToString::to_string).collect();
    assert!(
        told.contains(&"price per token: 0.00001 TON -> 0.00002 TON (+100.0 %)".to_owned()),
        "{told:?}"
    );
    let read = Bundle::parse(right.to_text().unwrap().as_bytes()).unwrap();
    assert_eq!(read, right);
    verify(&governed, &read).await.unwrap();

    let evil = Change::prices(Nanoton::new(30_000), Nanoton::new(16_000))
        .body(QueryId::new(id))
        .unwrap();
    let text: Value = serde_json::from_str(&right.to_text().unwrap()).unwrap();
    let wrong = [
        ("network_id", json!(77)),
        ("root", json!(right.governor)),
        ("governor", json!(right.root)),
        ("proposal", json!(9999)),
        ("expires_at", json!(right.expires_at + 1)),
        ("body", json!(boc_base64(&evil))),
        ("body", json!("te6")),
        ("body_hash", json!(evil.repr_hash().to_string())),
        ("says", json!("set the price of a token to 0.00001 TON")),
        ("differences", json!([])),
        ("effects", json!([])),
        ("refused", json!("it would be refused")),
        ("made_at", json!(u32::MAX)),
    ];
    for (field, value) in wrong {
        let mut changed = text.clone();
        changed[field] = value;
        let changed = Bundle::parse(&serde_json::to_vec(&changed).unwrap()).unwrap();
        let refused = verify(&governed, &changed).await;
        match field {
            // Body and hash are told apart by which of them fits the other.
            "body" => assert!(matches!(refused, Err(OwnerError::Differs { .. })), "{refused:?}"),
            field => assert!(
                matches!(refused, Err(OwnerError::Differs { field: told }) if told == field),
                "{field}: {refused:?}"
            ),
        }
    }
    // Body and hash of another message that fit each other.
    let mut changed = text;
    changed["body"] = json!(boc_base64(&evil));
    changed["body_hash"] = json!(evil.repr_hash().to_string());
    let changed = Bundle::parse(&serde_json::to_vec(&changed).unwrap()).unwrap();
    let refused = verify(&governed, &changed).await;
    assert!(
        matches!(refused, Err(OwnerError::Differs { field: "body" })),
        "{refused:?}"
    );
}

#[tokio::test]
async fn a_file_from_before_a_change_of_the_network_is_refused() {
    let governed = Governed::new().await;
    let id = governed
        .propose(&Change::prices(Nanoton::new(20_000), Nanoton::new(16_000)))
        .await;
    let right = bundle(&governed, id).await;
    governed.stage.advance(60);
    verify(&governed, &right).await.unwrap();
    governed
        .decide(&Change::prices(Nanoton::new(5_000), Nanoton::new(4_000)))
        .await;
    let refused = verify(&governed, &right).await;
    assert!(
        matches!(refused, Err(OwnerError::Differs { field: "differences" })),
        "{refused:?}"
    );
}

#[tokio::test]
async fn what_is_no_file_of_a_proposal_is_refused() {
    let governed = Governed::new().await;
    let id = governed.propose(&Change::list(HashRole::Model, hash(1), None)).await;
    let text = bundle(&governed, id).await.to_text().unwrap();
    let more = text.replacen('{', "{\"more\": 1,", 1);
    let other = text.replace("cocoon-proposal/1", "cocoon-proposal/2");
    let large = format!("{text}{}", " ".repeat(crate::limits::MAX_BUNDLE_BYTES));
    for wrong in [
        "",
        "{}",
        "[1]",
        more.as_str(),
        other.as_str(),
        large.as_str(),
        &text[..text.len() / 2],
    ] {
        let refused = Bundle::parse(wrong.as_bytes());
        assert!(matches!(refused, Err(OwnerError::Bundle { .. })), "{refused:?}");
    }
    assert!(Bundle::parse(text.as_bytes()).is_ok());
}
