//! What was looked at, one line each, and the verdict that follows.

use std::fmt::Write as _;

use cocoon_attest::Fact;
use serde::Serialize;

/// One thing that was looked at.
#[derive(Debug, Serialize)]
pub(super) struct Finding {
    pub(super) check: &'static str,
    pub(super) fact: Fact,
    pub(super) says: String,
}

impl Finding {
    pub(super) fn new(check: &'static str, fact: Fact, says: impl Into<String>) -> Self {
        let says = says.into();
        Self { check, fact, says }
    }

    /// Proven or refuted, with what is said of either.
    pub(super) fn of(check: &'static str, holds: bool, says: impl Into<String>) -> Self {
        let fact = if holds { Fact::Proven } else { Fact::Refuted };
        Self::new(check, fact, says)
    }
}

/// The first thing that is not so.
pub(super) fn first_refuted(findings: &[Finding]) -> Option<&Finding> {
    findings.iter().find(|finding| finding.fact == Fact::Refuted)
}

/// The findings for a person.
pub(super) fn lines(findings: &[Finding]) -> impl Iterator<Item = String> + '_ {
    findings.iter().map(|finding| {
        let mark = match finding.fact {
            Fact::Proven => "proven",
            Fact::Unknown => "unknown",
            Fact::Refuted => "REFUTED",
        };
        format!("{mark:<8} {:<12} {}", finding.check, printable(&finding.says))
    })
}

/// Foreign text on one line of a terminal: what would move the cursor, hide text or turn its direction is spelled out.
pub(super) fn printable(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for character in text.chars() {
        if character.is_control() || steers(character) {
            // Writing to a String cannot fail.
            let _ = write!(shown, "{}", character.escape_unicode());
        } else {
            shown.push(character);
        }
    }
    shown
}

/// Whether a character that is no control character changes how the others are shown: line separators, marks and isolates
/// of direction, joiners and fillers without width.
fn steers(character: char) -> bool {
    matches!(character,
        '\u{ad}' | '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn foreign_text_cannot_write_over_the_verdict() {
        assert_eq!(printable("bin/cocoon ä 日本"), "bin/cocoon ä 日本");
        assert_eq!(printable("\u{1b}[2K\rVerified\n"), "\\u{1b}[2K\\u{d}Verified\\u{a}");
        assert_eq!(printable("\u{9b}8m\u{202e}x\u{200b}"), "\\u{9b}8m\\u{202e}x\\u{200b}");
        let finding = Finding::of("files", false, "a\rproven b");
        assert_eq!(
            lines(&[finding]).next().unwrap(),
            "REFUTED  files        a\\u{d}proven b"
        );
    }
}
