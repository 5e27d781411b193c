//! The root contract's books, kept once more.

use super::Terms;
use super::windows::{Listed, Listings, Window};
use cocoon_bindings::root::{HashRole, RootMessage, RootStorage};
use cocoon_bindings::ton::{Cell, CellError, HashBytes, Load};
use cocoon_bindings::units::ParamsVersion;
use cocoon_bindings::{HashDescriptor, HashEntry, HashList, Params, RootData, TrustTimes};
use cocoon_chain::Transaction;
use std::collections::BTreeMap;

/// Where a history begins.
pub(super) struct Start {
    pub(super) storage: RootStorage,
    pub(super) time: u32,
}

/// The transaction that deployed the contract, and what came after it; it may itself do something.
pub(super) fn start(transactions: &[Transaction]) -> Option<(Start, &[Transaction])> {
    let is_active = |status| status == cocoon_chain::AccountStatus::Active;
    let deployed =
        |transaction: &Transaction| !is_active(transaction.status_before) && is_active(transaction.status_after);
    let at = transactions.iter().position(deployed)?;
    let transaction = transactions.get(at)?;
    // The address is the hash of what was deployed.
    let init = transaction.in_msg.as_ref()?.state_init.as_ref();
    let init = init.filter(|init| *init.repr_hash() == transaction.address.address)?;
    let storage = initial_data(init).ok()?;
    let time = transaction.now;
    Some((Start { storage, time }, transactions.get(at..)?))
}

/// The data in a state init: `00` (no depth, not special), code, data, no library.
fn initial_data(state: &Cell) -> Result<RootStorage, CellError> {
    let mut slice = state.as_ref().as_slice()?;
    slice.load_reference()?;
    let data = slice.load_reference_cloned()?;
    RootStorage::load_from(&mut data.as_ref().as_slice()?)
}

type Entries = BTreeMap<(Listed, HashBytes), TrustTimes>;

pub(super) struct Replay {
    data: RootData,
    params: Params,
    /// What is listed, with the limits of its entry and since when it has them.
    open: BTreeMap<(Listed, HashBytes), (TrustTimes, u32)>,
    terms: BTreeMap<ParamsVersion, Terms>,
    listings: Listings,
}

impl Replay {
    pub(super) fn new(storage: RootStorage, time: u32) -> Self {
        let mut replay = Self {
            data: storage.data,
            params: storage.params,
            open: BTreeMap::new(),
            terms: BTreeMap::new(),
            listings: Listings::default(),
        };
        replay.note(time);
        replay
    }

    /// What a transaction did.
    pub(super) fn step(&mut self, transaction: &Transaction) {
        let Some(message) = transaction.in_msg.as_ref() else {
            return;
        };
        if !transaction.success() || message.bounced {
            return;
        }
        if let Ok(message) = RootMessage::load_from(&mut message.body()) {
            self.take(message, transaction.now);
            self.note(transaction.now);
        }
    }

    /// Whether this is what the contract holds, as far as an audit asks.
    pub(super) fn is_at(&self, storage: &RootStorage) -> bool {
        entries(&self.data) == entries(&storage.data) && self.params == storage.params
    }

    pub(super) fn finish(mut self) -> (BTreeMap<ParamsVersion, Terms>, Listings) {
        for ((list, hash), (times, from)) in std::mem::take(&mut self.open) {
            let window = Window { from, until: None };
            self.listings.add(list, hash, window, times);
        }
        (self.terms, self.listings)
    }

    /// Notes what changed at a time.
    fn note(&mut self, time: u32) {
        let version = self.params.params_version;
        self.terms.entry(version).or_insert_with(|| Terms {
            from: time,
            params: self.params.clone(),
        });
        let now = entries(&self.data);
        let open = std::mem::take(&mut self.open);
        for (key, (times, from)) in open {
            if now.get(&key) == Some(&times) {
                self.open.insert(key, (times, from));
            } else {
                let (list, hash) = key;
                let window = Window {
                    from,
                    until: Some(time),
                };
                self.listings.add(list, hash, window, times);
            }
        }
        for (key, times) in now {
            self.open.entry(key).or_insert((times, time));
        }
    }

    fn take(&mut self, message: RootMessage, now: u32) {
        let data = &mut self.data;
        match message {
            RootMessage::AddWorkerHashFromOwner(add) => list(&mut data.worker_hashes, add.hash, now),
            RootMessage::AddProxyHashFromOwner(add) => list(&mut data.proxy_hashes, add.hash, now),
            RootMessage::AddModelHashFromOwner(add) => list(&mut data.model_hashes, add.hash, now),
            RootMessage::DeleteWorkerHashFromOwner(delete) => remove(&mut data.worker_hashes, delete.hash),
            RootMessage::DeleteProxyHashFromOwner(delete) => remove(&mut data.proxy_hashes, delete.hash),
            RootMessage::DeleteModelHashFromOwner(delete) => remove(&mut data.model_hashes, delete.hash),
            RootMessage::AddImageFromOwner(add) => self.describe(add.role, add.hash, Some(&add.descriptor)),
            RootMessage::AddModelFromOwner(add) => self.describe(HashRole::Model, add.hash, Some(&add.descriptor)),
            RootMessage::DescribeHashFromOwner(change) => {
                self.describe(change.role, change.hash, change.descriptor.as_ref());
            }
            RootMessage::ScheduleRetirementFromOwner(change) => {
                self.schedule(change.role, change.hash, change.retire_after);
            }
            RootMessage::RetireHash(retire) => match retire.role {
                HashRole::Proxy => remove(&mut data.proxy_hashes, retire.hash),
                HashRole::Worker => remove(&mut data.worker_hashes, retire.hash),
                HashRole::Model => remove(&mut data.model_hashes, retire.hash),
            },
            RootMessage::ResetFromOwner(_) => {
                data.proxy_hashes.clear();
                data.worker_hashes.clear();
                data.model_hashes.clear();
            }
            RootMessage::UpgradeFullFromOwner(upgrade) => self.replace(&upgrade.data),
            message => self.change_terms(message),
        }
    }

