//! Complete internal messages, as a contract's action phase would have made them.

use cocoon_bindings::StateInit;
use cocoon_bindings::message::InternalMessage;
use cocoon_bindings::ton::{Address, Cell, CellBuilder, CellError};
use tycho_types::models::{CurrencyCollection, IntMsgInfo, Message, MessageLayout, MsgInfo};

/// The message as it comes from `from`, with the chain's times and without a forwarding fee.
pub(crate) fn internal(
    from: &Address,
    message: &InternalMessage,
    created_lt: u64,
    created_at: u32,
) -> Result<Cell, CellError> {
    let mut complete = Message {
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
    };
    match CellBuilder::build_from(&complete) {
        // The library counts a few bits too little: what just does not fit goes into a cell of its own.
        Err(CellError::CellOverflow) => {
            complete.layout = Some(MessageLayout {
                init_to_cell: true,
                body_to_cell: true,
            });
            CellBuilder::build_from(&complete)
        }
        built => built,
    }
}

#[cfg(test)]
mod tests {
    use cocoon_bindings::units::Nanoton;

    use super::*;

    #[test]
    fn a_body_of_any_length_finds_its_place() {
        let address = Address::new(0, [1; 32].into());
        for bits in 0..=1023 {
            let mut body = CellBuilder::new();
            body.store_zeros(bits).unwrap();
            let message = InternalMessage {
                to: address.clone(),
                value: Nanoton::from_ton(1),
                bounce: true,
                body: body.build().unwrap(),
                state_init: None,
            };
            let cell = internal(&address, &message, 1, 1).unwrap();
            let read = crate::Message::from_cell(cell).unwrap();
            assert_eq!(read.body, message.body, "{bits} bits");
        }
    }
}
