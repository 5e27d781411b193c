//! Trust follows the root contract.

#![allow(clippy::unwrap_used, clippy::panic, reason = "helpers of tests")]

use std::sync::Arc;
use std::time::Duration;

use cocoon_attest::simulated::{CollateralTerms, SimulatedPlatform, simulated_measurements};
use cocoon_bindings::ton::{Address, HashBytes};
use cocoon_bindings::units::PublicKey;
use cocoon_bindings::{Multipliers, Nanoton, Params, ParamsVersion, RootData};
use cocoon_chain::RootView;
use cocoon_guest::{SimulatedTrust, Simulator};
use cocoon_ratls::{Clock as _, Identity, ManualClock, Peer, PeerPolicy, SystemClock, verify_certificate};
use cocoon_runner::RunnerError;
use cocoon_runner::config::AttestationConfig;
use cocoon_runner::limits::CERTIFICATE_MARGIN;
use cocoon_runner::standing::{Revoked, Standing};
use cocoon_runner::trust::Trust;
use tokio::sync::watch;

fn root(is_test: bool) -> RootView {
    let params = Params {
        struct_version: 3,
        params_version: ParamsVersion::new(1),
        unique_id: 1,
        is_test,
        price_per_token: Nanoton::new(2),
        worker_fee_per_token: Nanoton::new(1),
        multipliers: Multipliers::default(),
        proxy_delay_before_close: 0,
        client_delay_before_close: 0,
        min_proxy_stake: Nanoton::ZERO,
        min_client_stake: Nanoton::ZERO,
        proxy_code: None,
        worker_code: None,
        client_code: None,
    };
    let address = Address::new(0, HashBytes([1; 32]));
    RootView {
        owner: address.clone(),
        address,
        version: 1,
        params,
        data: RootData::default(),
        time: 0,
    }
}

fn platform_config(folder: &tempfile::TempDir) -> AttestationConfig {
    let path = folder.path().join("platform.json");
    std::fs::write(&path, SimulatedPlatform::generate().unwrap().to_json().unwrap()).unwrap();
    AttestationConfig {
        simulated_platform: Some(path),
        ..AttestationConfig::default()
    }
}

#[tokio::test]
async fn a_simulated_platform_is_refused_on_a_production_root() {
    let folder = tempfile::tempdir().unwrap();
    let (_sender, receiver) = watch::channel(Arc::new(root(false)));
    let refused = Trust::load(&platform_config(&folder), receiver, SystemClock::shared());
    assert!(matches!(refused, Err(RunnerError::SimulatedOnProduction)));
}

#[tokio::test]
async fn trust_in_a_simulated_platform_ends_with_the_test_flag() {
    let folder = tempfile::tempdir().unwrap();
    let (sender, receiver) = watch::channel(Arc::new(root(true)));
    let trust = Trust::load(&platform_config(&folder), receiver, SystemClock::shared()).unwrap();
    assert!(trust.is_simulated());
    let follower = tokio::spawn(trust.clone().keep_current());
    sender.send(Arc::new(root(false))).unwrap();
    while trust.store().trusts_simulated() {
        tokio::task::yield_now().await;
    }
    drop(sender);
    follower.await.unwrap();
}

#[tokio::test]
async fn without_a_platform_even_a_test_root_trusts_real_hardware_only() {
    let (_sender, receiver) = watch::channel(Arc::new(root(true)));
    let trust = Trust::load(&AttestationConfig::default(), receiver, SystemClock::shared()).unwrap();
    assert!(!trust.is_simulated());
}

#[tokio::test]
async fn an_image_is_allowed_while_the_root_contract_lists_it() {
    let (sender, receiver) = watch::channel(Arc::new(root(true)));
    let trust = Trust::load(&AttestationConfig::default(), receiver, SystemClock::shared()).unwrap();
    let image = simulated_measurements("worker").image_hash();
    let PeerPolicy::Attested { allowed } = trust.workers() else {
        panic!("workers must be attested")
    };
    assert!(!allowed(&image));
    let mut listed = root(true);
    listed.data.worker_hashes.insert(image);
    sender.send(Arc::new(listed)).unwrap();
    assert!(allowed(&image));
    let PeerPolicy::Attested { allowed: proxies } = trust.proxies() else {
        panic!("proxies must be attested")
    };
    assert!(!proxies(&image), "a worker's image is no proxy");
}

