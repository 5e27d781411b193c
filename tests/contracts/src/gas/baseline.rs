//! Figures to compare with.

/// What a step cost before, and what it costs at the deployed contracts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Baseline {
    /// What is asked for.
    pub step: &'static str,
    /// The contract.
    pub contract: &'static str,
    /// Gas before bounce safety was completed and the contracts grew tails.
    pub start: u64,
    /// Gas of the deployed contracts' own sources, compiled by the same compiler.
    pub deployed: u64,
}

/// The common messages.
pub const BASELINE: [Baseline; 23] = [
    known("stake increase", "proxy", 4_571, 5_652),
    known("top up", "client", 7_553, 7_912),
    known("top up", "proxy", 7_185, 9_957),
    known("register", "client", 8_723, 9_417),
    known("stake increase", "client", 8_329, 9_293),
    known("register", "worker", 5_106, 5_187),
    known("charge", "client", 8_853, 11_549),
    known("payout", "worker", 6_845, 7_471),
    known("payout", "proxy", 9_279, 10_511),
    known("last payout", "worker", 6_966, 7_471),
    known("last payout", "proxy", 9_279, 10_511),
    known("withdraw", "client", 8_171, 9_016),
    known("withdraw", "proxy", 8_823, 11_506),
    known("granted refund", "client", 8_844, 11_288),
    known("granted refund", "proxy", 8_823, 11_506),
    known("refund request", "client", 8_919, 10_077),
    known("refund request", "proxy", 8_823, 11_506),
    known("forced refund", "client", 8_110, 8_962),
    known("forced refund", "proxy", 10_110, 11_615),
    known("add hash", "root", 7_267, 8_000),
    known("delete hash", "root", 6_524, 8_000),
    known("register proxy", "root", 6_762, 9_000),
    known("state commit", "wallet", 2_857, 3_003),
];

const fn known(step: &'static str, contract: &'static str, start: u64, deployed: u64) -> Baseline {
    Baseline {
        step,
        contract,
        start,
        deployed,
    }
}
