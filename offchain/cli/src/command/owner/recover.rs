//! What earlier commands of a wallet have left open, learned before anything is decided on its balance.

use cocoon_chain::global_id;
use cocoon_owner::{Sender, StoredWallet};

use super::journals;
use crate::args::Global;
use crate::args::wallet::KeyArgs;
use crate::command::network::Network;
use crate::failure::{self, Failure};
use crate::output::Output;

/// Follows a message that may be under way to its end, and gives the operations that are not ended and of which the wallet
/// has executed a step: what they have sent is gone from the wallet, also where the chain does not show it yet.
pub(crate) async fn recover(
    global: &Global,
    network: &Network,
    keys: &KeyArgs,
    wallet: &StoredWallet,
    output: Output,
) -> Result<Vec<String>, Failure> {
    let (chain, root) = network.open()?;
    let chain_id = global_id(chain.as_ref()).await.map_err(failure::from_chain)?;
    let folder = journals(global, keys, chain_id, &root);
    let mut sender = Sender::open(chain, wallet.contract.clone(), &folder).map_err(failure::from_owner)?;
    if sender.journal().pending().map_err(failure::from_owner)?.is_some() {
        output.note("A message of an earlier command may be under way: waiting for its end ...");
        sender.recover().await.map_err(failure::from_owner)?;
    }
    let journal = sender.journal();
    let executed = journal.unfinished().filter(|id| !journal.steps(id).is_empty());
    Ok(executed.map(str::to_owned).collect())
}
