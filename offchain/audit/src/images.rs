//! Images that the root contract has ever listed.

use cocoon_bindings::ImageHash;
use cocoon_bindings::RootData;
use cocoon_bindings::root::{HashRole, RootMessage, RootStorage};
use cocoon_bindings::ton::{Cell, CellError, Load};
use cocoon_chain::Transaction;
use std::collections::BTreeSet;

/// Images by role. One that was removed since was still allowed when it worked.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ListedImages {
    /// May run a proxy.
    pub proxy: BTreeSet<ImageHash>,
    /// May run a worker.
    pub worker: BTreeSet<ImageHash>,
}

impl ListedImages {
    /// From what the contract lists now and its history.
    pub fn of(now: &RootData, history: &[Transaction]) -> Self {
        let mut listed = Self::default();
        listed.add(now);
        for transaction in history {
            let Some(message) = transaction.in_msg.as_ref() else {
                continue;
            };
            if let Some(initial) = message.state_init.as_ref().and_then(|state| initial_data(state).ok()) {
                listed.add(&initial);
            }
            if !transaction.success() || message.bounced {
                continue;
            }
            match RootMessage::load_from(&mut message.body()) {
                Ok(RootMessage::AddProxyHashFromOwner(add)) => listed.proxy.insert(ImageHash::from(add.hash)),
                Ok(RootMessage::AddWorkerHashFromOwner(add)) => listed.worker.insert(ImageHash::from(add.hash)),
                Ok(RootMessage::AddImageFromOwner(add)) => match add.role {
                    HashRole::Proxy => listed.proxy.insert(ImageHash::from(add.hash)),
                    HashRole::Worker => listed.worker.insert(ImageHash::from(add.hash)),
                    HashRole::Model => continue,
                },
                _ => continue,
            };
        }
        listed
    }

    fn add(&mut self, data: &RootData) {
        self.proxy.extend(&data.proxy_hashes);
        self.worker.extend(&data.worker_hashes);
    }
}

/// The lists in a state init: `00` (no depth, not special), code, data, no library.
fn initial_data(state: &Cell) -> Result<RootData, CellError> {
    let mut slice = state.as_ref().as_slice()?;
    slice.load_reference()?;
    let data = slice.load_reference_cloned()?;
    RootStorage::load_from(&mut data.as_ref().as_slice()?).map(|storage| storage.data)
}
