//! The name of what a matrix is made of.

use crate::model::{Part, Source};
use sha2::{Digest, Sha256};

/// SHA-256 of a [`Source`].
pub(super) type Key = [u8; 32];

/// Bytes of a name in the table of contents.
const MAX_NAME_BYTES: usize = 200;

/// The key of a source: of each part its tensor, shape, rows, whether it is transposed, and order, all with their lengths
/// in front.
pub(super) fn key(source: &Source) -> Key {
    let mut hasher = Sha256::new();
    let mut number = |number: usize| hasher.update((number as u64).to_le_bytes());
    number(source.parts.len());
    for part in &source.parts {
        let Part {
            tensor,
            shape,
            rows,
            transposed,
            order,
            columns,
        } = part;
        let mut numbers = |numbers: &mut dyn Iterator<Item = usize>| numbers.for_each(&mut number);
        let name = tensor.bytes().map(usize::from);
        numbers(&mut std::iter::once(tensor.len()).chain(name));
        numbers(&mut std::iter::once(shape.len()).chain(shape.iter().copied()));
        match rows {
            Some(rows) => numbers(&mut [1, rows.start, rows.end].into_iter()),
            None => numbers(&mut [0].into_iter()),
        }
        numbers(&mut [usize::from(*transposed)].into_iter());
        match order {
            Some(order) => numbers(&mut [1, order.len()].into_iter().chain(order.iter().copied())),
            None => numbers(&mut [0].into_iter()),
        }
        // Only parts of parts have columns; no file of version 1 does.
        if let Some(columns) = columns {
            numbers(&mut [columns.start, columns.end].into_iter());
        }
    }
    hasher.finalize().into()
}

/// The tensors of a source, for people.
pub(super) fn name(source: &Source) -> String {
    let mut names: Vec<&str> = source.parts.iter().map(|part| part.tensor.as_str()).collect();
    names.dedup();
    names.join("+").chars().take(MAX_NAME_BYTES).collect()
}
