//! The ledger: every channel of one proxy, and the rules by which tokens move.

use std::collections::{BTreeMap, HashMap};

use cocoon_bindings::ton::{Address, HashBytes};
use cocoon_bindings::units::{Nanoton, TokenCount};

use crate::channel::{Account, ClientChannel, ClientOnChain, ContractState, Position, WorkerChannel, WorkerOnChain};
use crate::commit::Commits;
use crate::error::LedgerError;
use crate::limits::MAX_RESERVATIONS_PER_CLIENT;
use crate::outage::Outage;
use crate::reservation::ReservationId;

/// All channels of one proxy. No clock, no file: what must survive is handed out as [`Changes`].
#[derive(Debug, Clone, Default)]
pub struct Ledger {
    pub(crate) clients: BTreeMap<Address, ClientChannel>,
    pub(crate) workers: BTreeMap<Address, WorkerChannel>,
    pub(crate) commits: Commits,
    pub(crate) reservations: HashMap<ReservationId, Open>,
    /// Set while the chain is away.
    pub(crate) outage: Option<Outage>,
    next_reservation: u64,
}

#[derive(Debug, Clone)]
pub(crate) struct Open {
    client: Address,
    amount: TokenCount,
    /// What it took of the outage's credit.
    pub(crate) credit: Nanoton,
}

/// Rows that changed: to be made durable, in this order of calls, before anything that depends on them is shown.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Changes {
    /// Client channels by contract.
    pub clients: Vec<(Address, ClientChannel)>,
    /// Worker channels by contract.
    pub workers: Vec<(Address, WorkerChannel)>,
    /// State commits.
    pub commits: Option<Commits>,
}

/// A charge that was computed and not applied yet: the receipt is made from it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Charge {
    /// Reservation that it ends.
    pub reservation: ReservationId,
    /// Client contract.
    pub client: Address,
    /// Worker contract.
    pub worker: Address,
    /// Tokens charged and credited.
    pub tokens: TokenCount,
    /// Tokens used beyond the reservation: recorded in the receipt, never charged.
    pub excess: TokenCount,
    /// The receipt's place in the client's channel.
    pub client_position: Position,
    /// The statement's place in the worker's channel.
    pub worker_position: Position,
}

/// How a worker's memory compares with this ledger.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Comparison {
    /// The worker remembers nothing that this ledger does not have.
    Agrees,
    /// The worker remembers charges that were never durable here: it has to forget them.
    WorkerAhead,
    /// The worker remembers more than this ledger committed: an old database, or a worker that lies.
    LedgerBehind,
}

impl Ledger {
    /// A ledger of rows that were read back.
    pub fn restore(
        clients: impl IntoIterator<Item = (Address, ClientChannel)>,
        workers: impl IntoIterator<Item = (Address, WorkerChannel)>,
        commits: Commits,
    ) -> Self {
        let mut ledger = Self {
            clients: clients.into_iter().collect(),
            workers: workers.into_iter().collect(),
            commits,
            ..Self::default()
        };
        ledger.clients.values_mut().for_each(|client| {
            client.account.restored();
            // No reservation outlives the daemon that it was made in.
            client.reserved = TokenCount::ZERO;
            client.running = 0;
        });
        ledger.workers.values_mut().for_each(|worker| worker.account.restored());
        ledger
    }

    /// A client's channel.
    pub fn client(&self, contract: &Address) -> Option<&ClientChannel> {
        self.clients.get(contract)
    }

    /// A worker's channel.
    pub fn worker(&self, contract: &Address) -> Option<&WorkerChannel> {
        self.workers.get(contract)
    }

    /// All client channels.
    pub fn clients(&self) -> impl Iterator<Item = (&Address, &ClientChannel)> {
        self.clients.iter()
    }

    /// All worker channels.
    pub fn workers(&self) -> impl Iterator<Item = (&Address, &WorkerChannel)> {
        self.workers.iter()
    }

    /// State commits.
    pub fn commits(&self) -> &Commits {
        &self.commits
    }

    /// Makes sure that a client's channel exists.
    pub fn open_client(&mut self, contract: &Address, owner: &Address) -> Changes {
        if self.clients.contains_key(contract) {
            return Changes::default();
        }
        self.clients.insert(contract.clone(), ClientChannel::new(owner.clone()));
        self.changes(&[contract], &[], false)
    }

    /// Makes sure that a worker's channel exists.
    pub fn open_worker(&mut self, contract: &Address, owner: &Address) -> Changes {
        if self.workers.contains_key(contract) {
            return Changes::default();
        }
        self.workers.insert(contract.clone(), WorkerChannel::new(owner.clone()));
        self.changes(&[], &[contract], false)
    }

    /// Takes note of a client contract's state. An error means that this ledger is older than the contract.
    pub fn see_client(&mut self, contract: &Address, seen: ClientOnChain) -> Result<Changes, LedgerError> {
        let channel = self.client_mut(contract)?;
        channel.account.seen_on_chain(contract, seen.tokens_used)?;
        if channel.on_chain.as_ref() == Some(&seen) {
            return Ok(Changes::default());
        }
        channel.on_chain = Some(seen);
        Ok(self.changes(&[contract], &[], false))
    }

