//! Lite servers: nothing that they say of an account is believed. Every state follows, by Merkle proofs and validators'
//! signatures, from a block that the configuration names; get methods run here, on the proven state.

mod config;
mod connection;

use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use cocoon_bindings::ton::{Address, Cell, StackValue, boc_bytes};
use cocoon_bindings::units::Nanoton;
use cocoon_emulator::{AccountStatus, Emulator, EmulatorError, GetterResult, NetworkConfig};
use cocoon_lite::LiteError;
use cocoon_lite::messages::{Answer, BlockId, Request};
use cocoon_lite::proof::{ProvenAccount, Reached, verify_account, verify_chain, verify_history};

use crate::ChainError;
use crate::client::{AccountState, ChainClient, ChainHead, Transaction, TransactionId};
use crate::emulated::{own_fees, refused};
use crate::http::{exit_code, is_refusal};
use crate::limits::{LITE_PAGE, MAX_ERROR_CHARS, MAX_WAYS};
pub use config::{GlobalConfig, LiteServer};
use connection::Line;

/// What is trusted: a key block, or the state that the chain began with. It moves forward along proofs only.
#[derive(Debug)]
pub(crate) struct Trust {
    anchor: Mutex<Anchor>,
}

#[derive(Debug, Clone, Copy)]
struct Anchor {
    id: BlockId,
    /// The same with its header, if it was proven here and not configured.
    reached: Option<Reached>,
}

impl Trust {
    pub(crate) fn new(anchor: BlockId) -> Arc<Self> {
        Arc::new(Self {
            anchor: Mutex::new(Anchor {
                id: anchor,
                reached: None,
            }),
        })
    }

    fn anchor(&self) -> Anchor {
        *self.anchor.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Moves to a newer key block, which was proven from the last one on the way to a block.
    fn advance(&self, proven: BlockId, reached: &Reached) {
        let mut anchor = self.anchor.lock().unwrap_or_else(PoisonError::into_inner);
        if proven.seqno > anchor.id.seqno {
            *anchor = Anchor {
                id: proven,
                reached: (reached.id == proven).then_some(*reached),
            };
        }
    }
}

/// One lite server.
#[derive(Debug)]
pub struct LiteClient {
    line: Line,
    trust: Arc<Trust>,
    /// The newest block that this server showed and proved.
    newest: Mutex<Option<Reached>>,
}

impl LiteClient {
    /// A server, and the block that is trusted: a key block, or the state that the chain began with.
    pub fn new(server: &LiteServer, trusted: BlockId) -> Self {
        Self::sharing(server, Trust::new(trusted))
    }

    /// The same with trust that servers of one chain share: what one proved need not be proven by the others.
    pub(crate) fn sharing(server: &LiteServer, trust: Arc<Trust>) -> Self {
        Self {
            line: Line::new(server),
            trust,
            newest: Mutex::new(None),
        }
    }

    /// The newest block of the server, proven.
    async fn newest(&self) -> Result<Reached, ChainError> {
        let last = match self.ask(&Request::MasterchainInfo).await? {
            Answer::MasterchainInfo { last, .. } => last,
            other => return Err(unexpected("getMasterchainInfo", &other)),
        };
        let known = *self.newest.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = known {
            // Behind one name there may be several nodes, of which one is a block behind: what was proven is asked for all the
            // same, and one that cannot show it says so.
            if last == known.id || last.seqno < known.id.seqno {
                return Ok(known);
            }
            if last.seqno == known.id.seqno {
                return Err(ChainError::Unproven {
                    reason: format!("it names two blocks with the number {}", last.seqno),
                });
            }
        }
        let reached = self.prove(&last).await?;
        *self.newest.lock().unwrap_or_else(PoisonError::into_inner) = Some(reached);
        Ok(reached)
    }

    /// Goes from what is trusted to a block, key block by key block.
    async fn prove(&self, target: &BlockId) -> Result<Reached, ChainError> {
        let trusted = self.trust.anchor();
        let mut anchor = trusted.id;
        if let Some(reached) = trusted.reached.filter(|reached| reached.id == *target) {
            return Ok(reached);
        }
        if target.seqno <= anchor.seqno {
            return Err(ChainError::Stale {
                reason: format!(
                    "its last block is {}, and {} is trusted already",
                    target.seqno, anchor.seqno
                ),
            });
        }
        for _ in 0..MAX_WAYS {
            let question = Request::BlockProof {
                known: anchor,
                target: Some(*target),
            };
            let answer = self.ask(&question).await?;
            let (reached, key_block) = verify_chain(&anchor, &answer).map_err(wrong)?;
            self.trust.advance(key_block, &reached);
            if reached.id == *target {
                return Ok(reached);
            }
            if key_block.seqno <= anchor.seqno {
                break;
            }
            anchor = key_block;
        }
        Err(ChainError::Unproven {
            reason: format!("there is no way to block {}", target.seqno),
        })
    }

    async fn proven(&self, address: &Address) -> Result<ProvenAccount, ChainError> {
        let block = self.newest().await?.id;
        let account = address.clone();
        let answer = self.ask(&Request::AccountState { block, account }).await?;
        match &answer {
            Answer::AccountState { .. } => verify_account(&block, address, &answer).map_err(wrong),
            other => Err(unexpected("getAccountState", other)),
        }
    }

