//! TLS toward ordinary web servers (model hubs, logs): what `cocoon-web` gives, with this crate's error.

use rustls::ClientConfig;

use crate::error::RatlsError;

/// What an HTTP client needs for https, with the same cryptography as everything else here. An error is a defect of the
/// build: a provider without TLS 1.3.
pub fn web_client_config() -> Result<ClientConfig, RatlsError> {
    cocoon_web::client_config(&cocoon_web::Roots::Web).map_err(|error| RatlsError::Tls {
        reason: error.to_string(),
    })
}
