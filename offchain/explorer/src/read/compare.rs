//! Anchors against the logs that they are of.

use std::collections::BTreeSet;
use std::sync::Arc;

use cocoon_bindings::ton::{Address, HashBytes};
use cocoon_bindings::units::PublicKey;
use cocoon_tlog::PublishedLog;

use super::Reader;
use crate::anchors::InLog;
use crate::contracts::Held;
use crate::feed::Place;
use crate::limits::ANCHORS_OF_A_ROUND;
use crate::view::View;
use crate::words::Kind;

impl Reader {
    /// Compares some of those that were not compared yet. A log that cannot be read now is asked again later.
    pub(super) async fn compare_anchors(&self) {
        let logs: Vec<Arc<PublishedLog>> = {
            let view = self.view.read();
            view.logs.iter().filter_map(|seen| seen.log.clone()).collect()
        };
        for log in logs {
            for (place, size, root) in self.open_anchors(log.key()) {
                let found = if size > log.size() {
                    InLog::Ahead
                } else {
                    match log.continues(size, &root).await {
                        Ok(true) => InLog::Proven,
                        Ok(false) => InLog::Contradicted,
                        Err(_) => break,
                    }
                };
                if found == InLog::Contradicted {
                    tracing::error!(size, key = %log.key(), "A PROXY ANCHORED ANOTHER LOG THAN THE ONE THAT IT PUBLISHES");
                }
                if let Some(anchor) = self.view.write().anchors.0.get_mut(&place) {
                    anchor.in_log = found;
                }
            }
        }
    }

    fn open_anchors(&self, key: &PublicKey) -> Vec<(Place, u64, HashBytes)> {
        let view = self.view.read();
        let proxies = proxies_of(&view, key);
        let open = view.anchors.open(|proxy| proxies.contains(proxy));
        let open = open.map(|(place, anchor)| (*place, anchor.size, anchor.root));
        open.take(ANCHORS_OF_A_ROUND).collect()
    }
}

/// The proxy contracts that hold a key.
fn proxies_of(view: &View, key: &PublicKey) -> BTreeSet<Address> {
    let holds = |held: &Held| matches!(held, Held::Proxy(held) if held.account.proxy_public_key == *key);
    let proxies = view
        .contracts
        .of(Kind::Proxy)
        .filter(|(_, contract)| holds(&contract.held));
    proxies.map(|(address, _)| address.clone()).collect()
}
