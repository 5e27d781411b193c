//! Accounts of another chain, taken over as they are there: what a message would do on a live chain is tried out here.

use cocoon_bindings::ton::{Address, Cell, CellBuilder, CellError, HashBytes};
use cocoon_bindings::units::Nanoton;
use tycho_types::cell::Lazy;
use tycho_types::models::{
    Account, AccountState, CurrencyCollection, IntAddr, OptionalAccount, ShardAccount, StateInit, StorageInfo,
    StorageUsed,
};
use tycho_types::num::VarUint56;

use crate::limits::MAX_ACCOUNT_CELLS;
use crate::network::NetworkConfig;
use crate::{Emulator, EmulatorError};

/// An account as a chain's public interface shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AdoptedAccount {
    /// Address.
    pub address: Address,
    /// Balance.
    pub balance: Nanoton,
    /// Code and data of an active contract; `None` for an account that only holds coins.
    pub contract: Option<(Cell, Cell)>,
    /// Logical time of its last transaction.
    pub last_lt: u64,
    /// Hash of its last transaction.
    pub last_hash: HashBytes,
    /// When it last paid for storage, seconds since 1970: the time of its last transaction.
    pub last_paid: u32,
}

impl Emulator {
    /// Takes over an account. One that was here before is replaced; the coins count as minted.
    pub fn adopt(&mut self, adopted: &AdoptedAccount) -> Result<(), EmulatorError> {
        let state = match &adopted.contract {
            None => AccountState::Uninit,
            Some((code, data)) => AccountState::Active(StateInit {
                code: Some(code.clone()),
                data: Some(data.clone()),
                ..StateInit::default()
            }),
        };
        let mut account = Account {
            address: IntAddr::Std(adopted.address.clone()),
            storage_stat: StorageInfo {
                last_paid: adopted.last_paid,
                ..StorageInfo::default()
            },
            last_trans_lt: adopted.last_lt.saturating_add(1),
            balance: CurrencyCollection::new(adopted.balance.get()),
            state,
        };
        account.storage_stat.used = used(&account).map_err(EmulatorError::cell("account"))?;
        let shard = ShardAccount {
            account: Lazy::new(&OptionalAccount(Some(account))).map_err(EmulatorError::cell("account"))?,
            last_trans_hash: adopted.last_hash,
            last_trans_lt: adopted.last_lt,
        };
        let before = self.balance(&adopted.address)?.get();
        self.book(before, adopted.balance.get())?;
        // What happens here happens after all that happened there.
        if self.state.lt <= adopted.last_lt {
            self.state.lt = adopted.last_lt;
            self.state.start_block();
        }
        self.state.accounts.insert(adopted.address.clone(), shard);
        Ok(())
    }

    /// A chain with one account, as another chain has it at `now` (seconds since 1970): for get methods, and for what a message
    /// would do. `account` is the account's cell, or that of no account; `last` is its last transaction.
    pub fn of_account(
        network: &NetworkConfig,
        now: u32,
        address: &Address,
        account: Cell,
        last: (u64, HashBytes),
    ) -> Result<Self, EmulatorError> {
        let mut chain = Self::new(network, now)?;
        let (last_trans_lt, last_trans_hash) = last;
        let account = ShardAccount {
            account: Lazy::from_raw(account).map_err(EmulatorError::cell("account"))?,
            last_trans_hash,
            last_trans_lt,
        };
        account.load_account().map_err(EmulatorError::cell("account"))?;
        chain.state.accounts.insert(address.clone(), account);
        chain.state.lt = chain.state.lt.max(last_trans_lt.saturating_add(1));
        chain.state.start_block();
        Ok(chain)
    }

    /// All accounts that anybody ever wrote to.
    pub fn shard_accounts(&self) -> impl Iterator<Item = (&Address, &ShardAccount)> {
        self.state.accounts.iter()
    }

    /// From here on every signature is taken for valid, or no longer: for trying out what will be signed later.
    pub fn trust_signatures(&mut self, trusts: bool) {
        self.trusts_signatures = trusts;
    }
}

