//! The journal with what still counts, and nothing else: written beside the old one, then put in its place.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use super::{Record, as_u64, lines, private};
use crate::budget::Budgets;

/// A new file, written and synced.
pub(super) struct New {
    pub(super) file: File,
    pub(super) bytes: u64,
}

/// Where the new file is written. What a crash left there is written over.
pub(super) fn beside(path: &Path) -> PathBuf {
    path.with_extension("jsonl.new")
}

/// Writes it; it is on disk when this returns.
pub(super) fn write(path: &Path, budgets: &Budgets) -> io::Result<New> {
    let lines = lines(&records(budgets))?;
    let mut file = private(path, true)?;
    file.write_all(&lines)?;
    file.sync_all()?;
    let bytes = as_u64(lines.len());
    Ok(New { file, bytes })
}

/// Puts what is beside `path` in its place. After an error either of both may be there.
pub(super) fn put_in_place(path: &Path) -> io::Result<()> {
    std::fs::rename(beside(path), path)?;
    path.parent().map_or(Ok(()), |folder| File::open(folder)?.sync_all())
}

/// What leads to the same books, in an order that does: a day of running requests that is over comes before the sums of the day,
/// which end it, and each update is where it was among those that were seen.
pub(super) fn records(budgets: &Budgets) -> Vec<Record> {
    let (day, spent, seen) = budgets.settled();
    let open = budgets.open();
    let began = |update: i64| {
        open.get(&update).map(|open| Record::Began {
            update,
            user: open.user,
            day: open.day,
            nanoton: open.nanoton,
        })
    };
    // Those that are no more among the seen are older than all that are, and days only go up.
    let remembered: BTreeSet<i64> = seen.iter().copied().collect();
    let mut forgotten: Vec<_> = open.iter().filter(|(update, _)| !remembered.contains(update)).collect();
    forgotten.sort_by_key(|(update, open)| (open.day, **update));
    let forgotten = forgotten.into_iter().map(|(update, _)| *update);
    let updates = forgotten.chain(seen);
    let mut after: Vec<Record> = updates
        .map(|update| began(update).unwrap_or(Record::Seen { update }))
        .collect();
    let is_of_the_day = |record: &Record| matches!(record, Record::Began { day: of, .. } if *of == day);
    let first = after.iter().position(is_of_the_day).unwrap_or(after.len());
    let sums = spent
        .into_iter()
        .map(|(user, nanoton)| Record::Spent { user, day, nanoton });
    after.splice(first..first, sums);
    after
}
