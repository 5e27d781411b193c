//! The parameters of the network change: another proxy contract serves, and the one before is wound up.

use std::time::Duration;

use crate::support::{Act, Client, Network, Worker, address, until};
use cocoon_bindings::ton::Address;
use cocoon_bindings::types::Lifecycle;
use cocoon_bindings::units::Nanoton;

/// Addresses of the contracts under one version of the parameters.
struct Contracts {
    proxy: Address,
    client: Address,
    worker: Address,
}

fn contracts(network: &Network) -> Contracts {
    Contracts {
        proxy: network.proxy_contract(),
        client: network.client_contract(&address(3)),
        worker: network.worker_contract(&address(4)),
    }
}

impl Contracts {
    /// Charged, refunded and paid to the last token.
    fn are_settled(&self, network: &Network, tokens: u64) -> bool {
        let is_paid = network
            .worker_state(&self.worker)
            .is_some_and(|(_, paid)| paid == tokens);
        network.client_state(&self.client) == Some((Lifecycle::Closed, tokens)) && is_paid
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_of_the_parameters_moves_everybody_to_a_new_contract_and_closes_the_old_one() {
    let mut network = Network::new();
    network.add_client(address(3), Nanoton::from_ton(50));
    let (proxy, _stop) = network.start().await;
    let worker = Worker::connect(&network, proxy.workers, address(4), Act::Answer).await;
    let mut client = Client::connect(&network, proxy.clients, address(3)).await;
    assert_eq!(client.ask(1).await.payment.unwrap().request_tokens, 13);
    let old = contracts(&network);
    let owned = network.balance(&address(3));

    network.change_prices();
    let new = contracts(&network);
    until("peers are sent away", || {
        worker.link.is_closed() && client.link.is_closed()
    })
    .await;
    until("the old contracts are settled", || old.are_settled(&network, 13)).await;
    assert_eq!(network.proxy_state(&new.proxy), Lifecycle::Normal);
    let refunded = network.balance(&address(3)).checked_sub(owned).unwrap();
    assert!(refunded > Nanoton::new(49_500_000_000), "{refunded}");

    network.open_client(&address(3), Nanoton::from_ton(20));
    let _worker = Worker::connect(&network, proxy.workers, address(4), Act::Answer).await;
    let mut client = Client::connect(&network, proxy.clients, address(3)).await;
    assert_eq!(client.authorized.max_tokens, 0);
    let receipt = client.ask(2).await.receipt.unwrap().receipt;
    assert_eq!((&receipt.statement.proxy, receipt.channel.seqno), (&new.proxy, 1));
    assert_eq!(receipt.statement.params_version.get(), 2);
    until("the new contract settles", || {
        network.tokens_used(&address(3)) == Some(13)
    })
    .await;

    until("closing", || network.proxy_state(&old.proxy) == Lifecycle::Closing).await;
    network.chain.with(|chain| chain.advance(700)).unwrap();
    until("closed", || network.proxy_state(&old.proxy) == Lifecycle::Closed).await;
    assert_eq!(network.proxy_state(&new.proxy), Lifecycle::Normal);
    assert_eq!(client.ask(3).await.payment.unwrap().max_tokens, 26);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_that_runs_when_the_parameters_change_ends_and_is_charged_at_the_old_contract() {
    let mut network = Network::new();
    network.add_client(address(3), Nanoton::from_ton(50));
    let (proxy, _stop) = network.start().await;
    let _worker = Worker::connect(&network, proxy.workers, address(4), Act::Endless).await;
    let mut client = Client::connect(&network, proxy.clients, address(3)).await;
    let old = contracts(&network);
    client.send(1, crate::support::MODEL, 1000).await;
    network.change_prices();
    let new = contracts(&network);
    until("the new contract is there", || network.is_there(&new.proxy)).await;
    assert!(!client.link.is_closed());
    client.cancel(1).await;
    let outcome = client.outcome(1).await;
    let receipt = outcome.receipt.unwrap().receipt;
    assert_eq!(receipt.statement.proxy, old.proxy);
    let tokens = receipt.charged();
    until("the old contracts are settled", || old.are_settled(&network, tokens)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_proxy_that_stops_at_any_step_of_the_change_goes_on_with_it() {
    let mut network = Network::new();
    network.add_client(address(3), Nanoton::from_ton(50));
    let (proxy, stop) = network.start().await;
    let _worker = Worker::connect(&network, proxy.workers, address(4), Act::Answer).await;
    let mut client = Client::connect(&network, proxy.clients, address(3)).await;
    client.ask(1).await;
    let old = contracts(&network);
    network.change_prices();
    let new = contracts(&network);
    stop.cancel();
    proxy.join().await.unwrap();
    for pause in [0, 150, 400, 900] {
        let (proxy, stop) = network.start().await;
        tokio::time::sleep(Duration::from_millis(pause)).await;
        stop.cancel();
        proxy.join().await.unwrap();
    }
    let (proxy, _stop) = network.start().await;
    assert_eq!(proxy.contract, new.proxy);
    until("the old contracts are settled", || old.are_settled(&network, 13)).await;
    until("closing", || network.proxy_state(&old.proxy) == Lifecycle::Closing).await;
    network.chain.with(|chain| chain.advance(700)).unwrap();
    until("closed", || network.proxy_state(&old.proxy) == Lifecycle::Closed).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_contract_that_holds_coins_of_an_unknown_client_stays_open() {
    let mut network = Network::new();
    let (_proxy, _stop) = network.start().await;
    let old = contracts(&network);
    // Coins that no channel of the proxy accounts for.
    network.fund(&old.proxy, Nanoton::from_ton(2));
    network.change_prices();
    until("closing", || network.proxy_state(&old.proxy) == Lifecycle::Closing).await;
    network.chain.with(|chain| chain.advance(700)).unwrap();
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert_eq!(network.proxy_state(&old.proxy), Lifecycle::Closing);
}
