//! What the contracts send to wallets, and what wallets send to each other.

use cocoon_bindings::units::Nanoton;
use cocoon_bindings::wallet::WalletMessage;

use super::{Words, note, text};

pub(super) fn words(message: WalletMessage, value: Nanoton) -> Words {
    match message {
        WalletMessage::SendMessageFromOwner(_) => Words::new("send a message from a runner's wallet"),
        WalletMessage::TextCommand(command) => text(&command),
        WalletMessage::ReturnExcessesBack(_) => Words::new("what is left of a message"),
        WalletMessage::PayoutNotificationForOwner(_) => Words::new(format!("{value} earned or refunded")).moving(value),
        WalletMessage::DoNotProcess(left) => note(&left),
    }
}
