//! Settings of both ends; made anew for each connection, so that nothing carries over.

use std::{net::Ipv4Addr, sync::Arc};

use rustls::{
    ClientConfig, ServerConfig,
    client::Resumption,
    crypto::{CryptoProvider, aws_lc_rs},
    pki_types::ServerName,
    server::NoServerSessionStorage,
    sign::{CertifiedKey, SingleCertAndKey},
    version::TLS13,
};

use super::Verifier;
use crate::RatlsError;

pub(crate) fn provider() -> Arc<CryptoProvider> {
    let mut provider = aws_lc_rs::default_provider();
    provider.cipher_suites = vec![
        aws_lc_rs::cipher_suite::TLS13_AES_128_GCM_SHA256,
        aws_lc_rs::cipher_suite::TLS13_AES_256_GCM_SHA384,
    ];
    Arc::new(provider)
}

pub(crate) fn failed(error: rustls::Error) -> RatlsError {
    RatlsError::Tls {
        reason: error.to_string(),
    }
}

/// Peers are named by their evidence, not by a host name; an address literal also keeps the name extension out.
pub(crate) fn peer_name() -> ServerName<'static> {
    ServerName::from(core::net::IpAddr::V4(Ipv4Addr::LOCALHOST))
}

pub(crate) fn client_config(own: Arc<CertifiedKey>, verifier: Arc<Verifier>) -> Result<Arc<ClientConfig>, RatlsError> {
    let mut config = ClientConfig::builder_with_provider(provider())
        .with_protocol_versions(&[&TLS13])
        .map_err(failed)?
        .dangerous()
        .with_custom_certificate_verifier(verifier)
        .with_client_cert_resolver(Arc::new(SingleCertAndKey::from(own)));
    config.resumption = Resumption::disabled();
    config.enable_early_data = false;
    Ok(Arc::new(config))
}

pub(crate) fn server_config(own: Arc<CertifiedKey>, verifier: Arc<Verifier>) -> Result<Arc<ServerConfig>, RatlsError> {
    let mut config = ServerConfig::builder_with_provider(provider())
        .with_protocol_versions(&[&TLS13])
        .map_err(failed)?
        .with_client_cert_verifier(verifier)
        .with_cert_resolver(Arc::new(SingleCertAndKey::from(own)));
    config.session_storage = Arc::new(NoServerSessionStorage {});
    config.send_tls13_tickets = 0;
    config.max_early_data_size = 0;
    Ok(Arc::new(config))
}
