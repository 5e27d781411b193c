//! What a step computes: some tokens of some sequences, and where their keys and values lie.

use std::ops::Range;

/// A block of the cache: room for keys and values of [`crate::limits::KV_BLOCK`] positions in all layers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct BlockId(pub(crate) u32);

/// A piece of work for one sequence: tokens that follow those whose keys and values lie in its blocks already.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Piece {
    pub(crate) tokens: Vec<u32>,
    /// Position of the first of these tokens.
    pub(crate) start: usize,
    /// The blocks of positions 0 to `start + tokens.len()`, in order. Blocks before `start` may be shared with other
    /// sequences and are only read; positions from `start` on are this sequence's own and are written.
    pub(crate) blocks: Vec<BlockId>,
    /// What is wanted of the last token.
    pub(crate) wanted: Wanted,
}

/// What comes back for a piece.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wanted {
    /// Nothing: the prompt goes on.
    Nothing,
    /// The logits after the last token, one for each token of the vocabulary.
    Logits,
    /// The normed hidden state of every token of the piece, row after row, for embeddings.
    States,
}

/// All pieces of one step, as the device sees them: the tokens in one row, piece after piece.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Batch {
    /// The tokens of all pieces.
    pub(crate) tokens: Vec<u32>,
    /// The position of each token in its sequence.
    pub(crate) positions: Vec<u32>,
    /// Where each piece lies in the rows, and its blocks.
    pub(crate) spans: Vec<Span>,
}

/// One piece in a batch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Span {
    /// Rows of the batch.
    pub(crate) rows: Range<usize>,
    /// Position of the first row.
    pub(crate) start: usize,
    /// As in [`Piece::blocks`].
    pub(crate) blocks: Vec<BlockId>,
}

impl Batch {
    /// Puts pieces side by side.
    pub(crate) fn of(pieces: &[Piece]) -> Self {
        let mut batch = Self {
            tokens: Vec::new(),
            positions: Vec::new(),
            spans: Vec::new(),
        };
        for piece in pieces {
            let first = batch.tokens.len();
            batch.tokens.extend(&piece.tokens);
            let positions = piece.start..piece.start + piece.tokens.len();
            batch
                .positions
                .extend(positions.map(|position| u32::try_from(position).unwrap_or(u32::MAX)));
            batch.spans.push(Span {
                rows: first..batch.tokens.len(),
                start: piece.start,
                blocks: piece.blocks.clone(),
            });
        }
        batch
    }
}
