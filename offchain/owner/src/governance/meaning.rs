//! What a change would do to a network as it is now.

use cocoon_bindings::root::RootMessage;
use cocoon_bindings::units::QueryId;
use serde::Serialize;

use super::diff::{Difference, differences};
use super::effects::effects;
use super::governor::class_name;
use super::own::{own_differences, own_refusal};
use super::snapshot::RootSnapshot;
use super::{Change, Network, Owner, RootState, Trial};
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
    /// What a signer should know besides: of the governor, of other proposals, and of the time when it can be executed.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<String>,
    /// Why it would be refused if it were executed now, if it would.
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
            warnings: self.warnings(network)?,
            refused: None,
        };
        match self {
            Self::Governor(own) => match network.governor() {
                Some(governor) => {
                    meaning.differences = own_differences(own, governor)?;
                    meaning.effects = effects(self, old, old);
                    meaning.refused = own_refusal(own, governor)?;
                }
                None => meaning.refused = Some("the root contract's owner is no governor".to_owned()),
            },
            Self::Root(_) => match self.trial(network)? {
                Some(Trial::Accepted(new)) => {
                    meaning.differences = self.root_differences(old, &new);
                    meaning.effects = effects(self, old, &new);
                }
                Some(Trial::Opaque { code_hash, data_hash }) => {
                    let data = old.account.data.as_ref();
                    meaning.differences = vec![
                        Difference {
                            what: "code of the root contract".to_owned(),
                            old: old.code_hash.to_string(),
                            new: code_hash.to_string(),
                        },
                        Difference {
                            what: "data of the root contract".to_owned(),
                            old: data.map_or_else(|| "-".to_owned(), |data| data.repr_hash().to_string()),
                            new: format!("{data_hash}, which this version CANNOT READ"),
                        },
                    ];
                    meaning.effects = vec![
                        "EVERYBODY: nobody can say who owns the root contract afterwards, what it lists and what it charges"
                            .to_owned(),
                    ];
                }
                Some(Trial::Refused(refused)) => meaning.refused = Some(refused.to_string()),
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
                    _ => Ok(match self.trial(network)? {
                        Some(Trial::Accepted(after)) => network.root.same_content(&after),
                        Some(Trial::Refused(_) | Trial::Opaque { .. }) | None => false,
                    }),
                }
            }
        }
    }

    /// What the root contract would make of it now; none where the governor does it itself.
    pub(crate) fn trial(&self, network: &Network) -> Result<Option<Trial>, OwnerError> {
        self.trial_at(network, network.root.account.time)
    }

    /// What the root contract would make of it at a time, seconds since 1970; none where the governor does it itself.
    fn trial_at(&self, network: &Network, time: u32) -> Result<Option<Trial>, OwnerError> {
        let Self::Root(_) = self else { return Ok(None) };
        let offered = network.root.tail.read().and_then(|tail| tail.offer.as_ref());
        let from = match (&network.owner, offered) {
            // An offer to a wallet is accepted by that wallet.
            (Owner::Wallet(_), Some(offer)) if self.is_acceptance() => &offer.new_owner,
            _ => network.sender(),
        };
        network.root.after(from, &self.body(QueryId::new(0))?, time).map(Some)
    }

    /// When it can be executed at the earliest, if the root contract would accept it now and refuses it then: a date in it
    /// comes before.
    pub(crate) fn ends_before(&self, network: &Network) -> Result<Option<u32>, OwnerError> {
        let Some(governor) = network.governor() else {
            return Ok(None);
        };
        let now = network.root.account.time;
        let ready_at = network
            .open(self)
            .and_then(|id| governor.proposals.get(&id))
            .map(|proposal| proposal.ready_at)
            .filter(|ready_at| *ready_at != 0);
        let earliest = ready_at.unwrap_or_else(|| now.saturating_add(governor.delay(self.class())));
        let is_refused = |trial: Option<Trial>| matches!(trial, Some(Trial::Refused(_)));
        if earliest <= now || is_refused(self.trial(network)?) {
            return Ok(None);
        }
        Ok(is_refused(self.trial_at(network, earliest)?).then_some(earliest))
    }

    /// What does not follow from the change and the root contract alone.
    fn warnings(&self, network: &Network) -> Result<Vec<String>, OwnerError> {
        let mut told = Vec::new();
        let Some(governor) = network.governor() else {
            return Ok(told);
        };
        let address = &governor.account.address;
        if !governor.has_known_code() {
            told.push(format!(
                "UNKNOWN CODE: the rules of governor {address} are not those that this program knows, whatever it says of \
                 approvals and delays"
            ));
        }
        for (id, proposal) in &governor.proposals {
            let Ok((other, _)) = Self::decode(&proposal.body) else {
                continue;
            };
            if other == *self && proposal.class != self.class() {
                told.push(format!(
                    "the governor takes proposal {id} for class {}, and this program for class {}",
                    class_name(proposal.class),
                    class_name(self.class())
                ));
            }
            if other != *self && network.is_alive(proposal) && self.overwrites(&other) {
                told.push(format!(
                    "proposal {id} is open and writes the same: whichever is executed last undoes the other ({})",
                    other.says()?
                ));
            }
        }
        if let Some(earliest) = self.ends_before(network)? {
            told.push(format!(
                "WILL BE REFUSED: it ends before it can be executed, at the earliest on {}",
                crate::date(earliest)
            ));
        }
        Ok(told)
    }

    /// Whether both write the same terms.
    fn overwrites(&self, other: &Self) -> bool {
        let terms = |change: &Self| match change {
            Self::Root(message) => match message.as_ref() {
                RootMessage::ChangeCodesFromOwner(_) => Some("codes"),
                RootMessage::ChangePricesFromOwner(_)
                | RootMessage::ChangeParamsFromOwner(_)
                | RootMessage::ChangeAllParamsFromOwner(_) => Some("terms"),
                _ => None,
            },
            Self::Governor(_) => None,
        };
        terms(self).is_some() && terms(self) == terms(other)
    }

    /// What differs between two states of a root contract. Data that this version cannot name differs by its hash, and is
    /// always told by it where a change replaces all of it.
    fn root_differences(&self, old: &RootState, new: &RootState) -> Vec<Difference> {
        let mut found = differences(&RootSnapshot::from(old), &RootSnapshot::from(new));
        let replaces_all =
            matches!(self, Self::Root(message) if matches!(**message, RootMessage::UpgradeFullFromOwner(_)));
        let is_named = found.iter().any(|difference| difference.what != "version of the terms");
        if replaces_all || (!is_named && !old.same_content(new)) {
            let hash = |state: &RootState| {
                let data = state.account.data.as_ref();
                data.map_or_else(|| "-".to_owned(), |data| format!("data {}", data.repr_hash()))
            };
            let (old, new) = (hash(old), hash(new));
            if old != new {
                let what = if replaces_all {
                    "ALL data of the root contract"
                } else {
                    "what this version cannot name"
                };
                found.push(Difference {
                    what: what.to_owned(),
                    old,
                    new,
                });
            }
        }
        found
    }
}

impl Meaning {
    /// All of it as lines for a person.
    pub fn lines(&self) -> Vec<String> {
        let mut lines: Vec<String> = self.differences.iter().map(ToString::to_string).collect();
        lines.extend(self.effects.iter().map(|effect| format!("effect: {effect}")));
        lines.extend(self.warnings.iter().map(|warning| format!("warning: {warning}")));
        lines.extend(
            self.refused
                .iter()
                .map(|refused| format!("REFUSED if it were executed now: {refused}")),
        );
        lines
    }
}
