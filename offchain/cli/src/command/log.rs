//! `cocoon log`: published logs shown, copied, witnessed, proven.

mod prove;
mod witness;

use std::path::Path;
use std::time::Duration;

use cocoon_bindings::PublicKey;
use cocoon_receipt::SignedChallenge;
use cocoon_receipt::log::WitnessKey;
use cocoon_tlog::{
    Description, DiskFolder, Mirror, Mirrored, PublishedLog, SharedSource, TlogError, parse_key, source,
};
use serde::Serialize;

use crate::args::Global;
use crate::args::log::{LogMirrorArgs, LogPlace, LogShowArgs};
use crate::failure::{self, Exit, Failure};
use crate::local::layout::DataDir;
use crate::output::Output;
use crate::progress::Portion;

pub(crate) use prove::{prove, verify};
pub(crate) use witness::run as witness;

/// A log with the key that it must be signed with.
struct Place {
    source: SharedSource,
    key: PublicKey,
    /// Whether the key is only what the log says of itself.
    is_own_word: bool,
    description: Option<Description>,
}

impl Place {
    async fn of(global: &Global, place: LogPlace) -> Result<Self, Failure> {
        let local = || DataDir::new(&global.data_dir).log_dir().display().to_string();
        let source = source(&place.place.unwrap_or_else(local)).map_err(failure::from_tlog)?;
        let (description, unread) = match Description::read(source.as_ref()).await {
            Ok(description) => (Some(description), None),
            Err(error) => (None, Some(error)),
        };
        let (key, is_own_word) = match (&place.key, &description) {
            (Some(text), _) => (parse_key(text).map_err(failure::from_tlog)?, false),
            (None, Some(described)) => (described.public_key().map_err(failure::from_tlog)?, true),
            (None, None) => return Err(failure::from_tlog(unread.unwrap_or(TlogError::Broken))),
        };
        Ok(Self {
            source,
            key,
            is_own_word,
            description,
        })
    }

    async fn open(&self, output: Output) -> Result<PublishedLog, Failure> {
        if self.is_own_word {
            output.note(
                "The key is the log's own word: compare it with the one that the proxy contract holds, or name it \
                 with --key.",
            );
        }
        let log = PublishedLog::open(self.source.clone(), self.key).await;
        log.map_err(failure::from_tlog)
    }
}

#[derive(Serialize)]
struct Shown {
    origin: String,
    /// As tools for signed notes take it.
    key: String,
    /// Whether the key was given, and not only read from the log.
    key_given: bool,
    receipts: u64,
    /// Hex.
    root: String,
    witnesses: Vec<Witnessed>,
    /// Proxy contracts that take a share of the stake if another log is signed for them.
    contracts: Vec<Punisher>,
    /// Requests that two workers answered, by the proxy's word.
    challenges: Challenged,
    /// Signatures of others, which were not looked at.
    other_signatures: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    root_contract: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    proxy_contract: Option<String>,
}

#[derive(Serialize)]
struct Witnessed {
    name: String,
    /// Unix seconds of its signature.
    time: u64,
}

#[derive(Serialize)]
struct Challenged {
    equal: usize,
    different: usize,
    not_comparable: usize,
}

impl Challenged {
    fn of(records: &[SignedChallenge]) -> Self {
        let count = |wanted: &str| {
            let results = records.iter().map(|signed| signed.record.result.name());
            results.filter(|name| *name == wanted).count()
        };
        Self {
            equal: count("equal"),
            different: count("different"),
            not_comparable: count("not_comparable"),
        }
    }
}

#[derive(Serialize)]
struct Punisher {
    contract: String,
    /// Receipts that the proxy signed for it.
    receipts: u64,
}

/// Shows the newest checkpoint.
pub(crate) async fn show(global: &Global, args: LogShowArgs, output: Output) -> Result<Exit, Failure> {
    let witnesses: Vec<_> = args
        .witness
        .iter()
        .map(|text| witness_key(text))
        .collect::<Result<_, _>>()?;
    let place = Place::of(global, args.log).await?;
    let log = place.open(output).await?;
    let seen = log.cosignatures(&witnesses).map_err(failure::from_tlog)?;
    let cells = log.cells().await.map_err(failure::from_tlog)?;
    let challenges = log.challenges().await.map_err(failure::from_tlog)?;
    let signatures = log.note().lines().filter(|line| line.starts_with("— ")).count();
    let checkpoint = log.checkpoint();
    let (root_contract, proxy_contract) = place
        .description
        .map(|description| (description.root, description.proxy))
        .unzip();
    let shown = Shown {
        key: cocoon_receipt::log::Checkpoint::verifier_key(&checkpoint.origin, &place.key),
        key_given: !place.is_own_word,
        origin: checkpoint.origin.clone(),
        receipts: checkpoint.size,
        root: checkpoint.root.to_string(),
        other_signatures: signatures.saturating_sub(1 + seen.len() + cells.len()),
        witnesses: seen
            .into_iter()
            .map(|seen| Witnessed {
                name: seen.witness,
                time: seen.time,
            })
            .collect(),
        challenges: Challenged::of(&challenges),
        contracts: cells
            .into_iter()
            .map(|cell| Punisher {
                contract: cell.checkpoint.proxy.to_string(),
                receipts: cell.checkpoint.size,
            })
            .collect(),
        root_contract,
        proxy_contract,
    };
    output.result(&shown, Shown::text)?;
    Ok(Exit::Done)
}

