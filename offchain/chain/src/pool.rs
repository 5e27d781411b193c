//! Several servers as one: the best is asked, the next one when it fails, and none that has stayed behind.

mod bucket;
mod health;
mod member;
mod seen;

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use async_trait::async_trait;
use cocoon_bindings::ton::{Address, Cell, StackValue};
use cocoon_bindings::units::Nanoton;
use cocoon_emulator::GetterResult;
use futures_util::future::join_all;
use tokio::time::Instant;

use crate::client::{AccountState, ChainClient, ChainHead, SharedChain, Transaction, TransactionId};
use crate::limits::{COMPARE_INTERVAL, MAX_ENDPOINTS, MAX_RATE_PAUSE, POOL_ROUNDS, RETRY_PAUSE};
use crate::lite::{GlobalConfig, LiteClient, Trust};
use crate::{ChainError, Endpoint, HttpApi, Retry};
pub use member::EndpointReport;
use member::Member;
use seen::{Seen, Witness};

/// Several servers of one chain.
///
/// A question goes to the server that is likely to answer soonest: latency, recent failures and the rate that it allows
/// count. When it fails, or shows less than was seen already, the next one is asked. Every [`COMPARE_INTERVAL`] all are asked
/// for their time, and none is read that is more than [`MAX_BEHIND`](crate::limits::MAX_BEHIND) behind.
#[derive(Debug)]
pub struct ChainPool {
    members: Vec<Member>,
    seen: Mutex<Seen>,
    /// When the servers were last compared.
    compared: tokio::sync::Mutex<Option<Instant>>,
    has_compared: AtomicBool,
}

impl ChainPool {
    /// Servers with the HTTP API. One is a pool too: its answers are checked against what was seen.
    pub fn of_http(endpoints: &[Endpoint]) -> Result<Self, ChainError> {
        let members = endpoints.iter().map(|endpoint| {
            let server = HttpApi::connect(endpoint)?.once();
            let name = host_of(server.url());
            Ok(Member::new(name, Arc::new(server), endpoint.rate_per_second))
        });
        Self::of(members.collect::<Result<_, ChainError>>()?)
    }

    /// The lite servers of a global configuration. They share what is proven of the way from block to block.
    pub fn of_lite(config: &GlobalConfig) -> Result<Self, ChainError> {
        let trust = Trust::new(config.trusted);
        let members = config.servers.iter().map(|server| {
            let client = LiteClient::sharing(server, Arc::clone(&trust));
            Member::new(server.address.to_string(), Arc::new(client), None)
        });
        Self::of(members.collect())
    }

    /// Any servers, each with a name that may be shown.
    pub fn of_clients(clients: Vec<(String, SharedChain)>) -> Result<Self, ChainError> {
        let members = clients
            .into_iter()
            .map(|(name, client)| Member::new(name, client, None));
        Self::of(members.collect())
    }

    fn of(members: Vec<Member>) -> Result<Self, ChainError> {
        if members.is_empty() || members.len() > MAX_ENDPOINTS {
            return Err(ChainError::Config {
                reason: format!(
                    "there must be 1 to {MAX_ENDPOINTS} servers, there are {}",
                    members.len()
                ),
            });
        }
        Ok(Self {
            members,
            seen: Mutex::default(),
            compared: tokio::sync::Mutex::new(None),
            has_compared: AtomicBool::new(false),
        })
    }

    /// Asks one server after the other, the best first, until one gives an answer that stands the check.
    async fn read<T, F>(
        &self,
        ask: impl Fn(SharedChain) -> F,
        check: impl Fn(&T, &mut Seen, Witness) -> Result<(), ChainError>,
    ) -> Result<T, ChainError>
    where
        F: Future<Output = Result<T, ChainError>>,
    {
        self.compare().await;
        let (mut last, mut said) = (None, None);
        let mut pause = RETRY_PAUSE;
        // What all pauses of this question may add up to.
        let mut patience = MAX_RATE_PAUSE;
        for round in 1..=POOL_ROUNDS {
            let mut tried = vec![false; self.members.len()];
            while let Some((place, member)) = self.best(&mut tried) {
                let asked = member.ask(&ask).await;
                let judged = match asked {
                    Ok((answer, took)) => {
                        let verdict = self.seen(|seen| check(&answer, seen, witness(place)));
                        verdict.map(|()| (answer, took))
                    }
                    Err(error) => Err(error),
                };
                match judged {
                    Ok((answer, took)) => {
                        member.succeeded(took);
                        return Ok(answer);
                    }
                    Err(error) if error.retry() == Retry::OtherServer => {
                        tracing::warn!(server = member.name(), %error, "another chain server is asked");
                        member.failed(&error);
                        last = Some(error);
                    }
                    // The server may be wrong about it: another one must say the same.
                    Err(error) if said.is_none() && self.needs_a_second(&error) => said = Some(error),
                    // The chain's own answer: another server would say the same.
                    Err(error) => return Err(error),
                }
            }
            if let Some(said) = said {
                return Err(said);
            }
            let wait = pause.max(self.shortest_pause());
            if round == POOL_ROUNDS || wait > patience {
                break;
            }
            tokio::time::sleep(wait).await;
            patience = patience.saturating_sub(wait);
            pause = pause.saturating_mul(2);
        }
        Err(last.unwrap_or_else(|| self.nobody()))
    }

