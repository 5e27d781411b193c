//! The one running local network of a test program.

use std::ffi::OsString;
use std::io::{BufRead as _, BufReader, Read as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::limit;

/// Far from the usual ports, and from those of other tests.
pub(crate) const INSTANCE: u16 = 443;

/// Addresses of the network's description, with the names that cases use for them.
const NAMES: [(&str, &str); 12] = [
    ("CHAIN", "chain_url"),
    ("ROOT", "root"),
    ("PROXY", "proxy_contract"),
    ("CLIENT", "client_contract"),
    ("WORKER", "worker_contract"),
    ("GOVERNOR", "governor"),
    ("PROXY_OWNER", "proxy_owner"),
    ("WORKER_OWNER", "worker_owner"),
    ("CLIENT_WALLET", "client_wallet"),
    ("CLIENT_URL", "client_url"),
    ("WORKER_URL", "worker_url"),
    ("MODEL", "model"),
];

/// The program that is tested.
pub(crate) fn program() -> OsString {
    std::env::var_os("COCOON_BIN").unwrap_or_else(|| env!("CARGO_BIN_EXE_cocoon").into())
}

/// `cocoon up` and its folder; ended with it.
pub(crate) struct Network {
    folder: tempfile::TempDir,
    up: Child,
    description: Value,
    receipt: String,
}

impl Network {
    /// Starts it, with one answer that is paid for, published and settled.
    pub(crate) fn start(instance: u16) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut up = Command::new(program());
        up.args(["up", "--json", "--instance", &instance.to_string()])
            .current_dir(folder.path())
            .env_clear()
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(std::fs::File::create(folder.path().join("up.log")).unwrap());
        let (mut up, watch) = limit::spawn(&mut up);
        let mut lines = BufReader::new(up.stdout.take().unwrap());
        let (mut text, mut line) = (String::new(), String::new());
        while line != "}\n" {
            line.clear();
            let read = lines.read_line(&mut line).unwrap();
            assert!(read > 0, "`cocoon up` ended: {}", log(folder.path()));
            text.push_str(&line);
        }
        drop(watch);
        // Nobody reads on, and nothing more is printed.
        std::thread::spawn(move || lines.read_to_end(&mut Vec::new()));
        let description: Value = serde_json::from_str(&text).unwrap();
        let mut network = Self {
            folder,
            up,
            description: description["network"].clone(),
            receipt: String::new(),
        };
        network.receipt = network.ask_once();
        network
    }

    /// Asks until the network serves, and waits until the answer is published and settled; gives its receipt.
    fn ask_once(&self) -> String {
        let end = Instant::now() + Duration::from_secs(60);
        let answer = loop {
            let line = [
                "chat",
                "--json",
                "--max-tokens",
                "8",
                "--temperature",
                "0",
                "What is a cocoon?",
            ];
            let output = self.run(&line);
            if output.status.success() {
                break serde_json::from_slice::<Value>(&output.stdout).unwrap();
            }
            assert!(
                Instant::now() < end,
                "{}{}",
                String::from_utf8_lossy(&output.stderr),
                log(self.folder.path())
            );
            std::thread::sleep(Duration::from_millis(200));
        };
        // The proxy's own log first: only it has what is not published yet.
        let published = self.data().join("log").display().to_string();
        for line in [
            &["audit", "--wait", "60"][..],
            &["audit", "--wait", "60", "--from", &published],
        ] {
            let audit = self.run(line);
            assert!(audit.status.success(), "{}", String::from_utf8_lossy(&audit.stderr));
        }
        answer["receipt_id"].as_str().unwrap().to_owned()
    }

    fn run(&self, line: &[&str]) -> Output {
        let mut command = Command::new(program());
        command.args(line).current_dir(self.folder.path()).env_clear();
        limit::output(&mut command)
    }

    /// Its data folder.
    pub(crate) fn data(&self) -> PathBuf {
        self.folder.path().canonicalize().unwrap().join(".cocoon")
    }

    /// What cases call the things of the network.
    pub(crate) fn values(&self) -> Vec<(String, String)> {
        let named = NAMES.iter().map(|(name, key)| {
            let value = self.description[key]
                .as_str()
                .unwrap_or_else(|| panic!("network.json has no {key}"));
            ((*name).to_owned(), value.to_owned())
        });
        let own = [
            ("NET".to_owned(), self.data().display().to_string()),
            ("RECEIPT".to_owned(), self.receipt.clone()),
            (
                "CLIENT_PORT".to_owned(),
                self.description["ports"]["client"].as_str().unwrap().to_owned(),
            ),
            (
                "PROXY_PORT".to_owned(),
                self.description["ports"]["proxy_clients"].as_str().unwrap().to_owned(),
            ),
        ];
        named.chain(own).collect()
    }
}

fn log(folder: &Path) -> String {
    std::fs::read_to_string(folder.join("up.log")).unwrap_or_default()
}

impl Drop for Network {
    fn drop(&mut self) {
        limit::kill(self.up.id());
        let _ = self.up.wait();
    }
}
