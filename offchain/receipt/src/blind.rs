//! The name under which a worker knows a payer.

use cocoon_bindings::ton::{Address, HashBytes};
use sha2::{Digest, Sha256};

const DOMAIN: &[u8] = b"cocoon blinded client v1";

/// The blinded client id of the (client, worker) channel: `SHA-256(domain ‖ secret ‖ worker workchain ‖ worker hash ‖
/// client workchain ‖ client hash)`, where `secret` is 32 random bytes that only the proxy has and never shows.
///
/// The same payer has the same id in all statements of one worker, so that the worker can keep state per payer; two
/// workers cannot tell that their payers are one; nobody without the secret can test a guess of the address.
pub fn blind_client(secret: &[u8; 32], worker: &Address, client: &Address) -> HashBytes {
    let mut hasher = Sha256::new();
    hasher.update(DOMAIN);
    hasher.update(secret);
    for address in [worker, client] {
        hasher.update(address.workchain.to_be_bytes());
        hasher.update(address.address.as_slice());
    }
    HashBytes(hasher.finalize().into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::samples::address;

    #[test]
    fn one_payer_has_one_name_per_worker_and_another_at_each_worker() {
        let (secret, client) = ([3; 32], address(9));
        let at_first = blind_client(&secret, &address(1), &client);
        assert_eq!(at_first, blind_client(&secret, &address(1), &client));
        assert_ne!(at_first, blind_client(&secret, &address(2), &client));
        assert_ne!(at_first, blind_client(&[4; 32], &address(1), &client));
        assert_ne!(at_first, blind_client(&secret, &address(1), &address(8)));
    }
}
