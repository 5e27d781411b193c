//! What URLs in a configuration carry that is for nobody to see.

use toml::Value;

/// Secrets of our own stand in files; what a URL may carry is left out, but not its path.
pub(super) fn without_credentials(value: &Value) -> Value {
    match value {
        Value::String(text) if text.contains("://") => Value::from(public(text)),
        Value::Array(items) => Value::Array(items.iter().map(without_credentials).collect()),
        Value::Table(table) => {
            let entries = table.iter();
            Value::Table(
                entries
                    .map(|(key, value)| (key.clone(), without_credentials(value)))
                    .collect(),
            )
        }
        value => value.clone(),
    }
}

fn public(text: &str) -> String {
    match reqwest::Url::parse(text) {
        Ok(url)
            if !url.username().is_empty()
                || url.password().is_some()
                || url.query().is_some()
                || url.fragment().is_some() =>
        {
            let port = url.port().map(|port| format!(":{port}")).unwrap_or_default();
            let host = url.host_str().unwrap_or_default();
            format!("{}://{host}{port}{} (credentials left out)", url.scheme(), url.path())
        }
        // What of it is a password is not known.
        Err(_) if text.contains(['@', '?', '#']) => "(credentials left out)".to_owned(),
        _ => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_are_left_out_wherever_a_url_stands() {
        let secret = ["https://u:pa55@h/x", "https://h/?pa55", "http://pa55@:bad:/"];
        let list = Value::Array(secret.into_iter().map(Value::from).collect());
        let shown = without_credentials(&list).to_string();
        assert!(!shown.contains("pa55"), "{shown}");
        assert_eq!(without_credentials(&"https://h/x".into()), "https://h/x".into());
    }
}
