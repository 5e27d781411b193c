//! Contracts that hold what a contract of the network would hold, and are none.

use cocoon_bindings::ton::Address;
use serde_json::Value;

use super::stage::Stage;

/// Nothing of `contract` is counted, and a row says why.
async fn is_a_stranger(stage: &Stage, contract: &Address, why: &str) {
    let proxies = stage.get("proxies").await;
    let strangers = proxies["strangers"].as_array().unwrap();
    assert_eq!(strangers.len(), 1, "{proxies:#}");
    assert_eq!(strangers[0]["contract"], contract.to_string());
    assert!(strangers[0]["reason"].as_str().unwrap().contains(why), "{proxies:#}");
    let is_counted = |row: &Value| row["contract"] == contract.to_string();
    assert!(!proxies["contracts"].as_array().unwrap().iter().any(is_counted));
    let feed = stage.get(&format!("feed?contract={contract}&kind=proxy")).await;
    assert_eq!(feed["feed"], Value::Array(Vec::new()), "{feed:#}");
    assert_eq!(stage.get("receipts").await["receipts"], Value::Array(Vec::new()));
    let workers = stage.get("workers").await;
    let mut rows = workers["workers"].as_array().unwrap().iter();
    assert!(rows.all(|row| row["receipts"] == 0), "{workers:#}");
    assert_eq!(stage.get("models").await["models"][0]["receipts"], 0);
}

#[tokio::test]
async fn a_log_of_a_contract_with_other_code_counts_for_nothing() {
    let mut stage = Stage::new().await;
    stage.proxy = stage.forge_proxy();
    stage.publish(2);
    stage.look().await;
    is_a_stranger(&stage, &stage.proxy, "its code").await;
    let status = stage.get("status").await;
    let problem = status["logs"][0]["problem"].as_str().unwrap();
    assert!(
        problem.starts_with("REFUSED") && problem.contains("is not a proxy of this network"),
        "{problem}"
    );
}

#[tokio::test]
async fn a_log_of_a_contract_that_began_with_earnings_counts_for_nothing() {
    let mut stage = Stage::new().await;
    stage.proxy = stage.deploy_rich_proxy();
    stage.publish(2);
    stage.look().await;
    is_a_stranger(&stage, &stage.proxy, "its address does not follow").await;
}

#[tokio::test]
async fn receipts_that_name_a_contract_with_other_code_are_left_out() {
    let mut stage = Stage::new().await;
    let forged = stage.forge_proxy();
    stage.charged_by = Some(forged.clone());
    stage.publish(2);
    stage.look().await;
    is_a_stranger(&stage, &forged, "its code").await;
    let status = stage.get("status").await;
    assert_eq!(status["logs"][0]["left_out"], 2, "{status:#}");
    let proxies = stage.get("proxies").await;
    assert_eq!(proxies["contracts"][0]["contract"], stage.proxy.to_string());
}

#[tokio::test]
async fn a_contract_of_code_that_the_root_contract_named_before_is_one_of_the_network() {
    let mut stage = Stage::new().await;
    stage.proxy = stage.deploy_proxy_of_earlier_code();
    stage.publish(2);
    stage.look().await;
    let proxies = stage.get("proxies").await;
    assert_eq!(proxies["strangers"], Value::Array(Vec::new()), "{proxies:#}");
    let row = &proxies["contracts"][0];
    assert_eq!(
        (&row["contract"], &row["receipts"], &row["is_of_root"]),
        (&stage.proxy.to_string().into(), &2.into(), &false.into()),
        "{proxies:#}"
    );
}

#[tokio::test]
async fn where_the_root_contract_has_more_history_than_is_read_an_unknown_code_may_be_an_earlier_one() {
    let mut stage = Stage::new().await;
    stage.look().await;
    let root = stage.root.clone();
    stage.view.write().contracts.get_mut(&root).unwrap().is_whole = false;
    let forged = stage.forge_proxy();
    let proxy = std::mem::replace(&mut stage.proxy, forged);
    stage.publish(1);
    stage.look().await;
    let status = stage.get("status").await;
    let problem = status["logs"][0]["problem"].as_str().unwrap();
    assert!(
        !problem.starts_with("REFUSED") && problem.contains("is not known yet") && problem.contains("has more"),
        "{problem}"
    );
    let proxies = stage.get("proxies").await;
    assert_eq!(proxies["strangers"], Value::Array(Vec::new()), "{proxies:#}");
    // A receipt that names it does not keep the others of a log away.
    stage.charged_by = Some(std::mem::replace(&mut stage.proxy, proxy));
    stage.publish(1);
    stage.charged_by = None;
    stage.publish(1);
    stage.look().await;
    let status = stage.get("status").await;
    assert_eq!(
        (&status["logs"][0]["problem"], &status["logs"][0]["left_out"]),
        (&Value::Null, &2.into()),
        "{status:#}"
    );
    assert_eq!(stage.get("receipts").await["receipts"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn a_contract_that_becomes_one_of_the_network_is_a_stranger_no_longer() {
    let mut stage = Stage::new().await;
    // The root contract names its code later than the log its receipts.
    let earlier = stage.deploy_proxy_of_code_to_come();
    stage.charged_by = Some(earlier.clone());
    stage.publish(1);
    stage.look().await;
    is_a_stranger(&stage, &earlier, "its code").await;
    stage.name_code_to_come();
    stage.publish(1);
    stage.look().await;
    let proxies = stage.get("proxies").await;
    assert_eq!(proxies["strangers"], Value::Array(Vec::new()), "{proxies:#}");
    let receipts = stage.get("receipts").await;
    assert_eq!(receipts["receipts"].as_array().unwrap().len(), 1, "{receipts:#}");
}

#[tokio::test]
async fn what_a_worker_contract_with_other_code_holds_is_not_told() {
    let mut stage = Stage::new().await;
    stage.worker = stage.forge_worker();
    stage.publish(2);
    stage.look().await;
    stage.look().await;
    let workers = stage.get("workers").await;
    let is_it = |row: &&Value| row["contract"] == stage.worker.to_string();
    let row = workers["workers"].as_array().unwrap().iter().find(is_it).unwrap();
    assert_eq!(
        (&row["tokens_paid"], &row["receipts"], &row["state"]),
        (&Value::Null, &2.into(), &"absent".into()),
        "{workers:#}"
    );
}
