//! Texts in messages of Telegram's size, which is counted in UTF-16 code units.

use crate::limits::MAX_MESSAGE_UNITS;

/// The first message of a text and the rest, which is empty when all fits. Cuts at a line or a word where one ends in the
/// second half, and never inside a character. Nothing is lost: both together are the text.
pub(crate) fn first(text: &str) -> (&str, &str) {
    let mut units = 0;
    let mut end = text.len();
    for (at, character) in text.char_indices() {
        units += character.len_utf16();
        if units > MAX_MESSAGE_UNITS {
            end = at;
            break;
        }
    }
    if end == text.len() {
        return (text, "");
    }
    let whole = &text[..end];
    let late = |at: usize| (at > end / 2).then_some(at);
    let border = whole
        .rfind('\n')
        .and_then(late)
        .or_else(|| whole.rfind(' ').and_then(late));
    text.split_at(border.map_or(end, |at| at + 1))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn units(text: &str) -> usize {
        text.chars().map(char::len_utf16).sum()
    }

    #[test]
    fn lines_are_kept_whole_where_they_can_be() {
        let line = "a".repeat(3000);
        let text = format!("{line}\n{line}");
        assert_eq!(first(&text), (format!("{line}\n").as_str(), line.as_str()));
        let one = "b".repeat(5000);
        assert_eq!(units(first(&one).0), MAX_MESSAGE_UNITS);
    }

    proptest! {
        #[test]
        fn nothing_is_lost_and_every_message_fits(text in "[a-zé世🦀 \n]{0,9000}") {
            let (mut rest, mut joined) = (text.as_str(), String::new());
            while !rest.is_empty() {
                let (message, after) = first(rest);
                prop_assert!(!message.is_empty() && units(message) <= MAX_MESSAGE_UNITS);
                joined.push_str(message);
                rest = after;
            }
            prop_assert_eq!(joined, text);
        }
    }
}