impl Shown {
    fn text(&self) -> String {
        let mut lines = vec![
            format!("log        {}", self.origin),
            format!("key        {}", self.key),
            format!("receipts   {}", self.receipts),
            format!("root       {}", self.root),
        ];
        for witness in &self.witnesses {
            lines.push(format!("witness    {} at {}", witness.name, witness.time));
        }
        for Punisher { contract, receipts } in &self.contracts {
            lines.push(format!("bound to   {contract} with {receipts} receipts"));
        }
        let Challenged {
            equal,
            different,
            not_comparable,
        } = self.challenges;
        if equal + different + not_comparable > 0 {
            lines.push(format!(
                "compared   two workers each: {equal} equal, {different} different, {not_comparable} not comparable"
            ));
        }
        if self.other_signatures > 0 {
            lines.push(format!("unchecked  {} more signatures", self.other_signatures));
        }
        for (what, address) in [("root at", &self.root_contract), ("proxy at", &self.proxy_contract)] {
            if let Some(address) = address {
                lines.push(format!("{what:<11}{address}"));
            }
        }
        lines.join("\n")
    }
}

fn witness_key(text: &str) -> Result<WitnessKey, Failure> {
    WitnessKey::parse(text).ok_or_else(|| {
        let error = anyhow::anyhow!("`{text}` is no key of a witness");
        Failure::new(
            Exit::Usage,
            error,
            "a witness's key is name+id+key, as it tells when it starts",
        )
    })
}

/// Copies a log, once or until stopped.
pub(crate) async fn mirror(global: &Global, args: LogMirrorArgs, output: Output) -> Result<Exit, Failure> {
    let place = Place::of(global, args.log).await?;
    // Says whose word the key is, and that there is a log.
    place.open(output).await?;
    let folder = DiskFolder::shared(&args.out);
    let mut mirror = Mirror::open(place.source.clone(), place.key, folder).map_err(failure::from_tlog)?;
    let Some(every) = args.every.map(Duration::from_secs) else {
        let bar = Portion::new(output, &format!("Copying to {}", args.out.display()));
        let updated = mirror.update(&mut |done, all| bar.at(done, all)).await;
        let mirrored = updated.map_err(failure::from_tlog)?;
        drop(bar);
        output.result(&mirrored, |mirrored| told(mirrored, &args.out))?;
        return Ok(Exit::Done);
    };
    let mut untold = |_: u64, _: u64| ();
    let mut signal = std::pin::pin!(cocoon_runner::shutdown::signal());
    loop {
        let updated = tokio::select! {
            ended = &mut signal => return ended.map(|()| Exit::Done).map_err(failure::from_runner),
            updated = mirror.update(&mut untold) => updated,
        };
        match updated {
            Ok(mirrored) if mirrored.size > mirrored.before || mirrored.signatures > 0 => {
                output.result(&mirrored, |mirrored| told(mirrored, &args.out))?;
            }
            Ok(_) => {}
            Err(error) if error.may_retry() => output.note(format!("{error}: trying again")),
            Err(error) => return Err(failure::from_tlog(error)),
        }
        tokio::select! {
            ended = &mut signal => return ended.map(|()| Exit::Done).map_err(failure::from_runner),
            () = tokio::time::sleep(every) => {}
        }
    }
}

fn told(mirrored: &Mirrored, out: &Path) -> String {
    let mut text = format!(
        "{} receipts in {}, {} of them new",
        mirrored.size,
        out.display(),
        mirrored.size.saturating_sub(mirrored.before)
    );
    if mirrored.signatures > 0 {
        text.push_str(&format!(", {} signatures added", mirrored.signatures));
    }
    if mirrored.missing_evidence > 0 {
        text.push_str(&format!(
            ", {} certificates are missing at the source",
            mirrored.missing_evidence
        ));
    }
    text
}
