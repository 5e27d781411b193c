//! What the root contract is told: the words of whoever proposes it.

use cocoon_bindings::root::RootMessage;
use cocoon_owner::governance::Change;

use super::{Words, note};

pub(super) fn words(message: RootMessage) -> Option<Words> {
    match message {
        RootMessage::DoNotProcess(left) => Some(note(&left)),
        message => Change::Root(Box::new(message)).says().ok().map(Words::new),
    }
}
