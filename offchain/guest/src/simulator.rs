//! A SIMULATED quoting service: speaks the protocol of the host's one, and makes quotes of a simulated platform for
//! whatever a guest says of itself. Its root is trusted only where the root contract says that the network is a test.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::JoinHandle;

use cocoon_attest::simulated::{SimulatedGuest, SimulatedPlatform};
use cocoon_attest::{AttestError, Endorsements};
use serde::{Deserialize, Serialize};
use socket2::Socket;

use crate::limits::{MAX_SIMULATED_TRUST_BYTES, SIMULATOR_CONNECTIONS, SIMULATOR_POLL, SIMULATOR_TIMEOUT};
use crate::qgs::{Frame, message, read_frame, write_frame};
use crate::{Endpoint, GuestError, TdReport};

const WARNING: &str = "SIMULATED TDX platform: what it vouches for is not protected, trust it in test networks only";

/// A quoting service that runs, until it is stopped or dropped.
pub struct Simulator {
    endpoint: Endpoint,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Simulator {
    /// Listens on `endpoint` and answers every guest there.
    pub fn start(platform: SimulatedPlatform, endpoint: &Endpoint) -> Result<Self, GuestError> {
        let failed = |source| GuestError::Service {
            doing: "opening",
            endpoint: endpoint.clone(),
            source,
        };
        let listener = endpoint.listen().map_err(failed)?;
        // The loop wakes up in this rhythm to see whether it should stop.
        listener.set_read_timeout(Some(SIMULATOR_POLL)).map_err(failed)?;
        let opened = endpoint.of_listener(&listener).map_err(failed)?;
        tracing::warn!(endpoint = %opened, "SIMULATED quoting service: its quotes protect nothing");
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let thread = std::thread::spawn(move || accept(&listener, &Arc::new(platform), &stopped));
        Ok(Self {
            endpoint: opened,
            stop,
            thread: Some(thread),
        })
    }

    /// Where it listens, with the port that was drawn.
    pub fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    /// Stops listening and waits until it has; guests that are being answered get their answer.
    pub fn stop(mut self) {
        self.end();
    }

    fn end(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            // A panic of the thread was printed already.
            let _ = thread.join();
        }
        if let Endpoint::Unix(path) = &self.endpoint {
            // Somebody may have removed it.
            let _ = std::fs::remove_file(path);
        }
    }
}

impl Drop for Simulator {
    fn drop(&mut self) {
        self.end();
    }
}

fn accept(listener: &Socket, platform: &Arc<SimulatedPlatform>, stop: &AtomicBool) {
    let busy = Arc::new(AtomicUsize::new(0));
    while !stop.load(Ordering::Relaxed) {
        if busy.load(Ordering::Relaxed) >= SIMULATOR_CONNECTIONS {
            std::thread::sleep(SIMULATOR_POLL);
            continue;
        }
        match listener.accept() {
            Ok((socket, _)) => {
                let (platform, busy) = (Arc::clone(platform), Arc::clone(&busy));
                busy.fetch_add(1, Ordering::Relaxed);
                std::thread::spawn(move || {
                    if let Err(error) = serve(socket, &platform) {
                        tracing::info!(%error, "a guest of the simulator went away");
                    }
                    busy.fetch_sub(1, Ordering::Relaxed);
                });
            }
            Err(error) if is_wakeup(&error) => {}
            Err(error) => {
                tracing::warn!(%error, "the simulator cannot take a guest");
                std::thread::sleep(SIMULATOR_POLL);
            }
        }
    }
}

fn is_wakeup(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut | io::ErrorKind::Interrupted
    )
}

/// Answers the requests of one connection until the guest closes it.
fn serve(mut socket: Socket, platform: &SimulatedPlatform) -> io::Result<()> {
    socket.set_read_timeout(Some(SIMULATOR_TIMEOUT))?;
    socket.set_write_timeout(Some(SIMULATOR_TIMEOUT))?;
    loop {
        let answer = match read_frame(&mut socket)? {
            Frame::End => return Ok(()),
            Frame::TooLong => return write_frame(&mut socket, &message::refusal(message::CODE_INVALID_PARAMETER)),
            Frame::Message(request) => answer(platform, &request),
        };
        write_frame(&mut socket, &answer)?;
    }
}

