//! Stories of one worker and a proxy that the test plays.

mod engine;
mod play;
mod upstream;
