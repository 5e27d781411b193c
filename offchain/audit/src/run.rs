//! The audit as a whole.

mod compare;
mod late;

use crate::error::AuditError;
use crate::evidence::{Certificates, EvidenceSource};
use crate::examine::{Outcome, Rules};
use crate::history::{ChainHistory, Named};
use crate::judge::{Judge, State};
use crate::limits::MAX_ROUNDS;
use crate::log::{Log, StoreLog};
use crate::recording::{RecordedChain, Recording};
use crate::source::{MemorySource, Piece, ReceiptSource};
use crate::state::StateFile;
use crate::statement::{Ledger, Line, Scope};
use crate::verdict::{Difference, DifferenceKind as Kind, Report};
use cocoon_bindings::ton::Address;
use cocoon_chain::ChainClient;
use cocoon_receipt::SignedReceipt;
use std::collections::VecDeque;
use std::path::Path;
use std::sync::Arc;
use tokio::task::JoinHandle;

/// How an audit is done.
#[derive(Default)]
pub struct Options<'a> {
    /// Receipts are looked at on so many cores; 0: on all.
    pub cores: usize,
    /// Of whom sums by day and model are made.
    pub statement: Option<Scope>,
    /// Told how many receipts were judged, and about how many there are.
    pub progress: Option<&'a mut (dyn FnMut(u64, Option<u64>) + Send)>,
}

/// What came of an audit.
#[derive(Debug)]
pub struct Audited {
    /// The verdict.
    pub report: Report,
    /// The chain as it was read.
    pub history: ChainHistory,
    /// Sums by day and model, if they were asked for; of all receipts only when nothing differs.
    pub statement: Vec<Line>,
    pub(crate) certificates: Arc<Certificates>,
}

/// Audits the store of a proxy, which may be running, against the chain.
///
/// A receipt is durable before anything is charged for it: read after the chain, the log has all that the chain has.
pub async fn run(store: &Path, chain: &dyn ChainClient, proxy: &Address) -> Result<Report, AuditError> {
    let log = StoreLog::new(store);
    let audited = run_with(&log, chain, proxy, Options::default()).await?;
    Ok(audited.report)
}

/// Audits a log against the chain. What is kept in memory does not grow with the log.
pub async fn run_with(
    log: &dyn Log,
    chain: &dyn ChainClient,
    proxy: &Address,
    options: Options<'_>,
) -> Result<Audited, AuditError> {
    Run::new(log, options)?.whole(chain, proxy).await
}

/// Audits a log against a chain whose answers are kept.
pub(crate) async fn run_recorded(
    log: &dyn Log,
    chain: Arc<RecordedChain<'_>>,
    proxy: &Address,
    options: Options<'_>,
) -> Result<Audited, AuditError> {
    let mut run = Run::new(log, options)?;
    run.recorded = Some(Arc::clone(&chain));
    run.whole(chain.as_ref(), proxy).await
}

/// Audits a log against the chain as it was when the audit began, and goes on where it was interrupted: the state file holds the
/// chain and what became of the receipts so far. It is removed when there is a verdict.
pub async fn run_resumable(
    log: &dyn Log,
    chain: &dyn ChainClient,
    proxy: &Address,
    state: &Path,
    options: Options<'_>,
) -> Result<Audited, AuditError> {
    let mut file = StateFile::open(state, chain, proxy, log.kind())?;
    let mut run = Run::new(log, options)?;
    run.scope_state(&mut file)?;
    let recorded = file.chain();
    run.state = Some(file);
    run.recorded = Some(Arc::clone(&recorded));
    let audited = run.whole(recorded.as_ref(), proxy).await?;
    if let Some(file) = run.state {
        file.remove()?;
    }
    Ok(audited)
}

/// Audits receipts, in the order of their log, against a history and the certificates that they name.
pub fn judge(
    receipts: &[SignedReceipt],
    history: &ChainHistory,
    evidence: &dyn EvidenceSource,
) -> Result<Report, AuditError> {
    let (rules, certificates) = (Rules::of(history), Certificates::default());
    let mut judge = Judge::new(history, State::new(history, Ledger::default()));
    let mut source = MemorySource::new(receipts);
    loop {
        let entries = source.take();
        if entries.is_empty() {
            break;
        }
        let outcomes = rules.examine(entries, &certificates, evidence)?;
        if let Err(difference) = judge.take(outcomes, history)? {
            return Ok(compare::report(history, &judge.state, Vec::new(), Some(difference)));
        }
    }
    Ok(compare::compare(history, &mut judge, None))
}

/// Whether a difference may be one only because the chain was read before the log.
fn may_be_news(audited: &Audited) -> bool {
    let kind = audited.report.difference.as_ref().map(|difference| difference.kind);
    matches!(kind, Some(Kind::Terms | Kind::Evidence | Kind::Contract))
}

struct Run<'l, 'c, 'o> {
    log: &'l dyn Log,
    evidence: Arc<dyn EvidenceSource>,
    options: Options<'o>,
    certificates: Arc<Certificates>,
    state: Option<StateFile<'c>>,
    /// What remembers the chain's answers.
    recorded: Option<Arc<RecordedChain<'c>>>,
}

type Working = JoinHandle<Result<Vec<Outcome>, AuditError>>;

