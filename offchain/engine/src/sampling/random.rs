//! The random number of one position. Counter-based: it depends on the seed and on the position and on nothing else, so
//! that a request can be run again, alone or among others, from the start or from the middle.

use sha2::{Digest, Sha256};

/// A number in [0, 1) with 53 random bits.
pub(super) fn uniform(seed: u64, position: u64) -> f64 {
    let mut hasher = Sha256::new();
    hasher.update(b"cocoon-sample-1");
    hasher.update(seed.to_le_bytes());
    hasher.update(position.to_le_bytes());
    let digest = hasher.finalize();
    let mut bits = [0; 8];
    bits.copy_from_slice(&digest[..8]);
    (u64::from_le_bytes(bits) >> 11) as f64 / (1u64 << 53) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_numbers_of_a_seed_never_change() {
        // Computed with Python's hashlib.
        assert_eq!(uniform(0, 0).to_bits(), 0x3fd940d4eb83c14a);
        assert_eq!(uniform(7, 100).to_bits(), 0x3fe3e53c00d0baa5);
    }

    #[test]
    fn the_numbers_are_spread_evenly() {
        let count = 10_000;
        let mean = (0..count)
            .map(|position| uniform(1, position))
            .fold(0.0, |sum, x| sum + x)
            / count as f64;
        assert!((mean - 0.5).abs() < 0.02, "{mean}");
        assert!((0..count).all(|position| (0.0..1.0).contains(&uniform(1, position))));
    }
}
