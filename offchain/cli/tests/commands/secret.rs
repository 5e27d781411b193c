//! Nothing that a command prints holds a secret: looked for before anything is taken out of the text.

use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};

use crate::stage::WORDS;

/// Shorter ones stand in texts by chance.
const MIN_LETTERS: usize = 12;

/// What in `text` is a secret of one of the folders, said by where it is from.
pub(crate) fn found(text: &str, folders: &[&Path]) -> Option<String> {
    // However words are listed: in columns, with numbers, as JSON.
    let letters = |text: &str| -> String { text.chars().filter(char::is_ascii_lowercase).collect() };
    if letters(text).contains(&letters(WORDS)) {
        return Some("the words of a wallet".to_owned());
    }
    let mut secrets = Vec::new();
    for folder in folders {
        collect(folder, &mut secrets);
    }
    let is_there = |(_, secret): &&(String, String)| secret.len() >= MIN_LETTERS && text.contains(secret.as_str());
    secrets
        .iter()
        .find(is_there)
        .map(|(file, _)| format!("what is in {file}"))
}

fn collect(folder: &Path, secrets: &mut Vec<(String, String)>) {
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let (path, name) = (entry.path(), entry.file_name());
        // Links are not followed: a folder may be in itself.
        let is_folder = entry.file_type().is_ok_and(|kind| kind.is_dir());
        if is_folder {
            collect(&path, secrets);
        } else if name == "passphrase" || path.extension().is_some_and(|end| end == "key") {
            let bytes = std::fs::read(&path).unwrap_or_default();
            for form in forms(&bytes) {
                secrets.push((path.display().to_string(), form));
            }
        }
    }
}

/// As it is in the file, and a key in hex and base64.
fn forms(bytes: &[u8]) -> Vec<String> {
    let text = String::from_utf8(bytes.to_vec()).map(|text| text.trim().to_owned());
    let key = text.as_ref().ok().and_then(|text| hex::decode(text).ok());
    let key = key.or_else(|| (bytes.len() == 32).then(|| bytes.to_vec()));
    let encoded = key.into_iter().flat_map(|key| {
        let padded = STANDARD.encode(&key);
        [
            hex::encode(&key),
            padded.trim_end_matches('=').to_owned(),
            URL_SAFE_NO_PAD.encode(&key),
        ]
    });
    text.into_iter().chain(encoded).collect()
}

#[test]
fn a_key_is_found_in_every_form() {
    let folder = tempfile::tempdir().unwrap();
    let key = [0xfb; 32];
    std::fs::create_dir(folder.path().join("keys")).unwrap();
    std::fs::write(folder.path().join("keys/one.key"), hex::encode(key)).unwrap();
    let look = |text: &str| found(text, &[folder.path()]);
    for text in [hex::encode(key), STANDARD.encode(key), URL_SAFE_NO_PAD.encode(key)] {
        assert!(look(&format!("key: {text}.")).is_some(), "{text}");
    }
    let listed: Vec<String> = WORDS.split_whitespace().map(|word| format!("{word:?}")).collect();
    assert!(look(&listed.join(",\n")).is_some());
    assert_eq!(look(&hex::encode([0xfa; 32])), None);
}
