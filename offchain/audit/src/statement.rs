//! What a client spent, a worker earned or a proxy kept, by day and model: sums of receipts, each an exact number of nanoton.

use cocoon_bindings::Params;
use cocoon_bindings::ton::Address;
use cocoon_bindings::units::{ModelHash, Nanoton};
use cocoon_receipt::Receipt;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

use crate::verdict::Role;

/// Milliseconds of a day.
const DAY_MS: u64 = 86_400_000;

/// Whose statement.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Scope {
    /// Which side of the receipts.
    pub role: Role,
    /// One contract; all of this role if none is given.
    pub address: Option<Address>,
}

/// One line of a statement.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Line {
    /// Day on which the answers ended, UTC: `2026-11-22`.
    pub day: String,
    /// The contract.
    pub contract: Address,
    /// Hash of the model, as the root contract lists it.
    pub model: ModelHash,
    /// Its sums.
    #[serde(flatten)]
    pub sums: Sums,
}

/// Sums of receipts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Sums {
    /// Receipts.
    pub receipts: u64,
    /// Adjusted prompt tokens that were not cached.
    pub prompt: u128,
    /// Adjusted cached prompt tokens.
    pub cached: u128,
    /// Adjusted answer tokens that are not reasoning.
    pub completion: u128,
    /// Adjusted reasoning tokens.
    pub reasoning: u128,
    /// Tokens charged: those four, or fewer where less was reserved.
    pub charged: u64,
    /// What the charged tokens cost the client, earned the worker, or left the proxy.
    pub amount: Nanoton,
}

/// The sums of a scope.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub(crate) struct Ledger {
    scope: Option<Scope>,
    #[serde(with = "pairs")]
    entries: BTreeMap<Key, Sums>,
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
struct Key {
    /// Days since 1970.
    day: u64,
    contract: Address,
    model: ModelHash,
}

impl Ledger {
    /// For a scope.
    pub(crate) fn new(scope: Scope) -> Self {
        Self {
            scope: Some(scope),
            ..Self::default()
        }
    }

    /// Whether both are of one scope.
    pub(crate) fn is_of(&self, other: &Self) -> bool {
        self.scope == other.scope
    }

    /// Adds a receipt, priced by the terms of its contract. What was used may be any number, so its sums are wide; what was charged is
    /// part of a total that an audit has already found to be no overflow.
    pub(crate) fn add(&mut self, receipt: &Receipt, terms: &Params) {
        let Some(scope) = &self.scope else {
            return;
        };
        let statement = &receipt.statement;
        let (contract, price) = match scope.role {
            Role::Client => (&receipt.client, terms.price_per_token),
            Role::Worker => (&statement.worker, terms.worker_fee_per_token),
            Role::Proxy => {
                let kept = terms.price_per_token.saturating_sub(terms.worker_fee_per_token);
                (&statement.proxy, kept)
            }
        };
        if scope.address.as_ref().is_some_and(|address| address != contract) {
            return;
        }
        let key = Key {
            day: statement.timing.finished_ms / DAY_MS,
            contract: contract.clone(),
            model: statement.model,
        };
        let amount = price.checked_mul(receipt.charged()).unwrap_or(Nanoton::MAX);
        let sums = self.entries.entry(key).or_default();
        let used = statement.used;
        sums.receipts = sums.receipts.saturating_add(1);
        sums.prompt = sums.prompt.saturating_add(used.prompt.into());
        sums.cached = sums.cached.saturating_add(used.cached.into());
        sums.completion = sums.completion.saturating_add(used.completion.into());
        sums.reasoning = sums.reasoning.saturating_add(used.reasoning.into());
        sums.charged = sums.charged.saturating_add(receipt.charged());
        sums.amount = sums.amount.checked_add(amount).unwrap_or(Nanoton::MAX);
    }

    /// The lines, by day, contract and model.
    pub(crate) fn lines(&self) -> Vec<Line> {
        let line = |(key, sums): (&Key, &Sums)| Line {
            day: date(key.day),
            contract: key.contract.clone(),
            model: key.model,
            sums: *sums,
        };
        self.entries.iter().map(line).collect()
    }
}

/// A map whose keys are no texts, as a list of pairs.
mod pairs {
    use super::{BTreeMap, Deserialize, Key, Sums};
    use serde::{Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(entries: &BTreeMap<Key, Sums>, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(entries)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<BTreeMap<Key, Sums>, D::Error> {
        Ok(Vec::<(Key, Sums)>::deserialize(deserializer)?.into_iter().collect())
    }
}

/// A statement as comma-separated values, with a first line of names. No field needs quotes.
pub fn to_csv(lines: &[Line]) -> String {
    let mut text = "day,contract,model,receipts,prompt,cached,completion,reasoning,charged,nanoton\n".to_owned();
    for line in lines {
        let sums = &line.sums;
        text.push_str(&format!(
            "{},{},{},{},{},{},{},{},{},{}\n",
            line.day,
            line.contract,
            line.model,
            sums.receipts,
            sums.prompt,
            sums.cached,
            sums.completion,
            sums.reasoning,
            sums.charged,
            sums.amount.get()
        ));
    }
    text
}

/// The date of a day since 1970 in the calendar that everybody uses (Hinnant's `civil_from_days`).
pub(crate) fn date(day: u64) -> String {
    let shifted = day.saturating_add(719_468);
    let (era, of_era) = (shifted / 146_097, shifted % 146_097);
    let year_of_era = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * of_year + 2) / 153;
    let day_of_month = of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 {
        shifted_month + 3
    } else {
        shifted_month - 9
    };
    let year = year_of_era + era * 400 + u64::from(month <= 2);
    format!("{year:04}-{month:02}-{day_of_month:02}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_those_of_the_calendar() {
        for (day, expected) in [
            (0, "1970-01-01"),
            (59, "1970-03-01"),
            (789, "1972-02-29"),
            (11_016, "2000-02-29"),
            (20_779, "2026-11-22"),
            (47_540, "2100-02-28"),
            (47_541, "2100-03-01"),
        ] {
            assert_eq!(date(day), expected);
        }
    }

    #[test]
    fn any_day_has_a_date() {
        assert!(!date(u64::MAX).is_empty());
    }
}
