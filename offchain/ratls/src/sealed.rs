//! Sealing a few bytes to one person's X25519 key: HPKE (RFC 9180) in base mode, with HKDF-SHA256 and AES-256-GCM. It stands
//! here because the TLS library brings it, and is no part of any connection.

use aws_lc_rs::agreement::{PrivateKey, X25519};
use rustls::crypto::aws_lc_rs::hpke::DH_KEM_X25519_HKDF_SHA256_AES_256 as SUITE;
use rustls::crypto::hpke::{EncapsulatedSecret, Hpke as _, HpkePrivateKey, HpkePublicKey};
use zeroize::Zeroizing;

use crate::RatlsError;
use crate::tls::failed;

/// What only the holder of one key can read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sealed {
    /// The sender's ephemeral public key.
    pub encapsulated: Vec<u8>,
    /// The bytes, with an authentication tag of 16 bytes behind them.
    pub ciphertext: Vec<u8>,
}

/// Seals `plain` to an X25519 public key. `info` says what for; `context` must be the same when it is opened. An error means
/// that the key is no usable point.
pub fn seal(public: &[u8; 32], info: &[u8], context: &[u8], plain: &[u8]) -> Result<Sealed, RatlsError> {
    let public = HpkePublicKey(public.to_vec());
    let (encapsulated, ciphertext) = SUITE.seal(info, context, plain, &public).map_err(failed)?;
    Ok(Sealed {
        encapsulated: encapsulated.0,
        ciphertext,
    })
}

/// An X25519 private key that opens what was sealed to it.
pub struct OpenKey {
    secret: Zeroizing<[u8; 32]>,
    public: [u8; 32],
}

impl OpenKey {
    /// The key of 32 random bytes.
    pub fn new(secret: Zeroizing<[u8; 32]>) -> Result<Self, RatlsError> {
        let unusable = || RatlsError::Issue {
            reason: "the bytes are no X25519 key".to_owned(),
        };
        let key = PrivateKey::from_private_key(&X25519, secret.as_slice()).map_err(|_| unusable())?;
        let public = key.compute_public_key().map_err(|_| unusable())?;
        let public = public.as_ref().try_into().map_err(|_| unusable())?;
        Ok(Self { secret, public })
    }

    /// Its public half.
    pub fn public(&self) -> [u8; 32] {
        self.public
    }

    /// What was sealed to this key with the same `info` and `context`; an error for everything else.
    pub fn open(&self, sealed: &Sealed, info: &[u8], context: &[u8]) -> Result<Zeroizing<Vec<u8>>, RatlsError> {
        let encapsulated = EncapsulatedSecret(sealed.encapsulated.clone());
        let secret = HpkePrivateKey::from(self.secret.to_vec());
        let plain = SUITE.open(&encapsulated, info, context, &sealed.ciphertext, &secret);
        plain.map(Zeroizing::new).map_err(failed)
    }
}

impl core::fmt::Debug for OpenKey {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("OpenKey")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn only_the_right_key_and_context_open((secret, other, plain) in any::<([u8; 32], [u8; 32], [u8; 32])>(), at in 0usize..80) {
            let key = OpenKey::new(Zeroizing::new(secret)).unwrap();
            let sealed = seal(&key.public(), b"info", b"context", &plain).unwrap();
            let opened = key.open(&sealed, b"info", b"context").unwrap();
            prop_assert_eq!(opened.as_slice(), &plain[..]);
            prop_assert!(key.open(&sealed, b"other", b"context").is_err());
            prop_assert!(key.open(&sealed, b"info", b"other").is_err());
            let stranger = OpenKey::new(Zeroizing::new(other)).unwrap();
            prop_assert_eq!(stranger.open(&sealed, b"info", b"context").is_ok(), stranger.public() == key.public());
            let mut broken = sealed;
            let bytes = broken.encapsulated.len();
            match at.checked_sub(bytes) {
                // The highest bit of a point is not looked at (RFC 7748).
                None => broken.encapsulated[at] ^= 1,
                Some(at) => broken.ciphertext[at] ^= 1,
            }
            prop_assert!(key.open(&broken, b"info", b"context").is_err());
        }
    }

    #[test]
    fn keys_and_messages_of_a_wrong_length_are_refused_not_fatal() {
        let key = OpenKey::new(Zeroizing::new([7; 32])).unwrap();
        for (encapsulated, ciphertext) in [(0, 0), (31, 48), (33, 48), (32, 0), (32, 15)] {
            let sealed = Sealed {
                encapsulated: vec![9; encapsulated],
                ciphertext: vec![1; ciphertext],
            };
            assert!(key.open(&sealed, b"", b"").is_err());
        }
        assert!(
            seal(&[0; 32], b"", b"", b"x").is_err(),
            "a point of small order gives no secret"
        );
        assert_eq!(format!("{key:?}"), "OpenKey");
    }
}
