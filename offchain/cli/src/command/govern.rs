//! `cocoon root propose|approve|execute|cancel|pause`, and the changes under the names that people look for.

mod about;
mod file;
mod tell;

use cocoon_bindings::ton::{Address, HashBytes};
use cocoon_chain::{ChainClient, SharedChain};
use cocoon_owner::OwnerError;
use cocoon_owner::governance::{Bundle, Change, Network, Owner};
use cocoon_owner::limits::MAX_BUNDLE_BYTES;
use cocoon_owner::operation::governance::{Approve, Cancel, Deploy, Execute, Pause, Propose};

pub(crate) use self::about::{About, Told};
use self::tell::{tell, tell_class, tell_governor, tell_new_owner, tell_proposal};
use super::governance::{change, governance, repeatable_end};
use super::network::resolve;
use super::owner::run_about;
use crate::args::Global;
use crate::args::govern::{ProposalArgs, ProposeArgs, Proposed, RootApproveArgs, RootPauseArgs};
use crate::args::governor::{GovernorDeployArgs, ProposalBody};
use crate::args::owner::OwnerArgs;
use crate::failure::{self, Exit, Failure};
use crate::input;
use crate::output::Output;

const HOUR: u32 = 3_600;
const DAY: u32 = 86_400;

/// Runs a change under the name that people look for.
pub(crate) async fn named(global: &Global, proposed: impl Into<Proposed>, output: Output) -> Result<Exit, Failure> {
    let (change, args) = proposed.into();
    propose(global, ProposalBody::Root(change), args, output).await
}

/// Runs `root propose`.
pub(crate) async fn propose(
    global: &Global,
    body: ProposalBody,
    args: ProposeArgs,
    output: Output,
) -> Result<Exit, Failure> {
    let (_, network) = look(global, &args.owner, args.governor.as_ref()).await?;
    let change = change(&body, &network.root)?;
    if let Some(path) = &args.bundle {
        file::assert_free(path, &network.root.account.address, &change)?;
    }
    tell_governor(&network, &change, output)?;
    let meaning = change.meaning(&network).map_err(failure::from_owner)?;
    tell(&meaning, output);
    if let ProposalBody::Root(typed) = &body
        && let Some(end) = repeatable_end(typed, network.root.account.time)?
    {
        output.note(format!(
            "days are counted from today, UTC: to give this command again on another day, give {end} instead"
        ));
    }
    if matches!(network.owner, Owner::Wallet(_)) {
        output.note("one wallet owns the root contract: the change is made AT ONCE, no other signer is asked");
        if args.bundle.is_some() {
            let error =
                anyhow::anyhow!("one wallet owns the root contract: there is no proposal that a file could hold");
            return Err(Failure::new(Exit::Usage, error, "leave --bundle away"));
        }
    }
    let lifetime = args.lifetime_days.checked_mul(DAY).ok_or_else(|| {
        let error = anyhow::anyhow!("{} days are out of range", args.lifetime_days);
        Failure::new(Exit::Usage, error, "a proposal lives 90 days at most")
    })?;
    let operation = Propose {
        root: network.root.account.address.clone(),
        governor: args.governor,
        change,
        lifetime,
    };
    let about = About::proposing(&meaning, &operation, args.bundle.as_deref());
    run_about(global, &operation, args.owner, Some(&about), output).await
}

