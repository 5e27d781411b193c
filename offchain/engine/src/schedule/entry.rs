//! One sequence as the scheduler sees it: its tokens, how many are computed, and the blocks that hold the results.

use super::pool::BlockPool;
use super::prefix::BlockHash;
use crate::engine::SequenceId;
use crate::model::{BlockId, Piece, Wanted};
use crate::payer::{Payer, PayerSalt};
use std::collections::HashSet;
use std::time::Duration;

/// What a sequence is computed for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Aim {
    /// Tokens that follow: logits after the last token, again and again.
    Answer,
    /// The hidden states of the given tokens, once; all of them are computed, whatever the cache holds.
    #[allow(dead_code, reason = "asked for by embedding requests only")]
    States,
}

/// A sequence to be scheduled.
#[derive(Debug, Clone)]
pub(crate) struct NewEntry {
    pub(crate) id: SequenceId,
    pub(crate) prompt: Vec<u32>,
    pub(crate) aim: Aim,
    pub(crate) payer: Option<Payer>,
    pub(crate) salt: Option<PayerSalt>,
    /// When it came. All times count from one moment that the caller chose.
    pub(crate) arrived: Duration,
    /// When its answer is worth nothing any more.
    pub(crate) deadline: Option<Duration>,
}

/// A sequence that waits or runs.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) id: SequenceId,
    pub(super) payer: Option<Payer>,
    pub(super) arrived: Duration,
    pub(super) deadline: Option<Duration>,
    aim: Aim,
    /// Whether nobody else can find its blocks.
    is_private: bool,
    begin: BlockHash,
    /// Names of the full blocks of `tokens`, as far as they were needed.
    hashes: Vec<BlockHash>,
    /// Prompt and answer, as far as they are known here.
    tokens: Vec<u32>,
    /// Tokens that follow these and are known to the device alone.
    expected: usize,
    /// Steps under way that bring a token: no more than one but those of expected ones.
    awaited: usize,
    /// Number of the piece in the step that was started last.
    place: usize,
    table: Vec<BlockId>,
    /// Tokens whose keys and values lie in the table's blocks, or will before anything that is started later reads them.
    computed: usize,
    /// Where `computed` will be after the step that is planned.
    planned: usize,
    /// Blocks of the table that were shared or sealed: no one writes them any more.
    sealed: usize,
    /// The most that was ever computed; less than this is computed again after a preemption.
    reached: usize,
    /// Tokens of the prompt that were found in the cache.
    cached: usize,
}

impl Entry {
    pub(super) fn new(new: NewEntry) -> Self {
        let begin = match new.salt {
            Some(salt) => BlockHash::shared(new.payer, salt),
            None => BlockHash::private(new.id),
        };
        Self {
            id: new.id,
            payer: new.payer,
            arrived: new.arrived,
            deadline: new.deadline,
            aim: new.aim,
            is_private: new.salt.is_none(),
            begin,
            hashes: Vec::new(),
            tokens: new.prompt,
            expected: 0,
            awaited: 0,
            place: 0,
            table: Vec::new(),
            computed: 0,
            planned: 0,
            sealed: 0,
            reached: 0,
            cached: 0,
        }
    }

    pub(super) fn tokens(&self) -> &[u32] {
        &self.tokens
    }

    pub(super) fn cached(&self) -> usize {
        self.cached
    }

    /// Tokens, those included that the device alone knows.
    fn len(&self) -> usize {
        self.tokens.len() + self.expected
    }

    /// Whether a step under way brings a token.
    pub(super) fn awaits(&self) -> bool {
        self.awaited > 0
    }

    /// Tokens that are there and not computed.
    pub(super) fn remaining(&self) -> usize {
        self.len() - self.computed
    }

    /// Whether the table has no room for the tokens that are there.
    pub(super) fn lacks_block(&self, size: usize) -> bool {
        self.table.len() * size < self.len()
    }

    /// Adds a block at the table's end.
    pub(super) fn give(&mut self, block: BlockId) {
        self.table.push(block);
    }

    /// Takes blocks for all tokens, all of which are known, shared ones as far as the cache has them, if `spare` free blocks are left then.
    /// Gives how many tokens have to be computed.
    pub(super) fn admit(&mut self, pool: &mut BlockPool, size: usize, spare: usize) -> Option<usize> {
        let shareable = self.shareable(size);
        self.hash_blocks(shareable, size);
        let found = self.hashes[..shareable].iter().map_while(|hash| pool.find(hash));
        let (hits, free_hits) = found.fold((0, 0), |(hits, free), (_, is_free)| {
            (hits + 1, free + usize::from(is_free))
        });
        let fresh = self.tokens.len().div_ceil(size) - hits;
        if pool.free() < fresh + free_hits + spare {
            return None;
        }
        for _ in 0..hits {
            self.skip_block(pool, size);
        }
        while self.lacks_block(size) {
            self.table.push(pool.take()?);
        }
        Some(self.remaining())
    }

