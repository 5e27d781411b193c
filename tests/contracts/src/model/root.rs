//! The root contract.

use std::collections::{BTreeMap, BTreeSet};

use cocoon_bindings::ton::{Address, Cell, CellFamily};

use crate::model::bits::Bits;
use crate::model::body::{Body, Damage, Endpoints, RootAsk, Signer};
use crate::model::effect::{Env, Exit, Outcome, STORAGE, keep_and_return, refuse, require};
use crate::model::terms::Terms;

/// What a hash stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    Proxy,
    Worker,
    Model,
}

/// What is known of a hash.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Descriptor {
    pub(crate) known: bool,
    pub(crate) manifest: u8,
    pub(crate) not_before: u32,
    pub(crate) retire_after: u32,
    pub(crate) label: Vec<u8>,
    /// A bit too many at its end.
    pub(crate) longer: bool,
}

impl Descriptor {
    /// Its bits.
    pub(crate) fn cell(&self) -> Cell {
        let op = if self.known { 0x66b8_aa06 } else { 0x66b8_aa07 };
        let bits = Bits::new().u32(op).raw(&[self.manifest; 32]);
        let bits = bits.u32(self.not_before).u32(self.retire_after).raw(&self.label);
        if self.longer {
            bits.bit(true).done()
        } else {
            bits.done()
        }
    }

    fn is_over(&self, now: u32) -> bool {
        self.retire_after != 0 && now > self.retire_after
    }

    /// Refuses what is not well formed or has ended already.
    fn check(&self, now: u32) -> Result<(), Exit> {
        let formed = self.known && !self.longer && self.label.len() <= 31;
        let timely = self.retire_after == 0 || (self.retire_after > now && self.retire_after >= self.not_before);
        require(formed && timely, 1123)
    }
}

/// The lists of hashes with what is known of each.
type Hashes = BTreeMap<[u8; 32], Option<Descriptor>>;

/// The root contract.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Root {
    pub(crate) owner: Address,
    pub(crate) version: u32,
    /// By role.
    pub(crate) hashes: [Hashes; 3],
    /// Who may become owner, and until when.
    pub(crate) offer: Option<(Address, u32)>,
    /// Keys of the rebuilders, and how many of them an image needs.
    pub(crate) rebuilders: (BTreeSet<[u8; 32]>, u8),
    /// Records by number.
    pub(crate) proxies: BTreeMap<u32, Cell>,
    pub(crate) last_proxy: u32,
    pub(crate) terms: Terms,
    /// Its code, which an upgrade changes.
    pub(crate) code: Cell,
}

impl Root {
    /// As it is deployed.
    pub(crate) fn new(owner: &Address, terms: &Terms, code: &Cell) -> Self {
        Self {
            owner: owner.clone(),
            version: 0,
            hashes: Default::default(),
            offer: None,
            rebuilders: Default::default(),
            proxies: BTreeMap::new(),
            last_proxy: 0,
            terms: terms.clone(),
            code: code.clone(),
        }
    }

