//! Text from a chain or a file as it may be shown on a terminal.

/// The text with every character that a terminal would not show as itself, such as an escape or a line feed, written out as
/// `\\u{1b}`. Text that is plain stays as it is, also when it went through here before.
///
/// ```
/// assert_eq!(cocoon_bindings::plain("192.0.2.1:1\u{1b}[2K\n"), "192.0.2.1:1\\u{1b}[2K\\u{a}");
/// ```
pub fn plain(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for character in text.chars() {
        // A backslash and quotes are the only printable characters that are escaped otherwise.
        if matches!(character, '\\' | '"' | '\'') || character.escape_debug().len() == 1 {
            shown.push(character);
        } else {
            shown.extend(character.escape_unicode());
        }
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn nothing_that_moves_the_cursor_is_left(text in any::<String>()) {
            let shown = plain(&text);
            prop_assert!(!shown.chars().any(char::is_control), "{shown:?}");
            prop_assert_eq!(plain(&shown), shown);
        }

        #[test]
        fn plain_text_stays(text in "[ -~]{0,40}") {
            prop_assert_eq!(plain(&text), text);
        }
    }

    #[test]
    fn what_turns_the_direction_of_text_is_written_out() {
        assert_eq!(plain("a\u{202e}b\u{9b}2K"), "a\\u{202e}b\\u{9b}2K");
    }
}
