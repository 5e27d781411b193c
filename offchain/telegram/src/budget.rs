//! What users have spent in a day, and what their running requests may still cost. No clock, no disk: both are arguments.

use std::collections::{BTreeMap, VecDeque};

use crate::limits::{MAX_REMEMBERED_UPDATES, MAX_USERS};

/// Seconds of a day.
const DAY: u64 = 86_400;

/// The day of a time, in Unix seconds, counted in UTC.
pub(crate) fn day_of(now: u64) -> u64 {
    now / DAY
}

/// What one user has used of a day, in nanoton.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Used {
    pub(crate) spent: u64,
    /// What running requests may cost at most.
    pub(crate) reserved: u64,
}

impl Used {
    fn sum(self) -> u64 {
        self.spent.saturating_add(self.reserved)
    }
}

/// A request that runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Open {
    pub(crate) user: i64,
    pub(crate) day: u64,
    pub(crate) nanoton: u64,
}

/// Why nothing is reserved.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NotReserved {
    /// The update was seen before.
    Seen,
    /// The user's own budget does not cover it.
    OverBudget { left: u64 },
    /// That of all users does not.
    OverTotal,
    /// More users than are kept.
    TooManyUsers,
}

/// The books of one day.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(crate) struct Budgets {
    day: u64,
    users: BTreeMap<i64, Used>,
    /// By the update that asked.
    open: BTreeMap<i64, Open>,
    seen: VecDeque<i64>,
}

impl Budgets {
    /// Whether an update was handled before.
    pub(crate) fn is_seen(&self, update: i64) -> bool {
        self.open.contains_key(&update) || self.seen.contains(&update)
    }

    /// Remembers that an update was handled.
    pub(crate) fn see(&mut self, update: i64) {
        if !self.is_seen(update) {
            self.seen.push_back(update);
        }
        while self.seen.len() > MAX_REMEMBERED_UPDATES {
            self.seen.pop_front();
        }
    }

    /// Whether so much can be taken from what `user` may spend on that day. Changes nothing but the day.
    pub(crate) fn check(
        &mut self,
        update: i64,
        user: i64,
        day: u64,
        nanoton: u64,
        limit: u64,
        total: u64,
    ) -> Result<(), NotReserved> {
        self.turn(day);
        if self.is_seen(update) {
            return Err(NotReserved::Seen);
        }
        if !self.users.contains_key(&user) && self.users.len() >= MAX_USERS {
            return Err(NotReserved::TooManyUsers);
        }
        let used = self.used(user, day).sum();
        if used.checked_add(nanoton).is_none_or(|sum| sum > limit) {
            return Err(NotReserved::OverBudget {
                left: limit.saturating_sub(used),
            });
        }
        if self.total().checked_add(nanoton).is_none_or(|sum| sum > total) {
            return Err(NotReserved::OverTotal);
        }
        Ok(())
    }

    /// Takes what was checked, once for each update. A day that is over is not gone back to: the clock may have been turned.
    pub(crate) fn reserve(&mut self, update: i64, user: i64, day: u64, nanoton: u64) {
        if self.is_seen(update) {
            return;
        }
        self.turn(day);
        self.see(update);
        let day = self.day;
        let used = self.users.entry(user).or_default();
        used.reserved = used.reserved.saturating_add(nanoton);
        self.open.insert(update, Open { user, day, nanoton });
    }

    /// Ends a request: what it cost is spent, never more than was reserved, as the network charges no more. Gives what was
    /// spent; nothing for a request that has ended before.
    pub(crate) fn settle(&mut self, update: i64, cost: u64) -> Option<u64> {
        let open = self.open.remove(&update)?;
        let cost = cost.min(open.nanoton);
        if open.day == self.day
            && let Some(used) = self.users.get_mut(&open.user)
        {
            used.reserved = used.reserved.saturating_sub(open.nanoton);
            used.spent = used.spent.saturating_add(cost);
        }
        Some(cost)
    }

    /// Ends every request with all that it may have cost: nobody knows any more what became of them.
    pub(crate) fn settle_all(&mut self) {
        let updates: Vec<i64> = self.open.keys().copied().collect();
        for update in updates {
            self.settle(update, u64::MAX);
        }
    }

    /// What a user has used of that day.
    pub(crate) fn used(&self, user: i64, day: u64) -> Used {
        match day > self.day {
            true => Used::default(),
            false => self.users.get(&user).copied().unwrap_or_default(),
        }
    }

    /// What is written down when the journal is begun anew: the day, what was spent on it, and what was seen. Who has spent
    /// nothing is among them: the day is known by its users.
    pub(crate) fn settled(&self) -> (u64, Vec<(i64, u64)>, Vec<i64>) {
        let spent = self.users.iter().map(|(user, used)| (*user, used.spent));
        (self.day, spent.collect(), self.seen.iter().copied().collect())
    }

