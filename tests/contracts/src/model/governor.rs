//! The governor of the root contract.

use std::collections::{BTreeMap, BTreeSet};

use cocoon_bindings::ton::{Address, Cell, DynCell};

use crate::model::bits::Bits;
use crate::model::body::{Body, Damage, GovernAsk, GovernorOwn, RootAsk};
use crate::model::effect::{
    Act, COMMISSION, Env, Exit, Outcome, Return, keep_and_return, keep_and_return_unused, payout, refuse, require,
};

/// What always stays on the governor.
const RESERVE: u128 = COMMISSION;
/// What an execution brings beyond the forwarding of its body.
const EXECUTION: u128 = 300_000_000;
const DAY: u32 = 86_400;
const HOUR: u32 = 3_600;
const MAX_PAUSE: u32 = 3 * DAY;

/// What storage and forwarding cost: per second, cell and bit; in nanoton times 65,536.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Prices {
    pub(crate) storage: [u128; 2],
    pub(crate) lump: u128,
    pub(crate) forward: [u128; 2],
}

/// Who decides, and how slowly.
#[derive(Debug, Clone)]
pub(crate) struct Config {
    pub(crate) threshold: u8,
    pub(crate) revoke_threshold: u8,
    pub(crate) delays: [u32; 2],
    pub(crate) signers: BTreeMap<u8, Address>,
    pub(crate) council: BTreeMap<u8, Address>,
}

/// What a proposal is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Class {
    Revoke,
    Change,
    Critical,
    Release,
    CouncilChange,
}

/// A message that may be sent.
#[derive(Debug, Clone)]
pub(crate) struct Proposal {
    pub(crate) class: Class,
    pub(crate) epoch: u32,
    pub(crate) approvals: u32,
    pub(crate) ready_at: u32,
    pub(crate) expires_at: u32,
    /// Who executed it, by which query, when.
    pub(crate) execution: Option<(Address, u64, u32)>,
    pub(crate) body: Body,
}

/// The governor.
#[derive(Debug, Clone)]
pub(crate) struct Governor {
    pub(crate) root: Address,
    pub(crate) prices: Prices,
    pub(crate) epoch: u32,
    pub(crate) paused_until: u32,
    pub(crate) pause_from: u32,
    pub(crate) config: Config,
    /// Proposals ever made, and still kept, by index.
    pub(crate) proposers: BTreeMap<u8, (u32, u8)>,
    pub(crate) proposals: BTreeMap<u64, Proposal>,
}

fn members(list: &BTreeMap<u8, Address>) -> BTreeMap<u8, Cell> {
    list.iter()
        .map(|(index, member)| (*index, Bits::new().address(member).done()))
        .collect()
}

impl Governor {
    /// As it is deployed.
    pub(crate) fn new(root: &Address, config: Config, prices: Prices) -> Self {
        Self {
            root: root.clone(),
            prices,
            epoch: 0,
            paused_until: 0,
            pause_from: 0,
            config,
            proposers: BTreeMap::new(),
            proposals: BTreeMap::new(),
        }
    }

    /// Its data.
    pub(crate) fn data(&self) -> Cell {
        let config = &self.config;
        let bits = Bits::new()
            .uint(config.threshold.into(), 8)
            .uint(config.revoke_threshold.into(), 8);
        let bits = bits.u32(config.delays[0]).u32(config.delays[1]);
        let config = bits
            .bytes(&members(&config.signers))
            .bytes(&members(&config.council))
            .done();
        let record = |(made, open): &(u32, u8)| Bits::new().u32(*made).uint((*open).into(), 8).done();
        let proposers = self
            .proposers
            .iter()
            .map(|(index, known)| (*index, record(known)))
            .collect();
        let proposals = self
            .proposals
            .iter()
            .map(|(id, proposal)| (*id, proposal.cell()))
            .collect();
        let bits = Bits::new()
            .address(&self.root)
            .u32(self.epoch)
            .u32(self.paused_until)
            .u32(self.pause_from);
        bits.cell(config).bytes(&proposers).longs(&proposals).done()
    }

