//! Complete internal messages, as a contract's action phase would have made them.

use cocoon_bindings::StateInit;
use cocoon_bindings::message::InternalMessage;
use cocoon_bindings::ton::{Address, Cell, CellBuilder, CellError};
use tycho_types::models::{CurrencyCollection, IntMsgInfo, Message, MsgInfo};

/// The message as it comes from `from`, with the chain's times and without a forwarding fee.
pub(crate) fn internal(
    from: &Address,
    message: &InternalMessage,
    created_lt: u64,
    created_at: u32,
) -> Result<Cell, CellError> {
    CellBuilder::build_from(Message {
        info: MsgInfo::Int(IntMsgInfo {
            ihr_disabled: true,
            bounce: message.bounce,
            src: from.clone().into(),
            dst: message.to.clone().into(),
            value: CurrencyCollection::new(message.value.get()),
            created_lt,
            created_at,
            ..IntMsgInfo::default()
        }),
        init: message.state_init.as_ref().map(StateInit::to_model),
        body: message.body.as_slice_allow_exotic(),
        layout: None,
    })
}
