//! A signed wallet message on its way to the chain: repeated until it was executed or never can be.

use std::time::Duration;

use cocoon_bindings::ton::{Address, Cell};
use cocoon_bindings::wallets::WalletKind;
use tokio::time::Instant;

use crate::client::{AccountState, ChainClient, Transaction, history_to};
use crate::limits::{EXPIRY_MARGIN, INCLUSION_POLL, MAX_CATCH_UP, RESEND_INTERVAL};
use crate::{ChainError, Retry};

/// What one state of the wallet says about a message.
#[derive(Debug)]
enum Fate {
    /// It was executed.
    Executed(Box<Transaction>),
    /// It was not executed, and never will be.
    Expired,
    /// It may still be executed, or may have been in a block that this state does not know.
    Open {
        /// Whether the wallet would still take it.
        is_valid: bool,
    },
}

/// A signed external message with what tells its fate. Whoever keeps it can go on delivering it after a crash: it is
/// executed at most once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedMessage {
    /// The wallet that sends.
    pub wallet: Address,
    /// What kind of wallet it is.
    pub kind: WalletKind,
    /// The message.
    pub cell: Cell,
    /// Its number; the wallet takes each once.
    pub seqno: u32,
    /// Never executed after this time, seconds since 1970.
    pub valid_until: u32,
    /// Logical time of the wallet's last transaction before it was made.
    pub after: u64,
}

impl SignedMessage {
    /// Sends the message, again and again the same one, until the wallet executed it or it expired.
    ///
    /// The wallet's transaction is returned. After [`ChainError::NotIncluded`] and [`ChainError::SeqnoTaken`] it will
    /// never be executed. So it is after [`ChainError::MessageRefused`], which is returned only when no server can
    /// have the message; after any other error its fate is open.
    pub async fn deliver(&self, chain: &dyn ChainClient) -> Result<Transaction, ChainError> {
        self.deliver_from(chain, false).await
    }

    /// The same for a message that was sent before, perhaps by a process that is gone.
    pub async fn resume(&self, chain: &dyn ChainClient) -> Result<Transaction, ChainError> {
        self.deliver_from(chain, true).await
    }

    async fn deliver_from(&self, chain: &dyn ChainClient, was_sent: bool) -> Result<Transaction, ChainError> {
        let started = Instant::now();
        let mut may_be_out = was_sent;
        let mut may_be_sent = true;
        let mut sent_at: Option<Instant> = None;
        if was_sent {
            // Whatever a server says to the message, its fate may be known already.
            match self.look(chain).await? {
                Fate::Executed(transaction) => return Ok(*transaction),
                Fate::Expired => return Err(self.not_included(started.elapsed())),
                Fate::Open { is_valid } => may_be_sent = is_valid,
            }
        }
        loop {
            if may_be_sent && sent_at.is_none_or(|at| at.elapsed() >= RESEND_INTERVAL) {
                sent_at = Some(Instant::now());
                match chain.send_boc(&self.cell).await {
                    Ok(()) => may_be_out = true,
                    // Refused although it is well-formed: executed already, or never will be. The wallet tells.
                    Err(error @ ChainError::MessageRefused { .. }) => match self.look(chain).await? {
                        Fate::Executed(transaction) => return Ok(*transaction),
                        Fate::Expired => return Err(self.not_included(started.elapsed())),
                        // The first and only attempt: no server has it.
                        Fate::Open { .. } if !may_be_out => return Err(error),
                        Fate::Open { is_valid } => may_be_sent = is_valid,
                    },
                    // The message may have got through before the connection broke: only the chain knows.
                    Err(error) if error.retry() != Retry::Never => {
                        may_be_out = true;
                        sent_at = None;
                        tracing::warn!(wallet = %self.wallet, seqno = self.seqno, %error, "sending again");
                    }
                    Err(error) => return Err(error),
                }
            }
            match self.look(chain).await {
                Ok(Fate::Executed(transaction)) => return Ok(*transaction),
                Ok(Fate::Expired) => return Err(self.not_included(started.elapsed())),
                Ok(Fate::Open { is_valid }) => may_be_sent = is_valid,
                Err(error @ ChainError::SeqnoTaken { .. }) => return Err(error),
                // There is nothing to send any more, and no server to ask: whoever comes next looks again.
                Err(error) if error.retry() == Retry::Never && !may_be_sent => return Err(error),
                Err(error) => {
                    tracing::warn!(wallet = %self.wallet, seqno = self.seqno, %error, "asking again");
                }
            }
            tokio::time::sleep(INCLUSION_POLL).await;
        }
    }

    /// What became of the message, by one state of the wallet: seqno, time and history are never put together from states
    /// of different age.
    async fn look(&self, chain: &dyn ChainClient) -> Result<Fate, ChainError> {
        let account = chain.account(&self.wallet).await?;
        let current = seqno_of(&account, self.kind)?;
        if current <= self.seqno {
            return Ok(match account.time.checked_sub(self.valid_until) {
                Some(over) if over > EXPIRY_MARGIN => Fate::Expired,
                over => Fate::Open {
                    is_valid: over.unwrap_or(0) == 0,
                },
            });
        }
        // The number is taken, so the history of this very state has whoever took it.
        let history = history_to(chain, &account, self.after, MAX_CATCH_UP).await?;
        let ours = |transaction: &Transaction| {
            transaction
                .in_msg
                .as_ref()
                .is_some_and(|message| message.cell.repr_hash() == self.cell.repr_hash())
        };
        match history.into_iter().find(ours) {
            Some(transaction) => Ok(Fate::Executed(Box::new(transaction))),
            None => Err(ChainError::SeqnoTaken {
                wallet: self.wallet.clone(),
                seqno: current,
            }),
        }
    }

    fn not_included(&self, waited: Duration) -> ChainError {
        ChainError::NotIncluded {
            wallet: self.wallet.clone(),
            seqno: self.seqno,
            waited,
        }
    }
}

/// The number that a wallet's next message must have; 0 before it is deployed.
pub async fn wallet_seqno(chain: &dyn ChainClient, wallet: &Address, kind: WalletKind) -> Result<u32, ChainError> {
    seqno_of(&chain.account(wallet).await?, kind)
}

fn seqno_of(account: &AccountState, kind: WalletKind) -> Result<u32, ChainError> {
    let Some(data) = account.data.as_ref().filter(|_| account.is_active()) else {
        return Ok(0);
    };
    kind.seqno(data).map_err(|source| ChainError::Data {
        what: "wallet",
        address: account.address.clone(),
        source,
    })
}
