//! Lite servers that lie, and servers of which one lies.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use cocoon_bindings::ton::{Address, HashBytes};
use cocoon_bindings::units::Nanoton;
use cocoon_localnet::{
    Answer, Clock, Consensus, Lie, LiteConfig, LocalNet, LocalNetConfig, Request, RunningLite, RunningLocalNet,
};

use crate::{ChainClient as _, ChainError, ChainPool, GlobalConfig, LiteClient, LiteServer};

const SOMEBODY: Address = Address::new(0, HashBytes([1; 32]));
const OTHER: Address = Address::new(0, HashBytes([2; 32]));
const START: u32 = 1_780_000_000;

async fn network() -> RunningLocalNet {
    let net = LocalNet::start(LocalNetConfig {
        clock: Clock::Manual(START),
        ..LocalNetConfig::ephemeral()
    });
    let net = net.await.unwrap();
    fund(&net, &SOMEBODY, 5_000_000_000);
    fund(&net, &OTHER, 9_000_000_000);
    net
}

fn fund(net: &RunningLocalNet, address: &Address, amount: u128) {
    net.with(|chain| {
        chain.advance(1)?;
        chain.fund(address, Nanoton::new(amount)).map(drop)
    })
    .unwrap();
}

async fn serve(net: &RunningLocalNet, lie: Option<Lie>) -> RunningLite {
    net.serve_lite(LiteConfig {
        lie,
        ..LiteConfig::ephemeral()
    })
    .await
    .unwrap()
}

fn client(server: &RunningLite) -> LiteClient {
    let place = LiteServer {
        address: server.address(),
        key: *server.key(),
    };
    LiteClient::new(&place, server.beginning())
}

fn pool(servers: &[&RunningLite]) -> ChainPool {
    let clients = servers.iter().map(|server| {
        let shared: crate::SharedChain = Arc::new(client(server));
        (server.address().to_string(), shared)
    });
    ChainPool::of_clients(clients.collect()).unwrap()
}

/// Each lie, and whether only a proof can show it.
fn lies() -> Vec<(&'static str, Lie)> {
    fn lie(change: impl Fn(&Request, Answer) -> Answer + Send + Sync + 'static) -> Lie {
        Arc::new(change)
    }
    let torn = |bytes: &[u8], place: usize| {
        let mut bytes = bytes.to_vec();
        let place = place.min(bytes.len().saturating_sub(1));
        if let Some(byte) = bytes.get_mut(place) {
            *byte ^= 1;
        }
        bytes
    };
    vec![
        (
            "a changed account",
            lie(move |_, answer| match answer {
                Answer::AccountState {
                    id,
                    shard_block,
                    shard_proof,
                    proof,
                    state,
                } => {
                    let place = state.len() / 2;
                    Answer::AccountState {
                        state: torn(&state, place),
                        id,
                        shard_block,
                        shard_proof,
                        proof,
                    }
                }
                answer => answer,
            }),
        ),
        (
            "a changed proof",
            lie(move |_, answer| match answer {
                Answer::AccountState {
                    id,
                    shard_block,
                    shard_proof,
                    proof,
                    state,
                } => {
                    let place = proof.len() - 40;
                    Answer::AccountState {
                        proof: torn(&proof, place),
                        id,
                        shard_block,
                        shard_proof,
                        state,
                    }
                }
                answer => answer,
            }),
        ),
        (
            "no account where there is one",
            lie(|_, answer| match answer {
                Answer::AccountState {
                    id,
                    shard_block,
                    shard_proof,
                    proof,
                    ..
                } => Answer::AccountState {
                    state: Vec::new(),
                    id,
                    shard_block,
                    shard_proof,
                    proof,
                },
                answer => answer,
            }),
        ),
        (
            "a block that nobody signed",
            lie(|_, answer| match answer {
                Answer::MasterchainInfo {
                    mut last,
                    state_root_hash,
                    init,
                } => {
                    last.file_hash = HashBytes([7; 32]);
                    Answer::MasterchainInfo {
                        last,
                        state_root_hash,
                        init,
                    }
                }
                answer => answer,
            }),
        ),
        (
            "a block from the future",
            lie(|_, answer| match answer {
                Answer::MasterchainInfo {
                    mut last,
                    state_root_hash,
                    init,
                } => {
                    last.seqno += 1000;
                    Answer::MasterchainInfo {
                        last,
                        state_root_hash,
                        init,
                    }
                }
                answer => answer,
            }),
        ),
        (
            "a way without its steps",
            lie(|_, answer| match answer {
                Answer::BlockProof { from, to, complete, .. } => Answer::BlockProof {
                    from,
                    to,
                    complete,
                    steps: vec![],
                },
                answer => answer,
            }),
        ),
        (
            "an answer to another question",
            lie(|request, answer| match request {
                Request::MasterchainInfo => answer,
                _ => Answer::Sent { status: 1 },
            }),
        ),
    ]
}

