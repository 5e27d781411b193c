//! `cocoon audit replay`: a disclosed request is answered once more.

use std::fmt::Write as _;

use cocoon_bindings::PublicKey;
use cocoon_bindings::ton::{Address, HashBytes};
use cocoon_chain::{HttpApi, ProxyAccount};
use cocoon_manifest::ModelName;
use cocoon_receipt::{Disclosure, DisclosureDocument};
use cocoon_worker::{EngineConfig, Replay, ReplayError, ReplayVerdict, Replayer};
use serde::Serialize;

use crate::args::Global;
use crate::args::replay::ReplayArgs;
use crate::failure::{Exit, Failure, OrFail as _};
use crate::input;
use crate::local::layout::DataDir;
use crate::local::model::LocalModel;
use crate::local::network::NetworkFile;
use crate::output::Output;

/// Bytes of a disclosed exchange: a request and an answer of 16 MiB each, longer by a third in base64.
const MAX_DISCLOSURE_BYTES: usize = 48 << 20;
const HINT: &str = "a client writes such files into the folder disclosures_dir of its configuration";

#[derive(Serialize)]
struct Shown {
    receipt: String,
    model: String,
    seed: String,
    /// Whether the proxy's signature was checked.
    is_signed: bool,
    #[serde(flatten)]
    replay: Replay,
}

/// Runs the command.
pub(crate) async fn run(global: &Global, args: ReplayArgs, output: Output) -> Result<Exit, Failure> {
    let bytes = input::read(&args.file, MAX_DISCLOSURE_BYTES, HINT)?;
    let not_one = format!("{} is not a disclosed exchange", args.file.display());
    let document: DisclosureDocument = serde_json::from_slice(&bytes).or_fail(Exit::Peer, &not_one, HINT)?;
    let disclosure = Disclosure::try_from(document).or_fail(Exit::Peer, &not_one, HINT)?;
    disclosure.check().map_err(|error| failed(error.into()))?;
    let is_signed = check_signature(global, args.proxy_key, &disclosure).await?;
    let local = LocalModel::prepare(args.model.as_deref(), &DataDir::new(&global.data_dir))?;
    let name = args.name.unwrap_or_else(|| local.name.clone());
    let is_local = |name: &ModelName| name.to_string().contains("@local:");
    if is_local(&name) && name != local.name {
        let error = anyhow::anyhow!("the files in {} are those of {}", local.folder.display(), local.name);
        return Err(Failure::new(
            Exit::Usage,
            error,
            "give the folder whose files the name was made from",
        ));
    }
    // The name of a local network was compared above.
    let mut config = EngineConfig::new(local.folder);
    config.verify_name = !is_local(&name);
    output.note(format!("Loading {name} …"));
    let shown = name.to_string();
    let loading = tokio::task::spawn_blocking(move || Replayer::load(&config, &name));
    let replayer = loading.await.map_err(anyhow::Error::from)?.map_err(failed)?;
    let replay = replayer.replay(&disclosure).await.map_err(failed)?;
    let exit = match replay.verdict {
        ReplayVerdict::Identical | ReplayVerdict::SameContent => Exit::Done,
        ReplayVerdict::Different => Exit::Negative,
    };
    let shown = Shown {
        receipt: disclosure.receipt.id().to_string(),
        model: shown,
        seed: disclosure.receipt.receipt.statement.seed.to_string(),
        is_signed,
        replay,
    };
    output.result(&shown, text)?;
    Ok(exit)
}

/// Whether the proxy signed the receipt: `false` only where its key is not known. A wrong signature is a failure.
async fn check_signature(global: &Global, key: Option<HashBytes>, disclosure: &Disclosure) -> Result<bool, Failure> {
    let statement = &disclosure.receipt.receipt.statement;
    let key = match key {
        Some(key) => Some(PublicKey::new(key.0)),
        None => known_key(global, &statement.proxy).await,
    };
    let Some(key) = key else { return Ok(false) };
    disclosure.receipt.verify_proxy(&key).or_fail(
        Exit::Peer,
        &format!("proxy {} did not sign this receipt", statement.proxy),
        "the receipt is made up, or --proxy-key is of another proxy",
    )?;
    Ok(true)
}

/// The key in a proxy contract on the local network's chain.
async fn known_key(global: &Global, proxy: &Address) -> Option<PublicKey> {
    let network = NetworkFile::load(&DataDir::new(&global.data_dir)).ok()?;
    let chain = HttpApi::new(&network.chain_url, None).ok()?;
    let account = ProxyAccount::fetch(&chain, proxy).await.ok()?;
    Some(account.proxy_public_key)
}

fn failed(error: ReplayError) -> Failure {
    let exit = match &error {
        ReplayError::Engine(_) | ReplayError::Stopped => Exit::Configuration,
        ReplayError::OtherModel { .. } | ReplayError::OtherFiles(_) => Exit::Usage,
        _ => Exit::Peer,
    };
    let hint = error.hint();
    Failure::new(exit, error, hint)
}

fn text(shown: &Shown) -> String {
    let replay = &shown.replay;
    let sentence = match (&replay.difference, replay.verdict) {
        (Some(difference), _) => format!("Different: {difference}."),
        (None, ReplayVerdict::Identical) => "Identical: the same bytes, which have the receipt's hash.".to_owned(),
        (None, _) => "The same content: the bytes were cut into other events, or cut short.".to_owned(),
    };
    let mut text = format!("{sentence}\n");
    // Writing to a String cannot fail.
    let _ = writeln!(text, "receipt  {}", shown.receipt);
    if !shown.is_signed {
        let _ = writeln!(
            text,
            "NOT CHECKED: whether the proxy signed it; give its key with --proxy-key"
        );
    }
    let _ = writeln!(text, "model    {}", shown.model);
    let _ = writeln!(text, "seed     {}", shown.seed);
    let _ = writeln!(
        text,
        "tokens   {} of the prompt, {} generated",
        replay.prompt_tokens, replay.completion_tokens
    );
    text
}
