//! Key managers and the machines that ask them. One program: what they have in common is built once.

mod common;
mod keys;
mod replicas;