    /// Takes note of a worker contract's state. An error means that this ledger is older than the contract.
    pub fn see_worker(&mut self, contract: &Address, seen: WorkerOnChain) -> Result<Changes, LedgerError> {
        let channel = self.worker_mut(contract)?;
        channel.account.seen_on_chain(contract, seen.tokens)?;
        if channel.on_chain.as_ref() == Some(&seen) {
            return Ok(Changes::default());
        }
        channel.on_chain = Some(seen);
        Ok(self.changes(&[], &[contract], false))
    }

    /// Reserves `amount` for one attempt of a request that may produce `max_tokens` raw tokens.
    pub fn reserve(
        &mut self,
        client: &Address,
        max_tokens: u64,
        amount: TokenCount,
    ) -> Result<ReservationId, LedgerError> {
        let channel = self.client_mut(client)?;
        let Some(on_chain) = &channel.on_chain else {
            return Err(LedgerError::NotOnChain {
                contract: client.clone(),
            });
        };
        if channel.retired.is_some() {
            return Err(LedgerError::Retired {
                contract: client.clone(),
            });
        }
        if on_chain.state != ContractState::Normal {
            return Err(LedgerError::ClientClosing);
        }
        if channel.running >= MAX_RESERVATIONS_PER_CLIENT {
            return Err(LedgerError::TooManyReservations {
                open: channel.running,
                limit: MAX_RESERVATIONS_PER_CLIENT,
            });
        }
        let needed = amount.max(TokenCount::new(max_tokens));
        let available = channel.available();
        if needed > available {
            let (paid, stake) = channel.cover().unwrap_or_default();
            return Err(LedgerError::BalanceTooLow {
                needed,
                available,
                paid,
                used: channel.account.max,
                reserved: channel.reserved,
                stake,
            });
        }
        let (reserved, price) = (channel.reserved.checked_add(amount), on_chain.price);
        let reserved = reserved.ok_or(LedgerError::Overflow)?;
        let credit = match &mut self.outage {
            Some(outage) => outage.grant(client, amount, price)?,
            None => Nanoton::ZERO,
        };
        let channel = self.client_mut(client)?;
        channel.reserved = reserved;
        channel.running += 1;
        let id = ReservationId(self.next_reservation);
        self.next_reservation += 1;
        self.reservations.insert(
            id,
            Open {
                client: client.clone(),
                amount,
                credit,
            },
        );
        Ok(id)
    }

    /// Gives a reservation back without a charge. Twice is an error and changes nothing.
    pub fn release(&mut self, id: ReservationId) -> Result<(), LedgerError> {
        let open = self.reservations.remove(&id).ok_or(LedgerError::ReservationGone)?;
        self.unreserve(&open, TokenCount::ZERO);
        Ok(())
    }

    /// Gives back what a reservation holds beyond the `used` tokens that will be charged under it, before the charge itself.
    pub fn narrow(&mut self, id: ReservationId, used: TokenCount) -> Result<(), LedgerError> {
        let open = self.reservations.get_mut(&id).ok_or(LedgerError::ReservationGone)?;
        let unused = open.amount.saturating_sub(used);
        open.amount = open.amount.min(used);
        let Some(channel) = self.clients.get_mut(&open.client) else {
            return Ok(());
        };
        channel.reserved = channel.reserved.saturating_sub(unused);
        if let Some(outage) = &mut self.outage {
            let price = channel.on_chain.as_ref().map_or(Nanoton::ZERO, |seen| seen.price);
            let kept = price
                .checked_mul_tokens(open.amount)
                .unwrap_or(open.credit)
                .min(open.credit);
            outage.give_back(&open.client, open.credit.checked_sub(kept).unwrap_or(Nanoton::ZERO));
            open.credit = kept;
        }
        Ok(())
    }

    /// Computes the charge of `used` tokens for work done under a reservation; changes nothing.
    ///
    /// The charge never exceeds the reservation; what was used beyond is in `excess`.
    pub fn prepare(&self, id: ReservationId, worker: &Address, used: TokenCount) -> Result<Charge, LedgerError> {
        let open = self.reservations.get(&id).ok_or(LedgerError::ReservationGone)?;
        let client = self.clients.get(&open.client).ok_or_else(|| unknown(&open.client))?;
        let worker_channel = self.workers.get(worker).ok_or_else(|| unknown(worker))?;
        let tokens = used.min(open.amount);
        Ok(Charge {
            reservation: id,
            client: open.client.clone(),
            worker: worker.clone(),
            tokens,
            excess: used.saturating_sub(tokens),
            client_position: client.account.next(tokens)?,
            worker_position: worker_channel.account.next(tokens)?,
        })
    }

