//! `cocoon verify release`: whether files are those of a release, who made it, and whether it is for a network.

mod description;

use std::path::{Path, PathBuf};

use cocoon_attest::Fact;
use cocoon_chain::RootView;
use minisign_verify::{PublicKey, Signature};
use serde::Serialize;

use self::description::Description;
use super::sums::{MAX_SUMS_BYTES, SIGNATURE, SUMS, Sums};
use super::told::{Finding, first_refuted, lines, printable};
use crate::args::Global;
use crate::args::verify::{ReleaseKey, VerifyReleaseArgs};
use crate::command::root;
use crate::failure::{Exit, Failure, OrFail as _};
use crate::input;
use crate::output::Output;

/// Bytes of a public key or a signature with their comments.
const MAX_SIGNATURE_BYTES: usize = 16 * 1024;

const HINT: &str = "name the folder that `scripts/release/build` writes, or a file in it";
const KEY_HINT: &str = "a key of minisign is one line of base64 that begins with RW, or the file minisign.pub";

#[derive(Debug, Serialize)]
struct Shown {
    release: String,
    /// The one file that was looked at, where one was named.
    #[serde(skip_serializing_if = "Option::is_none")]
    file: Option<String>,
    /// Nothing differs: it is what was signed, and it fits.
    verified: bool,
    /// False only where it was asked for without a key: then nothing says who made the release.
    signed: bool,
    /// The files are those that were signed, whether they fit or not.
    authentic: bool,
    /// It goes with this program and with the network that was named; null where it was not looked at.
    fits: Option<bool>,
    /// Of `release.json`, where nothing speaks against the files.
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
        Some((folder, name)) => Ok((
            folder.to_owned(),
            Some(name.to_owned()).filter(|name| name != SUMS && name != SIGNATURE),
        )),
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

/// Looks at everything, in the order in which it rests on each other: what a folder says that is not what was signed is not
/// read.
fn judge(
    folder: &Path,
    file: Option<&str>,
    key: Option<&PublicKey>,
    root: Option<&RootView>,
) -> Result<Shown, Failure> {
    let mut shown = Shown {
        release: folder.display().to_string(),
        file: file.map(str::to_owned),
        verified: false,
        signed: false,
        authentic: false,
        fits: None,
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
    let sums = match Sums::parse(&String::from_utf8_lossy(&bytes)) {
        Ok(sums) => Some(sums),
        Err(error) => {
            shown.findings.push(Finding::of("files", false, error));
            None
        }
    };
    if let Some(sums) = &sums {
        shown.findings.push(files(sums, folder, file)?);
    }
    if let Some(sums) = sums.filter(|_| first_refuted(&shown.findings).is_none()) {
        let described = Description::read(&sums, folder, file.is_some())?;
        shown.authentic = shown.signed && described.is_listed();
        shown.fit(described, root)?;
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
    // Signatures that do not hash first were minisign's usual ones until 2021.
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

fn text_of(path: &Path, limit: usize) -> Result<String, Failure> {
    let bytes = input::read(path, limit, HINT)?;
    String::from_utf8(bytes).or_fail(Exit::Configuration, &format!("{} is no text", path.display()), HINT)
}

impl Shown {
    /// What the description adds to files that nothing speaks against.
    fn fit(&mut self, described: description::Read, root: Option<&RootView>) -> Result<(), Failure> {
        let description = match described {
            description::Read::Description(description) => description,
            description::Read::Nothing(finding) => {
                let is_refuted = finding.fact == Fact::Refuted;
                self.fits = is_refuted.then_some(false);
                self.findings.push(finding);
                return Ok(());
            }
            description::Read::NotListed(finding) => {
                self.findings.push(finding);
                return Ok(());
            }
        };
        let findings = description.findings(root)?;
        self.fits = Some(first_refuted(&findings).is_none());
        self.findings.extend(findings);
        self.version = Some(description.version);
        self.commit = Some(description.commit);
        Ok(())
    }
}

fn sentence(shown: &Shown) -> String {
    let sentence = match (&shown.difference, shown.authentic, shown.fits) {
        (Some(difference), true, _) => format!("The files are those that were signed, but {difference}"),
        (Some(difference), false, Some(_)) => {
            format!("UNSIGNED: the files agree with each other, nothing says who made them, and {difference}")
        }
        (Some(difference), false, None) => format!("This is NOT the release: {difference}"),
        (None, true, _) => match &shown.file {
            Some(file) => format!("Verified: {file} is the one that was signed"),
            None => "Verified: the files are those that were signed".to_owned(),
        },
        (None, false, _) => "UNSIGNED: the files agree with each other, and nothing says who made them".to_owned(),
    };
    printable(&sentence)
}

fn text(shown: &Shown) -> String {
    let mut text = vec![sentence(shown)];
    if let (Some(version), Some(commit)) = (&shown.version, &shown.commit) {
        let (version, commit) = (printable(version), printable(commit));
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
