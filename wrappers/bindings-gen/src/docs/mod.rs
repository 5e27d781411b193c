//! What people read: the TL-B file and the page about the contracts, from the same declarations as the codecs.

mod page;
mod snapshots;
mod tables;
mod template;
mod tlb;

pub(crate) use page::page;
pub(crate) use tlb::file as tlb;

/// Where the introductions are.
const TEMPLATES: &str = "wrappers/bindings-gen/templates";
