//! The reader: one look after the other at chain and logs.

mod compare;
mod contracts;
mod history;
mod log;
mod network;

use cocoon_bindings::ton::Address;
use cocoon_chain::SharedChain;
use cocoon_ratls::SharedClock;
use cocoon_tlog::SharedSource;

use crate::limits::LOG_TIME;
use crate::view::{Shared, View};
use log::{LogReader, Trouble};
use network::Meanings;

/// What reads.
pub(crate) struct Reader {
    chain: SharedChain,
    clock: SharedClock,
    root: Address,
    urls: Vec<String>,
    logs: Vec<LogReader>,
    view: Shared,
    meanings: Meanings,
    /// How many contracts of which nothing was heard were looked at, in turn.
    turn: usize,
}

impl Reader {
    pub(crate) fn new(
        chain: SharedChain,
        clock: SharedClock,
        root: Address,
        logs: Vec<(String, SharedSource)>,
        view: Shared,
    ) -> Self {
        let urls = logs.iter().map(|(url, _)| url.clone()).collect();
        let reader = |(place, (_, source)): (usize, (String, SharedSource))| LogReader::new(place, source);
        Self {
            chain,
            clock,
            root,
            urls,
            logs: logs.into_iter().enumerate().map(reader).collect(),
            view,
            meanings: Meanings::default(),
            turn: 0,
        }
    }

    /// Looks once. What cannot be read stays as it was, with the reason.
    pub(crate) async fn look(&mut self) {
        let looked = self.look_at_network().await;
        let is_there = looked.is_ok();
        self.note_chain(looked.err());
        if !is_there {
            return;
        }
        // It names the codes by which the contracts of logs are known.
        let rules = self.read_rules().await;
        self.look_at_logs().await;
        if let Err(problem) = rules.and(self.look_at_contracts().await) {
            self.note_chain(Some(problem));
        }
        self.compare_anchors().await;
    }

    fn note_chain(&self, problem: Option<String>) {
        if let Some(problem) = &problem {
            tracing::warn!(problem, "the chain cannot be read for the view of the network");
        }
        let now = self.clock.now();
        self.view.write().chain.note(problem, now);
    }

    /// Begins anew: the chain is another one than before.
    fn forget(&mut self) {
        tracing::warn!("the chain has gone back: the view of the network begins anew");
        *self.view.write() = View::of(&self.urls);
        self.logs.iter_mut().for_each(LogReader::forget);
        self.meanings = Meanings::default();
    }

    async fn look_at_logs(&mut self) {
        let (chain, root, view) = (&self.chain, &self.root, &self.view);
        let looks = self.logs.iter_mut().map(|log| async move {
            let looked = tokio::time::timeout(LOG_TIME, log.look(chain.as_ref(), root, view)).await;
            let looked = looked.unwrap_or_else(|_| Err(Trouble::Away("it was not read in time".to_owned())));
            (log.place, looked)
        });
        let found = futures_util::future::join_all(looks).await;
        let now = self.clock.now();
        let mut view = self.view.write();
        for (place, looked) in found {
            let Some(seen) = view.logs.get_mut(place) else { continue };
            let problem = match looked {
                Ok(()) => {
                    seen.read_at = Some(now);
                    None
                }
                Err(Trouble::Away(problem)) => Some(problem),
                Err(Trouble::Refused(problem)) => Some(format!("REFUSED: {problem}")),
            };
            if let Some(problem) = &problem {
                tracing::warn!(
                    log = seen.url,
                    problem,
                    "a log cannot be read for the view of the network"
                );
            }
            seen.reach.note(problem, now);
        }
    }
}
