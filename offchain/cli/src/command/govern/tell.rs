//! What is said of a change and of those who decide about it, before anything is asked or sent.

use cocoon_bindings::governor::Proposal;
use cocoon_bindings::root::RootMessage;
use cocoon_chain::ChainClient;
use cocoon_owner::governance::{Change, GovernorView, Meaning, Network};

use crate::failure::{self, Exit, Failure};
use crate::output::Output;

const UNKNOWN_CODE: &str = "UNKNOWN CODE: this governor's rules are not those that this program knows; classes, delays and votes may mean nothing";

/// What a change means.
pub(super) fn tell(meaning: &Meaning, output: Output) {
    output.note(format!("to {} (class: {})", meaning.says, meaning.class));
    for line in meaning.lines() {
        output.note(format!("  {line}"));
    }
}

/// Tells what a proposal does, or that this version cannot read it. Of one that is gone the operation tells the end.
pub(super) fn tell_proposal(network: &Network, id: u64, output: Output) -> Option<Meaning> {
    let (governor, proposal) = network.proposal(id).ok()?;
    if !governor.has_known_code() {
        output.note(UNKNOWN_CODE);
    }
    let read = || {
        let (change, _) = Change::decode(&proposal.body)?;
        Ok::<_, cocoon_owner::OwnerError>((change.meaning(network)?, change))
    };
    match read() {
        Ok((meaning, change)) => {
            tell(&meaning, output);
            tell_class(proposal, &change, output);
            Some(meaning)
        }
        Err(error) => {
            output.note(format!(
                "proposal {id} does what this version CANNOT READ or try out: {error}"
            ));
            None
        }
    }
}

/// Says when the governor takes a proposal for something else than this program does.
pub(super) fn tell_class(proposal: &Proposal, change: &Change, output: Output) {
    if proposal.class != change.class() {
        output.note(format!(
            "ANOTHER CLASS: the governor takes it for {:?}, and by the rules that this program knows it is {:?}",
            proposal.class,
            change.class()
        ));
    }
}

/// Says that a governor has unknown rules, and has no root contract taken over for one.
pub(super) fn tell_governor(network: &Network, change: &Change, output: Output) -> Result<(), Failure> {
    if network.governor().is_none_or(GovernorView::has_known_code) {
        return Ok(());
    }
    output.note(UNKNOWN_CODE);
    if !change.is_acceptance() {
        return Ok(());
    }
    let error = anyhow::anyhow!("the root contract would belong to a governor whose code this program does not know");
    let hint =
        "offer it to one that `cocoon governor deploy` made; `cocoon governor export` makes the message all the same";
    Err(Failure::new(Exit::Peer, error, hint))
}

/// Says whom the root contract is offered to, as far as the chain can tell.
pub(super) async fn tell_new_owner(
    chain: &dyn ChainClient,
    network: &Network,
    change: &Change,
    output: Output,
) -> Result<(), Failure> {
    let Change::Root(message) = change else { return Ok(()) };
    let RootMessage::OfferOwnershipFromOwner(offer) = message.as_ref() else {
        return Ok(());
    };
    if offer.until == 0 {
        return Ok(());
    }
    let view = match GovernorView::fetch(chain, &offer.new_owner).await {
        Ok(view) => view.filter(|view| view.storage.root == network.root.account.address),
        Err(error) => return Err(failure::from_owner(error)),
    };
    output.note(match view {
        Some(view) if view.has_known_code() => {
            "the new owner is a governor of this root contract, with the code that this program knows"
        }
        Some(_) => "the new owner looks like a governor of this root contract, but runs UNKNOWN CODE",
        None => "the new owner is NO GOVERNOR of this root contract: who decides there cannot be said here",
    });
    Ok(())
}
