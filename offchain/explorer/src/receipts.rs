//! Receipts that were proven, the newest ones.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use cocoon_bindings::ton::{Address, HashBytes};
use cocoon_receipt::{ReceiptId, SignedReceipt};

use crate::limits::MAX_RECEIPTS;

/// Where a receipt stands: newer ones are larger. When its answer counts as ended, Unix milliseconds, and its id.
pub(crate) type Place = (u64, HashBytes);

/// A receipt of a log: proven to be in it, and signed by the key of the proxy contract.
#[derive(Debug, Clone)]
pub(crate) struct Proven {
    /// The receipt.
    pub(crate) signed: SignedReceipt,
    /// Its id.
    pub(crate) id: ReceiptId,
    /// Its place in the log.
    pub(crate) index: u64,
    /// Which log, by its place among those that are read.
    pub(crate) log: usize,
    /// When its answer counts as ended, Unix milliseconds: as the proxy signed it, but no later than it can have been when it was read.
    pub(crate) ended_ms: u64,
}

impl Proven {
    /// Its place.
    pub(crate) fn place(&self) -> Place {
        (self.ended_ms, self.id.0)
    }
}

/// What is searched for.
#[derive(Debug, Default, Clone)]
pub(crate) struct Wanted {
    /// Proxy contract.
    pub(crate) proxy: Option<Address>,
    /// Worker contract.
    pub(crate) worker: Option<Address>,
    /// Client contract.
    pub(crate) client: Option<Address>,
    /// Model.
    pub(crate) model: Option<HashBytes>,
    /// Ended then or later, Unix milliseconds.
    pub(crate) since_ms: Option<u64>,
    /// Ended then or before, Unix milliseconds.
    pub(crate) until_ms: Option<u64>,
}

impl Wanted {
    fn fits(&self, proven: &Proven) -> bool {
        let receipt = &proven.signed.receipt;
        let statement = &receipt.statement;
        let is = |wanted: &Option<Address>, found: &Address| wanted.as_ref().is_none_or(|wanted| wanted == found);
        is(&self.proxy, &statement.proxy)
            && is(&self.worker, &statement.worker)
            && is(&self.client, &receipt.client)
            && self
                .model
                .is_none_or(|wanted| wanted == statement.model.to_hash_bytes())
    }
}

/// The newest receipts of all logs together. When there are too many, the log that has most of them loses its oldest: a log with no
/// more than its share loses none, whatever times the others sign.
#[derive(Debug, Default)]
pub(crate) struct Receipts {
    by_time: BTreeMap<Place, Proven>,
    places: HashMap<HashBytes, Place>,
    by_log: BTreeMap<usize, BTreeSet<Place>>,
    /// Whether older ones made place.
    pub(crate) has_lost: bool,
}

impl Receipts {
    /// Adds one that was proven, unless it is there; the oldest of the log that has most makes place.
    pub(crate) fn add(&mut self, proven: Proven) {
        let place = proven.place();
        if self.places.contains_key(&proven.id.0) {
            return;
        }
        self.places.insert(proven.id.0, place);
        self.by_log.entry(proven.log).or_default().insert(place);
        self.by_time.insert(place, proven);
        while self.by_time.len() > MAX_RECEIPTS {
            let most = self.by_log.values_mut().max_by_key(|places| places.len());
            let Some(oldest) = most.and_then(BTreeSet::pop_first) else {
                break;
            };
            if let Some(lost) = self.by_time.remove(&oldest) {
                self.places.remove(&lost.id.0);
            }
            self.has_lost = true;
        }
    }

    /// Takes over a worker's signature that came later; the receipt, if that is new.
    pub(crate) fn countersign(&mut self, newer: &Proven) -> Option<&Proven> {
        let known = self
            .places
            .get(&newer.id.0)
            .and_then(|place| self.by_time.get_mut(place));
        let known = known.filter(|known| known.signed.worker_signature.is_none() && known.log == newer.log)?;
        known.signed.worker_signature = newer.signed.worker_signature;
        known.signed.worker_signature.is_some().then_some(&*known)
    }

    /// One by its id.
    pub(crate) fn get(&self, id: &HashBytes) -> Option<&Proven> {
        self.by_time.get(self.places.get(id)?)
    }

    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.by_time.len()
    }

    /// Those that fit, before a place, newest first.
    pub(crate) fn search<'a>(&'a self, wanted: &'a Wanted, before: Option<Place>) -> impl Iterator<Item = &'a Proven> {
        use std::ops::Bound::{Excluded, Included, Unbounded};
        let latest = wanted.until_ms.map(|until| (until, HashBytes([0xff; 32])));
        let end = match (before, latest) {
            (Some(before), Some(latest)) if before <= latest => Excluded(before),
            (_, Some(latest)) => Included(latest),
            (Some(before), None) => Excluded(before),
            (None, None) => Unbounded,
        };
        let since = (wanted.since_ms.unwrap_or(0), HashBytes::ZERO);
        let rows = self.by_time.range((Unbounded, end)).rev();
        rows.take_while(move |(place, _)| **place >= since)
            .map(|(_, proven)| proven)
            .filter(move |proven| wanted.fits(proven))
    }
}
