//! Single claims about the ledger, each with its smallest history.

use cocoon_bindings::ton::HashBytes;
use cocoon_bindings::units::{Nanoton, TokenCount};

use crate::invariants::{client, eager, funded, worker};
use crate::{
    Changes, ClientOnChain, CommitNote, Comparison, ContractState, Ledger, LedgerError, Settlement, Thresholds,
    WorkerOnChain,
};

fn charged(ledger: &mut Ledger, used: u64) {
    let id = ledger.reserve(&client(0), 0, TokenCount::new(used)).unwrap();
    let charge = ledger.prepare(id, &worker(0), TokenCount::new(used)).unwrap();
    let hash = HashBytes([used as u8; 32]);
    let changes = ledger.apply(&charge, hash, hash).unwrap();
    ledger.persisted(&changes);
}

/// A commit is seen on chain, and what follows from it becomes durable.
fn land(ledger: &mut Ledger, note: CommitNote) {
    let changes = ledger.commit_landed(note).unwrap();
    ledger.persisted(&changes);
}

fn ledger() -> Ledger {
    let mut ledger = Ledger::default();
    ledger.open_client(&client(0), &client(0));
    ledger.open_worker(&worker(0), &worker(0));
    ledger.see_client(&client(0), funded(1000)).unwrap();
    let seen = WorkerOnChain {
        state: ContractState::Normal,
        tokens: TokenCount::ZERO,
        worker_fee: Nanoton::new(1),
    };
    ledger.see_worker(&worker(0), seen).unwrap();
    ledger
}

#[test]
fn a_charge_prepared_before_another_is_stale() {
    let mut ledger = ledger();
    let first = ledger.reserve(&client(0), 0, TokenCount::new(10)).unwrap();
    let second = ledger.reserve(&client(0), 0, TokenCount::new(10)).unwrap();
    let early = ledger.prepare(first, &worker(0), TokenCount::new(5)).unwrap();
    let late = ledger.prepare(second, &worker(0), TokenCount::new(5)).unwrap();
    ledger.apply(&late, HashBytes([1; 32]), HashBytes([1; 32])).unwrap();
    assert_eq!(
        ledger.apply(&early, HashBytes([2; 32]), HashBytes([2; 32])),
        Err(LedgerError::StaleCharge)
    );
    let again = ledger.prepare(first, &worker(0), TokenCount::new(5)).unwrap();
    assert!(ledger.apply(&again, HashBytes([2; 32]), HashBytes([2; 32])).is_ok());
}

#[test]
fn only_what_a_commit_on_chain_covers_is_settled() {
    let mut ledger = ledger();
    charged(&mut ledger, 40);
    assert!(ledger.settlements(0, &eager()).is_empty());
    let (note, _) = ledger.begin_commit(HashBytes([7; 32])).unwrap();
    charged(&mut ledger, 2);
    land(&mut ledger, note);
    let due = ledger.settlements(0, &eager());
    let (tokens, client, worker) = (TokenCount::new(40), client(0), worker(0));
    assert_eq!(
        due,
        [
            Settlement::ClientCharge { client, tokens },
            Settlement::WorkerPayout { worker, tokens }
        ]
    );
    ledger.submitted(&due[0], 0).unwrap();
    assert_eq!(ledger.settlements(9, &eager()).len(), 1);
    assert_eq!(ledger.settlements(10, &eager()).len(), 2);
}

#[test]
fn a_commit_that_landed_is_settled_once_that_is_durable() {
    let mut ledger = ledger();
    charged(&mut ledger, 40);
    let (note, _) = ledger.begin_commit(HashBytes([7; 32])).unwrap();
    let changes = ledger.commit_landed(note).unwrap();
    assert!(ledger.settlements(0, &eager()).is_empty());
    // Whoever starts from the stored rows settles at once: they are durable.
    let restored = Ledger::restore(
        changes.clients.clone(),
        changes.workers.clone(),
        changes.commits.clone().unwrap(),
    );
    assert_eq!(restored.client(&client(0)).unwrap().account.chain().get(), 40);
    ledger.persisted(&changes);
    assert_eq!(ledger.settlements(0, &eager()).len(), 2);
}

#[test]
fn small_debts_wait_for_their_threshold() {
    let mut ledger = ledger();
    charged(&mut ledger, 40);
    let (note, _) = ledger.begin_commit(HashBytes([7; 32])).unwrap();
    land(&mut ledger, note);
    let of = |amount| Thresholds {
        client_charge: Nanoton::new(amount),
        worker_payout: Nanoton::new(amount),
        ..eager()
    };
    assert_eq!(ledger.settlements(0, &of(41)).len(), 0);
    assert_eq!(ledger.settlements(0, &of(40)).len(), 2);
}

#[test]
fn a_contract_that_knows_more_than_the_ledger_is_a_rollback() {
    let mut ledger = ledger();
    let ahead = ClientOnChain {
        tokens_used: TokenCount::new(1),
        ..funded(1000)
    };
    assert!(ledger.see_client(&client(0), ahead).unwrap_err().is_rollback());
}

