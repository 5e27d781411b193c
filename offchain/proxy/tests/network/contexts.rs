//! What models take: workers tell it, clients ask for it, and who does not know the questions notices nothing.

use std::time::Duration;

use bytes::Bytes;
use cocoon_bindings::units::Nanoton;
use cocoon_protocol::client::{GetWorkerTypesV2, WorkerTypesV2};
use cocoon_protocol::codec::{decode, encode};
use cocoon_protocol::context::{ContextLength, ContextTold, Contexts, GetContexts, ModelContext, TellContext};
use cocoon_protocol::handshake::WorkerBalances;
use cocoon_protocol::message::WorkerPacket;
use cocoon_protocol::version::VersionRange;
use cocoon_protocol::worker::EnabledDisabled;
use cocoon_runner::link::{LinkError, LinkHandle};

use crate::recovery::get;
use crate::support::{Act, Client, Network, Worker, address};

/// The newest that the deployed network speaks.
const DEPLOYED: VersionRange = VersionRange { min: 0, max: 2 };

fn network() -> Network {
    let network = Network::new();
    network.add_client(address(3), Nanoton::from_ton(50));
    network
}

async fn ask(link: &LinkHandle, question: impl Into<Bytes>) -> Result<Bytes, i32> {
    match link.query(question, Duration::from_secs(10)).await {
        Ok(answer) => Ok(answer),
        Err(LinkError::Refused { code, .. }) => Err(code),
        Err(error) => panic!("{error}"),
    }
}

async fn tell(worker: &Worker, tokens: u32) -> Result<(), i32> {
    let length = ContextLength::new(tokens).unwrap();
    let answer = ask(&worker.link, encode(&TellContext { length })).await?;
    assert_eq!(decode::<ContextTold>(&answer).unwrap(), ContextTold);
    Ok(())
}

/// Least and most of each model.
async fn contexts(client: &Client) -> Vec<(String, u32, u32)> {
    let answer = ask(&client.link, encode(&GetContexts)).await.unwrap();
    let Contexts { models } = decode(&answer).unwrap();
    let row = |model: ModelContext| (model.name, model.shortest.tokens(), model.longest.tokens());
    models.into_iter().map(row).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn clients_hear_the_least_and_the_most_that_workers_which_serve_have_told() {
    let network = network();
    let (proxy, _stop) = network.start().await;
    let client = Client::connect(&network, proxy.clients, address(3)).await;
    let one = Worker::connect(&network, proxy.workers, address(4), Act::Answer).await;
    let other = Worker::connect(&network, proxy.workers, address(5), Act::Answer).await;
    assert_eq!(contexts(&client).await, []);

    let before = ask(&client.link, encode(&GetWorkerTypesV2)).await.unwrap();
    let models: WorkerTypesV2 = decode(&before).unwrap();
    let model = |shortest, longest| vec![(models.types[0].name.clone(), shortest, longest)];
    tell(&one, 4096).await.unwrap();
    assert_eq!(
        contexts(&client).await,
        model(4096, 4096),
        "the other one has not told it"
    );
    tell(&other, 8192).await.unwrap();
    assert_eq!(contexts(&client).await, model(4096, 8192));
    tell(&one, 16_384).await.unwrap();
    assert_eq!(contexts(&client).await, model(8192, 16_384), "the last word counts");
    assert!(get(proxy.http, "/jsonstats").await.contains("\"context_length\":16384"));

    // What deployed clients ask for has not changed by a byte.
    let after = ask(&client.link, encode(&GetWorkerTypesV2)).await.unwrap();
    assert_eq!(before, after);

    let off = WorkerPacket::from(EnabledDisabled { disabled: 1 });
    one.link.send_packet(off.encode()).await.unwrap();
    // The proxy takes a connection's messages in their order.
    tell(&one, 16_384).await.unwrap();
    assert_eq!(
        contexts(&client).await,
        model(8192, 8192),
        "one that is off does not count"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_length_out_of_bounds_is_refused_and_the_worker_serves_on() {
    let network = network();
    let (proxy, _stop) = network.start().await;
    let client = Client::connect(&network, proxy.clients, address(3)).await;
    let worker = Worker::connect(&network, proxy.workers, address(4), Act::Answer).await;
    for length in [0, -1, i32::MAX] {
        let bytes = [TellContext::TL_ID.to_le_bytes(), length.to_le_bytes()].concat();
        assert_eq!(ask(&worker.link, bytes).await, Err(0), "{length}");
    }
    assert_eq!(contexts(&client).await, []);
    tell(&worker, 1).await.unwrap();
    assert_eq!(contexts(&client).await.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn peers_of_the_deployed_network_neither_tell_nor_ask_it() {
    let network = network();
    let (proxy, _stop) = network.start().await;
    let deployed = Client::connect_as(&network, proxy.clients, address(3), DEPLOYED);
    let deployed = deployed.await.unwrap();
    ask(&deployed.link, encode(&GetContexts)).await.unwrap_err();
    let known = WorkerBalances::default();
    let old = Worker::connect_as(&network, proxy.workers, address(4), Act::Answer, DEPLOYED, known);
    let old = old.await.unwrap();
    tell(&old, 4096).await.unwrap_err();
    let client = Client::connect(&network, proxy.clients, address(3)).await;
    assert_eq!(contexts(&client).await, []);
    let models = ask(&deployed.link, encode(&GetWorkerTypesV2)).await.unwrap();
    assert_eq!(decode::<WorkerTypesV2>(&models).unwrap().types.len(), 1);
}
