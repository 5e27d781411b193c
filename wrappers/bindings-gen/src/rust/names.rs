//! From Tolk's names to Rust's.

/// `sendExcessesTo` → `send_excesses_to`; `Root` → `root`.
pub(crate) fn snake(name: &str) -> String {
    let mut text = String::with_capacity(name.len() + 4);
    for (index, character) in name.chars().enumerate() {
        if character.is_uppercase() && index > 0 {
            text.push('_');
        }
        text.extend(character.to_lowercase());
    }
    text
}

/// `get_cocoon_data` → `GetCocoonData`.
pub(crate) fn camel(name: &str) -> String {
    let capitalized = |part: &str| {
        let mut characters = part.chars();
        characters
            .next()
            .map(|first| first.to_uppercase().collect::<String>() + characters.as_str())
            .unwrap_or_default()
    };
    name.split('_').map(capitalized).collect()
}

/// Documentation as lines of Rust; Rust wants a word on everything public.
pub(crate) fn doc(text: &str, otherwise: &str) -> String {
    let text = if text.is_empty() { otherwise } else { text };
    text.lines().map(|line| format!("/// {line}\n")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_change_their_case() {
        assert_eq!(snake("sendExcessesTo"), "send_excesses_to");
        assert_eq!(camel("get_cocoon_data"), "GetCocoonData");
    }
}
