//! Holds of running requests: kept on disk before anything leaves, ended by what the receipt says.

pub(crate) mod holds;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use cocoon_bindings::ton::Address;
use cocoon_bindings::units::Nanoton;
use cocoon_store::StoreError;
use serde_json::json;
use tokio::time::Instant;

use super::budget::{Budgets, KeyAccount, Open, Short, Used, Wish};
use super::durable::{Rows, Unwritten};
use super::refusal::{Refusal, Why};

/// Seconds of a day.
const DAY: u64 = 86_400;

/// The accounts of a running client.
pub(crate) struct Spending {
    budgets: Mutex<Budgets>,
    rows: Arc<Rows>,
    begun: Instant,
}

impl Spending {
    pub(crate) fn new(rows: Arc<Rows>) -> Arc<Self> {
        Arc::new(Self {
            budgets: Mutex::default(),
            rows,
            begun: Instant::now(),
        })
    }

    /// Takes over what was kept of a key. Nothing happens to one that is known.
    fn restore(&self, key: &str) -> Result<(), StoreError> {
        if self.lock().key(key).is_some() {
            return Ok(());
        }
        if let Some(account) = self.rows.read::<KeyAccount>(&row_name(key))? {
            let mut budgets = self.lock();
            // Somebody may have been faster, and begun to use it.
            if budgets.key(key).is_none() {
                budgets.restore(key.to_owned(), account);
            }
        }
        self.reconcile(key)
    }

    /// Settles what receipts have come for since nobody waits for them any more.
    fn reconcile(&self, key: &str) -> Result<(), StoreError> {
        // Taken before the loop: its head would keep the lock that its body takes.
        let holds = self.lock().key(key).map(|account| account.holds.clone());
        for hold in holds.unwrap_or_default() {
            // What a receipt that does not verify says is not counted by: the whole stays held.
            let stored = self.rows.look(|store| store.by_request(&hold.request))?;
            if let Some(stored) = stored.filter(|stored| stored.fault.is_none()) {
                let charged = stored.receipt.receipt.charged();
                self.lock().settle_key(key, &hold.request.0, charged);
            }
        }
        Ok(())
    }

    /// The account of a key, with what receipts say of it by now.
    pub(crate) fn account(&self, key: &str) -> Result<KeyAccount, StoreError> {
        self.restore(key)?;
        self.reconcile(key)?;
        Ok(self.lock().key(key).cloned().unwrap_or_default())
    }

    /// Takes note of what chain and proxy count of a channel, and of when the proxy was asked for it.
    pub(crate) fn see_channel(&self, channel: &Address, cover: Option<u64>, counted: u64, asked: Option<Instant>) {
        let asked = asked.map(|at| self.milliseconds(at));
        self.lock().see_channel(channel, cover, counted, asked);
    }

    fn milliseconds(&self, at: Instant) -> u64 {
        let since = at.saturating_duration_since(self.begun);
        u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
    }

    /// Holds what an attempt may cost. What a key pays is on disk when it returns.
    pub(crate) async fn hold(self: &Arc<Self>, wish: Wish) -> Result<Held, Refused> {
        if let Some((key, _)) = &wish.key {
            self.restore(key).map_err(|_| Refused::Disk(Unwritten))?;
        }
        if let Err(short) = self.try_hold(&wish) {
            // What is held of attempts whose receipts came late may be free by now.
            let (Some((key, _)), Short::Total(..) | Short::Day(..)) = (&wish.key, short) else {
                return Err(Refused::Short(short));
            };
            self.reconcile(key).map_err(|_| Refused::Disk(Unwritten))?;
            self.try_hold(&wish).map_err(Refused::Short)?;
        }
        let mut held = Held {
            spending: Arc::clone(self),
            wish,
            may_leave: false,
            is_ended: false,
        };
        if held.wish.key.is_some() && self.rows.flush().await.is_err() {
            return Err(Refused::Disk(Unwritten));
        }
        held.may_leave = true;
        Ok(held)
    }

    fn try_hold(&self, wish: &Wish) -> Result<(), Short> {
        let mut budgets = self.lock();
        budgets.hold(wish)?;
        self.note(&budgets, wish);
        Ok(())
    }

    /// Hands the row of a wish's key on to the disk.
    fn note(&self, budgets: &Budgets, wish: &Wish) {
        if let Some((key, _)) = &wish.key {
            self.note_key(budgets, key);
        }
    }

    fn note_key(&self, budgets: &Budgets, key: &str) {
        if let Some(account) = budgets.key(key) {
            self.rows.put(row_name(key), json!(account));
        }
    }