/// Cells and bits of an account's storage, each cell counted once. The cell library's own count refuses every account.
fn used(account: &Account) -> Result<StorageUsed, CellError> {
    let storage: Cell = CellBuilder::build_from((account.last_trans_lt, &account.balance, &account.state))?;
    let stats = storage
        .compute_unique_stats(MAX_ACCOUNT_CELLS)
        .ok_or(CellError::Cancelled)?;
    Ok(StorageUsed {
        cells: VarUint56::new(stats.cell_count),
        bits: VarUint56::new(stats.bit_count),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::AccountStatus;
    use crate::tests::code;
    use cocoon_bindings::message::external;

    const NOW: u32 = 1_790_000_000;

    fn adopted(byte: u8, contract: Option<(Cell, Cell)>) -> AdoptedAccount {
        AdoptedAccount {
            address: Address::new(0, HashBytes([byte; 32])),
            balance: Nanoton::from_ton(3),
            contract,
            last_lt: 77_000_000_000_001,
            last_hash: HashBytes([1; 32]),
            last_paid: NOW - 1000,
        }
    }

    #[test]
    fn an_account_of_another_chain_goes_on_where_it_was() {
        let mut there = Emulator::new(&NetworkConfig::spring_2026(), NOW).unwrap();
        let owner = Address::new(0, HashBytes([5; 32]));
        there.fund(&owner, Nanoton::from_ton(9)).unwrap();
        let seen = there.account(&owner).unwrap().unwrap();

        let mut here = Emulator::new(&NetworkConfig::spring_2026(), NOW).unwrap();
        let copy = AdoptedAccount {
            address: owner.clone(),
            balance: seen.balance,
            contract: None,
            last_lt: seen.last_lt,
            last_hash: seen.last_hash,
            last_paid: seen.last_paid,
        };
        here.adopt(&copy).unwrap();
        let again = here.account(&owner).unwrap().unwrap();
        assert_eq!(
            (again.balance, again.last_lt, again.cells, again.bits),
            (seen.balance, seen.last_lt, seen.cells, seen.bits)
        );
        for chain in [&mut there, &mut here] {
            chain.advance(1_000_000).unwrap();
            chain.fund(&owner, Nanoton::from_ton(1)).unwrap();
        }
        assert_eq!(
            there.balance(&owner).unwrap(),
            here.balance(&owner).unwrap(),
            "the same storage fee is taken"
        );
        assert!(here.books().unwrap().balanced());
    }

    #[test]
    fn what_happens_after_an_adoption_is_later_than_what_happened_before() {
        let mut chain = Emulator::new(&NetworkConfig::spring_2026(), NOW).unwrap();
        let account = adopted(6, None);
        chain.adopt(&account).unwrap();
        let report = chain.fund(&account.address, Nanoton::from_ton(1)).unwrap();
        assert!(report.lt > account.last_lt);
        assert_eq!(
            (report.previous_lt, report.previous_hash),
            (account.last_lt, account.last_hash)
        );
        assert_eq!(report.status_before, AccountStatus::Uninit);
    }

    #[test]
    fn signatures_are_trusted_only_when_that_was_asked_for() {
        // ACCEPT, then a check of an empty key and signature: CHKSIGNU needs a hash, a signature, a key.
        let instructions = [
            0xf8, 0x00, // ACCEPT
            0x70, // 0: the hash
            0x88, // PUSHREF, as a slice: CTOS follows
            0xd0, 0x71, // CTOS, 1: the key
            0xf9, 0x10, // CHKSIGNU
            0xf2, 0xa1, // THROWIFNOT 33
        ];
        let mut signature = CellBuilder::new();
        signature.store_raw(&[7; 64], 512).unwrap();
        let contract = (code(&instructions, &[signature.build().unwrap()]), Cell::default());
        let account = adopted(8, Some(contract));
        for trusts in [false, true] {
            let mut chain = Emulator::new(&NetworkConfig::spring_2026(), NOW).unwrap();
            chain.adopt(&account).unwrap();
            if trusts {
                chain.trust_signatures(true);
            }
            let message = external(&account.address, Cell::default(), None).unwrap();
            let report = chain.send_external(message).unwrap();
            assert_eq!(report.exit_code(), Some(if trusts { 0 } else { 33 }));
        }
    }
}
