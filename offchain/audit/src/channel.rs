//! One channel as the receipts make it: what is kept of it does not grow with its receipts.

use cocoon_bindings::ton::{Address, HashBytes};
use cocoon_bindings::units::TokenCount;
use cocoon_receipt::{ChannelHead, ChannelLink, ReceiptId};
use serde::{Deserialize, Serialize};

/// A total that a contract settled, and the receipt that covers it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Point {
    tokens: u64,
    /// The first receipt that ends at this total or behind it.
    receipt: Option<ReceiptId>,
    /// Whether it ends there.
    is_end: bool,
}

/// Where a channel stands, and what became of the totals that its contract settled. These are known before the first receipt is
/// read, so nothing else needs to be kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Channel {
    pub(crate) head: ChannelHead,
    pub(crate) receipts: u64,
    /// The proxy contract at the other end.
    pub(crate) proxy: Option<Address>,
    last: Option<ReceiptId>,
    /// By total, each once.
    points: Vec<Point>,
    /// How many of them are covered.
    covered: usize,
}

impl Channel {
    /// A channel without receipts, whose contract settled these totals.
    pub(crate) fn new(mut settled: Vec<u64>) -> Self {
        settled.sort_unstable();
        settled.dedup();
        let point = |tokens| Point {
            tokens,
            receipt: None,
            is_end: false,
        };
        Self {
            head: ChannelHead::GENESIS,
            receipts: 0,
            proxy: None,
            last: None,
            points: settled.into_iter().map(point).collect(),
            covered: 0,
        }
    }

    /// Tokens that the receipts sum to.
    pub(crate) fn tokens(&self) -> TokenCount {
        TokenCount::new(self.head.total)
    }

    /// Whether a receipt ends at this total, which the contract settled; nothing charged needs no receipt.
    pub(crate) fn ends_at(&self, tokens: TokenCount) -> bool {
        tokens == TokenCount::ZERO || self.point(tokens).is_some_and(|point| point.is_end)
    }

    /// The receipt that covers a total that the contract settled: ends at it or is the first behind it, else the last one.
    pub(crate) fn covering(&self, tokens: TokenCount) -> Option<ReceiptId> {
        self.point(tokens).and_then(|point| point.receipt).or(self.last)
    }

    /// The next receipt.
    pub(crate) fn extend(
        &mut self,
        proxy: &Address,
        link: &ChannelLink,
        hash: HashBytes,
        receipt: ReceiptId,
    ) -> Result<(), String> {
        if let Some(known) = self.proxy.as_ref().filter(|known| *known != proxy) {
            return Err(format!("it is of proxy contract {proxy}, those before are of {known}"));
        }
        self.head = self.head.extend(link, hash).map_err(|fault| fault.to_string())?;
        self.receipts = self.receipts.saturating_add(1);
        self.last = Some(receipt);
        if self.proxy.is_none() {
            self.proxy = Some(proxy.clone());
        }
        while let Some(point) = self.points.get_mut(self.covered)
            && point.tokens <= self.head.total
        {
            point.receipt = Some(receipt);
            point.is_end = point.tokens == self.head.total;
            self.covered += 1;
        }
        Ok(())
    }

    fn point(&self, tokens: TokenCount) -> Option<&Point> {
        let at = self.points.binary_search_by_key(&tokens.get(), |point| point.tokens);
        at.ok().and_then(|at| self.points.get(at))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    fn id(number: usize) -> ReceiptId {
        let mut bytes = [0; 32];
        bytes[..8].copy_from_slice(&(number as u64 + 1).to_be_bytes());
        ReceiptId(HashBytes(bytes))
    }

    fn proxy() -> Address {
        Address::new(0, HashBytes([1; 32]))
    }

    proptest! {
        /// What is kept says the same as all ends would.
        #[test]
        fn settled_totals_are_judged_as_with_all_receipts_at_hand(charges in prop::collection::vec(0u64..4, 0..40), settled in prop::collection::vec(0u64..100, 0..20)) {
            let mut channel = Channel::new(settled.clone());
            let (mut head, mut ends) = (ChannelHead::GENESIS, BTreeMap::new());
            for (number, charge) in charges.iter().enumerate() {
                let link = head.next(*charge).unwrap();
                channel.extend(&proxy(), &link, id(number).0, id(number)).unwrap();
                head = head.extend(&link, id(number).0).unwrap();
                ends.entry(head.total).or_insert(id(number));
            }
            for tokens in settled.into_iter().filter(|tokens| *tokens > 0) {
                let at = TokenCount::new(tokens);
                prop_assert_eq!(channel.ends_at(at), ends.contains_key(&tokens));
                let behind = ends.range(tokens..).next().map(|(_, id)| *id);
                let last = charges.len().checked_sub(1).map(id);
                prop_assert_eq!(channel.covering(at), behind.or(last));
            }
            prop_assert_eq!(channel.tokens().get(), head.total);
        }
    }

    #[test]
    fn a_channel_has_one_proxy_contract() {
        let mut channel = Channel::new(vec![]);
        let link = ChannelHead::GENESIS.next(1).unwrap();
        channel.extend(&proxy(), &link, id(0).0, id(0)).unwrap();
        let next = channel.head.next(1).unwrap();
        let other = Address::new(0, HashBytes([2; 32]));
        assert!(channel.extend(&other, &next, id(1).0, id(1)).is_err());
        assert!(channel.extend(&proxy(), &next, id(1).0, id(1)).is_ok());
    }

    #[test]
    fn a_channel_survives_its_file() {
        let mut channel = Channel::new(vec![5, 9]);
        let link = ChannelHead::GENESIS.next(7).unwrap();
        channel.extend(&proxy(), &link, id(0).0, id(0)).unwrap();
        let text = serde_json::to_string(&channel).unwrap();
        assert_eq!(serde_json::from_str::<Channel>(&text).unwrap(), channel);
    }
}
