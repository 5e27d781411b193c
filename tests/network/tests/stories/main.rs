//! One story per file, in one program: each instantiates all runners, and that is what takes the time to compile.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a story that fails, fails loudly"
)]

mod chat;
mod deployed_peers;
mod deployed_quirks;
mod disputes;
mod embeddings;
mod explorer;
mod governance;
mod hostile;
mod inclusion;
mod keymanager;
mod kills;
mod models;
mod observability;
mod operations;
mod privacy;
mod quotes;
mod replay;
mod traces;
