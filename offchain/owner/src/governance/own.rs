//! What a change of the governor itself would do, and whether the governor would take it.

use std::collections::BTreeMap;

use cocoon_bindings::Governance;
use cocoon_bindings::governance::members;
use cocoon_bindings::governor::GovernorBody;
use cocoon_bindings::ton::Address;

use super::{Difference, GovernorView};
use crate::OwnerError;
use crate::limits::GOVERNOR_RESERVE;

/// Why the governor would refuse a change of itself, by the rules of its contract.
pub(crate) fn own_refusal(own: &GovernorBody, governor: &GovernorView) -> Result<Option<String>, OwnerError> {
    let config = &governor.storage.config;
    let mut after = Governance {
        threshold: config.threshold,
        revoke_threshold: config.revoke_threshold,
        change_delay: config.change_delay,
        critical_delay: config.critical_delay,
        signers: governor.signers.clone(),
        council: governor.council.clone(),
    };
    match own {
        GovernorBody::ChangeSigners(change) => {
            after.signers = members(change.signers.clone())?;
            (after.threshold, after.revoke_threshold) = (change.threshold, change.revoke_threshold);
        }
        GovernorBody::ChangeCouncil(change) => after.council = members(change.council.clone())?,
        GovernorBody::ChangeDelays(change) => {
            (after.change_delay, after.critical_delay) = (change.change_delay, change.critical_delay);
        }
        GovernorBody::LiftPause(_) => return Ok(None),
        GovernorBody::WithdrawSurplus(pay) => {
            let balance = governor.account.balance;
            let is_covered = pay
                .amount
                .checked_add(GOVERNOR_RESERVE)
                .is_some_and(|needed| needed <= balance);
            return Ok((!is_covered)
                .then(|| format!("the governor holds {balance}, and keeps {GOVERNOR_RESERVE} of it for its storage")));
        }
    }
    Ok(after
        .check()
        .err()
        .map(|wrong| format!("the governor would refuse it: {wrong}")))
}

/// What would be different at the governor.
pub(crate) fn own_differences(own: &GovernorBody, governor: &GovernorView) -> Result<Vec<Difference>, OwnerError> {
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

/// Members by index, for a person.
pub(crate) fn listed(members: &BTreeMap<u8, Address>) -> String {
    if members.is_empty() {
        return "nobody".to_owned();
    }
    let member = |(index, wallet): (&u8, &Address)| format!("{index} {wallet}");
    members.iter().map(member).collect::<Vec<_>>().join(", ")
}
