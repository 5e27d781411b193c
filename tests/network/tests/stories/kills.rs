//! Runners that die in the middle of something: what the user sees, what is charged, what is remembered.

use std::time::{Duration, Instant};

use cocoon_network_tests::{
    api::{Api, question},
    process::{Processes, Role},
    upstream::Upstream,
};

/// Slow enough that a kill after a few pieces is in the middle, fast enough for a short test.
const PACE: Duration = Duration::from_millis(60);
const LONG: u32 = 400;
/// How long a user may wait to learn that a runner is gone.
const NOTICE: Duration = Duration::from_secs(2);

async fn slow_network() -> (Processes, Upstream, Api) {
    let mut network = Processes::deploy().await.unwrap();
    let model = &network.network().model;
    let upstream = Upstream::start(model, PACE, LONG as usize).await.unwrap();
    network.use_upstream(&upstream.url()).unwrap();
    network.use_cheap_work().unwrap();
    let api = network.start_all().await.unwrap();
    (network, upstream, api)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_killed_in_mid_stream_is_an_error_in_time_and_only_delivered_tokens_are_charged() {
    let (mut network, upstream, api) = slow_network().await;
    let model = network.network().model.clone();

    let mut events = api
        .stream(&question(&model, "Tell me a long story.", LONG))
        .await
        .unwrap();
    assert_eq!(events.status(), 200);
    let before = events.pieces(8).await;
    assert_eq!(before.pieces, 8, "{before:?}");
    network.kill(Role::Worker).unwrap();
    let killed = Instant::now();
    let after = events.rest().await;
    let noticed = killed.elapsed();
    println!("the user learned of the lost worker after {noticed:?}");
    assert!(noticed <= NOTICE, "noticed after {noticed:?}");
    let error = after
        .error
        .as_ref()
        .unwrap_or_else(|| panic!("no error in the stream: {after:?}"));
    assert_eq!(error["code"], "worker_lost", "{error}");
    assert!(after.finish_reason.is_none(), "{after:?}");

    // What is charged is in the receipt, and is at most what was delivered.
    let delivered = before.pieces + after.pieces;
    let id = events.request_id().unwrap();
    let receipt = api.receipt(&id).await.unwrap();
    assert_eq!(receipt.status, 200, "{:#}", receipt.body);
    assert_eq!(receipt.body["finish_reason"], "worker_lost", "{:#}", receipt.body);
    assert_eq!(receipt.body["signed_by_worker"], false, "{:#}", receipt.body);
    let completion = receipt.body["counts"]["completion"].as_u64();
    let completion = completion.unwrap_or_else(|| panic!("no count in {:#}", receipt.body));
    assert!(
        completion <= delivered as u64,
        "charged {completion}, delivered {delivered}"
    );
    network.audit_until_equal().await.unwrap();

    // The network recovers as soon as there is a worker again.
    network.start(Role::Worker).unwrap();
    let api = network.ready().await.unwrap();
    let reply = api.chat(&question(&model, "Still there?", 4)).await.unwrap();
    assert_eq!(reply.status, 200, "{:#}", reply.body);
    assert!(upstream.asked() >= 2);
    network.audit_until_equal().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_proxy_killed_and_started_again_loses_nothing() {
    let (mut network, _upstream, api) = slow_network().await;
    let model = network.network().model.clone();
    let mut receipts = Vec::new();
    for number in 0..3 {
        let reply = api
            .chat(&question(&model, &format!("Question {number}"), 3))
            .await
            .unwrap();
        assert_eq!(reply.status, 200, "{:#}", reply.body);
        receipts.push(reply.receipt_id.unwrap());
    }

    let mut events = api
        .stream(&question(&model, "Tell me a long story.", LONG))
        .await
        .unwrap();
    assert_eq!(events.pieces(5).await.pieces, 5);
    network.kill(Role::Proxy).unwrap();
    let killed = Instant::now();
    let after = events.rest().await;
    assert!(killed.elapsed() <= NOTICE, "noticed after {:?}", killed.elapsed());
    let error = after
        .error
        .as_ref()
        .unwrap_or_else(|| panic!("no error in the stream: {after:?}"));
    assert_eq!(error["code"], "connection_lost", "{error}");

    // What was agreed is still there, for the auditor and for the user.
    assert_eq!(network.audit().await.unwrap()["totals"]["receipts"], 3);
    network.start(Role::Proxy).unwrap();
    let api = network.ready().await.unwrap();
    for id in &receipts {
        assert_eq!(api.get(&format!("/v1/cocoon/receipts/{id}")).await.unwrap().status, 200);
    }

    // New receipts continue the old ones.
    for number in 0..2 {
        let reply = api
            .chat(&question(&model, &format!("Once more {number}"), 3))
            .await
            .unwrap();
        assert_eq!(reply.status, 200, "{:#}", reply.body);
    }
    let report = network.audit_until_equal().await.unwrap();
    let receipts = report["totals"]["receipts"].as_u64().unwrap();
    // The question that was cut off may have left a receipt too, if the proxy had got that far.
    assert!((5..=6).contains(&receipts), "{report:#}");
}
