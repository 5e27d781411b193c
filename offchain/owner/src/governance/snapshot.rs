//! A root contract as plain data: what `cocoon root show --json` prints, and what two looks at it are compared by.

use cocoon_bindings::ton::Cell;
use cocoon_bindings::units::Nanoton;
use cocoon_bindings::{HashEntry, HashList, Multipliers, plain};
use serde::{Deserialize, Serialize};

use super::{RootState, Tail};

/// A root contract at one moment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RootSnapshot {
    /// Its address.
    pub address: String,
    /// Its owner.
    pub owner: String,
    /// Counts the changes.
    pub version: u32,
    /// Version of the terms.
    pub params_version: u32,
    /// Layout of the terms.
    pub struct_version: u8,
    /// Tells one network from another, and is part of the address of every contract at it.
    pub unique_id: u32,
    /// Whether it is of a test network.
    pub is_test: bool,
    /// Price of a token.
    pub price_per_token: Nanoton,
    /// The worker's part of it.
    pub worker_fee_per_token: Nanoton,
    /// Weights of the token classes.
    pub multipliers: Multipliers,
    /// Seconds before a proxy may close.
    pub proxy_delay_before_close_seconds: u32,
    /// Seconds before a client may force its refund.
    pub client_delay_before_close_seconds: u32,
    /// Smallest stake of a proxy.
    pub min_proxy_stake: Nanoton,
    /// Stake of a new client.
    pub min_client_stake: Nanoton,
    /// Images of proxies.
    pub proxy_images: Vec<ListedHash>,
    /// Images of workers.
    pub worker_images: Vec<ListedHash>,
    /// Models.
    pub models: Vec<ListedHash>,
    /// Proxies.
    pub proxies: Vec<ListedProxy>,
    /// The largest number that a proxy has had.
    pub last_proxy_seqno: u32,
    /// Hash of the code of new proxy contracts.
    pub proxy_code: Option<String>,
    /// Hash of the code of new worker contracts.
    pub worker_code: Option<String>,
    /// Hash of the code of new client contracts.
    pub client_code: Option<String>,
    /// Hash of its own code.
    pub root_code: String,
    /// The offer of ownership that waits.
    pub offer: Option<Offer>,
    /// Hash of what it holds beyond this where this version cannot read that; the offer and the rebuilders are then unknown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unreadable: Option<String>,
    /// Rebuilders that must attest an image; 0: none.
    pub rebuilder_threshold: u8,
    /// Keys of the rebuilders.
    pub rebuilders: Vec<String>,
    /// The chain's time of this look, seconds since 1970.
    pub time: u32,
}

/// An offer of ownership.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Offer {
    /// Who may accept.
    pub new_owner: String,
    /// The last second in which it may.
    pub until: u32,
}

/// A hash with what the contract knows of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ListedHash {
    /// The hash.
    pub hash: String,
    /// Whether it is trusted at the time of this look.
    pub is_valid: bool,
    /// A name for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub label: Option<String>,
    /// Hash of its manifest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub manifest_hash: Option<String>,
    /// The first second in which it is trusted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub not_before: Option<u32>,
    /// The last second in which it is trusted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retire_after: Option<u32>,
    /// Hash of what the contract holds of it where this version cannot read that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unreadable: Option<String>,
}

/// A listed proxy.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ListedProxy {
    /// Its number.
    pub seqno: u32,
    /// `ip:port` for workers.
    pub for_workers: String,
    /// `ip:port` for clients.
    pub for_clients: String,
}

impl ListedHash {
    /// The hashes of a list at a time.
    pub fn all<T: Ord + ToString>(list: &HashList<T>, time: u32) -> Vec<Self> {
        let listed = |(hash, entry): (&T, &HashEntry)| {
            let (times, descriptor) = (entry.times(), entry.descriptor());
            let set = |time: u32| Some(time).filter(|time| *time != 0);
            Self {
                hash: hash.to_string(),
                is_valid: times.cover(time),
                label: descriptor
                    .as_ref()
                    .map(|descriptor| plain(descriptor.label.as_str()))
                    .filter(|label| !label.is_empty()),
                unreadable: (descriptor.is_none() && *entry != HashEntry::default())
                    .then(|| entry.raw().repr_hash().to_string()),
                manifest_hash: descriptor
                    .and_then(|descriptor| descriptor.manifest_hash)
                    .map(|hash| hash.to_string()),
                not_before: set(times.not_before),
                retire_after: set(times.retire_after),
            }
        };
        list.entries().map(listed).collect()
    }

    /// What is known of it, in words; `trusted` if nothing is.
    pub(crate) fn terms(&self) -> String {
        let mut parts = vec!["trusted".to_owned()];
        parts.extend(self.label.as_ref().map(|label| format!("{label:?}")));
        parts.extend(self.manifest_hash.as_ref().map(|hash| format!("manifest {hash}")));
        parts.extend(
            self.unreadable
                .as_ref()
                .map(|hash| format!("with {hash}, which this version CANNOT READ")),
        );
        for (what, time) in [("from", self.not_before), ("until", self.retire_after)] {
            parts.extend(time.map(|time| format!("{what} {}", crate::date(time))));
        }
        parts.join(", ")
    }
}

impl From<&RootState> for RootSnapshot {
    fn from(state: &RootState) -> Self {
        let (storage, time) = (&state.storage, state.account.time);
        let params = &storage.params;
        let hash = |code: &Option<Cell>| code.as_ref().map(|code| code.repr_hash().to_string());
        let proxies = storage.data.proxies.iter().map(|(seqno, endpoints)| ListedProxy {
            seqno: *seqno,
            for_workers: plain(&endpoints.workers),
            for_clients: plain(&endpoints.clients),
        });
        let rebuilders = state.tail.read().map(|tail| &tail.rebuilders);
        let offer = state.tail.read().and_then(|tail| tail.offer.as_ref());
        Self {
            address: state.account.address.to_string(),
            owner: storage.owner.to_string(),
            version: storage.version,
            params_version: params.params_version.get(),
            struct_version: params.struct_version,
            unique_id: params.unique_id,
            is_test: params.is_test,
            price_per_token: params.price_per_token,
            worker_fee_per_token: params.worker_fee_per_token,
            multipliers: params.multipliers,
            proxy_delay_before_close_seconds: params.proxy_delay_before_close,
            client_delay_before_close_seconds: params.client_delay_before_close,
            min_proxy_stake: params.min_proxy_stake,
            min_client_stake: params.min_client_stake,
            proxy_images: ListedHash::all(&storage.data.proxy_hashes, time),
            worker_images: ListedHash::all(&storage.data.worker_hashes, time),
            models: ListedHash::all(&storage.data.model_hashes, time),
            proxies: proxies.collect(),
            last_proxy_seqno: storage.data.last_proxy_seqno,
            proxy_code: hash(&params.proxy_code),
            worker_code: hash(&params.worker_code),
            client_code: hash(&params.client_code),
            root_code: state.code_hash.to_string(),
            offer: offer.map(|offer| Offer {
                new_owner: offer.new_owner.to_string(),
                until: offer.until,
            }),
            unreadable: match &state.tail {
                Tail::Unreadable(hash) => Some(hash.to_string()),
                Tail::Absent | Tail::Read(_) => None,
            },
            rebuilder_threshold: rebuilders.map_or(0, |rebuilders| rebuilders.threshold),
            rebuilders: rebuilders
                .and_then(|rebuilders| rebuilders.public_keys().ok())
                .map_or_else(Vec::new, |keys| keys.iter().map(ToString::to_string).collect()),
            time,
        }
    }
}
