//! Contracts that a log names before another log tells what they are.

use super::stage::Stage;
use crate::contracts::Contracts;
use crate::share::OfLog;
use crate::words::Kind;

#[tokio::test]
async fn a_log_that_names_the_contracts_of_another_as_what_they_are_not_does_not_keep_them_away() {
    let mut stage = Stage::reading(2).await;
    stage.look().await;
    {
        let of = OfLog { log: 1, logs: 2 };
        let mut view = stage.view.write();
        view.contracts.follow_named(&stage.proxy, Kind::Client, of);
        view.contracts.follow_named(&stage.worker, Kind::Client, of);
        view.contracts.follow_named(&stage.client, Kind::Worker, of);
    }
    stage.look().await;
    for contract in [&stage.proxy, &stage.worker, &stage.client] {
        assert_eq!(stage.view.read().contracts.kind(contract), Kind::Somebody);
    }
    stage.publish(2);
    stage.anchor(2);
    stage.look().await;
    stage.look().await;
    let proxies = stage.get("proxies").await;
    let row = &proxies["contracts"][0];
    assert_eq!(
        (&row["contract"], &row["workers"], &row["clients"]),
        (&stage.proxy.to_string().into(), &1.into(), &1.into()),
        "{proxies:#}"
    );
    let anchors = stage.get("anchors").await;
    assert_eq!(anchors["anchors"][0]["in_log"], "proven", "{anchors:#}");
    let workers = stage.get("workers").await;
    assert_eq!(workers["workers"].as_array().unwrap().len(), 1, "{workers:#}");
    assert_eq!(
        (&workers["workers"][0]["contract"], &workers["workers"][0]["state"]),
        (&stage.worker.to_string().into(), &"normal".into()),
        "{workers:#}"
    );
    let feed = stage.get("feed?kind=proxy").await;
    assert_eq!(
        feed["feed"][0]["account"]["address"],
        stage.proxy.to_string(),
        "{feed:#}"
    );
}

#[tokio::test]
async fn a_worker_that_a_receipt_names_as_a_client_is_a_worker() {
    let mut stage = Stage::new().await;
    stage.publish(1);
    stage.look().await;
    let of = OfLog { log: 0, logs: 1 };
    let named = {
        let mut view = stage.view.write();
        // As if its first message were older than the history that is read.
        let proxy = view.contracts.get(&stage.proxy).unwrap().clone();
        view.contracts = Contracts::default();
        view.contracts.follow(&stage.proxy, Kind::Proxy);
        *view.contracts.get_mut(&stage.proxy).unwrap() = proxy;
        view.contracts.follow_named(&stage.worker, Kind::Client, of);
        view.contracts.kind(&stage.worker)
    };
    assert_eq!(named, Kind::Client);
    stage.look().await;
    stage.look().await;
    assert_eq!(stage.view.read().contracts.kind(&stage.worker), Kind::Worker);
    assert_eq!(stage.get("workers").await["workers"][0]["state"], "normal");
}