    /// What a message does.
    pub(crate) fn receive(&mut self, body: &Body, env: &Env) -> Outcome {
        let (body, longer) = match body {
            Body::Damaged(_, Damage::Shorter) => return Err(Exit::Failed),
            Body::Damaged(body, Damage::Longer) => (&**body, true),
            body => (body, false),
        };
        match body {
            Body::Empty if !longer => Ok(Vec::new()),
            Body::Note { .. } => Ok(Vec::new()),
            Body::Excesses { query } if env.from == self.root => Ok(self.finish(*query, true, env)),
            Body::Excesses { .. } => Ok(Vec::new()),
            Body::Bounced { original, .. } if env.from == self.root => match query_of(original) {
                Some(query) => Ok(self.finish(query, false, env)),
                None => Err(Exit::Failed),
            },
            Body::Bounced { .. } => Ok(Vec::new()),
            Body::Govern { query, ask } => self.decide(*query, ask, longer, env),
            _ => refuse(1012),
        }
    }

    fn decide(&mut self, query: u64, ask: &GovernAsk, longer: bool, env: &Env) -> Outcome {
        let mut more = 0;
        match ask {
            GovernAsk::Propose { signer, expires, body } => {
                self.check_signer(*signer, env)?;
                more = self.add(*signer, *expires, body, env)?;
                require(env.value >= more + COMMISSION, 1003)?;
            }
            GovernAsk::Approve { signer, id, body } => {
                self.check_signer(*signer, env)?;
                let proposal = self.open(*id, env)?;
                require(proposal.body.cell().repr_hash() == body.cell().repr_hash(), 1155)?;
                require(proposal.approvals & (1 << signer) == 0, 1143)?;
                self.toggle(*id, *signer, env);
            }
            GovernAsk::WithdrawApproval { signer, id } => {
                self.check_signer(*signer, env)?;
                require(self.open(*id, env)?.approvals & (1 << signer) != 0, 1145)?;
                self.toggle(*id, *signer, env);
            }
            GovernAsk::Cancel { signer, id } => {
                self.check_signer(*signer, env)?;
                let proposal = self.known(*id)?;
                require(id % 32 == u64::from(*signer), 1152)?;
                require(proposal.epoch == self.epoch, 1151)?;
                require(proposal.execution.is_none(), 1154)?;
                self.remove(*id);
            }
            GovernAsk::Veto { member, id } => {
                require(self.config.council.get(member) == Some(&env.from), 1141)?;
                let proposal = self.known(*id)?;
                require(proposal.waits(), 1152)?;
                require(proposal.execution.is_none(), 1154)?;
                self.remove(*id);
            }
            GovernAsk::Pause { member, duration } => {
                require(self.config.council.get(member) == Some(&env.from), 1141)?;
                require((1..=MAX_PAUSE).contains(duration), 1150)?;
                require(env.now >= self.pause_from, 1153)?;
                self.paused_until = env.now + duration;
                self.pause_from = self.paused_until + 7 * DAY;
            }
            GovernAsk::Execute { id } => {
                require(!longer, 1004)?;
                return self.execute(*id, query, env);
            }
            GovernAsk::Purge { id } => {
                let proposal = self.known(*id)?;
                require(proposal.epoch != self.epoch || env.now >= proposal.expires_at, 1156)?;
                let answered = proposal
                    .execution
                    .as_ref()
                    .is_none_or(|(_, _, since)| env.now >= since + DAY);
                require(answered, 1154)?;
                self.remove(*id);
            }
        }
        require(!longer, 1004)?;
        Ok(keep_and_return(env.keep(RESERVE) + more, &env.from, query))
    }

    /// Adds a proposal and gives what its storage costs.
    fn add(&mut self, signer: u8, expires: u32, body: &Body, env: &Env) -> Result<u128, Exit> {
        let id = query_of(body).ok_or(Exit::Refused(1004))?;
        let (made, open) = self.proposers.get(&signer).copied().unwrap_or_default();
        require(open < 3, 1148)?;
        require(id == u64::from(made + 1) * 32 + u64::from(signer), 1149)?;
        let class = class_of(body);
        let delay = self.delay(class);
        let least = if delay == 0 { 1 } else { delay + MAX_PAUSE + DAY };
        let lifetime = expires.checked_sub(env.now).ok_or(Exit::Refused(1144))?;
        require((least..=90 * DAY).contains(&lifetime), 1144)?;
        let proposal = Proposal {
            class,
            epoch: self.epoch,
            approvals: 0,
            ready_at: 0,
            expires_at: expires,
            execution: None,
            body: body.clone(),
        };
        self.proposers.insert(signer, (made + 1, open + 1));
        self.proposals.insert(id, proposal);
        self.toggle(id, signer, env);
        let [bits, cells] = size(&body.cell());
        let rate = (bits + 1_500) * self.prices.storage[0] + (cells + 3) * self.prices.storage[1];
        Ok((rate * u128::from(lifetime)).div_ceil(1 << 16))
    }