    /// Where the next blocks have been computed by another sequence since, takes those for the own ones, which are still
    /// blank. Gives how many tokens were saved.
    pub(super) fn catch_up(&mut self, pool: &mut BlockPool, size: usize) -> usize {
        let before = self.computed;
        let shareable = self.shareable(size);
        while self.computed.is_multiple_of(size) && self.computed / size < shareable {
            let at = self.computed / size;
            if !self.skip_block(pool, size) {
                break;
            }
            let own = self.table.remove(at + 1);
            pool.release(own);
        }
        self.computed - before
    }

    /// Puts the shared block of the next tokens into the table, if there is one.
    fn skip_block(&mut self, pool: &mut BlockPool, size: usize) -> bool {
        let at = self.computed / size;
        let Some(block) = self.hashes.get(at).and_then(|hash| pool.share(hash)) else {
            return false;
        };
        self.table.insert(at, block);
        if self.computed >= self.reached {
            self.cached += size;
        }
        self.computed += size;
        self.planned = self.computed;
        self.reached = self.reached.max(self.computed);
        self.sealed = at + 1;
        true
    }

    /// Plans up to `budget` of the tokens that remain; 0 if another sequence is about to compute the very same block, as
    /// `pending` says. A piece that is not the last ends with a block where it can.
    pub(super) fn plan(&mut self, budget: usize, size: usize, pending: &mut HashSet<BlockHash>) -> usize {
        let shareable = self.shareable(size);
        let first = self.computed / size;
        let next = self.hashes[..shareable].get(first);
        if self.computed.is_multiple_of(size) && next.is_some_and(|hash| pending.contains(hash)) {
            return 0;
        }
        let mut end = self.len().min(self.computed + budget);
        if end < self.len() && end / size > first {
            end = end / size * size;
        }
        self.planned = end;
        pending.extend(self.hashes[..shareable].iter().take(end / size).skip(first));
        end - self.computed
    }

    /// The planned work, and if its token is not known yet, the piece of the step that was started last that draws it.
    pub(super) fn piece(&self, size: usize) -> (Piece, Option<usize>) {
        let is_last = self.planned == self.len();
        let known = self.computed.min(self.tokens.len())..self.planned.min(self.tokens.len());
        let mut tokens = self.tokens[known].to_vec();
        let follows = (tokens.len() < self.planned - self.computed).then_some(self.place);
        tokens.resize(self.planned - self.computed, 0);
        let piece = Piece {
            tokens,
            start: self.computed,
            blocks: self.table[..self.planned.div_ceil(size)].to_vec(),
            wanted: match self.aim {
                Aim::States => Wanted::States,
                Aim::Answer if is_last => Wanted::Logits,
                Aim::Answer => Wanted::Nothing,
            },
        };
        (piece, follows)
    }

    /// Takes note that the planned work has been started as piece `place` of its step. Blocks that it fills can be found
    /// from now on: what finds them is started later.
    pub(super) fn started(&mut self, place: usize, pool: &mut BlockPool, size: usize) {
        self.place = place;
        self.computed = self.planned;
        self.awaited += usize::from(self.computed == self.len());
        self.reached = self.reached.max(self.computed);
        self.seal(pool, size);
    }

    /// Lets others find the blocks that are full of known tokens.
    fn seal(&mut self, pool: &mut BlockPool, size: usize) {
        let full = self.computed.min(self.tokens.len()) / size;
        self.hash_blocks(full, size);
        for at in self.sealed..full {
            pool.seal(self.table[at], self.hashes[at]);
        }
        self.sealed = full.max(self.sealed);
    }

    /// Goes on by a token that the device draws in the step that was started last.
    pub(super) fn expect(&mut self) {
        self.expected += 1;
    }

    /// Adds a token to the answer, or says what the one was that was expected.
    pub(super) fn push(&mut self, token: u32, pool: &mut BlockPool, size: usize) {
        self.tokens.push(token);
        self.expected = self.expected.saturating_sub(1);
        self.awaited = self.awaited.saturating_sub(1);
        self.seal(pool, size);
    }

    /// Gives all blocks back. The last ones first, so that the begin of a text is found the longest.
    pub(super) fn release(&mut self, pool: &mut BlockPool) {
        while let Some(block) = self.table.pop() {
            pool.release(block);
        }
        (self.computed, self.planned, self.sealed) = (0, 0, 0);
    }

    /// Gives all blocks back for good. Content that nobody else could find is forgotten; with `is_broken`, so is all that
    /// this sequence has computed or read.
    pub(super) fn end(mut self, pool: &mut BlockPool, is_broken: bool) {
        if self.is_private || is_broken {
            self.hashes.iter().for_each(|hash| pool.forget(hash));
        }
        self.release(pool);
    }

    /// Blocks that could come from the cache: the last token is always computed, for its logits.
    fn shareable(&self, size: usize) -> usize {
        match self.aim {
            Aim::Answer => self.tokens.len().saturating_sub(1) / size,
            Aim::States => 0,
        }
    }

    fn hash_blocks(&mut self, count: usize, size: usize) {
        while self.hashes.len() < count {
            let from = self.hashes.len() * size;
            let parent = self.hashes.last().unwrap_or(&self.begin);
            self.hashes.push(parent.then(&self.tokens[from..from + size]));
        }
    }

    #[cfg(test)]
    pub(super) fn table(&self) -> &[BlockId] {
        &self.table
    }
}
