//! What a setup ends with.

use std::path::{Path, PathBuf};

use cocoon_bindings::Nanoton;
use serde::Serialize;

/// The result.
#[derive(Debug, Serialize)]
pub(super) struct Done {
    pub(super) role: &'static str,
    pub(super) network: String,
    pub(super) root: String,
    /// Whether the root contract says that the network is a test.
    pub(super) is_test: bool,
    pub(super) wallet: String,
    pub(super) owner: String,
    /// What prints the words of a wallet that this setup has made, for paper.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) words: Option<String>,
    /// Where the runner's own wallet is paid into; none for a role without one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) runner_wallet: Option<String>,
    pub(super) folder: PathBuf,
    pub(super) config: PathBuf,
    /// Files that the configuration names and that are made at the first start.
    pub(super) not_there_yet: Vec<String>,
    /// The contract; none where it was not deployed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) contract: Option<String>,
    /// What the chain says is paid in or staked now; none where nothing was deployed, and for workers.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) amount: Option<Nanoton>,
    /// What is not as it was answered, or keeps the runner from its work.
    pub(super) warnings: Vec<String>,
    /// What to type next.
    pub(super) next: String,
}

/// What is typed next.
pub(super) fn next(role: &str, config: &Path, is_deployed: bool) -> String {
    match is_deployed {
        true => format!("cocoon {role} run --config {}", config.display()),
        false => format!("cocoon setup {role}"),
    }
}

/// The result for a person.
pub(super) fn text(done: &Done) -> String {
    let what = match done.contract {
        Some(_) => "is set up",
        None => "is configured; its contract is not deployed",
    };
    let mut lines = vec![format!("A {} of the network {} {what}.", done.role, done.network)];
    if done.is_test {
        lines.push("The network is a test: platforms may be SIMULATED, and protect nothing.".to_owned());
    }
    lines.extend(done.warnings.iter().map(|warning| format!("WARNING: {warning}")));
    lines.push(format!("owner      {} ({})", done.owner, done.wallet));
    if let Some(words) = &done.words {
        lines.push(format!("words      {words}"));
    }
    if let Some(wallet) = &done.runner_wallet {
        lines.push(format!("runner     {wallet}"));
    }
    lines.push(format!("config     {}", done.config.display()));
    if let Some(contract) = &done.contract {
        lines.push(format!("contract   {contract}"));
    }
    if let Some(amount) = &done.amount {
        lines.push(format!("holds      {amount}"));
    }
    lines.push(format!("next       {}", done.next));
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn done(contract: Option<&str>) -> Done {
        Done {
            role: "client",
            network: "mine".to_owned(),
            root: "0:01".to_owned(),
            is_test: false,
            wallet: "treasury".to_owned(),
            owner: "0:02".to_owned(),
            words: Some("cocoon wallet export treasury".to_owned()),
            runner_wallet: Some("UQ".to_owned()),
            folder: PathBuf::from("runner"),
            config: PathBuf::from("runner/client.toml"),
            not_there_yet: Vec::new(),
            contract: contract.map(str::to_owned),
            amount: contract.map(|_| Nanoton::from_ton(20)),
            warnings: vec!["it believes nobody".to_owned()],
            next: next("client", Path::new("runner/client.toml"), contract.is_some()),
        }
    }

    #[test]
    fn only_what_is_deployed_is_called_set_up() {
        let deployed = text(&done(Some("0:03")));
        assert!(
            deployed.starts_with("A client of the network mine is set up."),
            "{deployed}"
        );
        assert!(
            deployed.contains("WARNING: it believes nobody") && deployed.contains("holds      20 TON"),
            "{deployed}"
        );
        let configured = text(&done(None));
        assert!(
            configured.contains("its contract is not deployed")
                && configured.ends_with("next       cocoon setup client"),
            "{configured}"
        );
        assert!(
            !configured.contains("is set up") && !configured.contains("holds"),
            "{configured}"
        );
    }
}
