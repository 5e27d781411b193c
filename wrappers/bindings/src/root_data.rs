//! What the root contract lists: images, models and proxies.

use crate::hash_list::HashList;
use crate::plain::plain;
use crate::ton::{CellBuilder, CellContext, CellError, CellSlice, Dict, Load, Store};
use crate::units::{ImageHash, ModelHash};
use std::collections::BTreeMap;
use std::fmt;
use std::net::SocketAddr;
use std::str::FromStr;

/// Where a proxy listens: one address for workers, one for clients.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
pub struct ProxyEndpoints {
    /// `ip:port` for workers.
    pub workers: String,
    /// `ip:port` for clients.
    pub clients: String,
}

impl ProxyEndpoints {
    /// Longest text that an entry holds: its length has seven bits, and the entry shares its cell with the key.
    pub const MAX_TEXT: usize = 110;

    /// The first of its places that is no `ip:port`, as it may be shown; the contract takes any text.
    pub fn misplaced(&self) -> Option<String> {
        let places = [&self.workers, &self.clients];
        let wrong = places.into_iter().find(|place| place.parse::<SocketAddr>().is_err());
        wrong.map(|place| plain(place))
    }

    /// The text of the contract: one address for both, or workers' and clients' address with a space between.
    fn text(&self) -> String {
        if self.workers == self.clients {
            self.workers.clone()
        } else {
            format!("{} {}", self.workers, self.clients)
        }
    }
}

/// The text of the contract as it may be shown: whoever had it stored may have put anything there.
impl fmt::Display for ProxyEndpoints {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&plain(&self.text()))
    }
}

impl FromStr for ProxyEndpoints {
    type Err = CellError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mut parts = text.split(' ').filter(|part| !part.is_empty());
        let workers = parts.next().ok_or(CellError::InvalidData)?;
        let clients = parts.next().unwrap_or(workers);
        if parts.next().is_some() {
            return Err(CellError::InvalidData);
        }
        Ok(Self {
            workers: workers.to_owned(),
            clients: clients.to_owned(),
        })
    }
}

/// `type:bit(=0) len:uint7 text:(len bytes)`.
impl Store for ProxyEndpoints {
    fn store_into(&self, builder: &mut CellBuilder, _: &dyn CellContext) -> Result<(), CellError> {
        let text = self.text();
        let length = u8::try_from(text.len())
            .ok()
            .filter(|length| usize::from(*length) <= Self::MAX_TEXT);
        let length = length.ok_or(CellError::InvalidData)?;
        if text.parse::<Self>()? != *self {
            return Err(CellError::InvalidData);
        }
        builder.store_bit_zero()?;
        builder.store_small_uint(length, 7)?;
        builder.store_raw(text.as_bytes(), u16::from(length) * 8)
    }
}

impl<'a> Load<'a> for ProxyEndpoints {
    fn load_from(slice: &mut CellSlice<'a>) -> Result<Self, CellError> {
        if slice.load_bit()? {
            return Err(CellError::InvalidTag);
        }
        let length = slice.load_small_uint(7)?;
        let mut buffer = [0u8; 127];
        let text = slice.load_raw(&mut buffer, u16::from(length) * 8)?;
        std::str::from_utf8(text).map_err(|_| CellError::InvalidData)?.parse()
    }
}

/// The lists of the root contract.
///
/// Entries of the hash lists are kept bit by bit, also those that this build does not understand.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct RootData {
    /// Images that may run a proxy.
    pub proxy_hashes: HashList<ImageHash>,
    /// Proxies by number.
    pub proxies: BTreeMap<u32, ProxyEndpoints>,
    /// The largest number given to a proxy so far.
    pub last_proxy_seqno: u32,
    /// Images that may run a worker.
    pub worker_hashes: HashList<ImageHash>,
    /// Models that may be served.
    pub model_hashes: HashList<ModelHash>,
}

