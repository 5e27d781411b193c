//! A worker contract.

use std::sync::Arc;

use cocoon_bindings::ton::{Address, Cell};

use crate::model::bits::Bits;
use crate::model::body::{Body, Damage, WorkerAsk, WorkerStep};
use crate::model::effect::{
    Act, CHILD, COMMISSION, Env, Exit, Outcome, Return, excesses, keep_and_return_unused, refuse, require,
};
use crate::model::signed::{LAST_PAYOUT, PAYOUT, check_signed};
use crate::model::terms::Terms;
use crate::model::{CLOSED, NORMAL};

/// What never changes.
#[derive(Debug)]
pub(crate) struct WorkerFixed {
    pub(crate) owner: Address,
    pub(crate) proxy: Address,
    pub(crate) key: [u8; 32],
    pub(crate) terms: Terms,
    pub(crate) params: Cell,
}

/// A worker contract.
#[derive(Debug, Clone)]
pub(crate) struct Worker {
    pub(crate) fixed: Arc<WorkerFixed>,
    pub(crate) state: u8,
    pub(crate) tokens: u64,
}

impl Worker {
    /// As it is deployed.
    pub(crate) fn new(owner: &Address, proxy: &Address, key: &[u8; 32], terms: &Terms) -> Self {
        let fixed = WorkerFixed {
            owner: owner.clone(),
            proxy: proxy.clone(),
            key: *key,
            terms: terms.clone(),
            params: terms.cell_without_codes(),
        };
        Self {
            fixed: Arc::new(fixed),
            state: NORMAL,
            tokens: 0,
        }
    }

    /// Its data.
    pub(crate) fn data(&self) -> Cell {
        let fixed = &self.fixed;
        let bits = Bits::new().address(&fixed.owner).address(&fixed.proxy).raw(&fixed.key);
        bits.uint(self.state.into(), 2)
            .u64(self.tokens)
            .cell(fixed.params.clone())
            .done()
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
            Body::Signed(signed) if [PAYOUT, LAST_PAYOUT].contains(&signed.op) => {
                require(self.state != CLOSED, 1006)?;
                let keep = self.afford(COMMISSION, env)?;
                let tokens = check_signed(signed, longer, env)?;
                if signed.op == PAYOUT {
                    require(tokens > self.tokens, 1000)?;
                } else {
                    require(tokens >= self.tokens, 1000)?;
                    self.state = CLOSED;
                }
                let delta = u128::from(tokens - self.tokens);
                self.tokens = tokens;
                let worker_part = delta.saturating_mul(self.fixed.terms.fee);
                let proxy_part = delta.saturating_mul(self.fixed.terms.price) - worker_part;
                let ask = WorkerAsk {
                    worker_part,
                    proxy_part,
                    excesses: signed.excesses.clone(),
                };
                let (to, body) = (self.fixed.proxy.clone(), self.step(Some(ask), signed.query));
                Ok(vec![
                    Act::Keep(keep),
                    Act::Rest {
                        to,
                        back: Return::Rich,
                        body,
                    },
                ])
            }
            Body::RegisterWorker { query, excesses: to } => {
                require(env.from == self.fixed.owner, 1010)?;
                require(self.state != CLOSED, 1006)?;
                let keep = self.afford(1, env)?;
                require(!longer, 1004)?;
                let notice = Act::Exactly {
                    to: self.fixed.proxy.clone(),
                    value: 1,
                    body: self.step(None, *query),
                };
                Ok(vec![notice, Act::Keep(keep), excesses(to, *query)])
            }
            _ => refuse(1012),
        }
    }

    /// A payment that the proxy refused is undone.
    fn bounced(&mut self, original: &Body, rich: bool, env: &Env) -> Outcome {
        let Body::WorkerStep(step) = original else {
            return Err(Exit::Failed);
        };
        if !rich {
            return Err(Exit::Failed);
        }
        require(env.from == self.fixed.proxy, 1014)?;
        let Some(ask) = &step.ask else { return Err(Exit::Failed) };
        // Tokens that cost nothing are not taken back.
        let tokens = (ask.worker_part + ask.proxy_part).checked_div(self.fixed.terms.price);
        self.tokens -= u64::try_from(tokens.unwrap_or(0)).unwrap();
        if self.state == CLOSED {
            self.state = NORMAL;
        }
        Ok(keep_and_return_unused(env.keep(0), &ask.excesses, step.query))
    }

    /// Sees that the message brings enough, and that so much is left for what is sent.
    fn afford(&self, carried: u128, env: &Env) -> Result<u128, Exit> {
        require(env.value > COMMISSION, 1003)?;
        let keep = env.keep(CHILD);
        require(env.original >= keep + carried, 1001)?;
        Ok(keep)
    }

    fn step(&self, ask: Option<WorkerAsk>, query: u64) -> Body {
        let owner = self.fixed.owner.clone();
        Body::WorkerStep(WorkerStep {
            query,
            owner,
            state: self.state,
            tokens: self.tokens,
            ask,
        })
    }
}
