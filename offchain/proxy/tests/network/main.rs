//! The proxy between scripted peers on an emulated chain.

mod recovery;
mod requests;
mod support;