#[tokio::test]
async fn a_lie_is_noticed_and_another_server_asked() {
    for (what, lie) in lies() {
        let net = network().await;
        let honest = serve(&net, None).await;
        let liar = serve(&net, Some(lie)).await;
        let alone = client(&liar).account(&SOMEBODY).await.unwrap_err();
        assert!(
            matches!(
                alone,
                ChainError::Unproven { .. } | ChainError::Response { .. } | ChainError::ServerRefused { .. }
            ),
            "{what}: {alone}"
        );
        let pool = pool(&[&liar, &honest]);
        for _ in 0..4 {
            let account = pool.account(&SOMEBODY).await.unwrap();
            assert_eq!(account.balance, Nanoton::from_ton(5), "{what}");
        }
        assert_eq!(pool.endpoints()[1].failures, 0, "{what}");
    }
}

#[tokio::test]
async fn an_account_in_the_place_of_another_is_noticed() {
    let net = network().await;
    let honest = Arc::new(serve(&net, None).await);
    let other = client(&honest);
    // What an honest server says of the other account, under the name of this one.
    let block = other.head().await.unwrap().seqno.unwrap();
    assert!(block > 0);
    let swapped: Lie = Arc::new(|request, answer| match request {
        Request::Transactions { .. } => Answer::Transactions {
            ids: vec![],
            transactions: vec![],
        },
        _ => answer,
    });
    let liar = serve(&net, Some(swapped)).await;
    let hidden = client(&liar).transactions(&SOMEBODY, 5, None).await;
    assert!(matches!(hidden, Err(ChainError::Unproven { .. })), "{hidden:?}");
    assert_eq!(other.transactions(&SOMEBODY, 5, None).await.unwrap().len(), 1);
}

#[tokio::test]
async fn a_server_that_stays_at_an_old_block_is_not_read() {
    let net = network().await;
    let honest = serve(&net, None).await;
    let stuck = Arc::new(AtomicBool::new(false));
    let first = Arc::new(std::sync::Mutex::new(None));
    let stays: Lie = {
        let stuck = Arc::clone(&stuck);
        Arc::new(move |_, answer| match answer {
            Answer::MasterchainInfo { .. } => {
                let mut first = first.lock().unwrap();
                match (&*first, stuck.load(Ordering::Relaxed)) {
                    (Some(old), true) => Answer::clone(old),
                    _ => {
                        *first = Some(answer.clone());
                        answer
                    }
                }
            }
            answer => answer,
        })
    };
    let stale = serve(&net, Some(stays)).await;
    client(&stale).account(&SOMEBODY).await.unwrap();
    stuck.store(true, Ordering::Relaxed);
    net.with(|chain| chain.advance(100)).unwrap();
    fund(&net, &SOMEBODY, 1_000_000_000);
    // Its old block is proven well enough: only another server shows that it is old.
    assert!(client(&stale).account(&SOMEBODY).await.unwrap().balance <= Nanoton::from_ton(5));
    let pool = pool(&[&stale, &honest]);
    for _ in 0..4 {
        assert!(pool.account(&SOMEBODY).await.unwrap().balance > Nanoton::from_ton(5));
    }
    assert!(pool.endpoints()[0].is_behind);
}

#[tokio::test]
async fn a_server_that_turns_back_is_asked_for_the_newest_block_that_it_proved() {
    let net = network().await;
    // The first answer, and whether it is told again.
    let told = Arc::new(std::sync::Mutex::new((None, false)));
    let turns: Lie = {
        let told = Arc::clone(&told);
        Arc::new(move |_, answer| match answer {
            Answer::MasterchainInfo { .. } => match &mut *told.lock().unwrap() {
                (Some(first), true) => Answer::clone(first),
                (first, _) => {
                    first.get_or_insert_with(|| answer.clone());
                    answer
                }
            },
            answer => answer,
        })
    };
    let server = serve(&net, Some(turns)).await;
    let client = client(&server);
    let oldest = client.account(&SOMEBODY).await.unwrap();
    fund(&net, &SOMEBODY, 1);
    let newest = client.account(&SOMEBODY).await.unwrap();
    assert_ne!(newest.last, oldest.last);
    told.lock().unwrap().1 = true;
    assert_eq!(client.account(&SOMEBODY).await.unwrap(), newest);
}

