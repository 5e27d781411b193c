//! A message for somebody else to send: an external multisig, a wallet on another device, a person with a link.

use crate::error::BindingsError;
use crate::message::InternalMessage;
use crate::state_init::StateInit;
use crate::ton::{Address, Cell, HashBytes, boc_base64, friendly, parse_address, parse_boc_base64};
use crate::units::Nanoton;

/// A message with everything that its sender must enter, in the forms that wallets and multisigs take.
///
/// ```
/// # use cocoon_bindings::{ExportedMessage, Nanoton, QueryId, message::InternalMessage, root::ResetFromOwner, ton};
/// let body = ton::to_cell(&ResetFromOwner { query_id: QueryId::new(1) }).unwrap();
/// let (to, value) = (ton::Address::new(0, [5; 32].into()), Nanoton::from_ton(1));
/// let message = InternalMessage { to, value, bounce: true, body, state_init: None };
/// let exported = ExportedMessage::new(&message, false)?;
/// assert!(exported.link.starts_with("ton://transfer/EQ"));
/// assert_eq!(exported.to_message()?, message);
/// # Ok::<(), cocoon_bindings::BindingsError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ExportedMessage {
    /// Receiver, user-friendly; its form says whether the message bounces.
    pub to: String,
    /// Attached money in nanoton.
    pub value: Nanoton,
    /// Whether it comes back if the receiver fails.
    pub bounce: bool,
    /// Body as a bag of cells in base64.
    pub body: String,
    /// Hash of the body: what signers compare.
    pub body_hash: HashBytes,
    /// Code and data as a bag of cells in base64, if the receiver is to be deployed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state_init: Option<String>,
    /// The same message as a link that wallets open.
    pub link: String,
}

impl ExportedMessage {
    /// Exports a message; `testnet` chooses the form of the address.
    pub fn new(message: &InternalMessage, testnet: bool) -> Result<Self, BindingsError> {
        let to = friendly(&message.to, message.bounce, testnet);
        let body = boc_base64(&message.body);
        let init = message.state_init.as_ref().map(StateInit::to_cell).transpose()?;
        let state_init = init.as_ref().map(boc_base64);
        let mut link = format!(
            "ton://transfer/{to}?amount={}&bin={}",
            message.value.get(),
            url_safe(&body)
        );
        if let Some(init) = &state_init {
            link.push_str("&init=");
            link.push_str(&url_safe(init));
        }
        Ok(Self {
            to,
            value: message.value,
            bounce: message.bounce,
            body_hash: *message.body.repr_hash(),
            body,
            state_init,
            link,
        })
    }

    /// Reads the message back; a body that does not have the hash stated is refused.
    pub fn to_message(&self) -> Result<InternalMessage, BindingsError> {
        let body = parse_boc_base64(&self.body)?;
        if *body.repr_hash() != self.body_hash {
            return Err(BindingsError::ExportedBody);
        }
        let init = self.state_init.as_deref().map(parse_boc_base64).transpose()?;
        Ok(InternalMessage {
            to: self.receiver()?,
            value: self.value,
            bounce: self.bounce,
            body,
            state_init: init.map(|init| read_state_init(&init)).transpose()?,
        })
    }

    /// The receiver's address.
    pub fn receiver(&self) -> Result<Address, BindingsError> {
        parse_address(&self.to)
    }
}

fn read_state_init(cell: &Cell) -> Result<StateInit, BindingsError> {
    let layout = BindingsError::layout("a state init");
    let model = cell.parse::<tycho_types::models::StateInit>().map_err(&layout)?;
    match (model.code, model.data) {
        (Some(code), Some(data)) => Ok(StateInit { code, data }),
        _ => Err(layout(crate::ton::CellError::InvalidData)),
    }
}

/// Base64 as links carry it.
fn url_safe(base64: &str) -> String {
    let character = |character| match character {
        '+' => Some('-'),
        '/' => Some('_'),
        '=' => None,
        character => Some(character),
    };
    base64.chars().filter_map(character).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::governance::Governance;
    use crate::root::ChangePricesFromOwner;
    use crate::ton::to_cell;
    use crate::units::QueryId;
    use crate::{governor_state_init, message::DO_NOT_PROCESS};
    use std::collections::BTreeMap;

    fn message() -> InternalMessage {
        let body = ChangePricesFromOwner {
            query_id: QueryId::new(7),
            price_per_token: Nanoton::new(20),
            worker_fee_per_token: Nanoton::new(19),
        };
        InternalMessage {
            to: Address::new(0, [0xfb; 32].into()),
            value: Nanoton::from_ton(1),
            bounce: true,
            body: to_cell(&body).unwrap(),
            state_init: None,
        }
    }

    #[test]
    fn an_exported_message_is_read_back_as_it_was() {
        let message = message();
        let exported = ExportedMessage::new(&message, true).unwrap();
        let text = serde_json::to_string(&exported).unwrap();
        let read: ExportedMessage = serde_json::from_str(&text).unwrap();
        assert_eq!(read, exported);
        assert_eq!(read.to_message().unwrap(), message);
        assert_eq!(read.body_hash, *message.body.repr_hash());
    }

    #[test]
    fn a_message_that_deploys_carries_code_and_data() {
        let signers = BTreeMap::from([(0, Address::new(0, [1; 32].into()))]);
        let governance = Governance {
            threshold: 1,
            revoke_threshold: 1,
            change_delay: 3600,
            critical_delay: 7200,
            signers,
            council: BTreeMap::new(),
        };
        let init = governor_state_init(&message().to, &governance).unwrap();
        let message = InternalMessage {
            to: init.address().unwrap(),
            state_init: Some(init),
            bounce: false,
            ..message()
        };
        let exported = ExportedMessage::new(&message, false).unwrap();
        assert!(exported.link.contains("&init=te6cc"), "{}", exported.link);
        assert!(exported.to.starts_with("UQ"));
        assert_eq!(exported.to_message().unwrap(), message);
    }

    #[test]
    fn a_link_holds_address_amount_and_body_without_characters_that_need_escapes() {
        // A body whose base64 has all the characters that links treat as special.
        let message = InternalMessage {
            body: to_cell(&(DO_NOT_PROCESS, HashBytes([0xfb; 32]), HashBytes([0xff; 32]))).unwrap(),
            ..message()
        };
        let exported = ExportedMessage::new(&message, false).unwrap();
        let (_, query) = exported.link.split_once('?').unwrap();
        assert!(exported.body.contains('/') || exported.body.contains('+'));
        assert!(query.starts_with("amount=1000000000&bin=te6cc"), "{query}");
        assert!(query.chars().all(|c| c.is_ascii_alphanumeric() || "=&-_".contains(c)));
        assert_eq!(query.matches('=').count(), 2);
    }

    #[test]
    fn a_body_that_was_exchanged_is_refused() {
        let mut exported = ExportedMessage::new(&message(), false).unwrap();
        exported.body = boc_base64(&Cell::default());
        assert!(matches!(exported.to_message(), Err(BindingsError::ExportedBody)));
        exported.body = "not base64".to_owned();
        assert!(exported.to_message().is_err());
    }
}
