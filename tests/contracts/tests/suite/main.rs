//! What the contracts do, message by message and as a whole.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "what fails here is a test"
)]

mod anchor;
mod bounces;
mod bounces_matrix;
mod client;
mod dispute_client;
mod dispute_worker;
mod equivocation;
mod exits_addresses;
mod exits_low_gas;
mod fees;
mod flows;
mod frozen;
mod gas;
mod governor;
mod life;
mod order;
mod order_children;
mod order_getters;
mod order_proxy;
mod order_wallet_root;
mod proxy;
mod proxy_children;
mod proxy_exit;
mod proxy_storage;
mod reputation;
mod root;
mod root_descriptors;
mod root_messages;
mod root_ownership;
mod root_rebuilders;
mod signed;
mod storage;
mod wallet;
mod worker;
