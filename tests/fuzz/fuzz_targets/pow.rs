//! Challenge and answer of the proof of work: what is read is written back as it was.
#![no_main]

use cocoon_ratls::pow::{ANSWER_BYTES, CHALLENGE_BYTES, Challenge, answer_from_bytes, answer_to_bytes, verify};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| {
    let Some((challenge, rest)) = input.split_first_chunk::<CHALLENGE_BYTES>() else { return };
    let Ok(read) = Challenge::from_bytes(challenge, 28) else { return };
    assert_eq!(&read.to_bytes(), challenge);
    let Some(answer) = rest.first_chunk::<ANSWER_BYTES>() else { return };
    if let Ok(nonce) = answer_from_bytes(answer) {
        assert_eq!(&answer_to_bytes(nonce), answer);
        let _ = verify(&read, nonce);
    }
});
