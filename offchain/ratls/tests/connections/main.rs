//! Attested connections. One program: what they have in common is built once.

mod behind;
mod certificates;
mod common;
mod handshake;
mod refusals;
mod renewal;
mod session;
mod work;
