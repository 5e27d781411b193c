//! The proof of work that a server asks for before TLS: makes a flood of connections cost the one who opens them.

use sha2::{Digest, Sha256};

use crate::RatlsError;

/// First word of a challenge.
pub const CHALLENGE_MAGIC: u32 = 0x418e_1291;
/// First word of an answer.
pub const ANSWER_MAGIC: u32 = 0x0182_7319;
/// Length of a challenge.
pub const CHALLENGE_BYTES: usize = 24;
/// Length of an answer.
pub const ANSWER_BYTES: usize = 12;
/// How often a solver looks whether it should go on.
const ASK_EVERY: i64 = 1 << 14;

/// What a server asks for: a nonce whose hash with the salt begins with so many zero bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Challenge {
    /// Number of zero bits.
    pub difficulty: u32,
    /// Random bytes, different for each connection.
    pub salt: [u8; 16],
}

impl Challenge {
    /// The bytes that a server sends.
    pub fn to_bytes(&self) -> [u8; CHALLENGE_BYTES] {
        let mut bytes = [0; CHALLENGE_BYTES];
        bytes[..4].copy_from_slice(&CHALLENGE_MAGIC.to_le_bytes());
        bytes[4..8].copy_from_slice(&self.difficulty.to_le_bytes());
        bytes[8..].copy_from_slice(&self.salt);
        bytes
    }

    /// Reads the bytes that a server sent; more than `limit` bits of work are refused.
    pub fn from_bytes(bytes: &[u8; CHALLENGE_BYTES], limit: u32) -> Result<Self, RatlsError> {
        let [m0, m1, m2, m3, d0, d1, d2, d3, salt @ ..] = *bytes;
        let found = u32::from_le_bytes([m0, m1, m2, m3]);
        if found != CHALLENGE_MAGIC {
            return Err(RatlsError::WorkMagic { found });
        }
        let bits = i32::from_le_bytes([d0, d1, d2, d3]);
        let difficulty = u32::try_from(bits).map_err(|_| RatlsError::WorkTooHard { bits, limit })?;
        if difficulty > limit {
            return Err(RatlsError::WorkTooHard { bits, limit });
        }
        Ok(Self { difficulty, salt })
    }
}

/// The bytes that a client answers.
pub fn answer_to_bytes(nonce: i64) -> [u8; ANSWER_BYTES] {
    let mut bytes = [0; ANSWER_BYTES];
    bytes[..4].copy_from_slice(&ANSWER_MAGIC.to_le_bytes());
    bytes[4..].copy_from_slice(&nonce.to_le_bytes());
    bytes
}

/// Reads the bytes that a client answered.
pub fn answer_from_bytes(bytes: &[u8; ANSWER_BYTES]) -> Result<i64, RatlsError> {
    let [m0, m1, m2, m3, nonce @ ..] = *bytes;
    let found = u32::from_le_bytes([m0, m1, m2, m3]);
    if found != ANSWER_MAGIC {
        return Err(RatlsError::WorkMagic { found });
    }
    Ok(i64::from_le_bytes(nonce))
}

/// Whether `nonce` solves the challenge. The first eight bytes of the hash are read as a little-endian number, so the
/// bits that have to be zero are those of byte 7, then of byte 6, and so on.
pub fn verify(challenge: &Challenge, nonce: i64) -> bool {
    let mut hash = Sha256::new();
    hash.update(challenge.salt);
    hash.update(nonce.to_le_bytes());
    let [b0, b1, b2, b3, b4, b5, b6, b7, ..]: [u8; 32] = hash.finalize().into();
    u64::from_le_bytes([b0, b1, b2, b3, b4, b5, b6, b7]).leading_zeros() >= challenge.difficulty
}

/// Counts up from zero to the first nonce that solves the challenge; `None` when `go_on` says no before that.
pub fn solve(challenge: &Challenge, go_on: impl FnMut() -> bool) -> Option<i64> {
    solve_from(challenge, 0, go_on)
}