    fn lock(&self) -> MutexGuard<'_, Budgets> {
        self.budgets.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn row_name(key: &str) -> String {
    format!("spent/{key}")
}

/// The day of a time in Unix seconds.
pub(crate) fn day(now: u64) -> u64 {
    now / DAY
}

/// Why nothing is held.
#[derive(Debug)]
pub(crate) enum Refused {
    Short(Short),
    Disk(Unwritten),
}

/// What is held for one attempt. Dropped without a word it stays held of the key: nobody knows then what it cost.
pub(crate) struct Held {
    spending: Arc<Spending>,
    wish: Wish,
    /// Whether it is on disk, so that something may have left. Before that, whoever goes away leaves nothing held.
    may_leave: bool,
    is_ended: bool,
}

impl Held {
    /// The most that it may use, adjusted tokens.
    pub(crate) fn tokens(&self) -> u64 {
        self.wish.tokens
    }

    /// The answer has ended, and the proxy says what it used.
    pub(crate) fn shrink(&self, tokens: u64) {
        // A crash before the receipt counts the whole; so the disk need not know.
        self.spending.lock().shrink(&self.wish, tokens);
    }

    /// It used this.
    pub(crate) async fn settle(mut self, used: Used) {
        self.is_ended = true;
        let now = self.spending.milliseconds(Instant::now());
        self.end(|budgets, wish| budgets.settle(wish, used, now)).await;
    }

    /// Nobody knows what it cost, and this is why: it stays held of the key. The disk learns the reason with the next row; without it
    /// the hold is there all the same.
    pub(crate) fn give_up(mut self, why: Open) {
        self.is_ended = true;
        let mut budgets = self.spending.lock();
        budgets.give_up(&self.wish, why);
        self.spending.note(&budgets, &self.wish);
    }

    /// It costs nothing.
    pub(crate) async fn release(mut self) {
        self.is_ended = true;
        self.end(Budgets::release).await;
    }

