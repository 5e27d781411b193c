//! A client with connections to several proxies.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that fails, fails loudly")]

use std::sync::Arc;
use std::time::Duration;

use crate::common::chain::{FixedChain, listing};
use crate::common::proxy::{FakeProxy, ProxyKeys};
use crate::common::{Options, World, error_of};
use cocoon_attest::simulated::SimulatedPlatform;
use serde_json::{Value, json};
use tokio::net::TcpListener;

/// A client and two proxies, connected to both.
async fn world() -> (World, FakeProxy) {
    world_with([None; 2]).await
}

/// The same; the proxies say these lengths of contexts.
async fn world_with([first_says, second_says]: [Option<[i32; 2]>; 2]) -> (World, FakeProxy) {
    let bind = || TcpListener::bind("127.0.0.1:0");
    let (first, second) = (bind().await.unwrap(), bind().await.unwrap());
    let address = first.local_addr().unwrap();
    let (chain, root) = FixedChain::new(address, false);
    let mut both = listing(address);
    let mut others = listing(second.local_addr().unwrap()).proxies;
    both.proxies.insert(2, others.remove(&1).unwrap());
    both.last_proxy_seqno = 2;
    chain.list(&both);
    let options = Options {
        proxy_connections: 2,
        contexts: first_says,
        ..Options::default()
    };
    let world = World::on(Arc::new(chain), Arc::clone(&root), first, None, options.clone()).await;
    let platform = std::fs::read_to_string(world.folder.path().join("platform.json")).unwrap();
    let platform = SimulatedPlatform::from_json(&platform).unwrap();
    let options = Options {
        contexts: second_says,
        ..options
    };
    let second = FakeProxy::start(second, ProxyKeys::new(root), platform, options);
    until_connected(&world, 2).await;
    (world, second)
}

async fn until_connected(world: &World, count: usize) {
    let mut upstream = world.client.upstream();
    let wait = upstream.wait_for(|up| up.connections.len() == count);
    tokio::time::timeout(Duration::from_secs(20), wait)
        .await
        .unwrap()
        .unwrap();
}

#[tokio::test]
async fn requests_go_to_the_proxy_that_has_the_fewest() {
    let (world, second) = world().await;
    for _ in 0..2 {
        let (one, other, ()) = tokio::join!(world.chat(""), world.chat(""), async {
            let (one, other) = tokio::join!(world.proxy.request(), second.request());
            one.refuse(701, "unknown model").await;
            other.refuse(701, "unknown model").await;
        });
        assert_eq!((one.status().as_u16(), other.status().as_u16()), (404, 404));
    }
}

#[tokio::test]
async fn statistics_and_figures_are_those_of_all_proxies() {
    let (world, second) = world().await;
    let (first, other, ()) = tokio::join!(world.chat(""), world.chat(""), async {
        let (one, two) = tokio::join!(world.proxy.request(), second.request());
        let page: serde_json::Value = world.get("/jsonstats").await.json().await.unwrap();
        let rows = page["proxy_connections"].as_array().unwrap();
        let addresses: std::collections::BTreeSet<_> = rows.iter().map(|row| row["address"].as_str()).collect();
        assert_eq!(addresses.len(), 2, "{rows:?}");
        for row in rows {
            assert_eq!((&row["is_ready"], &row["running_requests"]), (&true.into(), &1.into()));
        }
        // Both proxies of this test have one key, and so count in one contract.
        assert_eq!(page["proxies"].as_array().unwrap().len(), 1);
        let figures = world.get("/metrics").await.text().await.unwrap();
        for line in ["cocoon_client_connections 2", "cocoon_client_running_requests 2"] {
            assert!(figures.lines().any(|found| found == line), "{line}: {figures}");
        }
        one.refuse(701, "unknown model").await;
        two.refuse(701, "unknown model").await;
    });
    assert_eq!(
        (first.status(), other.status()),
        (404.try_into().unwrap(), 404.try_into().unwrap())
    );
}

#[tokio::test]
async fn what_was_sent_is_lost_with_its_proxy_and_the_next_request_goes_to_the_other() {
    let (world, second) = world().await;
    let (lost, answered, ()) = tokio::join!(world.chat(""), world.chat(""), async {
        let (one, other) = tokio::join!(world.proxy.request(), second.request());
        one.link.close().await;
        one.link.closed().await;
        other.refuse(701, "unknown model").await;
    });
    let mut ends = [error_of(lost).await.1, error_of(answered).await.1];
    ends.sort();
    assert_eq!(ends, ["connection_lost", "model_not_found"]);
    let (response, ()) = tokio::join!(world.chat(""), async {
        second.request().await.refuse(701, "unknown model").await;
    });
    assert_eq!(response.status(), 404);
    // The one that was lost is dialed again.
    until_connected(&world, 2).await;
    assert_eq!(world.get("/health").await.status(), 200);
}

#[tokio::test]
async fn a_model_takes_what_it_takes_at_every_proxy() {
    for (says, shortest, range) in [
        (
            [Some([4096, 8192]), Some([2048, 2048])],
            2048,
            json!({"min": 2048, "max": 8192}),
        ),
        ([Some([4096, 4096]), Some([4096, 4096])], 4096, Value::Null),
        ([None, Some([4096, 4096])], 4096, Value::Null),
    ] {
        let (world, _second) = world_with(says).await;
        let models: Value = world.get("/v1/models").await.json().await.unwrap();
        let row = &models["data"][0];
        assert_eq!(
            (&row["context_length"], &row["context_range"]),
            (&json!(shortest), &range)
        );
    }
}
