//! Memory of an engine under load. Alone in its program: the resident set is that of all its tests.

mod common;

use common::engine_with;
use common::waves::{options, wave};

/// How much the resident set may be larger after many waves than after the first ones, in KiB: what an allocator keeps
/// for itself. It is what 600 streams may lose together: 14 KiB each, less than a block of the cache, which has 64 KiB.
const GROWTH_KIB: u64 = 8 * 1024;

#[test]
fn memory_is_flat_after_the_first_waves() {
    let mut engine = engine_with(options(64, 16 * 1024));
    for _ in 0..2 {
        wave(engine.as_mut());
    }
    let before = resident_kib();
    for _ in 0..3 {
        wave(engine.as_mut());
        let occupancy = engine.occupancy();
        assert_eq!(
            (occupancy.running, occupancy.waiting, occupancy.kv_blocks_used),
            (0, 0, 0)
        );
        assert_eq!(occupancy.kv_blocks_cached, 0, "without a salt nothing is kept");
    }
    if let (Some(before), Some(after)) = (before, resident_kib()) {
        assert!(after <= before + GROWTH_KIB, "{before} KiB, then {after} KiB");
    }
}

/// The resident set of this process; `None` where the system does not say.
fn resident_kib() -> Option<u64> {
    let text = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    line.trim().strip_suffix("kB")?.trim().parse().ok()
}