    async fn end(&self, end: impl FnOnce(&mut Budgets, &Wish)) {
        {
            let mut budgets = self.spending.lock();
            end(&mut budgets, &self.wish);
            self.spending.note(&budgets, &self.wish);
        }
        if self.wish.key.is_some() {
            // A failure ends the client; until the row is there, the whole counts.
            let _ = self.spending.rows.flush().await;
        }
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        if self.is_ended {
            return;
        }
        let mut budgets = self.spending.lock();
        if self.may_leave {
            budgets.give_up(&self.wish, Open::CutOff);
        } else {
            budgets.release(&self.wish);
            self.spending.note(&budgets, &self.wish);
        }
    }
}

/// What a caller is told when its money does not suffice.
pub(crate) fn refusal(short: Short) -> Refusal {
    let needs = |needed: Nanoton, left: Nanoton| {
        format!("The request may cost up to {needed}, and of the key's limit {left} is left")
    };
    match short {
        Short::Total(left, needed) => {
            let text = format!(
                "{}: a smaller max_tokens or max_coefficient may fit.",
                needs(needed, left)
            );
            Refusal::new(Why::Budget, text)
        }
        Short::Day(left, needed) => {
            let text = format!(
                "{} for today (UTC): a smaller max_tokens or max_coefficient may fit.",
                needs(needed, left)
            );
            Refusal::new(Why::Budget, text)
        }
        Short::Channel(left, needed) => {
            let text = format!(
                "The request may use up to {needed} adjusted tokens, and balance and stake of the contract at the proxy cover {left} more."
            );
            Refusal::new(Why::Channel, text)
        }
        Short::Twice | Short::Absurd => Refusal::new(Why::Budget, "The request may cost more than any limit allows."),
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use cocoon_receipt::{ChannelHead, SignedReceipt};
    use cocoon_store::{ClientStore, StoredReceipt};
    use tokio::sync::mpsc;

    use super::super::budget::ByHand;
    use super::super::keys::KeyLimits;
    use super::holds::Unsettled;
    use super::*;

    fn open(folder: &Path) -> Arc<Spending> {
        let store = ClientStore::open(folder).unwrap();
        Spending::new(Rows::new(Arc::new(Mutex::new(store)), mpsc::channel(1).0))
    }

    fn wish(tag: u8, tokens: u64) -> Wish {
        let limits = KeyLimits {
            spend: Some(Nanoton::new(100)),
            ..KeyLimits::default()
        };
        Wish {
            attempt: [tag; 32],
            key: Some(("a".to_owned(), limits)),
            channel: Address::default(),
            proxy: Address::default(),
            tokens,
            price: Nanoton::new(1),
            day: day(86_400 * 5),
            since: 86_400 * 5,
        }
    }

    #[tokio::test]
    async fn what_was_held_in_a_crash_stays_spent_and_what_was_settled_is_known() {
        let folder = tempfile::tempdir().unwrap();
        let spending = open(folder.path());
        let lost = spending.hold(wish(1, 50)).await.unwrap();
        spending.hold(wish(2, 30)).await.unwrap().settle(Used::Told(10)).await;
        spending.hold(wish(3, 30)).await.unwrap().release().await;
        drop((lost, spending));
        let spending = open(folder.path());
        let refused = spending.hold(wish(4, 41)).await.err().unwrap();
        let left = Short::Total(Nanoton::new(40), Nanoton::new(41));
        assert!(matches!(refused, Refused::Short(short) if short == left), "{refused:?}");
        let account = spending.account("a").unwrap();
        assert_eq!((account.spent, account.holds.len()), (Nanoton::new(10), 1));
        let last = spending.hold(wish(4, 40)).await.unwrap();
        last.shrink(5);
        last.settle(Used::Receipt { tokens: 3, total: 3 }).await;
        assert_eq!(spending.account("a").unwrap().spent, Nanoton::new(13));
    }

    /// A receipt of the vectors.
    fn a_receipt() -> SignedReceipt {
        let vectors = include_str!("../../../../tests/vectors/receipts.json");
        let vectors: serde_json::Value = serde_json::from_str(vectors).unwrap();
        let boc = hex::decode(vectors["valid"][0]["boc"].as_str().unwrap()).unwrap();
        SignedReceipt::from_boc(&boc).unwrap()
    }

    /// Keeps it as the client does when it came and verified.
    fn keep(folder: &Path, receipt: &SignedReceipt) {
        let (statement, link) = (&receipt.receipt.statement, &receipt.receipt.channel);
        let head = ChannelHead {
            seqno: link.seqno,
            hash: receipt.id().0,
            total: link.after,
        };
        let stored = StoredReceipt {
            receipt: receipt.clone(),
            request_salt: [1; 32],
            response_salt: [2; 32],
            max_coefficient: None,
            verified_at: 3,
            fault: None,
        };
        let mut store = ClientStore::open(folder).unwrap();
        let place = (&statement.proxy, &receipt.receipt.client, &head);
        store.put_receipts(&[stored.into()], place).unwrap();
    }

    #[tokio::test]
    async fn a_hold_that_was_settled_by_hand_is_not_booked_again_by_its_receipt_nor_over_a_crash() {
        let folder = tempfile::tempdir().unwrap();
        let receipt = a_receipt();
        let mut asked = wish(0, 50);
        asked.attempt = receipt.receipt.request_id.0;
        let attempt = asked.attempt;
        let spending = open(folder.path());
        let held = spending.hold(asked).await.unwrap();
        let refused = spending.settle_by_hand("a", &attempt, Nanoton::new(7)).await;
        assert!(
            matches!(refused, Err(Unsettled::Refused(ByHand::Running))),
            "{refused:?}"
        );
        held.give_up(Open::NoReceipts);
        let open_holds = spending.holds("a").unwrap();
        assert_eq!(open_holds.len(), 1);
        assert_eq!(open_holds[0].why(), Open::NoReceipts.says());
        let settled = spending.settle_by_hand("a", &attempt, Nanoton::new(7)).await;
        assert_eq!(settled.unwrap(), Nanoton::new(50));
        // A crash, and then the receipt.
        drop(spending);
        keep(folder.path(), &receipt);
        let spending = open(folder.path());
        let account = spending.account("a").unwrap();
        assert_eq!((account.spent, account.holds.len()), (Nanoton::new(7), 0));
        let again = spending.settle_by_hand("a", &attempt, Nanoton::new(7)).await;
        assert!(matches!(again, Err(Unsettled::Refused(ByHand::Unknown))), "{again:?}");
    }

    #[tokio::test]
    async fn a_receipt_that_came_after_a_crash_settles_what_was_held() {
        let folder = tempfile::tempdir().unwrap();
        let receipt = a_receipt();
        let mut asked = wish(0, 50);
        asked.attempt = receipt.receipt.request_id.0;
        let spending = open(folder.path());
        drop((spending.hold(asked).await.unwrap(), spending));
        keep(folder.path(), &receipt);
        let account = open(folder.path()).account("a").unwrap();
        assert!(account.holds.is_empty() && account.spent > Nanoton::ZERO, "{account:?}");
    }

    #[tokio::test]
    async fn holds_at_once_share_the_disk_and_are_all_there() {
        let folder = tempfile::tempdir().unwrap();
        let spending = open(folder.path());
        let asked = (0..40).map(|tag| spending.hold(wish(tag, 5)));
        let held: Vec<_> = futures_util::future::join_all(asked).await;
        assert_eq!(held.iter().filter(|held| held.is_ok()).count(), 20);
        drop((held, spending));
        assert_eq!(open(folder.path()).account("a").unwrap().holds.len(), 20);
    }
}
