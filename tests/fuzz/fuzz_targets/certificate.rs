//! Certificates of peers: any bytes, and edits of good ones. What was edited is refused, or says the same.
#![no_main]

use std::sync::LazyLock;

use cocoon_attest::{Endorsements, simulated::SimulatedPlatform, simulated::simulated_measurements};
use cocoon_ratls::{
    Identity, NoEvidence, ParsedCertificate, Peer, PeerPolicy, Simulated, TrustSettings, TrustStore, verify_certificate,
};
use libfuzzer_sys::fuzz_target;

const NOW: u64 = 1_790_000_000;

struct Good {
    der: Vec<u8>,
    policy: PeerPolicy,
    peer: Peer,
}

struct World {
    trust: TrustStore,
    good: [Good; 2],
}

static WORLD: LazyLock<World> = LazyLock::new(|| {
    let platform = SimulatedPlatform::generate().unwrap();
    let settings = TrustSettings::real(Endorsements::none()).unwrap();
    let trust = TrustStore::new(settings.with_simulated(&platform, NOW).unwrap());
    let listed = simulated_measurements("worker").image_hash();
    let attested = PeerPolicy::attested(move |image| *image == listed);
    let good = [
        (Identity::issue(&Simulated::for_role(platform, "worker"), NOW), attested),
        (Identity::issue(&NoEvidence, NOW), PeerPolicy::Any),
    ];
    let good = good.map(|(identity, policy)| {
        let der = identity.unwrap().certificate_der().to_vec();
        let peer = verify_certificate(&der, &trust, &policy, NOW).unwrap();
        Good { der, policy, peer }
    });
    World { trust, good }
});

fuzz_target!(|input: &[u8]| {
    let world = &*WORLD;
    let Some((&choice, rest)) = input.split_first() else { return };
    let Some(good) = world.good.get(usize::from(choice)) else {
        if let Ok(parsed) = ParsedCertificate::parse(rest) {
            let _ = parsed.check_dates(NOW);
            let _ = parsed.check_name();
            let _ = parsed.check_signature();
        }
        return;
    };
    let mut der = good.der.clone();
    for edit in rest.chunks_exact(3) {
        let at = usize::from(u16::from_le_bytes([edit[0], edit[1]])) % der.len();
        der[at] = edit[2];
    }
    if let Ok(mut peer) = verify_certificate(&der, &world.trust, &good.policy, NOW) {
        peer.certificate.clone_from(&good.peer.certificate);
        assert_eq!(peer, good.peer);
    }
});
