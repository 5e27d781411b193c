//! HTTPS: whose certificate counts, and for which name.

use std::sync::Arc;

use cocoon_bindings::ton::{Address, HashBytes};
use cocoon_bindings::units::Nanoton;
use rcgen::{CertifiedKey, generate_simple_self_signed};
use rustls::ServerConfig;
use rustls::pki_types::PrivateKeyDer;
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;

use crate::{ChainClient as _, ChainError, Endpoint, HttpApi, Roots};

const SOMEBODY: Address = Address::new(0, HashBytes([1; 32]));

/// A server with a certificate for `localhost` before a plain one; its port, and the certificate in PEM.
async fn tls_before(plain: std::net::SocketAddr) -> (u16, String) {
    let CertifiedKey { cert, signing_key } = generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    let key = PrivateKeyDer::try_from(signing_key.serialize_der()).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13])
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![cert.der().clone()], key)
        .unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            let acceptor = acceptor.clone();
            tokio::spawn(async move {
                let Ok(mut near) = acceptor.accept(stream).await else {
                    return;
                };
                let mut far = TcpStream::connect(plain).await.unwrap();
                let _ = copy_bidirectional(&mut near, &mut far).await;
            });
        }
    });
    (port, cert.pem())
}

#[tokio::test]
async fn a_server_is_reached_over_https_by_the_name_and_root_that_vouch_for_it() {
    let (network, _) = super::local_endpoint().await;
    network.fund(&SOMEBODY, Nanoton::new(5));
    let (port, pem) = tls_before(network.address()).await;
    let own = Roots::from_pem(pem.as_bytes()).unwrap();
    let at = |host: &str, path: &str, roots: &Roots| Endpoint {
        roots: roots.clone(),
        ..Endpoint::at(&format!("https://{host}:{port}{path}"))
    };
    for path in ["", "/api/v2/jsonRPC", "/api/v3"] {
        let api = HttpApi::connect(&at("localhost", path, &own)).unwrap();
        assert_eq!(api.account(&SOMEBODY).await.unwrap().balance, Nanoton::new(5), "{path}");
    }
    for (why, endpoint) in [
        ("an authority that nobody knows", at("localhost", "", &Roots::Web)),
        ("another name", at("127.0.0.1", "", &own)),
    ] {
        let refused = HttpApi::connect(&endpoint).unwrap().once().account(&SOMEBODY).await;
        assert!(
            matches!(refused, Err(ChainError::Unreachable { .. })),
            "{why}: {refused:?}"
        );
    }
}

#[tokio::test]
async fn a_plain_server_at_an_https_url_gets_no_key() {
    let (network, _) = super::local_endpoint().await;
    let endpoint = Endpoint {
        api_key: Some(crate::ApiKey::new("secret")),
        ..Endpoint::at(&format!("https://{}", network.address()))
    };
    let refused = HttpApi::connect(&endpoint).unwrap().once().account(&SOMEBODY).await;
    assert!(matches!(refused, Err(ChainError::Unreachable { .. })), "{refused:?}");
}
