//! Which inputs of which requests are computed next. Pure: no clock, no device.
//!
//! Payers share the steps evenly by tokens, whatever number of requests each of them has; requests of one payer go in the
//! order in which they came, and so do the inputs of a request.

use crate::error::EngineError;
use crate::limits::KV_BLOCK;
use crate::payer::Payer;
use std::collections::BTreeMap;
use std::time::Duration;

/// What may wait, and how long.
#[derive(Debug, Clone, Copy)]
pub(super) struct QueueBounds {
    /// Requests of which nothing was computed yet; one more is refused.
    pub(super) max_waiting: usize,
    /// How long such a request is kept.
    pub(super) max_queue_age: Duration,
}

/// A request as the queue sees it. Times count from any common beginning.
#[derive(Debug, Clone)]
pub(super) struct Entry {
    pub(super) id: u64,
    pub(super) payer: Option<Payer>,
    /// Tokens of each input.
    pub(super) lengths: Vec<usize>,
    pub(super) arrived: Duration,
    pub(super) deadline: Option<Duration>,
    /// Inputs that were handed out.
    pub(super) begun: usize,
}

/// An input that is to be computed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Planned {
    /// Of the request.
    pub(super) id: u64,
    /// Which of its inputs.
    pub(super) input: usize,
    /// Its tokens.
    pub(super) tokens: usize,
}

/// All requests that have not ended.
pub(super) struct Queue {
    bounds: QueueBounds,
    /// In the order in which they came.
    entries: Vec<Entry>,
    /// Tokens computed for each payer that has requests here.
    served: BTreeMap<Option<Payer>, u64>,
}

impl Queue {
    pub(super) fn new(bounds: QueueBounds) -> Self {
        Self {
            bounds,
            entries: Vec::new(),
            served: BTreeMap::new(),
        }
    }

