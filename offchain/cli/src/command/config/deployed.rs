//! From the JSON configuration of a deployed runner to the TOML of ours.
//!
//! Unknown keys are ignored there, and a missing one is zero or empty; here both are told. Ports, addresses, prices and the
//! key of the proxy's contract have counterparts; lite servers, thresholds of the old code and keys of wallets have none.

use std::fmt::Write as _;

use serde_json::{Map, Value};

use crate::args::operate::Role;

/// A configuration that was turned into TOML.
#[derive(Debug)]
pub(super) struct Draft {
    pub(super) text: String,
    pub(super) taken: Vec<String>,
    pub(super) ignored: Vec<String>,
    pub(super) to_fill_in: Vec<String>,
}

/// The keys of a document, each taken once.
struct Keys<'a> {
    left: Map<String, Value>,
    taken: Vec<String>,
    to_fill_in: Vec<String>,
    text: String,
    document: &'a Map<String, Value>,
}

impl Keys<'_> {
    /// The first of some names that is there with a value that is not empty.
    fn take(&mut self, names: &[&str]) -> Option<&Value> {
        let name = names.iter().find(|name| {
            let value = self.document.get(**name);
            value.is_some_and(|value| !value.is_null() && value.as_str() != Some(""))
        })?;
        self.left.remove(*name);
        self.taken.push((*name).to_owned());
        self.document.get(*name)
    }

    fn text_of(&mut self, names: &[&str]) -> Option<String> {
        let text = match self.take(names)? {
            Value::String(text) => text.clone(),
            other => other.to_string(),
        };
        Some(text)
    }

    fn number(&mut self, names: &[&str]) -> Option<u64> {
        let value = self.take(names)?;
        value.as_u64().or_else(|| value.as_str()?.parse().ok())
    }

    /// A line with a text, or a place to fill in.
    fn line(&mut self, key: &str, place: &str, value: Option<String>) {
        let value = value.unwrap_or_else(|| {
            self.to_fill_in.push(place.to_owned());
            "FILL IN".to_owned()
        });
        // Writing to a string cannot fail; TOML's basic strings are quoted as JSON's are.
        let _ = writeln!(self.text, "{key} = {}", Value::String(value));
    }

    fn raw(&mut self, line: std::fmt::Arguments<'_>) {
        let _ = writeln!(self.text, "{line}");
    }
}

/// Turns a document into a draft; `None` when it is no object.
pub(super) fn draft(role: Role, json: &Value, chain_url: &str) -> Option<Draft> {
    let document = json.as_object()?;
    let mut keys = Keys {
        left: document.clone(),
        taken: Vec::new(),
        to_fill_in: Vec::new(),
        text: format!(
            "# From a deployed {} configuration, by `cocoon config import`.\n",
            role.name()
        ),
        document,
    };
    // Its type is known by the role that was typed.
    keys.left.remove("@type");
    let owner = keys.text_of(&["owner_address"]);
    let root = keys.text_of(&["root_address", "root_contract_address"]);
    let data = keys.text_of(&["db_path"]);
    let port = keys.number(&["http_port"]).and_then(|port| u16::try_from(port).ok());
    match role {
        Role::Proxy => {
            keys.line("store_dir", "store_dir", data);
            keys.line("contract_key_file", "contract_key_file", None);
            keys.raw(format_args!("[listen]\nhttp = \"127.0.0.1:{}\"", port.unwrap_or(11000)));
        }
        Role::Worker => {
            keys.line("owner", "owner", owner.clone());
            keys.line("data_dir", "data_dir", data);
            keys.raw(format_args!("http = \"127.0.0.1:{}\"", port.unwrap_or(12000)));
            if let Some(count) = keys.number(&["proxy_connections"]) {
                keys.raw(format_args!("proxy_connections = {}", count.max(1)));
            }
        }
        Role::Client => {
            keys.line("data_dir", "data_dir", data);
            keys.raw(format_args!("listen = \"127.0.0.1:{}\"", port.unwrap_or(10000)));
        }
    }
    if let Some(router) = keys.text_of(&["connect_to_proxy_via"]) {
        keys.raw(format_args!("[attestation]\nrouter = {}", Value::String(router)));
    }
    keys.raw(format_args!("[chain]\nurl = {}", Value::String(chain_url.to_owned())));
    keys.line("root", "chain.root", root);
    match role {
        Role::Proxy | Role::Client => {
            keys.raw(format_args!("[wallet]"));
            keys.line("key_file", "wallet.key_file", None);
            keys.line("owner", "wallet.owner", owner);
        }
        Role::Worker => {
            let (model, coefficient) = (keys.text_of(&["model"]), keys.number(&["coefficient"]));
            keys.raw(format_args!("[[models]]"));
            keys.line("name", "models.name", model);
            keys.raw(format_args!("coefficient = {}", coefficient.unwrap_or(1000)));
            // What the deployed runner forwards to.
            keys.raw(format_args!(
                "backend = {{ kind = \"upstream\", url = \"http://127.0.0.1:8000\" }}"
            ));
        }
    }
    let mut ignored: Vec<String> = keys.left.keys().cloned().collect();
    ignored.sort();
    Some(Draft {
        text: keys.text,
        taken: keys.taken,
        ignored,
        to_fill_in: keys.to_fill_in,
    })
}

