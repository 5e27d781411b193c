//! The types that the bindings write by hand, as the contracts declare them.

use crate::support::{Any, ToStack};
use cocoon_bindings::ton::{Cell, CellBuilder, Dict, HashBytes, StackValue};
use cocoon_bindings::{
    ImageHash, ModelHash, Multipliers, Nanoton, Params, ParamsVersion, ProxyEndpoints, RootData, STRUCT_VERSION,
};
use proptest::collection::{btree_map, btree_set};
use proptest::prelude::*;

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

impl Any for RootData {
    fn any() -> BoxedStrategy<Self> {
        let hashes = || btree_set(any::<[u8; 32]>(), 0..5);
        let proxies = btree_map(any::<u32>(), ProxyEndpoints::any(), 0..4);
        (hashes(), proxies, any::<u32>(), hashes(), hashes())
            .prop_map(
                |(proxy_hashes, proxies, last_proxy_seqno, worker_hashes, model_hashes)| Self {
                    proxy_hashes: proxy_hashes.into_iter().map(ImageHash::new).collect(),
                    proxies,
                    last_proxy_seqno,
                    worker_hashes: worker_hashes.into_iter().map(ImageHash::new).collect(),
                    model_hashes: model_hashes.into_iter().map(ModelHash::new).collect(),
                },
            )
            .boxed()
    }
}

/// The dictionaries are built one entry after another here, in the bindings at once.
impl ToStack for RootData {
    fn to_stack(&self, stack: &mut Vec<StackValue>) {
        let set = |hashes: &mut dyn Iterator<Item = HashBytes>| {
            let mut dict = Dict::<HashBytes, ()>::new();
            hashes.for_each(|hash| assert!(dict.set(hash, ()).unwrap()));
            dict.into_root()
        };
        let mut proxies = Dict::<u32, ProxyEndpoints>::new();
        for (seqno, proxy) in &self.proxies {
            proxies.set(*seqno, proxy).unwrap();
        }
        set(&mut self.proxy_hashes.iter().map(|hash| hash.to_hash_bytes())).to_stack(stack);
        proxies.into_root().to_stack(stack);
        self.last_proxy_seqno.to_stack(stack);
        set(&mut self.worker_hashes.iter().map(|hash| hash.to_hash_bytes())).to_stack(stack);
        set(&mut self.model_hashes.iter().map(|hash| hash.to_hash_bytes())).to_stack(stack);
    }
}
