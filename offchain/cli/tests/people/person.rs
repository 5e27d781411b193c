//! Somebody at a terminal: a folder of their own, the program, and HTTP.

use std::path::Path;
use std::process::{Command, Output};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::limit;
use crate::network::{Network, program};

/// How long something may take that the network does by itself.
const PATIENCE: Duration = Duration::from_secs(60);

pub(crate) struct Person<'a> {
    folder: tempfile::TempDir,
    network: &'a Network,
    http: tokio::runtime::Runtime,
}

/// What HTTP answered.
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) receipt: Option<String>,
    pub(crate) text: String,
}

impl Answer {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|error| panic!("{error}: {}", self.text))
    }
}

impl<'a> Person<'a> {
    pub(crate) fn new(network: &'a Network) -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let person = Self {
            folder: tempfile::tempdir().unwrap(),
            network,
            http: runtime.unwrap(),
        };
        person.write("passphrase", "correct horse battery\n");
        person
    }

    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// A thing of the network, by the name that cases of commands use.
    pub(crate) fn its(&self, name: &str) -> String {
        let values = self.network.values().into_iter();
        let mut found = values.filter(|(known, _)| known == name).map(|(_, value)| value);
        found.next().unwrap_or_else(|| panic!("the network has no {name}"))
    }

    /// Writes a file that nobody else can read.
    pub(crate) fn write(&self, name: &str, text: &str) {
        use std::os::unix::fs::PermissionsExt as _;
        let path = self.folder().join(name);
        std::fs::write(&path, text).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
    }

    /// Types a command.
    pub(crate) fn types(&self, line: &str) -> Output {
        let mut command = Command::new(program());
        command
            .args(line.split(' '))
            .current_dir(self.folder())
            .env_clear()
            .env("COCOON_DATA_DIR", self.network.data())
            .env("COCOON_KEYSTORE", self.folder().join("keystore"))
            .env("COCOON_PASSPHRASE_FILE", "passphrase");
        limit::output(&mut command)
    }

    /// Types a command that must work; gives what it prints.
    pub(crate) fn reads(&self, line: &str) -> String {
        let output = self.types(line);
        let told = String::from_utf8_lossy(&output.stderr);
        assert!(
            output.status.success(),
            "{line}: exit {:?}\n{told}",
            output.status.code()
        );
        String::from_utf8(output.stdout).unwrap()
    }

    /// The same with `--json`.
    pub(crate) fn gets(&self, line: &str) -> Value {
        serde_json::from_str(&self.reads(&format!("{line} --json"))).unwrap()
    }

    /// Types a command that must fail with this exit code; gives its error, which ends with a hint.
    pub(crate) fn is_refused(&self, line: &str, exit: i32) -> String {
        let output = self.types(line);
        let told = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(exit), "{line}: {told}");
        told
    }

    /// Asks until it is so.
    pub(crate) fn waits_until(&self, what: &str, mut is_so: impl FnMut() -> bool) {
        let end = Instant::now() + PATIENCE;
        while !is_so() {
            assert!(Instant::now() < end, "not in {PATIENCE:?}: {what}");
            std::thread::sleep(Duration::from_millis(200));
        }
    }

    /// Sends a request to the client's API.
    pub(crate) fn posts(&self, path: &str, headers: &[(&str, &str)], body: &Value) -> Answer {
        let url = format!("{}{path}", self.its("CLIENT_URL"));
        self.asks(|http| {
            let request = http.post(&url).json(body);
            headers
                .iter()
                .fold(request, |request, (name, value)| request.header(*name, *value))
        })
    }

    pub(crate) fn fetches(&self, url: &str) -> Answer {
        self.asks(|http| http.get(url))
    }

    /// Sends a request to the local chain's own controls.
    pub(crate) fn controls(&self, path: &str, body: &Value) {
        let url = self.its("CHAIN").replace("/api/v2/jsonRPC", path);
        let answer = self.asks(|http| http.post(&url).json(body));
        assert_eq!(answer.status, 200, "{url}: {}", answer.text);
    }

    fn asks(&self, request: impl FnOnce(&reqwest::Client) -> reqwest::RequestBuilder) -> Answer {
        let http = reqwest::Client::builder().no_proxy().build().unwrap();
        self.http.block_on(async {
            let response = request(&http).send().await.unwrap();
            let header = response.headers().get("x-cocoon-receipt-id");
            Answer {
                status: response.status().as_u16(),
                receipt: header.map(|id| id.to_str().unwrap().to_owned()),
                text: response.text().await.unwrap(),
            }
        })
    }
}
