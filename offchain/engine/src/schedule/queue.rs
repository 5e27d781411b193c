//! Who waits, payer by payer, and who is next.
//!
//! Fairness is that of virtual token counters (Sheng et al., "Fairness in Serving Large Language Models", OSDI 2024): each
//! payer has a counter of the tokens that were spent on it; the next place goes to the payer with the smallest counter,
//! and who comes back after a pause starts at the level of the others, so that a pause is not a credit.

use super::entry::Entry;
use crate::engine::SequenceId;
use crate::limits::MAX_REMEMBERED_PAYERS;
use crate::payer::Payer;
use std::collections::{HashMap, VecDeque};

/// The lines of all payers. Requests without a payer share one line.
#[derive(Debug, Default)]
pub(super) struct Queue {
    lines: HashMap<Option<Payer>, Line>,
    /// Entries in all lines.
    len: usize,
    /// The counter of the payer that was served last, never falling: where a newcomer starts.
    level: u64,
}

#[derive(Debug, Default)]
struct Line {
    /// Oldest first.
    waiting: VecDeque<Entry>,
    /// Entries that left the line and have not ended.
    admitted: usize,
    /// The virtual counter: tokens, weighted.
    spent: u64,
}

impl Queue {
    /// Entries that wait.
    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// Whether a newcomer of `payer` may push out one of another payer: of one that waits with more than it would itself.
    pub(super) fn can_push_out(&self, payer: Option<Payer>) -> bool {
        let own = self.lines.get(&payer).map_or(0, |line| line.waiting.len());
        self.longest().is_some_and(|(_, longest)| longest > own + 1)
    }

    /// Takes the newest entry out of the longest line.
    pub(super) fn push_out(&mut self) -> Option<Entry> {
        let (payer, _) = self.longest()?;
        let entry = self.lines.get_mut(&payer)?.waiting.pop_back()?;
        self.len -= 1;
        self.tidy(payer);
        Some(entry)
    }

    fn longest(&self) -> Option<(Option<Payer>, usize)> {
        let lengths = self.lines.iter().map(|(payer, line)| (*payer, line.waiting.len()));
        lengths.max_by_key(|(payer, len)| (*len, *payer))
    }

    /// Puts an entry at the end of its payer's line.
    pub(super) fn push(&mut self, entry: Entry) {
        let line = self.lines.entry(entry.payer).or_default();
        if line.waiting.is_empty() {
            line.spent = line.spent.max(self.level);
        }
        line.waiting.push_back(entry);
        self.len += 1;
    }

    /// The entry whose turn it is. Of payers with equal counters, the one whose request came first.
    pub(super) fn first(&mut self) -> Option<&mut Entry> {
        let payer = self.next_payer()?;
        self.lines.get_mut(&payer)?.waiting.front_mut()
    }

    /// Takes out the entry whose turn it is. It stays on its payer's account until [`Queue::ended`].
    pub(super) fn pop(&mut self) -> Option<Entry> {
        let payer = self.next_payer()?;
        let line = self.lines.get_mut(&payer)?;
        let entry = line.waiting.pop_front()?;
        line.admitted += 1;
        self.level = self.level.max(line.spent);
        self.len -= 1;
        Some(entry)
    }

    fn next_payer(&self) -> Option<Option<Payer>> {
        let lines = self.lines.iter();
        let heads = lines.filter_map(|(payer, line)| Some((line.spent, line.waiting.front()?.id, *payer)));
        heads.min().map(|(_, _, payer)| payer)
    }

    /// Counts tokens that are spent on a payer.
    pub(super) fn charge(&mut self, payer: Option<Payer>, tokens: usize) {
        if let Some(line) = self.lines.get_mut(&payer) {
            line.spent = line.spent.saturating_add(tokens as u64);
        }
    }

    /// Takes back a charge for tokens that were saved after all.
    pub(super) fn refund(&mut self, payer: Option<Payer>, tokens: usize) {
        if let Some(line) = self.lines.get_mut(&payer) {
            line.spent = line.spent.saturating_sub(tokens as u64);
        }
    }

    /// Says that an entry that was popped has ended.
    pub(super) fn ended(&mut self, payer: Option<Payer>) {
        if let Some(line) = self.lines.get_mut(&payer) {
            line.admitted = line.admitted.saturating_sub(1);
        }
        self.tidy(payer);
    }

    /// Takes out a waiting entry.
    pub(super) fn remove(&mut self, id: SequenceId) -> Option<Entry> {
        self.take_where(|entry| entry.id == id).pop()
    }

    /// Takes out all waiting entries of which `test` is true, in the order of their ids.
    pub(super) fn take_where(&mut self, mut test: impl FnMut(&Entry) -> bool) -> Vec<Entry> {
        let mut taken = Vec::new();
        for line in self.lines.values_mut() {
            let mut at = 0;
            while at < line.waiting.len() {
                if test(&line.waiting[at]) {
                    taken.extend(line.waiting.remove(at));
                } else {
                    at += 1;
                }
            }
        }
        self.len -= taken.len();
        taken.sort_by_key(|entry| entry.id);
        taken.iter().for_each(|entry| self.tidy(entry.payer));
        taken
    }

