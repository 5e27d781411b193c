//! `cocoon image verify`: recomputes everything about an image.

use serde::Serialize;

use cocoon_manifest::ImageManifest;
use cocoon_manifest::limits::MAX_MANIFEST_BYTES;

use super::folder::{Folder, read, text};
use super::from_manifest;
use super::measure::Registers;
use super::root;
use crate::args::image::VerifyArgs;
use crate::failure::{Exit, Failure, OrFail as _};
use crate::output::Output;

/// Bytes of the expected registers: some kilobytes are usual.
const MAX_EXPECTED_BYTES: usize = 1 << 20;

/// The verdict.
#[derive(Debug, Serialize)]
pub(super) struct Verdict {
    /// Whether nothing differs.
    pub(super) verified: bool,
    /// Root of the hash tree in the boot line.
    pub(super) root_hash: String,
    /// Id of the configuration's tree.
    pub(super) spec_tree: String,
    /// Whether the image opens a console.
    pub(super) debug: bool,
    /// Hash of the image, when it was compared.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) image_hash: Option<String>,
    /// Everything that differs.
    pub(super) differences: Vec<String>,
}

/// Verifies an image.
pub(crate) fn verify(args: &VerifyArgs, output: Output) -> Result<Exit, Failure> {
    let folder = Folder::load(&args.folder)?;
    let mut verdict = of(&folder)?;
    if let (Some(shape), Some(firmware)) = (&args.shape, &args.firmware) {
        let measured = folder.measure(shape, firmware)?;
        let registers = Registers::new(&measured.0, &measured.1);
        if let Some(expect) = &args.expect {
            let expected: Registers = serde_json::from_str(&text(expect, MAX_EXPECTED_BYTES)?).or_fail(
                Exit::Configuration,
                &format!("{} does not hold registers", expect.display()),
                "`cocoon image measure --json` prints them",
            )?;
            verdict.differences.extend(differences(&registers, &expected));
        }
        if let Some(path) = &args.manifest {
            let expected = ImageManifest::parse(&read(path, MAX_MANIFEST_BYTES)?).map_err(from_manifest)?;
            let found = folder.manifest(&expected.parts().name, (shape, firmware), &measured)?;
            let differences = found.differences(&expected);
            verdict.differences.extend(differences.iter().map(ToString::to_string));
        }
        verdict.image_hash = Some(registers.image_hash);
    }
    verdict.verified = verdict.differences.is_empty();
    show(&verdict, output)
}

/// The verdict about root and configuration.
pub(super) fn of(folder: &Folder) -> Result<Verdict, Failure> {
    let differences: Vec<String> = root::check(&folder.root(), &folder.boot)?.into_iter().collect();
    Ok(Verdict {
        verified: differences.is_empty(),
        root_hash: hex::encode(folder.boot.root_hash),
        spec_tree: folder.spec.tree_id().to_string(),
        debug: folder.boot.debug,
        image_hash: None,
        differences,
    })
}

/// Prints the verdict; the exit code follows from it.
pub(super) fn show(verdict: &Verdict, output: Output) -> Result<Exit, Failure> {
    output.result(verdict, |verdict| {
        let mut lines = vec![
            format!("root {}", verdict.root_hash),
            format!("configuration {}", verdict.spec_tree),
        ];
        if verdict.debug {
            lines.push("DEBUG flavour: whoever has the console has the guest".to_owned());
        }
        lines.extend(verdict.image_hash.iter().map(|hash| format!("image hash {hash}")));
        lines.extend(
            verdict
                .differences
                .iter()
                .map(|difference| format!("DIFFERS: {difference}")),
        );
        if verdict.verified {
            lines.push("verified".to_owned());
        }
        lines.join("\n")
    })?;
    Ok(match verdict.verified {
        true => Exit::Done,
        false => Exit::Negative,
    })
}

/// Which measurements differ, by name; a register that differs without one has other things measured into it.
fn differences(found: &Registers, expected: &Registers) -> Vec<String> {
    let mut all = Vec::new();
    if found.shape != expected.shape {
        all.push(format!("the shape is `{}`, not `{}`", found.shape, expected.shape));
    }
    if found.mrtd != expected.mrtd {
        all.push("MRTD: the firmware or its page order".to_owned());
    }
    for (index, (one, other)) in found.rtmr.iter().zip(&expected.rtmr).enumerate() {
        if one == other {
            continue;
        }
        let entries = |registers: &Registers| -> Vec<(String, String)> {
            let mine = registers.log.iter().filter(|entry| entry.register == index);
            mine.map(|entry| (entry.what.clone(), entry.sha384.clone())).collect()
        };
        let (mine, theirs) = (entries(found), entries(expected));
        let first = mine.iter().zip(&theirs).find(|(one, other)| one != other);
        all.push(match first {
            Some((one, _)) => format!("RTMR{index}: {}", one.0),
            None => format!("RTMR{index}: {} measurements, not {}", mine.len(), theirs.len()),
        });
    }
    if all.is_empty() && found.image_hash != expected.image_hash {
        all.push("the image hash, though all registers are equal".to_owned());
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::image::measure::Entry;

    fn registers() -> Registers {
        let entry = |register, what: &str| Entry {
            register,
            what: what.to_owned(),
            sha384: "00".to_owned(),
        };
        Registers {
            shape: "small".into(),
            image_hash: "1".into(),
            mrtd: "2".into(),
            rtmr: ["3".into(), "4".into(), "5".into(), "6".into()],
            log: vec![
                entry(0, "list of memory"),
                entry(2, "boot line"),
                entry(2, "initial RAM disk"),
            ],
        }
    }

    #[test]
    fn a_difference_is_told_by_the_name_of_what_was_measured() {
        let mut other = registers();
        assert!(differences(&registers(), &other).is_empty());
        other.rtmr[2] = "x".into();
        other.log[2].sha384 = "11".into();
        assert_eq!(differences(&registers(), &other), ["RTMR2: initial RAM disk"]);
        other.log.pop();
        assert_eq!(differences(&registers(), &other), ["RTMR2: 2 measurements, not 1"]);
        other.mrtd = "x".into();
        assert_eq!(differences(&registers(), &other).len(), 2);
    }
}
