//! The network: resolved anew each time, and the same as before.

use cocoon_chain::RootView;

use super::answers::KnownNetwork;
use super::{Network, Setup, checks};
use crate::command::network::resolve;
use crate::failure::{Exit, Failure};

impl Setup {
    /// The network, which must be reachable and have lists.
    ///
    /// Only its name is kept as an answer. Root contract and address come from where networks are written down, as they
    /// stand there now: the root contract decides about code, images and prices.
    pub(super) async fn network(&mut self) -> Result<(Network, RootView), Failure> {
        let place = self.typed.common.place.clone();
        let known = self.kept.answers.network.clone();
        let is_named = place.chain_url.is_some() || self.global.network.is_some();
        let is_typed = match (&known, is_named) {
            (Some(known), false) => known.is_typed,
            _ => place.chain_url.is_some(),
        };
        let network = match (known.clone(), is_named) {
            (Some(known), false) if known.is_typed => known.into(),
            (known, false) => {
                self.global.network = known.map(|known| known.name);
                resolve(&self.global, &place)?
            }
            (_, true) => resolve(&self.global, &place)?,
        };
        if let Some(known) = &known {
            still_means(known, &network)?;
            if known.chain_url != network.chain_url {
                self.output
                    .note(format!("  the chain is asked at {} now", network.chain_url));
            }
        }
        // Wallets of test networks have addresses of their own, and a network of before is meant by its name.
        self.global.network = self.global.network.take().or_else(|| Some(network.name.clone()));
        let view = checks::network(&network, self.output).await?;
        let answer = KnownNetwork {
            name: network.name.clone(),
            chain_url: network.chain_url.clone(),
            root: network.root.clone(),
            is_testnet: network.is_testnet,
            is_typed,
        };
        self.kept.answer(|answers| answers.network = Some(answer))?;
        Ok((network, view))
    }
}

/// Refuses to go on at another root contract than that of the answers: proxy, configuration and payment would be of two
/// networks.
fn still_means(known: &KnownNetwork, network: &Network) -> Result<(), Failure> {
    if (&known.root, known.is_testnet) == (&network.root, network.is_testnet) {
        return Ok(());
    }
    let kind = |is_testnet: bool| if is_testnet { ", a test network" } else { "" };
    let error = anyhow::anyhow!(
        "this setup was begun for root contract {}{} of the network {}, and now it is {}{} of {}",
        known.root,
        kind(known.is_testnet),
        known.name,
        network.root,
        kind(network.is_testnet),
        network.name,
    );
    let hint = "if the new one is right, --restart begins anew; contracts and keys that are there stay";
    Err(Failure::new(Exit::Configuration, error, hint))
}

impl From<KnownNetwork> for Network {
    fn from(known: KnownNetwork) -> Self {
        Self {
            name: known.name,
            chain_url: known.chain_url,
            root: known.root,
            is_testnet: known.is_testnet,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_setup_goes_on_only_at_the_root_contract_of_its_answers() {
        let known = KnownNetwork {
            name: "mine".to_owned(),
            chain_url: "http://a".to_owned(),
            root: "0:01".to_owned(),
            is_testnet: false,
            is_typed: false,
        };
        let network = |change: fn(&mut Network)| {
            let mut network = Network::from(known.clone());
            change(&mut network);
            still_means(&known, &network)
        };
        network(|_| ()).unwrap();
        network(|network| network.chain_url = "http://b".to_owned()).unwrap();
        let refused = network(|network| network.root = "0:02".to_owned()).unwrap_err();
        assert_eq!(refused.exit(), Exit::Configuration);
        assert!(refused.render(false).contains("--restart"), "{refused:?}");
        network(|network| network.is_testnet = true).unwrap_err();
    }
}
