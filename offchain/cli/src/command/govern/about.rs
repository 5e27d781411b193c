//! What a command on a change tells beside the outcome of its operation.

use std::path::Path;

use cocoon_chain::ChainClient;
use cocoon_owner::governance::{Meaning, Network};
use cocoon_owner::operation::governance::Propose;
use serde::Serialize;

use super::file;
use crate::failure::{self, Failure};
use crate::output::Output;

/// A change, and the proposal that holds it.
pub(crate) struct About<'a> {
    meaning: &'a Meaning,
    proposal: Option<u64>,
    proposing: Option<(&'a Propose, Option<&'a Path>)>,
}

/// The same as JSON.
#[derive(Serialize)]
pub(crate) struct Told<'a> {
    #[serde(flatten)]
    meaning: &'a Meaning,
    /// Number of the proposal, once it has one.
    #[serde(skip_serializing_if = "Option::is_none")]
    proposal: Option<u64>,
}

impl<'a> About<'a> {
    /// A change that is proposed, and the file that its proposal is written to.
    pub(crate) fn proposing(meaning: &'a Meaning, operation: &'a Propose, bundle: Option<&'a Path>) -> Self {
        Self {
            meaning,
            proposal: None,
            proposing: Some((operation, bundle)),
        }
    }

    /// A proposal.
    pub(crate) fn proposal(meaning: &'a Meaning, id: u64) -> Self {
        Self {
            meaning,
            proposal: Some(id),
            proposing: None,
        }
    }

    /// What is known before anything was sent.
    pub(crate) fn before(&self, output: Output) -> Told<'_> {
        if let Some((_, Some(path))) = self.proposing {
            output.note(format!(
                "{} is not written yet: when the proposal is on the chain, give the same command again",
                path.display()
            ));
        }
        Told {
            meaning: self.meaning,
            proposal: self.proposal,
        }
    }

    /// What is known when the operation has come to its end, or `awaits` something. The file of a proposal is written here:
    /// were the process killed before, the same command finds the proposal and writes it.
    pub(crate) async fn after(
        &self,
        chain: &dyn ChainClient,
        awaits: bool,
        output: Output,
    ) -> Result<Told<'_>, Failure> {
        let Some((operation, bundle)) = self.proposing else {
            return Ok(Told {
                meaning: self.meaning,
                proposal: self.proposal,
            });
        };
        let network = Network::fetch(chain, &operation.root, operation.governor.as_ref()).await;
        let network = network.map_err(failure::from_owner)?;
        let proposal = network.open(&operation.change);
        if let (Some(id), Some(path)) = (proposal, bundle) {
            file::write(chain, &network, (id, operation), path).await?;
            let path = path.display();
            let governor = operation.governor.as_ref();
            let governor = governor.map_or_else(String::new, |governor| format!(" --governor {governor}"));
            output.note(format!(
                "proposal {id} is in {path}: the other signers run `cocoon root approve {path}{governor}`"
            ));
        } else if bundle.is_some() {
            output.note(if awaits {
                "no file is written: the proposal does not show on the chain yet; give the same command again"
            } else {
                "no file is written: no proposal of this change is open"
            });
        }
        Ok(Told {
            meaning: self.meaning,
            proposal,
        })
    }
}
