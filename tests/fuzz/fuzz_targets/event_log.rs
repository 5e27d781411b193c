//! Event logs: read, replayed and judged without harm.
#![no_main]

use cocoon_attest::{BootPolicy, EventLog, Measurements, RuntimeEvent};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| {
    let _ = RuntimeEvent::parse(input);
    let Ok(log) = EventLog::parse(input) else { return };
    let log = log.with([RuntimeEvent::ConfigTree([1; 32]), RuntimeEvent::Inited].map(|event| event.logged()));
    let measurements = Measurements { rtmr: log.replay(), ..Measurements::ZERO };
    assert!(log.check(&measurements).is_ok());
    if let Ok(policy) = BootPolicy::exactly(&log, &measurements) {
        // What it started with is accepted, if nothing is missing.
        let _ = policy.check(&log, &measurements);
    }
});
