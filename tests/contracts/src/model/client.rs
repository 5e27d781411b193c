//! A client contract.

use std::sync::Arc;

use cocoon_bindings::ton::{Address, Cell};

use crate::model::bits::Bits;
use crate::model::body::{Body, ClientAsk, ClientStep, ClientTold, Damage, Signed};
use crate::model::effect::{
    Act, CHILD, COMMISSION, Env, Exit, Outcome, Return, excesses, keep_and_return, keep_and_return_unused, refuse,
    require,
};
use crate::model::signed::{CHARGE, GRANT, check_claim, check_signed};
use crate::model::terms::Terms;
use crate::model::{CLOSED, CLOSING, NORMAL};

/// What never changes.
#[derive(Debug)]
pub(crate) struct ClientFixed {
    pub(crate) owner: Address,
    pub(crate) proxy: Address,
    pub(crate) terms: Terms,
    pub(crate) constants: Cell,
    pub(crate) params: Cell,
}

/// A client contract.
#[derive(Debug, Clone)]
pub(crate) struct Client {
    pub(crate) fixed: Arc<ClientFixed>,
    pub(crate) state: u8,
    pub(crate) balance: u128,
    pub(crate) stake: u128,
    pub(crate) tokens: u64,
    pub(crate) unlock: u32,
    pub(crate) secret: [u8; 32],
    /// Tokens at the latest reopening.
    pub(crate) floor: Option<u64>,
    /// A count that the proxy signed, and since when it is claimed.
    pub(crate) claim: Option<(u64, u32)>,
}

impl Client {
    /// As it is deployed.
    pub(crate) fn new(owner: &Address, proxy: &Address, key: &[u8; 32], terms: &Terms) -> Self {
        let constants = Bits::new().address(owner).address(proxy).raw(key).done();
        Self {
            stake: terms.stakes[1],
            fixed: Arc::new(ClientFixed {
                owner: owner.clone(),
                proxy: proxy.clone(),
                terms: terms.clone(),
                constants,
                params: terms.cell_without_codes(),
            }),
            state: NORMAL,
            balance: 0,
            tokens: 0,
            unlock: 0,
            secret: [0; 32],
            floor: None,
            claim: None,
        }
    }

    /// Its data.
    pub(crate) fn data(&self) -> Cell {
        let bits = Bits::new()
            .uint(self.state.into(), 2)
            .coins(self.balance)
            .coins(self.stake);
        let bits = bits.u64(self.tokens).u32(self.unlock).raw(&self.secret);
        let bits = bits.cell(self.fixed.constants.clone()).cell(self.fixed.params.clone());
        if self.floor.is_none() && self.claim.is_none() {
            return bits.done();
        }
        let (tokens, since) = self.claim.unwrap_or_default();
        let bits = bits.bit(self.floor.is_some()).u64(self.floor.unwrap_or(0));
        bits.u64(tokens).u32(since).done()
    }

