//! What a message led to.

use std::sync::Arc;

use cocoon_bindings::Nanoton;
use cocoon_bindings::ton::Address;
use cocoon_bindings::types::ExitCode;
use cocoon_emulator::{Compute, TransactionReport};

/// All transactions that one message led to, in order.
#[derive(Debug)]
pub struct Outcome {
    /// The transactions.
    pub reports: Vec<Arc<TransactionReport>>,
}

impl Outcome {
    /// The first transaction of an account.
    pub fn at(&self, address: &Address) -> &TransactionReport {
        let found = self.reports.iter().find(|report| report.address == *address);
        found.expect("a transaction of this account")
    }

    /// Whether an account saw none of it.
    pub fn spared(&self, address: &Address) -> bool {
        !self.reports.iter().any(|report| report.address == *address)
    }

    /// Exit code of the first transaction of an account.
    pub fn exit(&self, address: &Address) -> i32 {
        self.at(address).exit_code().expect("the code ran")
    }

    /// Gas of the first transaction of an account.
    pub fn gas(&self, address: &Address) -> u64 {
        self.at(address).gas_used()
    }

    /// Every transaction whose code ran succeeded, actions included.
    pub fn assert_success(&self) -> &Self {
        for report in &self.reports {
            if matches!(report.compute, Compute::Ran { .. }) {
                assert!(
                    report.success(),
                    "{}: {:?} {:?}",
                    report.address,
                    report.compute,
                    report.action
                );
            }
        }
        self
    }

    /// The first transaction of an account was refused with this error, and the message went back.
    pub fn assert_refused(&self, address: &Address, error: ExitCode) -> &Self {
        let report = self.at(address);
        assert_eq!(report.exit_code(), Some(error.code()), "expected {error:?}");
        assert!(report.bounced, "a refused message goes back");
        self
    }

    /// The coins that reached an account.
    pub fn received(&self, address: &Address) -> Nanoton {
        let reports = self.reports.iter().filter(|report| report.address == *address);
        let values = reports.filter_map(|report| report.in_msg.as_ref().map(|message| message.value));
        sum(values)
    }

    /// What gas and forwarding cost, along the whole way.
    pub fn cost(&self) -> Nanoton {
        sum(self
            .reports
            .iter()
            .flat_map(|report| [report.fees.gas, report.fees.forward]))
    }

    /// What an account paid for its storage.
    pub fn storage_fees(&self, address: &Address) -> Nanoton {
        let reports = self.reports.iter().filter(|report| report.address == *address);
        sum(reports.map(|report| report.fees.storage))
    }
}

fn sum(parts: impl Iterator<Item = Nanoton>) -> Nanoton {
    parts.fold(Nanoton::ZERO, |sum, part| sum.checked_add(part).unwrap())
}
