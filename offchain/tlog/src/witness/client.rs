//! Asking a witness.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use cocoon_receipt::log::{Checkpoint, WitnessKey};
use futures_util::future::join_all;
use http::StatusCode;
use tokio::time::timeout;
use url::Url;

use super::request::AddCheckpoint;
use crate::error::TlogError;
use crate::http::{Web, base_url};
use crate::limits::{MAX_WITNESS_REQUEST_BYTES, WITNESS_TIMEOUT};
use crate::published::PublishedLog;

/// What a witness says in a 409 when it wants another beginning.
const SIZE_TYPE: &str = "text/x.tlog.size";

/// Bytes of a cosignature: the id of the key, a time, a signature.
const COSIGNATURE_BYTES: usize = 4 + 8 + 64;

/// Lines of an answer that are looked at: one is wanted.
const LINES_LOOKED_AT: usize = 4;

/// One witness that a log asks.
#[derive(Debug)]
pub struct Cosigner {
    web: Web,
    url: Url,
    witness: WitnessKey,
    /// Entries of the checkpoint that it signed last, as far as known.
    known: u64,
}

impl Cosigner {
    /// The witness under a URL, with the name and key of its signatures.
    pub fn new(url: &str, witness: WitnessKey) -> Result<Self, TlogError> {
        let base = base_url(url)?;
        let place = |_| TlogError::Place { text: url.to_owned() };
        Ok(Self {
            web: Web::new()?,
            url: base.join("add-checkpoint").map_err(place)?,
            witness,
            known: 0,
        })
    }

    /// Name and key.
    pub fn witness(&self) -> &WitnessKey {
        &self.witness
    }

    /// Asks for a signature of the log's checkpoint; returns `note` with it. `log` has the tiles for the proof; `note` is its
    /// checkpoint, perhaps with signatures of other witnesses already.
    pub async fn ask(&mut self, log: &PublishedLog, note: &str) -> Result<String, TlogError> {
        let mut may_begin_again = true;
        loop {
            // A witness that has seen more than this log has, has seen another log.
            let old = self.known.min(log.size());
            let request = AddCheckpoint {
                old,
                proof: log.consistency_proof(old).await?,
                note: log.note().to_owned(),
            };
            let name = &self.witness.name;
            let answer = self
                .web
                .post(&self.url, request.to_text(), name, MAX_WITNESS_REQUEST_BYTES);
            let answer = answer.await?;
            let text = String::from_utf8_lossy(&answer.body);
            let is_size = answer.kind.is_some_and(|kind| kind.as_bytes() == SIZE_TYPE.as_bytes());
            match answer.status {
                StatusCode::OK => {
                    let signed = self.take(note, &text)?;
                    self.known = log.size();
                    return Ok(signed);
                }
                StatusCode::CONFLICT if is_size && may_begin_again => {
                    may_begin_again = false;
                    let size = text
                        .trim_end_matches('\n')
                        .parse()
                        .map_err(|_| self.refused("no size"))?;
                    if size > log.size() {
                        return Err(self.refused(&format!("it has signed a log of {size} entries")));
                    }
                    self.known = size;
                }
                status => return Err(self.refused(&format!("status {}", status.as_u16()))),
            }
        }
    }

    /// Asks several at once, but those whose signature is there already; returns the log's checkpoint with the signatures of those
    /// that gave one in time, and what the others said.
    pub async fn ask_all(cosigners: &mut [Self], log: &PublishedLog) -> (String, Vec<TlogError>) {
        let has_signed = |cosigner: &Self| {
            let seen = log.cosignatures(std::slice::from_ref(&cosigner.witness));
            seen.is_ok_and(|seen| !seen.is_empty())
        };
        let unsigned = cosigners.iter_mut().filter(|cosigner| !has_signed(cosigner));
        let asked = unsigned.map(|cosigner| async move {
            match timeout(WITNESS_TIMEOUT, cosigner.ask(log, log.note())).await {
                Ok(answer) => answer,
                Err(_) => Err(cosigner.refused("it is silent")),
            }
        });
        let (mut note, mut refusals) = (log.note().to_owned(), Vec::new());
        for answer in join_all(asked).await {
            match answer {
                Ok(signed) => note.push_str(signed.strip_prefix(log.note()).unwrap_or_default()),
                Err(refusal) => refusals.push(refusal),
            }
        }
        (note, refusals)
    }

    /// The note with the witness's signature, which must hold, and nothing else of what it said: further lines could make the note
    /// one that nobody reads.
    fn take(&self, note: &str, lines: &str) -> Result<String, TlogError> {
        let own = format!("— {} ", self.witness.name);
        for text in lines
            .lines()
            .filter_map(|line| line.strip_prefix(&own))
            .take(LINES_LOOKED_AT)
        {
            let Some(bytes) = STANDARD
                .decode(text)
                .ok()
                .filter(|bytes| bytes.len() == COSIGNATURE_BYTES)
            else {
                continue;
            };
            let signed = format!("{note}{own}{}\n", STANDARD.encode(bytes));
            let found = Checkpoint::cosignatures(&signed, std::slice::from_ref(&self.witness));
            if found.is_ok_and(|found| !found.is_empty()) {
                return Ok(signed);
            }
        }
        Err(self.refused("its signature does not hold"))
    }

    fn refused(&self, reason: &str) -> TlogError {
        TlogError::Witness {
            name: self.witness.name.clone(),
            reason: reason.to_owned(),
        }
    }
}
