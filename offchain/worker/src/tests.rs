//! Stories of one worker and a proxy that the test plays.

mod embeddings;
mod engine;
mod payers;
mod play;
mod pricing;
mod upstream;
