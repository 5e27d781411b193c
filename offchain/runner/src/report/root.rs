//! The root contract as `/jsonstats` of every deployed daemon shows it.

use cocoon_bindings::ton::{Cell, friendly};
use cocoon_bindings::units::Nanoton;
use cocoon_chain::RootView;
use serde_json::{Map, Value, json};

/// The object `root_contract_config`, in the deployed order.
pub fn root_config(root: &RootView) -> Value {
    let (params, data) = (&root.params, &root.data);
    let proxies: Vec<Value> = data
        .proxies
        .iter()
        .map(|(seqno, p)| json!({ "seqno": seqno, "address_for_clients": p.clients, "address_for_workers": p.workers }))
        .collect();
    let fields: [(&str, Value); 24] = [
        ("owner_address", friendly(&root.owner, false, false).into()),
        ("proxy_hashes", hashes(data.proxy_hashes.iter())),
        ("registered_proxies", proxies.into()),
        ("last_proxy_seqno", data.last_proxy_seqno.into()),
        ("worker_hashes", hashes(data.worker_hashes.iter())),
        ("model_hashes", hashes(data.model_hashes.iter())),
        ("version", root.version.into()),
        ("struct_version", params.struct_version.into()),
        ("params_version", params.params_version.get().into()),
        ("unique_id", params.unique_id.into()),
        ("is_test", params.is_test.into()),
        ("price_per_token", nanoton(params.price_per_token).into()),
        ("worker_fee_per_token", nanoton(params.worker_fee_per_token).into()),
        ("prompt_tokens_price_multiplier", params.multipliers.prompt.into()),
        ("cached_tokens_price_multiplier", params.multipliers.cached.into()),
        (
            "completion_tokens_price_multiplier",
            params.multipliers.completion.into(),
        ),
        ("reasoning_tokens_price_multiplier", params.multipliers.reasoning.into()),
        ("proxy_delay_before_close", params.proxy_delay_before_close.into()),
        ("client_delay_before_close", params.client_delay_before_close.into()),
        ("proxy_min_stake", nanoton(params.min_proxy_stake).into()),
        ("client_min_stake", nanoton(params.min_client_stake).into()),
        ("proxy_code_hash", code_hash(params.proxy_code.as_ref()).into()),
        ("worker_code_hash", code_hash(params.worker_code.as_ref()).into()),
        ("client_code_hash", code_hash(params.client_code.as_ref()).into()),
    ];
    let fields: Map<String, Value> = fields
        .into_iter()
        .map(|(name, value)| (name.to_owned(), value))
        .collect();
    fields.into()
}

/// Amounts are JSON numbers in the deployed form; no real one exceeds them.
pub fn nanoton(amount: Nanoton) -> u64 {
    u64::try_from(amount.get()).unwrap_or(u64::MAX)
}

fn hashes(hashes: impl Iterator<Item = impl ToString>) -> Value {
    hashes.map(|hash| hash.to_string().to_uppercase()).collect()
}

fn code_hash(code: Option<&Cell>) -> String {
    code.map(|code| hex::encode_upper(code.repr_hash().0))
        .unwrap_or_default()
}
