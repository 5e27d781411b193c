//! What no public chain offers: coins, time, going back.

use cocoon_bindings::ton::parse_address;
use cocoon_bindings::units::Nanoton;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::api::{ApiError, Done};
use crate::clock::Clock;
use crate::limits::{MAX_ADVANCE, MAX_FAUCET, MAX_MINED};
use crate::node::Node;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Faucet {
    address: String,
    amount: Nanoton,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Advance {
    seconds: u32,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SetTime {
    now: u32,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Mine {
    #[serde(default = "one")]
    blocks: u32,
}

fn one() -> u32 {
    1
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Restore {
    snapshot: u64,
}

/// The state of the chain in a few numbers.
pub(crate) fn status(node: &Node) -> Result<Value, ApiError> {
    let (clock, snapshots) = (node.clock(), node.snapshots());
    Ok(node.read(|chain| {
        json!({
            "now": chain.now(),
            "clock": match clock {
                Clock::System => "system",
                Clock::Manual(_) => "manual",
            },
            "block": chain.block(),
            "transactions": chain.all_transactions().len(),
            "gas_price": chain.network().gas.gas_price,
            "snapshots": snapshots,
        })
    })?)
}

/// Does one of the controls that change the chain.
pub(crate) fn change(node: &Node, control: &str, body: &Value) -> Result<Done, ApiError> {
    let (result, change) = match control {
        "faucet" => faucet(node, read(body)?)?,
        "advance" => advance(node, read(body)?)?,
        "time" => set_time(node, read(body)?)?,
        "snapshot" => node.change(|inner| Ok::<_, ApiError>(json!({ "snapshot": inner.take_snapshot() })))?,
        "mine" => mine(node, &read(body)?)?,
        "restore" => restore(node, read(body)?)?,
        other => return Err(ApiError::not_found(format!("unknown control {other:?}"))),
    };
    Ok(Done {
        result,
        change: Some(change),
    })
}

fn faucet(node: &Node, order: Faucet) -> Result<(Value, u64), ApiError> {
    let address = parse_address(&order.address).map_err(|error| ApiError::params(error.to_string()))?;
    if order.amount > MAX_FAUCET {
        return Err(ApiError::params(format!(
            "the faucet gives at most {MAX_FAUCET} at once"
        )));
    }
    node.change(|inner| {
        let report = inner.chain.fund(&address, order.amount)?;
        inner.chain.run()?;
        let balance = inner.chain.balance(&address)?;
        Ok(json!({ "lt": report.lt.to_string(), "hash": hex::encode(report.hash.0), "balance": balance }))
    })
}

fn advance(node: &Node, order: Advance) -> Result<(Value, u64), ApiError> {
    if order.seconds > MAX_ADVANCE {
        return Err(ApiError::params(format!(
            "time advances by at most {MAX_ADVANCE} s at once"
        )));
    }
    node.change(|inner| {
        inner.chain.advance(order.seconds)?;
        Ok(json!({ "now": inner.chain.now() }))
    })
}

fn set_time(node: &Node, order: SetTime) -> Result<(Value, u64), ApiError> {
    node.change(|inner| {
        inner
            .chain
            .set_now(order.now)
            .map_err(|error| ApiError::params(error.to_string()))?;
        Ok(json!({ "now": inner.chain.now() }))
    })
}

/// Empty blocks: what waits for a number of blocks goes on.
fn mine(node: &Node, order: &Mine) -> Result<(Value, u64), ApiError> {
    if order.blocks > MAX_MINED {
        return Err(ApiError::params(format!("at most {MAX_MINED} blocks are made at once")));
    }
    node.change(|inner| {
        (0..order.blocks).for_each(|_| inner.chain.start_block());
        Ok(json!({ "block": inner.chain.block(), "now": inner.chain.now() }))
    })
}

fn restore(node: &Node, order: Restore) -> Result<(Value, u64), ApiError> {
    node.change(|inner| {
        if inner.restore_snapshot(order.snapshot)? {
            Ok(json!({ "now": inner.chain.now() }))
        } else {
            Err(ApiError::not_found(format!("there is no snapshot {}", order.snapshot)))
        }
    })
}

fn read<T: DeserializeOwned>(body: &Value) -> Result<T, ApiError> {
    T::deserialize(body).map_err(|error| ApiError::params(error.to_string()))
}
