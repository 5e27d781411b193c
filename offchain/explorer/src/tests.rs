//! A whole network on a chain in this process, with a log in a folder, read and served.

mod fair;
mod forged;
mod mirrored;
mod named;
mod pace;
mod pages;
mod stage;

use cocoon_bindings::ton::HashBytes;
use serde_json::Value;

use stage::Stage;

#[tokio::test]
async fn nothing_of_a_log_is_shown_that_the_contracts_key_did_not_sign() {
    let mut stage = Stage::new().await;
    // Somebody else signs the same receipts, and says that it is the log of this proxy.
    stage.publish_signed_by_somebody_else(3);
    stage.look().await;
    let status = stage.get("status").await;
    let log = &status["logs"][0];
    assert_eq!(
        (&log["is_key_on_chain"], &log["read"]),
        (&false.into(), &0.into()),
        "{status:#}"
    );
    assert!(log["problem"].as_str().unwrap().starts_with("REFUSED"), "{status:#}");
    assert!(
        log["unreachable_since"].is_u64() && status["is_complete"] == false,
        "{status:#}"
    );
    assert_eq!(stage.get("receipts").await["receipts"], Value::Array(Vec::new()));
}

#[tokio::test]
async fn a_receipt_that_the_log_has_and_the_key_did_not_sign_is_left_out() {
    let mut stage = Stage::new().await;
    stage.publish(2);
    stage.publish_unsigned();
    stage.look().await;
    let status = stage.get("status").await;
    assert_eq!(
        (&status["logs"][0]["read"], &status["logs"][0]["left_out"]),
        (&3.into(), &1.into()),
        "{status:#}"
    );
    assert_eq!(status["is_complete"], false);
    assert_eq!(stage.get("receipts").await["receipts"].as_array().unwrap().len(), 2);
}

#[tokio::test]
async fn a_log_that_shows_another_history_is_refused_and_what_was_read_stays() {
    let mut stage = Stage::new().await;
    stage.publish(2);
    stage.look().await;
    stage.publish_another_history(3);
    stage.look().await;
    let status = stage.get("status").await;
    let problem = status["logs"][0]["problem"].as_str().unwrap();
    assert!(problem.starts_with("REFUSED"), "{problem}");
    assert_eq!(
        (&status["logs"][0]["read"], &status["counts"]["receipts"]),
        (&2.into(), &2.into())
    );
}

#[tokio::test]
async fn a_signature_of_the_worker_that_comes_later_is_taken_over() {
    let mut stage = Stage::new().await;
    let id = stage.publish_without_signature();
    stage.look().await;
    let receipts = stage.get("receipts").await;
    assert_eq!(receipts["receipts"][0]["signed_by_worker"], false, "{receipts:#}");
    assert_eq!(stage.get("workers").await["workers"][0]["signed"], 0);
    stage.sign_later(&id);
    stage.look().await;
    assert_eq!(stage.get("receipts").await["receipts"][0]["signed_by_worker"], true);
    let workers = stage.get("workers").await;
    assert_eq!(
        (&workers["workers"][0]["signed"], &workers["workers"][0]["receipts"]),
        (&1.into(), &1.into())
    );
}

#[tokio::test]
async fn receipts_are_found_by_worker_model_and_time_and_in_pages() {
    let mut stage = Stage::new().await;
    stage.publish(5);
    stage.look().await;
    let first = stage.get("receipts?limit=2").await;
    let next = first["next"].as_str().unwrap();
    let second = stage.get(&format!("receipts?limit=2&before={next}")).await;
    let third = stage
        .get(&format!("receipts?limit=2&before={}", second["next"].as_str().unwrap()))
        .await;
    assert!(third["next"].is_null(), "{third:#}");
    let ids = |page: &Value| -> Vec<String> {
        let rows = page["receipts"].as_array().unwrap();
        rows.iter().map(|row| row["id"].as_str().unwrap().to_owned()).collect()
    };
    let pages: Vec<String> = [&first, &second, &third].into_iter().flat_map(ids).collect();
    assert_eq!(pages, ids(&stage.get("receipts").await));
    assert_eq!(pages.len(), 5);
    let count = async |question: String| ids(&stage.get(&question).await).len();
    assert_eq!(count(format!("receipts?worker={}", stage.worker)).await, 5);
    assert_eq!(count(format!("receipts?worker={}", stage.client)).await, 0);
    assert_eq!(count(format!("receipts?model={}", "07".repeat(32))).await, 5);
    assert_eq!(count(format!("receipts?model={}", "08".repeat(32))).await, 0);
    let third_ended = Stage::ENDED_MS + 2;
    assert_eq!(count(format!("receipts?since_ms={third_ended}")).await, 3);
    assert_eq!(count(format!("receipts?until_ms={third_ended}")).await, 3);
    assert_eq!(
        count(format!("receipts?since_ms={third_ended}&until_ms={third_ended}")).await,
        1
    );
    for wrong in [
        "receipts?limit=0",
        "receipts?before=x",
        "receipts?worker=x",
        "receipts?since_ms=x",
        "receipts/x",
    ] {
        assert_eq!(stage.status_of(wrong).await, 400, "{wrong}");
    }
    assert_eq!(stage.status_of(&format!("receipts/{}", HashBytes([1; 32]))).await, 404);
}

