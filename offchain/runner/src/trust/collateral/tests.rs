//! Against a service on this machine that serves the documents of a simulated platform.

mod news;

use std::path::Path;
use std::sync::Mutex;

use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, Uri};
use axum::response::{IntoResponse as _, Response};
use cocoon_attest::simulated::{CollateralTerms, SimulatedPlatform, simulated_measurements};
use cocoon_attest::{AttestError, Policy, TrustRoots};
use cocoon_ratls::{
    Clock as _, Identity, ManualClock, PeerPolicy, RatlsError, Simulated, TrustSettings, verify_certificate,
};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

use super::*;
use crate::limits::MAX_COLLATERAL_ANSWER_BYTES;

const NOW: u64 = 1_790_000_000;
const DAY: u64 = 86_400;
const QUICK: Pace = Pace {
    pause: Duration::from_millis(1),
    tick: Duration::from_millis(5),
};

/// How the double answers.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Mood {
    Good,
    Status(u16),
    Garbage,
    Endless,
    Stuck,
    NoChain,
    OtherFamily,
    /// All parts promise to hold until 2099, and nobody signed that.
    Forged,
}

struct Double {
    platform: SimulatedPlatform,
    terms: Mutex<CollateralTerms>,
    /// Terms of the platform's TCB info and of both lists, where they are other ones than those of its QE identity.
    rest: Mutex<Option<CollateralTerms>>,
    mood: Mutex<Mood>,
    asked: Mutex<Vec<String>>,
}

impl Double {
    async fn start() -> (Arc<Self>, CollateralServiceConfig) {
        let double = Arc::new(Self {
            platform: SimulatedPlatform::generate().unwrap(),
            terms: Mutex::new(month(NOW - DAY)),
            rest: Mutex::default(),
            mood: Mutex::new(Mood::Good),
            asked: Mutex::default(),
        });
        let router = Router::new().fallback(answer).with_state(Arc::clone(&double));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let config = CollateralServiceConfig {
            url: Some(format!("http://{}", listener.local_addr().unwrap())),
            ..CollateralServiceConfig::default()
        };
        tokio::spawn(async move { axum::serve(listener, router).await });
        (double, config)
    }

    fn set(&self, mood: Mood) {
        *self.mood.lock().unwrap() = mood;
    }

    fn asked(&self) -> usize {
        self.asked.lock().unwrap().len()
    }

    /// What it serves, as one document.
    fn document(&self) -> serde_json::Value {
        let json = |terms: &CollateralTerms| -> serde_json::Value {
            serde_json::from_str(&self.platform.collateral_json(terms).unwrap()).unwrap()
        };
        let mut document = json(&self.terms.lock().unwrap());
        if let Some(rest) = self.rest.lock().unwrap().as_ref().map(json) {
            for key in ["tcb_info", "tcb_info_signature", "pck_crl", "root_ca_crl"] {
                document[key] = rest[key].clone();
            }
        }
        document
    }

    fn family(&self) -> PlatformFamily {
        let json = self.document();
        let tcb: serde_json::Value = serde_json::from_str(json["tcb_info"].as_str().unwrap()).unwrap();
        tcb["fmspc"].as_str().unwrap().parse().unwrap()
    }

    fn store(&self) -> Arc<TrustStore> {
        Arc::new(TrustStore::new(self.settings(Endorsements::none())))
    }

    fn roots(&self) -> TrustRoots {
        let roots = TrustRoots::intel().unwrap();
        roots.with_simulated(self.platform.root_der()).unwrap()
    }

    fn settings(&self, endorsements: Endorsements) -> TrustSettings {
        TrustSettings {
            roots: self.roots(),
            endorsements,
            policy: Policy::strict(),
        }
    }

    fn verdict(&self, store: &TrustStore, now: u64) -> Result<(), RatlsError> {
        let source = Simulated::new(self.platform.clone(), simulated_measurements("worker"));
        let identity = Identity::issue(&source, now).unwrap();
        let any = PeerPolicy::attested(|_| true);
        verify_certificate(identity.certificate_der(), store, &any, now).map(|_| ())
    }
}

/// Documents as Intel issues them: for 30 days.
fn month(issued_at: u64) -> CollateralTerms {
    CollateralTerms {
        issued_at,
        expires_at: issued_at + 30 * DAY,
        ..CollateralTerms::good(issued_at)
    }
}

