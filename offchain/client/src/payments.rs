//! What the client knows of its account at the connected proxy: the latest voucher and the totals.

use cocoon_bindings::ton::{Address, parse_boc};
use cocoon_bindings::units::PublicKey;
use cocoon_bindings::voucher::{SignedVoucher, VoucherOp};
use cocoon_protocol::proxy::SignedPayment;
use tokio::time::Instant;

use crate::error::ClientError;

/// Totals of one client contract at one proxy, in adjusted tokens.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Payments {
    /// In the latest voucher that verified.
    pub signed: u64,
    /// Stored by the proxy.
    pub committed_to_db: u64,
    /// Everything that the proxy counts.
    pub max: u64,
    /// When the proxy was asked for the newest of these totals that it told because it was asked.
    pub asked: Option<Instant>,
    /// The latest voucher, BoC.
    pub voucher: Option<Vec<u8>>,
}

/// Who may sign vouchers, and for what.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VoucherRules {
    /// Key of the proxy contract.
    pub proxy_key: PublicKey,
    /// Our client contract.
    pub contract: Address,
}

impl Payments {
    /// Takes what a proxy says. Vouchers that do not verify are an error; totals that go down are one too, because a
    /// proxy whose database went back would charge twice.
    pub fn update(
        &mut self,
        rules: &VoucherRules,
        payment: &SignedPayment,
        totals: Option<(i64, i64)>,
    ) -> Result<(), ClientError> {
        if let Some((db, max)) = totals {
            let (Ok(db), Ok(max)) = (u64::try_from(db), u64::try_from(max)) else {
                return Err(ClientError::Voucher("it comes with negative totals"));
            };
            // In mid-session the numbers of concurrent messages may overtake each other; only growth is taken over.
            self.committed_to_db = self.committed_to_db.max(db);
            self.max = self.max.max(max);
        }
        let Some(boc) = payment.boc() else { return Ok(()) };
        if self.voucher.as_deref() == Some(&boc[..]) {
            // The proxy shows the same voucher until it signs a higher one: this one was checked.
            return Ok(());
        }
        let tokens = verify(rules, boc)?;
        if tokens > self.signed || self.voucher.is_none() {
            self.signed = tokens;
            self.voucher = Some(boc.to_vec());
        }
        if self.signed > self.max {
            return Err(ClientError::Voucher("it is for more tokens than the proxy counts"));
        }
        Ok(())
    }
}

fn verify(rules: &VoucherRules, boc: &[u8]) -> Result<u64, ClientError> {
    let cell = parse_boc(boc).map_err(|_| ClientError::Voucher("it is no bag of cells"))?;
    let voucher = SignedVoucher::from_cell(&cell).map_err(|_| ClientError::Voucher("it does not parse"))?;
    if !matches!(voucher.op(), VoucherOp::ClientCharge | VoucherOp::ClientRefund) {
        return Err(ClientError::Voucher("it is not a client's"));
    }
    voucher
        .verify(&rules.proxy_key, &rules.contract)
        .map_err(|_| ClientError::Voucher("its signature or contract is another"))?;
    Ok(voucher.tokens().get())
}

#[cfg(test)]
mod tests {
    use super::*;
    use cocoon_bindings::ton::boc_bytes;
    use cocoon_bindings::units::{QueryId, TokenCount};
    use ed25519_dalek::SigningKey;

    fn rules(key: &SigningKey) -> VoucherRules {
        VoucherRules {
            proxy_key: PublicKey::from(key),
            contract: Address::new(0, [1; 32].into()),
        }
    }

    fn voucher(key: &SigningKey, op: VoucherOp, tokens: u64, contract: u8) -> SignedPayment {
        let to = Address::new(0, [contract; 32].into());
        let voucher = SignedVoucher::sign(op, QueryId::new(1), TokenCount::new(tokens), &to, &to, key).unwrap();
        SignedPayment::Voucher {
            data: boc_bytes(&voucher.to_cell().unwrap()).into(),
        }
    }

    #[test]
    fn only_our_own_vouchers_of_the_right_key_count() {
        let (key, other) = (SigningKey::from_bytes(&[1; 32]), SigningKey::from_bytes(&[2; 32]));
        let rules = rules(&key);
        let mut payments = Payments::default();
        let charge = VoucherOp::ClientCharge;
        payments
            .update(&rules, &voucher(&key, charge, 40, 1), Some((50, 60)))
            .unwrap();
        assert_eq!((payments.signed, payments.committed_to_db, payments.max), (40, 50, 60));
        assert!(payments.update(&rules, &voucher(&other, charge, 41, 1), None).is_err());
        assert!(payments.update(&rules, &voucher(&key, charge, 41, 2), None).is_err());
        assert!(
            payments
                .update(&rules, &voucher(&key, VoucherOp::WorkerPayout, 41, 1), None)
                .is_err()
        );
        assert!(
            payments
                .update(
                    &rules,
                    &SignedPayment::Voucher {
                        data: vec![1, 2, 3].into()
                    },
                    None
                )
                .is_err()
        );
        assert_eq!(payments.signed, 40);
    }

    #[test]
    fn a_voucher_beyond_the_counted_total_is_refused() {
        let key = SigningKey::from_bytes(&[1; 32]);
        let payment = voucher(&key, VoucherOp::ClientCharge, 61, 1);
        assert!(
            Payments::default()
                .update(&rules(&key), &payment, Some((0, 60)))
                .is_err()
        );
    }

    #[test]
    fn an_older_voucher_changes_nothing() {
        let key = SigningKey::from_bytes(&[1; 32]);
        let mut payments = Payments::default();
        payments
            .update(
                &rules(&key),
                &voucher(&key, VoucherOp::ClientCharge, 40, 1),
                Some((40, 40)),
            )
            .unwrap();
        let held = payments.clone();
        payments
            .update(
                &rules(&key),
                &voucher(&key, VoucherOp::ClientCharge, 30, 1),
                Some((30, 30)),
            )
            .unwrap();
        assert_eq!(payments, held);
        assert!(
            payments
                .update(&rules(&key), &SignedPayment::Empty, Some((-1, 0)))
                .is_err()
        );
    }
}
