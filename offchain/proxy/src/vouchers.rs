//! Vouchers: signed only for totals that a state commit on chain covers and that the receipts in the log sum to.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use cocoon_bindings::QueryId;
use cocoon_bindings::ton::{Address, boc_bytes};
use cocoon_bindings::units::TokenCount;
use cocoon_bindings::voucher::{SignedVoucher, VoucherOp};
use cocoon_protocol::proxy::SignedPayment;

use crate::books::Books;
use crate::error::ProxyError;

/// Signs lazily and keeps what was signed until the total grows.
pub(crate) struct Vouchers {
    books: Arc<Books>,
    wallet: Address,
    signed: Mutex<HashMap<Address, Kept>>,
}

/// A voucher, and the bag of cells in which every message shows it.
#[derive(Clone)]
struct Kept {
    voucher: SignedVoucher,
    boc: Bytes,
}

impl Vouchers {
    pub(crate) fn new(books: Arc<Books>, wallet: Address) -> Self {
        Self {
            books,
            wallet,
            signed: Mutex::default(),
        }
    }

    /// The voucher of `op` for `contract` up to `tokens`; refused unless the receipts in the log sum to it.
    pub(crate) fn sign(
        &self,
        op: VoucherOp,
        contract: &Address,
        tokens: TokenCount,
    ) -> Result<SignedVoucher, ProxyError> {
        self.kept(op, contract, tokens).map(|kept| kept.voucher)
    }

    fn kept(&self, op: VoucherOp, contract: &Address, tokens: TokenCount) -> Result<Kept, ProxyError> {
        let mut signed = self.signed.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(kept) = signed.get(contract)
            && (kept.voucher.op(), kept.voucher.tokens()) == (op, tokens)
        {
            return Ok(kept.clone());
        }
        self.books.reader().check_backed(contract, tokens)?;
        let query_id = QueryId::new(rand::random());
        let voucher = SignedVoucher::sign(op, query_id, tokens, contract, &self.wallet, self.books.key())?;
        let boc = boc_bytes(&voucher.to_cell()?).into();
        let kept = Kept { voucher, boc };
        signed.insert(contract.clone(), kept.clone());
        Ok(kept)
    }

    /// What a client is shown, with its totals: voucher, durable total, and again the durable total, because what is not
    /// durable is not shown.
    pub(crate) fn for_client(&self, contract: &Address) -> Shown {
        let account = self
            .books
            .ledger()
            .client(contract)
            .map(|channel| (channel.account.chain(), channel.account.db()));
        self.shown(VoucherOp::ClientCharge, contract, account)
    }

    /// What a worker is shown.
    pub(crate) fn for_worker(&self, contract: &Address) -> Shown {
        let account = self
            .books
            .ledger()
            .worker(contract)
            .map(|channel| (channel.account.chain(), channel.account.db()));
        self.shown(VoucherOp::WorkerPayout, contract, account)
    }

    /// `totals` are what a state commit covers, and what is durable.
    fn shown(&self, op: VoucherOp, contract: &Address, totals: Option<(TokenCount, TokenCount)>) -> Shown {
        let (chain, db) = totals.unwrap_or((TokenCount::ZERO, TokenCount::ZERO));
        let payment = match self.payment(op, contract, chain) {
            Ok(payment) => payment,
            Err(error) => {
                tracing::error!(%contract, %error, "no voucher is signed");
                SignedPayment::Empty
            }
        };
        let tokens = i64::try_from(db.get()).unwrap_or(i64::MAX);
        Shown {
            payment,
            db_tokens: tokens,
            max_tokens: tokens,
        }
    }

    fn payment(&self, op: VoucherOp, contract: &Address, tokens: TokenCount) -> Result<SignedPayment, ProxyError> {
        if tokens == TokenCount::ZERO {
            return Ok(SignedPayment::Empty);
        }
        let data = self.kept(op, contract, tokens)?.boc;
        Ok(SignedPayment::Voucher { data })
    }
}

/// The money part of a message to a peer.
pub(crate) struct Shown {
    pub(crate) payment: SignedPayment,
    pub(crate) db_tokens: i64,
    pub(crate) max_tokens: i64,
}