    /// Executes a proposal: by itself or by the root.
    fn execute(&mut self, id: u64, query: u64, env: &Env) -> Outcome {
        let proposal = self.open(id, env)?.clone();
        require(proposal.ready_at != 0, 1145)?;
        require(env.now >= proposal.ready_at, 1146)?;
        require(!(proposal.waits() && env.now < self.paused_until), 1147)?;
        let mut keep = env.keep(RESERVE);
        let (body, longer) = match &proposal.body {
            Body::Damaged(body, damage) => (&**body, Some(*damage)),
            body => (body, None),
        };
        let mut acts = Vec::new();
        let Body::GovernorOwn { own, .. } = body else {
            let [bits, cells] = size(&proposal.body.cell());
            let forward = (bits * self.prices.forward[0] + cells * self.prices.forward[1]).div_ceil(1 << 16);
            require(env.value >= EXECUTION + self.prices.lump + forward, 1003)?;
            if let Some(proposal) = self.proposals.get_mut(&id) {
                proposal.execution = Some((env.from.clone(), query, env.now));
            }
            let (to, back) = (self.root.clone(), Return::RichRoot);
            return Ok(vec![
                Act::Keep(keep),
                Act::Rest {
                    to,
                    back,
                    body: proposal.body,
                },
            ]);
        };
        if longer == Some(Damage::Shorter) {
            return Err(Exit::Failed);
        }
        match own {
            GovernorOwn::Signers {
                threshold,
                revoke,
                signers,
            } => {
                check_members(signers, 32)?;
                let ordered = 1 <= *revoke && revoke <= threshold && usize::from(*threshold) <= signers.len();
                require(ordered, 1150)?;
                self.config.signers.clone_from(signers);
                (self.config.threshold, self.config.revoke_threshold) = (*threshold, *revoke);
                self.epoch += 1;
            }
            GovernorOwn::Council(council) => {
                check_members(council, 16)?;
                self.config.council.clone_from(council);
            }
            GovernorOwn::Delays([change, critical]) => {
                require(HOUR <= *change && change <= critical && *critical <= 30 * DAY, 1150)?;
                self.config.delays = [*change, *critical];
            }
            GovernorOwn::LiftPause => self.paused_until = 0,
            GovernorOwn::Surplus { to, amount } => {
                require(amount + RESERVE <= keep, 1001)?;
                keep -= amount;
                acts.push(payout(to, *amount, query));
            }
        }
        require(longer.is_none(), 1004)?;
        self.remove(id);
        acts.extend(keep_and_return(keep, &env.from, query));
        Ok(acts)
    }

    /// The root has answered.
    fn finish(&mut self, id: u64, done: bool, env: &Env) -> Vec<Act> {
        let Some(proposal) = self.proposals.get_mut(&id) else {
            return Vec::new();
        };
        let Some((executor, query, _)) = proposal.execution.take() else {
            return Vec::new();
        };
        if done {
            self.remove(id);
        }
        keep_and_return_unused(env.keep(0), &executor, query)
    }

    fn check_signer(&self, signer: u8, env: &Env) -> Result<(), Exit> {
        require(self.config.signers.get(&signer) == Some(&env.from), 1140)
    }

    fn known(&self, id: u64) -> Result<&Proposal, Exit> {
        self.proposals.get(&id).ok_or(Exit::Refused(1142))
    }

    /// A proposal that may still be decided on.
    fn open(&self, id: u64, env: &Env) -> Result<&Proposal, Exit> {
        let proposal = self.known(id)?;
        require(proposal.epoch == self.epoch, 1151)?;
        require(env.now < proposal.expires_at, 1144)?;
        require(proposal.execution.is_none(), 1154)?;
        Ok(proposal)
    }

