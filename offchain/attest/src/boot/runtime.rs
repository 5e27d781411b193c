//! What our guests extend into RTMR3 before they start: two lines of ASCII, hashed with SHA-384.

use crate::{REGISTER_BYTES, Register};

use super::log::{LoggedEvent, sha384};

const TREE: &str = "cocoon:spec.tree=";
const INITED: &str = "cocoon:tdx_inited";
const DEBUG: &str = "cocoon:cocoon_debug";
const RTMR3: u8 = 3;
/// Not a type that firmware uses: these events are in no firmware log.
const KIND: u32 = 0;

/// One line that a guest extends into RTMR3.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RuntimeEvent {
    /// The tree of the static configuration, named as Git names trees (SHA-256).
    ConfigTree([u8; 32]),
    /// The guest was started for debugging. Never accepted in production.
    Debug,
    /// The guest's start is complete: nothing is extended behind this.
    Inited,
}

impl RuntimeEvent {
    /// Reads one line.
    pub fn parse(line: &[u8]) -> Option<Self> {
        if line == INITED.as_bytes() {
            return Some(Self::Inited);
        }
        if line == DEBUG.as_bytes() {
            return Some(Self::Debug);
        }
        let digits = line.strip_prefix(TREE.as_bytes())?;
        let mut tree = [0; 32];
        hex::decode_to_slice(digits, &mut tree).ok()?;
        (Self::ConfigTree(tree).line().as_bytes() == line).then_some(Self::ConfigTree(tree))
    }

    /// The line.
    pub fn line(&self) -> String {
        match self {
            Self::ConfigTree(tree) => format!("{TREE}{}", hex::encode(tree)),
            Self::Debug => DEBUG.to_owned(),
            Self::Inited => INITED.to_owned(),
        }
    }

    /// What is extended.
    pub fn digest(&self) -> Register {
        sha384(&[self.line().as_bytes()])
    }

    /// The event as a log has it.
    pub fn logged(&self) -> LoggedEvent {
        LoggedEvent {
            register: RTMR3,
            kind: KIND,
            digest: self.digest(),
            data: self.line().into_bytes(),
        }
    }

    /// RTMR3 of a guest with this configuration tree.
    pub fn rtmr3(tree: [u8; 32], debug: bool) -> Register {
        let start = [0; REGISTER_BYTES];
        let events = [
            Some(Self::ConfigTree(tree)),
            debug.then_some(Self::Debug),
            Some(Self::Inited),
        ];
        let extend = |register: Register, event: Self| sha384(&[&register, &event.digest()]);
        events.into_iter().flatten().fold(start, extend)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::boot::EventLog;

    #[test]
    fn lines_are_read_back_and_others_are_not() {
        for event in [
            RuntimeEvent::ConfigTree([0xab; 32]),
            RuntimeEvent::Debug,
            RuntimeEvent::Inited,
        ] {
            assert_eq!(RuntimeEvent::parse(event.line().as_bytes()), Some(event));
        }
        let upper = RuntimeEvent::ConfigTree([0xab; 32]).line().replace("ab", "AB");
        for line in [
            "",
            "cocoon:tdx_inited\n",
            "cocoon:spec.tree=",
            "cocoon:spec.tree=00",
            upper.as_str(),
        ] {
            assert_eq!(RuntimeEvent::parse(line.as_bytes()), None, "{line}");
        }
    }

    #[test]
    fn rtmr3_agrees_with_an_independent_computation() {
        // Computed with Python's hashlib.
        let expected =
            "5854d799872f51b1ed346acd4b6c7254abfa005442b3cb136d03598cd906fc2dd79c2f3fbd68f95eca725640dc7907d3";
        assert_eq!(hex::encode(RuntimeEvent::rtmr3([0x11; 32], false)), expected);
        assert_ne!(hex::encode(RuntimeEvent::rtmr3([0x11; 32], true)), expected);
        let log =
            EventLog::default().with([RuntimeEvent::ConfigTree([0x11; 32]), RuntimeEvent::Inited].map(|e| e.logged()));
        assert_eq!(log.replay()[3], RuntimeEvent::rtmr3([0x11; 32], false));
    }
}
