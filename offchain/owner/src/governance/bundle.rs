//! The file by which one signer asks the others to approve a proposal.
//!
//! Nothing in it is believed. It says which proposal is meant and what its maker saw; a signer's program reads the meaning
//! again from the body that the governor holds, and refuses when anything differs.

use cocoon_bindings::ton::{Cell, boc_base64, parse_boc_base64};
use cocoon_chain::{ChainClient, global_id};
use serde::{Deserialize, Serialize};

use super::{Change, Difference, Network};
use crate::OwnerError;
use crate::limits::{MAX_BUNDLE_BYTES, MAX_CLOCK_LAG};

/// What a file of this layout says that it is.
const FORMAT: &str = "cocoon-proposal/1";

/// A proposal as its maker saw it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Bundle {
    /// `cocoon-proposal/1`.
    pub format: String,
    /// Global id of the chain; none where it has none.
    pub network_id: Option<i32>,
    /// The root contract.
    pub root: String,
    /// The governor.
    pub governor: String,
    /// Number of the proposal.
    pub proposal: u64,
    /// When it can no longer be executed, seconds since 1970.
    pub expires_at: u32,
    /// The exact message, a bag of cells in base64.
    pub body: String,
    /// Its hash, for people to compare.
    pub body_hash: String,
    /// What it does, in one line.
    pub says: String,
    /// What would be different, as it was when the file was made.
    pub differences: Vec<Difference>,
    /// Whom it would cut off, as it was when the file was made.
    pub effects: Vec<String>,
    /// Why it would have been refused, had it been executed when the file was made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refused: Option<String>,
    /// The chain's time when the file was made, seconds since 1970.
    pub made_at: u32,
}

impl Bundle {
    /// The file for a proposal that the governor holds.
    pub async fn of(chain: &dyn ChainClient, network: &Network, id: u64) -> Result<Self, OwnerError> {
        let (governor, proposal) = network.proposal(id)?;
        let (change, _) = Change::decode(&proposal.body)?;
        let meaning = change.meaning(network)?;
        Ok(Self {
            format: FORMAT.to_owned(),
            network_id: global_id(chain).await?,
            root: network.root.account.address.to_string(),
            governor: governor.account.address.to_string(),
            proposal: id,
            expires_at: proposal.expires_at,
            body: boc_base64(&proposal.body),
            body_hash: proposal.body.repr_hash().to_string(),
            says: meaning.says,
            differences: meaning.differences,
            effects: meaning.effects,
            refused: meaning.refused,
            made_at: governor.account.time,
        })
    }

    /// As text, one proposal in one file.
    pub fn to_text(&self) -> Result<String, OwnerError> {
        let text = serde_json::to_string_pretty(self).map_err(|_| bad("it cannot be written"))? + "\n";
        if text.len() > MAX_BUNDLE_BYTES {
            return Err(OwnerError::State {
                what: "the proposal says too much for a file".to_owned(),
                hint: "the other signers look at it by `cocoon root approve --id N`",
            });
        }
        Ok(text)
    }

    /// Reads a file. Larger ones than a proposal can need, other layouts and unknown fields are refused.
    pub fn parse(bytes: &[u8]) -> Result<Self, OwnerError> {
        if bytes.len() > MAX_BUNDLE_BYTES {
            return Err(bad("it is larger than a proposal can be"));
        }
        let bundle: Self = serde_json::from_slice(bytes).map_err(|_| bad("it is no proposal of this version"))?;
        if bundle.format != FORMAT {
            return Err(bad("it is a proposal of another version"));
        }
        Ok(bundle)
    }

    /// Compares what needs no proposal on the chain: the network, the contracts, and the body with its hash and its number.
    /// The first field that differs is told.
    pub async fn verify_place(&self, chain: &dyn ChainClient, network: &Network) -> Result<(), OwnerError> {
        check(self.network_id == global_id(chain).await?, "network_id")?;
        check(self.root == network.root.account.address.to_string(), "root")?;
        let governor = network.governor().map(|governor| governor.account.address.to_string());
        check(governor.as_ref() == Some(&self.governor), "governor")?;
        let body = self.cell()?;
        check(body.repr_hash().to_string() == self.body_hash, "body_hash")?;
        let (_, id) = Change::decode(&body)?;
        check(id == self.proposal, "proposal")
    }

    /// Compares every field with what the chain says now; the first that differs is told.
    pub async fn verify(&self, chain: &dyn ChainClient, network: &Network) -> Result<(), OwnerError> {
        self.verify_place(chain, network).await?;
        self.verify_meaning(network)
    }

    /// Compares the rest with the proposal that the governor holds and with what it would do now.
    fn verify_meaning(&self, network: &Network) -> Result<(), OwnerError> {
        let (governor, proposal) = network.proposal(self.proposal)?;
        check(proposal.body.repr_hash() == self.cell()?.repr_hash(), "body")?;
        check(proposal.expires_at == self.expires_at, "expires_at")?;
        // This server's view may be behind that of the maker's.
        let latest = governor.account.time.saturating_add(MAX_CLOCK_LAG);
        check(self.made_at <= latest, "made_at")?;
        let (change, id) = Change::decode(&proposal.body)?;
        check(id == self.proposal, "proposal")?;
        let meaning = change.meaning(network)?;
        check(meaning.says == self.says, "says")?;
        check(meaning.differences == self.differences, "differences")?;
        check(meaning.effects == self.effects, "effects")?;
        check(meaning.refused == self.refused, "refused")
    }

    fn cell(&self) -> Result<Cell, OwnerError> {
        parse_boc_base64(&self.body).map_err(|_| OwnerError::Differs { field: "body" })
    }
}

fn check(is_equal: bool, field: &'static str) -> Result<(), OwnerError> {
    if is_equal {
        Ok(())
    } else {
        Err(OwnerError::Differs { field })
    }
}

fn bad(why: &'static str) -> OwnerError {
    OwnerError::Bundle { why }
}
