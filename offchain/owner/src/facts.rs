//! What a contract holds, in words: the lines that a preview compares and a status shows.

use cocoon_bindings::client::ClientStorage;
use cocoon_bindings::governor::GovernorStorage;
use cocoon_bindings::proxy::ProxyStorage;
use cocoon_bindings::root::RootStorage;
use cocoon_bindings::ton::{Cell, Load};
use cocoon_bindings::types::Lifecycle;
use cocoon_bindings::units::Nanoton;
use cocoon_bindings::wallet::WalletStorage;
use cocoon_bindings::worker::WorkerStorage;
use serde::Serialize;

/// What an account is to whoever looks at it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Role {
    /// The owner's wallet.
    Wallet,
    /// A runner's wallet.
    RunnerWallet,
    /// A client contract.
    Client,
    /// A worker contract.
    Worker,
    /// A proxy contract.
    Proxy,
    /// The root contract.
    Root,
    /// The governor of a root contract.
    Governor,
    /// Something else.
    Other,
}

impl Role {
    /// How it is called.
    pub fn name(self) -> &'static str {
        match self {
            Self::Wallet => "wallet",
            Self::RunnerWallet => "runner's wallet",
            Self::Client => "client contract",
            Self::Worker => "worker contract",
            Self::Proxy => "proxy contract",
            Self::Root => "root contract",
            Self::Governor => "governor",
            Self::Other => "account",
        }
    }
}

/// One named value of a contract.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Fact {
    /// Its name, such as `stake`.
    pub name: &'static str,
    /// Its value in words.
    pub value: String,
}

/// The named values in a contract's data; none where the data is not what the role says.
pub fn facts(role: Role, data: &Cell) -> Vec<Fact> {
    match role {
        Role::Client => read::<ClientStorage>(data).map_or_else(Vec::new, |client| {
            vec![
                fact("state", lifecycle(client.state)),
                fact("paid in", client.balance),
                fact("stake", client.stake),
                fact("tokens charged", client.tokens_used.get()),
                fact("unlocks at", client.unlock_ts),
                fact("secret hash", client.secret_hash),
            ]
        }),
        Role::Worker => read::<WorkerStorage>(data).map_or_else(Vec::new, |worker| {
            vec![
                fact("state", lifecycle(worker.state)),
                fact("tokens paid", worker.tokens.get()),
            ]
        }),
        Role::Proxy => read::<ProxyStorage>(data).map_or_else(Vec::new, |proxy| {
            vec![
                fact("state", lifecycle(proxy.state)),
                fact("earned", proxy.balance),
                fact("stake", proxy.stake),
                fact("unlocks at", proxy.unlock_ts),
            ]
        }),
        Role::RunnerWallet => read::<WalletStorage>(data).map_or_else(Vec::new, |wallet| {
            vec![
                fact("seqno", wallet.seqno),
                fact(
                    "external messages",
                    if wallet.status == 0 { "taken" } else { "blocked" },
                ),
            ]
        }),
        Role::Root => read::<RootStorage>(data).map_or_else(Vec::new, |root| {
            vec![
                fact("owner", &root.owner),
                fact("version", root.version),
                fact("terms", root.params.params_version.get()),
                fact("price", root.params.price_per_token),
                fact("worker's part", root.params.worker_fee_per_token),
                fact("worker images", root.data.worker_hashes.len()),
                fact("proxy images", root.data.proxy_hashes.len()),
                fact("models", root.data.model_hashes.len()),
                fact("proxies", root.data.proxies.len()),
            ]
        }),
        Role::Governor => read::<GovernorStorage>(data).map_or_else(Vec::new, |governor| {
            vec![
                fact("epoch", governor.epoch),
                fact("threshold", governor.config.threshold),
                fact("paused until", governor.paused_until),
                fact("proposals", digest(governor.proposals.as_ref())),
            ]
        }),
        Role::Wallet | Role::Other => Vec::new(),
    }
}

/// A state of a contract in one word.
pub fn lifecycle(state: Lifecycle) -> &'static str {
    match state {
        Lifecycle::Normal => "normal",
        Lifecycle::Closing => "closing",
        Lifecycle::Closed => "closed",
    }
}

fn fact(name: &'static str, value: impl ToString) -> Fact {
    let value = value.to_string();
    Fact { name, value }
}

/// What a list is told by where its entries are too much for a line: the beginning of its hash.
fn digest(list: Option<&Cell>) -> String {
    list.map_or_else(
        || "none".to_owned(),
        |list| list.repr_hash().to_string().chars().take(16).collect(),
    )
}

fn read<T: for<'a> Load<'a>>(data: &Cell) -> Option<T> {
    T::load_from(&mut data.as_ref().as_slice().ok()?).ok()
}

/// The old and the new value of what a message changes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Change {
    /// What.
    pub name: &'static str,
    /// Before.
    pub old: String,
    /// After.
    pub new: String,
}

/// Compares two looks at a contract; what is equal is left out.
pub(crate) fn changes(role: Role, old: (Nanoton, Option<&Cell>), new: (Nanoton, Option<&Cell>)) -> Vec<Change> {
    let absent = "-";
    let mut changes = vec![Change {
        name: "balance",
        old: old.0.to_string(),
        new: new.0.to_string(),
    }];
    let before = old.1.map_or_else(Vec::new, |data| facts(role, data));
    let after = new.1.map_or_else(Vec::new, |data| facts(role, data));
    let value = |facts: &[Fact], name: &str| {
        facts
            .iter()
            .find(|fact| fact.name == name)
            .map(|fact| fact.value.clone())
    };
    let names = after.iter().chain(&before).map(|fact| fact.name);
    for name in names {
        if changes.iter().all(|change| change.name != name) {
            changes.push(Change {
                name,
                old: value(&before, name).unwrap_or_else(|| absent.to_owned()),
                new: value(&after, name).unwrap_or_else(|| absent.to_owned()),
            });
        }
    }
    changes.retain(|change| change.old != change.new);
    changes
}
