//! Plans that wait to be confirmed, and operations that were. Both are bounded and in memory only: what became of an operation
//! the chain says, whatever is forgotten here.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

use cocoon_bindings::ton::Address;
use cocoon_bindings::units::Nanoton;
use tokio::time::Instant;

use super::{Plan, Refusal};
use crate::limits::{MAX_KEPT_OPERATIONS, MAX_KEPT_PLANS, PLAN_LIFETIME};

/// How far an operation is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Status {
    /// Sent, not executed by the wallet yet.
    Sending,
    /// Executed; what follows is followed.
    Following,
    /// All that follows has arrived.
    Done,
    /// Nothing was sent, or a contract refused it.
    Failed,
    /// The chain did not say in time.
    Unknown,
}

impl Status {
    /// As it is shown.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Sending => "sending",
            Self::Following => "following",
            Self::Done => "done",
            Self::Failed => "failed",
            Self::Unknown => "unknown",
        }
    }

    fn is_over(self) -> bool {
        !matches!(self, Self::Sending | Self::Following)
    }
}

/// An operation that was confirmed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Run {
    /// That of its plan.
    pub(crate) id: String,
    /// Name of the wish.
    pub(crate) operation: &'static str,
    /// The client contract.
    pub(crate) contract: Address,
    /// What it does.
    pub(crate) says: String,
    /// How far it is.
    pub(crate) status: Status,
    /// Unix seconds.
    pub(crate) started_at: u64,
    /// Unix seconds.
    pub(crate) finished_at: Option<u64>,
    /// The wallet's transaction.
    pub(crate) transaction: Option<String>,
    /// Transactions so far.
    pub(crate) transactions: usize,
    /// What validators took, once it is over.
    pub(crate) fees: Option<Nanoton>,
    /// Why it failed.
    pub(crate) problem: Option<String>,
    /// What helps.
    pub(crate) hint: Option<&'static str>,
}

#[derive(Debug, Default)]
struct Pages {
    plans: VecDeque<(String, Instant, Plan)>,
    runs: VecDeque<Run>,
}

/// All of a client.
#[derive(Debug, Default)]
pub(crate) struct Book(Mutex<Pages>);

impl Book {
    fn pages(&self) -> MutexGuard<'_, Pages> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Keeps a plan; the oldest one makes place.
    pub(crate) fn keep(&self, plan: Plan) -> String {
        let id = hex::encode(rand::random::<[u8; 16]>());
        let mut pages = self.pages();
        while pages.plans.len() >= MAX_KEPT_PLANS {
            pages.plans.pop_front();
        }
        pages.plans.push_back((id.clone(), Instant::now(), plan));
        id
    }

    /// Takes a plan out, which no one can take again, and begins its operation.
    pub(crate) fn begin(&self, id: &str, now: u64) -> Result<Plan, Refusal> {
        let mut pages = self.pages();
        if pages.runs.iter().any(|run| run.id == id) {
            let refusal = Refusal::new(
                409,
                "plan_used",
                "this plan was confirmed already, and is carried out once",
            );
            return Err(refusal.hinting("ask for the operation by the same id"));
        }
        let place = pages.plans.iter().position(|(known, _, _)| known == id);
        let unknown = || {
            let refusal = Refusal::new(404, "unknown_plan", "there is no such plan");
            refusal.hinting("make a new one: plans are forgotten after some minutes, and when the client restarts")
        };
        let place = place.ok_or_else(unknown)?;
        if pages.runs.iter().any(|run| !run.status.is_over()) {
            let refusal = Refusal::new(409, "busy", "an operation of this wallet is under way");
            return Err(refusal.hinting("wait until it is over"));
        }
        let (id, made, plan) = pages.plans.remove(place).ok_or_else(unknown)?;
        if made.elapsed() > PLAN_LIFETIME {
            let refusal = Refusal::new(409, "plan_expired", "this plan is too old");
            return Err(refusal.hinting("make a new one"));
        }
        while pages.runs.len() >= MAX_KEPT_OPERATIONS {
            pages.runs.pop_back();
        }
        pages.runs.push_front(Run {
            id,
            operation: plan.wish.name(),
            contract: plan.contract.clone(),
            says: plan.order.says.clone(),
            status: Status::Sending,
            started_at: now,
            finished_at: None,
            transaction: None,
            transactions: 0,
            fees: None,
            problem: None,
            hint: None,
        });
        Ok(plan)
    }

