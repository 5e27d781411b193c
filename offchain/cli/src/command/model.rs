//! `cocoon model`: models on this machine.

#[cfg_attr(
    not(feature = "engine"),
    expect(dead_code, reason = "archives are made where weights are read")
)]
mod archive;
#[cfg(feature = "engine")]
mod build;
#[cfg(feature = "engine")]
mod check;
#[cfg(feature = "engine")]
mod manifest;
#[cfg(feature = "engine")]
mod quality;
mod verify;

#[cfg(not(feature = "engine"))]
pub(crate) use super::no_engine::model::{build, check, manifest, quality};
#[cfg(feature = "engine")]
pub(crate) use build::build;
#[cfg(feature = "engine")]
pub(crate) use check::check;
#[cfg(feature = "engine")]
pub(crate) use manifest::manifest;
#[cfg(feature = "engine")]
pub(crate) use quality::quality;
pub(crate) use verify::verify;

use std::path::PathBuf;

use cocoon_hub::{Hub, Token};
use serde::Serialize;

use crate::args::model::PullArgs;
use crate::failure::{Exit, Failure, OrFail as _, from_hub};
use crate::output::Output;
use crate::progress::Transfer;

#[derive(Serialize)]
struct Pulled {
    repository: String,
    commit: String,
    folder: PathBuf,
    bytes: u64,
    files_fetched: usize,
    files_kept: usize,
}

/// Fetches a model.
pub(crate) async fn pull(args: PullArgs, output: Output) -> Result<Exit, Failure> {
    let token = match &args.token_file {
        Some(file) => {
            let doing = format!("cannot read {}", file.display());
            let text = std::fs::read_to_string(file).or_fail(
                Exit::Configuration,
                &doing,
                "the file holds the token and nothing else",
            )?;
            Some(Token::new(&text))
        }
        None => None,
    };
    let hub = Hub::new(&args.hub, token).map_err(from_hub)?;
    let snapshot = hub.snapshot(&args.repository, &args.revision).await.map_err(from_hub)?;
    let folder = args
        .to
        .unwrap_or_else(|| PathBuf::from("models").join(&args.repository));
    let mut transfer = Transfer::new(output, snapshot.size());
    let done = cocoon_hub::pull(&hub, &snapshot, &folder, &mut |progress| {
        transfer.at(&progress.file, progress.done);
    })
    .await;
    let done = match done {
        Ok(done) => done,
        Err(error) => {
            transfer.abandon();
            return Err(from_hub(error));
        }
    };
    transfer.finish();
    let pulled = Pulled {
        bytes: snapshot.size(),
        repository: snapshot.repository,
        commit: snapshot.commit,
        folder,
        files_fetched: done.fetched,
        files_kept: done.kept,
    };
    output.result(&pulled, |pulled| {
        format!(
            "{} at {}\n{} files fetched, {} kept, in {}",
            pulled.repository,
            pulled.commit,
            pulled.files_fetched,
            pulled.files_kept,
            pulled.folder.display()
        )
    })?;
    Ok(Exit::Done)
}
