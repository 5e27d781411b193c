//! Judges the peer's certificate for rustls, on both sides, and hands the verdict to the caller.

use core::{cell::RefCell, fmt, pin::pin, time::Duration};
use std::sync::Arc;

use rustls::{
    CertificateError, DigitallySignedStruct, DistinguishedName, Error, SignatureScheme,
    client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    crypto::{WebPkiSupportedAlgorithms, aws_lc_rs, verify_tls13_signature_with_raw_key},
    pki_types::{CertificateDer, ServerName, SubjectPublicKeyInfoDer, UnixTime},
    server::danger::{ClientCertVerified, ClientCertVerifier},
};

use tokio::time::{error::Elapsed, timeout};

use crate::{
    ParsedCertificate, Peer, PeerPolicy, RatlsError, SharedClock, TrustStore, certificate::KnownCertificates,
    error::CertificateProblem, peer::verify_parsed,
};

/// Whose certificate is judged.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Side {
    Client,
    Server,
}

/// What was found of the certificate that the peer shows in one handshake.
type Verdict = Result<(Arc<ParsedCertificate>, Peer), RatlsError>;

tokio::task_local! {
    /// The verdict of the handshake that this task is at: rustls calls the judge from inside its future.
    static VERDICT: RefCell<Option<Verdict>>;
}

/// Runs a handshake for at most `limit`; gives its outcome, and the verdict once it has reached the peer's certificate.
pub(crate) async fn judged<T>(
    limit: Duration,
    handshake: impl Future<Output = T>,
) -> (Result<T, Elapsed>, Option<Result<Peer, RatlsError>>) {
    let mut handshake = pin!(VERDICT.scope(RefCell::new(None), handshake));
    let outcome = timeout(limit, handshake.as_mut()).await;
    let verdict = handshake.take_value().and_then(RefCell::into_inner);
    (outcome, verdict.map(|verdict| verdict.map(|(_, peer)| peer)))
}

/// The judge of all handshakes of one end.
pub(crate) struct Verifier {
    trust: Arc<TrustStore>,
    policy: PeerPolicy,
    clock: SharedClock,
    certificates: KnownCertificates,
    algorithms: WebPkiSupportedAlgorithms,
}

impl fmt::Debug for Verifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Verifier").field("policy", &self.policy).finish()
    }
}

impl Verifier {
    pub(crate) fn new(trust: Arc<TrustStore>, policy: PeerPolicy, clock: SharedClock) -> Arc<Self> {
        let algorithms = aws_lc_rs::default_provider().signature_verification_algorithms;
        Arc::new(Self {
            trust,
            policy,
            clock,
            certificates: KnownCertificates::default(),
            algorithms,
        })
    }

    fn judge(&self, side: Side, certificate: &CertificateDer<'_>, chain: &[CertificateDer<'_>]) -> Result<(), Error> {
        let verdict = self.verify(side, certificate, chain);
        let for_tls = match &verdict {
            Ok(_) => Ok(()),
            Err(error) => Err(Error::InvalidCertificate(alert_for(error))),
        };
        VERDICT
            .try_with(|place| place.replace(Some(verdict)))
            .map_err(|_| Error::General("handshake outside of its judgement".to_owned()))?;
        for_tls
    }

    fn verify(&self, side: Side, certificate: &CertificateDer<'_>, chain: &[CertificateDer<'_>]) -> Verdict {
        if !chain.is_empty() {
            return Err(CertificateProblem::Chain { count: chain.len() }.into());
        }
        self.certificates.judged(certificate, |parsed| {
            if side == Side::Server {
                parsed.check_name()?;
            }
            verify_parsed(parsed, certificate, &self.trust, &self.policy, self.clock.now())
        })
    }

    /// The usual helpers parse the certificate with webpki, which refuses our critical extensions: use the key alone.
    fn verify_handshake(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        if signature.scheme != SignatureScheme::ED25519 {
            return Err(Error::PeerMisbehaved(
                rustls::PeerMisbehaved::SignedHandshakeWithUnadvertisedSigScheme,
            ));
        }
        let accepted = VERDICT.try_with(|place| match &*place.borrow() {
            Some(Ok((parsed, peer))) if peer.certificate == certificate.as_ref() => Some(Arc::clone(parsed)),
            _ => None,
        });
        let Ok(Some(parsed)) = accepted else {
            return Err(Error::General(
                "handshake of a certificate that was not judged".to_owned(),
            ));
        };
        verify_tls13_signature_with_raw_key(
            message,
            &SubjectPublicKeyInfoDer::from(parsed.public_key_info()),
            signature,
            &self.algorithms,
        )
    }
}

/// The alert that a peer sees tells only what it can mend.
fn alert_for(error: &RatlsError) -> CertificateError {
    match error {
        RatlsError::Certificate {
            reason: CertificateProblem::Expired { .. },
        } => CertificateError::Expired,
        RatlsError::Certificate {
            reason: CertificateProblem::NotYetValid { .. },
        } => CertificateError::NotValidYet,
        RatlsError::Certificate {
            reason: CertificateProblem::Unnamed,
        } => CertificateError::NotValidForName,
        RatlsError::Certificate {
            reason: CertificateProblem::Signature,
        } => CertificateError::BadSignature,
        RatlsError::Certificate {
            reason: CertificateProblem::UnknownCritical { .. },
        } => CertificateError::UnhandledCriticalExtension,
        RatlsError::Certificate { .. } => CertificateError::BadEncoding,
        _ => CertificateError::ApplicationVerificationFailure,
    }
}

const NO_TLS12: Error = Error::General(String::new());

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        self.judge(Side::Server, end_entity, intermediates)
            .map(|()| ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _message: &[u8],
        _cert: &CertificateDer<'_>,
        _dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Err(NO_TLS12)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.verify_handshake(message, cert, dss)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        vec![SignatureScheme::ED25519]
    }
}

impl ClientCertVerifier for Verifier {
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn verify_client_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        _now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        self.judge(Side::Client, end_entity, intermediates)
            .map(|()| ClientCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _message: &[u8],
        _cert: &CertificateDer<'_>,
        _dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Err(NO_TLS12)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.verify_handshake(message, cert, dss)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        vec![SignatureScheme::ED25519]
    }
}
