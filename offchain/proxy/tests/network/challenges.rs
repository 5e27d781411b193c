//! Answers are asked for once more at another worker; one that answers otherwise than two others is benched.

use std::sync::Arc;

use crate::recovery::get;
use crate::support::{Act, Client, MODEL, Network, Wish, Worker, address, until};
use cocoon_bindings::units::Nanoton;
use cocoon_proxy::{ChallengeConfig, LogConfig, ProxyConfig, RunningProxy};
use cocoon_receipt::ChallengeResult;
use cocoon_tlog::{Compared, Description, FolderSource, PublishedLog};

const ASKED: &str = r#"{"model":"parrot","messages":[{"role":"user","content":"hi"}]}"#;

fn config(network: &Network) -> ProxyConfig {
    let mut config = network.config();
    config.log = LogConfig {
        folder: Some(network.folder.path().join("log")),
        every: 0.1,
        ..LogConfig::default()
    };
    config.challenge = ChallengeConfig {
        rate: 1.0,
        budget: 1_000_000_000,
        payer: Some(address(9).to_string()),
        models: vec![MODEL.to_owned()],
        restore: 0,
    };
    config
}

/// A network whose payer has a contract.
fn network() -> Network {
    let network = Network::new();
    network.add_client(address(3), Nanoton::from_ton(50));
    network.add_client(address(9), Nanoton::from_ton(50));
    network
}

async fn ask(client: &mut Client, id: u8) -> String {
    let wish = Wish {
        body: ASKED,
        ..Wish::default()
    };
    client.send_wish(id, MODEL, &wish).await;
    String::from_utf8(client.answered(id).await).unwrap()
}

/// A sample of the metrics page; 0 before it is there.
async fn metric(proxy: &RunningProxy, name: &str) -> u64 {
    let page = get(proxy.http, "/metrics").await;
    let line = page
        .lines()
        .find_map(|line| line.strip_prefix(name).map(str::trim).map(str::to_owned));
    line.and_then(|number| number.parse().ok()).unwrap_or(0)
}

