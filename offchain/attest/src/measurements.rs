//! What a guest was built from and what it attests.

use cocoon_bindings::units::ImageHash;
use sha2::{Digest, Sha256, Sha512};

/// Length of one measurement register (SHA-384).
pub const REGISTER_BYTES: usize = 48;

/// Length of the free field that a guest puts into its quote.
pub const REPORT_DATA_BYTES: usize = 64;

/// One measurement register.
pub type Register = [u8; REGISTER_BYTES];

/// The registers that the image hash covers, in its order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Measurements {
    /// Firmware and initial memory.
    pub mrtd: Register,
    /// Configuration chosen by the host, zero in our images.
    pub mrconfigid: Register,
    /// Owner, zero in our images.
    pub mrowner: Register,
    /// Owner's configuration, zero in our images.
    pub mrownerconfig: Register,
    /// RTMR0 to RTMR3: machine, kernel, command line, system.
    pub rtmr: [Register; 4],
}

impl Measurements {
    /// All registers zero: what a guest without any measurement would show.
    pub const ZERO: Self = Self {
        mrtd: [0; REGISTER_BYTES],
        mrconfigid: [0; REGISTER_BYTES],
        mrowner: [0; REGISTER_BYTES],
        mrownerconfig: [0; REGISTER_BYTES],
        rtmr: [[0; REGISTER_BYTES]; 4],
    };

    /// The registers in the order in which they are hashed and lie in a quote.
    pub fn registers(&self) -> [&Register; 8] {
        let [rtmr0, rtmr1, rtmr2, rtmr3] = &self.rtmr;
        [
            &self.mrtd,
            &self.mrconfigid,
            &self.mrowner,
            &self.mrownerconfig,
            rtmr0,
            rtmr1,
            rtmr2,
            rtmr3,
        ]
    }

    /// SHA-256 over the eight registers and a zeroed report data field: the value that the root contract lists.
    pub fn image_hash(&self) -> ImageHash {
        let mut hash = Sha256::new();
        for register in self.registers() {
            hash.update(register);
        }
        hash.update([0; REPORT_DATA_BYTES]);
        ImageHash::new(hash.finalize().into())
    }
}

/// Report data that binds a quote to an Ed25519 key: SHA-512 of its 32 bytes.
pub fn report_data_for_key(key: &[u8; 32]) -> [u8; REPORT_DATA_BYTES] {
    Sha512::digest(key).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn synthetic() -> Measurements {
        let register = |byte| [byte; REGISTER_BYTES];
        Measurements {
            mrtd: register(1),
            mrconfigid: register(2),
            mrowner: register(3),
            mrownerconfig: register(4),
            rtmr: [register(5), register(6), register(7), register(8)],
        }
    }

    /// Computed with coreutils: 48 bytes each of 01 to 08, then 64 bytes of 00, through sha256sum.
    const SYNTHETIC_IMAGE_HASH: &str = "a1c3a6779016181d2a6e3b11a8ba839dc2498b471b2bb90d00b81020f43f3b46";

    #[test]
    fn image_hash_matches_an_independent_computation() {
        assert_eq!(synthetic().image_hash().to_string(), SYNTHETIC_IMAGE_HASH);
    }

    #[test]
    fn every_register_changes_the_image_hash() {
        let base = synthetic();
        let mut seen = std::collections::BTreeSet::from([base.image_hash()]);
        for index in 0..8 {
            let mut changed = base;
            let register = match index {
                0 => &mut changed.mrtd,
                1 => &mut changed.mrconfigid,
                2 => &mut changed.mrowner,
                3 => &mut changed.mrownerconfig,
                n => &mut changed.rtmr[n - 4],
            };
            register[47] ^= 1;
            assert!(seen.insert(changed.image_hash()), "register {index}");
        }
    }

    #[test]
    fn report_data_is_sha512_of_the_key() {
        // sha512sum of 32 zero bytes.
        let expected = "5046adc1dba838867b2bbbfdd0c3423e58b57970b5267a90f57960924a87f1960a6a85eaa642dac835424b5d7c8d637c00408c7a73da672b7f498521420b6dd3";
        assert_eq!(hex::encode(report_data_for_key(&[0; 32])), expected);
    }
}
