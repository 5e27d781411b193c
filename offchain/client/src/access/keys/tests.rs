//! Claims about keys.

use super::*;

#[test]
fn a_key_counts_until_it_ends_or_is_revoked() {
    let (mut key, _) = ApiKey::draw("a", 0).unwrap();
    key.expires = Some(10);
    assert!(key.is_usable(9) && !key.is_usable(10));
    key.revoked = Some(5);
    assert!(!key.is_usable(1));
    assert!(key.is_for(Scope::Inference) && !key.is_for(Scope::Wallet));
    key.scopes = BTreeSet::from([Scope::Admin]);
    assert!(Scope::ALL.iter().all(|scope| key.is_for(*scope)));
    key.models = BTreeSet::from(["a/b".to_owned()]);
    assert!(key.allows_model("a/b") && key.allows_model("a/b@1:2") && !key.allows_model("a/bc"));
    for name in ["", "a b", "ä", &"x".repeat(65)] {
        assert!(matches!(ApiKey::draw(name, 0), Err(KeysError::Name { .. })), "{name}");
    }
}