/// Runs `root approve`: what is approved is what the chain holds, read anew.
pub(crate) async fn approve(global: &Global, args: RootApproveArgs, output: Output) -> Result<Exit, Failure> {
    let bundle = match &args.file {
        Some(path) => {
            let hint = "give the file that `cocoon root propose --bundle` wrote, or --id N";
            let bytes = input::read(path, MAX_BUNDLE_BYTES, hint)?;
            Some(Bundle::parse(&bytes).map_err(failure::from_owner)?)
        }
        None => None,
    };
    let (chain, network) = look(global, &args.owner, args.governor.as_ref()).await?;
    if let Some(bundle) = &bundle {
        verify_place(chain.as_ref(), bundle, &network, &args).await?;
    }
    let id = match (&bundle, args.id) {
        (Some(bundle), _) => bundle.proposal,
        (None, Some(id)) => id,
        (None, None) => return Err(anyhow::anyhow!("no proposal is named").into()),
    };
    let is_there = network
        .governor()
        .is_some_and(|governor| governor.proposals.contains_key(&id));
    let cut_off = bundle.as_ref().filter(|_| !is_there);
    // One that is gone has no meaning any more, and nothing is approved without one; an approval that was cut off may still
    // have its end to be told.
    let (meaning, body_hash) = match cut_off.and_then(|bundle| hash_of(&bundle.body_hash)) {
        Some(body_hash) => (None, body_hash),
        None => {
            let (_, proposal) = network.proposal(id).map_err(failure::from_owner)?;
            if let Some(bundle) = &bundle {
                let verified = bundle.verify(chain.as_ref(), &network).await;
                verified.map_err(failure::from_owner)?;
            }
            let (change, _) = Change::decode(&proposal.body).map_err(failure::from_owner)?;
            tell_governor(&network, &change, output)?;
            let meaning = change.meaning(&network).map_err(failure::from_owner)?;
            tell(&meaning, output);
            tell_class(proposal, &change, output);
            tell_new_owner(chain.as_ref(), &network, &change, output).await?;
            output.note(format!("body hash {}", proposal.body.repr_hash()));
            (Some(meaning), *proposal.body.repr_hash())
        }
    };
    let operation = Approve {
        root: network.root.account.address.clone(),
        governor: args.governor,
        proposal: id,
        body_hash,
        may_send: meaning.is_some(),
    };
    let about = meaning.as_ref().map(|meaning| About::proposal(meaning, id));
    run_about(global, &operation, args.owner, about.as_ref(), output).await
}

/// Compares what a file says that needs no proposal on the chain: network, contracts, number and body.
async fn verify_place(
    chain: &dyn ChainClient,
    bundle: &Bundle,
    network: &Network,
    args: &RootApproveArgs,
) -> Result<(), Failure> {
    let hint = "the file is for another governor than the owner of the root contract: one that is to own it is named by \
                yourself, with --governor ADDRESS, and not by a file";
    match bundle.verify_place(chain, network).await {
        Err(error @ OwnerError::Differs { field: "governor" }) if args.governor.is_none() => {
            Err(Failure::new(Exit::Peer, error, hint))
        }
        verified => verified.map_err(failure::from_owner),
    }
}

/// Runs `root execute`.
pub(crate) async fn execute(global: &Global, args: ProposalArgs, output: Output) -> Result<Exit, Failure> {
    let (_, network) = look(global, &args.owner, args.governor.as_ref()).await?;
    // What cannot be read is executed all the same: its signers have approved it.
    let meaning = tell_proposal(&network, args.id, output);
    let operation = Execute {
        root: network.root.account.address.clone(),
        governor: args.governor,
        proposal: args.id,
    };
    let about = meaning.as_ref().map(|meaning| About::proposal(meaning, args.id));
    run_about(global, &operation, args.owner, about.as_ref(), output).await
}

/// Runs `root cancel`.
pub(crate) async fn cancel(global: &Global, args: ProposalArgs, output: Output) -> Result<Exit, Failure> {
    let (_, network) = look(global, &args.owner, args.governor.as_ref()).await?;
    let meaning = tell_proposal(&network, args.id, output);
    let operation = Cancel {
        root: network.root.account.address.clone(),
        governor: args.governor,
        proposal: args.id,
    };
    let about = meaning.as_ref().map(|meaning| About::proposal(meaning, args.id));
    run_about(global, &operation, args.owner, about.as_ref(), output).await
}

/// Runs `root pause`.
pub(crate) async fn pause(global: &Global, args: RootPauseArgs, output: Output) -> Result<Exit, Failure> {
    let (_, root) = resolve(global, &args.owner.place)?.open()?;
    let operation = Pause {
        root,
        governor: args.governor,
        // clap allows 72 at most.
        duration: args.hours.saturating_mul(HOUR),
    };
    run_about(global, &operation, args.owner, None, output).await
}

/// Runs `governor deploy`.
pub(crate) async fn deploy(global: &Global, args: GovernorDeployArgs, output: Output) -> Result<Exit, Failure> {
    let (_, root) = resolve(global, &args.owner.place)?.open()?;
    let operation = Deploy {
        root,
        governance: governance(args.members)?,
    };
    run_about(global, &operation, args.owner, None, output).await
}

/// The root contract that is meant and its owner, and the chain that they are on.
async fn look(
    global: &Global,
    args: &OwnerArgs,
    governor: Option<&Address>,
) -> Result<(SharedChain, Network), Failure> {
    let (chain, root) = resolve(global, &args.place)?.open()?;
    let network = Network::fetch(chain.as_ref(), &root, governor).await;
    Ok((chain, network.map_err(failure::from_owner)?))
}

fn hash_of(text: &str) -> Option<HashBytes> {
    crate::args::governance::hash(text).ok()
}
