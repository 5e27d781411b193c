//! What was typed as a change: files are read, names and days become hashes and times.

use std::path::Path;

use cocoon_bindings::governance::member_dictionary;
use cocoon_bindings::governor::{self, GovernorBody};
use cocoon_bindings::root::HashRole;
use cocoon_bindings::ton::{Address, Cell, HashBytes, parse_boc, parse_boc_base64};
use cocoon_bindings::{ContractKind, HashDescriptor, ManifestHash, QueryId, TrustTimes};

use cocoon_manifest::{ImageManifest, ManifestError, ModelManifest, ModelName};
use cocoon_owner::governance::{Change, RootState};
use cocoon_owner::{date, day_after};

use super::by_index;
use crate::args::governance::{CodeKind, Described, End, Role, RootChange, Source};
use crate::args::governor::ProposalBody;
use crate::command::image::measured_hash;
use crate::failure::{self, Exit, Failure, OrFail as _};
use crate::input;

/// Bytes of a manifest or of what `image measure --json` printed: a line for each file of a model, some hundred of them.
const MAX_SOURCE_BYTES: usize = 4 * 1024 * 1024;
/// Bytes of a contract's code. Those of ours have some KiB; in base64 a third more.
const MAX_CODE_BYTES: usize = 256 * 1024;

const NAME_HINT: &str = "give 64 hex digits, or a file that `cocoon image measure` or `cocoon model manifest` wrote";

/// What is listed, with its manifest where that was given.
struct Meant {
    hash: HashBytes,
    manifest: Option<ManifestHash>,
}

/// A change that can be proposed, as it is meant for a root contract of today.
pub(crate) fn change(body: &ProposalBody, root: &RootState) -> Result<Change, Failure> {
    let dictionary = |members: &[Address]| {
        member_dictionary(&by_index(members.to_vec())).map_err(|error| Failure::from(anyhow::Error::from(error)))
    };
    let query_id = QueryId::new(0);
    Ok(match body {
        ProposalBody::Root(change) => return root_change(change, root),
        ProposalBody::ChangeSigners {
            signers,
            threshold,
            revoke_threshold,
        } => Change::governor(GovernorBody::ChangeSigners(governor::ChangeSigners {
            query_id,
            threshold: *threshold,
            revoke_threshold: *revoke_threshold,
            signers: dictionary(signers)?,
        })),
        ProposalBody::ChangeCouncil { council } => {
            let council = dictionary(council)?;
            Change::governor(GovernorBody::ChangeCouncil(governor::ChangeCouncil {
                query_id,
                council,
            }))
        }
        ProposalBody::LiftPause => Change::lift_pause(),
    })
}

/// A change by a message to a root contract of today.
pub(crate) fn root_change(change: &RootChange, root: &RootState) -> Result<Change, Failure> {
    let now = root.account.time;
    Ok(match change {
        RootChange::AddImage { role, image, described } => {
            let meant = image_meant(image)?;
            Change::list(list_of(*role), meant.hash, descriptor(described, &meant)?)
        }
        RootChange::DeleteImage { role, image } => Change::delete(list_of(*role), image_meant(image)?.hash),
        RootChange::RetireImage { role, image, end } => {
            Change::retire(list_of(*role), image_meant(image)?.hash, end_of(end, now)?)
        }
        RootChange::AddModel { model, described } => {
            let meant = model_meant(model)?;
            Change::list(HashRole::Model, meant.hash, descriptor(described, &meant)?)
        }
        RootChange::DeleteModel { model } => Change::delete(HashRole::Model, model_meant(model)?.hash),
        RootChange::RetireModel { model, end } => {
            Change::retire(HashRole::Model, model_meant(model)?.hash, end_of(end, now)?)
        }
        RootChange::RegisterProxy { endpoints } => Change::register(endpoints.clone()),
        RootChange::UnregisterProxy { seqno } => Change::unregister(*seqno),
        RootChange::ChangePrices { price, worker_fee } => Change::prices(*price, *worker_fee),
        RootChange::OfferOwnership { new_owner, days, until } => {
            let until = until.map_or_else(|| in_days(now, *days), Ok)?;
            Change::offer(new_owner.clone(), until)
        }
        RootChange::AcceptOwnership => Change::accept(),
        RootChange::UpgradeCode { kind, file } => {
            let kind = match kind {
                CodeKind::Proxy => ContractKind::Proxy,
                CodeKind::Worker => ContractKind::Worker,
                CodeKind::Client => ContractKind::Client,
                CodeKind::Root => ContractKind::Root,
            };
            let code = match file {
                Some(path) => code_in(path)?,
                None => kind.code().map_err(anyhow::Error::from)?,
            };
            Change::code(kind, code, &root.storage.params).map_err(failure::from_owner)?
        }
    })
}

fn list_of(role: Role) -> HashRole {
    match role {
        Role::Worker => HashRole::Worker,
        Role::Proxy => HashRole::Proxy,
    }
}

