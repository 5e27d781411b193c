//! The whole network in one thread: real client, proxy and workers on a simulated network, disk, chain and clock, with faults
//! drawn from a seed. Everything is in `tests/seeds`: see its `main.rs`.
