//! What a changed configuration changes.

use serde::Serialize;
use serde_json::Value;

use crate::RunnerError;

/// What became of each key that a reload found changed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Reloaded {
    /// Keys that count from now on.
    pub applied: Vec<String>,
    /// Keys that count only after a restart.
    pub needs_restart: Vec<String>,
}

/// The dotted keys in which two configurations differ, in their order. Lists of tables are compared place by place.
pub fn changed_keys<T: Serialize>(old: &T, new: &T) -> Result<Vec<String>, RunnerError> {
    let value = |config: &T| {
        serde_json::to_value(config).map_err(|error| RunnerError::ConfigValue {
            key: "configuration".to_owned(),
            problem: error.to_string(),
        })
    };
    let mut keys = Vec::new();
    compare("", &value(old)?, &value(new)?, &mut keys);
    Ok(keys)
}

/// Sorts changed keys by whether they lie at or under one of `reloadable`. A place in a list counts as `*`.
pub fn sort_changes(keys: Vec<String>, reloadable: &[&str]) -> Reloaded {
    let is_reloadable = |key: &String| {
        let parts = key
            .split('.')
            .map(|part| if part.parse::<usize>().is_ok() { "*" } else { part });
        let parts: Vec<&str> = parts.collect();
        reloadable.iter().any(|reloadable| {
            let prefix: Vec<&str> = reloadable.split('.').collect();
            parts.starts_with(&prefix)
        })
    };
    let (applied, needs_restart) = keys.into_iter().partition(is_reloadable);
    Reloaded { applied, needs_restart }
}

fn compare(place: &str, old: &Value, new: &Value, keys: &mut Vec<String>) {
    let under = |name: &str| match place {
        "" => name.to_owned(),
        place => format!("{place}.{name}"),
    };
    match (old, new) {
        (Value::Object(old), Value::Object(new)) => {
            for (name, value) in old {
                compare(&under(name), value, new.get(name).unwrap_or(&Value::Null), keys);
            }
            for (name, value) in new.iter().filter(|(name, _)| !old.contains_key(*name)) {
                compare(&under(name), &Value::Null, value, keys);
            }
        }
        (Value::Array(old), Value::Array(new)) if old.len() == new.len() => {
            for (place, (old, new)) in old.iter().zip(new).enumerate() {
                compare(&under(&place.to_string()), old, new, keys);
            }
        }
        _ if old == new => {}
        _ => keys.push(place.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    #[test]
    fn changed_keys_are_named_with_their_tables_and_sorted() {
        let old =
            json!({ "a": { "b": 1, "c": [1] }, "models": [{ "price": 1, "name": "x" }], "gone": true, "same": 1 });
        let new = json!({ "a": { "b": 2, "c": [1] }, "models": [{ "price": 2, "name": "y" }], "same": 1, "new": {} });
        let keys = changed_keys(&old, &new).unwrap();
        assert_eq!(keys, ["a.b", "models.0.price", "models.0.name", "gone", "new"]);
        let sorted = sort_changes(keys, &["a", "models.*.price", "ne"]);
        assert_eq!(sorted.applied, ["a.b", "models.0.price"]);
        assert_eq!(sorted.needs_restart, ["models.0.name", "gone", "new"]);
    }

    proptest! {
        #[test]
        fn nothing_differs_from_itself_and_every_difference_is_found(
            values in proptest::collection::btree_map("[a-d]{1,2}", 0u8..3, 0..6),
            others in proptest::collection::btree_map("[a-d]{1,2}", 0u8..3, 0..6),
        ) {
            prop_assert_eq!(changed_keys(&values, &values).unwrap(), Vec::<String>::new());
            let keys = changed_keys(&values, &others).unwrap();
            for name in values.keys().chain(others.keys()) {
                prop_assert_eq!(keys.contains(name), values.get(name) != others.get(name));
            }
        }
    }
}
