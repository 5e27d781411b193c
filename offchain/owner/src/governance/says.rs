//! A change in one line.

use cocoon_bindings::BindingsError;
use cocoon_bindings::governance::members;
use cocoon_bindings::governor::GovernorBody;
use cocoon_bindings::root::{HashRole, RootMessage};
use cocoon_bindings::ton::Cell;
use cocoon_bindings::units::Nanoton;

use super::Change;
use super::own::listed;
use crate::OwnerError;

impl Change {
    /// What it does, for a person, in one line.
    pub fn says(&self) -> Result<String, OwnerError> {
        let list = |role: &HashRole| match role {
            HashRole::Proxy => "proxy image",
            HashRole::Worker => "worker image",
            HashRole::Model => "model",
        };
        let codes = |proxy: &Cell, worker: &Cell, client: &Cell| {
            format!(
                "{} for proxies, {} for workers, {} for clients",
                proxy.repr_hash(),
                worker.repr_hash(),
                client.repr_hash()
            )
        };
        let terms = |price: Nanoton, fee: Nanoton, delays: [u32; 2], stakes: [Nanoton; 2]| {
            format!(
                "{price} for a token, {fee} of it to the worker; delays before close {} s (proxy) and {} s (client); stakes {} \
                 (proxy) and {} (client)",
                delays[0], delays[1], stakes[0], stakes[1]
            )
        };
        let until = |time: u32| match time {
            0 => "without an end".to_owned(),
            time => format!("until {}", crate::date(time)),
        };
        Ok(match self {
            Self::Root(message) => match message.as_ref() {
                RootMessage::AddWorkerHashFromOwner(add) => format!("trust worker image {}", add.hash),
                RootMessage::AddProxyHashFromOwner(add) => format!("trust proxy image {}", add.hash),
                RootMessage::AddModelHashFromOwner(add) => format!("admit model {}", add.hash),
                RootMessage::DeleteWorkerHashFromOwner(delete) => {
                    format!("trust worker image {} no longer", delete.hash)
                }
                RootMessage::DeleteProxyHashFromOwner(delete) => format!("trust proxy image {} no longer", delete.hash),
                RootMessage::DeleteModelHashFromOwner(delete) => format!("admit model {} no longer", delete.hash),
                RootMessage::RegisterProxyFromOwner(register) => format!("list a proxy at {}", register.endpoints),
                RootMessage::UnregisterProxyFromOwner(remove) => format!("take proxy {} off the list", remove.seqno),
                RootMessage::UpdateProxyFromOwner(update) => {
                    format!("say that proxy {} listens at {}", update.seqno, update.endpoints)
                }
                RootMessage::ChangePricesFromOwner(prices) => format!(
                    "set the price of a token to {}, the worker's part to {}",
                    prices.price_per_token, prices.worker_fee_per_token
                ),
                RootMessage::ChangeParamsFromOwner(new) => format!(
                    "change prices, delays and stakes: {}",
                    terms(
                        new.price_per_token,
                        new.worker_fee_per_token,
                        [new.proxy_delay_before_close, new.client_delay_before_close],
                        [new.min_proxy_stake, new.min_client_stake]
                    )
                ),
                RootMessage::ChangeAllParamsFromOwner(new) => format!(
                    "change all the terms: {}; weights {}, {}, {} and {} per 10,000",
                    terms(
                        new.price_per_token,
                        new.worker_fee_per_token,
                        [new.proxy_delay_before_close, new.client_delay_before_close],
                        [new.min_proxy_stake, new.min_client_stake]
                    ),
                    new.prompt_mul,
                    new.cached_mul,
                    new.completion_mul,
                    new.reasoning_mul
                ),
                RootMessage::ChangeCodesFromOwner(new) => format!(
                    "change the codes of new contracts to {}",
                    codes(&new.proxy_code, &new.worker_code, &new.client_code)
                ),
                RootMessage::UpgradeCodeFromOwner(upgrade) => {
                    format!("replace the root contract's code by {}", upgrade.code.repr_hash())
                }
                RootMessage::UpgradeFullFromOwner(upgrade) => format!(
                    "replace the root contract's code by {} and ALL its data by {}",
                    upgrade.code.repr_hash(),
                    upgrade.data.repr_hash()
                ),
                RootMessage::ResetFromOwner(_) => "EMPTY all lists of images, models and proxies".to_owned(),
                RootMessage::ChangeOwnerFromOwner(hand) => {
                    format!("hand the root contract over to {} at once", hand.new_owner)
                }
                RootMessage::AddImageFromOwner(add) => format!(
                    "trust {} {} {:?}, {}",
                    list(&add.role),
                    add.hash,
                    add.descriptor.label.as_str(),
                    until(add.descriptor.times.retire_after)
                ),
                RootMessage::AddModelFromOwner(add) => format!(
                    "admit model {} {:?}, {}",
                    add.hash,
                    add.descriptor.label.as_str(),
                    until(add.descriptor.times.retire_after)
                ),
                RootMessage::DescribeHashFromOwner(describe) => {
                    format!("say what is known of {} {}", list(&describe.role), describe.hash)
                }
                RootMessage::ScheduleRetirementFromOwner(retire) => format!(
                    "trust {} {} {}",
                    list(&retire.role),
                    retire.hash,
                    until(retire.retire_after)
                ),
                RootMessage::RetireHash(retire) => {
                    format!("take {} {} off its list after its end", list(&retire.role), retire.hash)
                }
                RootMessage::ChangeRebuildersFromOwner(change) => format!(
                    "replace the rebuilders: {} keys, {} must attest an image",
                    change
                        .rebuilders
                        .public_keys()
                        .map_err(BindingsError::layout("rebuilders"))?
                        .len(),
                    change.rebuilders.threshold
                ),
                RootMessage::OfferOwnershipFromOwner(offer) if offer.until == 0 => {
                    "withdraw the offer of the root contract".to_owned()
                }
                RootMessage::OfferOwnershipFromOwner(offer) => format!(
                    "offer the root contract to {} until {}",
                    offer.new_owner,
                    crate::date(offer.until)
                ),
                RootMessage::AcceptOwnership(_) => "take over the root contract that was offered".to_owned(),
                RootMessage::DoNotProcess(_) => "leave a note".to_owned(),
            },
            Self::Governor(own) => match own {
                GovernorBody::ChangeSigners(new) => format!(
                    "replace the signers by {}; {} must approve, {} to revoke",
                    listed(&members(new.signers.clone())?),
                    new.threshold,
                    new.revoke_threshold
                ),
                GovernorBody::ChangeCouncil(new) => {
                    format!("replace the council by {}", listed(&members(new.council.clone())?))
                }
                GovernorBody::ChangeDelays(new) => format!(
                    "let changes wait {} s, and critical ones {} s",
                    new.change_delay, new.critical_delay
                ),
                GovernorBody::LiftPause(_) => "end the council's pause".to_owned(),
                GovernorBody::WithdrawSurplus(pay) => {
                    format!("pay {} of the governor's coins to {}", pay.amount, pay.to)
                }
            },
        })
    }
}
