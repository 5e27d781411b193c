//! `cocoon attest show`: evidence from a file and from a machine, judged by policies.

#![allow(clippy::unwrap_used, clippy::print_stderr, reason = "helpers of tests")]

use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::Arc;

use cocoon_attest::simulated::{SimulatedPlatform, simulated_measurements};
use cocoon_ratls::{
    Acceptor, Clock as _, IdentityKeeper, PeerPolicy, Simulated, SystemClock, TrustSettings, TrustStore,
};
use serde_json::Value;

fn cocoon(folder: &Path, line: &str) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_cocoon"));
    command
        .args(line.split(' '))
        .current_dir(folder)
        .env_clear()
        .output()
        .unwrap()
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap()
}

/// A folder with a simulated platform, which is returned too.
fn platform() -> (tempfile::TempDir, SimulatedPlatform) {
    let folder = tempfile::tempdir().unwrap();
    let platform = SimulatedPlatform::generate().unwrap();
    std::fs::write(folder.path().join("platform.json"), platform.to_json().unwrap()).unwrap();
    (folder, platform)
}

#[test]
fn a_simulated_quote_is_believed_where_its_platform_is_named_and_called_simulated() {
    let (folder, platform) = platform();
    let image = simulated_measurements("worker");
    let quote = platform.issue(&image, &[7; 64]).unwrap();
    std::fs::write(folder.path().join("quote.hex"), hex::encode(&quote)).unwrap();
    let line = "attest show quote.hex --simulated-platform platform.json";

    let shown = cocoon(folder.path(), line);
    assert_eq!(shown.status.code(), Some(0), "{}", text(&shown.stderr));
    let told = text(&shown.stdout);
    assert!(
        told.starts_with("SIMULATED platform: nothing here is protected"),
        "{told}"
    );
    assert!(told.contains("the policy accepts it, SIMULATED as it is"), "{told}");
    assert!(told.contains(&image.image_hash().to_string()), "{told}");
    assert!(
        told.contains("hardware          refuted  -          SIMULATED root"),
        "{told}"
    );
    assert!(told.contains("gpu_confidential  unknown  -"), "{told}");

    let shown = cocoon(folder.path(), &format!("{line} --json"));
    let told: Value = serde_json::from_slice(&shown.stdout).unwrap();
    assert_eq!((&told["simulated"], &told["accepted"]), (&true.into(), &true.into()));
    assert_eq!(told["claims"].as_array().unwrap().len(), 16);
    assert_eq!(told["claims"][0]["source"]["document"], "trust_root");
    assert_eq!(told["claims"][9]["ruling"], "met");

    let stranger = cocoon(folder.path(), "attest show quote.hex");
    assert_eq!(stranger.status.code(), Some(5));
    assert!(stranger.stdout.is_empty());
    assert!(text(&stranger.stderr).contains("\nhint: a simulated platform is trusted only where"));
}

#[test]
fn a_policy_that_asks_for_more_refuses_with_every_reason() {
    let (folder, platform) = platform();
    let quote = platform.issue(&simulated_measurements("worker"), &[7; 64]).unwrap();
    std::fs::write(folder.path().join("quote.bin"), &quote).unwrap();
    let policy = "require = [\"hardware\", \"gpu_confidential\", \"gpu_measured\"]";
    std::fs::write(folder.path().join("attestation.toml"), policy).unwrap();
    let line = "attest show quote.bin --simulated-platform platform.json --policy attestation.toml";
    let shown = cocoon(folder.path(), line);
    assert_eq!(shown.status.code(), Some(1), "{}", text(&shown.stderr));
    let told = text(&shown.stdout);
    assert!(told.contains("the policy REFUSES it"), "{told}");
    for claim in ["hardware", "gpu_confidential", "gpu_measured"] {
        assert!(
            told.contains(&format!("  objection   {claim} is required and ")),
            "{told}"
        );
    }
    std::fs::write(folder.path().join("attestation.toml"), "requires = []").unwrap();
    let wrong = cocoon(folder.path(), line);
    assert_eq!(wrong.status.code(), Some(3));
    assert!(text(&wrong.stderr).contains("\nhint: mend the policy file"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_machine_is_asked_for_its_certificate() {
    let (folder, platform) = platform();
    let clock = SystemClock::shared();
    let source = Arc::new(Simulated::for_role(platform.clone(), "proxy"));
    let identities = Arc::new(IdentityKeeper::new(source, clock.clone()).unwrap());
    let settings = TrustSettings::real(cocoon_attest::Endorsements::none()).unwrap();
    let settings = settings.with_simulated(&platform, SystemClock.now()).unwrap();
    let trust = Arc::new(TrustStore::new(settings));
    let acceptor = Acceptor::new(identities, trust, PeerPolicy::Any, clock).with_difficulty(1);
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let path = folder.path().to_owned();
    let line = format!("attest show {address} --simulated-platform platform.json --json");
    let asking = tokio::task::spawn_blocking(move || cocoon(&path, &line));
    let (tcp, _) = listener.accept().await.unwrap();
    let connection = acceptor.accept(tcp).await.unwrap();
    let shown = asking.await.unwrap();
    drop(connection);
    assert_eq!(shown.status.code(), Some(0), "{}", text(&shown.stderr));
    let told: Value = serde_json::from_slice(&shown.stdout).unwrap();
    assert_eq!(told["kind"], "certificate of a machine");
    assert_eq!(
        told["image_hash"],
        simulated_measurements("proxy").image_hash().to_string()
    );
    assert!(told["leaf_key"].is_string());
}

#[test]
fn what_is_no_evidence_is_refused_with_a_hint() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("words"), "neither quote nor certificate").unwrap();
    for (subject, exit) in [("words", 5), ("missing", 2), ("127.0.0.1:1", 5)] {
        let shown = cocoon(folder.path(), &format!("attest show {subject}"));
        assert_eq!(shown.status.code(), Some(exit), "{subject}: {}", text(&shown.stderr));
        assert!(
            shown.stdout.is_empty() && text(&shown.stderr).contains("\nhint: "),
            "{subject}"
        );
    }
    let wrong = cocoon(folder.path(), "attest show words --at tomorrow");
    assert_eq!(wrong.status.code(), Some(2));
}

#[test]
fn a_recorded_quote_of_hardware_is_shown_claim_by_claim() {
    let Some(root) = std::env::var_os("COCOON_TEST_DATA") else {
        eprintln!("SKIPPED: COCOON_TEST_DATA is not set, no recorded quote is shown");
        return;
    };
    let folder = PathBuf::from(root).join("tdx");
    let line = "attest show tdx_v4_quote.bin --collateral tdx_v4_collateral.json --at 2025-06-20";
    let shown = cocoon(&folder, line);
    assert_eq!(shown.status.code(), Some(0), "{}", text(&shown.stderr));
    insta::assert_snapshot!(text(&shown.stdout));
    let late = cocoon(&folder, &line.replace("2025-06-20", "2026-06-20"));
    assert_eq!(late.status.code(), Some(3));
    assert!(text(&late.stderr).contains("\nhint: fetch current collateral"));
}