/// The same from another nonce on.
pub(crate) fn solve_from(challenge: &Challenge, first: i64, mut go_on: impl FnMut() -> bool) -> Option<i64> {
    let mut next = first;
    while go_on() {
        let end = next.checked_add(ASK_EVERY)?;
        if let Some(nonce) = solve_among(challenge, next..end) {
            return Some(nonce);
        }
        next = end;
    }
    None
}

/// The first of these nonces that solves the challenge.
pub(crate) fn solve_among(challenge: &Challenge, mut nonces: core::ops::Range<i64>) -> Option<i64> {
    nonces.find(|nonce| verify(challenge, *nonce))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn challenge(difficulty: u32, salt: &str) -> Challenge {
        let mut bytes = [0; 16];
        hex::decode_to_slice(salt, &mut bytes).unwrap();
        Challenge {
            difficulty,
            salt: bytes,
        }
    }

    /// Captured between deployed nodes.
    #[test]
    fn captured_answers_solve_their_challenges() {
        for (salt, nonce, bits) in [
            ("ed93fb342c8955cb4d9c0be351f8573e", 0x0008_eb15, 20),
            ("d1f78ad83960ae984714c82ddd1f4ae4", 0x46, 25),
        ] {
            assert!(verify(&challenge(bits, salt), nonce));
            assert!(!verify(&challenge(bits + 1, salt), nonce));
        }
    }

    /// The deployed solver counts up from zero too.
    #[test]
    fn the_first_nonce_is_the_captured_one() {
        assert_eq!(
            solve(&challenge(20, "ed93fb342c8955cb4d9c0be351f8573e"), || true),
            Some(0x0008_eb15)
        );
        assert_eq!(
            solve(&challenge(20, "d1f78ad83960ae984714c82ddd1f4ae4"), || true),
            Some(0x46)
        );
    }

    #[test]
    fn bytes_on_the_wire_are_those_captured() {
        let asked = challenge(20, "ed93fb342c8955cb4d9c0be351f8573e").to_bytes();
        assert_eq!(hex::encode(asked), "91128e4114000000ed93fb342c8955cb4d9c0be351f8573e");
        assert_eq!(hex::encode(answer_to_bytes(0x0008_eb15)), "1973820115eb080000000000");
    }

    #[test]
    fn more_work_than_the_limit_is_refused() {
        let bytes = challenge(29, "00000000000000000000000000000000").to_bytes();
        let refusal = Challenge::from_bytes(&bytes, 28);
        assert!(matches!(refusal, Err(RatlsError::WorkTooHard { bits: 29, limit: 28 })));
        let negative = challenge(u32::MAX, "00000000000000000000000000000000").to_bytes();
        assert!(matches!(
            Challenge::from_bytes(&negative, 28),
            Err(RatlsError::WorkTooHard { bits: -1, .. })
        ));
    }

    #[test]
    fn a_wrong_magic_is_refused() {
        assert!(matches!(
            Challenge::from_bytes(&[0; 24], 28),
            Err(RatlsError::WorkMagic { found: 0 })
        ));
        assert!(matches!(
            answer_from_bytes(&[0xff; 12]),
            Err(RatlsError::WorkMagic { .. })
        ));
    }

    #[test]
    fn a_solver_stops_when_told_to() {
        let mut asked = 0;
        let hopeless = challenge(64, "00000000000000000000000000000000");
        let found = solve(&hopeless, || {
            asked += 1;
            asked < 3
        });
        assert_eq!((found, asked), (None, 3));
    }

    proptest! {
        #[test]
        fn codecs_round_trip(difficulty in 0_u32..=28, salt: [u8; 16], nonce: i64) {
            let challenge = Challenge { difficulty, salt };
            prop_assert_eq!(Challenge::from_bytes(&challenge.to_bytes(), 28).unwrap(), challenge);
            prop_assert_eq!(answer_from_bytes(&answer_to_bytes(nonce)).unwrap(), nonce);
        }

        #[test]
        fn decoding_is_total(challenge: [u8; CHALLENGE_BYTES], answer: [u8; ANSWER_BYTES]) {
            let _ = Challenge::from_bytes(&challenge, 28);
            let _ = answer_from_bytes(&answer);
        }
    }
}
