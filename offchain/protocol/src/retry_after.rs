//! When a refused request may be sent again, told at the end of an error's text. Peers of version 3 are told and look for it;
//! for others, and for people, it is a sentence.

/// What stands before the number.
const BEFORE: &str = "; retry after ";

/// What stands behind it.
const AFTER: &str = " s";

/// The text with the seconds.
#[must_use]
pub fn append(text: &str, seconds: u32) -> String {
    format!("{text}{BEFORE}{seconds}{AFTER}")
}

/// The text without the seconds, and the seconds, when it has them at its end.
#[must_use]
pub fn split(text: &str) -> (&str, Option<u32>) {
    let found = text.strip_suffix(AFTER).and_then(|rest| rest.rsplit_once(BEFORE));
    match found.map(|(before, number)| (before, number.parse())) {
        Some((before, Ok(seconds))) => (before, Some(seconds)),
        _ => (text, None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn what_was_appended_is_split_off_and_only_that(text in ".*", seconds: u32) {
            let told = append(&text, seconds);
            prop_assert_eq!(split(&told), (text.as_str(), Some(seconds)));
        }

        #[test]
        fn any_text_can_be_split(text in ".*(; retry after )?[0-9 ]*( s)?") {
            let (before, seconds) = split(&text);
            prop_assert!(text.starts_with(before));
            prop_assert_eq!(seconds.is_none(), before == text);
        }
    }

    #[test]
    fn a_number_that_is_none_is_left_in_the_text() {
        for text in [
            "no ready workers",
            "x; retry after  s",
            "x; retry after 5",
            "x; retry after 99999999999 s",
        ] {
            assert_eq!(split(text), (text, None));
        }
        assert_eq!(split("x; retry after 7 s"), ("x", Some(7)));
    }
}
