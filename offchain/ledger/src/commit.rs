//! State commits: notes on chain that say up to where this proxy's database must reach.

use std::collections::BTreeMap;

use cocoon_bindings::ton::HashBytes;
use serde::{Deserialize, Serialize};

use crate::error::LedgerError;
use crate::limits::MAX_PENDING_COMMITS;
use crate::state::{Changes, Ledger};

/// Numbers of the commits sent and seen.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Commits {
    seqno: u32,
    pending: BTreeMap<u32, HashBytes>,
    landed: Option<(u32, HashBytes)>,
}

/// One commit: what the message to the proxy contract carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct CommitNote {
    /// Number; grows by one per commit.
    pub seqno: u32,
    /// Random bytes of the session that sent it.
    pub session: HashBytes,
}

impl Commits {
    /// Number of the last commit that was begun.
    pub fn seqno(&self) -> u32 {
        self.seqno
    }

    /// Number of the last commit seen on chain.
    pub fn landed_seqno(&self) -> u32 {
        self.landed.map_or(0, |(seqno, _)| seqno)
    }

    /// The newest commit that was begun and not seen on chain: send it again if it takes long.
    pub fn pending(&self) -> Option<CommitNote> {
        self.pending.last_key_value().map(|(seqno, session)| CommitNote {
            seqno: *seqno,
            session: *session,
        })
    }

    /// Whether no commit can begin before one of those that are pending has landed.
    pub fn is_full(&self) -> bool {
        self.pending.len() >= MAX_PENDING_COMMITS
    }
}

impl Ledger {
    /// Begins a commit of everything that is durable. The changes must be durable before the note is sent.
    pub fn begin_commit(&mut self, session: HashBytes) -> Result<(CommitNote, Changes), LedgerError> {
        if self.commits.is_full() {
            return Err(LedgerError::TooManyCommits {
                pending: self.commits.pending.len(),
            });
        }
        let seqno = self.commits.seqno.checked_add(1).ok_or(LedgerError::Overflow)?;
        self.commits.seqno = seqno;
        self.commits.pending.insert(seqno, session);
        let clients: Vec<_> = self
            .clients
            .iter_mut()
            .filter_map(|(contract, channel)| channel.account.mark(seqno).then(|| contract.clone()))
            .collect();
        let workers: Vec<_> = self
            .workers
            .iter_mut()
            .filter_map(|(contract, channel)| channel.account.mark(seqno).then(|| contract.clone()))
            .collect();
        let changes = self.changes(
            &clients.iter().collect::<Vec<_>>(),
            &workers.iter().collect::<Vec<_>>(),
            true,
        );
        Ok((CommitNote { seqno, session }, changes))
    }

    /// A commit was seen on chain. What it covers may be signed once the changes are durable.
    ///
    /// A note that this ledger never sent means that it is an old copy; one that it knows already changes nothing.
    pub fn commit_landed(&mut self, note: CommitNote) -> Result<Changes, LedgerError> {
        let foreign = LedgerError::ForeignCommit {
            seqno: note.seqno,
            known: self.commits.seqno,
        };
        if note.seqno > self.commits.seqno {
            return Err(foreign);
        }
        match self.commits.pending.get(&note.seqno) {
            Some(session) if *session == note.session => {}
            Some(_) => return Err(foreign),
            None if self.commits.landed == Some((note.seqno, note.session)) => return Ok(Changes::default()),
            // Older than the last one seen: it was checked when it was pending, or a later one covered it.
            None if note.seqno < self.commits.landed_seqno() => return Ok(Changes::default()),
            None => return Err(foreign),
        }
        self.commits.pending.retain(|seqno, _| *seqno > note.seqno);
        self.commits.landed = Some((note.seqno, note.session));
        let clients: Vec<_> = self
            .clients
            .iter_mut()
            .filter_map(|(contract, channel)| channel.account.landed(note.seqno).then(|| contract.clone()))
            .collect();
        let workers: Vec<_> = self
            .workers
            .iter_mut()
            .filter_map(|(contract, channel)| channel.account.landed(note.seqno).then(|| contract.clone()))
            .collect();
        Ok(self.changes(
            &clients.iter().collect::<Vec<_>>(),
            &workers.iter().collect::<Vec<_>>(),
            true,
        ))
    }

    /// Whether a commit would cover anything new.
    pub fn has_uncommitted(&self) -> bool {
        let clients = self.clients.values().map(|channel| &channel.account);
        let workers = self.workers.values().map(|channel| &channel.account);
        clients.chain(workers).any(|account| account.db > account.chain)
    }
}