fn answer(platform: &SimulatedPlatform, request: &[u8]) -> Vec<u8> {
    let report = match message::read_request(request) {
        Ok(report) => report,
        Err(error) => {
            tracing::info!(%error, "the simulator refused a request");
            return message::refusal(message::CODE_INVALID_PARAMETER);
        }
    };
    match quote(platform, &report) {
        Ok(quote) => {
            tracing::info!(image = %report.measurements().image_hash(), "SIMULATED quote issued");
            message::answer(&quote)
        }
        Err(error) => {
            tracing::warn!(%error, "the simulated platform failed");
            message::refusal(message::CODE_UNEXPECTED)
        }
    }
}

/// As a quoting enclave does: registers, attributes and report data are taken from the report.
fn quote(platform: &SimulatedPlatform, report: &TdReport) -> Result<Vec<u8>, AttestError> {
    let mut guest = SimulatedGuest::new(report.measurements());
    guest.state.attributes = report.attributes();
    platform.issue_for(&guest, &report.report_data())
}

/// The public half of a simulated platform: what runners need to check its quotes, without its keys.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SimulatedTrust {
    root: Vec<u8>,
    collateral: String,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct TrustFile {
    warning: String,
    #[serde(with = "hex::serde")]
    root: Vec<u8>,
    /// A document in the form of Intel's service, as text.
    collateral: String,
}

impl SimulatedTrust {
    /// Of a platform; its collateral holds from `now` (Unix seconds) for a year.
    pub fn of(platform: &SimulatedPlatform, now: u64) -> Result<Self, GuestError> {
        let terms = cocoon_attest::simulated::CollateralTerms::good(now);
        Ok(Self {
            root: platform.root_der().to_vec(),
            collateral: platform.collateral_json(&terms)?,
        })
    }

    /// The root certificate (DER), to be trusted beside Intel's on a test network.
    pub fn root_der(&self) -> &[u8] {
        &self.root
    }

    /// What the platform's authority says of it.
    pub fn endorsements(&self) -> Result<Endorsements, GuestError> {
        Ok(Endorsements::none().with_json(&self.collateral)?)
    }

    /// The file form.
    pub fn to_json(&self) -> Result<String, GuestError> {
        let file = TrustFile {
            warning: WARNING.to_owned(),
            root: self.root.clone(),
            collateral: self.collateral.clone(),
        };
        serde_json::to_string_pretty(&file).map_err(|error| refused(error.to_string()))
    }

    /// Reads the file form.
    pub fn from_json(json: &str) -> Result<Self, GuestError> {
        if json.len() > MAX_SIMULATED_TRUST_BYTES {
            return Err(refused(format!("more than {MAX_SIMULATED_TRUST_BYTES} bytes")));
        }
        let file: TrustFile = serde_json::from_str(json).map_err(|error| refused(error.to_string()))?;
        let trust = Self {
            root: file.root,
            collateral: file.collateral,
        };
        trust.endorsements()?;
        Ok(trust)
    }
}

fn refused(problem: String) -> GuestError {
    GuestError::Simulated {
        kind: "public half of a simulated platform",
        problem,
    }
}

#[cfg(test)]
mod tests {
    use cocoon_attest::simulated::simulated_measurements;
    use cocoon_attest::{Evidence, Policy, TrustRoots, verify};

    use super::*;
    use crate::{Pretended, Qgs, QuoteSource as _};

    const NOW: u64 = 1_790_000_000;

    fn platform() -> SimulatedPlatform {
        SimulatedPlatform::generate().unwrap()
    }

    fn guest(simulator: &Simulator, image: &str) -> Qgs {
        let pretended = Pretended::new(simulated_measurements(image));
        Qgs::new(simulator.endpoint().clone(), Arc::new(pretended))
    }

    /// Asks for a quote and verifies it with the public half only.
    fn issues_and_verifies(endpoint: &Endpoint) {
        let platform = platform();
        let trust = SimulatedTrust::of(&platform, NOW).unwrap();
        let trust = SimulatedTrust::from_json(&trust.to_json().unwrap()).unwrap();
        let simulator = Simulator::start(platform, endpoint).unwrap();
        let quote = guest(&simulator, "worker").quote(&[8; 64]).unwrap();
        let roots = TrustRoots::intel().unwrap().with_simulated(trust.root_der()).unwrap();
        let evidence = Evidence::parse(&quote).unwrap();
        let claims = verify(
            &evidence,
            &trust.endorsements().unwrap(),
            &roots,
            &Policy::strict(),
            NOW,
        )
        .unwrap();
        assert!(claims.simulated);
        assert_eq!(claims.image_hash(), simulated_measurements("worker").image_hash());
        let unnamed = TrustRoots::intel().unwrap();
        let refused = verify(
            &evidence,
            &trust.endorsements().unwrap(),
            &unnamed,
            &Policy::strict(),
            NOW,
        );
        assert!(matches!(refused, Err(AttestError::UntrustedRoot { .. })), "{refused:?}");
    }