#[tokio::test(start_paused = true)]
async fn a_standing_ends_with_what_the_root_contract_takes_back() {
    let (sender, receiver) = watch::channel(Arc::new(root(true)));
    let mut standing = Standing::new(receiver, |root| (root.version > 1).then_some(Revoked::Image));
    assert_eq!(standing.now(), None);
    let waiting = tokio::time::timeout(Duration::from_secs(3600), standing.revoked());
    assert!(waiting.await.is_err(), "it stays as long as nothing changes");
    let mut changed = root(true);
    changed.version = 2;
    sender.send(Arc::new(changed)).unwrap();
    assert_eq!(standing.revoked().await, Revoked::Image);
}

#[tokio::test(start_paused = true)]
async fn a_standing_ends_before_the_certificate_that_was_shown() {
    let (_sender, receiver) = watch::channel(Arc::new(root(true)));
    let clock = Arc::new(ManualClock::new(1_000));
    let peer = |not_after| Peer {
        certificate: Vec::new(),
        leaf_key: PublicKey::new([1; 32]),
        image_hash: None,
        claims: None,
        simulated: false,
        not_after,
    };
    let until =
        |not_after| Standing::new(receiver.clone(), |_| None).until_certificate(clock.clone(), &peer(not_after));
    let (mut ends, unknown) = (until(Some(2_000)), until(None));
    clock.advance(1_000 - CERTIFICATE_MARGIN.as_secs() - 1);
    assert_eq!(ends.now(), None);
    clock.advance(1);
    assert_eq!(ends.revoked().await, Revoked::Expired);
    assert_eq!(unknown.now(), None);
}

#[tokio::test(start_paused = true)]
async fn a_standing_ends_by_itself_when_a_date_passes_and_nobody_is_told() {
    let (sender, receiver) = watch::channel(Arc::new(root(true)));
    let mut standing = Standing::new(receiver, |root| (root.time >= 100).then_some(Revoked::Model));
    let waiting = tokio::spawn(async move { standing.revoked().await });
    tokio::task::yield_now().await;
    // As the watcher does when only the time has passed.
    sender.send_if_modified(|current| {
        let mut later = root(true);
        later.time = 100;
        *current = Arc::new(later);
        false
    });
    assert_eq!(waiting.await.unwrap(), Revoked::Model);
}

#[test]
fn a_broken_platform_file_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("platform.json");
    std::fs::write(&path, "{}").unwrap();
    let (_sender, receiver) = watch::channel(Arc::new(root(true)));
    let config = AttestationConfig {
        simulated_platform: Some(path),
        ..AttestationConfig::default()
    };
    let error = Trust::load(&config, receiver, SystemClock::shared()).unwrap_err();
    assert!(
        error.to_string().ends_with("platform.json is not a simulated platform"),
        "{error}"
    );
}

/// A simulator, and the configuration of a runner that knows its address and its public half only.
fn simulator(folder: &tempfile::TempDir) -> (Simulator, AttestationConfig) {
    let platform = SimulatedPlatform::generate().unwrap();
    let trust_file = folder.path().join("trust.json");
    let trust = SimulatedTrust::of(&platform, SystemClock.now()).unwrap();
    std::fs::write(&trust_file, trust.to_json().unwrap()).unwrap();
    let simulator = Simulator::start(platform, &"tcp:127.0.0.1:0".parse().unwrap()).unwrap();
    let config = AttestationConfig {
        simulator: Some(simulator.endpoint().clone()),
        simulated_trust: Some(trust_file),
        ..AttestationConfig::default()
    };
    (simulator, config)
}

#[tokio::test]
async fn evidence_of_a_simulator_is_believed_with_its_public_half_on_a_test_root() {
    let folder = tempfile::tempdir().unwrap();
    let (_simulator, config) = simulator(&folder);
    let (_sender, receiver) = watch::channel(Arc::new(root(true)));
    let trust = Trust::load(&config, receiver, SystemClock::shared()).unwrap();
    assert!(trust.is_simulated());
    let now = SystemClock.now();
    let identity = Identity::issue(trust.evidence("worker").as_ref(), now).unwrap();
    let image = simulated_measurements("worker").image_hash();
    let policy = PeerPolicy::attested(move |found| *found == image);
    let peer = verify_certificate(identity.certificate_der(), &trust.store(), &policy, now).unwrap();
    assert!(peer.simulated);
    assert_eq!(peer.image_hash, Some(image));
}

