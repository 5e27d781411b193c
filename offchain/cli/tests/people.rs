//! One local network, and the people around it, each with the commands and requests that they use: a developer, an operator, an
//! owner of coins, an auditor, a team that governs. What the commands print is in `commands.rs`; here they lead somewhere.

#![allow(clippy::unwrap_used, clippy::panic, reason = "helpers of tests")]

#[path = "commands/network.rs"]
#[allow(dead_code, reason = "the cases of commands use more of it")]
mod network;
#[path = "people/person.rs"]
mod person;

#[path = "people/auditor.rs"]
mod auditor;
#[path = "people/developer.rs"]
mod developer;
#[path = "people/governance.rs"]
mod governance;
#[path = "people/operator.rs"]
mod operator;
#[path = "people/owner.rs"]
mod owner;

use network::Network;

/// Beside the network of `commands.rs`.
const INSTANCE: u16 = 444;

#[test]
fn everybody_does_what_they_came_for() {
    let network = Network::start(INSTANCE);
    // They need nothing of each other but what the network keeps.
    std::thread::scope(|scope| {
        scope.spawn(|| developer::story(&network));
        scope.spawn(|| owner::story(&network));
        scope.spawn(|| governance::story(&network));
    });
    auditor::story(&network);
    // The operator takes the worker away for a while.
    operator::story(&network);
}
