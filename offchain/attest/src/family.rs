//! What collateral is issued for: a family of platforms and the authority that certifies its members.

use core::{fmt, str::FromStr};

use x509_cert::{Certificate, der::Decode, name::Name};

use crate::AttestError;

/// Which of Intel's two authorities certified a platform; each has a revocation list of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum PckAuthority {
    /// "Intel SGX PCK Platform CA": platforms of several processors, that is servers.
    Platform,
    /// "Intel SGX PCK Processor CA": platforms of one processor.
    Processor,
}

impl PckAuthority {
    /// As the collateral service names it (`ca=`).
    pub fn name(self) -> &'static str {
        match self {
            Self::Platform => "platform",
            Self::Processor => "processor",
        }
    }

    fn of_name(name: &Name) -> Option<Self> {
        let name = name.to_string();
        if name.contains("PCK Platform CA") {
            Some(Self::Platform)
        } else if name.contains("PCK Processor CA") {
            Some(Self::Processor)
        } else {
            None
        }
    }

    /// The authority that issued this certificate (DER), if it is one of the two by its name.
    pub(crate) fn issuer_of(certificate: &[u8]) -> Option<Self> {
        let certificate = Certificate::from_der(certificate).ok()?;
        Self::of_name(certificate.tbs_certificate().issuer())
    }

    /// The authority whose chain this is (PEM, its own certificate first).
    pub(crate) fn of_chain(pem: &str) -> Option<Self> {
        let chain = Certificate::load_pem_chain(pem.as_bytes()).ok()?;
        Self::of_name(chain.first()?.tbs_certificate().subject())
    }
}

/// A family of platforms under one authority: what one collateral document speaks of. As text `90c06f000000/platform`;
/// without the second part the authority of servers is meant, which is where TDX runs.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PlatformFamily {
    /// Family, model, stepping, platform type and custom SKU, as Intel counts them.
    pub fmspc: [u8; 6],
    /// Who certified the platforms.
    pub authority: PckAuthority,
}

impl fmt::Display for PlatformFamily {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", hex::encode(self.fmspc), self.authority.name())
    }
}

impl fmt::Debug for PlatformFamily {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for PlatformFamily {
    type Err = AttestError;

    fn from_str(text: &str) -> Result<Self, AttestError> {
        let (fmspc, authority) = match text.split_once('/') {
            None => (text, Some(PckAuthority::Platform)),
            Some((fmspc, "platform")) => (fmspc, Some(PckAuthority::Platform)),
            Some((fmspc, "processor")) => (fmspc, Some(PckAuthority::Processor)),
            Some((fmspc, _)) => (fmspc, None),
        };
        let mut bytes = [0; 6];
        let is_hex = hex::decode_to_slice(fmspc, &mut bytes).is_ok();
        match authority.filter(|_| is_hex) {
            Some(authority) => Ok(Self {
                fmspc: bytes,
                authority,
            }),
            None => Err(AttestError::Collateral {
                reason: format!("{text:?} is no family of platforms such as 90c06f000000 or 90c06f000000/processor"),
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_family_without_an_authority_is_one_of_servers() {
        let family: PlatformFamily = "90C06F000000".parse().unwrap();
        assert_eq!(family.authority, PckAuthority::Platform);
        assert_eq!(family.to_string(), "90c06f000000/platform");
    }

    #[test]
    fn texts_of_another_form_are_refused() {
        for text in [
            "",
            "90c06f0000",
            "90c06f000000/",
            "90c06f000000/root",
            "../etc/passwd",
            "90c06f00000g",
        ] {
            assert!(text.parse::<PlatformFamily>().is_err(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn families_are_read_as_they_are_written(fmspc: [u8; 6], processor: bool) {
            let authority = if processor { PckAuthority::Processor } else { PckAuthority::Platform };
            let family = PlatformFamily { fmspc, authority };
            prop_assert_eq!(family.to_string().parse(), Ok(family));
        }

        #[test]
        fn reading_never_panics(text in "\\PC{0,32}") {
            let _ = text.parse::<PlatformFamily>();
        }
    }
}
