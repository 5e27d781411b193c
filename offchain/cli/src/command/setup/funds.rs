//! Coins that a wallet must hold before a message of it can pay.

use std::time::Duration;

use cocoon_bindings::Nanoton;
use cocoon_bindings::ton::{Address, friendly};
use cocoon_bindings::wallets::WalletKind;
use cocoon_chain::SharedChain;
use cocoon_owner::limits::{FEES, NODE_WALLET_RESERVE};

use super::{Network, Setup};
use crate::command::network::LOCAL;
use crate::failure::{self, Exit, Failure};
use crate::local::faucet::Faucet;

/// What a wallet should hold beside what is paid in: gas of this message and of the next ones.
const GAS: Nanoton = Nanoton::from_ton(1);
/// What is asked for is a multiple of this: the storage that a wallet pays on arrival must not make it too little.
const UNIT: u128 = 100_000_000;
/// How long coins of a local chain take to arrive: a few of its blocks.
const FAUCET_PATIENCE: Duration = Duration::from_secs(30);
const FAUCET_POLL: Duration = Duration::from_millis(300);

/// What a wallet needs to pay `amount` into a contract. That of a runner must hold its reserve afterwards too: its contract
/// refuses every message below, also the one that gets the money back.
pub(super) fn needed(amount: Nanoton, kind: WalletKind) -> Result<Nanoton, Failure> {
    let kept = match kind {
        WalletKind::Node => NODE_WALLET_RESERVE,
        WalletKind::V4r2 | WalletKind::V5r1 => Nanoton::ZERO,
    };
    let needed = [FEES, GAS, kept].into_iter().try_fold(amount, Nanoton::checked_add);
    needed.ok_or_else(|| anyhow::anyhow!("an amount is out of range").into())
}

/// What is to be paid into a wallet that holds `held`, rounded up.
fn missing(needed: Nanoton, held: Nanoton) -> Nanoton {
    let missing = needed.saturating_sub(held).get();
    Nanoton::new(missing.div_ceil(UNIT).saturating_mul(UNIT))
}

impl Setup {
    /// Whether a wallet holds enough. Coins of a local network cost nothing, and are fetched.
    pub(super) async fn fund(
        &self,
        network: &Network,
        chain: &SharedChain,
        (what, wallet): (&str, &Address),
        needed: Nanoton,
    ) -> Result<(), Failure> {
        let balance = async || {
            let account = chain.account(wallet).await.map_err(failure::from_chain)?;
            Ok::<_, Failure>(account.balance)
        };
        let held = balance().await?;
        if held >= needed {
            return Ok(());
        }
        let payee = friendly(wallet, false, network.is_testnet);
        let missing = missing(needed, held);
        if network.name != LOCAL {
            let error = anyhow::anyhow!("{what} holds {held}, and {needed} are needed");
            let role = self.typed.role.name();
            let hint = format!("pay {missing} to {payee}, then give `cocoon setup {role}` again: it goes on from here");
            return Err(Failure::new(Exit::Configuration, error, hint));
        }
        self.output
            .note(format!("  {missing} of the local chain for {payee}, {what}"));
        let base = network.chain_url.split("/api/").next().unwrap_or_default();
        Faucet::http(format!("{base}/control"))?.give(wallet, missing).await?;
        let arrival = async {
            while balance().await? < needed {
                tokio::time::sleep(FAUCET_POLL).await;
            }
            Ok(())
        };
        tokio::time::timeout(FAUCET_PATIENCE, arrival)
            .await
            .unwrap_or_else(|_| {
                let error = anyhow::anyhow!("coins of the local chain did not arrive");
                Err(Failure::new(Exit::Chain, error, "is `cocoon up` running?"))
            })
    }

    /// The runner's wallet of a proxy, which sends its commits: without its reserve the proxy does not start.
    pub(super) async fn fund_proxy(
        &self,
        network: &Network,
        chain: &SharedChain,
        wallet: &Address,
    ) -> Result<(), Failure> {
        let account = chain.account(wallet).await.map_err(failure::from_chain)?;
        // One that has sent already may have used of the gas.
        let needed = match account.is_active() {
            true => NODE_WALLET_RESERVE,
            false => needed(Nanoton::ZERO, WalletKind::Node)?,
        };
        self.fund(network, chain, ("the proxy's own wallet", wallet), needed)
            .await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_runners_wallet_keeps_its_reserve_after_it_has_paid() {
        let amount = Nanoton::from_ton(20);
        let sent = amount.checked_add(FEES).unwrap();
        let left = needed(amount, WalletKind::Node).unwrap().checked_sub(sent).unwrap();
        assert!(left > NODE_WALLET_RESERVE, "{left}");
        assert!(needed(amount, WalletKind::V5r1).unwrap() < needed(amount, WalletKind::Node).unwrap());
        assert!(needed(Nanoton::new(u128::MAX), WalletKind::V5r1).is_err());
    }

    #[test]
    fn what_is_asked_for_is_enough_and_less_than_a_unit_more() {
        let amounts = [0, 1, UNIT - 1, UNIT, UNIT + 1, 2_100_000_000, 23_400_000_001];
        for (needed, held) in amounts.iter().flat_map(|needed| amounts.map(|held| (*needed, held))) {
            let (needed, held) = (Nanoton::new(needed), Nanoton::new(held));
            let paid = missing(needed, held);
            assert!(held.checked_add(paid).unwrap() >= needed, "{needed} {held} {paid}");
            assert!(
                paid.get() < needed.saturating_sub(held).get() + UNIT,
                "{needed} {held} {paid}"
            );
        }
    }
}