fn descriptor(described: &Described, meant: &Meant) -> Result<Option<HashDescriptor>, Failure> {
    let manifest_hash = meant.manifest.filter(|_| described.with_manifest);
    if described.with_manifest && manifest_hash.is_none() {
        let error = anyhow::anyhow!("there is no manifest whose hash could be listed");
        let hint = "name the file that `cocoon image measure --manifest` or `cocoon model manifest` wrote";
        return Err(Failure::new(Exit::Usage, error, hint));
    }
    if manifest_hash.is_none() && described.label.is_none() && described.until.is_none() {
        return Ok(None);
    }
    Ok(Some(HashDescriptor {
        manifest_hash,
        times: TrustTimes {
            not_before: 0,
            retire_after: described.until.unwrap_or(0),
        },
        label: described.label.clone().unwrap_or_default(),
    }))
}

fn end_of(end: &End, now: u32) -> Result<u32, Failure> {
    match (end.on, end.in_days) {
        (Some(on), _) => Ok(on),
        (None, Some(days)) => in_days(now, days),
        // clap wants one of the three.
        (None, None) => Ok(0),
    }
}

/// The option that says on any day what days, counted from today, say only today; none where no days were typed.
pub(crate) fn repeatable_end(change: &RootChange, now: u32) -> Result<Option<String>, Failure> {
    let (option, days) = match change {
        RootChange::RetireImage { end, .. } | RootChange::RetireModel { end, .. } => ("--on", end.in_days),
        RootChange::OfferOwnership { days, until: None, .. } => ("--until", Some(*days)),
        _ => return Ok(None),
    };
    let Some(days) = days else { return Ok(None) };
    let day: String = date(in_days(now, days)?).chars().take(10).collect();
    Ok(Some(format!("{option} {day}")))
}

fn in_days(now: u32, days: u32) -> Result<u32, Failure> {
    day_after(now, days).ok_or_else(|| {
        let error = anyhow::anyhow!("a day {days} days from today is too far away");
        Failure::new(Exit::Usage, error, "give a smaller number")
    })
}

fn image_meant(source: &Source) -> Result<Meant, Failure> {
    let name = match source {
        Source::Hash(hash) => {
            let (hash, manifest) = (*hash, None);
            return Ok(Meant { hash, manifest });
        }
        Source::Named(name) => name,
    };
    let bytes = input::read(Path::new(name), MAX_SOURCE_BYTES, NAME_HINT)?;
    if let Some(hash) = measured_hash(&bytes) {
        let manifest = None;
        return Ok(Meant { hash, manifest });
    }
    let manifest = ImageManifest::parse(&bytes).map_err(|error| not_named(name, error))?;
    Ok(Meant {
        hash: manifest.image_hash().to_hash_bytes(),
        manifest: Some(manifest.hash()),
    })
}

fn model_meant(source: &Source) -> Result<Meant, Failure> {
    let text = match source {
        Source::Hash(hash) => {
            let (hash, manifest) = (*hash, None);
            return Ok(Meant { hash, manifest });
        }
        Source::Named(text) => text,
    };
    let name = text.parse::<ModelName>().ok();
    if let Some(name) = name.filter(|name| name.verity_hash().is_some()) {
        return Ok(Meant {
            hash: name.model_hash().to_hash_bytes(),
            manifest: None,
        });
    }
    let bytes = input::read(Path::new(text), MAX_SOURCE_BYTES, NAME_HINT)?;
    let manifest = ModelManifest::parse(&bytes).map_err(|error| not_named(text, error))?;
    Ok(Meant {
        hash: manifest.name().model_hash().to_hash_bytes(),
        manifest: Some(manifest.hash()),
    })
}

fn not_named(name: &str, error: ManifestError) -> Failure {
    let error = anyhow::Error::from(error).context(format!("{name} does not say which hash is meant"));
    Failure::new(Exit::Configuration, error, NAME_HINT)
}

fn code_in(path: &Path) -> Result<Cell, Failure> {
    let hint = "the code is a bag of cells, as bytes or in base64";
    let bytes = input::read(path, MAX_CODE_BYTES, hint)?;
    let in_base64 = || parse_boc_base64(std::str::from_utf8(&bytes).ok()?.trim()).ok();
    match parse_boc(&bytes).ok().or_else(in_base64) {
        Some(code) => Ok(code),
        None => Err(anyhow::anyhow!("{} holds no code", path.display())).or_fail(
            Exit::Configuration,
            "the code cannot be read",
            hint,
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use cocoon_owner::end_of_day;

    #[test]
    fn days_from_today_have_a_form_that_means_the_same_tomorrow() {
        let now = 1_790_000_000;
        let in_days = RootChange::RetireModel {
            model: Source::Hash(HashBytes::ZERO),
            end: End {
                on: None,
                in_days: Some(30),
                never: false,
            },
        };
        let option = repeatable_end(&in_days, now).unwrap().unwrap();
        let typed = end_of_day(option.strip_prefix("--on ").unwrap());
        assert_eq!(typed, day_after(now, 30));
        let offer = |until| RootChange::OfferOwnership {
            new_owner: Address::new(0, [1; 32].into()),
            days: 14,
            until,
        };
        let option = repeatable_end(&offer(None), now).unwrap().unwrap();
        assert_eq!(end_of_day(option.strip_prefix("--until ").unwrap()), day_after(now, 14));
        assert_eq!(repeatable_end(&offer(Some(1)), now).unwrap(), None);
        assert_eq!(repeatable_end(&RootChange::AcceptOwnership, now).unwrap(), None);
    }
}
