//! How reliably a worker answered, from receipts alone: `docs/reputation.md`.
//!
//! ```
//! use cocoon_bindings::ton::HashBytes;
//! use cocoon_receipt::FinishReason;
//! use cocoon_receipt::reputation::{Mark, Record, Reputation};
//!
//! let mut record = Record::default();
//! let payer = HashBytes([7; 32]);
//! let mark = Mark::of(FinishReason::Stop, 120, true).ok_or("not counted")?;
//! record.add(20_400, payer, mark);
//! assert_eq!(record.on(20_400), Reputation::UNKNOWN); // the day is not over
//! assert_eq!(record.on(20_401).get(), 6_000);
//! # Ok::<(), &str>(())
//! ```

use std::collections::BTreeMap;
use std::fmt;

use cocoon_bindings::ton::HashBytes;
use serde::{Deserialize, Serialize};

use crate::finish::FinishReason;
use crate::limits::{REPUTATION_HALF_DAYS, REPUTATION_WINDOW_DAYS};
use crate::statement::WorkStatement;

/// Milliseconds of a day.
const DAY_MS: u64 = 86_400_000;
/// The best mark, the whole of a weight, the best reputation.
const WHOLE: u64 = 10_000;
/// What is added to all weights and to the good ones: four payers who asked once, two of them content.
const PRIOR: (u128, u128) = (4 * WHOLE as u128, 2 * WHOLE as u128);

/// The day of a time in Unix milliseconds: whole days of UTC since 1970-01-01.
pub fn day_of(unix_ms: u64) -> u64 {
    unix_ms / DAY_MS
}

/// From 0 (never answered) to 10,000.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Reputation(u16);

impl Reputation {
    /// Of a worker that nobody knows.
    pub const UNKNOWN: Self = Self(5_000);

    /// In ten-thousandths.
    pub fn get(self) -> u16 {
        self.0
    }

    /// As a share from 0 to 1.
    pub fn share(self) -> f64 {
        f64::from(self.0) / WHOLE as f64
    }
}

impl fmt::Display for Reputation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// What one receipt says of its worker, from 0 to 10,000.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mark(u64);

impl Mark {
    /// Of an answer that ended so, for which so many tokens were charged, and whose statement the worker signed or did
    /// not; none if it says nothing.
    pub fn of(finish: FinishReason, charged: u64, is_signed: bool) -> Option<Self> {
        let answered = if is_signed { Self(WHOLE) } else { Self(WHOLE / 2) };
        match finish {
            FinishReason::Stop | FinishReason::Length | FinishReason::ToolCalls | FinishReason::ContentFilter => {
                Some(answered)
            }
            FinishReason::Unknown => (charged > 0).then_some(answered),
            FinishReason::Cancelled => None,
            FinishReason::WorkerLost | FinishReason::Timeout | FinishReason::Failed => Some(Self(0)),
        }
    }
}

/// The marks of one payer on one day.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
struct Group {
    count: u64,
    sum: u128,
}

impl Group {
    fn add(&mut self, other: Self) {
        self.count = self.count.saturating_add(other.count);
        self.sum = self.sum.saturating_add(other.sum);
    }

    /// What it weighs after so many days, and how much of that is good.
    fn weight(&self, age: u64) -> (u128, u128) {
        let whole = u128::from(WHOLE);
        let weight = (u128::from(self.count) * whole * whole).isqrt();
        let good = (weight * self.sum)
            .checked_div(u128::from(self.count) * whole)
            .unwrap_or(0);
        let halved = age / REPUTATION_HALF_DAYS;
        (weight >> halved, good >> halved)
    }
}

/// The receipts of one worker, as far as its reputation needs them: one entry for each payer and day. Order does not matter.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Record {
    #[serde(with = "pairs")]
    groups: BTreeMap<(u64, HashBytes), Group>,
}

impl Record {
    /// Counts a statement of the worker that an audit has accepted.
    pub fn note(&mut self, statement: &WorkStatement, is_signed: bool) {
        let charged = statement.channel.after.saturating_sub(statement.channel.before);
        if let Some(mark) = Mark::of(statement.finish, charged, is_signed) {
            self.add(day_of(statement.timing.started_ms), statement.client, mark);
        }
    }

    /// The worker's signature over a statement that was counted without it.
    pub fn countersign(&mut self, statement: &WorkStatement) {
        let charged = statement.channel.after.saturating_sub(statement.channel.before);
        let mark = |is_signed| Mark::of(statement.finish, charged, is_signed);
        let (Some(before), Some(after)) = (mark(false), mark(true)) else {
            return;
        };
        let key = (day_of(statement.timing.started_ms), statement.client);
        if let Some(group) = self.groups.get_mut(&key) {
            group.sum = group.sum.saturating_add(u128::from(after.0.saturating_sub(before.0)));
        }
    }

    /// Pairs of a payer and a day: what it takes in memory follows from it.
    pub fn groups(&self) -> usize {
        self.groups.len()
    }

    /// Counts one mark on a day by a payer's blinded name.
    pub fn add(&mut self, day: u64, payer: HashBytes, mark: Mark) {
        let (count, sum) = (1, u128::from(mark.0));
        self.groups.entry((day, payer)).or_default().add(Group { count, sum });
    }

    /// Adds what is in another record.
    pub fn merge(&mut self, other: &Self) {
        for (key, group) in &other.groups {
            self.groups.entry(*key).or_default().add(*group);
        }
    }

    /// Forgets what no longer counts on this day and later: bounds a record that is kept for long.
    pub fn forget_before(&mut self, day: u64) {
        let first = day.saturating_sub(REPUTATION_WINDOW_DAYS);
        self.groups = self.groups.split_off(&(first, HashBytes::ZERO));
    }

