//! A copy of the whole chain, and its form on disk: one tree of cells behind its own hash.

use std::collections::VecDeque;
use std::sync::Arc;

use cocoon_bindings::ton::{Address, Boc, Cell, CellBuilder, CellError, CellFamily, CellSlice, Dict, HashBytes, Load};
use tycho_types::cell::Store;
use tycho_types::dict::build_dict_from_sorted_iter;
use tycho_types::models::ShardAccount;

use crate::EmulatorError;
use crate::message::Message;
use crate::network::NetworkConfig;
use crate::report::TransactionReport;
use crate::state::ChainState;

/// First bytes of a saved chain.
const MAGIC: &[u8; 8] = b"COCOCHN1";

/// A copy of the whole chain: accounts, messages under way, history, time and fees.
#[derive(Debug, Clone)]
pub struct Snapshot {
    pub(crate) network: NetworkConfig,
    pub(crate) state: ChainState,
}

impl Snapshot {
    /// The chain's time when the copy was made, seconds since 1970.
    pub fn now(&self) -> u32 {
        self.state.now
    }

    /// Number of transactions.
    pub fn transaction_count(&self) -> usize {
        self.state.transactions.len()
    }

    /// The form on disk: 8 bytes of magic, 32 bytes of hash, a bag of cells.
    pub fn to_bytes(&self) -> Result<Vec<u8>, EmulatorError> {
        let network = self.network.to_config_cell()?;
        let root = self.store(network).map_err(EmulatorError::cell("chain state"))?;
        let mut bytes = Vec::from(MAGIC.as_slice());
        bytes.extend_from_slice(root.repr_hash().as_array());
        bytes.extend(Boc::encode(&root));
        Ok(bytes)
    }

    /// Reads the form on disk. A flipped bit anywhere is an error.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, EmulatorError> {
        let damaged = |reason: String| EmulatorError::Snapshot(reason);
        let rest = bytes
            .strip_prefix(MAGIC.as_slice())
            .ok_or_else(|| damaged("not a saved chain".to_owned()))?;
        let (hash, boc) = rest
            .split_first_chunk::<32>()
            .ok_or_else(|| damaged("cut short".to_owned()))?;
        let root = Boc::decode(boc).map_err(|error| damaged(error.to_string()))?;
        if root.repr_hash() != &HashBytes(*hash) {
            return Err(damaged("its hash does not match its contents".to_owned()));
        }
        let mut slice = root.as_slice().map_err(|error| damaged(error.to_string()))?;
        let config = slice
            .load_reference_cloned()
            .map_err(EmulatorError::cell("chain state"))?;
        let network = NetworkConfig::from_config_cell(config)?;
        let state = load(&mut slice).map_err(EmulatorError::cell("chain state"))?;
        Ok(Self { network, state })
    }

    fn store(&self, network: Cell) -> Result<Cell, CellError> {
        let mut builder = CellBuilder::new();
        builder.store_reference(network)?;
        store(&self.state, &mut builder)?;
        builder.build()
    }
}

pub(crate) fn store(state: &ChainState, builder: &mut CellBuilder) -> Result<(), CellError> {
    let context = Cell::empty_context();
    let accounts = build_dict_from_sorted_iter(state.accounts.iter().map(|(k, v)| (k.clone(), v)), context)?;
    let queue = build_dict_from_sorted_iter((0u32..).zip(state.queue.iter()), context)?;
    let history = state.transactions.iter().map(|report| (report.lt, &report.cell));
    let transactions = build_dict_from_sorted_iter(history, context)?;
    builder.store_u32(state.now)?;
    builder.store_u64(state.lt)?;
    builder.store_u128(state.minted)?;
    builder.store_u128(state.collected)?;
    for part in [accounts, queue, transactions] {
        part.store_into(builder, context)?;
    }
    Ok(())
}

pub(crate) fn load(slice: &mut CellSlice<'_>) -> Result<ChainState, CellError> {
    let mut state = ChainState::new(slice.load_u32()?);
    state.lt = slice.load_u64()?;
    state.minted = slice.load_u128()?;
    state.collected = slice.load_u128()?;
    for entry in Dict::<Address, ShardAccount>::load_from(slice)?.iter() {
        let (address, account) = entry?;
        state.accounts.insert(address, account);
    }
    state.queue = Dict::<u32, Cell>::load_from(slice)?
        .values()
        .collect::<Result<VecDeque<_>, _>>()?;
    for transaction in Dict::<u64, Cell>::load_from(slice)?.values() {
        state.record(Arc::new(report(transaction?)?));
    }
    Ok(state)
}

/// The workchain is not in the transaction; the message that set it off names it.
fn report(transaction: Cell) -> Result<TransactionReport, CellError> {
    let parsed = transaction.parse::<tycho_types::models::Transaction>()?;
    let message = parsed.in_msg.map(Message::from_cell).transpose()?;
    let workchain = message
        .and_then(|message| message.destination)
        .map_or(0, |address| address.workchain);
    TransactionReport::from_cell(workchain, transaction)
}