impl<'l, 'o> Run<'l, '_, 'o> {
    fn new(log: &'l dyn Log, options: Options<'o>) -> Result<Self, AuditError> {
        Ok(Self {
            log,
            evidence: log.evidence()?,
            options,
            certificates: Arc::default(),
            state: None,
            recorded: None,
        })
    }

    /// An interrupted audit made the same sums, or it is another one.
    fn scope_state(&self, file: &mut StateFile<'_>) -> Result<(), AuditError> {
        file.must_have(&self.ledger())
    }

    fn ledger(&self) -> Ledger {
        self.options.statement.clone().map(Ledger::new).unwrap_or_default()
    }

    async fn whole(&mut self, chain: &dyn ChainClient, proxy: &Address) -> Result<Audited, AuditError> {
        let mut named = Named::default();
        let mut history = ChainHistory::fetch_with(chain, proxy, &named).await?;
        for round in 1..=MAX_ROUNDS {
            let Some(audited) = self.round(chain, history, &mut named).await? else {
                history = ChainHistory::fetch_with(chain, proxy, &named).await?;
                continue;
            };
            if round == MAX_ROUNDS || !may_be_news(&audited) {
                return Ok(audited);
            }
            // The log was read after the chain: its last receipts may name what the chain did not know then.
            let before = self
                .recorded
                .as_ref()
                .map(|recorded| recorded.exchange(Recording::default()));
            history = ChainHistory::fetch_with(chain, proxy, &named).await?;
            if !history.knows_more_than(&audited.history) {
                if let (Some(recorded), Some(before)) = (&self.recorded, before) {
                    recorded.exchange(before);
                }
                return Ok(audited);
            }
        }
        Err(AuditError::Restless { rounds: MAX_ROUNDS })
    }

    /// One reading of the log. None when something was settled with a contract that only receipts name: that was not known
    /// when they were read.
    async fn round(
        &mut self,
        chain: &dyn ChainClient,
        mut history: ChainHistory,
        named: &mut Named,
    ) -> Result<Option<Audited>, AuditError> {
        let mut source = match self.log.open(history.key()).await? {
            Ok(source) => source,
            Err(difference) => {
                let state = State::new(&history, self.ledger());
                return Ok(Some(self.audited(history, &state, Vec::new(), Some(difference))));
            }
        };
        let resumed = self.state.as_mut().and_then(StateFile::take_state);
        let state = resumed.unwrap_or_else(|| State::new(&history, self.ledger()));
        source.skip(state.entries).await?;
        let mut judge = Judge::new(&history, state);
        let found = self.stream(source.as_mut(), &mut judge, &history).await?;
        if let Some(difference) = found {
            return Ok(Some(self.audited(history, &judge.state, Vec::new(), Some(difference))));
        }
        if history.extend(chain, &judge.unknown).await? {
            named.merge(&judge.unknown);
            return Ok(None);
        }
        if let Some(difference) = self.late(&mut judge, history.key()).await? {
            return Ok(Some(self.audited(history, &judge.state, Vec::new(), Some(difference))));
        }
        let mut report = compare::compare(&history, &mut judge, source.head());
        report.challenges = source.challenges();
        Ok(Some(Audited {
            report,
            statement: judge.state.ledger.lines(),
            history,
            certificates: Arc::clone(&self.certificates),
        }))
    }

    fn audited(
        &self,
        history: ChainHistory,
        state: &State,
        channels: Vec<crate::ChannelReport>,
        difference: Option<Difference>,
    ) -> Audited {
        Audited {
            report: compare::report(&history, state, channels, difference),
            statement: state.ledger.lines(),
            history,
            certificates: Arc::clone(&self.certificates),
        }
    }

    /// Reads receipts, has them examined by all cores, and judges them in their order.
    async fn stream(
        &mut self,
        source: &mut dyn ReceiptSource,
        judge: &mut Judge,
        history: &ChainHistory,
    ) -> Result<Option<Difference>, AuditError> {
        let rules = Arc::new(Rules::of(history));
        let cores = match self.options.cores {
            0 => std::thread::available_parallelism().map_or(1, usize::from),
            cores => cores,
        };
        let mut working: VecDeque<Working> = VecDeque::new();
        let mut end = None;
        loop {
            // One more than there are cores, so that none waits for this task.
            while end.is_none() && working.len() <= cores {
                match source.next().await {
                    Ok(Piece::Entries(entries)) => working.push_back(self.examine(&rules, entries)),
                    Ok(Piece::Difference(difference)) => end = Some(Ok(Some(difference))),
                    Ok(Piece::End) => end = Some(Ok(None)),
                    Err(error) => end = Some(Err(error)),
                }
            }
            let Some(next) = working.pop_front() else {
                if let (Some(Err(_)), Some(file)) = (&end, &mut self.state) {
                    file.write(&judge.state)?;
                }
                return end.unwrap_or(Ok(None));
            };
            let cut_off = |error: tokio::task::JoinError| AuditError::CutOff {
                reason: error.to_string(),
            };
            let outcomes = next.await.map_err(cut_off)??;
            if let Err(difference) = judge.take(outcomes, history)? {
                return Ok(Some(difference));
            }
            if let Some(progress) = &mut self.options.progress {
                progress(judge.state.totals.receipts, source.len_hint());
            }
            if let Some(file) = &mut self.state {
                file.keep(&judge.state)?;
            }
        }
    }

    fn examine(&self, rules: &Arc<Rules>, entries: Vec<crate::Entry>) -> Working {
        let (rules, certificates) = (Arc::clone(rules), Arc::clone(&self.certificates));
        let evidence = Arc::clone(&self.evidence);
        tokio::task::spawn_blocking(move || rules.examine(entries, &certificates, evidence.as_ref()))
    }
}
