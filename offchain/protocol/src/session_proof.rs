//! Version 4: each end proves that the TLS session ends at the key of its certificate, in its role.
//!
//! TLS alone binds a session to the key that a certificate shows. It does not say which role that key takes, and a program
//! between two sessions may pass on what one end says to the other. So each end signs what only the two ends of one session
//! know: the value that TLS exports for it, both leaf keys, and both roles. A proof that was made for another session, for
//! another peer, for another role or for the other direction does not verify.

/// Label of the exported value: nothing else is exported under it (RFC 8446, section 7.5).
pub const EXPORTER_LABEL: &[u8] = b"EXPORTER-cocoon-session-proof";

/// Length of the exported value.
pub const EXPORTER_BYTES: usize = 32;

/// First bytes of what is signed. The leaf key also signs TLS handshakes, which begin with 64 spaces, and hashes of 32
/// bytes: neither is ever the beginning of a statement.
const DOMAIN: &[u8; 24] = b"cocoon.session-proof.v1\0";

/// What one end of a connection is in the network.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Role {
    /// Asks.
    Client,
    /// Stands between.
    Proxy,
    /// Answers.
    Worker,
    /// Keeps the secret that keys are derived from.
    KeyManager,
    /// Asks a key manager, whatever else it is.
    KeyAsker,
}

impl Role {
    const fn to_byte(self) -> u8 {
        match self {
            Self::Client => 1,
            Self::Proxy => 2,
            Self::Worker => 3,
            Self::KeyManager => 4,
            Self::KeyAsker => 5,
        }
    }
}

/// One end of a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct End {
    /// The key of its certificate.
    pub leaf_key: [u8; 32],
    /// What it is.
    pub role: Role,
}

/// What one end signs with its leaf key (Ed25519) to prove a session.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Statement {
    /// The value that TLS exports under [`EXPORTER_LABEL`] without a context: a secret of the two ends.
    pub exported: [u8; EXPORTER_BYTES],
    /// Whose signature it is.
    pub prover: End,
    /// To whom it is shown.
    pub verifier: End,
    /// Whether the prover is the end that dialed.
    pub prover_dialed: bool,
}

impl Statement {
    /// Length of the bytes that are signed.
    pub const BYTES: usize = DOMAIN.len() + EXPORTER_BYTES + 1 + 2 * 33;

    /// The bytes that are signed: domain, exported value, direction (1 when the prover dialed), then role and leaf key of
    /// the prover and of the verifier. Every field has a fixed length, so no two statements have the same bytes.
    pub fn to_bytes(&self) -> [u8; Self::BYTES] {
        let mut bytes = [0; Self::BYTES];
        let direction = [u8::from(self.prover_dialed)];
        let roles = [[self.prover.role.to_byte()], [self.verifier.role.to_byte()]];
        let fields: [&[u8]; 7] = [
            DOMAIN,
            &self.exported,
            &direction,
            &roles[0],
            &self.prover.leaf_key,
            &roles[1],
            &self.verifier.leaf_key,
        ];
        let mut rest = bytes.as_mut_slice();
        for field in fields {
            let (place, tail) = rest.split_at_mut(field.len());
            place.copy_from_slice(field);
            rest = tail;
        }
        bytes
    }
}

/// The exported value is a secret.
impl std::fmt::Debug for Statement {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Statement")
            .field("prover", &self.prover.role)
            .field("verifier", &self.verifier.role)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn role() -> impl Strategy<Value = Role> {
        prop_oneof![
            Just(Role::Client),
            Just(Role::Proxy),
            Just(Role::Worker),
            Just(Role::KeyManager),
            Just(Role::KeyAsker),
        ]
    }

    fn end() -> impl Strategy<Value = End> {
        (any::<[u8; 32]>(), role()).prop_map(|(leaf_key, role)| End { leaf_key, role })
    }

    fn statement() -> impl Strategy<Value = Statement> {
        (any::<[u8; 32]>(), end(), end(), any::<bool>()).prop_map(|(exported, prover, verifier, prover_dialed)| {
            Statement {
                exported,
                prover,
                verifier,
                prover_dialed,
            }
        })
    }

    proptest! {
        #[test]
        fn different_statements_have_different_bytes(one in statement(), other in statement()) {
            prop_assert_eq!(one == other, one.to_bytes() == other.to_bytes());
        }

        #[test]
        fn a_change_of_any_field_changes_the_bytes(one in statement(), role in role()) {
            let changed = |change: &dyn Fn(&mut Statement)| {
                let mut other = one;
                change(&mut other);
                other == one || other.to_bytes() != one.to_bytes()
            };
            prop_assert!(changed(&|s| s.exported[31] ^= 1));
            prop_assert!(changed(&|s| s.prover.leaf_key[0] ^= 1));
            prop_assert!(changed(&|s| s.verifier.leaf_key[0] ^= 1));
            prop_assert!(changed(&|s| s.prover.role = role));
            prop_assert!(changed(&|s| s.verifier.role = role));
            prop_assert!(changed(&|s| s.prover_dialed = !s.prover_dialed));
            prop_assert!(changed(&|s| std::mem::swap(&mut s.prover, &mut s.verifier)));
        }
    }

    #[test]
    fn the_bytes_are_those_of_the_format() {
        let statement = Statement {
            exported: [0xee; 32],
            prover: End {
                leaf_key: [0x11; 32],
                role: Role::Worker,
            },
            verifier: End {
                leaf_key: [0x22; 32],
                role: Role::Proxy,
            },
            prover_dialed: true,
        };
        let expected = format!(
            "{}{}01{}{}{}{}",
            hex::encode(b"cocoon.session-proof.v1\0"),
            "ee".repeat(32),
            "03",
            "11".repeat(32),
            "02",
            "22".repeat(32)
        );
        assert_eq!(hex::encode(statement.to_bytes()), expected);
        assert!(
            !format!("{statement:?}").contains("238"),
            "the exported value stays out of output"
        );
    }
}
