//! `cocoon verify release`: whether files are those of a release, who made it, and whether it is for a network.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use cocoon_attest::Fact;
use cocoon_bindings::{ContractKind, ImageHash};
use cocoon_chain::RootView;
use minisign_verify::{PublicKey, Signature};
use serde::{Deserialize, Serialize};

use super::sums::{MAX_SUMS_BYTES, SIGNATURE, SUMS, Sums};
use super::told::{Finding, first_refuted, lines};
use crate::args::Global;
use crate::args::verify::{ReleaseKey, VerifyReleaseArgs};
use crate::command::root;
use crate::failure::{Exit, Failure, OrFail as _};
use crate::input;
use crate::output::Output;

/// Description of the release.
const DESCRIPTION: &str = "release.json";
/// Its form, which older programs refuse to read when it changes.
const FORMAT: u32 = 1;
/// Bytes of the description: some kilobytes are usual.
const MAX_DESCRIPTION_BYTES: usize = 1 << 20;
/// Bytes of a public key or a signature with their comments.
const MAX_SIGNATURE_BYTES: usize = 16 * 1024;

const HINT: &str = "name the folder that `scripts/release/build` writes, or a file in it";
const KEY_HINT: &str = "a key of minisign is one line of base64 that begins with RW, or the file minisign.pub";

