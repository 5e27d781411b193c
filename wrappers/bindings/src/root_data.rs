//! What the root contract lists: images, models and proxies.

use crate::ton::{Cell, CellBuilder, CellContext, CellError, CellSlice, Dict, HashBytes, Load, Store};
use crate::units::{ImageHash, ModelHash};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
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
}

/// The text of the contract: one address for both, or workers' and clients' address with a space between.
impl fmt::Display for ProxyEndpoints {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.workers == self.clients {
            f.write_str(&self.workers)
        } else {
            write!(f, "{} {}", self.workers, self.clients)
        }
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
        let text = self.to_string();
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
/// The value side of the hash lists (empty in the deployed contract, a descriptor in ours) is not part of this view:
/// writing it back drops descriptors, so it serves initial data and reading, not updates.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct RootData {
    /// Images that may run a proxy.
    pub proxy_hashes: BTreeSet<ImageHash>,
    /// Proxies by number.
    pub proxies: BTreeMap<u32, ProxyEndpoints>,
    /// The largest number given to a proxy so far.
    pub last_proxy_seqno: u32,
    /// Images that may run a worker.
    pub worker_hashes: BTreeSet<ImageHash>,
    /// Models that may be served.
    pub model_hashes: BTreeSet<ModelHash>,
}

impl Store for RootData {
    fn store_into(&self, builder: &mut CellBuilder, context: &dyn CellContext) -> Result<(), CellError> {
        store_set(&self.proxy_hashes, builder, context)?;
        let proxies: Vec<(u32, &ProxyEndpoints)> = self.proxies.iter().map(|(seqno, proxy)| (*seqno, proxy)).collect();
        Dict::<u32, &ProxyEndpoints>::try_from_sorted_slice(&proxies)?.store_into(builder, context)?;
        builder.store_u32(self.last_proxy_seqno)?;
        store_set(&self.worker_hashes, builder, context)?;
        store_set(&self.model_hashes, builder, context)
    }
}

impl<'a> Load<'a> for RootData {
    fn load_from(slice: &mut CellSlice<'a>) -> Result<Self, CellError> {
        Ok(Self {
            proxy_hashes: load_set(slice)?,
            proxies: Dict::<u32, ProxyEndpoints>::load_from(slice)?
                .iter()
                .collect::<Result<_, _>>()?,
            last_proxy_seqno: slice.load_u32()?,
            worker_hashes: load_set(slice)?,
            model_hashes: load_set(slice)?,
        })
    }
}

fn store_set<T>(set: &BTreeSet<T>, builder: &mut CellBuilder, context: &dyn CellContext) -> Result<(), CellError>
where
    T: Copy + Into<HashBytes>,
{
    let entries: Vec<(HashBytes, ())> = set.iter().map(|hash| ((*hash).into(), ())).collect();
    Dict::<HashBytes, ()>::try_from_sorted_slice(&entries)?.store_into(builder, context)
}

fn load_set<T: From<HashBytes> + Ord>(slice: &mut CellSlice<'_>) -> Result<BTreeSet<T>, CellError> {
    let root = Option::<Cell>::load_from(slice)?;
    let dict = Dict::<HashBytes, ()>::from_raw(root);
    dict.keys().map(|key| key.map(T::from)).collect()
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::ton::{from_cell, to_cell};
    use proptest::collection::{btree_map, btree_set};
    use proptest::prelude::*;

    pub(crate) fn any_root_data() -> impl Strategy<Value = RootData> {
        let hashes = || btree_set(any::<[u8; 32]>(), 0..6);
        let address = "[0-9]{1,3}\\.[0-9]{1,3}:[0-9]{1,5}";
        let proxies = btree_map(any::<u32>(), (address, address), 0..5);
        (hashes(), proxies, any::<u32>(), hashes(), hashes()).prop_map(|(proxy, proxies, seqno, worker, model)| {
            RootData {
                proxy_hashes: proxy.into_iter().map(ImageHash::new).collect(),
                proxies: proxies
                    .into_iter()
                    .map(|(seqno, (workers, clients))| (seqno, ProxyEndpoints { workers, clients }))
                    .collect(),
                last_proxy_seqno: seqno,
                worker_hashes: worker.into_iter().map(ImageHash::new).collect(),
                model_hashes: model.into_iter().map(ModelHash::new).collect(),
            }
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
    fn a_hash_with_a_descriptor_is_still_listed() {
        let mut dict = Dict::<HashBytes, u32>::new();
        dict.set(HashBytes([5; 32]), 77).unwrap();
        let cell = to_cell(&dict).unwrap();
        let set: BTreeSet<ImageHash> = load_set(&mut cell.as_ref().as_slice().unwrap()).unwrap();
        assert_eq!(set, BTreeSet::from([ImageHash::new([5; 32])]));
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
