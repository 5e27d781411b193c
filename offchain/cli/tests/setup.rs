//! `cocoon setup` and `cocoon verify endpoint` against a local network of another process.

#![allow(clippy::unwrap_used, clippy::panic, reason = "helpers of tests")]

use std::io::{BufRead as _, BufReader};
use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};

use serde_json::Value;

/// Far from the usual ports, and from those of other tests.
const INSTANCE: &str = "437";

/// Ends the process when the test does.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn command(folder: &Path, line: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_cocoon"));
    command.args(line.split(' ')).current_dir(folder).env_clear();
    command
}

fn cocoon(folder: &Path, line: &str) -> Output {
    command(folder, line).stdin(Stdio::null()).output().unwrap()
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap()
}

/// The JSON of a command that ended with an exit code.
fn json(output: &Output, exit: i32) -> Value {
    let (told, result) = (text(&output.stderr), text(&output.stdout));
    assert_eq!(output.status.code(), Some(exit), "{told}{result}");
    serde_json::from_str(result).unwrap()
}

/// Starts a command, and waits for the first `lines` lines that it prints.
fn start(folder: &Path, line: &str, lines: usize) -> Running {
    let mut running = Running(
        command(folder, line)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap(),
    );
    let stdout = BufReader::new(running.0.stdout.take().unwrap());
    assert_eq!(
        stdout.lines().take(lines).filter_map(Result::ok).count(),
        lines,
        "{line}"
    );
    running
}

/// A port that was free a moment ago, with the next two.
fn free_ports() -> u16 {
    (20_000..60_000)
        .step_by(7)
        .find(|port| (*port..*port + 3).all(|port| TcpListener::bind(("0.0.0.0", port)).is_ok()))
        .unwrap()
}

fn with_passphrase(folder: &Path) {
    let path = folder.join("passphrase");
    std::fs::write(&path, "correct horse battery\n").unwrap();
    std::fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
}

#[test]
fn runners_are_set_up_on_a_running_network_and_the_client_answers() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    with_passphrase(folder);
    let _network = start(folder, &format!("up --instance {INSTANCE} --json"), 2);
    let file: Value = serde_json::from_slice(&std::fs::read(folder.join(".cocoon/network.json")).unwrap()).unwrap();

    client(folder);
    worker_and_proxy(folder);
    killed(folder);
    another_network(folder, &file);
    endpoints(folder, &file);
}

/// What the chain says is paid into a client contract.
fn paid_in(folder: &Path, contract: &str) -> String {
    let status = json(
        &cocoon(folder, &format!("client status --contract {contract} --json")),
        0,
    );
    let facts = status["facts"].as_array().unwrap();
    let fact = facts.iter().find(|fact| fact["name"] == "paid in").unwrap();
    fact["value"].as_str().unwrap().to_owned()
}

/// Messages that a wallet has sent.
fn sent(folder: &Path, wallet: &str) -> Value {
    json(&cocoon(folder, &format!("wallet show {wallet} --json")), 0)["chain"]["seqno"].clone()
}

/// A command that is refused says why.
fn refused(folder: &Path, line: &str, exit: i32, says: &str) {
    let output = cocoon(folder, line);
    let told = text(&output.stderr);
    assert_eq!(output.status.code(), Some(exit), "{line}: {told}");
    assert!(told.contains(says), "{line}: {told}");
}

