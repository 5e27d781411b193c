//! Witnesses (C2SP tlog-witness): independent parties that sign a checkpoint after they have seen that it continues the one they
//! signed before. With their signatures a log cannot show two histories.
//!
//! [`Witness`] is what a witness does, [`Cosigner`] is how a log asks one.

mod client;
mod request;
mod routes;
mod server;

pub use client::Cosigner;
pub use request::AddCheckpoint;
pub use routes::router;
pub use server::{Refusal, Witness};
