//! `cocoon dispute`: what one party shows to the contracts when another one cheated or is silent.

use std::fmt::Write as _;
use std::path::Path;

use cocoon_bindings::checkpoint::{AnchorSigned, Contradiction, EquivocationProof, SignedCheckpoint};
use cocoon_bindings::client::ClaimByReceipt;
use cocoon_bindings::message::InternalMessage;
use cocoon_bindings::ton::{Address, Cell, Store, from_cell, parse_boc, parse_boc_base64, to_cell};
use cocoon_bindings::types::SettleClaim;
use cocoon_bindings::{BindingsError, ExportedMessage, QueryId};
use cocoon_chain::{ProxyAccount, RootView, SharedChain};
use cocoon_receipt::SignedReceipt;
use cocoon_receipt::log::Checkpoint as Note;
use cocoon_tlog::TlogError;
use cocoon_tlog::paths::CHECKPOINT;
use serde::Serialize;

use crate::args::Global;
use crate::args::dispute::{ClaimArgs, DisputeCommand, EquivocationArgs, ProxyPlace};
use crate::args::governance::Sending;
use crate::failure::{self, Exit, Failure, OrFail as _};
use crate::input;
use crate::local::layout::DataDir;
use crate::local::network::NetworkFile;
use crate::output::Output;

/// Bytes of a file with evidence: a receipt has at most 4 KiB, and base64 is longer by a third.
const MAX_EVIDENCE_BYTES: usize = 16 * 1024;
const EVIDENCE_HINT: &str = "evidence is one bag of cells, binary or base64, of at most 16 KiB";

#[derive(Serialize)]
struct Equivocation {
    is_proven: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    contradiction: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<ExportedMessage>,
}

#[derive(Serialize)]
struct Claim {
    receipt: String,
    client: String,
    tokens: u64,
    claim: ExportedMessage,
    settle: ExportedMessage,
}

/// Runs the command.
pub(crate) async fn run(global: &Global, command: DisputeCommand, output: Output) -> Result<Exit, Failure> {
    match command {
        DisputeCommand::Equivocation(args) => equivocation(global, args, output).await,
        DisputeCommand::Claim(args) => claim(global, args, output).await,
    }
}

async fn equivocation(global: &Global, args: EquivocationArgs, output: Output) -> Result<Exit, Failure> {
    let (first, second) = (Evidence::read(&args.first).await?, Evidence::read(&args.second).await?);
    let (proxy, is_test) = proxy(global, args.place, None).await?;
    let (first, second) = (first.checkpoints(&proxy)?, second.checkpoints(&proxy)?);
    let proof = prove(&proxy, &first, &second).or_fail(
        Exit::Peer,
        &format!("these are not two checkpoints of proxy {}", proxy.account.address),
        "name the proxy contract that both are of with --chain-url and --proxy",
    )?;
    let Some(proof) = proof else {
        let found = Equivocation {
            is_proven: false,
            contradiction: None,
            message: None,
        };
        output.result(&found, |_| "The two go together: they prove nothing.".to_owned())?;
        return Ok(Exit::Negative);
    };
    let report = proof.report(query_id(&args.sending), &args.reporter);
    let found = Equivocation {
        is_proven: true,
        contradiction: Some(in_words(proof.contradiction())),
        message: Some(export(&report, &proxy.account.address, &args.sending, is_test)?),
    };
    output.result(&found, |found| {
        let mut text = String::new();
        if let Some(contradiction) = found.contradiction {
            let _ = writeln!(text, "Equivocation is proven: {contradiction}.");
        }
        if let Some(message) = &found.message {
            show(&mut text, "report", message);
        }
        text
    })?;
    Ok(Exit::Done)
}

/// The first two that contradict each other.
fn prove(
    proxy: &ProxyAccount,
    first: &[SignedCheckpoint],
    second: &[SignedCheckpoint],
) -> Result<Option<EquivocationProof>, BindingsError> {
    for one in first {
        for other in second {
            let (one, other) = (one.clone(), other.clone());
            let proof = EquivocationProof::new(one, other, &proxy.proxy_public_key, &proxy.account.address)?;
            if proof.is_some() {
                return Ok(proof);
            }
        }
    }
    Ok(None)
}

