//! `cocoon audit replay`: a disclosed request is answered once more.

use std::fmt::Write as _;

use cocoon_receipt::{Disclosure, DisclosureDocument};
use cocoon_worker::{EngineConfig, Replay, ReplayError, ReplayVerdict, Replayer};
use serde::Serialize;

use crate::args::Global;
use crate::args::replay::ReplayArgs;
use crate::failure::{Exit, Failure, OrFail as _};
use crate::input;
use crate::local::layout::DataDir;
use crate::local::model::LocalModel;
use crate::output::Output;

/// Bytes of a disclosed exchange: a request and an answer of 16 MiB each, longer by a third in base64.
const MAX_DISCLOSURE_BYTES: usize = 48 << 20;
const HINT: &str = "a client writes such files into the folder disclosures_dir of its configuration";

#[derive(Serialize)]
struct Shown {
    receipt: String,
    model: String,
    seed: String,
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
    let local = LocalModel::prepare(args.model.as_deref(), &DataDir::new(&global.data_dir))?;
    let name = args.name.unwrap_or(local.name);
    let config = EngineConfig::new(local.folder);
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
        replay,
    };
    output.result(&shown, text)?;
    Ok(exit)
}

fn failed(error: ReplayError) -> Failure {
    let exit = match &error {
        ReplayError::Engine(_) | ReplayError::Stopped => Exit::Configuration,
        ReplayError::OtherModel { .. } => Exit::Usage,
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
    let _ = writeln!(text, "model    {}", shown.model);
    let _ = writeln!(text, "seed     {}", shown.seed);
    let _ = writeln!(
        text,
        "tokens   {} of the prompt, {} generated",
        replay.prompt_tokens, replay.completion_tokens
    );
    text
}