async fn answer(State(double): State<Arc<Double>>, uri: Uri) -> Response {
    double.asked.lock().unwrap().push(uri.to_string());
    let mood = *double.mood.lock().unwrap();
    match mood {
        Mood::Status(status) => {
            return axum::http::StatusCode::from_u16(status).unwrap().into_response();
        }
        Mood::Garbage => return "<html>maintenance</html>".into_response(),
        Mood::Endless => return vec![b' '; MAX_COLLATERAL_ANSWER_BYTES + 1].into_response(),
        Mood::Stuck => std::future::pending().await,
        Mood::Good | Mood::NoChain | Mood::OtherFamily | Mood::Forged => {}
    }
    let json = double.document();
    let text = |key: &str| json[key].as_str().unwrap().to_owned();
    let signed = |name: &str, key: &str| {
        let (mut body, signature) = (text(key), text(&format!("{key}_signature")));
        if mood == Mood::Forged {
            body = body.replace("\"nextUpdate\":\"20", "\"nextUpdate\":\"21");
        }
        format!(r#"{{"{name}":{body},"signature":"{signature}"}}"#).into_bytes()
    };
    let own = format!("/tdx/certification/v4/tcb?fmspc={}", hex::encode(double.family().fmspc));
    let (body, chain) = match uri.to_string().as_str() {
        asked if asked == own || (mood == Mood::OtherFamily && asked.contains("/tcb?")) => (
            signed("tcbInfo", "tcb_info"),
            Some(("TCB-Info-Issuer-Chain", "tcb_info_issuer_chain")),
        ),
        "/tdx/certification/v4/qe/identity" => (
            signed("enclaveIdentity", "qe_identity"),
            Some(("SGX-Enclave-Identity-Issuer-Chain", "qe_identity_issuer_chain")),
        ),
        "/sgx/certification/v4/pckcrl?ca=platform&encoding=der" => (
            hex::decode(text("pck_crl")).unwrap(),
            Some(("SGX-PCK-CRL-Issuer-Chain", "pck_crl_issuer_chain")),
        ),
        "/sgx/certification/v4/rootcacrl" => (text("root_ca_crl").into_bytes(), None),
        _ => return axum::http::StatusCode::NOT_FOUND.into_response(),
    };
    let mut headers = HeaderMap::new();
    if let Some((name, key)) = chain.filter(|_| mood != Mood::NoChain) {
        let chain = utf8_percent_encode(&text(key), NON_ALPHANUMERIC).to_string();
        headers.insert(name, chain.parse().unwrap());
    }
    (headers, body).into_response()
}

fn prefetch(double: &Double, config: &CollateralServiceConfig, clock: &Arc<ManualClock>) -> Prefetch {
    let mut prefetch = Prefetch::load(config, double.roots(), Arc::clone(clock) as SharedClock).unwrap();
    prefetch.pace = QUICK;
    prefetch
}

/// What one attempt says.
async fn attempt(service: &Service, family: &PlatformFamily, roots: &TrustRoots) -> Result<Fetched, Problem> {
    let json = service.fetch(family).await?;
    Fetched::new(family, &json, roots, NOW)?.holding(NOW)
}

#[tokio::test]
async fn what_the_service_says_verifies_a_quote() {
    let (double, config) = Double::start().await;
    let service = Service::new(&config).unwrap();
    let fetched = attempt(&service, &double.family(), &double.roots()).await.unwrap();
    let store = double.store();
    assert!(double.verdict(&store, NOW).is_err());
    store.replace(double.settings(fetched.endorsements));
    double.verdict(&store, NOW).unwrap();
    assert_eq!(double.asked(), 4);
}

#[tokio::test]
async fn each_way_of_failing_is_told_apart() {
    let (double, config) = Double::start().await;
    let mut service = Service::new(&config).unwrap();
    let own = double.family();
    for (mood, words) in [
        (Mood::Status(503), "the service answered 503 for the TCB info"),
        (Mood::Status(302), "the service answered 302 for the TCB info"),
        (
            Mood::Garbage,
            "the TCB info is not in the form of the service's version 4",
        ),
        (Mood::Endless, "the TCB info is longer than 196608 bytes"),
        (
            Mood::NoChain,
            "the revocation list is not in the form of the service's version 4",
        ),
        (
            Mood::Forged,
            "collateral is not usable: TCB info is not signed under a trusted root",
        ),
    ] {
        double.set(mood);
        let problem = attempt(&service, &own, &double.roots()).await.err().unwrap();
        assert_eq!(problem.to_string(), words, "{mood:?}");
    }
    service.timeout = Duration::from_millis(50);
    double.set(Mood::Stuck);
    assert!(matches!(
        attempt(&service, &own, &double.roots()).await,
        Err(Problem::Silent)
    ));

    let service = Service::new(&config).unwrap();
    double.set(Mood::OtherFamily);
    let other = "000000000001".parse().unwrap();
    assert!(matches!(
        attempt(&service, &other, &double.roots()).await,
        Err(Problem::OtherFamily)
    ));
    double.set(Mood::Good);
    let unknown = attempt(&service, &other, &double.roots()).await;
    assert!(matches!(unknown, Err(Problem::Status { status: 404, .. })));
    *double.terms.lock().unwrap() = month(NOW - 31 * DAY);
    assert!(matches!(
        attempt(&service, &own, &double.roots()).await,
        Err(Problem::Window { .. })
    ));
}

#[tokio::test]
async fn a_service_that_is_not_there_is_a_problem_and_no_panic() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let config = CollateralServiceConfig {
        url: Some(url),
        ..CollateralServiceConfig::default()
    };
    let family = "90c06f000000".parse().unwrap();
    let refused = attempt(&Service::new(&config).unwrap(), &family, &TrustRoots::intel().unwrap()).await;
    assert!(matches!(refused, Err(Problem::Unreachable(_))));
}

