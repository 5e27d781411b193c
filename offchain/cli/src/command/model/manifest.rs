//! `cocoon model manifest`: everything that decides a model's answers, written down.

use std::path::Path;

use cocoon_engine::load_model_with;
use cocoon_engine::{ComputeDevice, EngineOptions, ManifestFailure, WeightFormat, is_embedding_model, load_embedder};
use cocoon_manifest::limits::MAX_MANIFEST_BYTES;
use cocoon_manifest::{ModelManifest, ModelName};
use serde::Serialize;

use crate::args::model::ManifestArgs;
use crate::failure::{Exit, Failure, OrFail as _, from_engine};
use crate::output::Output;
use crate::progress::Portion;

/// Positions of the cache of a model that answers nothing.
const KV_TOKENS: usize = 1024;

#[derive(Serialize)]
struct Written {
    name: String,
    model_hash: String,
    manifest_hash: String,
    files: usize,
    path: String,
}

/// Writes a model's manifest.
pub(crate) fn manifest(args: ManifestArgs, output: Output) -> Result<Exit, Failure> {
    let mut options = EngineOptions::default();
    options.weight_format = args.weights.unwrap_or(options.weight_format);
    options.ranks = args.ranks.unwrap_or(options.ranks);
    let manifest = of_folder(&args.folder, options, args.name, output)?;
    std::fs::write(&args.out, manifest.to_bytes()).or_fail(
        Exit::Configuration,
        &format!("cannot write {}", args.out.display()),
        "check the folder and its permissions",
    )?;
    let written = Written {
        name: manifest.name().to_string(),
        model_hash: manifest.name().model_hash().to_string(),
        manifest_hash: manifest.hash().to_string(),
        files: manifest.files().len(),
        path: args.out.display().to_string(),
    };
    output.result(&written, |written| {
        format!(
            "{}: manifest in {}\n  manifest hash {}\n  model hash    {}",
            written.name, written.path, written.manifest_hash, written.model_hash
        )
    })?;
    Ok(Exit::Done)
}

/// What of a folder, run as a manifest says, is not as the manifest says.
pub(super) fn differences(folder: &Path, manifest: &Path, output: Output) -> Result<Vec<String>, Failure> {
    let expected = parse(manifest)?;
    let facts = expected.facts();
    let mut options = EngineOptions::default();
    // What this program cannot do shows as a difference.
    options.weight_format = WeightFormat::parse(&facts.precision).unwrap_or(options.weight_format);
    let devices = [ComputeDevice::Cpu, ComputeDevice::Cuda, ComputeDevice::Reference];
    let device = devices.into_iter().find(|device| device.name() == facts.device);
    options.device = device.unwrap_or(options.device);
    let ranks = usize::try_from(facts.ranks).ok().and_then(std::num::NonZeroUsize::new);
    options.ranks = ranks.unwrap_or(options.ranks);
    let found = of_folder(folder, options, expected.name().clone(), output)?;
    let differences = found.differences(&expected);
    Ok(differences.iter().map(ToString::to_string).collect())
}

fn parse(path: &Path) -> Result<ModelManifest, Failure> {
    const HINT: &str = "`cocoon model manifest` writes such a file";
    let doing = format!("cannot read {}", path.display());
    let length = std::fs::metadata(path)
        .or_fail(Exit::Configuration, &doing, HINT)?
        .len();
    if length > MAX_MANIFEST_BYTES as u64 {
        let error = std::io::Error::from(std::io::ErrorKind::FileTooLarge);
        return Err(error).or_fail(Exit::Configuration, &doing, HINT);
    }
    let bytes = std::fs::read(path).or_fail(Exit::Configuration, &doing, HINT)?;
    ModelManifest::parse(&bytes).or_fail(Exit::Configuration, &doing, HINT)
}

/// Loads a model as a worker does, and describes it.
fn of_folder(
    folder: &Path,
    mut options: EngineOptions,
    name: ModelName,
    output: Output,
) -> Result<ModelManifest, Failure> {
    options.max_kv_tokens = KV_TOKENS;
    let described = if is_embedding_model(folder) {
        load_embedder(folder, &options).map_err(from_engine)?.manifest(name)
    } else {
        let portion = Portion::new(output, "loading the model");
        let mut progress = |progress: cocoon_engine::Progress| portion.at(progress.done, progress.total);
        let model = load_model_with(folder, options, &mut progress).map_err(from_engine)?;
        drop(portion);
        model.manifest(name)
    };
    described.map_err(|error| match error {
        ManifestFailure::Read(error) => from_engine(error),
        error => Failure::new(Exit::Configuration, error, "rename or remove the file that is named"),
    })
}
