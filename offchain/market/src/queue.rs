//! Requests that wait for a slot, fair between clients.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// How many may wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct QueueLimits {
    /// Of all clients.
    pub all: usize,
    /// Of one client.
    pub of_client: usize,
}

/// Why somebody may not wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Full {
    /// As many wait as may.
    All,
    /// As many of this client wait as may.
    Share,
}

/// A queue in which each client is served in turn, by what it asked for: of those that wait, the one that was served least
/// is next, and its own requests keep their order. A client that comes new, or comes back, starts level with the one that
/// was served least, so that nobody saves up turns and nobody loses them by leaving.
#[derive(Debug)]
pub struct Queue<C, T> {
    lines: BTreeMap<C, Line<T>>,
    /// Clients with somebody waiting, by what they were served.
    turns: BTreeSet<(u64, C)>,
    /// What those that wait were served at least, ever.
    floor: u64,
    waiting: usize,
}

#[derive(Debug)]
struct Line<T> {
    served: u64,
    waiting: VecDeque<Waiting<T>>,
}

#[derive(Debug)]
struct Waiting<T> {
    ticket: u64,
    cost: u64,
    what: T,
}

impl<C, T> Default for Queue<C, T> {
    fn default() -> Self {
        Self {
            lines: BTreeMap::new(),
            turns: BTreeSet::new(),
            floor: 0,
            waiting: 0,
        }
    }
}

impl<C: Ord + Clone, T> Queue<C, T> {
    /// Puts a request at the end of its client's line. `ticket` is a number that no other one has; `cost` is what it counts
    /// when it is served.
    pub fn push(&mut self, client: &C, ticket: u64, cost: u64, what: T, limits: QueueLimits) -> Result<(), Full> {
        if self.waiting >= limits.all {
            return Err(Full::All);
        }
        self.forget_absent();
        let floor = self.floor;
        let line = self.lines.entry(client.clone()).or_insert_with(|| Line {
            served: floor,
            waiting: VecDeque::new(),
        });
        if line.waiting.len() >= limits.of_client {
            return Err(Full::Share);
        }
        if line.waiting.is_empty() {
            line.served = line.served.max(floor);
            self.turns.insert((line.served, client.clone()));
        }
        let cost = cost.max(1);
        line.waiting.push_back(Waiting { ticket, cost, what });
        self.waiting += 1;
        Ok(())
    }

    /// Takes the next one that fits. Those that do not fit keep their place.
    pub fn next(&mut self, mut fits: impl FnMut(&T) -> bool) -> Option<(u64, T)> {
        let found = self.turns.iter().find_map(|(_, client)| {
            let line = self.lines.get(client)?;
            let place = line.waiting.iter().position(|waiting| fits(&waiting.what))?;
            Some((client.clone(), place))
        });
        let (client, place) = found?;
        let taken = self.take(&client, place, true)?;
        Some((taken.ticket, taken.what))
    }

    /// Takes somebody out who waits no longer; false when it is not there.
    pub fn remove(&mut self, client: &C, ticket: u64) -> bool {
        let place = self
            .lines
            .get(client)
            .and_then(|line| line.waiting.iter().position(|waiting| waiting.ticket == ticket));
        place.and_then(|place| self.take(client, place, false)).is_some()
    }

    /// How many wait.
    pub fn len(&self) -> usize {
        self.waiting
    }

    /// Whether nobody waits.
    pub fn is_empty(&self) -> bool {
        self.waiting == 0
    }

    fn take(&mut self, client: &C, place: usize, is_served: bool) -> Option<Waiting<T>> {
        let line = self.lines.get_mut(client)?;
        let taken = line.waiting.remove(place)?;
        self.waiting -= 1;
        self.turns.remove(&(line.served, client.clone()));
        if is_served {
            line.served = line.served.saturating_add(taken.cost);
        }
        if !line.waiting.is_empty() {
            self.turns.insert((line.served, client.clone()));
        }
        if let Some((least, _)) = self.turns.first() {
            self.floor = self.floor.max(*least);
        }
        Some(taken)
    }