#[tokio::test]
async fn validators_that_change_are_followed_and_a_new_client_finds_the_way() {
    for consensus in [Consensus::Catchain, Consensus::Simplex] {
        let net = network().await;
        let config = LiteConfig {
            consensus,
            ..LiteConfig::ephemeral()
        };
        let server = net.serve_lite(config).await.unwrap();
        let old = client(&server);
        for round in 1..4u8 {
            old.account(&SOMEBODY).await.unwrap();
            server
                .rotate(&[[round * 16; 32], [round * 16 + 1; 32], [round * 16 + 2; 32]])
                .unwrap();
            fund(&net, &SOMEBODY, 1);
            assert!(old.account(&SOMEBODY).await.is_ok());
        }
        let late = client(&server).account(&SOMEBODY).await.unwrap();
        assert_eq!(late, old.account(&SOMEBODY).await.unwrap());
    }
}

#[tokio::test]
async fn a_server_with_another_key_is_not_talked_to() {
    let net = network().await;
    let server = serve(&net, None).await;
    let place = LiteServer {
        address: server.address(),
        key: *cocoon_lite::adnl::ServerKey::from_seed(&[9; 32]).public(),
    };
    let refused = LiteClient::new(&place, server.beginning()).account(&SOMEBODY).await;
    assert!(matches!(refused, Err(ChainError::Unreachable { .. })), "{refused:?}");
}

#[tokio::test]
async fn another_chain_under_the_same_address_is_not_believed() {
    let (net, other) = (network().await, network().await);
    let server = serve(&net, None).await;
    let elsewhere = net
        .serve_lite(LiteConfig {
            validators: vec![[0x31; 32], [0x32; 32]],
            ..LiteConfig::ephemeral()
        })
        .await
        .unwrap();
    let place = LiteServer {
        address: elsewhere.address(),
        key: *elsewhere.key(),
    };
    let refused = LiteClient::new(&place, server.beginning()).account(&SOMEBODY).await;
    assert!(refused.is_err(), "{refused:?}");
    drop(other);
}

#[tokio::test]
async fn the_global_configuration_of_a_local_server_leads_to_it() {
    let net = network().await;
    let server = serve(&net, None).await;
    let config = GlobalConfig::parse(&server.global_config().to_string()).unwrap();
    let pool = ChainPool::of_lite(&config).unwrap();
    assert_eq!(pool.account(&OTHER).await.unwrap().balance, Nanoton::from_ton(9));
    assert_eq!(pool.endpoints()[0].host, server.address().to_string());
}

#[tokio::test]
async fn the_newest_block_may_be_the_key_block_that_another_server_proved() {
    let net = network().await;
    let (first, second) = (serve(&net, None).await, serve(&net, None).await);
    let trust = crate::lite::Trust::new(first.beginning());
    let clients = [&first, &second].map(|server| {
        let place = LiteServer {
            address: server.address(),
            key: *server.key(),
        };
        LiteClient::sharing(&place, Arc::clone(&trust))
    });
    let seeds = [[16; 32], [17; 32], [18; 32]];
    for server in [&first, &second] {
        server.rotate(&seeds).unwrap();
    }
    for client in &clients {
        assert_eq!(client.account(&SOMEBODY).await.unwrap().balance, Nanoton::from_ton(5));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn validators_change_while_somebody_asks() {
    let net = network().await;
    let server = Arc::new(serve(&net, None).await);
    let client = client(&server);
    let rotating = Arc::clone(&server);
    let rotation = tokio::task::spawn_blocking(move || {
        for round in 1..10u8 {
            rotating.rotate(&[[round; 32], [round + 20; 32]]).unwrap();
        }
    });
    let asking = async {
        while !rotation.is_finished() {
            let _ = client.head().await;
        }
    };
    let limit = std::time::Duration::from_secs(60);
    tokio::time::timeout(limit, asking)
        .await
        .expect("neither waits for the other");
    assert_eq!(client.account(&SOMEBODY).await.unwrap().balance, Nanoton::from_ton(5));
}

#[tokio::test]
async fn a_lite_server_that_was_dropped_serves_nobody() {
    let net = network().await;
    let server = serve(&net, None).await;
    let client = client(&server);
    client.account(&SOMEBODY).await.unwrap();
    drop(server);
    let gone = client.account(&SOMEBODY).await;
    assert!(matches!(gone, Err(ChainError::Unreachable { .. })), "{gone:?}");
}