    #[test]
    fn quotes_over_tcp_verify_under_the_test_root_only() {
        issues_and_verifies(&"tcp:127.0.0.1:0".parse().unwrap());
    }

    #[test]
    fn quotes_over_a_unix_socket_verify_and_the_socket_is_removed() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("qgs.socket");
        issues_and_verifies(&Endpoint::Unix(path.clone()));
        assert!(!path.exists());
    }

    #[test]
    fn a_socket_of_a_dead_process_is_taken_over_and_one_of_a_living_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("qgs.socket");
        drop(std::os::unix::net::UnixListener::bind(&path).unwrap());
        assert!(path.exists());
        let first = Simulator::start(platform(), &Endpoint::Unix(path.clone())).unwrap();
        assert!(matches!(
            Simulator::start(platform(), &Endpoint::Unix(path)),
            Err(GuestError::Service { doing: "opening", .. })
        ));
        assert!(guest(&first, "worker").quote(&[1; 64]).is_ok());
    }

    #[test]
    fn several_guests_are_served_at_once() {
        let simulator = Simulator::start(platform(), &"tcp:127.0.0.1:0".parse().unwrap()).unwrap();
        // Held open: the others must not wait for it.
        let idle = simulator.endpoint().connect(SIMULATOR_TIMEOUT).unwrap();
        std::thread::scope(|scope| {
            for image in ["worker", "proxy", "keymanager"] {
                let source = guest(&simulator, image);
                scope.spawn(move || {
                    let quote = source.quote(&[1; 64]).unwrap();
                    let measured = Evidence::parse(&quote).unwrap().unverified_measurements();
                    assert_eq!(measured, simulated_measurements(image));
                });
            }
        });
        drop(idle);
    }

    #[test]
    fn a_wrong_request_gets_a_refusal_and_the_next_one_its_quote() {
        let simulator = Simulator::start(platform(), &"tcp:127.0.0.1:0".parse().unwrap()).unwrap();
        let mut socket = simulator.endpoint().connect(SIMULATOR_TIMEOUT).unwrap();
        write_frame(&mut socket, b"nonsense").unwrap();
        let Frame::Message(refused) = read_frame(&mut socket).unwrap() else {
            panic!("no answer")
        };
        assert!(matches!(
            message::read_answer(&refused),
            Err(GuestError::Refused {
                code: message::CODE_INVALID_PARAMETER
            })
        ));
        let report = TdReport::pretended(&simulated_measurements("worker"), &[2; 64]);
        write_frame(&mut socket, &message::request(&report)).unwrap();
        let Frame::Message(answer) = read_frame(&mut socket).unwrap() else {
            panic!("no answer")
        };
        assert!(message::read_answer(&answer).is_ok());
    }

    #[test]
    fn nobody_is_there_after_the_stop() {
        let simulator = Simulator::start(platform(), &"tcp:127.0.0.1:0".parse().unwrap()).unwrap();
        let source = guest(&simulator, "worker");
        simulator.stop();
        assert!(matches!(source.quote(&[1; 64]), Err(GuestError::Service { .. })));
    }

    #[test]
    fn the_public_half_holds_no_keys_and_refuses_other_documents() {
        let platform = platform();
        let public = SimulatedTrust::of(&platform, NOW).unwrap().to_json().unwrap();
        assert!(public.contains("SIMULATED"));
        let whole: serde_json::Value = serde_json::from_str(&platform.to_json().unwrap()).unwrap();
        for part in ["root", "platform_authority", "platform", "tcb_signer"] {
            let key = whole[part]["key"].as_str().unwrap();
            assert!(!public.contains(key), "{part}");
        }
        assert!(SimulatedTrust::from_json(&platform.to_json().unwrap()).is_err());
        assert!(SimulatedTrust::from_json(&public.replace("SIMULATED", "real")).is_ok());
        assert!(SimulatedTrust::from_json("{}").is_err());
    }
}
