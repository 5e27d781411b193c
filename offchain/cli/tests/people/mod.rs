//! One local network, and the people around it, each with the commands and requests that they use: a developer, an operator, an
//! owner of coins, an auditor, a team that governs. What the commands print is in `cases`; here they lead somewhere.

mod person;

mod auditor;
mod developer;
mod governance;
mod operator;
mod owner;

use crate::network::Network;

/// Beside the network of the cases.
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