#[tokio::test]
async fn a_page_of_a_receipt_has_a_proof_that_holds() {
    let mut stage = Stage::new().await;
    stage.publish(3);
    stage.look().await;
    let id = stage.get("receipts").await["receipts"][1]["id"]
        .as_str()
        .unwrap()
        .to_owned();
    let page = stage.get(&format!("receipts/{id}")).await;
    assert!(page["inclusion_unavailable"].is_null(), "{page:#}");
    let proof: cocoon_tlog::InclusionPage = serde_json::from_value(page["inclusion"].clone()).unwrap();
    let id = cocoon_receipt::ReceiptId(id.parse().unwrap());
    let checkpoint = proof.into_proof(None).unwrap().verify(&id, &Stage::key()).unwrap();
    assert_eq!(checkpoint.size, 3);
}

#[tokio::test]
async fn what_is_settled_is_told_once_and_in_words() {
    let mut stage = Stage::new().await;
    stage.publish(2);
    stage.look().await;
    stage.charge(26);
    stage.pay_out(26);
    stage.look().await;
    stage.look().await;
    let feed = stage.get("feed?limit=100").await;
    let rows = feed["feed"].as_array().unwrap();
    let charged: Vec<_> = rows.iter().filter(|row| row["message"] == "ChargeSigned").collect();
    assert_eq!(charged.len(), 1, "{feed:#}");
    assert_eq!(
        (&charged[0]["says"], &charged[0]["tokens"]),
        (&"charge the client for 26 tokens in all".into(), &26.into())
    );
    assert_eq!(
        (&charged[0]["account"]["kind"], &charged[0]["from"]["kind"]),
        (&"client".into(), &"somebody".into())
    );
    let paid = rows
        .iter()
        .find(|row| row["message"] == "WorkerStep" && !row["amount"].is_null())
        .unwrap();
    assert_eq!(
        (&paid["amount"], &paid["from"]["kind"]),
        (&"468".into(), &"worker".into()),
        "{paid:#}"
    );
    let to_owner = paid["sent"]
        .as_array()
        .unwrap()
        .iter()
        .find(|sent| sent["message"] == "PayoutNotificationForOwner");
    assert_eq!(to_owner.unwrap()["to"]["kind"], "somebody", "{paid:#}");
    let only = stage.get("feed?kind=worker&limit=100").await;
    let kinds = |page: &Value| {
        page["feed"]
            .as_array()
            .unwrap()
            .iter()
            .all(|row| row["account"]["kind"] == "worker")
    };
    assert!(kinds(&only) && !only["feed"].as_array().unwrap().is_empty(), "{only:#}");
    assert_eq!(stage.status_of("feed?kind=wallet").await, 400);
}

#[tokio::test]
async fn an_anchor_is_compared_with_the_log() {
    let mut stage = Stage::new().await;
    stage.publish(3);
    stage.anchor(2);
    stage.look().await;
    let anchors = stage.get("anchors").await;
    assert_eq!(
        (&anchors["anchors"][0]["in_log"], &anchors["anchors"][0]["size"]),
        (&"proven".into(), &2.into()),
        "{anchors:#}"
    );
    stage.anchor_of_another_log(3);
    stage.look().await;
    let anchors = stage.get("anchors").await;
    assert_eq!(anchors["anchors"][0]["in_log"], "contradicted", "{anchors:#}");
    let paged = stage.get("anchors?limit=1").await;
    let rest = stage
        .get(&format!("anchors?limit=1&before={}", paged["next"].as_str().unwrap()))
        .await;
    assert_eq!(
        (&rest["anchors"][0]["in_log"], &rest["next"]),
        (&"proven".into(), &Value::Null),
        "{rest:#}"
    );
}

#[tokio::test]
async fn before_the_first_look_nothing_is_made_up() {
    let stage = Stage::new().await;
    assert_eq!(stage.status_of("root").await, 503);
    let status = stage.get("status").await;
    assert_eq!(
        (&status["simulated"], &status["is_complete"]),
        (&Value::Null, &false.into()),
        "{status:#}"
    );
}

#[tokio::test]
async fn what_is_proposed_is_told_in_words_and_tried_out() {
    let mut stage = Stage::new().await;
    stage.govern([0x77; 32]);
    stage.look().await;
    let root = stage.get("root").await;
    assert_eq!(
        (&root["governor"]["threshold"], &root["governor"]["open_proposals"]),
        (&2.into(), &1.into()),
        "{root:#}"
    );
    let page = stage.get("proposals").await;
    assert_eq!(page["governor"], root["root"]["owner"]);
    let proposal = &page["proposals"][0];
    let model = "77".repeat(32);
    assert_eq!(proposal["says"], format!("admit model {model}"), "{page:#}");
    assert_eq!(
        (&proposal["id"], &proposal["class"], &proposal["state"]),
        (&"32".into(), &"change".into(), &"collecting".into())
    );
    assert_eq!(
        (&proposal["needed"], &proposal["refused"], &proposal["unreadable"]),
        (&2.into(), &Value::Null, &Value::Null)
    );
    assert_eq!(proposal["approvals"], Value::Array(vec![proposal["proposer"].clone()]));
    let difference = &proposal["differences"][0];
    assert!(difference["what"].as_str().unwrap().contains(&model), "{page:#}");
    let feed = stage.get("feed?kind=governor").await;
    let told = feed["feed"][0]["says"].as_str().unwrap();
    assert!(
        told.starts_with("signer 0 makes proposal 32") && told.ends_with(&model),
        "{told}"
    );
}