/// A client from nothing: stopped by a missing answer, gone on with, started, asked.
fn client(folder: &Path) {
    let asked = cocoon(folder, "setup client --wallet treasury --passphrase-file passphrase");
    assert_eq!(asked.status.code(), Some(2), "{}", text(&asked.stderr));
    assert!(
        text(&asked.stderr).contains("hint: give --folder, or --yes for defaults"),
        "{}",
        text(&asked.stderr)
    );
    let kept = std::fs::read_to_string(folder.join(".cocoon/setup-client.toml")).unwrap();
    assert!(
        kept.contains("wallet = \"treasury\"") && !kept.contains("folder ="),
        "{kept}"
    );

    let port = free_ports();
    let line = format!("setup client --yes --passphrase-file passphrase --amount 20 --listen 127.0.0.1:{port} --json");
    let output = cocoon(folder, &line);
    let done = json(&output, 0);
    let told = text(&output.stderr);
    assert!(
        told.contains("Going on with the setup") && told.contains("[8/8] Contract"),
        "{told}"
    );
    assert_eq!(
        (&done["wallet"], &done["is_test"]),
        (&"treasury".into(), &true.into()),
        "it was kept"
    );
    let contract = done["contract"].as_str().unwrap();
    assert_eq!(done["amount"], "20000000000");
    assert_eq!(
        (paid_in(folder, contract), sent(folder, "treasury-client")),
        ("20 TON".to_owned(), 1.into())
    );
    // What is paid in can be taken out again: the runner's wallet holds what its contract asks for.
    let close = format!("client close {contract} --wallet treasury-client --dry-run --json");
    json(&cocoon(folder, &close), 0);

    let config = done["config"].as_str().unwrap();
    let checked = json(&cocoon(folder, &format!("config check client {config} --json")), 0);
    assert_eq!(checked["valid"], true);
    let again = json(&cocoon(folder, &line), 0);
    assert_eq!(
        (&again["contract"], &again["config"]),
        (&done["contract"], &done["config"]),
        "nothing is done twice"
    );
    let other = json(
        &cocoon(folder, &format!("{line} --amount 50").replace("--amount 20 ", "")),
        0,
    );
    assert_eq!(other["amount"], "20000000000", "what is there, not what was answered");
    assert!(
        other["warnings"][0].as_str().unwrap().contains("client topup"),
        "{other}"
    );
    assert_eq!(
        (paid_in(folder, contract), sent(folder, "treasury-client")),
        ("20 TON".to_owned(), 1.into()),
        "paid once"
    );
    let secret = folder.join("cocoon-client/state/secret");
    let kept = std::fs::read(&secret).unwrap();
    std::fs::remove_file(&secret).unwrap();
    refused(folder, &line, 3, "names another secret");
    std::fs::write(&secret, kept).unwrap();
    std::fs::write(config, "# somebody's own\n").unwrap();
    let kept = cocoon(folder, &line);
    assert_eq!(kept.status.code(), Some(3), "{}", text(&kept.stderr));
    assert!(
        text(&kept.stderr).contains("hint: give --overwrite"),
        "{}",
        text(&kept.stderr)
    );
    json(&cocoon(folder, &format!("{line} --overwrite")), 0);

    assert_eq!(done["next"], format!("cocoon client run --config {config}"));
    let _client = start(folder, &format!("client run --config {config}"), 1);
    let url = format!("http://127.0.0.1:{port}");
    let answered = json(
        &cocoon(folder, &format!("chat --url {url} --max-tokens 4 --json Hello")),
        0,
    );
    assert!(!answered["answer"].as_str().unwrap().is_empty(), "{answered}");
    let page = json(&cocoon(folder, &format!("verify endpoint {url} --json")), 0);
    assert_eq!((&page["word"], &page["simulated"]), (&"client".into(), &true.into()));
}

fn worker_and_proxy(folder: &Path) {
    let keys = "--wallet treasury --passphrase-file passphrase --yes --json";
    let port = free_ports();
    let worker = json(
        &cocoon(folder, &format!("setup worker {keys} --listen 127.0.0.1:{port}")),
        0,
    );
    assert!(worker["contract"].is_string(), "{worker}");
    let several = format!("setup proxy --passphrase-file passphrase --yes --listen 127.0.0.1:{port}");
    json(&cocoon(folder, "wallet new rig --passphrase-file passphrase --json"), 0);
    refused(folder, &several, 2, "there are several wallets");
    refused(
        folder,
        &format!("{several} --wallet tresury"),
        2,
        "cocoon wallet new tresury",
    );
    refused(
        folder,
        &format!("{several} --wallet treasury-client"),
        2,
        "the wallet of a runner",
    );
    let unlisted = format!(
        "setup worker {keys} --restart --listen 127.0.0.1:{port} --model-name tiny@1:{}",
        "0".repeat(64)
    );
    let refused = cocoon(folder, &unlisted);
    assert_eq!(refused.status.code(), Some(3), "{}", text(&refused.stderr));
    assert!(
        text(&refused.stderr).contains("does not list tiny@1:"),
        "{}",
        text(&refused.stderr)
    );

    let poor = cocoon(
        folder,
        &format!("setup proxy {keys} --stake 0.5 --listen 127.0.0.1:{port}"),
    );
    assert_eq!(poor.status.code(), Some(2), "{}", text(&poor.stderr));
    let taken = TcpListener::bind(("0.0.0.0", port + 1)).unwrap();
    let busy = cocoon(folder, &format!("setup proxy {keys} --listen 127.0.0.1:{port}"));
    assert_eq!(busy.status.code(), Some(3), "{}", text(&busy.stderr));
    drop(taken);
    let proxy = json(
        &cocoon(folder, &format!("setup proxy {keys} --listen 127.0.0.1:{port}")),
        0,
    );
    let config = std::fs::read_to_string(proxy["config"].as_str().unwrap()).unwrap();
    assert!(
        config.contains(&format!("clients = \"0.0.0.0:{}\"", port + 2)),
        "{config}"
    );
    let contract = proxy["contract"].as_str().unwrap();
    json(
        &cocoon(folder, &format!("proxy status --contract {contract} --json")),
        0,
    );
    assert!(proxy["runner_wallet"].is_string(), "{proxy}");
    let next = proxy["next"].as_str().unwrap().strip_prefix("cocoon ").unwrap();
    let _proxy = start(folder, next, 1);
}

