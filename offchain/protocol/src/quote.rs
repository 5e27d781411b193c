//! What a proxy signs when it gives a firm quote.

use sha2::{Digest, Sha256};

/// First bytes of what is signed. The contract's key also signs hashes of cells, which have 32 bytes: what is signed here is
/// longer, so neither is ever taken for the other.
const DOMAIN: &[u8; 16] = b"cocoon.quote.v1\0";

/// Length of the bytes that are signed.
pub const SIGNED_BYTES: usize = DOMAIN.len() + 32;

/// The bytes that are signed with the key of the proxy's contract (Ed25519): the domain `cocoon.quote.v1` with a zero byte,
/// and the SHA-256 of the boxed `cocoon.quoteTerms` as they were sent.
pub fn signed_bytes(terms: &[u8]) -> [u8; SIGNED_BYTES] {
    let mut bytes = [0; SIGNED_BYTES];
    let fields = DOMAIN.iter().copied().chain(Sha256::digest(terms));
    bytes.iter_mut().zip(fields).for_each(|(to, from)| *to = from);
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_signed_names_its_purpose_and_depends_on_every_byte() {
        let one = signed_bytes(b"terms");
        assert_eq!(&one[..16], b"cocoon.quote.v1\0");
        // SHA-256 of "terms", computed with sha256sum.
        assert_eq!(
            hex::encode(&one[16..]),
            "51d2361f4faea3bc8f9facdbc7d99abb555596a2e51f7b25fd3b41c93587e616"
        );
        assert_ne!(one, signed_bytes(b"term"));
    }
}