    /// What a message does.
    pub(crate) fn receive(&mut self, body: &Body, env: &Env) -> Outcome {
        let (body, longer) = match body {
            Body::Damaged(_, Damage::Shorter) => return Err(Exit::Failed),
            Body::Damaged(body, Damage::Longer) => (&**body, true),
            body => (body, false),
        };
        match body {
            Body::Empty if !longer => Ok(Vec::new()),
            Body::Note { .. } => Ok(Vec::new()),
            Body::Bounced { original, rich } => self.bounced(original, *rich && !longer, env),
            Body::Signed(signed) if [CHARGE, GRANT].contains(&signed.op) => self.settle(signed, longer, env),
            Body::TopUp {
                query,
                amount,
                excesses,
            } => {
                let keep = self.afford(*amount, env)?;
                require(self.state != CLOSED, 1006)?;
                require(!longer, 1004)?;
                Ok(self.add(*amount, keep, *query, excesses))
            }
            Body::TopUpWithSecret {
                query,
                amount,
                secret,
                excesses,
            } => {
                self.check_owner(env, 1010)?;
                let keep = self.afford(*amount, env)?;
                require(self.state != CLOSED, 1006)?;
                require(!longer, 1004)?;
                self.secret = *secret;
                Ok(self.add(*amount, keep, *query, excesses))
            }
            Body::Reopen {
                query,
                amount,
                excesses,
            } => {
                self.check_owner(env, 1010)?;
                let keep = self.afford(*amount, env)?;
                require(!longer, 1004)?;
                if self.state == CLOSED {
                    self.state = NORMAL;
                    self.unlock = 0;
                    self.floor = Some(self.tokens);
                    self.claim = None;
                }
                Ok(self.add(*amount, keep, *query, excesses))
            }
            Body::Register { query, nonce, excesses } => {
                self.check_owner(env, 1010)?;
                let keep = self.afford(0, env)?;
                require(!longer, 1004)?;
                Ok(self.tell(Some(ClientAsk::Register { nonce: *nonce }), keep, *query, excesses))
            }
            Body::ChangeSecret {
                query,
                secret,
                excesses,
            } => {
                self.check_owner(env, 1010)?;
                let keep = self.afford(0, env)?;
                require(!longer, 1004)?;
                self.secret = *secret;
                Ok(self.tell(None, keep, *query, excesses))
            }
            Body::IncreaseStake { query, stake, excesses } => {
                self.check_owner(env, 1010)?;
                let keep = self.afford(0, env)?;
                require(*stake > self.stake, 1003)?;
                require(!longer, 1004)?;
                self.stake = *stake;
                Ok(self.tell(None, keep, *query, excesses))
            }
            Body::Withdraw { query, excesses } => {
                self.check_owner(env, 1009)?;
                let keep = self.afford(0, env)?;
                require(self.state == NORMAL, 1006)?;
                require(self.balance > self.stake, 1001)?;
                require(!longer, 1004)?;
                Ok(self.refund(self.balance - self.stake, keep, *query, excesses))
            }
            Body::RequestRefund { query, excesses } => self.request_refund(*query, excesses, longer, env),
            Body::Claim(claim) if claim.receipt.is_some() => {
                self.check_owner(env, 1010)?;
                let keep = self.afford(0, env)?;
                require(self.state != CLOSED, 1006)?;
                require(!longer, 1004)?;
                let tokens = check_claim(claim, &self.fixed.proxy, env)?;
                let claimed = self.claim.map_or(0, |(tokens, _)| tokens);
                require(tokens > self.tokens.max(claimed), 1000)?;
                self.claim = Some((tokens, env.now));
                Ok(keep_and_return(keep, &claim.excesses, claim.query))
            }
            Body::SettleClaim { query, excesses } => {
                let keep = self.afford(0, env)?;
                require(self.state != CLOSED, 1006)?;
                require(!longer, 1004)?;
                let (tokens, since) = self.claim.unwrap_or_default();
                require(tokens > self.tokens, 1103)?;
                require(env.now >= since + self.fixed.terms.delays[1], 1011)?;
                self.charge(tokens);
                Ok(self.tell(None, keep, *query, excesses))
            }
            _ => refuse(1012),
        }
    }

    fn settle(&mut self, signed: &Signed, longer: bool, env: &Env) -> Outcome {
        let keep = self.afford(0, env)?;
        require(self.state != CLOSED, 1006)?;
        let tokens = check_signed(signed, longer, env)?;
        if signed.op == CHARGE {
            require(tokens > self.tokens, 1000)?;
            self.charge(tokens);
            return Ok(self.tell(None, keep, signed.query, &signed.excesses));
        }
        require(tokens >= self.tokens, 1000)?;
        require(self.floor.is_none_or(|floor| tokens > floor), 1000)?;
        self.charge(tokens);
        self.state = CLOSED;
        Ok(self.refund(self.balance, keep, signed.query, &signed.excesses))
    }

    fn request_refund(&mut self, query: u64, excesses: &Address, longer: bool, env: &Env) -> Outcome {
        self.check_owner(env, 1009)?;
        let keep = self.afford(0, env)?;
        require(self.state != CLOSED, 1006)?;
        require(!longer, 1004)?;
        if self.state == CLOSING {
            require(env.now > self.unlock, 1011)?;
            let ask = ClientAsk::ForcedRefund {
                amount: self.balance,
                excesses: excesses.clone(),
            };
            self.state = CLOSED;
            self.balance = 0;
            return Ok(self.ask(ask, keep, query));
        }
        self.state = CLOSING;
        self.unlock = env.now + self.fixed.terms.delays[1];
        Ok(match self.balance.checked_sub(self.stake) {
            None | Some(0) => self.tell(None, keep, query, excesses),
            Some(more) => self.refund(more, keep, query, excesses),
        })
    }

