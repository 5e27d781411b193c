//! One file per command.

pub(crate) mod chat;
pub(crate) mod root;