    /// The requests that run, by the update that asked.
    pub(crate) fn open(&self) -> &BTreeMap<i64, Open> {
        &self.open
    }

    /// Takes up what was written down.
    pub(crate) fn restore(&mut self, day: u64, user: i64, nanoton: u64) {
        self.turn(day);
        if day == self.day {
            let used = self.users.entry(user).or_default();
            used.spent = used.spent.saturating_add(nanoton);
        }
    }

    fn total(&self) -> u64 {
        let sums = self.users.values().map(|used| used.sum());
        sums.fold(0, u64::saturating_add)
    }

    /// A new day begins: nobody has spent anything on it.
    fn turn(&mut self, day: u64) {
        if day > self.day {
            self.day = day;
            self.users.clear();
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[derive(Debug, Clone)]
    enum Step {
        Ask { update: i64, user: i64, nanoton: u64 },
        End { update: i64, cost: u64 },
        NextDay,
    }

    fn step() -> impl Strategy<Value = Step> {
        prop_oneof![
            4 => (0i64..60, 0i64..4, 0u64..80).prop_map(|(update, user, nanoton)| Step::Ask { update, user, nanoton }),
            3 => (0i64..60, 0u64..120).prop_map(|(update, cost)| Step::End { update, cost }),
            1 => Just(Step::NextDay),
        ]
    }

    proptest! {
        /// Whatever comes in whatever order: nobody uses more of a day than the limit, all together not more than theirs, and
        /// an update is charged at most once.
        #[test]
        fn no_order_of_requests_spends_more_than_a_limit_or_charges_twice(
            steps in proptest::collection::vec(step(), 0..200), limit in 0u64..150, total in 0u64..300,
        ) {
            let mut budgets = Budgets::default();
            let (mut day, mut spent_of, mut charged) = (1u64, BTreeMap::<(u64, i64), u64>::new(), BTreeMap::<i64, u32>::new());
            let mut asked = BTreeMap::new();
            for step in steps {
                match step {
                    Step::Ask { update, user, nanoton } => {
                        if budgets.check(update, user, day, nanoton, limit, total).is_ok() {
                            prop_assert!(!asked.contains_key(&update), "an update is reserved for once");
                            budgets.reserve(update, user, day, nanoton);
                            asked.insert(update, (user, day));
                        }
                    }
                    Step::End { update, cost } => {
                        if let Some(cost) = budgets.settle(update, cost) {
                            let (user, day) = asked[&update];
                            *spent_of.entry((day, user)).or_default() += cost;
                            *charged.entry(update).or_default() += 1;
                        }
                    }
                    Step::NextDay => day += 1,
                }
                prop_assert!(charged.values().all(|times| *times == 1));
                let mut sum = 0;
                for user in 0..4 {
                    let used = budgets.used(user, day);
                    sum += used.sum();
                    prop_assert!(used.sum() <= limit);
                }
                prop_assert!(sum <= total);
            }
            for ((day, _), spent) in &spent_of {
                prop_assert!(*spent <= limit, "day {day}");
            }
        }
    }

    #[test]
    fn a_new_day_begins_with_nothing_spent_and_ends_requests_of_the_old_one() {
        let mut budgets = Budgets::default();
        budgets.reserve(1, 7, 10, 50);
        budgets.reserve(2, 7, 10, 50);
        assert_eq!(budgets.settle(1, 20), Some(20));
        assert_eq!(
            budgets.used(7, 10),
            Used {
                spent: 20,
                reserved: 50
            }
        );
        assert_eq!(budgets.used(7, 11), Used::default());
        assert_eq!(budgets.check(3, 7, 11, 100, 100, 100), Ok(()));
        assert_eq!(budgets.settle(2, 50), Some(50));
        assert_eq!(budgets.used(7, 11), Used::default());
    }

    #[test]
    fn what_is_not_known_to_have_cost_less_has_cost_all_that_it_may() {
        let mut budgets = Budgets::default();
        budgets.reserve(1, 7, 10, 50);
        budgets.settle_all();
        assert_eq!(budgets.used(7, 10), Used { spent: 50, reserved: 0 });
        assert_eq!(budgets.settle(1, 0), None);
    }

    #[test]
    fn old_updates_are_forgotten_and_running_ones_are_not() {
        let mut budgets = Budgets::default();
        budgets.reserve(-1, 7, 10, 50);
        for update in 0..=i64::try_from(MAX_REMEMBERED_UPDATES).unwrap() {
            budgets.see(update);
        }
        assert!(!budgets.is_seen(0));
        assert!(budgets.is_seen(5) && budgets.is_seen(-1));
    }
}
