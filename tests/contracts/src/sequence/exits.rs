//! After any sequence every owner gets out what is his.

use cocoon_bindings::ton::Address;

use crate::model::body::{Body, Signed, SignedPart, Signer};
use crate::model::effect::STORAGE;
use crate::model::proxy::OWNER_EXIT;
use crate::model::signed::{COMPLETE_CLOSE, PAYOUT};
use crate::model::{CLOSED, CLOSING, NORMAL};
use crate::sequence::run::{Checked, Run, Sent};
use crate::sequence::setup::{CLIENT_OWNERS, EXCESSES, PROXY_OWNER, STRANGER};
use crate::sequence::step::TON;

impl Run {
    /// Everybody leaves, and each gets what the books say is his.
    pub(crate) fn leave(&mut self) -> Checked {
        self.note(|| "everybody leaves".to_owned());
        for contract in self.net.contracts.keys().cloned().collect::<Vec<_>>() {
            // Pays for storage, and unfreezes what is frozen.
            self.ask(STRANGER, &contract, TON, Body::Empty)?;
        }
        for place in 0..2 {
            self.pay_worker(place)?;
        }
        for place in 0..2 {
            self.client_leaves(place)?;
        }
        self.proxy_leaves()
    }

    fn ask(&mut self, from: Address, to: &Address, value: u128, body: Body) -> Checked {
        self.send(Sent {
            from,
            to: to.clone(),
            value,
            bounce: true,
            body,
        })?;
        self.drain()
    }

    fn signed_by_proxy(&mut self, op: u32, tokens: Option<u64>, to: &Address) -> Body {
        let query = self.next_query();
        let inner = SignedPart {
            op,
            query,
            tokens,
            expected: to.clone(),
            longer: false,
            score: None,
        };
        Body::Signed(Signed {
            op,
            query,
            excesses: EXCESSES,
            inner,
            signer: Signer::Proxy,
        })
    }

    /// A worker in use is paid for one more token, if the proxy is there and has the coins.
    fn pay_worker(&mut self, place: usize) -> Checked {
        let (state, tokens) = (self.net.worker(place).state, self.net.worker(place).tokens);
        let Some(more) = tokens.checked_add(1) else {
            return Ok(());
        };
        let to = self.net.places.workers[place].clone();
        let message = self.signed_by_proxy(PAYOUT, Some(more), &to);
        let payable = state != CLOSED && self.net.proxy().state != CLOSED;
        self.ask(EXCESSES, &to, TON, message)?;
        // Tokens that cost nothing stay counted even if the payment comes back.
        let free = self.net.worker(place).fixed.terms.price == 0;
        if free || payable == (self.net.worker(place).tokens == more) {
            Ok(())
        } else {
            Err(format!(
                "worker {place} counts {} after {more} were signed",
                self.net.worker(place).tokens
            ))
        }
    }

    /// A client gets out, whatever the proxy signs or does not sign.
    fn client_leaves(&mut self, place: usize) -> Checked {
        let to = self.net.places.clients[place].clone();
        for _ in 0..2 {
            let query = self.next_query();
            let held = self.net.balance(&self.net.places.proxy.clone());
            let (state, balance) = (self.net.client(place).state, self.net.client(place).balance);
            let stake = self.net.proxy().stake;
            if state == CLOSED {
                break;
            }
            if state == CLOSING {
                let unlock = self.net.client(place).unlock;
                let wait = (unlock + 1).saturating_sub(self.chain.now());
                self.chain.advance(wait).map_err(|error| error.to_string())?;
            }
            let owner = CLIENT_OWNERS[place].clone();
            self.ask(
                owner,
                &to,
                TON,
                Body::RequestRefund {
                    query,
                    excesses: EXCESSES,
                },
            )?;
            let client = self.net.client(place);
            if state == NORMAL && client.state != CLOSING {
                return Err(format!("client {place} cannot begin to close"));
            }
            // Without the coins the refund comes back and may be asked for again.
            let covered = balance.min(stake) + TON / 10 <= held;
            if state == CLOSING && covered && (client.state != CLOSED || client.balance != 0) {
                return Err(format!("client {place} cannot force its refund"));
            }
        }
        Ok(())
    }

    /// The proxy's owner takes what is left, and nothing is left but reserves.
    fn proxy_leaves(&mut self) -> Checked {
        let to = self.net.places.proxy.clone();
        let query = self.next_query();
        if self.net.proxy().state == NORMAL {
            self.ask(
                PROXY_OWNER,
                &to,
                TON,
                Body::CloseProxy {
                    query,
                    excesses: EXCESSES,
                },
            )?;
        }
        if self.net.proxy().state == CLOSING {
            if self.query.is_multiple_of(2) {
                self.stake_without_key(&to)?;
            }
            let wait = self.net.proxy().unlock.saturating_sub(self.chain.now());
            self.chain.advance(wait).map_err(|error| error.to_string())?;
            let message = self.signed_by_proxy(COMPLETE_CLOSE, None, &to);
            self.ask(EXCESSES, &to, TON, message)?;
            let left = self.net.balance(&to);
            if left > STORAGE {
                return Err(format!("{left} are left on a closed proxy"));
            }
        }
        if self.net.proxy().state != CLOSED {
            return Err("the proxy's owner cannot close".to_owned());
        }
        self.finish()
    }

    /// The owner gets the stake half a year later though the proxy signs nothing, if the coins are there.
    fn stake_without_key(&mut self, to: &Address) -> Checked {
        let wait = (self.net.proxy().unlock + OWNER_EXIT).saturating_sub(self.chain.now());
        self.chain.advance(wait).map_err(|error| error.to_string())?;
        // Pays for the storage since.
        self.ask(STRANGER, to, TON, Body::Empty)?;
        let (stake, held) = (self.net.proxy().stake, self.net.balance(to));
        let (query, excesses) = (self.next_query(), EXCESSES);
        self.ask(PROXY_OWNER, to, TON, Body::ReclaimStake { query, excesses })?;
        let left = self.net.proxy().stake;
        if stake + TON / 10 <= held && left != 0 {
            return Err(format!("the owner cannot take back {left} of {stake}"));
        }
        Ok(())
    }
}
