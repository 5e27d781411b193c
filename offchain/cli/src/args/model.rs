//! What can be typed behind `cocoon model`.

use std::num::NonZeroUsize;
use std::path::PathBuf;

use clap::{ArgGroup, Args, Subcommand};
#[cfg(feature = "engine")]
use cocoon_engine::WeightFormat;
use cocoon_manifest::verity::RootHash;
use cocoon_manifest::{ManifestError, ModelName};

use super::govern::ModelTrustCommand;

/// Commands about models.
#[derive(Debug, Subcommand)]
#[allow(clippy::large_enum_variant, reason = "one is made in the life of the program")]
pub enum ModelCommand {
    /// Fetch a model from a hub, with resume and checksums
    Pull(PullArgs),
    /// Say what a model folder is and what of it fits in this machine's memory
    Check(CheckArgs),
    /// Pack a model's weights ahead of time, or make the archive that gives a model its name, or both
    Build(BuildArgs),
    /// Compute the hashes of a model's folder or archive, and say what differs
    Verify(VerifyArgs),
    /// Write down everything that decides a model's answers
    Manifest(ManifestArgs),
    /// Measure what a weight format costs, by perplexity and divergence on a text
    Quality(QualityArgs),
    /// What the network admits.
    #[command(flatten)]
    Trust(ModelTrustCommand),
}

/// The name of a format, which a build without the engine does not know more about.
#[cfg(not(feature = "engine"))]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WeightFormat;

#[cfg(not(feature = "engine"))]
fn weight_format(_name: &str) -> Result<WeightFormat, std::convert::Infallible> {
    Ok(WeightFormat)
}

#[cfg(feature = "engine")]
fn weight_format(name: &str) -> Result<WeightFormat, String> {
    WeightFormat::parse(name).ok_or_else(|| {
        let names = WeightFormat::ALL.map(WeightFormat::name);
        format!("formats are {}", names.join(", "))
    })
}

/// Options of `model pull`.
#[derive(Debug, Args)]
#[command(after_help = "\
Fetches config, tokenizer, chat template and safetensors weights at one commit. A broken download goes
on where it stopped when the command is run again; files that are there and right are kept.

Examples:
  cocoon model pull Qwen/Qwen3-0.6B
  cocoon model pull Qwen/Qwen3-0.6B --revision c1899de289a04d12100db370d81485cdf75e47ca --to models/qwen3
  cocoon model pull acme/private --token-file ~/.hub-token --hub https://hub.example.org")]
pub struct PullArgs {
    /// Repository of the model, OWNER/NAME
    #[arg(value_name = "REPOSITORY")]
    pub repository: String,
    /// Branch, tag or commit
    #[arg(long, value_name = "NAME", default_value = "main")]
    pub revision: String,
    /// Folder of the model; models/OWNER/NAME when absent
    #[arg(long, value_name = "DIR")]
    pub to: Option<PathBuf>,
    /// Address of the hub
    #[arg(long, value_name = "URL", default_value = cocoon_hub::DEFAULT_HUB, env = "COCOON_HUB")]
    pub hub: String,
    /// File with an access token, for models that are not public
    #[arg(long, value_name = "FILE")]
    pub token_file: Option<PathBuf>,
}

/// Options of `model check`.
#[derive(Debug, Args)]
#[command(after_help = "\
Reads config, tokenizer, chat template and the tables of contents of the weights; every tensor must be
there. Packed weights are compared with their checksums. Exit code 1 when the model does not fit.

Examples:
  cocoon model check models/Qwen/Qwen3-0.6B
  cocoon model check models/Qwen/Qwen3-8B --weights q8 --max-kv-tokens 65536")]
pub struct CheckArgs {
    /// Folder of the model
    #[arg(value_name = "FOLDER")]
    pub folder: PathBuf,
    /// Format of the weights that has to fit: f32, bf16, q8 or q4; any when absent
    #[arg(long, value_name = "FORMAT", value_parser = weight_format)]
    pub weights: Option<WeightFormat>,
    /// Positions of all running sequences together, as in the worker's configuration
    #[arg(long, value_name = "N")]
    pub max_kv_tokens: Option<usize>,
    /// Positions of one sequence
    #[arg(long, value_name = "N")]
    pub max_model_len: Option<usize>,
}

/// A model's name without and with the hash of its archive.
fn name_at_commit(text: &str) -> Result<ModelName, String> {
    let name: ModelName = text.parse().map_err(|error: ManifestError| error.to_string())?;
    match (name.commit(), name.verity_hash()) {
        (Some(_), None) => Ok(name),
        _ => Err("the name of a model to build is NAME@COMMIT; its hash is computed".to_owned()),
    }
}

fn full_name(text: &str) -> Result<(ModelName, RootHash), String> {
    let name: ModelName = text.parse().map_err(|error: ManifestError| error.to_string())?;
    let hash = name.verity_hash().ok_or("the full name is NAME@COMMIT:HASH")?;
    let root = hash.parse().map_err(|error: ManifestError| error.to_string())?;
    Ok((name, root))
}

/// Options of `model build`.
#[derive(Debug, Args)]
#[command(after_help = "\
With --weights and --out the new folder has config, tokenizer and chat template as they are, and the
weights as workers on CPUs keep them in memory. It gives the same answers as the model that is packed
while it is loaded.

With --archive the folder, or the new folder if there is one, becomes one read-only file system (EROFS)
with its dm-verity hash tree behind it. Names that begin with a dot are left out. The same folder gives
the same bytes on any machine, so anyone can compute the hash that a model's name ends with. A kernel
opens it with `veritysetup open FILE model FILE HASH --hash-offset=N`.