    /// Whether what one server says could be its own fault, and not the question's or the chain's.
    fn needs_a_second(&self, error: &ChainError) -> bool {
        match error {
            ChainError::ServerRefused { .. } => true,
            ChainError::NotDeployed { address, .. } => self.seen(|seen| seen.was_active(address)),
            _ => false,
        }
    }

    /// The best server that was not tried yet, and its place. If all are left alone for their failures, the one that would be
    /// tried first.
    fn best(&self, tried: &mut [bool]) -> Option<(usize, &Member)> {
        let now = Instant::now();
        let is_first = !tried.contains(&true);
        let eligible = self.members.iter().enumerate().filter(|(place, member)| {
            let fresh = tried.get(*place).is_some_and(|tried| !tried);
            fresh && member.admits(now, false)
        });
        let best = eligible.min_by(|(_, a), (_, b)| a.cost(now).total_cmp(&b.cost(now)));
        let left_alone = || {
            let members = self.members.iter().enumerate();
            let waiting = members.filter_map(|(place, member)| Some((member.tried_again_at(now)?, place, member)));
            let first = waiting.min_by_key(|(at, ..)| *at);
            first.map(|(_, place, member)| (place, member)).filter(|_| is_first)
        };
        let (place, best) = best.or_else(left_alone)?;
        if let Some(tried) = tried.get_mut(place) {
            *tried = true;
        }
        Some((place, best))
    }

    /// Asks all servers how far they are, unless that was done a moment ago. The first questions wait for it; later ones
    /// only if they are the ones to ask.
    async fn compare(&self) {
        if self.members.len() < 2 {
            return;
        }
        let mut compared = match self.compared.try_lock() {
            Ok(compared) => compared,
            Err(_) if self.has_compared.load(Ordering::Acquire) => return,
            Err(_) => self.compared.lock().await,
        };
        if compared.is_some_and(|at| at.elapsed() < COMPARE_INTERVAL) {
            return;
        }
        let now = Instant::now();
        let asked = self.members.iter().filter(|member| member.admits(now, true));
        join_all(asked.map(Member::tell_head)).await;
        self.judge_times();
        *compared = Some(Instant::now());
        self.has_compared.store(true, Ordering::Release);
    }

    /// Who is behind the others, or ahead of what can be.
    fn judge_times(&self) {
        let clock = unix_now();
        self.seen(|seen| {
            for (place, member) in self.members.iter().enumerate() {
                if let Some(time) = member.time() {
                    seen.note_time(time, witness(place));
                }
            }
            // A chain whose time was moved on purpose is ahead on every server.
            for (place, member) in self.members.iter().enumerate() {
                member.judge(|time| seen.is_behind(time, clock) || seen.is_ahead(time, witness(place)));
            }
        });
    }

    fn shortest_pause(&self) -> std::time::Duration {
        let now = Instant::now();
        let read = self.members.iter().filter(|member| !member.is_out_of_step());
        // One that wants no pause can be asked again soon.
        let pauses = read.map(|member| member.asked_to_wait(now).unwrap_or_default());
        pauses.min().unwrap_or_default().min(MAX_RATE_PAUSE)
    }

    fn nobody(&self) -> ChainError {
        let behind = self.members.iter().filter(|member| member.is_out_of_step()).count();
        ChainError::NoServer {
            reason: format!(
                "of {} none answers; {behind} of them are behind the chain",
                self.members.len()
            ),
        }
    }