#[tokio::test]
async fn registers_of_a_file_are_what_the_simulator_attests() {
    let folder = tempfile::tempdir().unwrap();
    let (_simulator, mut config) = simulator(&folder);
    let registers = folder.path().join("registers.json");
    let measured = simulated_measurements("built image");
    let rtmr = measured.rtmr.map(hex::encode);
    let text = format!(r#"{{"mrtd":"{}","rtmr":{rtmr:?}}}"#, hex::encode(measured.mrtd));
    std::fs::write(&registers, text).unwrap();
    config.simulated_registers = Some(registers);
    let (_sender, receiver) = watch::channel(Arc::new(root(true)));
    let trust = Trust::load(&config, receiver, SystemClock::shared()).unwrap();
    let evidence = trust.evidence("worker").evidence(&[6; 64]).unwrap().unwrap();
    let evidence = cocoon_attest::Evidence::parse(&evidence).unwrap();
    assert_eq!(evidence.unverified_measurements(), measured);
}

#[tokio::test]
async fn a_simulator_or_its_public_half_is_refused_on_a_production_root() {
    let folder = tempfile::tempdir().unwrap();
    let (_simulator, both) = simulator(&folder);
    let own_only = AttestationConfig {
        simulated_trust: None,
        ..both.clone()
    };
    let trust_only = AttestationConfig {
        simulator: None,
        ..both.clone()
    };
    for config in [both, own_only, trust_only] {
        let (_sender, receiver) = watch::channel(Arc::new(root(false)));
        let refused = Trust::load(&config, receiver, SystemClock::shared());
        assert!(matches!(refused, Err(RunnerError::SimulatedOnProduction)), "{config:?}");
    }
}

#[tokio::test]
async fn own_evidence_of_a_simulator_shows_even_where_no_peer_is_believed_on_it() {
    let folder = tempfile::tempdir().unwrap();
    let (_simulator, mut config) = simulator(&folder);
    config.simulated_trust = None;
    let (_sender, receiver) = watch::channel(Arc::new(root(true)));
    let trust = Trust::load(&config, receiver, SystemClock::shared()).unwrap();
    assert!(trust.is_simulated() && !trust.store().trusts_simulated());
}

/// A runner with a policy file, and a peer of its simulated platform.
fn with_policy(folder: &tempfile::TempDir, text: &str) -> (AttestationConfig, std::path::PathBuf) {
    let path = folder.path().join("attestation.toml");
    std::fs::write(&path, text).unwrap();
    let config = AttestationConfig {
        policy: Some(path.clone()),
        ..platform_config(folder)
    };
    (config, path)
}

fn accepts_own_kind(trust: &Trust) -> bool {
    let now = SystemClock.now();
    let identity = Identity::issue(trust.evidence("worker").as_ref(), now).unwrap();
    let any = PeerPolicy::attested(|_| true);
    verify_certificate(identity.certificate_der(), &trust.store(), &any, now).is_ok()
}

#[tokio::test]
async fn the_policy_file_is_obeyed_and_read_again_with_the_root_contract() {
    let folder = tempfile::tempdir().unwrap();
    let (config, path) = with_policy(&folder, "require = [\"debug_off\"]");
    let (sender, receiver) = watch::channel(Arc::new(root(true)));
    let trust = Trust::load(&config, receiver, SystemClock::shared()).unwrap();
    assert!(accepts_own_kind(&trust));
    let follower = tokio::spawn(trust.clone().keep_current());
    // A simulated platform is no hardware.
    std::fs::write(&path, "require = [\"hardware\"]").unwrap();
    sender.send(Arc::new(root(true))).unwrap();
    while accepts_own_kind(&trust) {
        tokio::task::yield_now().await;
    }
    // A file that has become unusable changes nothing.
    std::fs::write(&path, "require = [\"hardwear\"]").unwrap();
    sender.send(Arc::new(root(true))).unwrap();
    drop(sender);
    follower.await.unwrap();
    assert!(!accepts_own_kind(&trust));
}

#[test]
fn a_mistake_in_the_policy_file_is_an_error_at_the_start() {
    let folder = tempfile::tempdir().unwrap();
    let (config, _) = with_policy(&folder, "[tcb]\naccept = [\"Revoked\"]");
    let (_sender, receiver) = watch::channel(Arc::new(root(true)));
    let error = Trust::load(&config, receiver, SystemClock::shared()).unwrap_err();
    assert!(error.to_string().ends_with("is not an attestation policy"), "{error}");
    let cause = std::error::Error::source(&error).unwrap().to_string();
    assert!(cause.contains("never accepted"), "{cause}");
}

/// The public half of a simulated platform whose collateral ended long ago, so that a peer on it lacks collateral, and a
/// service that is asked for it.
#[tokio::test]
async fn a_peer_without_collateral_makes_the_configured_service_be_asked() {
    let folder = tempfile::tempdir().unwrap();
    let platform = SimulatedPlatform::generate().unwrap();
    let trust_file = folder.path().join("trust.json");
    let old = SimulatedTrust::of(&platform, SystemClock.now() - 3 * 365 * 86_400).unwrap();
    std::fs::write(&trust_file, old.to_json().unwrap()).unwrap();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let text = format!(
        "simulated_trust = {trust_file:?}\n[collateral_service]\nurl = \"http://{}\"\n",
        listener.local_addr().unwrap()
    );
    let config: AttestationConfig = cocoon_runner::config::parse(std::path::Path::new("a.toml"), &text).unwrap();
    let (_sender, receiver) = watch::channel(Arc::new(root(true)));
    let trust = Trust::load(&config, receiver, SystemClock::shared()).unwrap();
    let follower = tokio::spawn(trust.clone().keep_current());
    let now = SystemClock.now();
    let source = cocoon_ratls::Simulated::for_role(platform, "worker");
    let identity = Identity::issue(&source, now).unwrap();
    let any = PeerPolicy::attested(|_| true);
    assert!(verify_certificate(identity.certificate_der(), &trust.store(), &any, now).is_err());
    let (mut asked, _) = listener.accept().await.unwrap();
    let mut line = [0; 32];
    tokio::io::AsyncReadExt::read_exact(&mut asked, &mut line)
        .await
        .unwrap();
    assert_eq!(&line, b"GET /tdx/certification/v4/tcb?fm");
    follower.abort();
}

#[tokio::test]
async fn a_collateral_file_that_nobody_trusted_signed_is_named_at_the_start() {
    let folder = tempfile::tempdir().unwrap();
    let mut config = platform_config(&folder);
    let path = folder.path().join("collateral.json");
    let platform =
        SimulatedPlatform::from_json(&std::fs::read_to_string(config.simulated_platform.as_ref().unwrap()).unwrap());
    let terms = CollateralTerms::good(SystemClock.now());
    let genuine = platform.unwrap().collateral_json(&terms).unwrap();
    let stranger = SimulatedPlatform::generate().unwrap().collateral_json(&terms).unwrap();
    config.collateral = Some(path.clone());
    let (_sender, receiver) = watch::channel(Arc::new(root(true)));
    std::fs::write(&path, genuine).unwrap();
    Trust::load(&config, receiver.clone(), SystemClock::shared()).unwrap();
    std::fs::write(&path, stranger).unwrap();
    let refused = Trust::load(&config, receiver, SystemClock::shared());
    assert!(
        matches!(&refused, Err(RunnerError::TrustFile { path: named, .. }) if *named == path),
        "{refused:?}"
    );
}

#[test]
fn unknown_keys_and_families_of_a_collateral_service_are_refused() {
    let path = std::path::Path::new("a.toml");
    let parse = |text: &str| cocoon_runner::config::parse::<AttestationConfig>(path, text);
    assert!(parse("[collateral_service]\nuri = \"https://a\"").is_err());
    let config = parse("[collateral_service]\nfmspc = [\"90c06f0000\"]").unwrap();
    let (_sender, receiver) = watch::channel(Arc::new(root(true)));
    let error = Trust::load(&config, receiver, SystemClock::shared()).unwrap_err();
    assert!(
        error.to_string().starts_with("attestation.collateral_service.fmspc: "),
        "{error}"
    );
}
