//! From text to tokens and back.

pub(crate) mod deltas;
pub(crate) mod reasoning;
pub(crate) mod split;
pub(crate) mod stop;
pub(crate) mod template;
pub(crate) mod tokenizer;
pub(crate) mod tools;
pub(crate) mod vocabulary;
