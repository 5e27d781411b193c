//! `cocoon image measure`: the registers and the image hash of a machine that runs an image.

use std::fmt::Write as _;

use cocoon_attest::Measurements;
use cocoon_bindings::ImageHash;
use cocoon_bindings::ton::HashBytes;
use cocoon_image::machine::{Measurement, Shape};
use serde::{Deserialize, Serialize};

use super::folder::Folder;
use crate::args::Global;
use crate::args::image::MeasureArgs;
use crate::failure::{Exit, Failure, OrFail as _};
use crate::output::Output;

/// What an image measures to, as text that other programs read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Registers {
    /// Name of the machine's shape.
    pub(super) shape: String,
    /// What the root contract lists.
    pub(super) image_hash: String,
    /// The firmware's register.
    pub(super) mrtd: String,
    /// RTMR0 to RTMR3.
    pub(super) rtmr: [String; 4],
    /// What was measured into the latter, in order.
    pub(super) log: Vec<Entry>,
}

/// A line of the log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Entry {
    /// 0 to 3.
    pub(super) register: usize,
    /// What was measured.
    pub(super) what: String,
    /// Its SHA-384.
    pub(super) sha384: String,
}

impl Registers {
    /// As text.
    pub(super) fn new(shape: &Shape, measured: &Measurement) -> Self {
        let image = Measurements {
            mrtd: measured.mrtd.0,
            rtmr: measured.rtmr.map(|register| register.0),
            ..Measurements::ZERO
        };
        Self {
            shape: shape.name.clone(),
            image_hash: image.image_hash().to_string(),
            mrtd: measured.mrtd.to_string(),
            rtmr: measured.rtmr.map(|register| register.to_string()),
            log: measured
                .log
                .iter()
                .map(|entry| Entry {
                    register: entry.register,
                    what: entry.what.clone(),
                    sha384: entry.digest.to_string(),
                })
                .collect(),
        }
    }
}

/// Measures an image.
pub(crate) fn measure(global: &Global, args: &MeasureArgs, output: Output) -> Result<Exit, Failure> {
    let folder = Folder::load(&args.folder)?;
    let machine = (args.machine.shape.as_path(), args.machine.firmware.as_path());
    let measured = folder.measure(machine.0, machine.1)?;
    if let (Some(path), Some(name)) = (&args.manifest, &args.name) {
        let manifest = folder.manifest(name, machine, &measured)?;
        std::fs::write(path, manifest.to_bytes()).or_fail(
            Exit::Configuration,
            &format!("cannot write {}", path.display()),
            "check the folder and its permissions",
        )?;
        output.note(format!("manifest {} in {}", manifest.hash(), path.display()));
    }
    output.result(&Registers::new(&measured.0, &measured.1), |registers| {
        shown(registers, global.verbose)
    })?;
    Ok(Exit::Done)
}

/// The image hash in what `image measure --json` printed; none if it is something else.
pub(crate) fn measured_hash(bytes: &[u8]) -> Option<HashBytes> {
    let registers: Registers = serde_json::from_slice(bytes).ok()?;
    let hash: ImageHash = registers.image_hash.parse().ok()?;
    Some(hash.to_hash_bytes())
}

fn shown(registers: &Registers, verbose: bool) -> String {
    let mut text = format!(
        "image hash {}\nshape      {}\nMRTD       {}\n",
        registers.image_hash, registers.shape, registers.mrtd
    );
    for (index, register) in registers.rtmr.iter().enumerate() {
        // Writing to a String cannot fail.
        let _ = writeln!(text, "RTMR{index}      {register}");
        for entry in registers.log.iter().filter(|entry| verbose && entry.register == index) {
            let _ = writeln!(text, "  {}  {}", entry.sha384, entry.what);
        }
    }
    text
}