fn in_words(contradiction: Contradiction) -> &'static str {
    match contradiction {
        Contradiction::AnotherTree => "one size has two roots",
        Contradiction::Shrunk => "the later checkpoint has fewer receipts",
        Contradiction::SameNumber => "one number has two checkpoints",
    }
}

async fn claim(global: &Global, args: ClaimArgs, output: Output) -> Result<Exit, Failure> {
    let signed = SignedReceipt::from_cell(&cell(&args.receipt)?).or_fail(
        Exit::Peer,
        &format!("{} is not a signed receipt", args.receipt.display()),
        EVIDENCE_HINT,
    )?;
    let statement = &signed.receipt.statement;
    let (proxy, is_test) = proxy(global, args.place, Some(&statement.proxy)).await?;
    let is_of = statement.proxy == proxy.account.address;
    if !is_of || signed.verify_proxy(&proxy.proxy_public_key).is_err() {
        let error = anyhow::anyhow!(
            "the receipt is of proxy {}, and not one that {} signed",
            statement.proxy,
            proxy.account.address
        );
        let hint = "name the proxy contract of the receipt with --chain-url and --proxy";
        return Err(Failure::new(Exit::Peer, error, hint));
    }
    let query_id = query_id(&args.sending);
    let by_receipt = ClaimByReceipt {
        query_id,
        send_excesses_to: args.excesses.clone(),
        signature: signed.proxy_signature.0,
        receipt: from_cell(&signed.receipt.to_cell())
            .map_err(BindingsError::layout("a receipt"))
            .map_err(anyhow::Error::from)?,
    };
    let settle = SettleClaim {
        query_id,
        send_excesses_to: args.excesses,
    };
    let client = &signed.receipt.client;
    let claim = Claim {
        receipt: signed.id().to_string(),
        client: client.to_string(),
        tokens: signed.receipt.channel.after,
        claim: export(&by_receipt, client, &args.sending, is_test)?,
        settle: export(&settle, client, &args.sending, is_test)?,
    };
    output.result(&claim, |claim| {
        let mut text = format!(
            "Receipt {} settles client contract {} at {} tokens in all.\n",
            claim.receipt, claim.client, claim.tokens
        );
        show(&mut text, "claim", &claim.claim);
        show(&mut text, "settle", &claim.settle);
        text
    })?;
    Ok(Exit::Done)
}

/// The proxy contract that is meant, by the command line or else by the evidence, and whether it is one of a test network.
async fn proxy(
    global: &Global,
    place: ProxyPlace,
    by_evidence: Option<&Address>,
) -> Result<(ProxyAccount, bool), Failure> {
    let (url, address) = match (place.chain_url, place.proxy) {
        (Some(url), Some(proxy)) => (url, proxy.to_string()),
        (_, proxy) => {
            let network = NetworkFile::load(&DataDir::new(&global.data_dir))?;
            let named = proxy.as_ref().or(by_evidence).map(ToString::to_string);
            (network.chain_url, named.unwrap_or(network.proxy_contract))
        }
    };
    let (chain, address): (SharedChain, Address) = super::root::open(&url, &address)?;
    let account = ProxyAccount::fetch(chain.as_ref(), &address)
        .await
        .map_err(failure::from_chain)?;
    let root = RootView::fetch(chain.as_ref(), &account.root)
        .await
        .map_err(failure::from_chain)?;
    Ok((account, root.is_test()))
}

/// What was given to prove something with.
enum Evidence {
    /// A checkpoint for the contract.
    Cell(Box<SignedCheckpoint>),
    /// A published checkpoint, with its place.
    Note { place: String, note: String },
}