impl Store for RootData {
    fn store_into(&self, builder: &mut CellBuilder, context: &dyn CellContext) -> Result<(), CellError> {
        self.proxy_hashes.store_into(builder, context)?;
        let proxies: Vec<(u32, &ProxyEndpoints)> = self.proxies.iter().map(|(seqno, proxy)| (*seqno, proxy)).collect();
        Dict::<u32, &ProxyEndpoints>::try_from_sorted_slice(&proxies)?.store_into(builder, context)?;
        builder.store_u32(self.last_proxy_seqno)?;
        self.worker_hashes.store_into(builder, context)?;
        self.model_hashes.store_into(builder, context)
    }
}

impl<'a> Load<'a> for RootData {
    fn load_from(slice: &mut CellSlice<'a>) -> Result<Self, CellError> {
        Ok(Self {
            proxy_hashes: HashList::load_from(slice)?,
            proxies: Dict::<u32, ProxyEndpoints>::load_from(slice)?
                .iter()
                .collect::<Result<_, _>>()?,
            last_proxy_seqno: slice.load_u32()?,
            worker_hashes: HashList::load_from(slice)?,
            model_hashes: HashList::load_from(slice)?,
        })
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::hash_list::tests::any_list;
    use crate::ton::{from_cell, to_cell};
    use proptest::collection::btree_map;
    use proptest::prelude::*;

    pub(crate) fn any_root_data() -> impl Strategy<Value = RootData> {
        let address = "[0-9]{1,3}\\.[0-9]{1,3}:[0-9]{1,5}";
        let proxies = btree_map(any::<u32>(), (address, address), 0..5);
        let lists = (any_list(), any_list(), any_list());
        (lists, proxies, any::<u32>()).prop_map(|((proxy, worker, model), proxies, seqno)| RootData {
            proxy_hashes: proxy,
            proxies: proxies
                .into_iter()
                .map(|(seqno, (workers, clients))| (seqno, ProxyEndpoints { workers, clients }))
                .collect(),
            last_proxy_seqno: seqno,
            worker_hashes: worker,
            model_hashes: model,
        })
    }

    proptest! {
        #[test]
        fn the_lists_survive_a_round_trip(data in any_root_data()) {
            prop_assert_eq!(from_cell::<RootData>(&to_cell(&data).unwrap()).unwrap(), data);
        }
    }

    #[test]
    fn one_address_serves_workers_and_clients() {
        let both: ProxyEndpoints = "10.0.0.1:8080".parse().unwrap();
        assert_eq!(both.workers, both.clients);
        assert_eq!(both.to_string(), "10.0.0.1:8080");
        assert!("a b c".parse::<ProxyEndpoints>().is_err());
        assert!("".parse::<ProxyEndpoints>().is_err());
    }

    #[test]
    fn what_a_terminal_would_obey_is_stored_and_not_shown() {
        let evil = ProxyEndpoints {
            workers: "6.6.6.6:1".to_owned(),
            clients: "\u{1b}[2K\rto:1\n".to_owned(),
        };
        assert_eq!(from_cell::<ProxyEndpoints>(&to_cell(&evil).unwrap()).unwrap(), evil);
        assert_eq!(evil.to_string(), r"6.6.6.6:1 \u{1b}[2K\u{d}to:1\u{a}");
        assert_eq!(evil.misplaced().as_deref(), Some(r"\u{1b}[2K\u{d}to:1\u{a}"));
        let right: ProxyEndpoints = "192.0.2.1:1 [2001:db8::1]:2".parse().unwrap();
        assert_eq!(right.misplaced(), None);
    }

    #[test]
    fn a_long_endpoint_is_refused() {
        let long = "x".repeat(ProxyEndpoints::MAX_TEXT + 1);
        assert!(
            to_cell(&ProxyEndpoints {
                workers: long.clone(),
                clients: long
            })
            .is_err()
        );
    }
}