    /// Applies a charge whose receipt and statement have these hashes, and ends its reservation.
    ///
    /// Only once, and only if nothing moved since [`Ledger::prepare`].
    pub fn apply(&mut self, charge: &Charge, receipt: HashBytes, statement: HashBytes) -> Result<Changes, LedgerError> {
        let open = self
            .reservations
            .get(&charge.reservation)
            .ok_or(LedgerError::ReservationGone)?;
        if open.client != charge.client || charge.tokens > open.amount {
            return Err(LedgerError::StaleCharge);
        }
        self.record(
            &charge.client,
            &charge.client_position,
            receipt,
            &charge.worker,
            &charge.worker_position,
            statement,
        )?;
        if let Some(open) = self.reservations.remove(&charge.reservation) {
            self.unreserve(&open, charge.tokens);
        }
        Ok(self.changes(&[&charge.client], &[&charge.worker], false))
    }

    /// Takes over a receipt that reached the log before the ledger's row did: the last step of a crash.
    pub fn replay(
        &mut self,
        client: (&Address, &Position, HashBytes),
        worker: (&Address, &Position, HashBytes),
    ) -> Result<Changes, LedgerError> {
        self.record(client.0, client.1, client.2, worker.0, worker.1, worker.2)?;
        self.client_mut(client.0)?.account.restored();
        self.worker_mut(worker.0)?.account.restored();
        Ok(self.changes(&[client.0], &[worker.0], false))
    }

    /// The rows of `changes` are durable now: their totals may be shown.
    pub fn persisted(&mut self, changes: &Changes) {
        for (contract, row) in &changes.clients {
            if let Some(channel) = self.clients.get_mut(contract) {
                channel.account.persisted(&row.account);
            }
        }
        for (contract, row) in &changes.workers {
            if let Some(channel) = self.workers.get_mut(contract) {
                channel.account.persisted(&row.account);
            }
        }
    }

    /// Compares what a worker remembers with this ledger. Never an alarm by itself: any worker may claim anything.
    pub fn compare(&self, worker: &Address, chain: TokenCount, db: TokenCount, max: TokenCount) -> Comparison {
        let zero = Account::new();
        let account = self.workers.get(worker).map_or(&zero, |channel| &channel.account);
        if chain > account.chain || db > account.db {
            Comparison::LedgerBehind
        } else if max > account.max {
            Comparison::WorkerAhead
        } else {
            Comparison::Agrees
        }
    }

    fn record(
        &mut self,
        client: &Address,
        client_position: &Position,
        receipt: HashBytes,
        worker: &Address,
        worker_position: &Position,
        statement: HashBytes,
    ) -> Result<(), LedgerError> {
        let client_channel = self.clients.get_mut(client).ok_or_else(|| unknown(client))?;
        let worker_channel = self.workers.get_mut(worker).ok_or_else(|| unknown(worker))?;
        if !client_channel.account.is_at(client_position) || !worker_channel.account.is_at(worker_position) {
            return Err(LedgerError::StaleCharge);
        }
        client_channel.account.advance(client_position, receipt);
        worker_channel.account.advance(worker_position, statement);
        Ok(())
    }

    /// Ends a reservation of which `used` tokens were charged.
    fn unreserve(&mut self, open: &Open, used: TokenCount) {
        let Some(channel) = self.clients.get_mut(&open.client) else {
            return;
        };
        channel.reserved = channel.reserved.saturating_sub(open.amount);
        channel.running = channel.running.saturating_sub(1);
        if let Some(outage) = &mut self.outage {
            let price = channel.on_chain.as_ref().map_or(Nanoton::ZERO, |seen| seen.price);
            // A price never changes: it is part of the contract's address.
            let spent = price.checked_mul_tokens(used).unwrap_or(open.credit);
            outage.give_back(&open.client, open.credit.checked_sub(spent).unwrap_or(Nanoton::ZERO));
        }
    }

    pub(crate) fn client_mut(&mut self, contract: &Address) -> Result<&mut ClientChannel, LedgerError> {
        self.clients.get_mut(contract).ok_or_else(|| unknown(contract))
    }

    pub(crate) fn worker_mut(&mut self, contract: &Address) -> Result<&mut WorkerChannel, LedgerError> {
        self.workers.get_mut(contract).ok_or_else(|| unknown(contract))
    }

    /// Copies of the rows named.
    pub(crate) fn changes(&self, clients: &[&Address], workers: &[&Address], commits: bool) -> Changes {
        let client = |contract: &&Address| Some(((*contract).clone(), self.clients.get(*contract)?.clone()));
        let worker = |contract: &&Address| Some(((*contract).clone(), self.workers.get(*contract)?.clone()));
        Changes {
            clients: clients.iter().filter_map(client).collect(),
            workers: workers.iter().filter_map(worker).collect(),
            commits: commits.then(|| self.commits.clone()),
        }
    }
}

fn unknown(contract: &Address) -> LedgerError {
    LedgerError::UnknownChannel {
        contract: contract.clone(),
    }
}
