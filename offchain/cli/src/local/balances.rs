//! What the contracts and the people of a local network hold.

use std::fmt::Write as _;
use std::time::Duration;

use cocoon_bindings::ton::{Address, parse_address};
use cocoon_bindings::{Nanoton, TokenCount};
use cocoon_chain::{ClientAccount, ProxyAccount, SharedChain, WorkerAccount};
use serde::Serialize;

use super::network::NetworkFile;
use crate::failure::{self, Exit, Failure, OrFail as _};

const SETTLEMENT_POLL: Duration = Duration::from_millis(100);

/// One look at all contracts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Balances {
    /// What the client pays for one token.
    pub price_per_token: Nanoton,
    /// Paid into the client contract and not charged.
    pub client_contract: Nanoton,
    /// Tokens charged to the client so far.
    pub client_tokens_charged: TokenCount,
    /// The proxy's earnings in its contract.
    pub proxy_contract: Nanoton,
    /// The proxy's stake.
    pub proxy_stake: Nanoton,
    /// Tokens paid to the worker so far.
    pub worker_tokens_paid: TokenCount,
    /// What the worker's owner holds.
    pub worker_owner: Nanoton,
    /// What the proxy's owner holds.
    pub proxy_owner: Nanoton,
    /// What the client's wallet holds, which paid into the client contract.
    pub client_wallet: Nanoton,
}

impl Balances {
    /// Looks at the network's contracts.
    pub async fn fetch(chain: &SharedChain, file: &NetworkFile) -> Result<Self, Failure> {
        let at = |text: &str| address(text);
        let client = ClientAccount::fetch(chain.as_ref(), &at(&file.client_contract)?).await;
        let client = client.map_err(failure::from_chain)?;
        let proxy = ProxyAccount::fetch(chain.as_ref(), &at(&file.proxy_contract)?).await;
        let proxy = proxy.map_err(failure::from_chain)?;
        let worker = WorkerAccount::fetch(chain.as_ref(), &at(&file.worker_contract)?).await;
        let worker = worker.map_err(failure::from_chain)?;
        Ok(Self {
            price_per_token: client.params.price_per_token,
            client_contract: client.balance,
            client_tokens_charged: client.tokens_used,
            proxy_contract: proxy.balance,
            proxy_stake: proxy.stake,
            worker_tokens_paid: worker.tokens,
            worker_owner: balance(chain, &at(&file.worker_owner)?).await?,
            proxy_owner: balance(chain, &at(&file.proxy_owner)?).await?,
            client_wallet: balance(chain, &at(&file.client_wallet)?).await?,
        })
    }

    /// Waits until `tokens` more than in `before` are charged to the client and paid to the worker.
    pub async fn settled(
        chain: &SharedChain,
        file: &NetworkFile,
        before: &Self,
        tokens: u64,
        patience: Duration,
    ) -> Result<Self, Failure> {
        let wait = async {
            loop {
                let now = Self::fetch(chain, file).await?;
                let charged = now
                    .client_tokens_charged
                    .get()
                    .saturating_sub(before.client_tokens_charged.get());
                let paid = now
                    .worker_tokens_paid
                    .get()
                    .saturating_sub(before.worker_tokens_paid.get());
                if charged >= tokens && paid >= tokens && now.has_arrived(before, tokens) {
                    return Ok(now);
                }
                tokio::time::sleep(SETTLEMENT_POLL).await;
            }
        };
        tokio::time::timeout(patience, wait).await.unwrap_or_else(|_| {
            Err(Failure::new(
                Exit::Chain,
                anyhow::anyhow!("the answer was not settled on chain within {} s", patience.as_secs()),
                "the receipt is kept and will be settled; `cocoon status` shows the contracts",
            ))
        })
    }

    /// Whether the worker's payout has gone the whole way to its owner.
    fn has_arrived(&self, before: &Self, tokens: u64) -> bool {
        tokens == 0 || self.worker_owner > before.worker_owner
    }
}

/// Both looks side by side, for people.
pub fn table(before: &Balances, after: &Balances) -> String {
    let mut text = format!("{:<24} {:>22} {:>22}\n", "", "before", "after");
    let mut line = |name: &str, before: &dyn std::fmt::Display, after: &dyn std::fmt::Display| {
        // Writing to a String cannot fail.
        let _ = writeln!(text, "{name:<24} {:>22} {:>22}", before.to_string(), after.to_string());
    };
    line("client contract", &before.client_contract, &after.client_contract);
    line(
        "  tokens charged",
        &before.client_tokens_charged,
        &after.client_tokens_charged,
    );
    line("proxy contract", &before.proxy_contract, &after.proxy_contract);
    line("  stake", &before.proxy_stake, &after.proxy_stake);
    line("worker contract", &"", &"");
    line("  tokens paid", &before.worker_tokens_paid, &after.worker_tokens_paid);
    line("worker's owner", &before.worker_owner, &after.worker_owner);
    line("proxy's owner", &before.proxy_owner, &after.proxy_owner);
    line("client's wallet", &before.client_wallet, &after.client_wallet);
    text
}

async fn balance(chain: &SharedChain, address: &Address) -> Result<Nanoton, Failure> {
    Ok(chain.account(address).await.map_err(failure::from_chain)?.balance)
}

fn address(text: &str) -> Result<Address, Failure> {
    parse_address(text).or_fail(
        Exit::Configuration,
        "network.json is damaged",
        "start over with `cocoon up --fresh`",
    )
}
