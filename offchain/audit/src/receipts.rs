//! The receipts by themselves: signatures, terms, prices, channels.

use crate::history::ChainHistory;
use crate::verdict::{Difference, DifferenceKind as Kind, Totals};
use cocoon_bindings::ton::{Address, HashBytes};
use cocoon_bindings::units::TokenCount;
use cocoon_ledger::pricing;
use cocoon_receipt::{ChannelHead, ChannelLink, Receipt, ReceiptId, SignedReceipt};
use std::collections::BTreeMap;

/// One channel as the receipts make it.
#[derive(Debug, Clone)]
pub(crate) struct Channel {
    pub(crate) head: ChannelHead,
    pub(crate) receipts: u64,
    /// The receipt that ends at a total; of several, the first.
    ends: BTreeMap<u64, ReceiptId>,
}

impl Default for Channel {
    fn default() -> Self {
        Self {
            head: ChannelHead::GENESIS,
            receipts: 0,
            ends: BTreeMap::new(),
        }
    }
}

impl Channel {
    /// Tokens that the receipts sum to.
    pub(crate) fn tokens(&self) -> TokenCount {
        TokenCount::new(self.head.total)
    }

    /// The receipt that ends at this total; nothing charged needs no receipt.
    pub(crate) fn ends_at(&self, tokens: TokenCount) -> bool {
        tokens == TokenCount::ZERO || self.ends.contains_key(&tokens.get())
    }

    /// The receipt that covers this total: ends at it or is the first behind it, else the last one.
    pub(crate) fn covering(&self, tokens: TokenCount) -> Option<ReceiptId> {
        let behind = self.ends.range(tokens.get()..).next();
        behind
            .or_else(|| self.ends.iter().next_back())
            .map(|(_, receipt)| *receipt)
    }

    fn extend(&mut self, link: &ChannelLink, hash: HashBytes, receipt: ReceiptId) -> Result<(), String> {
        self.head = self.head.extend(link, hash).map_err(|fault| fault.to_string())?;
        self.receipts = self.receipts.saturating_add(1);
        self.ends.entry(self.head.total).or_insert(receipt);
        Ok(())
    }
}

/// Everything that the receipts say, checked.
#[derive(Debug, Default)]
pub(crate) struct Replay {
    pub(crate) clients: BTreeMap<Address, Channel>,
    pub(crate) workers: BTreeMap<Address, Channel>,
    pub(crate) totals: Totals,
}

impl Replay {
    /// Takes the next receipt of the log.
    pub(crate) fn take(&mut self, signed: &SignedReceipt, chain: &ChainHistory) -> Result<(), Difference> {
        let (receipt, id) = (&signed.receipt, signed.id());
        let differs = |kind, what: String| Difference::of_receipt(kind, id, what);
        signed
            .verify_proxy(&chain.proxy.account.proxy_public_key)
            .map_err(|error| differs(Kind::Signature, error.to_string()))?;
        check_terms(receipt, chain).map_err(|what| differs(Kind::Terms, what))?;
        receipt
            .check_arithmetic()
            .map_err(|error| differs(Kind::Price, error.to_string()))?;
        self.check_price(receipt, chain)
            .map_err(|what| differs(Kind::Price, what))?;
        let client = self.clients.entry(receipt.client.clone()).or_default();
        client.extend(&receipt.channel, id.0, id).map_err(|fault| {
            differs(
                Kind::Channel,
                format!("in the channel of client {}: {fault}", receipt.client),
            )
        })?;
        let statement = &receipt.statement;
        let worker = self.workers.entry(statement.worker.clone()).or_default();
        worker
            .extend(&statement.channel, statement.hash(), id)
            .map_err(|fault| {
                differs(
                    Kind::Channel,
                    format!("in the channel of worker {}: {fault}", statement.worker),
                )
            })?;
        let tokens = self.totals.tokens.checked_add(TokenCount::new(receipt.charged()));
        self.totals.tokens =
            tokens.ok_or_else(|| differs(Kind::Channel, "the sum of all receipts overflows".into()))?;
        self.totals.receipts = self.totals.receipts.saturating_add(1);
        Ok(())
    }

    /// What was used follows from the counts, and no more was charged.
    fn check_price(&mut self, receipt: &Receipt, chain: &ChainHistory) -> Result<(), String> {
        let statement = &receipt.statement;
        let used = statement.used;
        match statement.counts {
            None => self.totals.without_counts = self.totals.without_counts.saturating_add(1),
            Some(counts) => {
                let multipliers = &chain.proxy.account.params.multipliers;
                let expected = pricing::adjust(&counts, statement.coefficient, multipliers);
                if expected != used {
                    return Err(format!(
                        "{} tokens follow from its counts, it says {}",
                        expected.total, used.total
                    ));
                }
            }
        }
        if receipt.charged() > used.total {
            return Err(format!(
                "it charges {} tokens, {} were used",
                receipt.charged(),
                used.total
            ));
        }
        if receipt.charged() < used.total {
            self.totals.capped = self.totals.capped.saturating_add(1);
        }
        Ok(())
    }
}

fn check_terms(receipt: &Receipt, chain: &ChainHistory) -> Result<(), String> {
    let (statement, proxy) = (&receipt.statement, &chain.proxy.account);
    if statement.proxy != chain.proxy.address {
        return Err(format!("it is of proxy {}", statement.proxy));
    }
    if statement.root != proxy.root {
        return Err(format!(
            "it is of root {}, the proxy contract's is {}",
            statement.root, proxy.root
        ));
    }
    let version = proxy.params.params_version;
    if statement.params_version != version {
        return Err(format!(
            "it is priced by parameters {}, the contract's are {version}",
            statement.params_version
        ));
    }
    Ok(())
}