async fn wait_for(proxy: &RunningProxy, name: &str, least: u64) {
    for _ in 0..300 {
        if metric(proxy, name).await >= least {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    panic!("{name} never became {least}: {}", get(proxy.http, "/metrics").await);
}

/// What the published log says, once it says so much.
async fn published(network: &Network, least: usize) -> Vec<Compared> {
    let source = Arc::new(FolderSource::new(network.folder.path().join("log")));
    for _ in 0..300 {
        if let Ok(description) = Description::read(source.as_ref()).await
            && let Ok(log) = PublishedLog::open(source.clone(), description.public_key().unwrap()).await
        {
            let compared = log.compared().await.unwrap();
            if compared.len() >= least {
                return compared;
            }
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    panic!("the log has not {least} records");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_is_compared_at_another_worker_that_is_paid_like_for_any_request() {
    let network = network();
    let (proxy, stop) = network.try_start(config(&network)).await.unwrap();
    Worker::connect(&network, proxy.workers, address(4), Act::Say("yes")).await;
    Worker::connect(&network, proxy.workers, address(5), Act::Say("yes")).await;
    let mut client = Client::connect(&network, proxy.clients, address(3)).await;
    assert!(ask(&mut client, 1).await.contains("yes"));
    wait_for(&proxy, "cocoon_proxy_challenges_total{result=\"equal\"}", 1).await;
    let compared = published(&network, 1).await;
    assert_eq!(compared[0].challenge.record.result, ChallengeResult::Equal);
    assert_ne!(compared[0].first.worker, compared[0].second.worker);
    // The client pays for one answer, the operator's contract for the other, and both workers earn.
    until("both paid", || {
        let used = |owner| network.tokens_used(&address(owner)).unwrap_or(0);
        used(3) > 0 && used(9) == used(3)
    })
    .await;
    until("both workers earned", || {
        let paid = |owner| network.tokens_paid(&address(owner)).unwrap_or(0);
        paid(4) > 0 && paid(5) == paid(4)
    })
    .await;
    stop.cancel();
    proxy.join().await.unwrap();
    // Nothing of it is asked, told or counted twice by the next life.
    let (proxy, _stop) = network.try_start(config(&network)).await.unwrap();
    tokio::time::sleep(std::time::Duration::from_millis(500)).await;
    assert_eq!(published(&network, 1).await.len(), 1);
    assert_eq!(metric(&proxy, "cocoon_proxy_benched_workers").await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_that_answers_otherwise_than_two_others_gets_no_more_requests() {
    let network = network();
    let (proxy, stop) = network.try_start(config(&network)).await.unwrap();
    Worker::connect(&network, proxy.workers, address(4), Act::Say("yes")).await;
    Worker::connect(&network, proxy.workers, address(5), Act::Say("yes")).await;
    let cheat = network.worker_contract(&address(6));
    Worker::connect(&network, proxy.workers, address(6), Act::Say("yea")).await;
    let mut client = Client::connect(&network, proxy.clients, address(3)).await;
    for id in 1..60 {
        ask(&mut client, id).await;
        if metric(&proxy, "cocoon_proxy_benched_workers").await == 1 {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    wait_for(&proxy, "cocoon_proxy_benched_workers", 1).await;
    for id in 60..80 {
        assert!(
            ask(&mut client, id).await.contains("yes"),
            "a benched worker answers a client"
        );
    }
    let compared = published(&network, 3).await;
    let different: Vec<_> = compared
        .iter()
        .filter(|one| matches!(one.challenge.record.result, ChallengeResult::Different { .. }))
        .collect();
    assert!(!different.is_empty());
    assert!(
        different
            .iter()
            .all(|one| one.first.worker == cheat || one.second.worker == cheat),
        "honest workers never differ"
    );
    assert_eq!(
        different[0].challenge.record.result,
        ChallengeResult::Different { after: 2 }
    );
    stop.cancel();
    proxy.join().await.unwrap();
    // It stays so when everybody comes back, until the operator says otherwise.
    let (proxy, _stop) = network.try_start(config(&network)).await.unwrap();
    Worker::connect(&network, proxy.workers, address(6), Act::Say("yea")).await;
    assert_eq!(metric(&proxy, "cocoon_proxy_benched_workers").await, 1);
    let mut client = Client::connect(&network, proxy.clients, address(3)).await;
    let wish = Wish {
        body: ASKED,
        timeout: 2.0,
        ..Wish::default()
    };
    client.send_wish(90, MODEL, &wish).await;
    assert!(client.outcome(90).await.error.is_some(), "nobody else is there");
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_that_differ_nobody_is_benched_and_both_are_recorded() {
    let network = network();
    let (proxy, _stop) = network.try_start(config(&network)).await.unwrap();
    Worker::connect(&network, proxy.workers, address(4), Act::Say("yes")).await;
    Worker::connect(&network, proxy.workers, address(5), Act::Say("no")).await;
    let mut client = Client::connect(&network, proxy.clients, address(3)).await;
    ask(&mut client, 1).await;
    wait_for(&proxy, "cocoon_proxy_challenges_total{result=\"different\"}", 1).await;
    assert_eq!(metric(&proxy, "cocoon_proxy_benched_workers").await, 0);
    assert_eq!(
        published(&network, 1).await[0].challenge.record.result,
        ChallengeResult::Different { after: 0 }
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn challenges_cost_no_more_than_the_budget() {
    let network = network();
    let mut config = config(&network);
    config.challenge.budget = 1;
    let (proxy, _stop) = network.try_start(config).await.unwrap();
    Worker::connect(&network, proxy.workers, address(4), Act::Say("yes")).await;
    Worker::connect(&network, proxy.workers, address(5), Act::Say("yes")).await;
    let mut client = Client::connect(&network, proxy.clients, address(3)).await;
    ask(&mut client, 1).await;
    wait_for(&proxy, "cocoon_proxy_challenges_total{result=\"skipped\"}", 1).await;
    assert_eq!(network.tokens_used(&address(9)), Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rate_without_a_payer_is_refused() {
    let network = network();
    let mut config = config(&network);
    config.challenge.payer = None;
    let refused = network.try_start(config).await.unwrap_err().to_string();
    assert!(refused.starts_with("challenge must be complete"), "{refused}");
}