/// A store and a prefetch for it, running.
struct Running {
    store: Arc<TrustStore>,
    fetched: watch::Receiver<Endorsements>,
    task: tokio::task::JoinHandle<()>,
}

impl Running {
    fn start(double: &Double, prefetch: Prefetch) -> Self {
        let store = double.store();
        let (sender, fetched) = watch::channel(Endorsements::none());
        let task = tokio::spawn(prefetch.run(Arc::clone(&store), sender));
        Self { store, fetched, task }
    }

    /// Waits for news and puts them in force.
    async fn news(&mut self, double: &Double) {
        self.fetched.changed().await.unwrap();
        self.store
            .replace(double.settings(self.fetched.borrow_and_update().clone()));
    }
}

#[tokio::test]
async fn a_family_that_a_peer_shows_is_unknown_at_first_and_verifies_soon() {
    let (double, config) = Double::start().await;
    let clock = Arc::new(ManualClock::new(NOW));
    let mut running = Running::start(&double, prefetch(&double, &config, &clock));
    let refused = double.verdict(&running.store, NOW);
    assert!(matches!(
        refused,
        Err(RatlsError::Attest(AttestError::NoCollateral { .. }))
    ));
    running.news(&double).await;
    double.verdict(&running.store, NOW).unwrap();
    running.task.abort();
}

#[tokio::test]
async fn peers_are_judged_while_the_service_hangs() {
    let (double, config) = Double::start().await;
    let clock = Arc::new(ManualClock::new(NOW));
    let other = CollateralServiceConfig {
        fmspc: vec!["000000000001".to_owned()],
        ..config.clone()
    };
    double.set(Mood::Stuck);
    let running = Running::start(&double, prefetch(&double, &other, &clock));
    while double.asked() == 0 {
        tokio::task::yield_now().await;
    }
    // The one task waits for the service, and each of these has its answer at once.
    for _ in 0..100 {
        assert!(double.verdict(&running.store, NOW).is_err());
    }
    let known = double.platform.endorsements(NOW).unwrap();
    running.store.replace(double.settings(known));
    double.verdict(&running.store, NOW).unwrap();
    assert_eq!(double.asked(), 1, "it still hangs");
    running.task.abort();
}

fn cached(config: &CollateralServiceConfig, double: &Double, folder: &Path) -> CollateralServiceConfig {
    CollateralServiceConfig {
        fmspc: vec![double.family().to_string()],
        cache: Some(folder.to_owned()),
        ..config.clone()
    }
}

#[tokio::test]
async fn a_restart_takes_what_is_on_disk_and_asks_nobody() {
    let (double, config) = Double::start().await;
    let folder = tempfile::tempdir().unwrap();
    let config = cached(&config, &double, folder.path());
    let clock = Arc::new(ManualClock::new(NOW));
    let mut first = prefetch(&double, &config, &clock);
    assert!(first.endorsements().is_empty());
    assert!(first.update(&double.family()).await);
    let asked = double.asked();

    let second = prefetch(&double, &config, &clock);
    assert_eq!(second.schedule.due(NOW), None);
    let store = double.store();
    store.replace(double.settings(second.endorsements()));
    double.verdict(&store, NOW).unwrap();
    assert_eq!(double.asked(), asked);
    // A day later it is time, and a month later what is on disk is of no use.
    assert_eq!(second.schedule.due(NOW + DAY), Some(double.family()));
    clock.advance(30 * DAY);
    let third = prefetch(&double, &config, &clock);
    assert!(third.endorsements().is_empty());
    assert_eq!(third.schedule.due(clock.now()), Some(double.family()));
}

#[tokio::test]
async fn broken_files_of_the_cache_are_left_out() {
    let (double, config) = Double::start().await;
    let folder = tempfile::tempdir().unwrap();
    let config = cached(&config, &double, folder.path());
    let clock = Arc::new(ManualClock::new(NOW));
    let mut first = prefetch(&double, &config, &clock);
    first.update(&double.family()).await;
    let name = format!("{}.json", double.family().to_string().replace('/', "-"));
    let whole = std::fs::read(folder.path().join(&name)).unwrap();
    assert_eq!(
        std::fs::read_dir(folder.path()).unwrap().count(),
        1,
        "no partial file is left"
    );
    // Another family's document under this name, half a file, and files that are none of ours.
    std::fs::write(folder.path().join("000000000001-platform.json"), &whole).unwrap();
    std::fs::write(folder.path().join(&name), &whole[..whole.len() / 2]).unwrap();
    std::fs::write(folder.path().join("notes.txt"), "").unwrap();
    assert!(prefetch(&double, &config, &clock).endorsements().is_empty());
    std::fs::write(folder.path().join(&name), &whole).unwrap();
    assert!(!prefetch(&double, &config, &clock).endorsements().is_empty());
}