    /// Its data.
    pub(crate) fn data(&self) -> Cell {
        let values = |hashes: &Hashes| {
            let value = |known: &Option<Descriptor>| known.as_ref().map_or_else(Cell::empty_cell, Descriptor::cell);
            hashes.iter().map(|(hash, known)| (*hash, value(known))).collect()
        };
        let [proxies, workers, models] = &self.hashes;
        let lists = Bits::new()
            .hashes(&values(proxies))
            .numbers(&self.proxies)
            .u32(self.last_proxy);
        let lists = lists.hashes(&values(workers)).hashes(&values(models)).done();
        let bits = Bits::new().address(&self.owner).u32(self.version);
        let bits = bits.cell(lists).cell(self.terms.cell());
        let (keys, threshold) = &self.rebuilders;
        if self.offer.is_none() && keys.is_empty() {
            return bits.done();
        }
        let offer = self
            .offer
            .as_ref()
            .map(|(to, until)| Bits::new().address(to).u32(*until).done());
        let keys = keys.iter().map(|key| (*key, Cell::empty_cell())).collect();
        bits.cell(
            Bits::new()
                .maybe(offer)
                .hashes(&keys)
                .uint((*threshold).into(), 8)
                .done(),
        )
        .done()
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
            Body::Note { .. } | Body::Bounced { .. } => Ok(Vec::new()),
            Body::Root { query, ask } => {
                // Anyone may take off what has ended, and the new owner is not the owner yet.
                if !matches!(ask, RootAsk::Retire { .. } | RootAsk::Accept) {
                    require(env.from == self.owner, 1010)?;
                }
                self.change(ask, longer, env)?;
                Ok(keep_and_return(env.keep(STORAGE), &env.from, *query))
            }
            _ => {
                require(env.from == self.owner, 1010)?;
                refuse(1012)
            }
        }
    }

    fn change(&mut self, ask: &RootAsk, longer: bool, env: &Env) -> Result<(), Exit> {
        match ask {
            RootAsk::RegisterProxy(endpoints) => {
                let record = check_endpoints(endpoints, longer)?;
                self.last_proxy += 1;
                self.proxies.insert(self.last_proxy, record);
            }
            RootAsk::UpdateProxy(seqno, endpoints) => {
                let record = check_endpoints(endpoints, longer)?;
                require(self.proxies.contains_key(seqno), 2000)?;
                self.proxies.insert(*seqno, record);
            }
            RootAsk::Add(Role::Proxy | Role::Worker, _) if self.rebuilders.1 > 0 => return refuse(1120),
            RootAsk::AddImage {
                role,
                hash,
                descriptor,
                signers,
                ..
            } => {
                require(*role != Role::Model, 1004)?;
                let attests =
                    |(signer, right): &&(Signer, bool)| *right && self.rebuilders.0.contains(&signer.public());
                require(signers.iter().filter(attests).count() >= self.rebuilders.1.into(), 1120)?;
                self.list(*role, *hash, descriptor, env.now)?;
                require(!longer, 1004)?;
            }
            RootAsk::AddModel { hash, descriptor } => {
                self.list(Role::Model, *hash, descriptor, env.now)?;
                require(!longer, 1004)?;
            }
            RootAsk::Describe { role, hash, descriptor } => {
                self.current(*role, hash, env.now)?;
                match descriptor {
                    None => drop(self.hashes[*role as usize].insert(*hash, None)),
                    Some(descriptor) => self.list(*role, *hash, descriptor, env.now)?,
                }
                require(!longer, 1004)?;
            }
            RootAsk::Retirement { role, hash, after } => {
                let known = self.current(*role, hash, env.now)?;
                if known.is_some() || *after != 0 {
                    let bare = Descriptor {
                        known: true,
                        manifest: 0,
                        not_before: 0,
                        retire_after: 0,
                        label: Vec::new(),
                        longer: false,
                    };
                    let descriptor = Descriptor {
                        retire_after: *after,
                        ..known.unwrap_or(bare)
                    };
                    self.list(*role, *hash, &descriptor, env.now)?;
                }
                require(!longer, 1004)?;
            }
            RootAsk::Retire { role, hash } => {
                let known = self.hashes[*role as usize].get(hash).ok_or(Exit::Refused(1121))?;
                require(known.as_ref().is_some_and(|known| known.is_over(env.now)), 1124)?;
                self.hashes[*role as usize].remove(hash);
                require(!longer, 1004)?;
            }
            RootAsk::Rebuilders { keys, threshold } => {
                let keys: BTreeSet<_> = keys.iter().copied().collect();
                require(keys.len() <= 16 && usize::from(*threshold) <= keys.len(), 1123)?;
                self.rebuilders = (keys, *threshold);
                require(!longer, 1004)?;
            }
            RootAsk::Offer { to, until } => {
                require(*until == 0 || *until >= env.now, 1122)?;
                self.offer = (*until != 0).then(|| (to.clone(), *until));
                require(!longer, 1004)?;
            }
            RootAsk::Accept => {
                let (to, until) = self.offer.take().ok_or(Exit::Refused(1122))?;
                require(env.from == to && env.now <= until, 1122)?;
                require(!longer, 1004)?;
                self.owner = to;
            }
            _ if longer => return refuse(1004),
            RootAsk::Add(role, hash) => {
                let known = self.hashes[*role as usize].entry(*hash).or_default();
                if known.as_ref().is_some_and(|known| known.is_over(env.now)) {
                    *known = None;
                }
            }
            RootAsk::Delete(role, hash) => {
                self.hashes[*role as usize].remove(hash);
            }
            RootAsk::UnregisterProxy(seqno) => {
                self.proxies.remove(seqno);
            }
            RootAsk::Prices { price, fee } => self.prices(*price, *fee)?,
            RootAsk::Params {
                price,
                fee,
                delays,
                stakes,
            } => {
                self.prices(*price, *fee)?;
                (self.terms.delays, self.terms.stakes) = (*delays, *stakes);
            }
            RootAsk::AllParams {
                price,
                fee,
                weights,
                delays,
                stakes,
            } => {
                self.prices(*price, *fee)?;
                (self.terms.delays, self.terms.stakes) = (*delays, *stakes);
                self.terms.weights = *weights;
            }
            RootAsk::Codes(codes) => {
                self.terms.codes = codes.clone().map(Some);
                self.terms.version += 1;
            }
            RootAsk::UpgradeCode(code) => {
                self.code = code.clone();
                return Ok(());
            }
            RootAsk::UpgradeFull { state, code } => {
                *self = (**state).clone();
                self.code = code.clone();
                return Ok(());
            }
            RootAsk::Reset => {
                self.hashes = Default::default();
                self.proxies.clear();
            }
            RootAsk::ChangeOwner(owner) => {
                self.owner = owner.clone();
                self.offer = None;
            }
        }
        self.version += 1;
        Ok(())
    }

    /// Lists a hash with a descriptor.
    fn list(&mut self, role: Role, hash: [u8; 32], descriptor: &Descriptor, now: u32) -> Result<(), Exit> {
        descriptor.check(now)?;
        self.hashes[role as usize].insert(hash, Some(descriptor.clone()));
        Ok(())
    }

    /// What is known of a listed hash whose end has not come.
    fn current(&self, role: Role, hash: &[u8; 32], now: u32) -> Result<Option<Descriptor>, Exit> {
        let known = self.hashes[role as usize].get(hash).ok_or(Exit::Refused(1121))?;
        require(!known.as_ref().is_some_and(|known| known.is_over(now)), 1121)?;
        Ok(known.clone())
    }

    fn prices(&mut self, price: u128, fee: u128) -> Result<(), Exit> {
        require(fee <= price, 1004)?;
        (self.terms.price, self.terms.fee) = (price, fee);
        self.terms.version += 1;
        Ok(())
    }
}

/// The record as the dictionary holds it.
fn check_endpoints(endpoints: &Endpoints, longer: bool) -> Result<Cell, Exit> {
    require(
        !endpoints.kind && usize::from(endpoints.length) == endpoints.text.len() && !longer,
        1004,
    )?;
    Ok(record(endpoints))
}

/// The record's bits.
pub(crate) fn record(endpoints: &Endpoints) -> Cell {
    let bits = Bits::new().bit(endpoints.kind).uint(endpoints.length.into(), 7);
    bits.raw(&endpoints.text).done()
}
