//! `cocoon keymanager`: replicas, backups, restores.

use std::io::Write as _;
use std::path::PathBuf;

use cocoon_keymanager::{Given, KeyManagerConfig, OwnerConfig, OwnerKey, OwnerPublic, ShareFile, Start, Status};
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio_util::sync::CancellationToken;

use crate::args::keymanager::{BackupArgs, KeyManagerPlace, KeyManagerRunArgs, OwnerKeyArgs, RestoreArgs};
use crate::command::stop::Stop;
use crate::failure::{self, Exit, Failure, OrFail as _};
use crate::output::Output;

#[derive(Serialize)]
struct Ready {
    ready: &'static str,
    at: String,
    http: String,
    /// Public id of the secret, when it is there already.
    id: Option<String>,
}

/// Runs a replica.
pub(crate) async fn run(args: KeyManagerRunArgs, output: Output) -> Result<Exit, Failure> {
    let mut config = KeyManagerConfig::load(&args.config).map_err(failure::from_keymanager)?;
    if args.new {
        config.start = Start::New;
    } else if args.restore {
        config.start = Start::Restore;
    }
    let stop = CancellationToken::new();
    let running = cocoon_keymanager::start(config, stop.clone())
        .await
        .map_err(failure::from_keymanager)?;
    let ready = Ready {
        ready: "keymanager",
        at: running.address.to_string(),
        http: format!("http://{}", running.http),
        id: running.id().map(|id| id.to_string()),
    };
    let signal = Stop::listen().await;
    output.result(&ready, |ready| match &ready.id {
        Some(id) => format!("keymanager ready at {}, http {}, id {id}", ready.at, ready.http),
        None => format!(
            "keymanager ready at {}, http {}, without the secret yet",
            ready.at, ready.http
        ),
    })?;
    signal.asked().await?;
    output.note("Draining ...");
    stop.cancel();
    running.join().await.map_err(failure::from_keymanager)?;
    Ok(Exit::Done)
}

/// Shows how a replica stands.
pub(crate) async fn status(place: KeyManagerPlace, output: Output) -> Result<Exit, Failure> {
    let status: Status = get(&place, "/").await?;
    output.result(&status, |status| {
        let simulated = if status.simulated { "SIMULATED platform: its machine's owner can read the secret\n" } else { "" };
        let id = status.id.map_or_else(|| "none yet".to_owned(), |id| id.to_string());
        let backup = if status.has_backup { "configured" } else { "NONE: if all replicas are lost, so are all keys" };
        format!(
            "{simulated}state    {}\nid       {id}\nimage    {}\nbackup   {backup}\ngiven    {} keys, the secret {} times\nrefused  {}",
            status.state, status.image, status.keys_given, status.secrets_given, status.refused
        )
    })?;
    Ok(if status.id.is_some() {
        Exit::Done
    } else {
        Exit::Negative
    })
}

#[derive(Serialize)]
struct Created {
    file: PathBuf,
    public: OwnerPublic,
}

/// Makes an owner's key.
pub(crate) fn owner_key(args: OwnerKeyArgs, output: Output) -> Result<Exit, Failure> {
    let key = OwnerKey::create(&args.out).map_err(failure::from_keymanager)?;
    let created = Created {
        file: args.out,
        public: key.public(),
    };
    output.result(&created, |created| created.public.to_string())?;
    Ok(Exit::Done)
}

#[derive(Serialize)]
struct Written {
    id: String,
    simulated: bool,
    threshold: u8,
    files: Vec<PathBuf>,
}

/// Writes the shares of a replica.
pub(crate) async fn backup(args: BackupArgs, output: Output) -> Result<Exit, Failure> {
    let shares: Vec<ShareFile> = get(&args.place, "/backup").await?;
    let first = shares.first().ok_or_else(|| {
        let error = anyhow::anyhow!("the replica gave no shares");
        Failure::new(Exit::Peer, error, "name a replica with [backup] in its configuration")
    })?;
    let mut written = Written {
        id: first.id.to_string(),
        simulated: first.simulated,
        threshold: first.threshold,
        files: Vec::new(),
    };
    std::fs::create_dir_all(&args.out).or_fail(
        Exit::Configuration,
        &format!("cannot make {}", args.out.display()),
        "check the permissions of the folder above",
    )?;
    for share in &shares {
        // A share that was changed on the way is not worth keeping.
        share.backup().map_err(failure::from_keymanager)?;
        let path = args.out.join(format!("share-{}.json", share.index));
        let text = serde_json::to_string_pretty(share).map_err(anyhow::Error::from)?;
        std::fs::File::create(&path)
            .and_then(|mut file| file.write_all(text.as_bytes()).and_then(|()| file.sync_all()))
            .or_fail(
                Exit::Configuration,
                &format!("cannot write {}", path.display()),
                "check the permissions and the free space of the folder",
            )?;
        written.files.push(path);
    }
    output.result(&written, |written| {
        let simulated = if written.simulated {
            "SIMULATED platform: its machine's owner can read the secret\n"
        } else {
            ""
        };
        let files: Vec<String> = written.files.iter().map(|file| file.display().to_string()).collect();
        let (threshold, id) = (written.threshold, &written.id);
        format!(
            "{simulated}{}\nany {threshold} of these restore the key manager {id}",
            files.join("\n")
        )
    })?;
    Ok(Exit::Done)
}

/// Gives shares to a replica.
pub(crate) async fn restore(args: RestoreArgs, output: Output) -> Result<Exit, Failure> {
    let config = OwnerConfig::load(&args.config).map_err(failure::from_keymanager)?;
    let mut keys = Vec::with_capacity(args.keys.len());
    for path in &args.keys {
        keys.push(OwnerKey::load(path).map_err(failure::from_keymanager)?);
    }
    let mut shares = Vec::with_capacity(args.shares.len());
    for path in &args.shares {
        shares.push(ShareFile::load(path).map_err(failure::from_keymanager)?);
    }
    let given = config
        .give(&args.to, &shares, &keys)
        .await
        .map_err(failure::from_keymanager)?;
    output.result(&given, |given| {
        let Given {
            id,
            have,
            need,
            simulated,
            ..
        } = given;
        let simulated = if *simulated {
            "SIMULATED platform: its machine's owner can read the share\n"
        } else {
            ""
        };
        if have >= need {
            format!("{simulated}the key manager {id} is restored")
        } else {
            format!("{simulated}the replica has {have} of {need} shares of the key manager {id}")
        }
    })?;
    Ok(Exit::Done)
}

async fn get<T: DeserializeOwned>(place: &KeyManagerPlace, path: &str) -> Result<T, Failure> {
    const HINT: &str = "is the replica running, and is this its HTTP address?";
    let url = format!("{}{path}", place.url.trim_end_matches('/'));
    let doing = format!("cannot ask {url}");
    let reply = reqwest::get(&url).await.or_fail(Exit::Peer, &doing, HINT)?;
    let is_good = reply.status().is_success();
    let text = reply.text().await.or_fail(Exit::Peer, &doing, HINT)?;
    if !is_good {
        let words: String = text.chars().take(200).collect();
        return Err(Failure::new(
            Exit::Peer,
            anyhow::anyhow!("the replica refused: {words}"),
            "see `cocoon keymanager status`",
        ));
    }
    serde_json::from_str(&text).or_fail(Exit::Peer, &doing, "use versions of both programs that belong together")
}
