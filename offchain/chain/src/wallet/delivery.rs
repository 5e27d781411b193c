//! A signed wallet message on its way to the chain: repeated until it was executed or never can be.

use std::time::Duration;

use cocoon_bindings::ton::{Address, Cell};
use cocoon_bindings::wallets::WalletKind;
use tokio::time::Instant;

use crate::client::{ChainClient, Transaction, transactions_after};
use crate::limits::{INCLUSION_POLL, RESEND_INTERVAL};
use crate::{ChainError, Retry};

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
        if was_sent && let Some(transaction) = self.executed(chain).await? {
            return Ok(transaction);
        }
        let mut may_be_out = was_sent;
        let mut sent_at: Option<Instant> = None;
        loop {
            if sent_at.is_none_or(|at| at.elapsed() >= RESEND_INTERVAL) {
                sent_at = Some(Instant::now());
                match chain.send_boc(&self.cell).await {
                    Ok(()) => may_be_out = true,
                    // Refused although it is well-formed: executed already, or never will be. The seqno tells.
                    Err(error @ ChainError::MessageRefused { .. }) => match self.executed(chain).await? {
                        Some(transaction) => return Ok(transaction),
                        None if !may_be_out => return Err(error),
                        None => {}
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
            // The time is read first: a message that was not executed after it expired never will be.
            let expired = chain.now().await.is_ok_and(|now| now > self.valid_until);
            match self.executed(chain).await {
                Ok(Some(transaction)) => return Ok(transaction),
                Ok(None) if expired => return Err(self.not_included(started.elapsed())),
                Ok(None) => {}
                Err(error @ ChainError::SeqnoTaken { .. }) => return Err(error),
                Err(error) => {
                    tracing::warn!(wallet = %self.wallet, seqno = self.seqno, %error, "asking again");
                }
            }
            tokio::time::sleep(INCLUSION_POLL).await;
        }
    }

    /// The transaction that executed the message, if there is one by now.
    pub async fn executed(&self, chain: &dyn ChainClient) -> Result<Option<Transaction>, ChainError> {
        let current = wallet_seqno(chain, &self.wallet, self.kind).await?;
        if current <= self.seqno {
            return Ok(None);
        }
        let history = transactions_after(chain, &self.wallet, self.after).await?;
        let ours = |transaction: &Transaction| {
            transaction
                .in_msg
                .as_ref()
                .is_some_and(|message| message.cell.repr_hash() == self.cell.repr_hash())
        };
        match history.into_iter().find(ours) {
            Some(transaction) => Ok(Some(transaction)),
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
    let account = chain.account(wallet).await?;
    let Some(data) = account.data.as_ref().filter(|_| account.is_active()) else {
        return Ok(0);
    };
    kind.seqno(data).map_err(|source| ChainError::Data {
        what: "wallet",
        address: wallet.clone(),
        source,
    })
}
