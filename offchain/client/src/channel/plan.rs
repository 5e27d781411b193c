//! A plan: what a wish would do now, tried out on the live state of every contract that it reaches. Nothing is signed or sent.

use cocoon_bindings::ton::Address;
use cocoon_owner::{Manner, Next, Order, Origin, Preview, look_ahead};
use futures_util::future::BoxFuture;

use super::{Refusal, Wish};
use crate::context::Context;

/// What would be sent, and what that would do.
#[derive(Debug)]
pub(crate) struct Plan {
    /// What was wished.
    pub(crate) wish: Wish,
    /// The client contract.
    pub(crate) contract: Address,
    /// The message.
    pub(crate) order: Order,
    /// What it would do.
    pub(crate) preview: Preview,
}

impl Plan {
    /// Whether another one, made later, would do the same as this one said. Bodies are not compared: each has a query id of its own.
    pub(crate) fn still_holds(&self, later: &Self) -> bool {
        let (one, other) = (&self.order, &later.order);
        let (sent, again) = (&one.message, &other.message);
        (self.wish, &self.contract) == (later.wish, &later.contract)
            && (one.step, &one.says) == (other.step, &other.says)
            && (&sent.to, sent.value, sent.bounce) == (&again.to, again.value, again.bounce)
            && sent.state_init == again.state_init
    }
}

/// Makes one.
pub(crate) fn make<'a>(context: &'a Context, wish: Wish, contract: &Address) -> BoxFuture<'a, Result<Plan, Refusal>> {
    Box::pin(look(context, wish, contract.clone()))
}

async fn look(context: &Context, wish: Wish, contract: Address) -> Result<Plan, Refusal> {
    let operation = wish.operation(&contract);
    let origin = Origin::Wallet(&context.wallet_contract);
    let chain = context.chain.as_ref();
    let looked = look_ahead(operation.as_ref(), chain, origin, &Manner::default(), &[]).await;
    match looked.map_err(|error| Refusal::of(&error))? {
        (Next::Send(order), Some(preview)) => match &preview.refused {
            Some(error) => Err(Refusal::of(error)),
            None => Ok(Plan {
                wish,
                contract,
                order: *order,
                preview,
            }),
        },
        (Next::Await(awaited), _) => Err(Refusal::wait(&awaited)),
        (Next::Done(says), _) => Err(Refusal::new(409, "nothing_to_do", says)),
        // Neither comes without a step that was done, or a message without a trial.
        (Next::Unseen(_) | Next::Send(_), _) => {
            Err(Refusal::new(409, "wait", "the chain has not shown the last step yet"))
        }
    }
}

#[cfg(test)]
mod tests {
    use cocoon_bindings::message::InternalMessage;
    use cocoon_bindings::ton::{Cell, HashBytes};
    use cocoon_bindings::units::Nanoton;

    use super::*;

    fn plan(to: u8, value: u128) -> Plan {
        let address = |tag| Address::new(0, HashBytes([tag; 32]));
        Plan {
            wish: Wish::Withdraw,
            contract: address(1),
            order: Order {
                step: "withdraw",
                says: "take back what exceeds the stake".to_owned(),
                message: InternalMessage {
                    to: address(to),
                    value: Nanoton::new(value),
                    bounce: true,
                    body: Cell::default(),
                    state_init: None,
                },
                roles: Vec::new(),
            },
            preview: Preview {
                accounts: Vec::new(),
                fees: Nanoton::ZERO,
                transactions: 1,
                refused: None,
            },
        }
    }

    #[test]
    fn a_plan_whose_message_would_go_elsewhere_or_carry_more_holds_no_longer() {
        assert!(plan(1, 5).still_holds(&plan(1, 5)));
        assert!(!plan(1, 5).still_holds(&plan(2, 5)));
        assert!(!plan(1, 5).still_holds(&plan(1, 6)));
        let mut again = plan(1, 5);
        again.order.message.bounce = false;
        assert!(!plan(1, 5).still_holds(&again));
    }
}
