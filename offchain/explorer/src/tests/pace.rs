//! What a look asks of the chain.

use super::stage::Stage;

#[tokio::test]
async fn a_look_at_a_network_where_nothing_happens_asks_a_handful_of_questions() {
    let mut stage = Stage::new().await;
    stage.publish(3);
    for _ in 0..4 {
        stage.look().await;
    }
    let before = stage.questions();
    let cost = stage.look().await;
    // Head, root contract and its owner, the proxy contract of the one log, and two of clients and workers in passing.
    assert_eq!(stage.questions() - before, 6);
    assert!(!cost.is_limited);
}

#[tokio::test]
async fn a_server_that_takes_no_more_questions_is_noticed_and_what_was_read_stays() {
    let mut stage = Stage::new().await;
    stage.publish(1);
    assert!(!stage.look().await.is_limited);
    stage.limit();
    let cost = stage.look().await;
    assert!(cost.is_limited && !cost.took.is_zero(), "{cost:?}");
    let receipts = stage.get("receipts").await;
    assert_eq!(receipts["receipts"].as_array().unwrap().len(), 1);
    assert!(
        receipts["as_of"]["problem"]
            .as_str()
            .unwrap()
            .contains("no more questions"),
        "{receipts:#}"
    );
}

#[tokio::test]
async fn a_server_that_refuses_what_happened_to_the_root_contract_is_asked_nothing_else_in_that_look() {
    let mut stage = Stage::new().await;
    stage.look().await;
    stage.name_code_to_come();
    stage.publish(1);
    stage.limit_histories();
    assert!(stage.look().await.is_limited);
    let receipts = stage.get("receipts").await;
    assert_eq!(receipts["receipts"].as_array().unwrap().len(), 0, "{receipts:#}");
    let problem = receipts["as_of"]["problem"].as_str().unwrap();
    assert!(problem.contains("no more questions"), "{problem}");
}
