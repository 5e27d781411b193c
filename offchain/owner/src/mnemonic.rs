//! The 24 words of a TON wallet, as all wallets make and read them.
//!
//! The words themselves, not their numbers, are the secret: HMAC-SHA512 over them, then PBKDF2 with a salt for each use. A
//! mnemonic with a password of its own is a thing of another kind and refused.

use std::collections::HashMap;
use std::fmt;
use std::num::NonZeroU32;
use std::sync::OnceLock;

use aws_lc_rs::{hmac, pbkdf2};
use ed25519_dalek::SigningKey;
use zeroize::Zeroizing;

use crate::OwnerError;
use crate::limits::MNEMONIC_WORDS;

/// The English list of BIP 39: 2048 words, one on each line.
const WORDS: &str = include_str!("words.txt");
/// Rounds by which a key is derived.
const ROUNDS: u32 = 100_000;
/// Mnemonics drawn until one without password is found; one in 256 is, so this never fails in practice.
const MAX_DRAWS: usize = 100_000;

/// A checked mnemonic. It shows itself nowhere but where its words are asked for.
#[derive(Clone)]
pub struct Mnemonic {
    text: Zeroizing<String>,
}

impl Mnemonic {
    /// Draws one, with numbers from `random`.
    pub fn generate(mut random: impl FnMut() -> u32) -> Result<Self, OwnerError> {
        let words: Vec<&str> = WORDS.lines().collect();
        for _ in 0..MAX_DRAWS {
            let mut text = Zeroizing::new(String::new());
            for place in 0..MNEMONIC_WORDS {
                if place > 0 {
                    text.push(' ');
                }
                // 2048 words: the low eleven bits name one evenly.
                let index = usize::try_from(random() % 2048).unwrap_or_default();
                text.push_str(words.get(index).copied().unwrap_or_default());
            }
            if is_without_password(&text)? {
                return Ok(Self { text });
            }
        }
        Err(OwnerError::Mnemonic {
            reason: "the random numbers are none",
        })
    }

    /// Reads what a person wrote down: 24 words in any spacing and case. An error never repeats a word.
    pub fn parse(text: &str) -> Result<Self, OwnerError> {
        let refused = |reason| OwnerError::Mnemonic { reason };
        let lower = Zeroizing::new(text.to_lowercase());
        let words: Vec<&str> = lower.split_whitespace().collect();
        if words.len() != MNEMONIC_WORDS {
            return Err(refused("it does not have 24 words"));
        }
        if !words.iter().all(|word| list().contains_key(word)) {
            return Err(refused("one of its words is not of the list"));
        }
        let text = Zeroizing::new(words.join(" "));
        if !is_without_password(&text)? {
            return Err(refused(
                "its words do not fit together, or it has a password of its own",
            ));
        }
        Ok(Self { text })
    }

    /// The words with one space between them.
    pub fn words(&self) -> &str {
        &self.text
    }

    /// The wallet's key.
    pub fn key(&self) -> Result<SigningKey, OwnerError> {
        let seed = derive(&self.text, "TON default seed", ROUNDS)?;
        let mut key = Zeroizing::new([0; 32]);
        key.copy_from_slice(&seed[..32]);
        Ok(SigningKey::from_bytes(&key))
    }
}

impl fmt::Debug for Mnemonic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Mnemonic")
    }
}

fn list() -> &'static HashMap<&'static str, usize> {
    static LIST: OnceLock<HashMap<&'static str, usize>> = OnceLock::new();
    LIST.get_or_init(|| WORDS.lines().zip(0..).collect())
}

/// What every wallet checks before it takes the words: that no password belongs to them.
fn is_without_password(words: &str) -> Result<bool, OwnerError> {
    Ok(derive(words, "TON seed version", ROUNDS / 256)?[0] == 0)
}

fn derive(words: &str, salt: &str, rounds: u32) -> Result<Zeroizing<[u8; 64]>, OwnerError> {
    let entropy = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA512, words.as_bytes()), &[]);
    let mut seed = Zeroizing::new([0; 64]);
    let rounds = NonZeroU32::new(rounds).ok_or(OwnerError::Mnemonic {
        reason: "no rounds of derivation",
    })?;
    pbkdf2::derive(
        pbkdf2::PBKDF2_HMAC_SHA512,
        rounds,
        salt.as_bytes(),
        entropy.as_ref(),
        seed.as_mut_slice(),
    );
    Ok(seed)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Published vectors of other implementations: words and the key that follows from them.
    const DOSE: &str = "dose ice enrich trigger test dove century still betray gas diet dune use other base gym mad law \
                        immense village world example praise game";
    const DOSE_KEY: &str = "119dcf2840a3d56521d260b2f125eedc0d4f3795b9e627269a4b5a6dca8257bd";
    const DOSE_PUBLIC: &str = "c04ad1885c127fe863abb00752fa844e6439bb04f264d70de7cea580b32637ab";

    #[test]
    fn words_give_the_key_that_other_wallets_derive() {
        let key = Mnemonic::parse(DOSE).unwrap().key().unwrap();
        assert_eq!(hex::encode(key.to_bytes()), DOSE_KEY);
        assert_eq!(hex::encode(key.verifying_key().to_bytes()), DOSE_PUBLIC);
    }

    #[test]
    fn spacing_and_case_do_not_matter() {
        let loud = DOSE.to_uppercase().replace(' ', " \n  ");
        assert_eq!(
            Mnemonic::parse(&loud).unwrap().words(),
            Mnemonic::parse(DOSE).unwrap().words()
        );
    }

    #[test]
    fn what_is_drawn_is_read_back_and_never_the_same() {
        let drawn: Vec<Mnemonic> = (0..2).map(|_| Mnemonic::generate(rand::random).unwrap()).collect();
        assert_ne!(drawn[0].words(), drawn[1].words());
        for mnemonic in drawn {
            let read = Mnemonic::parse(mnemonic.words()).unwrap();
            assert_eq!(read.key().unwrap(), mnemonic.key().unwrap());
        }
    }

    #[test]
    fn words_that_no_wallet_takes_are_refused_and_not_repeated() {
        let short = DOSE.rsplit_once(' ').unwrap().0;
        let unknown = DOSE.replace("dose", "cocoon");
        let swapped = DOSE.replace("dose ice", "ice dose");
        for text in ["", short, unknown.as_str(), swapped.as_str()] {
            let error = Mnemonic::parse(text).unwrap_err();
            let shown = format!("{error} {error:?} {:?}", Mnemonic::parse(DOSE));
            assert!(!shown.contains("cocoon") && !shown.contains("trigger"), "{shown}");
        }
    }

    #[test]
    fn the_list_is_that_of_bip_39() {
        use sha2::{Digest as _, Sha256};
        let hash = hex::encode(Sha256::digest(WORDS.as_bytes()));
        assert_eq!(hash, "2f5eed53a4727b4bf8880d8f3f199efc90e58503646d9ff8eff3a2ed3b24dbda");
        assert_eq!(list().len(), 2048);
    }
}
