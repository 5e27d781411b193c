//! What no message does, for tests: accounts that lose or gain coins, accounts that vanish, and messages that turn into others.
//!
//! The books stay balanced: coins that appear are minted, coins that vanish are collected.

use cocoon_bindings::ton::Address;
use cocoon_bindings::units::Nanoton;
use tycho_types::cell::{CellBuilder, Lazy};
use tycho_types::models::OwnedMessage;
use tycho_types::num::Tokens;

use crate::{Emulator, EmulatorError};

/// What [`Emulator::spoil_at`] makes of a message.
const UNKNOWN_OPERATION: u32 = 0x0bad_0bad;

impl Emulator {
    /// Sets the balance of an account that exists.
    pub fn set_balance(&mut self, address: &Address, balance: Nanoton) -> Result<(), EmulatorError> {
        let mut shard = self.state.account(address)?;
        let mut optional = shard.account.load().map_err(EmulatorError::cell("account"))?;
        let Some(account) = &mut optional.0 else {
            return Err(EmulatorError::NotActive(address.clone()));
        };
        let before = account.balance.tokens.into_inner();
        account.balance.tokens = Tokens::new(balance.get());
        shard.account = Lazy::new(&optional).map_err(EmulatorError::cell("account"))?;
        self.book(before, balance.get())?;
        self.state.accounts.insert(address.clone(), shard);
        Ok(())
    }

    /// Removes an account with everything that it holds; its history stays.
    pub fn remove_account(&mut self, address: &Address) -> Result<(), EmulatorError> {
        let before = self.balance(address)?.get();
        self.book(before, 0)?;
        self.state.accounts.remove(address);
        Ok(())
    }

    /// Puts an operation that no contract knows into the message at a place of the queue: its receiver fails, and what it
    /// carried returns to the sender, if it is one that bounces.
    pub fn spoil_at(&mut self, index: usize) -> Result<(), EmulatorError> {
        let Some(cell) = self.state.queue.get_mut(index) else {
            return Ok(());
        };
        let spoilt = || {
            let mut message = cell.parse::<OwnedMessage>()?;
            let mut body = CellBuilder::new();
            body.store_u32(UNKNOWN_OPERATION)?;
            message.body = body.build()?.into();
            message.layout = None;
            CellBuilder::build_from(&message)
        };
        *cell = spoilt().map_err(EmulatorError::cell("spoilt message"))?;
        Ok(())
    }

    pub(crate) fn book(&mut self, before: u128, after: u128) -> Result<(), EmulatorError> {
        let state = &mut self.state;
        let counter = if after > before {
            &mut state.minted
        } else {
            &mut state.collected
        };
        *counter = counter
            .checked_add(after.abs_diff(before))
            .ok_or(EmulatorError::AmountRange)?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::NetworkConfig;
    use cocoon_bindings::ton::HashBytes;

    const ALICE: Address = Address::new(0, HashBytes([1; 32]));

    #[test]
    fn coins_that_come_and_go_by_hand_are_on_the_books() {
        let mut chain = Emulator::new(&NetworkConfig::spring_2026(), 1_780_000_000).unwrap();
        assert!(chain.set_balance(&ALICE, Nanoton::new(1)).is_err(), "nobody is there");
        chain.fund(&ALICE, Nanoton::from_ton(5)).unwrap();
        for ton in [3, 8, 0, 2] {
            chain.set_balance(&ALICE, Nanoton::from_ton(ton)).unwrap();
            assert_eq!(chain.balance(&ALICE).unwrap(), Nanoton::from_ton(ton));
            assert!(chain.books().unwrap().balanced());
        }
        chain.remove_account(&ALICE).unwrap();
        assert_eq!(chain.account(&ALICE).unwrap(), None);
        assert!(chain.books().unwrap().balanced());
    }
}