    /// Forgets an operation that did not begin after all.
    pub(crate) fn abandon(&self, id: &str) {
        self.pages().runs.retain(|run| run.id != id);
    }

    /// Writes down how far an operation is.
    pub(crate) fn note(&self, id: &str, write: impl FnOnce(&mut Run)) {
        if let Some(run) = self.pages().runs.iter_mut().find(|run| run.id == id) {
            write(run);
        }
    }

    /// One of them.
    pub(crate) fn run(&self, id: &str) -> Option<Run> {
        self.pages().runs.iter().find(|run| run.id == id).cloned()
    }

    /// All of them, newest first.
    pub(crate) fn runs(&self) -> Vec<Run> {
        self.pages().runs.iter().cloned().collect()
    }

    /// The one that is under way with a contract.
    pub(crate) fn pending(&self, contract: &Address) -> Option<String> {
        let pages = self.pages();
        let under_way = pages
            .runs
            .iter()
            .find(|run| !run.status.is_over() && run.contract == *contract);
        under_way.map(|run| run.id.clone())
    }
}

#[cfg(test)]
mod tests {
    use cocoon_bindings::message::InternalMessage;
    use cocoon_bindings::ton::{Cell, HashBytes};
    use cocoon_owner::{Order, Preview};

    use super::*;
    use crate::channel::Wish;

    fn plan(amount: u64) -> Plan {
        let contract = Address::new(0, HashBytes([1; 32]));
        Plan {
            wish: Wish::TopUp(Nanoton::new(amount.into())),
            contract: contract.clone(),
            order: Order {
                step: "pay",
                says: format!("pay {amount}"),
                message: InternalMessage {
                    to: contract,
                    value: Nanoton::new(amount.into()),
                    bounce: true,
                    body: Cell::default(),
                    state_init: None,
                },
                roles: Vec::new(),
            },
            preview: Preview {
                accounts: Vec::new(),
                fees: Nanoton::ZERO,
                transactions: 0,
                refused: None,
            },
        }
    }

    fn code(taken: Result<Plan, Refusal>) -> &'static str {
        taken.map_or_else(|refusal| refusal.code, |_| "taken")
    }

    #[tokio::test(start_paused = true)]
    async fn a_plan_is_taken_once_and_only_in_its_time() {
        let book = Book::default();
        let (first, second, old) = (book.keep(plan(1)), book.keep(plan(2)), book.keep(plan(3)));
        assert_eq!(code(book.begin("none", 0)), "unknown_plan");
        assert_eq!(code(book.begin(&first, 7)), "taken");
        assert_eq!(code(book.begin(&first, 8)), "plan_used");
        assert_eq!(code(book.begin(&second, 8)), "busy");
        assert_eq!(book.pending(&plan(1).contract), Some(first.clone()));
        book.note(&first, |run| run.status = Status::Done);
        assert_eq!(code(book.begin(&first, 9)), "plan_used");
        assert_eq!(code(book.begin(&second, 9)), "taken");
        book.abandon(&second);
        assert_eq!(code(book.begin(&second, 9)), "unknown_plan");
        tokio::time::advance(PLAN_LIFETIME * 2).await;
        assert_eq!(code(book.begin(&old, 9)), "plan_expired");
        assert_eq!(code(book.begin(&old, 9)), "unknown_plan");
        assert_eq!(book.runs().len(), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn neither_plans_nor_operations_pile_up() {
        let book = Book::default();
        let first = book.keep(plan(0));
        for amount in 0..500 {
            let id = book.keep(plan(amount));
            assert_eq!(code(book.begin(&id, amount)), "taken");
            book.note(&id, |run| run.status = Status::Failed);
            book.keep(plan(amount));
        }
        assert_eq!(code(book.begin(&first, 0)), "unknown_plan");
        assert_eq!(book.runs().len(), MAX_KEPT_OPERATIONS);
        assert!(book.pages().plans.len() <= MAX_KEPT_PLANS);
        // The newest first.
        assert_eq!(book.runs()[0].started_at, 499);
    }

    #[test]
    fn a_plan_holds_while_it_would_do_the_same() {
        assert!(plan(1).still_holds(&plan(1)));
        assert!(!plan(1).still_holds(&plan(2)));
        let mut other = plan(1);
        other.order.says.push_str(" more");
        assert!(!plan(1).still_holds(&other));
    }
}