    fn seen<T>(&self, look: impl FnOnce(&mut Seen) -> T) -> T {
        look(&mut self.seen.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

#[async_trait]
impl ChainClient for ChainPool {
    async fn account(&self, address: &Address) -> Result<AccountState, ChainError> {
        self.read(
            |server| async move { server.account(address).await },
            |account, seen, who| seen.check_account(account, who),
        )
        .await
    }

    async fn run_get_method(
        &self,
        address: &Address,
        method: &str,
        arguments: Vec<StackValue>,
    ) -> Result<GetterResult, ChainError> {
        let dated = self.run_get_method_dated(address, method, arguments);
        Ok(dated.await?.0)
    }

    async fn run_get_method_dated(
        &self,
        address: &Address,
        method: &str,
        arguments: Vec<StackValue>,
    ) -> Result<(GetterResult, Option<u64>), ChainError> {
        let arguments = &arguments;
        self.read(
            |server| async move { server.run_get_method_dated(address, method, arguments.clone()).await },
            |(_, lt), seen, who| match lt {
                Some(lt) => seen.check_getter(address, *lt, who),
                None => Ok(()),
            },
        )
        .await
    }

    async fn transactions(
        &self,
        address: &Address,
        limit: usize,
        from: Option<TransactionId>,
    ) -> Result<Vec<Transaction>, ChainError> {
        self.read(
            |server| async move { server.transactions(address, limit, from).await },
            |page, seen, who| match from {
                None if limit > 0 => seen.check_history(address, page.first(), who),
                _ => Ok(()),
            },
        )
        .await
    }

    /// Goes to one server, and to the next if that one fails: the same bytes, of which the receiver's seqno lets one through.
    ///
    /// A refusal is believed when a second server repeats it, since one that is behind refuses what is not yet valid for it;
    /// and never after an attempt that may have got through.
    async fn send_boc(&self, message: &Cell) -> Result<(), ChainError> {
        self.compare().await;
        let mut tried = vec![false; self.members.len()];
        let (mut unclear, mut refused, mut last) = (None, None, None);
        while let Some((_, member)) = self.best(&mut tried) {
            let error = match member
                .ask(&|server: SharedChain| async move { server.send_boc(message).await })
                .await
            {
                Ok(((), took)) => {
                    member.succeeded(took);
                    return Ok(());
                }
                Err(error) => error,
            };
            tracing::warn!(server = member.name(), %error, "a chain server did not take a message");
            match error {
                error @ ChainError::MessageRefused { .. } if refused.is_some() => return Err(unclear.unwrap_or(error)),
                error @ ChainError::MessageRefused { .. } => refused = Some(error),
                error => {
                    if error.retry() == Retry::OtherServer {
                        member.failed(&error);
                    }
                    let place = if error.is_ambiguous() { &mut unclear } else { &mut last };
                    *place = Some(error);
                }
            }
        }
        Err(unclear.or(refused).or(last).unwrap_or_else(|| self.nobody()))
    }

    async fn now(&self) -> Result<u32, ChainError> {
        Ok(self.head().await?.time)
    }

    async fn head(&self) -> Result<ChainHead, ChainError> {
        self.read(
            |server| async move { server.head().await },
            |head, seen, who| seen.check_time(head.time, who),
        )
        .await
    }

    async fn estimate_fee(&self, message: &Cell) -> Result<Nanoton, ChainError> {
        self.read(
            |server| async move { server.estimate_fee(message).await },
            |_, _, _| Ok(()),
        )
        .await
    }

    fn endpoints(&self) -> Vec<EndpointReport> {
        let members = self.members.iter().enumerate();
        members.map(|(index, member)| member.report(index)).collect()
    }
}

/// Host and port of a URL: what may be shown.
fn host_of(url: &str) -> String {
    url::Url::parse(url)
        .ok()
        .and_then(|url| {
            let host = url.host_str()?.to_owned();
            Some(match url.port() {
                Some(port) => format!("{host}:{port}"),
                None => host,
            })
        })
        .unwrap_or_default()
}

fn witness(server: usize) -> Witness {
    Witness {
        server,
        clock: unix_now(),
        now: Instant::now(),
    }
}

fn unix_now() -> u32 {
    let elapsed = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u32::try_from(elapsed.as_secs()).unwrap_or(u32::MAX)
}
