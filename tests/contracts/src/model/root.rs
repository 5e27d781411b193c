//! The root contract.

use std::collections::BTreeMap;

use cocoon_bindings::ton::{Address, Cell, CellFamily};

use crate::model::bits::Bits;
use crate::model::body::{Body, Damage, Endpoints, RootAsk};
use crate::model::effect::{Env, Exit, Outcome, STORAGE, keep_and_return, refuse, require};
use crate::model::terms::Terms;

/// What a hash stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    Proxy,
    Worker,
    Model,
}

/// The root contract.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Root {
    pub(crate) owner: Address,
    pub(crate) version: u32,
    /// By role; the values are what the dictionaries hold.
    pub(crate) hashes: [BTreeMap<[u8; 32], Cell>; 3],
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
            proxies: BTreeMap::new(),
            last_proxy: 0,
            terms: terms.clone(),
            code: code.clone(),
        }
    }

    /// Its data.
    pub(crate) fn data(&self) -> Cell {
        let [proxies, workers, models] = &self.hashes;
        let lists = Bits::new().hashes(proxies).numbers(&self.proxies).u32(self.last_proxy);
        let lists = lists.hashes(workers).hashes(models).done();
        let bits = Bits::new().address(&self.owner).u32(self.version);
        bits.cell(lists).cell(self.terms.cell()).done()
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
                require(env.from == self.owner, 1010)?;
                self.change(ask, longer)?;
                Ok(keep_and_return(env.keep(STORAGE), &env.from, *query))
            }
            _ => {
                require(env.from == self.owner, 1010)?;
                refuse(1012)
            }
        }
    }

    fn change(&mut self, ask: &RootAsk, longer: bool) -> Result<(), Exit> {
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
            _ if longer => return refuse(1004),
            RootAsk::Add(role, hash) => {
                self.hashes[*role as usize].insert(*hash, Cell::empty_cell());
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
            RootAsk::ChangeOwner(owner) => self.owner = owner.clone(),
        }
        self.version += 1;
        Ok(())
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
