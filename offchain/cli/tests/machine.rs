//! The commands about a machine: is it fit, and a simulated quoting service for one without TDX.

#![allow(clippy::unwrap_used, clippy::panic, reason = "helpers of tests")]

use std::io::{BufRead as _, BufReader};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::sync::Arc;

use cocoon_attest::simulated::simulated_measurements;
use cocoon_attest::{Evidence, Policy, TrustRoots, verify};
use cocoon_guest::{Endpoint, Pretended, Qgs, QuoteSource as _, SimulatedTrust};
use cocoon_ratls::{Clock as _, SystemClock};

fn command(folder: &Path, line: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_cocoon"));
    command.args(line.split(' ')).current_dir(folder);
    command
}

fn cocoon(folder: &Path, line: &str) -> Output {
    command(folder, line).output().unwrap()
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap()
}

#[test]
fn the_doctor_stops_at_a_taken_port_and_says_what_helps() {
    let folder = tempfile::tempdir().unwrap();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap();
    let line = format!("doctor host --role client --port {port}");
    let output = cocoon(folder.path(), &line);
    assert_eq!(output.status.code(), Some(1));
    let told = text(&output.stdout);
    assert!(
        told.starts_with(&format!("BROKEN   ports            {port} ")),
        "{told}"
    );
    assert!(told.ends_with("not looked at: disk\n"), "{told}");
    assert!(text(&output.stderr).contains("hint: stop the program that has it"));
    let output = cocoon(folder.path(), &format!("{line} --json"));
    let told: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((&told["role"], &told["fit"]), (&"client".into(), &false.into()));
    assert_eq!(told["findings"][0]["outcome"], "broken");
    assert_eq!(told["not_looked_at"][0], "disk");
}

#[test]
fn the_doctor_has_an_exit_code_of_its_own_for_the_chain() {
    let folder = tempfile::tempdir().unwrap();
    let zero = format!("0:{}", "0".repeat(64));
    let chain = format!("--chain-url http://127.0.0.1:1/api/v2/jsonRPC --root {zero}");
    let output = cocoon(
        folder.path(),
        &format!("doctor host --role client --port 127.0.0.1:0 {chain}"),
    );
    assert_eq!(output.status.code(), Some(4), "{}", text(&output.stdout));
    assert!(text(&output.stdout).contains("BROKEN   chain"));
    let wrong = cocoon(folder.path(), "doctor host --role miner");
    assert_eq!(wrong.status.code(), Some(2));
}

/// Ends the process when the test does.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn the_simulator_makes_a_platform_serves_guests_and_ends_on_a_signal() {
    let folder = tempfile::tempdir().unwrap();
    let line = "simulator run --platform platform.json --trust trust.json --listen unix:qgs.socket";
    let mut simulator = Running(command(folder.path(), line).stdout(Stdio::piped()).spawn().unwrap());
    let mut ready = String::new();
    BufReader::new(simulator.0.stdout.take().unwrap())
        .read_line(&mut ready)
        .unwrap();
    assert_eq!(ready, "SIMULATED quoting service ready at unix:qgs.socket\n");
    let mode = folder.path().join("platform.json").metadata().unwrap().permissions();
    assert_eq!(mode.mode() & 0o777, 0o600);

    let endpoint = Endpoint::Unix(folder.path().join("qgs.socket"));
    let guest = Pretended::new(simulated_measurements("worker"));
    let quote = Qgs::new(endpoint, Arc::new(guest)).quote(&[5; 64]).unwrap();
    let trust = std::fs::read_to_string(folder.path().join("trust.json")).unwrap();
    let trust = SimulatedTrust::from_json(&trust).unwrap();
    let roots = TrustRoots::intel().unwrap().with_simulated(trust.root_der()).unwrap();
    let evidence = Evidence::parse(&quote).unwrap();
    let endorsements = trust.endorsements().unwrap();
    let claims = verify(&evidence, &endorsements, &roots, &Policy::strict(), SystemClock.now()).unwrap();
    assert!(claims.simulated);

    let process = simulator.0.id().to_string();
    assert!(
        Command::new("kill")
            .args(["-TERM", &process])
            .status()
            .unwrap()
            .success()
    );
    assert_eq!(simulator.0.wait().unwrap().code(), Some(0));
    assert!(!folder.path().join("qgs.socket").exists());
}

#[test]
fn an_address_that_is_none_is_a_usage_error() {
    let folder = tempfile::tempdir().unwrap();
    let output = cocoon(folder.path(), "simulator run --platform p.json --listen http://x");
    assert_eq!(output.status.code(), Some(2));
    assert!(text(&output.stderr).contains("hint: "));
    assert!(!folder.path().join("p.json").exists(), "nothing is made");
}

#[test]
fn the_simulator_reads_a_file_whose_paths_are_relative_to_it() {
    let folder = tempfile::tempdir().unwrap();
    let place = folder.path().join("place");
    std::fs::create_dir(&place).unwrap();
    let config = "platform = \"platform.json\"\ntrust = \"trust.json\"\nlisten = \"unix:qgs.socket\"\n";
    std::fs::write(place.join("simulator.toml"), config).unwrap();
    let line = "simulator run --config place/simulator.toml --json";
    let mut simulator = Running(command(folder.path(), line).stdout(Stdio::piped()).spawn().unwrap());
    let mut ready = String::new();
    BufReader::new(simulator.0.stdout.take().unwrap())
        .read_line(&mut ready)
        .unwrap();
    assert!(ready.starts_with('{'), "{ready}");
    for made in ["platform.json", "trust.json", "qgs.socket"] {
        assert!(place.join(made).exists(), "{made}");
    }
    drop(simulator);
    std::fs::write(place.join("simulator.toml"), config.replace("trust", "trusts")).unwrap();
    let wrong = cocoon(folder.path(), line);
    assert_eq!(wrong.status.code(), Some(3));
    assert!(text(&wrong.stderr).contains("trusts") && text(&wrong.stderr).contains("\nhint: "));
    let both = cocoon(folder.path(), "simulator run --config a.toml --platform b.json");
    assert_eq!(both.status.code(), Some(2));
}