    /// Requests that run and that wait.
    pub(super) fn counts(&self) -> (usize, usize) {
        let running = self.entries.iter().filter(|entry| entry.begun > 0).count();
        (running, self.entries.len() - running)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Refuses when as many wait as may.
    pub(super) fn check_room(&self) -> Result<(), EngineError> {
        let limit = self.bounds.max_waiting;
        if self.counts().1 < limit {
            Ok(())
        } else {
            Err(EngineError::QueueFull { limit })
        }
    }

    /// Takes a request. A payer that had none begins level with the one that was served least.
    pub(super) fn push(&mut self, entry: Entry) {
        let least = self.served.values().min().copied().unwrap_or(0);
        self.served.entry(entry.payer).or_insert(least);
        self.entries.push(entry);
    }

    /// Forgets a request.
    pub(super) fn remove(&mut self, id: u64) {
        self.entries.retain(|entry| entry.id != id);
        let entries = &self.entries;
        self.served
            .retain(|payer, _| entries.iter().any(|entry| entry.payer == *payer));
    }

    /// Takes out the requests whose time is over, and those that waited too long for their first step.
    pub(super) fn drop_late(&mut self, now: Duration) -> Vec<u64> {
        let age = self.bounds.max_queue_age;
        let is_late = |entry: &&Entry| {
            let is_old = entry.begun == 0 && now.saturating_sub(entry.arrived) > age;
            is_old || entry.deadline.is_some_and(|deadline| now >= deadline)
        };
        let late: Vec<u64> = self.entries.iter().filter(is_late).map(|entry| entry.id).collect();
        late.iter().for_each(|id| self.remove(*id));
        late
    }

    /// The inputs of the next step: as many as fit in `step_tokens` tokens and `blocks` blocks, and at least one if there
    /// is one, however long it is.
    pub(super) fn plan(&mut self, step_tokens: usize, blocks: usize) -> Vec<Planned> {
        let (mut tokens_left, mut blocks_left) = (step_tokens, blocks);
        let mut plan = Vec::new();
        while let Some(at) = self.next() {
            let entry = &mut self.entries[at];
            let tokens = entry.lengths[entry.begun];
            let own_blocks = tokens.div_ceil(KV_BLOCK);
            let fits = tokens <= tokens_left && own_blocks <= blocks_left;
            if !fits && !plan.is_empty() {
                break;
            }
            plan.push(Planned {
                id: entry.id,
                input: entry.begun,
                tokens,
            });
            entry.begun += 1;
            *self.served.entry(entry.payer).or_default() += tokens as u64;
            if !fits {
                break;
            }
            tokens_left -= tokens;
            blocks_left -= own_blocks;
        }
        plan
    }

    /// The request whose input comes next: the oldest unfinished one of the payer that was served least, of several such
    /// payers the one that came first.
    fn next(&self) -> Option<usize> {
        let open = |(_, entry): &(usize, &Entry)| entry.begun < entry.lengths.len();
        let served = |entry: &Entry| self.served.get(&entry.payer).copied().unwrap_or(0);
        let open = self.entries.iter().enumerate().filter(open);
        open.min_by_key(|(at, entry)| (served(entry), *at)).map(|(at, _)| at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const BOUNDS: QueueBounds = QueueBounds {
        max_waiting: 3,
        max_queue_age: Duration::from_secs(10),
    };

    fn entry(id: u64, payer: u8, lengths: &[usize]) -> Entry {
        Entry {
            id,
            payer: Some(Payer::from([payer; 32])),
            lengths: lengths.to_vec(),
            arrived: Duration::ZERO,
            deadline: None,
            begun: 0,
        }
    }

    fn ids(plan: &[Planned]) -> Vec<(u64, usize)> {
        plan.iter().map(|planned| (planned.id, planned.input)).collect()
    }

    #[test]
    fn inputs_of_all_requests_share_a_step_and_a_long_one_goes_alone() {
        let mut queue = Queue::new(BOUNDS);
        queue.push(entry(1, 1, &[10, 100, 5]));
        queue.push(entry(2, 1, &[20]));
        assert_eq!(ids(&queue.plan(64, 8)), [(1, 0)]);
        assert_eq!(ids(&queue.plan(64, 8)), [(1, 1)]);
        assert_eq!(ids(&queue.plan(64, 8)), [(1, 2), (2, 0)]);
        assert!(queue.plan(64, 8).is_empty());
    }

    #[test]
    fn a_step_has_no_more_blocks_than_there_are() {
        let mut queue = Queue::new(BOUNDS);
        queue.push(entry(1, 1, &[1, 1, 1]));
        assert_eq!(queue.plan(64, 2).len(), 2);
    }

    #[test]
    fn a_payer_with_few_requests_does_not_wait_for_one_with_many() {
        let mut queue = Queue::new(BOUNDS);
        queue.push(entry(1, 1, &[8; 100]));
        assert_eq!(queue.plan(16, 100).len(), 2);
        queue.push(entry(2, 2, &[8; 2]));
        // The newcomer begins level, then both get the same.
        let plan = queue.plan(32, 100);
        assert_eq!(ids(&plan), [(1, 2), (2, 0), (1, 3), (2, 1)]);
    }

    #[test]
    fn what_waited_too_long_or_is_worth_nothing_goes_and_the_queue_is_bounded() {
        let mut queue = Queue::new(BOUNDS);
        queue.push(entry(1, 1, &[8]));
        queue.push(Entry {
            deadline: Some(Duration::from_secs(5)),
            ..entry(2, 1, &[8])
        });
        queue.push(entry(3, 1, &[8]));
        assert!(matches!(queue.check_room(), Err(EngineError::QueueFull { limit: 3 })));
        assert_eq!(queue.plan(8, 1).len(), 1);
        assert!(queue.check_room().is_ok());
        assert_eq!(queue.drop_late(Duration::from_secs(5)), [2]);
        assert_eq!(queue.drop_late(Duration::from_secs(11)), [3]);
        assert_eq!(queue.counts(), (1, 0));
        queue.remove(1);
        assert!(queue.is_empty() && queue.served.is_empty());
    }

    proptest! {
        #[test]
        fn every_input_is_planned_once_within_the_bounds(
            requests in prop::collection::vec((0u8..3, prop::collection::vec(1usize..200, 1..6)), 1..12),
            step_tokens in 1usize..128,
            blocks in 1usize..8,
        ) {
            let mut queue = Queue::new(BOUNDS);
            for (id, (payer, lengths)) in (0u64..).zip(&requests) {
                queue.push(entry(id, *payer, lengths));
            }
            let mut seen = Vec::new();
            loop {
                let plan = queue.plan(step_tokens, blocks);
                if plan.is_empty() {
                    break;
                }
                let tokens: usize = plan.iter().map(|planned| planned.tokens).sum();
                let used: usize = plan.iter().map(|planned| planned.tokens.div_ceil(KV_BLOCK)).sum();
                prop_assert!(plan.len() == 1 || (tokens <= step_tokens && used <= blocks));
                seen.extend(ids(&plan));
            }
            let in_order = |id| seen.iter().filter(|(of, _)| *of == id).map(|(_, input)| *input).collect::<Vec<_>>();
            for (id, (_, lengths)) in (0u64..).zip(&requests) {
                prop_assert_eq!(in_order(id), (0..lengths.len()).collect::<Vec<_>>());
            }
        }
    }
}
