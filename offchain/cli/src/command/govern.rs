//! `cocoon root propose|approve|execute|cancel|pause`, and the changes under the names that people look for.

mod about;

use cocoon_bindings::ton::{Address, HashBytes};
use cocoon_chain::SharedChain;
use cocoon_owner::governance::{Bundle, Change, Meaning, Network, Owner};
use cocoon_owner::limits::MAX_BUNDLE_BYTES;
use cocoon_owner::operation::governance::{Approve, Cancel, Deploy, Execute, Pause, Propose};

pub(crate) use self::about::{About, Told};
use super::governance::{change, governance};
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
    let meaning = change.meaning(&network).map_err(failure::from_owner)?;
    tell(&meaning, output);
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
    let id = match (&bundle, args.id) {
        (Some(bundle), _) => bundle.proposal,
        (None, Some(id)) => id,
        (None, None) => return Err(anyhow::anyhow!("no proposal is named").into()),
    };
    let is_there = network
        .governor()
        .is_some_and(|governor| governor.proposals.contains_key(&id));
    let mut meaning = None;
    let mut body_hash = bundle.as_ref().and_then(|bundle| hash_of(&bundle.body_hash));
    // One that is gone has no meaning any more; an approval that was cut off may still have its end to be told.
    if is_there || body_hash.is_none() {
        let (_, proposal) = network.proposal(id).map_err(failure::from_owner)?;
        if let Some(bundle) = &bundle {
            let verified = bundle.verify(chain.as_ref(), &network).await;
            verified.map_err(failure::from_owner)?;
        }
        body_hash = Some(*proposal.body.repr_hash());
        meaning = Some(meaning_of(&network, id)?);
    }
    if let Some(meaning) = &meaning {
        tell(meaning, output);
        output.note(format!("body hash {}", body_hash.unwrap_or_default()));
    }
    let operation = Approve {
        root: network.root.account.address.clone(),
        governor: args.governor,
        proposal: id,
        body_hash: body_hash.unwrap_or_default(),
    };
    let about = meaning.as_ref().map(|meaning| About::proposal(meaning, id));
    run_about(global, &operation, args.owner, about.as_ref(), output).await
}

/// Runs `root execute`.
pub(crate) async fn execute(global: &Global, args: ProposalArgs, output: Output) -> Result<Exit, Failure> {
    let (_, network) = look(global, &args.owner, args.governor.as_ref()).await?;
    // What cannot be read is executed all the same: its signers have approved it.
    let meaning = meaning_of(&network, args.id).ok();
    if let Some(meaning) = &meaning {
        tell(meaning, output);
    }
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
    let (_, root) = resolve(global, &args.owner.place)?.open()?;
    let operation = Cancel {
        root,
        governor: args.governor,
        proposal: args.id,
    };
    run_about(global, &operation, args.owner, None, output).await
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

fn meaning_of(network: &Network, id: u64) -> Result<Meaning, Failure> {
    let read = || {
        let (_, proposal) = network.proposal(id)?;
        Change::decode(&proposal.body)?.0.meaning(network)
    };
    read().map_err(failure::from_owner)
}

fn hash_of(text: &str) -> Option<HashBytes> {
    crate::args::governance::hash(text).ok()
}

/// What a change means, before anything is asked or sent.
fn tell(meaning: &Meaning, output: Output) {
    output.note(format!("to {} (class: {})", meaning.says, meaning.class));
    for line in meaning.lines() {
        output.note(format!("  {line}"));
    }
}
