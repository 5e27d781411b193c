//! The proxy signs what its workers signed, and only that.

use crate::support::{Act, Client, Network, Worker, address, until};
use cocoon_bindings::ton::{from_cell, to_cell};
use cocoon_bindings::units::{Nanoton, QueryId};
use cocoon_bindings::worker::{ClaimByStatement, GetCocoonWorkerClaim};
use cocoon_bindings::worker_state_init;
use cocoon_chain::call_get_method;

async fn network() -> Network {
    let network = Network::new();
    network.add_client(address(3), Nanoton::from_ton(50));
    network
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_gets_the_proxys_signature_over_each_statement_that_it_signed() {
    let network = network().await;
    let (proxy, _stop) = network.start().await;
    let worker = Worker::connect(&network, proxy.workers, address(4), Act::Answer).await;
    let mut client = Client::connect(&network, proxy.clients, address(3)).await;
    let mut statements = Vec::new();
    for id in 1..=3 {
        statements.push(client.ask(id).await.receipt.unwrap().receipt.statement);
    }
    until("three statements are signed", || {
        worker.countersigned.lock().unwrap().len() == 3
    })
    .await;
    for (statement, signed) in statements.iter().zip(worker.countersigned.lock().unwrap().iter()) {
        assert_eq!(signed.statement_hash, statement.hash().0);
        let signature = signed.signature.as_ref().try_into().unwrap();
        assert!(network.proxy_key().verifies(statement.hash().as_slice(), signature));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_that_comes_back_gets_the_last_signature_again_also_from_a_restarted_proxy() {
    let network = network().await;
    let (proxy, stop) = network.start().await;
    let worker = Worker::connect(&network, proxy.workers, address(4), Act::Answer).await;
    let mut client = Client::connect(&network, proxy.clients, address(3)).await;
    client.ask(1).await;
    let last = client.ask(2).await.receipt.unwrap().receipt.statement.hash();
    until("the last statement is signed", || {
        worker.countersigned.lock().unwrap().len() == 2
    })
    .await;
    worker.link.close().await;
    stop.cancel();
    proxy.join().await.unwrap();

    let (proxy, _stop) = network.start().await;
    let worker = Worker::connect(&network, proxy.workers, address(4), Act::Answer).await;
    until("it is sent again", || !worker.countersigned.lock().unwrap().is_empty()).await;
    let again = worker.countersigned.lock().unwrap().clone();
    assert_eq!((again.len(), again[0].statement_hash), (1, last.0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_that_does_not_sign_gets_no_signature() {
    let network = network().await;
    let (proxy, _stop) = network.start().await;
    let worker = Worker::connect(&network, proxy.workers, address(4), Act::AnswerUnsigned).await;
    let mut client = Client::connect(&network, proxy.clients, address(3)).await;
    assert_eq!(client.ask(1).await.receipt.unwrap().worker_signature, None);
    until("its payment came, which is sent later", || {
        !worker.payments.lock().unwrap().is_empty()
    })
    .await;
    client.ask(2).await;
    assert!(worker.countersigned.lock().unwrap().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_workers_contract_takes_the_signed_statement_as_a_claim() {
    let network = network().await;
    let mut config = network.config();
    // This proxy never pays by itself.
    config.settlement.worker_payout = Nanoton::MAX;
    let (proxy, _stop) = network.try_start(config).await.unwrap();
    let owner = address(4);
    let worker = Worker::connect(&network, proxy.workers, owner.clone(), Act::Answer).await;
    let mut client = Client::connect(&network, proxy.clients, address(3)).await;
    client.ask(1).await;
    let statement = client.ask(2).await.receipt.unwrap().receipt.statement;
    until("the last statement is signed", || {
        worker.countersigned.lock().unwrap().len() == 2
    })
    .await;
    let signature = worker.countersigned.lock().unwrap()[1]
        .signature
        .as_ref()
        .try_into()
        .unwrap();

    let claim = ClaimByStatement {
        query_id: QueryId::new(1),
        send_excesses_to: owner.clone(),
        signature,
        statement: from_cell(&statement.to_cell()).unwrap(),
    };
    let contract = network.worker_contract(&owner);
    let (proxy_contract, key) = (network.proxy_contract(), network.proxy_key());
    let init = worker_state_init(&owner, &proxy_contract, &key, &network.params).unwrap();
    network.deliver(
        &owner,
        &contract,
        Nanoton::from_ton(1),
        to_cell(&claim).unwrap(),
        Some(init),
    );
    let chain = network.shared_chain();
    let open = call_get_method(chain.as_ref(), &contract, &GetCocoonWorkerClaim)
        .await
        .unwrap();
    assert_eq!(open.tokens.get(), statement.channel.after);
    assert_eq!(open.tokens.get(), 26);
}
