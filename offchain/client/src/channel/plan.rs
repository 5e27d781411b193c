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
    /// Whether another one, made later, would do the same as this one said.
    pub(crate) fn still_holds(&self, later: &Self) -> bool {
        let told = |plan: &Self| (plan.order.step, plan.order.says.clone(), plan.order.message.value);
        (self.wish, &self.contract) == (later.wish, &later.contract) && told(self) == told(later)
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