/// A second client of the same owner, whose setup is killed while its message leaves: it pays once.
fn killed(folder: &Path) {
    let keys = "--wallet treasury --passphrase-file passphrase --yes --json";
    let port = free_ports();
    let line = format!("setup client {keys} --restart --folder second --amount 15 --listen 127.0.0.1:{port}");
    let mut setup = Running(
        command(folder, &line)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap(),
    );
    let told = BufReader::new(setup.0.stderr.take().unwrap());
    let mut told = told.lines().map_while(Result::ok);
    assert!(told.any(|line| line.starts_with("Sending, step")));
    drop(setup);
    let done = json(
        &cocoon(folder, "setup client --passphrase-file passphrase --yes --json"),
        0,
    );
    let contract = done["contract"].as_str().unwrap();
    assert_eq!(
        (paid_in(folder, contract), sent(folder, "treasury-client-2")),
        ("15 TON".to_owned(), 1.into())
    );
}

/// The same chain under a name of its own, as a real network is: nothing is given, and the root contract is looked up anew.
fn another_network(folder: &Path, file: &Value) {
    let (url, root, proxy) = (&file["chain_url"], &file["root"], &file["proxy_contract"]);
    let networks = |root: &Value| {
        let text = format!("[mine]\nchain_url = {url}\nroot = {root}\n");
        std::fs::write(folder.join("other/networks.toml"), text).unwrap();
    };
    std::fs::create_dir(folder.join("other")).unwrap();
    networks(root);
    let port = free_ports();
    let line = format!(
        "setup client --data-dir other --network mine --wallet payer --passphrase-file passphrase --yes --amount 20 \
         --folder other/runner --proxy {} --listen 127.0.0.1:{port} --json",
        proxy.as_str().unwrap()
    );
    refused(folder, &line, 3, "hint: give --collateral FILE");
    assert!(!folder.join("other/runner/client.toml").exists());
    let done = json(&cocoon(folder, &format!("{line} --no-deploy")), 0);
    assert!(done["contract"].is_null() && done["amount"].is_null(), "{done}");
    let warning = done["warnings"][0].as_str().unwrap();
    assert!(warning.contains("refuse every peer"), "{done}");
    assert_eq!(done["words"], "cocoon wallet export payer");

    let believing = format!("{line} --overwrite --collateral-service https://pccs.example");
    refused(folder, &believing, 3, "hint: pay 23.4 TON to UQ");
    let config = std::fs::read_to_string(folder.join("other/runner/client.toml")).unwrap();
    assert!(config.contains("https://pccs.example"), "{config}");

    networks(proxy);
    let again = "setup client --data-dir other --passphrase-file passphrase --yes --json";
    refused(folder, again, 3, "this setup was begun for root contract");
    refused(folder, again, 3, "--restart begins anew");
}

/// Ports of the running network, judged by its root contract.
fn endpoints(folder: &Path, file: &Value) {
    let port = file["ports"]["proxy_clients"].as_str().unwrap();
    let proxy = cocoon(folder, &format!("verify endpoint {port} --role proxy"));
    assert_eq!(
        proxy.status.code(),
        Some(0),
        "{}{}",
        text(&proxy.stdout),
        text(&proxy.stderr)
    );
    let told = text(&proxy.stdout);
    assert!(told.starts_with("SIMULATED platform: nothing here"), "{told}");
    assert!(
        told.contains(&format!("{port} is accepted, SIMULATED as it is")),
        "{told}"
    );
    assert!(
        told.contains("unknown  platform     SIMULATED: it proves nothing"),
        "{told}"
    );
    assert!(
        told.contains("is listed for proxies") && told.contains("debug_off"),
        "{told}"
    );

    let wrong = json(
        &cocoon(folder, &format!("verify endpoint {port} --role worker --json")),
        1,
    );
    assert_eq!(wrong["accepted"], false);
    assert_eq!(wrong["findings"][3]["fact"], "refuted");
    let image = "0".repeat(64);
    let other = cocoon(folder, &format!("verify endpoint {port} --image {image}"));
    assert_eq!(other.status.code(), Some(1), "{}", text(&other.stderr));
    let own = wrong["evidence"]["image_hash"].as_str().unwrap();
    json(
        &cocoon(folder, &format!("verify endpoint {port} --image {own} --json")),
        0,
    );

    let closed = cocoon(folder, "verify endpoint 127.0.0.1:1");
    assert_eq!(closed.status.code(), Some(5), "{}", text(&closed.stderr));
    let http = cocoon(folder, "verify endpoint http://127.0.0.1:1");
    assert_eq!(http.status.code(), Some(5), "{}", text(&http.stderr));
    assert!(text(&http.stderr).contains("\nhint: "));
}
