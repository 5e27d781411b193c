//! A network is deployed by messages, and a second deployment changes nothing.

#![allow(clippy::unwrap_used, clippy::panic, reason = "helpers of tests")]

use std::sync::Arc;

use cocoon_attest::simulated::simulated_measurements;
use cocoon_bindings::types::Lifecycle;
use cocoon_bindings::{ModelHash, ProxyEndpoints};
use cocoon_chain::{ClientAccount, EmulatedChain, ProxyAccount, SharedChain, WorkerAccount};
use cocoon_cli::local::actors::Actors;
use cocoon_cli::local::deploy::{Contracts, Deployment, Listing};
use cocoon_cli::local::economy::{CLIENT_STAKE, CLIENT_TOP_UP, PROXY_STAKE};
use cocoon_cli::local::faucet::Faucet;
use cocoon_cli::local::layout::DataDir;
use cocoon_emulator::{Emulator, NetworkConfig};

const SECRET_HASH: [u8; 32] = [5; 32];

async fn deploy(data: &DataDir, chain: &EmulatedChain, port: u16) -> Contracts {
    let shared: SharedChain = Arc::new(chain.clone());
    let actors = Actors::prepare(data, &shared, &Faucet::Emulated(chain.clone()))
        .await
        .unwrap();
    let listing = Listing {
        proxy_image: simulated_measurements("proxy").image_hash(),
        worker_image: simulated_measurements("worker").image_hash(),
        models: vec![ModelHash::new([9; 32]), ModelHash::new([10; 32])],
        endpoints: ProxyEndpoints {
            workers: "127.0.0.1:1".into(),
            clients: format!("127.0.0.1:{port}"),
        },
    };
    let deployment = Deployment::new(&shared, &actors);
    let root = deployment.root(&listing).await.unwrap();
    let proxy = deployment.proxy(&root).await.unwrap();
    let worker = deployment.worker(&root, &proxy).await.unwrap();
    let client = deployment.client(&root, &proxy, SECRET_HASH).await.unwrap();
    assert_eq!(root.data.proxies.values().collect::<Vec<_>>(), [&listing.endpoints]);
    Contracts {
        root: root.address,
        proxy,
        client,
        worker,
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_network_is_deployed_once_and_resumed_after() {
    for prices in [NetworkConfig::spring_2026(), NetworkConfig::october_2025()] {
        let folder = tempfile::tempdir().unwrap();
        let data = DataDir::new(folder.path());
        let chain = EmulatedChain::new(Emulator::new(&prices, 1_790_000_000).unwrap());
        let contracts = deploy(&data, &chain, 2).await;

        let proxy = ProxyAccount::fetch(&chain, &contracts.proxy).await.unwrap();
        assert_eq!((proxy.state, proxy.stake), (Lifecycle::Normal, PROXY_STAKE));
        assert_eq!(proxy.root, contracts.root);
        let client = ClientAccount::fetch(&chain, &contracts.client).await.unwrap();
        assert_eq!((client.balance, client.stake), (CLIENT_TOP_UP, CLIENT_STAKE));
        assert_eq!(client.secret_hash, SECRET_HASH);
        let worker = WorkerAccount::fetch(&chain, &contracts.worker).await.unwrap();
        assert_eq!((worker.state, worker.tokens.get()), (Lifecycle::Normal, 0));

        let last = |address| chain.with(|chain| chain.account(address).unwrap().unwrap().last_lt);
        let before = [&contracts.proxy, &contracts.client, &contracts.worker].map(last);
        assert_eq!(
            deploy(&data, &chain, 3).await,
            contracts,
            "only the proxy's port was updated"
        );
        assert_eq!(
            [&contracts.proxy, &contracts.client, &contracts.worker].map(last),
            before
        );
        assert!(chain.with(|chain| chain.books().unwrap().balanced()));
    }
}
