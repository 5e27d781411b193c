//! Bookkeeping of the chain: no coin may appear or vanish.

use cocoon_bindings::units::Nanoton;

use crate::message::Message;
use crate::{Emulator, EmulatorError};

/// Where all coins are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Books {
    /// Coins that came into being.
    pub minted: Nanoton,
    /// Coins on accounts.
    pub held: Nanoton,
    /// Coins of messages under way: value and forwarding fee.
    pub under_way: Nanoton,
    /// Coins that validators took.
    pub collected: Nanoton,
}

impl Books {
    /// Whether every coin that was minted is somewhere, and none besides.
    pub fn balanced(&self) -> bool {
        let parts = [self.held, self.under_way, self.collected];
        let total = parts.into_iter().try_fold(Nanoton::ZERO, Nanoton::checked_add);
        total == Some(self.minted)
    }
}

impl Emulator {
    /// Counts all coins.
    pub fn books(&self) -> Result<Books, EmulatorError> {
        let add = |sum: u128, part: Nanoton| sum.checked_add(part.get()).ok_or(EmulatorError::AmountRange);
        let held = self
            .state
            .accounts
            .keys()
            .try_fold(0, |sum, address| add(sum, self.balance(address)?))?;
        let worth = |sum: u128, message: &Message| add(add(sum, message.value)?, message.forward_fee);
        let under_way = self.pending()?.iter().try_fold(0, worth)?;
        Ok(Books {
            minted: Nanoton::new(self.state.minted),
            held: Nanoton::new(held),
            under_way: Nanoton::new(under_way),
            collected: Nanoton::new(self.state.collected),
        })
    }
}
