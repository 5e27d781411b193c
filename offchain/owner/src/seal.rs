//! Secrets under a passphrase: Argon2id makes a key of it, ChaCha20-Poly1305 seals with that key.
//!
//! What stands in the open next to the secret (whose wallet it is, of which kind) is bound to the seal: a file in which
//! somebody changed it does not open.

use aws_lc_rs::aead::{Aad, CHACHA20_POLY1305, LessSafeKey, Nonce, UnboundKey};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::OwnerError;
use crate::limits::{KDF_MEMORY_KIB, KDF_PASSES, MAX_KDF_MEMORY_KIB, MAX_KDF_PASSES};
use crate::secret::Passphrase;

/// A sealed secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Sealed {
    /// Always `argon2id`.
    kdf: String,
    /// Memory of the key derivation in KiB.
    memory_kib: u32,
    /// Its passes.
    passes: u32,
    /// Its salt, 16 bytes in hex.
    salt: String,
    /// Always `chacha20-poly1305`.
    cipher: String,
    /// 12 bytes in hex.
    nonce: String,
    /// The sealed bytes with their tag, in hex.
    sealed: String,
}

const KDF: &str = "argon2id";
const CIPHER: &str = "chacha20-poly1305";

/// Salt and nonce for one seal; drawn anew each time.
#[derive(Clone, Copy)]
pub(crate) struct Freshness {
    pub(crate) salt: [u8; 16],
    pub(crate) nonce: [u8; 12],
}

/// Seals `secret`, bound to `open`.
pub(crate) fn seal(
    secret: &[u8],
    open: &[u8],
    passphrase: &Passphrase,
    fresh: Freshness,
) -> Result<Sealed, OwnerError> {
    let key = key(passphrase, &fresh.salt, KDF_MEMORY_KIB, KDF_PASSES)?;
    let mut bytes = Zeroizing::new(secret.to_vec());
    key.seal_in_place_append_tag(Nonce::assume_unique_for_key(fresh.nonce), Aad::from(open), &mut *bytes)
        .map_err(|_| OwnerError::Sealing)?;
    Ok(Sealed {
        kdf: KDF.to_owned(),
        memory_kib: KDF_MEMORY_KIB,
        passes: KDF_PASSES,
        salt: hex::encode(fresh.salt),
        cipher: CIPHER.to_owned(),
        nonce: hex::encode(fresh.nonce),
        sealed: hex::encode(bytes.as_slice()),
    })
}

impl Sealed {
    /// Opens it, if passphrase and what stands in the open are those that it was sealed with.
    pub(crate) fn open(&self, open: &[u8], passphrase: &Passphrase) -> Result<Zeroizing<Vec<u8>>, OwnerError> {
        let damaged = |reason| OwnerError::SealedForm { reason };
        if self.kdf != KDF || self.cipher != CIPHER {
            return Err(damaged("it is sealed in a way that this program does not know"));
        }
        if self.memory_kib > MAX_KDF_MEMORY_KIB || self.passes > MAX_KDF_PASSES {
            return Err(damaged("it asks for more memory or passes than this program gives"));
        }
        let (mut salt, mut nonce) = ([0; 16], [0; 12]);
        let read = hex::decode_to_slice(&self.salt, &mut salt).and(hex::decode_to_slice(&self.nonce, &mut nonce));
        read.map_err(|_| damaged("its salt or nonce is not hex"))?;
        let sealed = hex::decode(&self.sealed).map_err(|_| damaged("what is sealed is not hex"))?;
        let mut bytes = Zeroizing::new(sealed);
        let key = key(passphrase, &salt, self.memory_kib, self.passes)?;
        let opened = key
            .open_in_place(Nonce::assume_unique_for_key(nonce), Aad::from(open), &mut bytes)
            .map_err(|_| OwnerError::WrongPassphrase)?;
        Ok(Zeroizing::new(opened.to_vec()))
    }
}

fn key(passphrase: &Passphrase, salt: &[u8; 16], memory_kib: u32, passes: u32) -> Result<LessSafeKey, OwnerError> {
    let refused = |_| OwnerError::SealedForm {
        reason: "its memory and passes are not such that a key can be made",
    };
    let params = argon2::Params::new(memory_kib, passes, 1, Some(32)).map_err(refused)?;
    let argon = argon2::Argon2::new(argon2::Algorithm::Argon2id, argon2::Version::V0x13, params);
    let mut key = Zeroizing::new([0; 32]);
    argon
        .hash_password_into(passphrase.as_bytes(), salt, key.as_mut_slice())
        .map_err(refused)?;
    let key = UnboundKey::new(&CHACHA20_POLY1305, key.as_slice()).map_err(|_| OwnerError::Sealing)?;
    Ok(LessSafeKey::new(key))
}

#[cfg(test)]
mod tests {
    use super::*;

    const FRESH: Freshness = Freshness {
        salt: [3; 16],
        nonce: [4; 12],
    };

    fn passphrase(text: &str) -> Passphrase {
        Passphrase::new(text.to_owned())
    }

    #[test]
    fn only_the_same_passphrase_and_the_same_open_part_open_a_seal() {
        let sealed = seal(b"secret", b"alice", &passphrase("correct horse"), FRESH).unwrap();
        assert!(!serde_json::to_string(&sealed).unwrap().contains(&hex::encode("secret")));
        let opened = sealed.open(b"alice", &passphrase("correct horse")).unwrap();
        assert_eq!(opened.as_slice(), b"secret");
        for (open, text) in [("alice", "correct Horse"), ("malice", "correct horse")] {
            let refused = sealed.open(open.as_bytes(), &passphrase(text));
            assert!(matches!(refused, Err(OwnerError::WrongPassphrase)));
        }
        let mut flipped = sealed.clone();
        flipped.sealed = flipped.sealed.replacen(
            &sealed.sealed[..1],
            if sealed.sealed.starts_with('0') { "1" } else { "0" },
            1,
        );
        assert!(flipped.open(b"alice", &passphrase("correct horse")).is_err());
    }

    #[test]
    fn a_file_cannot_ask_for_more_than_this_machine_should_give() {
        let sealed = seal(b"secret", b"", &passphrase("correct horse"), FRESH).unwrap();
        let changes: [fn(&mut Sealed); 5] = [
            |sealed| sealed.memory_kib = u32::MAX,
            |sealed| sealed.passes = u32::MAX,
            |sealed| sealed.passes = 0,
            |sealed| sealed.kdf = "none".to_owned(),
            |sealed| sealed.nonce = "00".to_owned(),
        ];
        for change in changes {
            let mut changed = sealed.clone();
            change(&mut changed);
            let refused = changed.open(b"", &passphrase("correct horse"));
            assert!(matches!(refused, Err(OwnerError::SealedForm { .. })), "{refused:?}");
        }
    }
}
