//! `release.json`: what a release says of itself, compared with this program and with a network.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use cocoon_attest::Fact;
use cocoon_bindings::{ContractKind, ImageHash};
use cocoon_chain::RootView;
use serde::Deserialize;

use super::super::sums::Sums;
use super::super::told::Finding;
use super::text_of;
use crate::failure::Failure;

/// Description of the release.
const DESCRIPTION: &str = "release.json";
/// Its form, which older programs refuse to read when it changes.
const FORMAT: u32 = 1;
/// Bytes of the description: some kilobytes are usual.
const MAX_DESCRIPTION_BYTES: usize = 1 << 20;

/// What `release.json` says; what else it says is for people.
#[derive(Debug, Deserialize)]
pub(super) struct Description {
    format: u32,
    pub(super) version: String,
    pub(super) commit: String,
    program: Program,
    /// Hashes of guest images that belong to the release.
    #[serde(default)]
    images: Vec<Image>,
}

/// What `cocoon version --json` of the released program prints.
#[derive(Debug, Deserialize)]
struct Program {
    contracts: BTreeMap<String, String>,
}

#[derive(Debug, Deserialize)]
struct Image {
    role: ImageRole,
    image_hash: ImageHash,
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
enum ImageRole {
    Proxy,
    Worker,
}

/// What became of reading it.
#[derive(Debug)]
pub(super) enum Read {
    Description(Description),
    /// It says nothing that this program could compare; not there, or of another form.
    Nothing(Finding),
    /// It is not the one that the list names.
    NotListed(Finding),
}

impl Read {
    /// Whether nothing but the listed description was met.
    pub(super) fn is_listed(&self) -> bool {
        !matches!(self, Self::NotListed(_))
    }
}

impl Description {
    /// Reads the description of a release; where one file is meant, it need not be there.
    pub(super) fn read(sums: &Sums, folder: &Path, may_be_absent: bool) -> Result<Read, Failure> {
        let path = folder.join(DESCRIPTION);
        if may_be_absent && std::fs::symlink_metadata(&path).is_err() {
            let says = format!("{DESCRIPTION} is not beside it: version, contracts and images were not compared");
            return Ok(Read::Nothing(Finding::new("description", Fact::Unknown, says)));
        }
        if let Some(difference) = sums.difference_of(folder, DESCRIPTION)? {
            return Ok(Read::NotListed(Finding::of("description", false, difference)));
        }
        let text = text_of(&path, MAX_DESCRIPTION_BYTES)?;
        let refused = |says: String| Ok(Read::Nothing(Finding::of("description", false, says)));
        match serde_json::from_str::<Self>(&text) {
            Ok(description) if description.format == FORMAT => Ok(Read::Description(description)),
            Ok(description) => refused(format!(
                "{DESCRIPTION} is of format {}, and this program reads {FORMAT}",
                description.format
            )),
            Err(error) => refused(format!("{DESCRIPTION} does not describe a release: {error}")),
        }
    }

    /// What it says, compared with this program and with a network.
    pub(super) fn findings(&self, root: Option<&RootView>) -> Result<Vec<Finding>, Failure> {
        let mut findings = vec![contracts(&self.program.contracts)?];
        findings.extend(images(&self.images, root));
        Ok(findings)
    }
}

/// Whether the released program deploys the contracts that this one knows.
fn contracts(theirs: &BTreeMap<String, String>) -> Result<Finding, Failure> {
    let mut ours = BTreeMap::new();
    for kind in ContractKind::ALL {
        let hash = kind.code_hash().map_err(anyhow::Error::from)?;
        ours.insert(kind.to_string(), hash.to_string());
    }
    let names: BTreeSet<&String> = ours.keys().chain(theirs.keys()).collect();
    let differing = names.into_iter().find(|name| ours.get(*name) != theirs.get(*name));
    Ok(match differing {
        None => Finding::of(
            "contracts",
            true,
            format!(
                "{DESCRIPTION} says that the code of all {} is that of this program",
                ours.len()
            ),
        ),
        Some(name) => {
            let hash = |map: &BTreeMap<String, String>| map.get(name).map_or("none", String::as_str).to_owned();
            let says = format!(
                "the {name} contract's code is {} by {DESCRIPTION} and {} in this program",
                hash(theirs),
                hash(&ours)
            );
            Finding::of("contracts", false, says)
        }
    })
}

/// Whether a network lists the images of the release.
fn images(images: &[Image], root: Option<&RootView>) -> Vec<Finding> {
    let unknown = |says: &str| vec![Finding::new("images", Fact::Unknown, says)];
    let Some(root) = root else {
        return unknown("no network was named whose lists could be compared");
    };
    if images.is_empty() {
        return unknown("the release holds no guest image");
    }
    let of = |image: &Image| {
        let hash = &image.image_hash;
        let (listed, list) = match image.role {
            ImageRole::Proxy => (root.allows_proxy_image(hash), "proxies"),
            ImageRole::Worker => (root.allows_worker_image(hash), "workers"),
        };
        let word = if listed { "is" } else { "is not" };
        Finding::of(
            "images",
            listed,
            format!("{hash} {word} listed for {list} by the root contract"),
        )
    };
    images.iter().map(of).collect()
}