    /// The account on a chain of its own, where it can be run. Fees are those of today's public chain.
    async fn adopted(&self, address: &Address) -> Result<(Emulator, ProvenAccount), ChainError> {
        let proven = self.proven(address).await?;
        let last = (proven.last_lt, proven.last_hash);
        let network = NetworkConfig::default();
        let chain = Emulator::of_account(&network, proven.time, address, proven.account.clone(), last);
        Ok((chain.map_err(ChainError::Emulator)?, proven))
    }

    async fn ask(&self, request: &Request) -> Result<Answer, ChainError> {
        match self.line.ask(request).await? {
            Answer::Error { code, message } => {
                let message: String = message.chars().take(MAX_ERROR_CHARS).collect();
                if is_refusal(&message) {
                    return Err(ChainError::MessageRefused {
                        exit_code: exit_code(&message),
                        reason: message,
                    });
                }
                // What one server does not have, another may.
                Err(ChainError::ServerRefused {
                    method: "liteServer.query",
                    code: i64::from(code).max(500),
                    message,
                })
            }
            answer => Ok(answer),
        }
    }
}

#[async_trait]
impl ChainClient for LiteClient {
    async fn account(&self, address: &Address) -> Result<AccountState, ChainError> {
        let (chain, proven) = self.adopted(address).await?;
        let last = (proven.last_lt != 0).then_some(TransactionId {
            lt: proven.last_lt,
            hash: proven.last_hash,
        });
        let (address, time) = (address.clone(), proven.time);
        Ok(match chain.account(&address).map_err(ChainError::Emulator)? {
            Some(account) => AccountState {
                address,
                balance: account.balance,
                status: account.status,
                code: account.code,
                data: account.data,
                last,
                time,
            },
            None => AccountState {
                address,
                balance: Nanoton::ZERO,
                status: AccountStatus::NotExists,
                code: None,
                data: None,
                last,
                time,
            },
        })
    }

    async fn run_get_method(
        &self,
        address: &Address,
        method: &str,
        arguments: Vec<StackValue>,
    ) -> Result<GetterResult, ChainError> {
        Ok(self.run_get_method_dated(address, method, arguments).await?.0)
    }

    async fn run_get_method_dated(
        &self,
        address: &Address,
        method: &str,
        arguments: Vec<StackValue>,
    ) -> Result<(GetterResult, Option<u64>), ChainError> {
        let (chain, proven) = self.adopted(address).await?;
        let result = chain.get(address, method, arguments).map_err(|error| match error {
            EmulatorError::NotActive(address) => ChainError::NotDeployed {
                what: "contract",
                address,
            },
            error => ChainError::Emulator(error),
        })?;
        Ok((result, (proven.last_lt != 0).then_some(proven.last_lt)))
    }

    async fn transactions(
        &self,
        address: &Address,
        limit: usize,
        from: Option<TransactionId>,
    ) -> Result<Vec<Transaction>, ChainError> {
        let mut next = match from {
            Some(from) => (from.lt, from.hash),
            None => {
                let proven = self.proven(address).await?;
                (proven.last_lt, proven.last_hash)
            }
        };
        let mut found: Vec<Transaction> = Vec::new();
        while found.len() < limit && next.0 != 0 {
            let count = limit.saturating_sub(found.len()).min(LITE_PAGE);
            let question = Request::Transactions {
                count: u32::try_from(count).unwrap_or(u32::MAX),
                account: address.clone(),
                lt: next.0,
                hash: next.1,
            };
            let answer = self.ask(&question).await?;
            let page = verify_history(address, next.0, &next.1, &answer).map_err(wrong)?;
            if let Some(oldest) = page.last() {
                next = (oldest.previous_lt, oldest.previous_hash);
            }
            found.extend(page);
        }
        found.truncate(limit);
        Ok(found)
    }

    async fn send_boc(&self, message: &Cell) -> Result<(), ChainError> {
        let body = boc_bytes(message);
        match self.ask(&Request::SendMessage { body }).await? {
            Answer::Sent { status: 1 } => Ok(()),
            Answer::Sent { status } => Err(ChainError::ServerRefused {
                method: "sendMessage",
                code: 500,
                message: format!("status {status}"),
            }),
            other => Err(unexpected("sendMessage", &other)),
        }
    }

    async fn now(&self) -> Result<u32, ChainError> {
        Ok(self.head().await?.time)
    }

    async fn head(&self) -> Result<ChainHead, ChainError> {
        let newest = self.newest().await?;
        Ok(ChainHead {
            seqno: Some(newest.id.seqno),
            time: newest.header.time,
        })
    }

    async fn estimate_fee(&self, message: &Cell) -> Result<Nanoton, ChainError> {
        let read =
            cocoon_emulator::Message::from_cell(message.clone()).map_err(|error| ChainError::MessageRefused {
                exit_code: None,
                reason: error.to_string(),
            })?;
        let to = read.destination.ok_or_else(|| ChainError::MessageRefused {
            exit_code: None,
            reason: "it has no destination".to_owned(),
        })?;
        let (chain, _) = self.adopted(&to).await?;
        let report = chain.preview_external(message.clone(), false).map_err(refused)?;
        own_fees(&report)
    }
}

/// What is wrong with an answer, as this crate says it.
fn wrong(error: LiteError) -> ChainError {
    match error {
        LiteError::Message(reason) | LiteError::Transport(reason) => ChainError::Response {
            method: "liteServer.query",
            reason: reason.to_owned(),
        },
        LiteError::Emulator(error) => ChainError::Emulator(error),
        error => ChainError::Unproven {
            reason: error.to_string(),
        },
    }
}

fn unexpected(method: &'static str, _: &Answer) -> ChainError {
    ChainError::Response {
        method,
        reason: "it answers another question".to_owned(),
    }
}
