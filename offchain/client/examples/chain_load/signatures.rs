//! What the signatures of one receipt take on one processor, with the code that the runners use.

use std::time::{Duration, Instant};

use cocoon_bindings::units::PublicKey;
use cocoon_ratls::Clock as _;
use cocoon_ratls::{Identity, NoEvidence, SystemClock};
use cocoon_receipt::{ContractKey, verifies};
use ed25519_dalek::SigningKey;

use super::Result;

/// How long each operation is repeated.
const ROUND: Duration = Duration::from_millis(300);

/// Prints one line of JSON, in microseconds. A receipt needs two signatures, the proxy's and the worker's, and three checks:
/// the proxy's of the worker's, and the client's of both. The proxy's signature over a worker's statements is one for each
/// burst, and not counted.
pub(super) fn measure() -> Result<()> {
    let hash = [7; 32];
    let contract = ContractKey::from(SigningKey::from_bytes(&[1; 32]));
    let leaf = Identity::issue(&NoEvidence, SystemClock.now())?;
    let (contract_key, leaf_key) = (PublicKey::from(contract.key()), leaf.leaf_key());
    let (by_contract, by_leaf) = (contract.sign(&hash).0, leaf.sign(&hash));
    let proxy_signs = repeat(|| contract.sign(&hash).0 == by_contract)?;
    let worker_signs = repeat(|| leaf.sign(&hash) == by_leaf)?;
    let proxy_checks = repeat(|| verifies(&leaf_key, &hash, &by_leaf))?;
    let client_checks =
        repeat(|| verifies(&contract_key, &hash, &by_contract) && verifies(&leaf_key, &hash, &by_leaf))?;
    println!(
        r#"{{"proxy_signs_us": {proxy_signs:.2}, "worker_signs_us": {worker_signs:.2}, "proxy_checks_us": {proxy_checks:.2}, "client_checks_us": {client_checks:.2}, "sum_us": {:.2}}}"#,
        proxy_signs + worker_signs + proxy_checks + client_checks
    );
    Ok(())
}

/// Microseconds of one call.
fn repeat(once: impl Fn() -> bool) -> Result<f64> {
    let begun = Instant::now();
    let mut count = 0_u32;
    while begun.elapsed() < ROUND {
        if !once() {
            return Err("a signature is not the one that was made".into());
        }
        count += 1;
    }
    Ok(begun.elapsed().as_secs_f64() * 1e6 / f64::from(count))
}