    /// Forgets a payer with nothing here that would start at the common level anyway; of the others, which have been
    /// served more than that, remembers a bounded number.
    fn tidy(&mut self, payer: Option<Payer>) {
        let idle = |line: &Line| line.waiting.is_empty() && line.admitted == 0;
        if self.lines.get(&payer).is_none_or(|line| !idle(line)) {
            return;
        }
        let level = self.level;
        if self.lines[&payer].spent <= level {
            self.lines.remove(&payer);
        } else if self.lines.len() > MAX_REMEMBERED_PAYERS {
            self.lines.retain(|_, line| !idle(line) || line.spent > level);
            let idle_lines = self.lines.iter().filter(|(_, line)| idle(line));
            let least = idle_lines.map(|(payer, line)| (line.spent, *payer)).min();
            if let Some((_, payer)) = least.filter(|_| self.lines.len() > MAX_REMEMBERED_PAYERS) {
                self.lines.remove(&payer);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::entry::{Aim, NewEntry};
    use super::*;
    use std::time::Duration;

    const A: Option<Payer> = Some(Payer([1; 32]));
    const B: Option<Payer> = Some(Payer([2; 32]));

    fn entry(id: u64, payer: Option<Payer>) -> Entry {
        Entry::new(NewEntry {
            id: SequenceId(id),
            prompt: vec![0],
            aim: Aim::Answer,
            payer,
            salt: None,
            arrived: Duration::ZERO,
            deadline: None,
        })
    }

    /// Serves everything, with a charge for each entry.
    fn served(queue: &mut Queue, cost: usize) -> Vec<u64> {
        let entries = std::iter::from_fn(|| {
            let entry = queue.pop()?;
            queue.charge(entry.payer, cost);
            Some(entry.id.0)
        });
        entries.collect()
    }

    #[test]
    fn payers_take_turns_however_many_requests_they_sent() {
        let mut queue = Queue::default();
        (0..4).for_each(|id| queue.push(entry(id, A)));
        (4..6).for_each(|id| queue.push(entry(id, B)));
        assert_eq!(served(&mut queue, 10), [0, 4, 1, 5, 2, 3]);
    }

    #[test]
    fn who_costs_less_is_served_more_often() {
        let mut queue = Queue::default();
        (0..2).for_each(|id| queue.push(entry(id, A)));
        (2..6).for_each(|id| queue.push(entry(id, B)));
        let order: Vec<u64> = std::iter::from_fn(|| {
            let entry = queue.pop()?;
            queue.charge(entry.payer, if entry.payer == A { 30 } else { 10 });
            Some(entry.id.0)
        })
        .collect();
        assert_eq!(order, [0, 2, 3, 4, 1, 5]);
    }

    #[test]
    fn a_pause_is_neither_a_credit_nor_a_pardon() {
        let mut queue = Queue::default();
        (0..6).for_each(|id| queue.push(entry(id, A)));
        for _ in 0..4 {
            let payer = queue.pop().unwrap().payer;
            queue.charge(payer, 100);
        }
        queue.push(entry(6, B));
        queue.push(entry(7, B));
        // B starts where A was served last, at 300, and A is at 400: one turn ahead, not four.
        assert_eq!(served(&mut queue, 100), [6, 4, 7, 5]);
        queue.charge(B, 1000);
        (0..2).for_each(|_| queue.ended(B));
        queue.push(entry(8, B));
        queue.push(entry(9, A));
        assert_eq!(served(&mut queue, 0), [9, 8], "B left with a debt");
    }

    #[test]
    fn a_full_queue_makes_room_at_the_end_of_the_longest_line() {
        let mut queue = Queue::default();
        (0..3).for_each(|id| queue.push(entry(id, A)));
        assert!(!queue.can_push_out(A));
        assert!(queue.can_push_out(B));
        assert_eq!(queue.push_out().map(|entry| entry.id), Some(SequenceId(2)));
        queue.push(entry(3, B));
        assert!(!queue.can_push_out(B), "that would only turn the difference round");
        assert_eq!(queue.len(), 3);
    }

    #[test]
    fn payers_that_left_are_remembered_in_bounded_number() {
        let mut queue = Queue::default();
        for number in 0..2 * MAX_REMEMBERED_PAYERS as u64 {
            let mut bytes = [0; 32];
            bytes[..8].copy_from_slice(&number.to_le_bytes());
            let payer = Some(Payer(bytes));
            queue.push(entry(number, payer));
            queue.pop().unwrap();
            queue.charge(payer, 1_000_000_000 - number as usize);
            queue.ended(payer);
        }
        assert!(queue.lines.len() <= MAX_REMEMBERED_PAYERS, "{}", queue.lines.len());
    }
}
