//! Holds that nothing ends by itself: shown to the operator, and ended by his word.

use cocoon_bindings::units::Nanoton;
use cocoon_receipt::ReceiptId;
use cocoon_store::StoreError;

use super::Spending;
use crate::access::budget::{Attempt, ByHand, Hold};

/// A hold, and what is known of it.
#[derive(Debug)]
pub(crate) struct OpenHold {
    pub(crate) hold: Hold,
    /// It runs, or waits for its receipt: it will end by itself.
    pub(crate) is_running: bool,
    /// A receipt of it that does not verify, or came too late to be checked.
    pub(crate) receipt: Option<ReceiptId>,
}

impl OpenHold {
    /// Why it is held, for a person.
    pub(crate) fn why(&self) -> &'static str {
        match self.receipt {
            _ if self.is_running => "the request runs, or waits for its receipt",
            Some(_) => "its receipt does not verify, or came too late to be checked",
            None => self.hold.open.says(),
        }
    }
}

/// Why a hold is not ended by hand.
#[derive(Debug)]
pub(crate) enum Unsettled {
    Refused(ByHand),
    Disk,
}

impl Spending {
    /// What is held of a key by now, the oldest first.
    pub(crate) fn holds(&self, key: &str) -> Result<Vec<OpenHold>, StoreError> {
        let holds = self.account(key)?.holds;
        let described = holds.into_iter().map(|hold| {
            let stored = self.rows.look(|store| store.by_request(&hold.request))?;
            let is_running = self.lock().is_running(&hold.request.0);
            Ok(OpenHold {
                hold,
                is_running,
                receipt: stored.map(|stored| stored.receipt.id()),
            })
        });
        described.collect()
    }

    /// Ends a hold by the operator's word: it cost this much. A receipt that is there counts before; one that comes later books
    /// nothing more. On disk when it returns; says what was held.
    pub(crate) async fn settle_by_hand(
        &self,
        key: &str,
        attempt: &Attempt,
        charge: Nanoton,
    ) -> Result<Nanoton, Unsettled> {
        self.account(key).map_err(|_| Unsettled::Disk)?;
        let held = {
            let mut budgets = self.lock();
            let held = budgets
                .settle_by_hand(key, attempt, charge)
                .map_err(Unsettled::Refused)?;
            self.note_key(&budgets, key);
            held
        };
        self.rows.flush().await.map_err(|_| Unsettled::Disk)?;
        Ok(held)
    }
}
