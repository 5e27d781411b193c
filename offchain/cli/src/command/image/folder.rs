//! The folder of a built image.

use std::path::{Path, PathBuf};

use cocoon_image::limits::{
    MAX_BOOT_LINE_BYTES, MAX_FIRMWARE_BYTES, MAX_KERNEL_BYTES, MAX_SPEC_DEPTH, MAX_SPEC_FILE_BYTES,
};
use cocoon_image::machine::{Measurement, Parts, Shape};
use cocoon_image::{BootLine, GuestConfig, Node, Spec};
use cocoon_manifest::verity::RootHash;
use cocoon_manifest::{FileHash, ImageManifest, ImageParts, ImageRegisters};

use super::{from_image, from_manifest};
use crate::failure::{Exit, Failure, OrFail as _};
use crate::input;

const HINT: &str = "`cocoon image build` makes such a folder";
/// Bytes of an initial RAM disk: ours has 4 MB, one with drivers for GPUs some hundred.
const MAX_INITRD_BYTES: usize = 1 << 30;
/// Bytes of a shape's file.
const MAX_SHAPE_BYTES: usize = 1 << 20;

/// What `scripts/image/build` writes, but for the root, which is large.
pub(super) struct Folder {
    path: PathBuf,
    kernel: Vec<u8>,
    initrd: Vec<u8>,
    boot_line: String,
    /// The boot line's words for the guest.
    pub(super) boot: BootLine,
    /// The measured configuration.
    pub(super) spec: Spec,
}

impl Folder {
    /// Reads it, and the configuration as the guest reads it.
    pub(super) fn load(path: &Path) -> Result<Self, Failure> {
        let boot_line = text(&path.join("cmdline"), MAX_BOOT_LINE_BYTES)?;
        let boot = BootLine::parse(&boot_line).map_err(from_image)?;
        let mut spec = Spec::default();
        add(&mut spec, &path.join("spec"), "", 0)?;
        GuestConfig::load(&spec).map_err(from_image)?;
        Ok(Self {
            kernel: read(&path.join("kernel"), MAX_KERNEL_BYTES)?,
            initrd: read(&path.join("initrd"), MAX_INITRD_BYTES)?,
            path: path.to_path_buf(),
            boot_line,
            boot,
            spec,
        })
    }

    /// File of the root and its hash tree.
    pub(super) fn root(&self) -> PathBuf {
        self.path.join("root.img")
    }

    /// What the image is made of and shows, for a machine that was measured.
    pub(super) fn manifest(
        &self,
        name: &str,
        machine: (&Path, &Path),
        measured: &(Shape, Measurement),
    ) -> Result<ImageManifest, Failure> {
        let ((shape_file, firmware), (shape, measured)) = (machine, measured);
        let parts = ImageParts {
            name: name.to_owned(),
            shape: shape.name.clone(),
            shape_hash: FileHash::of(&read(shape_file, MAX_SHAPE_BYTES)?),
            firmware: FileHash::of(&read(firmware, MAX_FIRMWARE_BYTES)?),
            kernel: FileHash::of(&self.kernel),
            command_line: self.boot_line.trim_end_matches('\n').to_owned(),
            initrd: FileHash::of(&self.initrd),
            root: RootHash::new(self.boot.root_hash),
            root_blocks: self.boot.data_blocks,
            config: *self.spec.tree_id().as_bytes(),
        };
        let registers = ImageRegisters {
            mrtd: measured.mrtd.0,
            rtmr: measured.rtmr.map(|register| register.0),
        };
        ImageManifest::new(parts, registers).map_err(from_manifest)
    }

    /// Computes the registers.
    pub(super) fn measure(&self, shape: &Path, firmware: &Path) -> Result<(Shape, Measurement), Failure> {
        let shape = Shape::parse(&text(shape, MAX_SHAPE_BYTES)?).map_err(from_image)?;
        let parts = Parts {
            firmware: &read(firmware, MAX_FIRMWARE_BYTES)?,
            kernel: &self.kernel,
            initrd: &self.initrd,
            boot_line: &self.boot_line,
            tree: self.spec.tree_id(),
            debug: self.boot.debug,
        };
        let measured = Measurement::compute(&shape, &parts).map_err(from_image)?;
        Ok((shape, measured))
    }
}

/// Reads a file of an image that must not be larger than `limit` bytes.
pub(super) fn read(path: &Path, limit: usize) -> Result<Vec<u8>, Failure> {
    input::read(path, limit, HINT)
}

/// Reads a text, without the line feed at its end.
pub(super) fn text(path: &Path, limit: usize) -> Result<String, Failure> {
    let text = String::from_utf8(read(path, limit)?);
    let text = text.or_fail(Exit::Configuration, &format!("{} is no text", path.display()), HINT)?;
    Ok(text.strip_suffix('\n').map(str::to_owned).unwrap_or(text))
}

fn add(spec: &mut Spec, folder: &Path, prefix: &str, depth: usize) -> Result<(), Failure> {
    let doing = format!("cannot read {}", folder.display());
    let entries = std::fs::read_dir(folder).and_then(Iterator::collect::<Result<Vec<_>, _>>);
    let mut entries = entries.or_fail(Exit::Configuration, &doing, HINT)?;
    entries.sort_by_key(std::fs::DirEntry::file_name);
    for entry in entries {
        let path = format!("{prefix}{}", entry.file_name().to_string_lossy());
        let kind = entry.file_type().or_fail(Exit::Configuration, &doing, HINT)?;
        if kind.is_dir() && depth < MAX_SPEC_DEPTH {
            add(spec, &entry.path(), &format!("{path}/"), depth + 1)?;
        } else if kind.is_file() {
            let content = read(&entry.path(), MAX_SPEC_FILE_BYTES)?;
            spec.insert(&path, Node::File(content)).map_err(from_image)?;
        } else {
            let error = anyhow::anyhow!("`{path}` in the configuration is neither a file nor a folder");
            return Err(Failure::new(
                Exit::Configuration,
                error,
                "leave it out and build the image again",
            ));
        }
    }
    Ok(())
}