    fn delay(&self, class: Class) -> u32 {
        match class {
            Class::Revoke | Class::Release => 0,
            Class::Change => self.config.delays[0],
            Class::Critical | Class::CouncilChange => self.config.delays[1],
        }
    }

    /// Gives or takes an approval. The delay runs while enough approve.
    fn toggle(&mut self, id: u64, signer: u8, env: &Env) {
        let Some(mut proposal) = self.proposals.remove(&id) else {
            return;
        };
        proposal.approvals ^= 1 << signer;
        let needed = if proposal.class == Class::Revoke {
            self.config.revoke_threshold
        } else {
            self.config.threshold
        };
        if proposal.approvals.count_ones() < u32::from(needed) {
            proposal.ready_at = 0;
        } else if proposal.ready_at == 0 {
            proposal.ready_at = env.now + self.delay(proposal.class);
        }
        self.proposals.insert(id, proposal);
    }

    fn remove(&mut self, id: u64) {
        self.proposals.remove(&id);
        if let Some((_, open)) = u8::try_from(id % 32)
            .ok()
            .and_then(|index| self.proposers.get_mut(&index))
        {
            *open -= 1;
        }
    }
}

impl Proposal {
    /// Whether the council may pause and cancel it.
    fn waits(&self) -> bool {
        matches!(self.class, Class::Change | Class::Critical)
    }

    fn cell(&self) -> Cell {
        let bits = Bits::new()
            .uint(self.class as u64, 8)
            .u32(self.epoch)
            .u32(self.approvals);
        let execution = self
            .execution
            .as_ref()
            .map(|(executor, query, since)| Bits::new().address(executor).u64(*query).u32(*since).done());
        bits.u32(self.ready_at)
            .u32(self.expires_at)
            .maybe(execution)
            .cell(self.body.cell())
            .done()
    }
}

/// The query id that follows the op.
fn query_of(body: &Body) -> Option<u64> {
    let cell = body.cell();
    let mut slice = cell.as_ref().as_slice().ok()?;
    slice.load_u32().ok()?;
    slice.load_u64().ok()
}

fn class_of(body: &Body) -> Class {
    match body {
        Body::Damaged(body, _) => class_of(body),
        Body::Root { ask, .. } => match ask {
            RootAsk::Delete(..) | RootAsk::UnregisterProxy(_) => Class::Revoke,
            RootAsk::Add(..)
            | RootAsk::RegisterProxy(_)
            | RootAsk::UpdateProxy(..)
            | RootAsk::Prices { .. }
            | RootAsk::Params { .. }
            | RootAsk::AllParams { .. }
            | RootAsk::Codes(_)
            | RootAsk::AddImage { .. }
            | RootAsk::AddModel { .. }
            | RootAsk::Describe { .. }
            | RootAsk::Retirement { .. }
            | RootAsk::Accept => Class::Change,
            _ => Class::Critical,
        },
        Body::GovernorOwn { own, .. } => match own {
            GovernorOwn::Surplus { .. } => Class::Change,
            GovernorOwn::LiftPause => Class::Release,
            GovernorOwn::Council(_) => Class::CouncilChange,
            _ => Class::Critical,
        },
        _ => Class::Critical,
    }
}

fn check_members(list: &BTreeMap<u8, Address>, limit: u8) -> Result<(), Exit> {
    let different = list.values().collect::<BTreeSet<_>>().len() == list.len();
    require(different && list.keys().all(|index| *index < limit), 1150)
}

/// Bits and cells of a tree, each cell once.
fn size(root: &Cell) -> [u128; 2] {
    fn count(cell: &DynCell, seen: &mut BTreeSet<[u8; 32]>, sum: &mut [u128; 2]) {
        if seen.insert(*cell.repr_hash().as_array()) {
            sum[0] += u128::from(cell.bit_len());
            sum[1] += 1;
            cell.references().for_each(|child| count(child, seen, sum));
        }
    }
    let mut sum = [0, 0];
    count(root.as_ref(), &mut BTreeSet::new(), &mut sum);
    sum
}
