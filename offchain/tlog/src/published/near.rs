//! The place of a receipt by the time at which its answer ended: a log is in about that order.

use bytes::Bytes;
use cocoon_receipt::log::{TILE_WIDTH, TileKind};
use cocoon_receipt::{ReceiptId, SignedReceipt};
use futures_util::stream::{self, StreamExt as _};

use super::{PublishedLog, tiles};
use crate::bundle;
use crate::error::TlogError;
use crate::limits::{BATCHES_AHEAD, BATCHES_NEAR};

impl PublishedLog {
    /// The place of a receipt whose answer ended at `finished_ms` (Unix milliseconds). It is looked for in the newest batch and
    /// near the place where that time stands in the log, so this reads a few files of a log of any length. `None` says that it
    /// is not there: [`PublishedLog::find`] looks everywhere.
    pub async fn find_near(&self, id: &ReceiptId, finished_ms: u64) -> Result<Option<u64>, TlogError> {
        let Some(newest) = self.batches().checked_sub(1) else {
            return Ok(None);
        };
        // The place of a receipt that was just made.
        if let Some(found) = self.find_in(newest, id).await? {
            return Ok(Some(found));
        }
        let guess = self.batch_of(finished_ms).await?;
        let from = guess.saturating_sub(BATCHES_NEAR);
        let until = guess.saturating_add(BATCHES_NEAR).min(newest);
        let mut numbers: Vec<u64> = (from..=until).collect();
        numbers.sort_by_key(|number| number.abs_diff(guess));
        let searched = stream::iter(numbers).map(|number| self.find_in(number, id));
        let mut searched = std::pin::pin!(searched.buffered(BATCHES_AHEAD));
        while let Some(found) = searched.next().await {
            if let Some(found) = found? {
                return Ok(Some(found));
            }
        }
        Ok(None)
    }

    /// When the newest answer of the log ended, Unix milliseconds; `None` for an empty log. A hint of where to look, proven by nothing.
    pub async fn newest_ms(&self) -> Result<Option<u64>, TlogError> {
        let Some(number) = self.batches().checked_sub(1) else {
            return Ok(None);
        };
        self.finished(number, |receipts| receipts.last()).await.map(Some)
    }

    /// The last batch whose first answer ended by then, as far as the log is in order.
    async fn batch_of(&self, finished_ms: u64) -> Result<u64, TlogError> {
        let (mut low, mut high) = (0, self.batches());
        // Whatever is newer than the log is looked for at its end.
        if self.begins(high.saturating_sub(1)).await? <= finished_ms {
            return Ok(high.saturating_sub(1));
        }
        while low < high {
            let middle = low + (high - low) / 2;
            if self.begins(middle).await? <= finished_ms {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        Ok(low.saturating_sub(1))
    }

    /// When the first answer of a batch ended. Nothing is proven by it: it only says where to look.
    async fn begins(&self, number: u64) -> Result<u64, TlogError> {
        self.finished(number, |receipts| receipts.first()).await
    }

    async fn finished(&self, number: u64, choose: fn(&[Bytes]) -> Option<&Bytes>) -> Result<u64, TlogError> {
        let read = tiles::read(&self.source, TileKind::Receipts, number, self.size()).await?;
        let receipts = read.items(bundle::receipts)?;
        let index = number * TILE_WIDTH;
        let chosen = choose(&receipts).ok_or(TlogError::Entry { index })?;
        let chosen = SignedReceipt::from_boc(chosen).map_err(|source| TlogError::Receipt { index, source })?;
        Ok(chosen.receipt.statement.timing.finished_ms)
    }

    async fn find_in(&self, number: u64, id: &ReceiptId) -> Result<Option<u64>, TlogError> {
        let ids = self.entries(number).await?;
        let place = ids.iter().position(|found| found == id);
        Ok(place.map(|place| number * TILE_WIDTH + place as u64))
    }
}
