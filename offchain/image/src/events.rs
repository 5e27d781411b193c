//! What the guest's first program extends into RTMR3: lines of ASCII, each by its SHA-384.
//!
//! The lines are those of the deployed network. Nothing of one host or one boot may be among them: RTMR3 is a part of
//! the image hash.

use crate::register::{Digest384, Register};
use crate::spec::TreeId;

/// One line that is measured.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Event(String);

impl Event {
    /// The line.
    pub fn line(&self) -> &str {
        &self.0
    }

    /// What RTMR3 is extended with.
    pub fn digest(&self) -> Digest384 {
        Digest384::of(self.0.as_bytes())
    }
}

/// The events of one boot, in their order: the configuration, then, with a console, that there is one, then that
/// nothing more is measured.
pub fn configuration(tree: &TreeId, debug: bool) -> Vec<Event> {
    let mut events = vec![Event(format!("cocoon:spec.tree={tree}"))];
    if debug {
        events.push(Event("cocoon:cocoon_debug".to_owned()));
    }
    events.push(Event("cocoon:tdx_inited".to_owned()));
    events
}

/// RTMR3 after those events.
pub fn rtmr3(tree: &TreeId, debug: bool) -> Register {
    configuration(tree, debug)
        .iter()
        .fold(Register::ZERO, |register, event| register.extended(&event.digest()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::Spec;

    #[test]
    fn a_console_shows_in_rtmr3() {
        let tree = Spec::default().tree_id();
        assert_ne!(rtmr3(&tree, false), rtmr3(&tree, true));
        assert_eq!(configuration(&tree, true)[1].line(), "cocoon:cocoon_debug");
    }

    #[test]
    fn rtmr3_of_an_empty_configuration_matches_an_independent_computation() {
        // Python, over the two lines with git's id of the empty tree in a SHA-256 repository.
        let expected =
            "93cf188d6ad7c7c88ee55b267c48e2d5edd983c15cb94c5caa62638f16524ba6496f376943fba45444a87bc08b8be125";
        assert_eq!(rtmr3(&Spec::default().tree_id(), false).to_string(), expected);
    }
}