#[test]
fn a_claim_of_durable_receipts_that_no_commit_covers_yet_is_no_rollback() {
    let mut ledger = ledger();
    charged(&mut ledger, 40);
    let (client_seen, worker_seen) = (
        ClientOnChain {
            tokens_used: TokenCount::new(40),
            ..funded(1000)
        },
        WorkerOnChain {
            state: ContractState::Normal,
            tokens: TokenCount::new(40),
            worker_fee: Nanoton::new(1),
        },
    );
    ledger.see_client(&client(0), client_seen.clone()).unwrap();
    ledger.see_worker(&worker(0), worker_seen).unwrap();
    // Nothing is due: the contracts have it already, and a commit that lands later changes nothing.
    assert!(ledger.settlements(0, &eager()).is_empty());
    let (note, _) = ledger.begin_commit(HashBytes([7; 32])).unwrap();
    land(&mut ledger, note);
    assert!(ledger.settlements(0, &eager()).is_empty());
    // One token more than the receipts say is a rollback as before.
    let ahead = ClientOnChain {
        tokens_used: TokenCount::new(41),
        ..client_seen
    };
    assert!(ledger.see_client(&client(0), ahead).unwrap_err().is_rollback());
}

#[test]
fn a_commit_that_was_never_sent_is_a_rollback() {
    let mut ledger = ledger();
    let session = HashBytes([7; 32]);
    assert!(
        ledger
            .commit_landed(CommitNote { seqno: 1, session })
            .unwrap_err()
            .is_rollback()
    );
    let (note, _) = ledger.begin_commit(session).unwrap();
    let other = CommitNote {
        session: HashBytes([8; 32]),
        ..note
    };
    assert!(ledger.commit_landed(other).unwrap_err().is_rollback());
    assert!(ledger.commit_landed(note).is_ok());
}

#[test]
fn commits_of_a_crashed_session_land_in_any_order() {
    let mut ledger = ledger();
    charged(&mut ledger, 10);
    let (first, _) = ledger.begin_commit(HashBytes([7; 32])).unwrap();
    charged(&mut ledger, 5);
    let (second, _) = ledger.begin_commit(HashBytes([8; 32])).unwrap();
    let changes = ledger.commit_landed(second).unwrap();
    assert_eq!(ledger.client(&client(0)).unwrap().account.chain().get(), 0);
    ledger.persisted(&changes);
    assert_eq!(ledger.client(&client(0)).unwrap().account.chain().get(), 15);
    assert_eq!(ledger.commit_landed(first), Ok(Changes::default()));
    assert_eq!(ledger.client(&client(0)).unwrap().account.chain().get(), 15);
}

#[test]
fn a_workers_claim_is_compared_and_never_fatal() {
    let mut ledger = ledger();
    charged(&mut ledger, 10);
    let compare = |chain, db, max| {
        ledger.compare(
            &worker(0),
            TokenCount::new(chain),
            TokenCount::new(db),
            TokenCount::new(max),
        )
    };
    assert_eq!(compare(0, 10, 10), Comparison::Agrees);
    assert_eq!(compare(0, 10, 11), Comparison::WorkerAhead);
    assert_eq!(compare(0, 11, 11), Comparison::LedgerBehind);
    assert_eq!(compare(1_000_000_000_000, 0, 0), Comparison::LedgerBehind);
}

#[test]
fn a_closing_client_is_refunded_once_nothing_runs_and_everything_is_committed() {
    let mut ledger = ledger();
    charged(&mut ledger, 10);
    let running = ledger.reserve(&client(0), 0, TokenCount::new(10)).unwrap();
    let closing = ClientOnChain {
        state: ContractState::Closing,
        ..funded(1000)
    };
    ledger.see_client(&client(0), closing).unwrap();
    assert_eq!(
        ledger.reserve(&client(0), 0, TokenCount::new(1)),
        Err(LedgerError::ClientClosing)
    );
    let (note, _) = ledger.begin_commit(HashBytes([7; 32])).unwrap();
    land(&mut ledger, note);
    let is_refund = |s: &Settlement| matches!(s, Settlement::ClientRefund { .. });
    assert!(!ledger.settlements(0, &eager()).iter().any(is_refund));
    ledger.release(running).unwrap();
    assert!(ledger.settlements(0, &eager()).iter().any(is_refund));
}

#[test]
fn a_refund_that_the_contract_refuses_is_offered_less_and_less_often() {
    let mut ledger = ledger();
    charged(&mut ledger, 10);
    let (note, _) = ledger.begin_commit(HashBytes([7; 32])).unwrap();
    land(&mut ledger, note);
    let mut offered = Vec::new();
    for now in 0..1000 {
        // Closed and reopened without anything used in between: the contract is at the total of the refund and refuses it.
        let closing = ClientOnChain {
            state: ContractState::Closing,
            tokens_used: TokenCount::new(10),
            balance: Nanoton::new(u128::from(now % 2 == 0)),
            ..funded(1000)
        };
        ledger.see_client(&client(0), closing).unwrap();
        let due = ledger.settlements(now, &eager());
        if let Some(refund) = due.iter().find(|s| matches!(s, Settlement::ClientRefund { .. })) {
            ledger.submitted(refund, now).unwrap();
            offered.push(now);
        }
    }
    assert_eq!(offered, [0, 10, 30, 70, 150, 310, 630]);
    // Who reopens and uses more is charged at once.
    let open = ClientOnChain {
        tokens_used: TokenCount::new(10),
        ..funded(1000)
    };
    ledger.see_client(&client(0), open).unwrap();
    charged(&mut ledger, 5);
    let (note, _) = ledger.begin_commit(HashBytes([7; 32])).unwrap();
    land(&mut ledger, note);
    let is_charge = |s: &Settlement| matches!(s, Settlement::ClientCharge { .. });
    assert!(ledger.settlements(1000, &eager()).iter().any(is_charge));
}
