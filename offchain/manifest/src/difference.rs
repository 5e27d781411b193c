//! What differs between two manifests, field by field.

use std::collections::BTreeMap;
use std::fmt;

/// A field that two manifests do not have alike. A file is a field by its path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// Name of the field, as the canonical text has it; `file PATH` for a file.
    pub field: String,
    /// What was found, if it was.
    pub found: Option<String>,
    /// What was expected, if it was.
    pub expected: Option<String>,
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { field, found, expected } = self;
        match (found, expected) {
            (Some(found), Some(expected)) => write!(f, "{field} is {found}, not {expected}"),
            (Some(_), None) => write!(f, "{field} is too much"),
            (None, _) => write!(f, "{field} is missing"),
        }
    }
}

/// The fields that differ, in the order of what was found, then those that are missing. Fields of `derived` follow from others
/// and are left out. Both texts are canonical, behind equal headers.
pub(crate) fn differences(found: &[u8], expected: &[u8], derived: &[&str]) -> Vec<Difference> {
    let (found, expected) = (String::from_utf8_lossy(found), String::from_utf8_lossy(expected));
    let (found, expected) = (fields(&found, derived), fields(&expected, derived));
    let by_name: BTreeMap<&String, &str> = expected.iter().map(|(name, value)| (name, *value)).collect();
    let names: BTreeMap<&String, ()> = found.iter().map(|(name, _)| (name, ())).collect();
    let others = found.iter().filter_map(|(name, value)| {
        let expected = by_name.get(name).copied();
        (expected != Some(*value)).then(|| Difference {
            field: name.clone(),
            found: Some((*value).to_owned()),
            expected: expected.map(str::to_owned),
        })
    });
    let missing = expected.iter().filter(|(name, _)| !names.contains_key(name));
    let missing = missing.map(|(name, value)| Difference {
        field: name.clone(),
        found: None,
        expected: Some((*value).to_owned()),
    });
    others.chain(missing).collect()
}

fn fields<'a>(text: &'a str, derived: &[&str]) -> Vec<(String, &'a str)> {
    let lines = text.lines().skip(1);
    let split = lines.filter_map(|line| line.split_once(' '));
    let split = split.filter(|(key, _)| !derived.contains(key));
    // A file's path is its name: `file <sha256> <size> <path>`.
    let named = split.map(|(key, value)| match (key, value.match_indices(' ').nth(1)) {
        ("file", Some((at, _))) => (format!("file {}", &value[at + 1..]), &value[..at]),
        _ => (key.to_owned(), value),
    });
    named.collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn told(found: &str, expected: &str) -> Vec<String> {
        let all = differences(found.as_bytes(), expected.as_bytes(), &["image"]);
        all.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn fields_and_files_that_differ_are_named_with_both_values() {
        let found = "header\nkernel a\nimage x\nfile 00 1 a b\nfile 11 2 c\n";
        let expected = "header\nkernel b\nimage y\nfile 00 1 c\nfile 22 3 d\n";
        assert_eq!(told(found, found), Vec::<String>::new());
        assert_eq!(
            told(found, expected),
            [
                "kernel is a, not b",
                "file a b is too much",
                "file c is 11 2, not 00 1",
                "file d is missing"
            ]
        );
    }

    proptest! {
        #[test]
        fn texts_without_a_difference_have_the_same_fields(fields in prop::collection::btree_map("[a-e]", "[a-z]{1,3}", 0..6), others in prop::collection::btree_map("[a-e]", "[a-z]{1,3}", 0..6)) {
            let text = |fields: &BTreeMap<String, String>| {
                fields.iter().fold("header\n".to_owned(), |text, (key, value)| format!("{text}{key} {value}\n"))
            };
            prop_assert_eq!(told(&text(&fields), &text(&others)).is_empty(), fields == others);
        }
    }
}
