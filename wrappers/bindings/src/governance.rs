//! The governor's configuration and lists as collections.

use crate::error::BindingsError;
use crate::governor::{GovernorConfig, ProposalSummary};
use crate::ton::{Address, Cell, CellError, Dict};
use std::collections::{BTreeMap, BTreeSet};

/// Indices of signers are smaller than this.
pub const MAX_SIGNERS: u8 = 32;
/// Indices of the council's members are smaller than this.
pub const MAX_COUNCIL: u8 = 16;
/// Shortest delay in seconds.
pub const MIN_DELAY: u32 = 3600;
/// Longest delay in seconds.
pub const MAX_DELAY: u32 = 30 * 86_400;

/// Who decides about the network, and how slowly.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Governance {
    /// How many signers must approve.
    pub threshold: u8,
    /// How many of them suffice to take trust away.
    pub revoke_threshold: u8,
    /// Seconds between approval and execution of a change.
    pub change_delay: u32,
    /// Seconds between approval and execution of a critical proposal.
    pub critical_delay: u32,
    /// Wallets of the signers by index.
    pub signers: BTreeMap<u8, Address>,
    /// Wallets of the council by index.
    pub council: BTreeMap<u8, Address>,
}

impl Governance {
    /// Refuses what the contract would refuse, and what would leave it without anybody in control.
    pub fn check(&self) -> Result<(), BindingsError> {
        check_members("signers", &self.signers, MAX_SIGNERS)?;
        check_members("council", &self.council, MAX_COUNCIL)?;
        let refused = |reason| Err(BindingsError::Governance { reason });
        if self.revoke_threshold == 0 || self.revoke_threshold > self.threshold {
            return refused("the revoke threshold is not between 1 and the threshold");
        }
        if usize::from(self.threshold) > self.signers.len() {
            return refused("the threshold is above the number of signers");
        }
        if self.change_delay < MIN_DELAY || self.critical_delay > MAX_DELAY {
            return refused("a delay is out of range");
        }
        if self.critical_delay < self.change_delay {
            return refused("the critical delay is shorter than that of changes");
        }
        Ok(())
    }

    /// As the contract stores it.
    pub fn to_config(&self) -> Result<GovernorConfig, BindingsError> {
        self.check()?;
        Ok(GovernorConfig {
            threshold: self.threshold,
            revoke_threshold: self.revoke_threshold,
            change_delay: self.change_delay,
            critical_delay: self.critical_delay,
            signers: member_dictionary(&self.signers)?,
            council: member_dictionary(&self.council)?,
        })
    }
}

/// Members by index as the dictionary that messages and get methods hold.
pub fn member_dictionary(members: &BTreeMap<u8, Address>) -> Result<Option<Cell>, BindingsError> {
    let entries: Vec<(u8, &Address)> = members.iter().map(|(index, wallet)| (*index, wallet)).collect();
    let dictionary = Dict::<u8, &Address>::try_from_sorted_slice(&entries);
    dictionary
        .map(Dict::into_root)
        .map_err(BindingsError::layout("members"))
}

/// Members by index from a dictionary.
pub fn members(dictionary: Option<Cell>) -> Result<BTreeMap<u8, Address>, BindingsError> {
    let dictionary = Dict::<u8, Address>::from_raw(dictionary);
    let read = |entry: Result<(u8, Address), CellError>| {
        entry.and_then(|(index, wallet)| match wallet.anycast {
            None => Ok((index, wallet)),
            Some(_) => Err(CellError::InvalidTag),
        })
    };
    let read: Result<_, CellError> = dictionary.iter().map(read).collect();
    read.map_err(BindingsError::layout("members"))
}

/// Proposals by number from the result of `get_open_proposals`.
pub fn open_proposals(dictionary: Option<Cell>) -> Result<BTreeMap<u64, ProposalSummary>, BindingsError> {
    let dictionary = Dict::<u64, ProposalSummary>::from_raw(dictionary);
    let read: Result<_, CellError> = dictionary.iter().collect();
    read.map_err(BindingsError::layout("open proposals"))
}

/// Indices of the signers whose bits are set.
pub fn approvers(approvals: u32) -> BTreeSet<u8> {
    (0..MAX_SIGNERS)
        .filter(|index| approvals >> u32::from(*index) & 1 == 1)
        .collect()
}

fn check_members(what: &'static str, members: &BTreeMap<u8, Address>, limit: u8) -> Result<(), BindingsError> {
    if members.keys().any(|index| *index >= limit) {
        return Err(BindingsError::Governance {
            reason: "an index is out of range",
        });
    }
    let wallets: BTreeSet<&Address> = members.values().collect();
    if wallets.len() != members.len() {
        return Err(BindingsError::Governance {
            reason: "a wallet appears twice",
        });
    }
    if members.values().any(|wallet| wallet.anycast.is_some()) {
        return Err(BindingsError::Layout {
            what,
            source: CellError::InvalidData,
        });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wallet(number: u8) -> Address {
        Address::new(0, [number; 32].into())
    }

    fn governance() -> Governance {
        Governance {
            threshold: 2,
            revoke_threshold: 1,
            change_delay: MIN_DELAY,
            critical_delay: MAX_DELAY,
            signers: (0..3).map(|index| (index, wallet(index))).collect(),
            council: BTreeMap::from([(15, wallet(9))]),
        }
    }

    #[test]
    fn members_survive_a_round_trip() {
        let signers = governance().signers;
        assert_eq!(members(member_dictionary(&signers).unwrap()).unwrap(), signers);
        assert_eq!(member_dictionary(&BTreeMap::new()).unwrap(), None);
        assert_eq!(approvers(0b1010_0001), BTreeSet::from([0, 5, 7]));
    }

    #[test]
    fn a_configuration_that_leaves_nobody_in_control_is_refused() {
        governance().check().unwrap();
        let wrong: [fn(&mut Governance); 9] = [
            |wrong| wrong.revoke_threshold = 0,
            |wrong| wrong.revoke_threshold = 3,
            |wrong| wrong.threshold = 4,
            |wrong| wrong.change_delay = MIN_DELAY - 1,
            |wrong| wrong.critical_delay = MAX_DELAY + 1,
            |wrong| (wrong.change_delay, wrong.critical_delay) = (7200, 3600),
            |wrong| drop(wrong.signers.insert(32, wallet(40))),
            |wrong| drop(wrong.council.insert(16, wallet(40))),
            |wrong| drop(wrong.signers.insert(4, wallet(0))),
        ];
        for change in wrong {
            let mut wrong = governance();
            change(&mut wrong);
            assert!(wrong.to_config().is_err(), "{wrong:?}");
        }
    }
}