#[cfg(all(test, feature = "engine"))]
mod tests {
    use super::*;
    use serde_json::json;
    use std::path::Path;

    const ROOT: &str = "0:0000000000000000000000000000000000000000000000000000000000000002";
    const OWNER: &str = "0:0000000000000000000000000000000000000000000000000000000000000001";

    #[test]
    fn a_deployed_configuration_becomes_one_that_our_daemon_reads() {
        let json = json!({
            "owner_address": OWNER, "root_address": ROOT, "http_port": 12010, "db_path": "/data \"x\"",
            "proxy_connections": 2, "model": "tiny@1:2", "coefficient": "1500", "connect_to_proxy_via": "127.0.0.1:8116",
            "max_tokens": 5, "http_access_hash": "", "machine_specific_private_key": "AAAA",
        });
        let worker = draft(Role::Worker, &json, "http://127.0.0.1:1").unwrap();
        let config: cocoon_worker::WorkerConfig =
            cocoon_runner::config::parse(Path::new("worker.toml"), &worker.text).unwrap();
        config.check().unwrap();
        assert_eq!((config.http.port(), config.proxy_connections), (12010, 2));
        assert_eq!((config.models[0].coefficient, config.owner.as_str()), (1500, OWNER));
        assert_eq!(config.data_dir, Path::new("/data \"x\""));
        assert_eq!(config.attestation.router.unwrap().port(), 8116);
        assert_eq!(worker.to_fill_in, Vec::<String>::new());
        assert_eq!(
            worker.ignored,
            ["http_access_hash", "machine_specific_private_key", "max_tokens"]
        );
        assert!(!worker.text.contains("AAAA"));

        let proxy = draft(Role::Proxy, &json, "http://127.0.0.1:1").unwrap();
        cocoon_runner::config::parse::<cocoon_proxy::ProxyConfig>(Path::new("proxy.toml"), &proxy.text).unwrap();
        assert_eq!(proxy.to_fill_in, ["contract_key_file", "wallet.key_file"]);
        let client = draft(Role::Client, &json!({ "unknown": 1 }), "http://127.0.0.1:1").unwrap();
        cocoon_runner::config::parse::<cocoon_client::ClientConfig>(Path::new("client.toml"), &client.text).unwrap();
        assert_eq!(
            client.to_fill_in,
            ["data_dir", "chain.root", "wallet.key_file", "wallet.owner"]
        );
        assert_eq!(client.ignored, ["unknown"]);
        assert!(draft(Role::Client, &json!([]), "").is_none());
    }
}