    /// Clients that do not wait are remembered while they were served more than the others: else one that sends its
    /// requests one by one would begin anew with each. Looked at when there are many of them.
    fn forget_absent(&mut self) {
        if self.lines.len() > 2 * self.turns.len() + 64 {
            let floor = self.floor;
            self.lines
                .retain(|_, line| !line.waiting.is_empty() || line.served > floor);
            if self.turns.is_empty() {
                self.lines.clear();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const LIMITS: QueueLimits = QueueLimits {
        all: 1000,
        of_client: 100,
    };

    fn anything(_: &u32) -> bool {
        true
    }

    #[test]
    fn a_client_with_one_request_does_not_wait_behind_a_hundred_of_another() {
        let mut queue = Queue::default();
        for ticket in 0..100 {
            queue.push(&"greedy", ticket, 10, 0_u32, LIMITS).unwrap();
        }
        queue.push(&"modest", 100, 10, 0, LIMITS).unwrap();
        let order: Vec<u64> = std::iter::from_fn(|| queue.next(anything))
            .map(|(ticket, _)| ticket)
            .take(3)
            .collect();
        assert_eq!(order, [0, 100, 1]);
    }

    #[test]
    fn large_requests_get_fewer_turns() {
        let mut queue = Queue::default();
        for ticket in 0..40 {
            queue.push(&"large", ticket, 300, 0_u32, LIMITS).unwrap();
            queue.push(&"small", 100 + ticket, 100, 0, LIMITS).unwrap();
        }
        let first: Vec<u64> = (0..40).map(|_| queue.next(anything).unwrap().0).collect();
        assert_eq!(first.iter().filter(|ticket| **ticket < 100).count(), 10);
    }

    #[test]
    fn who_comes_one_by_one_does_not_begin_anew_each_time() {
        let mut queue = Queue::default();
        for ticket in 0..100 {
            queue.push(&"many", ticket, 1, 0_u32, LIMITS).unwrap();
        }
        let mut single = 0_u64;
        for turn in 0..40 {
            // Comes back as soon as it was served; is refused while it waits.
            let _ = queue.push(&"single", 1000 + turn, 1, 0, QueueLimits { of_client: 1, ..LIMITS });
            single += u64::from(queue.next(anything).unwrap().0 >= 1000);
        }
        assert!((19..=21).contains(&single), "{single}");
    }

    #[test]
    fn who_does_not_fit_holds_nobody_up_and_keeps_its_place() {
        let mut queue = Queue::default();
        queue.push(&"a", 1, 1, 5_u32, LIMITS).unwrap();
        queue.push(&"a", 2, 1, 9, LIMITS).unwrap();
        queue.push(&"b", 3, 1, 9, LIMITS).unwrap();
        assert_eq!(queue.next(|ceiling| *ceiling >= 9), Some((2, 9)));
        assert_eq!(queue.next(|ceiling| *ceiling >= 9), Some((3, 9)));
        assert_eq!(queue.next(|ceiling| *ceiling >= 9), None);
        assert_eq!(queue.next(anything), Some((1, 5)));
    }

    #[test]
    fn it_is_bounded_for_all_and_for_each() {
        let limits = QueueLimits { all: 3, of_client: 2 };
        let mut queue = Queue::default();
        queue.push(&"a", 1, 1, 0_u32, limits).unwrap();
        queue.push(&"a", 2, 1, 0, limits).unwrap();
        assert_eq!(queue.push(&"a", 3, 1, 0, limits), Err(Full::Share));
        queue.push(&"b", 4, 1, 0, limits).unwrap();
        assert_eq!(queue.push(&"c", 5, 1, 0, limits), Err(Full::All));
        assert!(queue.remove(&"a", 1) && !queue.remove(&"a", 1));
        queue.push(&"c", 5, 1, 0, limits).unwrap();
    }

    #[derive(Debug, Clone)]
    enum Step {
        Push { client: u8, cost: u64 },
        Next { at_least: u32 },
        Remove { pick: usize },
    }

    fn step() -> impl Strategy<Value = Step> {
        prop_oneof![
            3 => (0_u8..6, 0_u64..50).prop_map(|(client, cost)| Step::Push { client, cost }),
            2 => (0_u32..4).prop_map(|at_least| Step::Next { at_least }),
            1 => any::<usize>().prop_map(|pick| Step::Remove { pick }),
        ]
    }

    proptest! {
        #[test]
        fn nobody_is_lost_or_served_twice_and_the_least_served_that_fits_is_next(
            steps in prop::collection::vec(step(), 1..200),
        ) {
            let mut queue = Queue::default();
            let mut waiting: Vec<(u64, u8, u32)> = Vec::new();
            for (ticket, step) in (0_u64..).zip(steps) {
                match step {
                    Step::Push { client, cost } => {
                        let what = u32::from(client) % 4;
                        let of_client = waiting.iter().filter(|entry| entry.1 == client).count();
                        let is_free = waiting.len() < 20 && of_client < 5;
                        let limits = QueueLimits { all: 20, of_client: 5 };
                        prop_assert_eq!(queue.push(&client, ticket, cost, what, limits).is_ok(), is_free);
                        if is_free {
                            waiting.push((ticket, client, what));
                        }
                    }
                    Step::Next { at_least } => {
                        let least = |queue: &Queue<u8, u32>, client: u8| queue.lines[&client].served;
                        let fitting: Vec<_> = waiting.iter().filter(|entry| entry.2 >= at_least).copied().collect();
                        let minimum = fitting.iter().map(|entry| least(&queue, entry.1)).min();
                        let before: BTreeMap<u8, u64> = fitting.iter().map(|e| (e.1, least(&queue, e.1))).collect();
                        match queue.next(|what| *what >= at_least) {
                            None => prop_assert!(fitting.is_empty()),
                            Some((ticket, _)) => {
                                let place = waiting.iter().position(|entry| entry.0 == ticket).unwrap();
                                let (_, client, what) = waiting.remove(place);
                                prop_assert!(what >= at_least);
                                prop_assert_eq!(Some(before[&client]), minimum);
                                let is_earlier = |e: &&(u64, u8, u32)| e.1 == client && e.0 < ticket && e.2 >= at_least;
                                prop_assert!(!waiting.iter().any(|entry| is_earlier(&entry)));
                            }
                        }
                    }
                    Step::Remove { pick } => {
                        if !waiting.is_empty() {
                            let (ticket, client, _) = waiting.remove(pick % waiting.len());
                            prop_assert!(queue.remove(&client, ticket));
                        }
                    }
                }
                prop_assert_eq!(queue.len(), waiting.len());
            }
        }
    }
}
