//! Claims about the file.

use cocoon_bindings::units::Nanoton;

use super::*;
use crate::access::keys::{PREFIX, hash};

#[test]
fn a_file_keeps_what_a_key_may_do_and_never_its_secret() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("deep/keys.json");
    assert_eq!(KeysFile::load(&path).unwrap(), KeysFile::default());
    let (mut key, secret) = ApiKey::draw("alice", 7).unwrap();
    key.limits.spend = Some(Nanoton::new(5));
    KeysFile::change(&path, |file| file.add(key.clone())).unwrap();
    assert_eq!(KeysFile::load(&path).unwrap().keys, [key.clone()]);
    let text = std::fs::read_to_string(&path).unwrap();
    assert!(secret.starts_with(PREFIX) && secret.len() == PREFIX.len() + 64);
    assert!(!text.contains(secret.as_str()) && text.contains(&hash(&secret)));
    let taken = KeysFile::change(&path, |file| file.add(ApiKey::draw("alice", 8)?.0));
    assert!(matches!(taken, Err(KeysError::Taken { .. })));
    let unknown = KeysFile::change(&path, |file| file.find("bob").map(|_| ()));
    assert!(matches!(unknown, Err(KeysError::Unknown { .. })));
    assert_eq!(KeysFile::load(&path).unwrap().keys, [key]);
}

#[test]
#[cfg(unix)]
fn the_file_is_its_owners_alone() {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("keys.json");
    KeysFile::change(&path, |file| file.add(ApiKey::draw("a", 0)?.0)).unwrap();
    let mode = std::fs::metadata(&path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode, 0o600, "{mode:o}");
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).unwrap();
    assert!(matches!(
        KeysFile::load(&path),
        Err(KeysError::Mode { mode: 0o644, .. })
    ));
}

#[test]
fn changes_at_once_lose_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("keys.json");
    std::thread::scope(|scope| {
        for name in 0..8 {
            let path = &path;
            scope.spawn(move || {
                let (key, _) = ApiKey::draw(&name.to_string(), 0).unwrap();
                KeysFile::change(path, |file| file.add(key)).unwrap();
            });
        }
    });
    assert_eq!(KeysFile::load(&path).unwrap().keys.len(), 8);
}

#[test]
fn a_file_of_something_else_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("keys.json");
    let (key, _) = ApiKey::draw("a", 0).unwrap();
    let twice = KeysFile {
        format: FORMAT,
        keys: vec![key.clone(), key.clone()],
    };
    let newer = KeysFile {
        format: FORMAT + 1,
        keys: Vec::new(),
    };
    let json = |file: &KeysFile| serde_json::to_string(file).unwrap();
    let unhashed = json(&KeysFile {
        format: FORMAT,
        keys: vec![key.clone()],
    })
    .replace(&key.hash, "00");
    for text in [String::new(), "[]".to_owned(), json(&twice), json(&newer), unhashed] {
        drop(private(&path, true).unwrap());
        std::fs::write(&path, &text).unwrap();
        assert!(matches!(KeysFile::load(&path), Err(KeysError::Format { .. })), "{text}");
    }
}
