//! TLS toward ordinary web servers (model hubs, chain endpoints): one-sided, TLS 1.3, with the roots of the web. Nothing
//! of the network's own trust is decided over it.

use rustls::version::TLS13;
use rustls::{ClientConfig, RootCertStore};

use crate::error::RatlsError;
use crate::tls::{failed, provider};

/// What an HTTP client needs for https, with the same cryptography as everything else here. An error is a defect of the
/// build: a provider without TLS 1.3.
pub fn web_client_config() -> Result<ClientConfig, RatlsError> {
    let roots = RootCertStore {
        roots: webpki_roots::TLS_SERVER_ROOTS.to_vec(),
    };
    let builder = ClientConfig::builder_with_provider(provider())
        .with_protocol_versions(&[&TLS13])
        .map_err(failed)?;
    Ok(builder.with_root_certificates(roots).with_no_client_auth())
}