impl Evidence {
    /// From a file, the folder of a log or the URL that one is served under.
    async fn read(place: &str) -> Result<Self, Failure> {
        let path = Path::new(place);
        let is_url = place.starts_with("http://") || place.starts_with("https://");
        let bytes = if is_url || path.is_dir() {
            let source = cocoon_tlog::source(place).map_err(failure::from_tlog)?;
            let missing = || TlogError::Missing {
                path: CHECKPOINT.to_owned(),
            };
            let read = source.read(CHECKPOINT).await.map_err(failure::from_tlog)?;
            read.ok_or_else(missing).map_err(failure::from_tlog)?.to_vec()
        } else {
            input::read(path, MAX_EVIDENCE_BYTES, EVIDENCE_HINT)?
        };
        match String::from_utf8(bytes) {
            Ok(note) if Note::named_origin(&note).is_ok() => Ok(Self::Note {
                place: place.to_owned(),
                note,
            }),
            Ok(text) => Ok(Self::Cell(Box::new(checkpoint(path, text.as_bytes())?))),
            Err(binary) => Ok(Self::Cell(Box::new(checkpoint(path, binary.as_bytes())?))),
        }
    }

    /// The checkpoints for this contract in it.
    fn checkpoints(self, proxy: &ProxyAccount) -> Result<Vec<SignedCheckpoint>, Failure> {
        let (place, note) = match self {
            Self::Cell(cell) => return Ok(vec![*cell]),
            Self::Note { place, note } => (place, note),
        };
        let contract = &proxy.account.address;
        let cells = Note::cells(&note, &proxy.proxy_public_key).or_fail(
            Exit::Peer,
            &format!("{place} is not signed by proxy {contract}"),
            EVIDENCE_HINT,
        )?;
        let cells: Vec<_> = cells
            .into_iter()
            .filter(|cell| cell.checkpoint.proxy == *contract)
            .collect();
        if cells.is_empty() {
            let error = anyhow::anyhow!("{place} has no line that proxy contract {contract} understands");
            let hint =
                "such a line comes under a checkpoint with the state commit after it; people read the note without it";
            return Err(Failure::new(Exit::Peer, error, hint));
        }
        Ok(cells)
    }
}

/// A checkpoint as a cell, by itself or in the message that anchors it.
fn checkpoint(path: &Path, bytes: &[u8]) -> Result<SignedCheckpoint, Failure> {
    let cell = parse_cell(path, bytes)?;
    SignedCheckpoint::from_cell(&cell)
        .or_else(|error| {
            let anchor: AnchorSigned = from_cell(&cell).map_err(|_| error)?;
            Ok::<_, BindingsError>(SignedCheckpoint {
                signature: anchor.signature,
                checkpoint: anchor.checkpoint,
            })
        })
        .or_fail(
            Exit::Peer,
            &format!("{} holds no signed checkpoint", path.display()),
            EVIDENCE_HINT,
        )
}

fn cell(path: &Path) -> Result<Cell, Failure> {
    parse_cell(path, &input::read(path, MAX_EVIDENCE_BYTES, EVIDENCE_HINT)?)
}

fn parse_cell(path: &Path, bytes: &[u8]) -> Result<Cell, Failure> {
    let text = std::str::from_utf8(bytes).map(str::trim);
    let parsed = match text {
        Ok(text) => parse_boc_base64(text),
        Err(_) => parse_boc(bytes),
    };
    parsed.or_fail(
        Exit::Peer,
        &format!("{} is not a bag of cells", path.display()),
        EVIDENCE_HINT,
    )
}

fn query_id(sending: &Sending) -> QueryId {
    QueryId::new(sending.query_id.unwrap_or_else(rand::random))
}

fn export(body: &impl Store, to: &Address, sending: &Sending, is_test: bool) -> Result<ExportedMessage, Failure> {
    let body = to_cell(body)
        .map_err(BindingsError::layout("a message"))
        .map_err(anyhow::Error::from)?;
    let message = InternalMessage {
        to: to.clone(),
        value: sending.value,
        bounce: true,
        body,
        state_init: None,
    };
    Ok(ExportedMessage::new(&message, is_test).map_err(anyhow::Error::from)?)
}

fn show(text: &mut String, name: &str, message: &ExportedMessage) {
    // Writing to a String cannot fail.
    let _ = writeln!(text, "  {name:<7} to {} with {}", message.to, message.value);
    let _ = writeln!(text, "          body {}", message.body);
    let _ = writeln!(text, "          body hash {}", message.body_hash);
    let _ = writeln!(text, "          {}", message.link);
}