Examples:
  cocoon model build models/Qwen/Qwen3-0.6B --weights q8 --out models/qwen3-q8
  cocoon model build models/Qwen/Qwen3-0.6B --archive qwen3.erofs --name Qwen/Qwen3-0.6B@c1899de289a0")]
#[command(group = ArgGroup::new("made").args(["out", "archive"]).required(true).multiple(true))]
pub struct BuildArgs {
    /// Folder of the model
    #[arg(value_name = "FOLDER")]
    pub folder: PathBuf,
    /// Folder to make, with packed weights; it must not be there
    #[arg(long, value_name = "DIR", requires = "weights")]
    pub out: Option<PathBuf>,
    /// Format of the packed weights: f32, bf16, q8 or q4
    #[arg(long, value_name = "FORMAT", value_parser = weight_format, requires = "out")]
    pub weights: Option<WeightFormat>,
    /// Archive to make; it must not be there
    #[arg(long, value_name = "FILE")]
    pub archive: Option<PathBuf>,
    /// Name and revision of the model; its full name and hash for the root contract are then told
    #[arg(long, value_name = "NAME@COMMIT", value_parser = name_at_commit, requires = "archive")]
    pub name: Option<ModelName>,
    /// Threads that pack and hash; as many as there are processors when absent
    #[arg(long, value_name = "N")]
    pub threads: Option<NonZeroUsize>,
}

/// Options of `model verify`.
#[derive(Debug, Args)]
#[command(after_help = "\
Everything is read and computed anew. An archive is compared with its own hash tree, and with the hash
in the model's name if it is told. Another folder or archive of the model tells which file differs first.
With --manifest the folder is loaded as the manifest says, and each field that differs is told. Exit code 1 when something differs.

Examples:
  cocoon model verify qwen3.erofs --name Qwen/Qwen3-0.6B@c1899de289a0:$HASH
  cocoon model verify models/Qwen/Qwen3-0.6B --against qwen3.erofs --json
  cocoon model verify models/Qwen/Qwen3-0.6B --manifest qwen3.manifest")]
pub struct VerifyArgs {
    /// Folder or archive of the model
    #[arg(value_name = "FOLDER|ARCHIVE")]
    pub path: PathBuf,
    /// The model that it should be, as the root contract lists it
    #[arg(long, value_name = "NAME@COMMIT:HASH", value_parser = full_name)]
    pub name: Option<(ModelName, RootHash)>,
    /// Another folder or archive, whose files it should have
    #[arg(long, value_name = "FOLDER|ARCHIVE")]
    pub against: Option<PathBuf>,
    /// Manifest that the folder should have, as `model manifest` writes it
    #[arg(long, value_name = "FILE")]
    pub manifest: Option<PathBuf>,
    /// Threads that hash; as many as there are processors when absent
    #[arg(long, value_name = "N")]
    pub threads: Option<NonZeroUsize>,
}

/// Options of `model manifest`.
#[derive(Debug, Args)]
#[command(after_help = "\
Files, tokenizer, chat template, parsers, sampling defaults, precision, device, ranks and engine version, in
one canonical text. Two workers whose manifests are equal give equal answers to equal requests. The model is
loaded for it, as a worker does.

Examples:
  cocoon model manifest models/Qwen/Qwen3-0.6B --name Qwen/Qwen3-0.6B@c1899de289a0:$HASH --out qwen3.manifest
  cocoon model manifest models/qwen3-q8 --name Qwen/Qwen3-0.6B@c1899de289a0:$HASH --out qwen3.manifest")]
pub struct ManifestArgs {
    /// Folder of the model
    #[arg(value_name = "FOLDER")]
    pub folder: PathBuf,
    /// Name of the model, as the root contract lists it
    #[arg(long, value_name = "NAME@COMMIT:HASH", value_parser = any_name)]
    pub name: ModelName,
    /// File to write
    #[arg(long, value_name = "FILE")]
    pub out: PathBuf,
    /// Format of the weights: f32, bf16, q8 or q4; that of a packed folder when absent
    #[arg(long, value_name = "FORMAT", value_parser = weight_format)]
    pub weights: Option<WeightFormat>,
    /// Parts that the model is cut into
    #[arg(long, value_name = "N")]
    pub ranks: Option<NonZeroUsize>,
}

fn any_name(text: &str) -> Result<ModelName, String> {
    text.parse().map_err(|error: ManifestError| error.to_string())
}

/// Options of `model quality`.
#[derive(Debug, Args)]
#[command(after_help = "\
Both models predict every token of the text from at most 255 tokens before it. The reference keeps its
weights in f32; both must fit in memory together.

Examples:
  cocoon model quality models/Qwen/Qwen3-0.6B --weights q4 --text article.txt
  cocoon model quality models/qwen3-q8 --reference models/Qwen/Qwen3-0.6B --text article.txt")]
pub struct QualityArgs {
    /// Folder of the model
    #[arg(value_name = "FOLDER")]
    pub folder: PathBuf,
    /// Format of the weights: f32, bf16, q8 or q4; that of a packed folder when absent
    #[arg(long, value_name = "FORMAT", value_parser = weight_format)]
    pub weights: Option<WeightFormat>,
    /// File with a text of at least some hundred words
    #[arg(long, value_name = "FILE")]
    pub text: PathBuf,
    /// Folder of the unquantized model; the same folder when absent
    #[arg(long, value_name = "FOLDER")]
    pub reference: Option<PathBuf>,
}
