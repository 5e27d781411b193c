//! Questions that nobody answers, and a proxy that does not come back.

use std::sync::Arc;

use cocoon_attest::Endorsements;
use cocoon_attest::simulated::SimulatedPlatform;
use cocoon_ratls::{Acceptor, IdentityKeeper, PeerPolicy, Simulated, TrustSettings, TrustStore};
use cocoon_runner::Surroundings;
use cocoon_runner::link::{Link, LinkConfig};

use super::*;

/// Milliseconds for TLS, its certificates and the chain before the first question of a connection.
const BEGIN_MS: u64 = 1_000;
/// Longest time until a lost proxy is dialed again.
const REDIAL_MS: u64 = 10_000;
/// Longest silence after which a link to a machine that is gone is given up: its patience begins then.
const SILENCE_MS: u64 = 20_000;
/// The second proxy of the root contract's list.
const OTHER: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(10, 0, 0, 5));

/// Lets everybody in and says nothing more, but what a link says by itself.
async fn mute(surroundings: Surroundings, port: u16, platform: SimulatedPlatform) {
    let mut listener = surroundings.network.listen((PROXY, port).into()).await.unwrap();
    let clock = surroundings.clock;
    let source = Arc::new(Simulated::for_role(platform.clone(), "proxy"));
    let identities = Arc::new(IdentityKeeper::new(source, Arc::clone(&clock)).unwrap());
    let settings = TrustSettings::real(Endorsements::none()).unwrap();
    let settings = settings.with_simulated(&platform, clock.now()).unwrap();
    let trust = Arc::new(TrustStore::new(settings));
    let acceptor = Acceptor::new(identities, trust, PeerPolicy::Any, clock).with_difficulty(0);
    while let Ok((wire, _)) = listener.accept().await {
        let acceptor = acceptor.clone();
        tokio::spawn(async move {
            let connection = acceptor.accept(wire).await.unwrap();
            let (_link, mut events) = Link::accept(connection.stream, LinkConfig::default()).await.unwrap();
            while events.recv().await.is_some() {}
        });
    }
}

/// The ports of a proxy as client and worker dial it.
fn ways(proxy: IpAddr) -> [(IpAddr, SocketAddr); 2] {
    [(OF_CLIENT, (proxy, 11_002).into()), (OF_WORKER, (proxy, 11_001).into())]
}

#[test]
fn a_proxy_that_answers_no_question_of_the_handshake_is_left_after_30_seconds() {
    walk(|| {
        let mut clocks = Clocks::new(1, &[]);
        let platform = std::fs::read_to_string(clocks.setting.file("platform.json")).unwrap();
        let runtime = runtime();
        for port in [11_001, 11_002] {
            let platform = SimulatedPlatform::from_json(&platform).unwrap();
            runtime.spawn(mute(clocks.surroundings(PROXY), port, platform));
        }
        clocks.nodes.push(runtime);
        [OF_CLIENT, OF_WORKER].into_iter().for_each(|ip| clocks.start(ip));
        clocks.pass(120);
        for (node, to) in ways(PROXY) {
            let dialed = clocks.log.times(0, node, |act| *act == Act::Dialed(to));
            let hung_up = clocks.log.times(0, node, |act| *act == Act::HungUp(to));
            assert!(hung_up.len() >= 2, "{node}: {dialed:?} {hung_up:?}");
            for (dialed, hung_up) in dialed.iter().zip(&hung_up) {
                let stayed = hung_up - dialed;
                assert!(
                    (30_000..=30_000 + BEGIN_MS).contains(&stayed),
                    "{node} leaves after {stayed} ms"
                );
            }
            for (hung_up, dialed) in hung_up.iter().zip(&dialed[1..]) {
                let pause = dialed - hung_up;
                assert!(pause <= REDIAL_MS + SLACK_MS, "{node} dials after {pause} ms");
            }
        }
    });
}

#[test]
fn a_registration_that_the_chain_never_shows_is_awaited_for_300_seconds() {
    walk(|| {
        let mut clocks = Clocks::new(1, &[PROXY]);
        clocks.pass(20);
        // It pays nothing in, so there is no contract that could register.
        let text = clocks.config(OF_CLIENT);
        let (before, funding) = text.split_once("[funding]").unwrap();
        let after = funding.find("\n[").map_or("", |at| &funding[at..]);
        clocks.start_as(OF_CLIENT, format!("{before}{after}"));
        clocks.pass(330);
        let [(_, to), _] = ways(PROXY);
        let dialed = clocks.log.times(0, OF_CLIENT, |act| *act == Act::Dialed(to))[0];
        let hung_up = clocks.log.times(0, OF_CLIENT, |act| *act == Act::HungUp(to));
        let stayed = hung_up.first().map(|at| at - dialed).unwrap();
        assert!(
            (300_000..=300_000 + BEGIN_MS).contains(&stayed),
            "it leaves after {stayed} ms"
        );
    });
}

#[test]
fn the_models_of_a_proxy_that_says_nothing_are_awaited_for_10_seconds() {
    walk(|| {
        let mut clocks = Clocks::new(1, &[PROXY, OF_CLIENT, OF_WORKER]);
        clocks.pass(40);
        let page = clocks.get(CLIENT.parse().unwrap(), "/v1/models");
        clocks.pass(1);
        assert!(page.lock().unwrap().1.contains("parrot"), "{page:?}");
        clocks.net.part(PROXY);
        let since = clocks.now();
        let page = clocks.get(CLIENT.parse().unwrap(), "/v1/models");
        clocks.pass(12);
        let (at, text) = page.lock().unwrap().clone();
        let took = at.saturating_sub(since);
        assert!((10_000..=10_000 + SLACK_MS).contains(&took), "after {took} ms: {text}");
        assert!(!text.contains("parrot"), "{text}");
    });
}

#[test]
fn a_proxy_that_does_not_come_back_is_exchanged_after_300_seconds() {
    walk(|| {
        let mut clocks = Clocks::new(2, &[PROXY, OF_CLIENT, OF_WORKER]);
        clocks.pass(60);
        clocks.ask();
        clocks.pass(5);
        let asked = clocks.diary.lock().unwrap().last().unwrap().clone();
        assert_eq!(asked.ended.map(|(_, outcome)| outcome), Some(Outcome::Answered));
        let since = clocks.now();
        drop(clocks.nodes.remove(0));
        clocks.net.die(PROXY, false);
        clocks.pass(340);
        for ((node, first), (_, other)) in ways(PROXY).into_iter().zip(ways(OTHER)) {
            let dialed = clocks.log.times(since, node, |act| *act == Act::Dialed(other));
            let after = dialed.first().map(|at| at - since).unwrap();
            assert!(
                (300_000..=300_000 + SILENCE_MS + REDIAL_MS + SLACK_MS).contains(&after),
                "{node} takes another one after {after} ms"
            );
            let again = clocks.log.times(since, node, |act| *act == Act::Dialed(first));
            let before: Vec<u64> = again.into_iter().filter(|at| *at < dialed[0]).collect();
            let is_soon = |pair: &[u64]| pair[1] - pair[0] <= REDIAL_MS + SLACK_MS;
            assert!(before.windows(2).all(is_soon), "{node}: {before:?}");
            assert!(before.len() >= 25, "{node}: {before:?}");
        }
    });
}
