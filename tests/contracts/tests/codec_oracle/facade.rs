//! The types that the bindings write by hand, as the contracts declare them.

use crate::support::{Any, ToStack};
use cocoon_bindings::ton::{Cell, CellBuilder, Dict, HashBytes, StackValue};
use cocoon_bindings::{
    HashDescriptor, HashEntry, HashList, ManifestHash, Multipliers, Nanoton, Params, ParamsVersion, ProxyEndpoints,
    RootData, STRUCT_VERSION, TrustTimes,
};
use proptest::collection::btree_map;
use proptest::prelude::*;
use std::fmt::Debug;

impl Any for Params {
    fn any() -> BoxedStrategy<Self> {
        let money = || (0u128..1 << 62).prop_map(Nanoton::new);
        let numbers = (
            ParamsVersion::any(),
            any::<u32>(),
            any::<bool>(),
            any::<[u32; 4]>(),
            any::<[u32; 2]>(),
        );
        let codes = (Option::<Cell>::any(), Option::<Cell>::any(), Option::<Cell>::any());
        (numbers, (money(), money(), money(), money()), codes)
            .prop_map(
                |((params_version, unique_id, is_test, weights, delays), amounts, codes)| {
                    let [prompt, cached, completion, reasoning] = weights;
                    Self {
                        // The contracts' declaration is that of the newest layout.
                        struct_version: STRUCT_VERSION,
                        params_version,
                        unique_id,
                        is_test,
                        price_per_token: amounts.0,
                        worker_fee_per_token: amounts.1,
                        multipliers: Multipliers {
                            prompt,
                            cached,
                            completion,
                            reasoning,
                        },
                        proxy_delay_before_close: delays[0],
                        client_delay_before_close: delays[1],
                        min_proxy_stake: amounts.2,
                        min_client_stake: amounts.3,
                        proxy_code: codes.0,
                        worker_code: codes.1,
                        client_code: codes.2,
                    }
                },
            )
            .boxed()
    }
}

impl ToStack for Params {
    fn to_stack(&self, stack: &mut Vec<StackValue>) {
        self.struct_version.to_stack(stack);
        self.params_version.to_stack(stack);
        self.unique_id.to_stack(stack);
        self.is_test.to_stack(stack);
        self.price_per_token.to_stack(stack);
        self.worker_fee_per_token.to_stack(stack);
        let weights = &self.multipliers;
        for number in [weights.prompt, weights.cached, weights.completion, weights.reasoning] {
            number.to_stack(stack);
        }
        self.proxy_delay_before_close.to_stack(stack);
        self.client_delay_before_close.to_stack(stack);
        self.min_proxy_stake.to_stack(stack);
        self.min_client_stake.to_stack(stack);
        for code in [&self.proxy_code, &self.worker_code, &self.client_code] {
            code.to_stack(stack);
        }
    }
}

impl Any for ProxyEndpoints {
    fn any() -> BoxedStrategy<Self> {
        let address = || "[0-9]{1,3}\\.[0-9]{1,3}\\.[0-9]{1,3}\\.[0-9]{1,3}:[0-9]{1,5}";
        (address(), address())
            .prop_map(|(workers, clients)| Self { workers, clients })
            .boxed()
    }
}

impl ToStack for ProxyEndpoints {
    fn to_stack(&self, stack: &mut Vec<StackValue>) {
        let text = self.to_string();
        false.to_stack(stack);
        u32::try_from(text.len()).unwrap().to_stack(stack);
        let bits = u16::try_from(text.len() * 8).unwrap();
        stack.push(StackValue::Slice(
            CellBuilder::from_raw_data(text.as_bytes(), bits)
                .unwrap()
                .build()
                .unwrap(),
        ));
    }
}

impl Any for HashDescriptor {
    fn any() -> BoxedStrategy<Self> {
        (any::<[u8; 32]>(), any::<[u32; 2]>(), "[a-z0-9 ü.]{0,15}")
            .prop_map(|(hash, times, label)| Self {
                manifest_hash: Some(ManifestHash::new(hash)),
                times: TrustTimes {
                    not_before: times[0],
                    retire_after: times[1],
                },
                label: label.parse().unwrap(),
            })
            .boxed()
    }
}

impl ToStack for HashDescriptor {
    fn to_stack(&self, stack: &mut Vec<StackValue>) {
        self.manifest_hash.unwrap().to_hash_bytes().to_stack(stack);
        self.times.not_before.to_stack(stack);
        self.times.retire_after.to_stack(stack);
        let text = self.label.as_str().as_bytes();
        let bits = u16::try_from(text.len() * 8).unwrap();
        stack.push(StackValue::Slice(
            CellBuilder::from_raw_data(text, bits).unwrap().build().unwrap(),
        ));
    }
}

/// A list whose entries are empty, descriptors or bits that mean nothing.
fn any_list<T: Ord + From<[u8; 32]> + Debug + 'static>() -> BoxedStrategy<HashList<T>> {
    let entry = prop_oneof![
        Just(HashEntry::default()),
        HashDescriptor::any().prop_map(|descriptor| HashEntry::described(&descriptor).unwrap()),
        Cell::any().prop_map(HashEntry::from_raw),
    ];
    btree_map(any::<[u8; 32]>(), entry, 0..5)
        .prop_map(|entries| {
            let mut list = HashList::default();
            for (hash, entry) in entries {
                list.describe(T::from(hash), entry);
            }
            list
        })
        .boxed()
}

impl Any for RootData {
    fn any() -> BoxedStrategy<Self> {
        let proxies = btree_map(any::<u32>(), ProxyEndpoints::any(), 0..4);
        let lists = (any_list(), any_list(), any_list());
        (lists, proxies, any::<u32>())
            .prop_map(
                |((proxy_hashes, worker_hashes, model_hashes), proxies, last_proxy_seqno)| Self {
                    proxy_hashes,
                    proxies,
                    last_proxy_seqno,
                    worker_hashes,
                    model_hashes,
                },
            )
            .boxed()
    }
}

/// The dictionaries are built one entry after another here, in the bindings at once.
impl ToStack for RootData {
    fn to_stack(&self, stack: &mut Vec<StackValue>) {
        fn dict<T: Ord + Copy + Into<HashBytes>>(list: &HashList<T>) -> Option<Cell> {
            let mut dict = Dict::<HashBytes, HashEntry>::new();
            for (hash, entry) in list.entries() {
                assert!(dict.set((*hash).into(), entry).unwrap());
            }
            dict.into_root()
        }
        let mut proxies = Dict::<u32, ProxyEndpoints>::new();
        for (seqno, proxy) in &self.proxies {
            proxies.set(*seqno, proxy).unwrap();
        }
        dict(&self.proxy_hashes).to_stack(stack);
        proxies.into_root().to_stack(stack);
        self.last_proxy_seqno.to_stack(stack);
        dict(&self.worker_hashes).to_stack(stack);
        dict(&self.model_hashes).to_stack(stack);
    }
}
