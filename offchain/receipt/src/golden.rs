//! Golden vectors of the samples, computed by an independent implementation of cell hashing, SHA-256 and Ed25519 in
//! another language. They change only with the format's version.

use ed25519_dalek::SigningKey;

use crate::samples::{address, receipt, statement};
use crate::{SignedReceipt, blind_client, salted_hash};

#[test]
fn the_sample_statement_and_receipt_have_their_hashes() {
    assert_eq!(
        statement().hash().to_string(),
        "ae944980d9012c744e70e4d1291a55e378dc3c1b521a3da3356ec5cd030aa833"
    );
    assert_eq!(
        receipt().id().to_string(),
        "c9be68cd1894a154ab53f6b84ccf1aa5efcf1e12a5ce82d489e87a95f729708f"
    );
}

#[test]
fn the_sample_receipt_has_its_signature() {
    let signed = SignedReceipt::sign(receipt(), &SigningKey::from_bytes(&[1; 32]));
    let expected = "bf3cf2d0e946c36c0cf13a9c2620255d77cc01369d4cb983c9c1437b19238db0cf8307c10df6764f69a78f1a6d92afbd0ed\
        ff3ccb59b70d4519f40fafec4df04";
    assert_eq!(hex::encode(signed.proxy_signature.0), expected);
}

#[test]
fn blinded_ids_and_salted_hashes_are_as_documented() {
    let blinded = blind_client(&[3; 32], &address(1), &address(9)).to_string();
    assert_eq!(
        blinded,
        "1dcc7ed75df7d146004f0527e46d5a893b9c29f964e841e3e3bacfca1a44f73a"
    );
    let salted = salted_hash(&[5; 32], b"abc").to_string();
    assert_eq!(
        salted,
        "f6a6e45b0b1425d174a51941fe468f6fd0c23d782c1c70d162a70850e516c155"
    );
}
