//! The reader: one look after the other at chain and logs.

mod chain;
mod compare;
mod contracts;
mod history;
mod log;
mod network;

use std::sync::Arc;

use cocoon_bindings::ton::Address;
use cocoon_chain::SharedChain;
use cocoon_ratls::SharedClock;
use cocoon_tlog::{PublishedLog, SharedSource};
use tokio::time::Instant;

pub(crate) use chain::{Cost, Pace};

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
    /// The last contract of which something was heard and that was looked at: the next look goes on behind it.
    behind: Option<Address>,
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
            behind: None,
        }
    }

    /// Looks once, and says what that cost the chain. What cannot be read stays as it was, with the reason.
    pub(crate) async fn look(&mut self) -> Cost {
        let mut cost = Cost::default();
        let began = Instant::now();
        let looked = self.look_at_network().await;
        // It names the codes by which the contracts of logs are known.
        let rules = if looked.is_ok() {
            self.read_rules().await
        } else {
            Ok(())
        };
        cost.took = began.elapsed();
        if let Err(refused) = looked {
            cost.note(&refused);
            self.note_chain(Some(refused.problem));
            return cost;
        }
        if let Err(refused) = &rules {
            cost.note(refused);
        }
        if cost.is_limited {
            self.note_chain(rules.err().map(|refused| refused.problem));
            return cost;
        }
        self.look_at_logs(&mut cost).await;
        let began = Instant::now();
        let contracts = if cost.is_limited {
            Ok(())
        } else {
            self.look_at_contracts().await
        };
        cost.took = cost.took.saturating_add(began.elapsed());
        let refused = rules.and(contracts).err();
        if let Some(refused) = &refused {
            cost.note(refused);
        }
        self.note_chain(refused.map(|refused| refused.problem));
        self.compare_anchors().await;
        cost
    }

    /// Asks another chain server from now on.
    #[cfg(test)]
    pub(crate) fn ask_instead(&mut self, chain: SharedChain) {
        self.chain = chain;
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

    async fn look_at_logs(&mut self, cost: &mut Cost) {
        let (chain, root, view) = (&self.chain, &self.root, &self.view);
        let looks = self.logs.iter_mut().map(|log| async move {
            let looked = tokio::time::timeout(LOG_TIME, log.look(chain.as_ref(), root, view)).await;
            let looked = looked.unwrap_or_else(|_| Err(Trouble::Away("it was not read in time".to_owned())));
            (log.place, looked, std::mem::take(&mut log.cost))
        });
        let found = futures_util::future::join_all(looks).await;
        let mut same = Vec::new();
        for (place, looked, asked) in found {
            cost.took = cost.took.saturating_add(asked.took);
            cost.is_limited |= asked.is_limited;
            match looked {
                Ok(()) => self.note_log(place, None),
                Err(Trouble::Same { of, log }) => same.push((place, of, log)),
                Err(trouble) => self.note_log(place, Some(trouble)),
            }
        }
        for (place, of, log) in same {
            self.settle(place, of, &log).await;
        }
    }

    fn note_log(&self, place: usize, trouble: Option<Trouble>) {
        let now = self.clock.now();
        let mut view = self.view.write();
        let problem = match trouble {
            None => None,
            Some(Trouble::Away(problem)) => Some(problem),
            Some(Trouble::Refused(problem)) => Some(format!("REFUSED: {problem}")),
            Some(Trouble::Same { of, .. }) => view.logs.get(of).map(|other| {
                format!(
                    "REFUSED: it is the log of {}, which is read already: each is counted once",
                    other.url
                )
            }),
        };
        let Some(seen) = view.logs.get_mut(place) else { return };
        match &problem {
            Some(problem) => tracing::warn!(
                log = seen.url,
                problem,
                "a log cannot be read for the view of the network"
            ),
            None => seen.read_at = Some(now),
        }
        seen.reach.note(problem, now);
    }

    /// Of a log that is named twice one is read: the other takes its place when it is longer, or when the one cannot be read. What
    /// was counted stays with the place.
    async fn settle(&mut self, place: usize, of: usize, log: &Arc<PublishedLog>) {
        let is_away = {
            let view = self.view.read();
            view.logs.get(of).is_some_and(|one| one.reach.problem.is_some())
        };
        let Ok([one, other]) = self.logs.get_disjoint_mut([of, place]) else {
            return;
        };
        match one.gives_way_to(log, is_away).await {
            Ok(true) => {}
            Ok(false) => {
                return self.note_log(
                    place,
                    Some(Trouble::Same {
                        of,
                        log: Arc::clone(log),
                    }),
                );
            }
            Err(trouble) => return self.note_log(place, Some(trouble)),
        }
        one.exchange(other);
        self.urls.swap(of, place);
        {
            let mut view = self.view.write();
            let Ok([one, other]) = view.logs.get_disjoint_mut([of, place]) else {
                return;
            };
            tracing::info!(from = one.url, to = other.url, "a log is read from another place");
            std::mem::swap(&mut one.url, &mut other.url);
            other.reach = std::mem::take(&mut one.reach);
            one.log = Some(Arc::clone(log));
        }
        if !is_away {
            self.note_log(
                place,
                Some(Trouble::Same {
                    of,
                    log: Arc::clone(log),
                }),
            );
        }
    }
}
