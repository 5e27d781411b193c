//! Peers of our own making: any certificate of our format, plain rustls around it, whoever the other end is.

use std::{sync::Arc, time::Duration};

use cocoon_attest::report_data_for_key;
use cocoon_ratls::{
    CLAIMS_OID, QUOTE_OID,
    pow::{self, Challenge},
};
use rcgen::{
    CertificateParams, CustomExtension, KeyPair, PKCS_ED25519, PublicKeyData as _, SanType, SigningKey as _,
    date_time_ymd,
};
use rustls::{
    ClientConfig, DigitallySignedStruct, DistinguishedName, Error, ServerConfig, SignatureScheme,
    client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    crypto::aws_lc_rs::{self, sign::any_eddsa_type},
    pki_types::{CertificateDer, PrivatePkcs8KeyDer, ServerName, UnixTime},
    server::danger::{ClientCertVerified, ClientCertVerifier},
    sign::{CertifiedKey, SingleCertAndKey},
    version::TLS13,
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
};
use tokio_rustls::{TlsAcceptor, TlsConnector, client, server};

use crate::common::{self, DIFFICULTY, NOW, World};

/// What is special about a certificate.
#[derive(Clone, Copy)]
pub(crate) struct Form {
    /// Unix seconds.
    pub(crate) not_before: u64,
    /// With the names that deployed clients look for.
    pub(crate) is_named: bool,
    /// Without the version, as old OpenSSL writes it.
    pub(crate) is_version_1: bool,
}

impl Default for Form {
    fn default() -> Self {
        Self {
            not_before: NOW,
            is_named: true,
            is_version_1: false,
        }
    }
}

/// A key and a certificate for it.
pub(crate) struct RawPeer(Arc<CertifiedKey>);

impl RawPeer {
    /// A peer with a quote of the world's platform for the image of `role`.
    pub(crate) fn new(world: &World, role: &str, form: Form) -> Self {
        let key = KeyPair::generate_for(&PKCS_ED25519).unwrap();
        let public: [u8; 32] = key.der_bytes().try_into().unwrap();
        let quote = world
            .source(role)
            .evidence(&report_data_for_key(&public))
            .unwrap()
            .unwrap();
        let mut params = CertificateParams::default();
        let begin = date_time_ymd(1970, 1, 1) + Duration::from_secs(form.not_before);
        params.not_before = begin;
        params.not_after = begin + Duration::from_secs(86_400);
        params.custom_extensions = vec![critical(QUOTE_OID, quote), critical(CLAIMS_OID, public.to_vec())];
        if form.is_named {
            params.subject_alt_names = vec![SanType::DnsName("127.0.0.1".try_into().unwrap())];
        }
        let mut der = params.self_signed(&key).unwrap().der().to_vec();
        if form.is_version_1 {
            der = without_version(&der, &key);
        }
        let pkcs8 = PrivatePkcs8KeyDer::from(key.serialized_der());
        let signer = any_eddsa_type(&pkcs8).unwrap();
        Self(Arc::new(CertifiedKey::new(vec![CertificateDer::from(der)], signer)))
    }

    /// Dials; `config` is used as it is, so that a second connection may try to resume.
    pub(crate) async fn dial(
        address: std::net::SocketAddr,
        config: &Arc<ClientConfig>,
    ) -> std::io::Result<client::TlsStream<TcpStream>> {
        let mut tcp = TcpStream::connect(address).await?;
        common::answer_challenge(&mut tcp).await;
        let name = ServerName::try_from("127.0.0.1").unwrap();
        TlsConnector::from(Arc::clone(config)).connect(name, tcp).await
    }

    /// Takes one connection.
    pub(crate) async fn accept(
        listener: &TcpListener,
        config: &Arc<ServerConfig>,
    ) -> std::io::Result<server::TlsStream<TcpStream>> {
        let (mut tcp, _) = listener.accept().await?;
        let challenge = Challenge {
            difficulty: DIFFICULTY,
            salt: [7; 16],
        };
        tcp.write_all(&challenge.to_bytes()).await?;
        let mut answer = [0; pow::ANSWER_BYTES];
        tcp.read_exact(&mut answer).await?;
        assert!(pow::verify(&challenge, pow::answer_from_bytes(&answer).unwrap()));
        TlsAcceptor::from(Arc::clone(config)).accept(tcp).await
    }

    /// rustls as it comes: with tickets and resumption.
    pub(crate) fn client(&self) -> Arc<ClientConfig> {
        let config = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
            .with_protocol_versions(&[&TLS13])
            .unwrap()
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(Anyone))
            .with_client_cert_resolver(Arc::new(SingleCertAndKey::from(Arc::clone(&self.0))));
        Arc::new(config)
    }

    /// The same for the other end.
    pub(crate) fn server(&self) -> Arc<ServerConfig> {
        let config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
            .with_protocol_versions(&[&TLS13])
            .unwrap()
            .with_client_cert_verifier(Arc::new(Anyone))
            .with_cert_resolver(Arc::new(SingleCertAndKey::from(Arc::clone(&self.0))));
        Arc::new(config)
    }
}

fn critical(oid: &str, content: Vec<u8>) -> CustomExtension {
    let oid: Vec<u64> = oid.split('.').map(|part| part.parse().unwrap()).collect();
    let mut extension = CustomExtension::from_oid_content(&oid, content);
    extension.set_criticality(true);
    extension
}

/// Takes the version out of a certificate with two-byte lengths and signs it anew.
fn without_version(der: &[u8], key: &KeyPair) -> Vec<u8> {
    let length = usize::from(u16::from_be_bytes([der[6], der[7]]));
    let mut body = der[8..8 + length].to_vec();
    assert_eq!(body[..5], [0xa0, 3, 2, 1, 2]);
    body.drain(..5);
    let sequence = |content: &[u8]| {
        let mut out = vec![0x30, 0x82];
        out.extend((content.len() as u16).to_be_bytes());
        out.extend(content);
        out
    };
    let signed = sequence(&body);
    let mut content = signed.clone();
    content.extend([0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x41, 0x00]);
    content.extend(key.sign(&signed).unwrap());
    sequence(&content)
}

/// Believes everybody.
#[derive(Debug)]
struct Anyone;

impl ServerCertVerifier for Anyone {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Err(Error::General("TLS 1.2".to_owned()))
    }

    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        vec![SignatureScheme::ED25519]
    }
}

impl ClientCertVerifier for Anyone {
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn verify_client_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        Ok(ClientCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Err(Error::General("TLS 1.2".to_owned()))
    }

    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        vec![SignatureScheme::ED25519]
    }
}
