//! TLS toward ordinary web servers: chain servers, model hubs, logs, collateral. One-sided, TLS 1.3, with the roots of the
//! web, or with a root of one's own.
//!
//! **Invariant:** nothing of the network's own trust is decided over it, and no setting turns the check of a certificate off.
//!
//! The main function is [`client_config`].
//!
//! ```
//! use cocoon_web::{Roots, client_config};
//!
//! let config = client_config(&Roots::Web).unwrap();
//! assert!(!config.enable_early_data);
//! ```

use std::sync::{Arc, LazyLock};

use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use rustls::version::TLS13;
use rustls::{ClientConfig, RootCertStore};

/// Roots in one file: a private authority has one or two.
pub const MAX_OWN_ROOTS: usize = 64;

/// The same two suites as in the network's own connections.
static PROVIDER: LazyLock<Arc<CryptoProvider>> = LazyLock::new(|| {
    let mut provider = aws_lc_rs::default_provider();
    provider.cipher_suites = vec![
        aws_lc_rs::cipher_suite::TLS13_AES_128_GCM_SHA256,
        aws_lc_rs::cipher_suite::TLS13_AES_256_GCM_SHA384,
    ];
    Arc::new(provider)
});

/// Why there is no TLS toward web servers.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum WebError {
    /// The cryptography does not offer what is asked of it.
    #[error("TLS cannot be set up: {reason}")]
    Tls {
        /// What the library says.
        reason: String,
    },
    /// A file of root certificates that has none, or something else.
    #[error("the root certificates cannot be read: {reason}")]
    Roots {
        /// What is wrong.
        reason: String,
    },
}

impl WebError {
    /// What a person can do about it.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::Tls { .. } => "this is a defect of this program",
            Self::Roots { .. } => "the file must hold certificates in PEM, of an authority that signs the server's",
        }
    }
}

/// Who is believed about the names of servers.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Roots {
    /// The public authorities, as Mozilla lists them, compiled in: the same on every machine and in the guest, which has no
    /// store of its own.
    #[default]
    Web,
    /// Only these: for a server of one's own.
    Own(Vec<CertificateDer<'static>>),
}

impl Roots {
    /// Roots out of a PEM file's text.
    pub fn from_pem(text: &[u8]) -> Result<Self, WebError> {
        let wrong = |reason: String| WebError::Roots { reason };
        let roots = CertificateDer::pem_slice_iter(text)
            .take(MAX_OWN_ROOTS.saturating_add(1))
            .collect::<Result<Vec<_>, _>>()
            .map_err(|error| wrong(error.to_string()))?;
        match roots.len() {
            0 => Err(wrong("there is no certificate".to_owned())),
            count if count > MAX_OWN_ROOTS => Err(wrong(format!("there are more than {MAX_OWN_ROOTS}"))),
            _ => Ok(Self::Own(roots)),
        }
    }
}

/// What an HTTP client needs for https, with the same cryptography as everything else here.
pub fn client_config(roots: &Roots) -> Result<ClientConfig, WebError> {
    let failed = |error: rustls::Error| WebError::Tls {
        reason: error.to_string(),
    };
    let mut store = RootCertStore::empty();
    match roots {
        Roots::Web => store.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned()),
        Roots::Own(own) => {
            for root in own {
                store.add(root.clone()).map_err(|error| WebError::Roots {
                    reason: error.to_string(),
                })?;
            }
        }
    }
    let builder = ClientConfig::builder_with_provider(Arc::clone(&PROVIDER))
        .with_protocol_versions(&[&TLS13])
        .map_err(failed)?;
    Ok(builder.with_root_certificates(store).with_no_client_auth())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_without_certificates_is_refused() {
        for text in [
            "",
            "no certificate",
            "-----BEGIN CERTIFICATE-----\n!\n-----END CERTIFICATE-----\n",
        ] {
            assert!(
                matches!(Roots::from_pem(text.as_bytes()), Err(WebError::Roots { .. })),
                "{text:?}"
            );
        }
    }

    #[test]
    fn a_root_that_is_no_certificate_is_refused() {
        let roots = Roots::Own(vec![CertificateDer::from(vec![1, 2, 3])]);
        assert!(matches!(client_config(&roots), Err(WebError::Roots { .. })));
    }
}
