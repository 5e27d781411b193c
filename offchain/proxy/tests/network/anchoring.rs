//! The root of the receipt log goes on chain, and what is there binds the proxy.

use crate::recovery::get;
use crate::support::{Act, Client, Network, Worker, address, until};
use cocoon_bindings::proxy::{ProxyStorage, ProxyTail};
use cocoon_bindings::ton::{Load, from_cell};
use cocoon_bindings::units::Nanoton;
use cocoon_proxy::{AnchorConfig, ProxyConfig};
use cocoon_receipt::tree::{leaf_hash, root};

fn anchored(network: &Network) -> Option<ProxyTail> {
    let contract = network.proxy_contract();
    let account = network.chain.with(|chain| chain.account(&contract)).unwrap()?;
    let storage: ProxyStorage = from_cell(&account.data?).unwrap();
    let tail = storage.tail.reference_cloned(0)?;
    ProxyTail::load_from(&mut tail.as_slice().unwrap()).ok()
}

fn config(network: &Network) -> ProxyConfig {
    ProxyConfig {
        anchor: AnchorConfig { every: 0.5, count: 0 },
        ..network.config()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_root_of_the_log_is_anchored_as_it_grows_and_again_after_a_restart() {
    let network = Network::new();
    network.add_client(address(3), Nanoton::from_ton(50));
    let (proxy, stop) = network.try_start(config(&network)).await.unwrap();
    Worker::connect(&network, proxy.workers, address(4), Act::Answer).await;
    let mut client = Client::connect(&network, proxy.clients, address(3)).await;
    client.ask(1).await;
    until("anchored", || anchored(&network).is_some_and(|tail| tail.size == 1)).await;
    stop.cancel();
    proxy.join().await.unwrap();

    let (proxy, _stop) = network.try_start(config(&network)).await.unwrap();
    Worker::connect(&network, proxy.workers, address(4), Act::Answer).await;
    let mut client = Client::connect(&network, proxy.clients, address(3)).await;
    client.ask(2).await;
    client.ask(3).await;
    until("anchored again", || {
        anchored(&network).is_some_and(|tail| tail.size == 3)
    })
    .await;
    let tail = anchored(&network).unwrap();
    assert!(tail.seqno >= 2 && !tail.is_slashed);
    let receipts = cocoon_store::read_receipts(&network.store_dir().join("receipts.log")).unwrap();
    let leaves: Vec<_> = receipts
        .iter()
        .map(|receipt| leaf_hash(receipt.id().0.as_slice()))
        .collect();
    assert_eq!(tail.root_hash, root(&leaves));
    assert!(get(proxy.http, "/health").await.contains("ready"));
}