    /// The reputation on a day, of the days before it.
    pub fn on(&self, day: u64) -> Reputation {
        let first = day.saturating_sub(REPUTATION_WINDOW_DAYS);
        let counted = self.groups.range((first, HashBytes::ZERO)..(day, HashBytes::ZERO));
        let (mut weight, mut good) = PRIOR;
        for ((then, _), group) in counted {
            let (own, own_good) = group.weight(day.saturating_sub(*then).saturating_sub(1));
            weight = weight.saturating_add(own);
            good = good.saturating_add(own_good);
        }
        let share = good.saturating_mul(u128::from(WHOLE)).checked_div(weight).unwrap_or(0);
        Reputation(u16::try_from(share.min(u128::from(WHOLE))).unwrap_or(0))
    }
}

/// A map whose keys are no texts, as a list of pairs.
mod pairs {
    use super::{BTreeMap, Deserialize, Group, HashBytes};
    use serde::{Deserializer, Serializer};

    type Groups = BTreeMap<(u64, HashBytes), Group>;

    pub(super) fn serialize<S: Serializer>(groups: &Groups, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(groups)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Groups, D::Error> {
        Ok(Vec::<((u64, HashBytes), Group)>::deserialize(deserializer)?
            .into_iter()
            .collect())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::Value;

    use super::*;
    use crate::samples::statement;

    fn marks() -> impl Strategy<Value = Vec<(u64, u8, u64)>> {
        prop::collection::vec((0_u64..80, 0_u8..6, 0..=WHOLE), 0..60)
    }

    fn record(marks: &[(u64, u8, u64)]) -> Record {
        let mut record = Record::default();
        for (day, payer, mark) in marks {
            record.add(*day, HashBytes([*payer; 32]), Mark(*mark));
        }
        record
    }

    #[test]
    fn every_vector_of_the_other_implementation_has_its_number() {
        let vectors: Value = serde_json::from_str(include_str!("../../../tests/vectors/reputation.json")).unwrap();
        let cases = vectors["cases"].as_array().unwrap();
        assert!(cases.len() > 30);
        for case in cases {
            let mut record = Record::default();
            for row in case["receipts"].as_array().unwrap() {
                let mut statement = statement();
                statement.client = HashBytes(
                    hex::decode(row["client"].as_str().unwrap())
                        .unwrap()
                        .try_into()
                        .unwrap(),
                );
                statement.timing.started_ms = row["started_ms"].as_u64().unwrap();
                statement.finish = FinishReason::from_word(row["finish"].as_str().unwrap());
                statement.channel.after = statement.channel.before + row["charged"].as_u64().unwrap();
                record.note(&statement, row["signed"].as_bool().unwrap());
            }
            for on in case["on"].as_array().unwrap() {
                let found = record.on(on["day"].as_u64().unwrap()).get();
                assert_eq!(
                    u64::from(found),
                    on["reputation"].as_u64().unwrap(),
                    "{} on {}",
                    case["name"],
                    on["day"]
                );
            }
        }
    }

    #[test]
    fn a_signature_that_comes_later_counts_as_if_it_had_been_there() {
        for finish in [
            FinishReason::Stop,
            FinishReason::Cancelled,
            FinishReason::Failed,
            FinishReason::Unknown,
        ] {
            let mut statement = statement();
            statement.finish = finish;
            let (mut at_once, mut later) = (Record::default(), Record::default());
            at_once.note(&statement, true);
            later.note(&statement, false);
            later.countersign(&statement);
            assert_eq!(later, at_once, "{finish}");
        }
    }

    #[test]
    fn nothing_overflows_at_the_ends_of_the_numbers() {
        let group = Group {
            count: u64::MAX,
            sum: u128::from(u64::MAX) * u128::from(WHOLE),
        };
        let groups = BTreeMap::from([
            ((u64::MAX - 1, HashBytes([255; 32])), group),
            ((0, HashBytes::ZERO), group),
        ]);
        let record = Record { groups };
        assert_eq!(record.on(u64::MAX).get(), 9_999);
        assert_eq!(record.on(0), Reputation::UNKNOWN);
    }

    proptest! {
        #[test]
        fn the_order_of_receipts_and_the_split_over_copies_do_not_matter(marks in marks(), at in 0_usize..60, day in 0_u64..160) {
            let (left, right) = marks.split_at(at.min(marks.len()));
            let mut merged = record(right);
            merged.merge(&record(left));
            let reversed: Vec<_> = marks.iter().rev().copied().collect();
            prop_assert_eq!(merged.on(day), record(&marks).on(day));
            prop_assert_eq!(record(&reversed), record(&marks));
        }

        #[test]
        fn a_record_survives_its_text(marks in marks()) {
            let record = record(&marks);
            let text = serde_json::to_string(&record).unwrap();
            prop_assert_eq!(serde_json::from_str::<Record>(&text).unwrap(), record);
        }

        #[test]
        fn forgetting_changes_no_later_number(marks in marks(), day in 0_u64..160, later in 0_u64..30) {
            let mut short = record(&marks);
            short.forget_before(day);
            prop_assert_eq!(short.on(day + later), record(&marks).on(day + later));
        }

        #[test]
        fn a_better_mark_never_lowers_the_number(marks in marks(), day in 0_u64..160, at in 0_usize..60) {
            let mut better = marks.clone();
            if let Some(mark) = better.get_mut(at) {
                mark.2 = WHOLE;
            }
            prop_assert!(record(&better).on(day) >= record(&marks).on(day));
        }
    }
}
