//! A log through its whole life: written, read, copied, witnessed, and written through crashes.

mod copying;
mod crash;
mod golden;
mod platter;
mod publishing;
mod reading;
mod samples;
mod serving;
mod witnessing;
