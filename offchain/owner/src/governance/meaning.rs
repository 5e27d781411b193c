//! What a change would do to a network as it is now.

use std::collections::BTreeMap;

use cocoon_bindings::governance::members;
use cocoon_bindings::governor::GovernorBody;
use cocoon_bindings::ton::Address;
use cocoon_bindings::units::QueryId;
use serde::Serialize;

use super::diff::{Difference, differences};
use super::effects::effects;
use super::governor::class_name;
use super::snapshot::RootSnapshot;
use super::{Change, GovernorView, Network, Owner, RootState};
use crate::OwnerError;

/// A change in words.
#[derive(Debug, Serialize)]
pub struct Meaning {
    /// What it does, in one line.
    pub says: String,
    /// What a governor takes it for.
    pub class: &'static str,
    /// What would be different.
    pub differences: Vec<Difference>,
    /// Whom it would cut off, as far as the chain can tell.
    pub effects: Vec<String>,
    /// Why the root contract would refuse it now, if it would.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub refused: Option<String>,
}

impl Change {
    /// What it would do now. The root contract's own code says so, in an emulator.
    pub fn meaning(&self, network: &Network) -> Result<Meaning, OwnerError> {
        let old = &network.root;
        let mut meaning = Meaning {
            says: self.says()?,
            class: class_name(self.class()),
            differences: Vec::new(),
            effects: Vec::new(),
            refused: None,
        };
        match self {
            Self::Governor(own) => match network.governor() {
                Some(governor) => {
                    meaning.differences = own_differences(own, governor)?;
                    meaning.effects = effects(self, old, old);
                }
                None => meaning.refused = Some("the root contract's owner is no governor".to_owned()),
            },
            Self::Root(_) => match self.trial(network)? {
                Some(Ok(new)) => {
                    meaning.differences = root_differences(old, &new);
                    meaning.effects = effects(self, old, &new);
                }
                Some(Err(refused)) => meaning.refused = Some(refused.to_string()),
                None => {}
            },
        }
        Ok(meaning)
    }

    /// Whether the network is already as the change wants it: making it would count a change and do nothing else.
    pub(crate) fn is_in_force(&self, network: &Network) -> Result<bool, OwnerError> {
        match self {
            Self::Governor(own) => match network.governor() {
                Some(governor) => Ok(own_differences(own, governor)?.is_empty()),
                None => Ok(false),
            },
            Self::Root(message) => {
                use cocoon_bindings::root::RootMessage::RegisterProxyFromOwner;
                match message.as_ref() {
                    // The contract lists a place as often as it is told to, and nobody means that.
                    RegisterProxyFromOwner(register) => {
                        let proxies = &network.root.storage.data.proxies;
                        Ok(proxies.values().any(|listed| *listed == register.endpoints))
                    }
                    _ if self.is_acceptance() => Ok(network.root.storage.owner == *network.sender()),
                    _ => Ok(self
                        .trial(network)?
                        .is_some_and(|after| after.is_ok_and(|after| network.root.same_content(&after)))),
                }
            }
        }
    }

    /// What the root contract would make of it now, or why it would refuse it; none where the governor does it itself.
    pub(crate) fn trial(&self, network: &Network) -> Result<Option<Result<RootState, OwnerError>>, OwnerError> {
        let Self::Root(_) = self else { return Ok(None) };
        let offered = network.root.tail.as_ref().and_then(|tail| tail.offer.as_ref());
        let from = match (&network.owner, offered) {
            // An offer to a wallet is accepted by that wallet.
            (Owner::Wallet(_), Some(offer)) if self.is_acceptance() => &offer.new_owner,
            _ => network.sender(),
        };
        network.root.after(from, &self.body(QueryId::new(0))?).map(Some)
    }
}

impl Meaning {
    /// All of it as lines for a person.
    pub fn lines(&self) -> Vec<String> {
        let mut lines: Vec<String> = self.differences.iter().map(ToString::to_string).collect();
        lines.extend(self.effects.iter().map(|effect| format!("effect: {effect}")));
        lines.extend(
            self.refused
                .iter()
                .map(|refused| format!("REFUSED if it were executed now: {refused}")),
        );
        lines
    }
}

/// What differs between two states of a root contract. Data that this version cannot name differs by its hash.
fn root_differences(old: &RootState, new: &RootState) -> Vec<Difference> {
    let mut found = differences(&RootSnapshot::from(old), &RootSnapshot::from(new));
    let is_named = found.iter().any(|difference| difference.what != "version of the terms");
    let is_raw = new.tail.is_none() && old.storage.tail != new.storage.tail;
    if is_raw || (!is_named && !old.same_content(new)) {
        let hash = |state: &RootState| {
            let data = state.account.data.as_ref();
            data.map_or_else(|| "-".to_owned(), |data| format!("data {}", data.repr_hash()))
        };
        found.push(Difference {
            what: "what this version cannot name".to_owned(),
            old: hash(old),
            new: hash(new),
        });
    }
    found
}

fn own_differences(own: &GovernorBody, governor: &GovernorView) -> Result<Vec<Difference>, OwnerError> {
    let config = &governor.storage.config;
    let mut found = Vec::new();
    let mut compare = |what: &str, old: String, new: String| {
        if old != new {
            let what = what.to_owned();
            found.push(Difference { what, old, new });
        }
    };
    match own {
        GovernorBody::ChangeSigners(change) => {
            compare(
                "signers",
                listed(&governor.signers),
                listed(&members(change.signers.clone())?),
            );
            compare("approvals", config.threshold.to_string(), change.threshold.to_string());
            let (old, new) = (config.revoke_threshold, change.revoke_threshold);
            compare("approvals to revoke", old.to_string(), new.to_string());
        }
        GovernorBody::ChangeCouncil(change) => {
            compare(
                "council",
                listed(&governor.council),
                listed(&members(change.council.clone())?),
            );
        }
        GovernorBody::ChangeDelays(change) => {
            let seconds = |delay: u32| format!("{delay} s");
            compare(
                "delay of changes",
                seconds(config.change_delay),
                seconds(change.change_delay),
            );
            let (old, new) = (config.critical_delay, change.critical_delay);
            compare("delay of critical proposals", seconds(old), seconds(new));
        }
        GovernorBody::LiftPause(_) => {
            let until = governor.storage.paused_until;
            if until > governor.account.time {
                compare(
                    "pause",
                    format!("until {}", crate::date(until)),
                    "ends at once".to_owned(),
                );
            }
        }
        GovernorBody::WithdrawSurplus(pay) => {
            compare(
                "coins of the governor",
                "stay".to_owned(),
                format!("{} to {}", pay.amount, pay.to),
            );
        }
    }
    Ok(found)
}

fn listed(members: &BTreeMap<u8, Address>) -> String {
    if members.is_empty() {
        return "nobody".to_owned();
    }
    let member = |(index, wallet): (&u8, &Address)| format!("{index} {wallet}");
    members.iter().map(member).collect::<Vec<_>>().join(", ")
}
