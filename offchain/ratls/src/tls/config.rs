//! Settings of both ends: made once for each identity of ours, and without anything that carries over from one connection to
//! the next.

use core::fmt;
use std::{
    net::Ipv4Addr,
    sync::{Arc, LazyLock, Mutex, PoisonError},
};

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
use crate::{Identity, RatlsError};

static PROVIDER: LazyLock<Arc<CryptoProvider>> = LazyLock::new(|| {
    let mut provider = aws_lc_rs::default_provider();
    provider.cipher_suites = vec![
        aws_lc_rs::cipher_suite::TLS13_AES_128_GCM_SHA256,
        aws_lc_rs::cipher_suite::TLS13_AES_256_GCM_SHA384,
    ];
    Arc::new(provider)
});

fn provider() -> Arc<CryptoProvider> {
    Arc::clone(&PROVIDER)
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

pub(crate) fn client_config(own: Arc<CertifiedKey>, verifier: Arc<Verifier>) -> Result<ClientConfig, RatlsError> {
    let mut config = ClientConfig::builder_with_provider(provider())
        .with_protocol_versions(&[&TLS13])
        .map_err(failed)?
        .dangerous()
        .with_custom_certificate_verifier(verifier)
        .with_client_cert_resolver(Arc::new(SingleCertAndKey::from(own)));
    config.resumption = Resumption::disabled();
    config.enable_early_data = false;
    Ok(config)
}

pub(crate) fn server_config(own: Arc<CertifiedKey>, verifier: Arc<Verifier>) -> Result<ServerConfig, RatlsError> {
    let mut config = ServerConfig::builder_with_provider(provider())
        .with_protocol_versions(&[&TLS13])
        .map_err(failed)?
        .with_client_cert_verifier(verifier)
        .with_cert_resolver(Arc::new(SingleCertAndKey::from(own)));
    config.session_storage = Arc::new(NoServerSessionStorage {});
    config.send_tls13_tickets = 0;
    config.max_early_data_size = 0;
    Ok(config)
}

/// The settings made for the identity that was used last.
pub(crate) struct OfIdentity<C>(Mutex<Option<(Arc<Identity>, Arc<C>)>>);

impl<C> Default for OfIdentity<C> {
    fn default() -> Self {
        Self(Mutex::new(None))
    }
}

impl<C> fmt::Debug for OfIdentity<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OfIdentity").finish_non_exhaustive()
    }
}

impl<C> OfIdentity<C> {
    /// Those of `identity`; `make` makes them when it is another one than last time.
    pub(crate) fn get(
        &self,
        identity: &Arc<Identity>,
        make: impl FnOnce(Arc<CertifiedKey>) -> Result<C, RatlsError>,
    ) -> Result<Arc<C>, RatlsError> {
        let mut last = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((known, config)) = &*last
            && Arc::ptr_eq(known, identity)
        {
            return Ok(Arc::clone(config));
        }
        let config = Arc::new(make(identity.tls())?);
        *last = Some((Arc::clone(identity), Arc::clone(&config)));
        Ok(config)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::NoEvidence;

    #[test]
    fn settings_are_made_once_for_an_identity_and_anew_for_the_next() {
        let identity = || Arc::new(Identity::issue(&NoEvidence, 1_790_000_000).unwrap());
        let (first, second) = (identity(), identity());
        let settings = OfIdentity::default();
        let get = |identity: &Arc<Identity>| settings.get(identity, |key| Ok(key.cert[0].clone())).unwrap();
        let made = get(&first);
        assert_eq!(made.as_ref().as_ref(), first.certificate_der());
        assert!(Arc::ptr_eq(&made, &get(&first)));
        assert_eq!(get(&second).as_ref().as_ref(), second.certificate_der());
        assert_eq!(get(&first).as_ref().as_ref(), first.certificate_der());
    }

    #[test]
    fn nothing_is_kept_for_a_later_session() {
        let clock = crate::SystemClock::shared();
        let trust = crate::TrustSettings::real(cocoon_attest::Endorsements::none()).unwrap();
        let trust = Arc::new(crate::TrustStore::new(trust));
        let verifier = Verifier::new(trust, crate::PeerPolicy::Any, clock);
        let identity = Identity::issue(&NoEvidence, 1_790_000_000).unwrap();
        let server = server_config(identity.tls(), verifier).unwrap();
        assert_eq!((server.send_tls13_tickets, server.max_early_data_size), (0, 0));
        assert!(!server.ticketer.enabled());
        assert!(!server.session_storage.can_cache());
    }
}