    /// A step that the proxy refused is undone.
    fn bounced(&mut self, original: &Body, rich: bool, env: &Env) -> Outcome {
        let Body::ClientStep(step) = original else {
            return Err(Exit::Failed);
        };
        if !rich {
            return Err(Exit::Failed);
        }
        require(env.from == self.fixed.proxy, 1014)?;
        let mut acts = Vec::new();
        let to = match &step.ask {
            Some(ClientAsk::TopUp { amount, excesses }) => {
                let unused = self.balance.min(*amount);
                self.balance -= unused;
                if unused > 0 {
                    let (to, body) = (self.fixed.owner.clone(), Body::Payout { query: step.query });
                    acts.push(Act::ExactlyOrKeep {
                        to,
                        value: unused,
                        body,
                    });
                }
                if unused < *amount {
                    let (to, body) = (self.fixed.proxy.clone(), Body::Note { query: step.query });
                    acts.push(Act::ExactlyOrKeep {
                        to,
                        value: amount - unused,
                        body,
                    });
                }
                excesses
            }
            Some(ClientAsk::Refund { amount, excesses } | ClientAsk::ForcedRefund { amount, excesses }) => {
                self.balance += amount;
                if self.state == CLOSED {
                    self.state = if self.unlock == 0 { NORMAL } else { CLOSING };
                }
                excesses
            }
            Some(ClientAsk::Register { .. }) => &self.fixed.owner,
            Some(ClientAsk::Unknown) | None => return Err(Exit::Failed),
        };
        acts.extend(keep_and_return_unused(env.keep(0), &to.clone(), step.query));
        Ok(acts)
    }

    fn check_owner(&self, env: &Env, code: i32) -> Result<(), Exit> {
        require(env.from == self.fixed.owner, code)
    }

    /// Sees that the message brings enough for what it moves.
    fn afford(&self, moved: u128, env: &Env) -> Result<u128, Exit> {
        require(env.value >= moved + COMMISSION, 1003)?;
        let keep = env.keep(CHILD);
        require(env.original >= keep + moved + COMMISSION, 1001)?;
        Ok(keep)
    }

    /// The balance never goes below zero.
    fn charge(&mut self, tokens: u64) {
        let owed = u128::from(tokens - self.tokens).saturating_mul(self.fixed.terms.price);
        self.balance = self.balance.saturating_sub(owed);
        self.tokens = tokens;
    }

    fn add(&mut self, amount: u128, keep: u128, query: u64, excesses: &Address) -> Vec<Act> {
        self.balance += amount;
        self.ask(
            ClientAsk::TopUp {
                amount,
                excesses: excesses.clone(),
            },
            keep,
            query,
        )
    }

    fn refund(&mut self, amount: u128, keep: u128, query: u64, excesses: &Address) -> Vec<Act> {
        self.balance -= amount;
        self.ask(
            ClientAsk::Refund {
                amount,
                excesses: excesses.clone(),
            },
            keep,
            query,
        )
    }

    fn step(&self, ask: Option<ClientAsk>, query: u64) -> Body {
        let told = ClientTold {
            state: self.state,
            balance: self.balance,
            stake: self.stake,
            tokens: self.tokens,
            secret: self.secret,
        };
        Body::ClientStep(ClientStep {
            query,
            owner: self.fixed.owner.clone(),
            told,
            ask,
        })
    }

    fn ask(&self, ask: ClientAsk, keep: u128, query: u64) -> Vec<Act> {
        let (to, body) = (self.fixed.proxy.clone(), self.step(Some(ask), query));
        vec![
            Act::Keep(keep),
            Act::Rest {
                to,
                back: Return::Rich,
                body,
            },
        ]
    }

    fn tell(&self, ask: Option<ClientAsk>, keep: u128, query: u64, to: &Address) -> Vec<Act> {
        let notice = Act::Exactly {
            to: self.fixed.proxy.clone(),
            value: 1,
            body: self.step(ask, query),
        };
        vec![notice, Act::Keep(keep), excesses(to, query)]
    }
}