    fn change_terms(&mut self, message: RootMessage) {
        let params = &mut self.params;
        match message {
            RootMessage::ChangePricesFromOwner(change) => {
                params.price_per_token = change.price_per_token;
                params.worker_fee_per_token = change.worker_fee_per_token;
            }
            RootMessage::ChangeParamsFromOwner(change) => {
                params.price_per_token = change.price_per_token;
                params.worker_fee_per_token = change.worker_fee_per_token;
                params.proxy_delay_before_close = change.proxy_delay_before_close;
                params.client_delay_before_close = change.client_delay_before_close;
                params.min_proxy_stake = change.min_proxy_stake;
                params.min_client_stake = change.min_client_stake;
            }
            RootMessage::ChangeAllParamsFromOwner(change) => {
                params.price_per_token = change.price_per_token;
                params.worker_fee_per_token = change.worker_fee_per_token;
                params.multipliers.prompt = change.prompt_mul;
                params.multipliers.cached = change.cached_mul;
                params.multipliers.completion = change.completion_mul;
                params.multipliers.reasoning = change.reasoning_mul;
                params.proxy_delay_before_close = change.proxy_delay_before_close;
                params.client_delay_before_close = change.client_delay_before_close;
                params.min_proxy_stake = change.min_proxy_stake;
                params.min_client_stake = change.min_client_stake;
            }
            RootMessage::ChangeCodesFromOwner(change) => {
                params.proxy_code = Some(change.proxy_code);
                params.worker_code = Some(change.worker_code);
                params.client_code = Some(change.client_code);
            }
            // Nothing that an audit asks about; were it otherwise, the end would not be what the contract holds.
            _ => return,
        }
        let next = params.params_version.get().saturating_add(1);
        params.params_version = ParamsVersion::new(next);
    }

    fn replace(&mut self, data: &Cell) {
        let read = || RootStorage::load_from(&mut data.as_ref().as_slice()?);
        if let Ok(storage) = read() {
            self.data = storage.data;
            self.params = storage.params;
        }
    }

    fn describe(&mut self, role: HashRole, hash: HashBytes, descriptor: Option<&HashDescriptor>) {
        let entry = descriptor.map(HashEntry::described).transpose();
        let entry = entry.ok().flatten().unwrap_or_default();
        let data = &mut self.data;
        match role {
            HashRole::Proxy => data.proxy_hashes.describe(hash.into(), entry),
            HashRole::Worker => data.worker_hashes.describe(hash.into(), entry),
            HashRole::Model => data.model_hashes.describe(hash.into(), entry),
        }
    }

    fn schedule(&mut self, role: HashRole, hash: HashBytes, retire_after: u32) {
        let data = &self.data;
        let entry = match role {
            HashRole::Proxy => data.proxy_hashes.get(&hash.into()),
            HashRole::Worker => data.worker_hashes.get(&hash.into()),
            HashRole::Model => data.model_hashes.get(&hash.into()),
        };
        let mut descriptor = entry.and_then(HashEntry::descriptor).unwrap_or_default();
        descriptor.times.retire_after = retire_after;
        self.describe(role, hash, Some(&descriptor));
    }
}

/// Lists a hash: one that is listed keeps its entry, unless its end has come.
fn list<T: Ord + Copy + From<HashBytes>>(hashes: &mut HashList<T>, hash: HashBytes, now: u32) {
    let hash = T::from(hash);
    if !hashes.insert(hash) && hashes.get(&hash).is_some_and(|entry| entry.times().are_over(now)) {
        hashes.describe(hash, HashEntry::default());
    }
}

fn remove<T: Ord + From<HashBytes>>(hashes: &mut HashList<T>, hash: HashBytes) {
    hashes.remove(&T::from(hash));
}

fn entries(data: &RootData) -> Entries {
    let mut entries = Entries::new();
    let images = [
        (Listed::ProxyImage, &data.proxy_hashes),
        (Listed::WorkerImage, &data.worker_hashes),
    ];
    for (list, hashes) in images {
        let each = hashes.entries();
        entries.extend(each.map(|(hash, entry)| ((list, hash.to_hash_bytes()), entry.times())));
    }
    let models = data.model_hashes.entries();
    entries.extend(models.map(|(hash, entry)| ((Listed::Model, hash.to_hash_bytes()), entry.times())));
    entries
}
