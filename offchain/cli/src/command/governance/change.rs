//! What was typed as a change: files are read, names and days become hashes and times.

use std::path::Path;

use cocoon_bindings::governance::member_dictionary;
use cocoon_bindings::governor::{self, GovernorBody};
use cocoon_bindings::root::HashRole;
use cocoon_bindings::ton::{Address, Cell, HashBytes, parse_boc, parse_boc_base64};
use cocoon_bindings::{ContractKind, HashDescriptor, ManifestHash, QueryId, TrustTimes};

use cocoon_manifest::{ImageManifest, ManifestError, ModelManifest, ModelName};
use cocoon_owner::day_after;
use cocoon_owner::governance::{Change, RootState};

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
        RootChange::OfferOwnership { new_owner, days } => Change::offer(new_owner.clone(), in_days(now, *days)?),
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
