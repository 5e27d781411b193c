//! A client with a proxy that does what the test says. One program: what they have in common is built once.

mod access;
mod answers;
mod channel;
mod common;
mod contract;
mod dialects;
mod failures;
mod page;
mod quotes;
mod several;
