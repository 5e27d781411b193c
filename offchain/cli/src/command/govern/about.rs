//! What a command on a change tells beside the outcome of its operation.

use std::path::Path;

use cocoon_chain::ChainClient;
use cocoon_owner::governance::{Bundle, Meaning, Network};
use cocoon_owner::operation::governance::Propose;
use serde::Serialize;

use crate::failure::{self, Exit, Failure, OrFail as _};
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
    pub(crate) fn before(&self) -> Told<'_> {
        Told {
            meaning: self.meaning,
            proposal: self.proposal,
        }
    }

    /// What is known when the operation has come to its end. The file of a proposal is written here: were the process killed
    /// before, the same command finds the proposal and writes it.
    pub(crate) async fn after(&self, chain: &dyn ChainClient, output: Output) -> Result<Told<'_>, Failure> {
        let Some((operation, bundle)) = self.proposing else {
            return Ok(self.before());
        };
        let network = Network::fetch(chain, &operation.root, operation.governor.as_ref()).await;
        let network = network.map_err(failure::from_owner)?;
        let proposal = network.open(&operation.change);
        if let (Some(id), Some(path)) = (proposal, bundle) {
            let bundle = Bundle::of(chain, &network, id).await.map_err(failure::from_owner)?;
            let text = bundle.to_text().map_err(failure::from_owner)?;
            std::fs::write(path, text).or_fail(
                Exit::Configuration,
                &format!("cannot write {}", path.display()),
                "check the folder and its permissions; the same command writes it again",
            )?;
            output.note(format!(
                "proposal {id} is in {}: the other signers run `cocoon root approve {}`",
                path.display(),
                path.display()
            ));
        } else if bundle.is_some() {
            output.note("no file is written: the change is in force, and nothing is proposed");
        }
        Ok(Told {
            meaning: self.meaning,
            proposal,
        })
    }
}