/// What `release.json` says; what else it says is for people.
#[derive(Debug, Deserialize)]
struct Description {
    format: u32,
    version: String,
    commit: String,
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

#[derive(Debug, Serialize)]
struct Shown {
    release: String,
    verified: bool,
    /// False only where it was asked for without a key: then nothing says who made the release.
    signed: bool,
    version: Option<String>,
    commit: Option<String>,
    /// What the signer wrote under the signature, signed too.
    comment: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    difference: Option<String>,
    findings: Vec<Finding>,
}

/// Runs the command.
pub(crate) async fn release(global: &Global, args: VerifyReleaseArgs, output: Output) -> Result<Exit, Failure> {
    let (folder, file) = place(&args.release)?;
    let key = public_key(&args.key)?;
    let network_is_named = args.place.chain_url.is_some() || global.network.is_some();
    let root = match network_is_named {
        true => Some(root::view(global, args.place.clone()).await?.1),
        false => None,
    };
    let shown = judge(&folder, file.as_deref(), key.as_ref(), root.as_ref())?;
    output.result(&shown, text)?;
    if shown.verified {
        return Ok(Exit::Done);
    }
    if output.json {
        output.note(sentence(&shown));
    }
    Ok(Exit::Negative)
}

/// The folder of a release, and the file of it that is meant.
fn place(release: &Path) -> Result<(PathBuf, Option<String>), Failure> {
    if release.is_dir() {
        return Ok((release.to_owned(), None));
    }
    let doing = format!("there is no release {}", release.display());
    let file = release.canonicalize().or_fail(Exit::Configuration, &doing, HINT)?;
    let folder = file
        .ancestors()
        .skip(1)
        .take(3)
        .find(|folder| folder.join(SUMS).is_file());
    let inside = folder.and_then(|folder| Some((folder, file.strip_prefix(folder).ok()?.to_str()?)));
    match inside {
        Some((folder, name)) => Ok((folder.to_owned(), Some(name.to_owned()).filter(|name| name != SUMS))),
        None => {
            let error = anyhow::anyhow!("no {SUMS} lies beside {}", release.display());
            Err(Failure::new(Exit::Configuration, error, HINT))
        }
    }
}

/// The key whose signature counts; none only where that was typed.
fn public_key(key: &ReleaseKey) -> Result<Option<PublicKey>, Failure> {
    if let Some(text) = &key.key {
        let key = PublicKey::from_base64(text.trim());
        return key.map(Some).or_fail(Exit::Usage, "this is no public key", KEY_HINT);
    }
    let Some(path) = &key.key_file else {
        return Ok(None);
    };
    let text = text_of(path, MAX_SIGNATURE_BYTES)?;
    let parsed = match text.lines().count() {
        1 => PublicKey::from_base64(text.trim()),
        _ => PublicKey::decode(&text),
    };
    let doing = format!("{} holds no public key", path.display());
    parsed.map(Some).or_fail(Exit::Configuration, &doing, KEY_HINT)
}

/// Looks at everything, in the order in which it rests on each other.
fn judge(
    folder: &Path,
    file: Option<&str>,
    key: Option<&PublicKey>,
    root: Option<&RootView>,
) -> Result<Shown, Failure> {
    let mut shown = Shown {
        release: folder.display().to_string(),
        verified: false,
        signed: false,
        version: None,
        commit: None,
        comment: None,
        difference: None,
        findings: Vec::new(),
    };
    let bytes = input::read(&folder.join(SUMS), MAX_SUMS_BYTES, HINT)?;
    let (finding, comment) = signature(folder, &bytes, key)?;
    shown.signed = finding.fact == Fact::Proven;
    shown.comment = comment;
    shown.findings.push(finding);
    match Sums::parse(&String::from_utf8_lossy(&bytes)) {
        Err(error) => shown.findings.push(Finding::of("files", false, error)),
        Ok(sums) => {
            shown.findings.push(files(&sums, folder, file)?);
            described(&sums, folder, root, &mut shown)?;
        }
    }
    shown.difference = first_refuted(&shown.findings).map(|finding| finding.says.clone());
    shown.verified = shown.difference.is_none();
    Ok(shown)
}

/// Who signed the list.
fn signature(folder: &Path, sums: &[u8], key: Option<&PublicKey>) -> Result<(Finding, Option<String>), Failure> {
    let of = |holds, says: String| (Finding::of("signature", holds, says), None);
    let Some(key) = key else {
        let says = "NOT LOOKED AT: nothing says who made this release";
        return Ok((Finding::new("signature", Fact::Unknown, says), None));
    };
    let path = folder.join(SIGNATURE);
    if !path.exists() {
        return Ok(of(false, format!("there is no {SIGNATURE}")));
    }
    let text = text_of(&path, MAX_SIGNATURE_BYTES)?;
    let signature = match Signature::decode(&text) {
        Ok(signature) => signature,
        Err(error) => return Ok(of(false, format!("{SIGNATURE} is no signature of minisign: {error}"))),
    };
    // Signatures that do not hash first were minisign's usual ones until 2021, and OpenBSD's signify still makes them.
    match key.verify(sums, &signature, true) {
        Ok(()) => {
            let comment = signature.trusted_comment().to_owned();
            let says = format!("of {SUMS} by the key that was named; it says: {comment}");
            Ok((Finding::of("signature", true, says), Some(comment)))
        }
        Err(error) => Ok(of(
            false,
            format!("{SIGNATURE} is not of the key that was named: {error}"),
        )),
    }
}

/// Whether the files are those of the list.
fn files(sums: &Sums, folder: &Path, file: Option<&str>) -> Result<Finding, Failure> {
    let difference = match file {
        Some(name) => sums.difference_of(folder, name)?,
        None => sums.difference(folder)?,
    };
    Ok(match (difference, file) {
        (Some(difference), _) => Finding::of("files", false, difference),
        (None, Some(name)) => Finding::of("files", true, format!("{name} is the one that is listed")),
        (None, None) => Finding::of("files", true, format!("all {} are those that are listed", sums.len())),
    })
}

/// What the description says, compared with this program and with a network.
fn described(sums: &Sums, folder: &Path, root: Option<&RootView>, shown: &mut Shown) -> Result<(), Failure> {
    if let Some(difference) = sums.difference_of(folder, DESCRIPTION)? {
        // Told by `files` already where the whole folder is looked at; a description that is not the listed one proves nothing.
        shown.findings.push(Finding::of("description", false, difference));
        return Ok(());
    }
    let text = text_of(&folder.join(DESCRIPTION), MAX_DESCRIPTION_BYTES)?;
    let description: Description = match serde_json::from_str(&text) {
        Ok(description) => description,
        Err(error) => {
            let says = format!("{DESCRIPTION} does not describe a release: {error}");
            shown.findings.push(Finding::of("description", false, says));
            return Ok(());
        }
    };
    if description.format != FORMAT {
        let says = format!(
            "{DESCRIPTION} is of format {}, and this program reads {FORMAT}",
            description.format
        );
        shown.findings.push(Finding::of("description", false, says));
        return Ok(());
    }
    shown.findings.push(contracts(&description.program.contracts)?);
    shown.findings.extend(images(&description.images, root));
    shown.version = Some(description.version);
    shown.commit = Some(description.commit);
    Ok(())
}

/// Whether the released program deploys the contracts that this one knows.
fn contracts(theirs: &BTreeMap<String, String>) -> Result<Finding, Failure> {
    let mut ours = BTreeMap::new();
    for kind in ContractKind::ALL {
        let hash = kind.code_hash().map_err(anyhow::Error::from)?;
        ours.insert(kind.to_string(), hash.to_string());
    }
    let names: std::collections::BTreeSet<&String> = ours.keys().chain(theirs.keys()).collect();
    let differing = names.into_iter().find(|name| ours.get(*name) != theirs.get(*name));
    Ok(match differing {
        None => Finding::of(
            "contracts",
            true,
            format!("the code of all {} is that of this program", ours.len()),
        ),
        Some(name) => {
            let hash = |map: &BTreeMap<String, String>| map.get(name).map_or("none", String::as_str).to_owned();
            let says = format!(
                "the {name} contract's code is {} there and {} in this program",
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

fn text_of(path: &Path, limit: usize) -> Result<String, Failure> {
    let bytes = input::read(path, limit, HINT)?;
    String::from_utf8(bytes).or_fail(Exit::Configuration, &format!("{} is no text", path.display()), HINT)
}

fn sentence(shown: &Shown) -> String {
    match (&shown.difference, shown.signed) {
        (Some(difference), _) => format!("This is NOT the release: {difference}"),
        (None, true) => "Verified: the files are those that were signed".to_owned(),
        (None, false) => "UNSIGNED: the files agree with each other, and nothing says who made them".to_owned(),
    }
}

fn text(shown: &Shown) -> String {
    let mut text = vec![sentence(shown)];
    if let (Some(version), Some(commit)) = (&shown.version, &shown.commit) {
        text.push(format!("release  cocoon {version}, commit {commit}"));
    }
    text.extend(lines(&shown.findings));
    text.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "RWQBAgMEBQYHCBl/ayPhbIUyxqvIOPrNXqeJvgx2spIDNAOb+os9No1h";
    const LIST: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855  bin/cocoon\n";
    /// Hashed first with BLAKE2b, as minisign does it today; made with Python's `cryptography` and `hashlib`.
    const SIGNED: &str = "untrusted comment: signature from minisign secret key
RUQBAgMEBQYHCJD1PLsw8srbmiIIL+X4JhVB0/T10FcXx0S26q/iYeCNER1E8X67UmSfAZeX/r1KSERiszYDdXS3G1agDNnLsg4=
trusted comment: timestamp:1790000000\tfile:SHA256SUMS\thashed
Z0V9GCaR9J7uZzxRTao2wnk+JDZGHtw0vrV7lp9KNaVRmh6IPJ+vmW3RkBNmf9VpvZAk+/zbNWcNBPbe0DqnBQ==
";

    #[test]
    fn a_signature_of_another_program_is_verified_and_every_change_refuses_it() {
        let folder = tempfile::tempdir().unwrap();
        let key = PublicKey::from_base64(KEY).unwrap();
        let judged = |text: &str, list: &str| {
            std::fs::write(folder.path().join(SIGNATURE), text).unwrap();
            signature(folder.path(), list.as_bytes(), Some(&key)).unwrap()
        };
        let (finding, comment) = judged(SIGNED, LIST);
        assert_eq!(finding.fact, Fact::Proven, "{finding:?}");
        assert!(comment.unwrap().contains("file:SHA256SUMS"));
        for (text, list) in [
            (SIGNED.to_owned(), LIST.replace("bin", "bit")),
            (SIGNED.replace("1790000000", "1790000001"), LIST.to_owned()),
            (SIGNED.replace("RUQB", "RUQC"), LIST.to_owned()),
            ("untrusted comment: x\n".to_owned(), LIST.to_owned()),
        ] {
            let (finding, comment) = judged(&text, &list);
            assert_eq!((finding.fact, comment), (Fact::Refuted, None), "{text}");
        }
    }
}
