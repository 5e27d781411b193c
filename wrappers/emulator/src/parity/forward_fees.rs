//! Forwarding fees of messages that a failed action phase had made before it failed.

use cocoon_bindings::ton::{Cell, CellError, DynCell, Load};
use tycho_executor::{ExtStorageStat, ParsedConfig, StorageStatLimits};
use tycho_types::models::{ActionPhase, IntAddr, OutAction, RelaxedMsgInfo};
use tycho_types::num::{Tokens, VarUint56};

/// The sum, or nothing if the messages cannot be told from the list of actions with certainty.
pub(super) fn before_failure(
    phase: &ActionPhase,
    actions: &Cell,
    workchain: i8,
    config: &ParsedConfig,
) -> Result<Option<Tokens>, CellError> {
    let failed_at = usize::try_from(phase.result_arg.unwrap_or(0)).unwrap_or(0);
    let (mut messages, mut cells, mut total) = (0u16, 0u64, Tokens::ZERO);
    for action in list(actions)?.into_iter().take(failed_at) {
        let OutAction::SendMsg { out_msg, .. } = action else {
            continue;
        };
        let info = out_msg.load()?.info;
        let to_masterchain = match &info {
            RelaxedMsgInfo::Int(info) if info.value.other.is_empty() => {
                matches!(&info.dst, IntAddr::Std(to) if to.workchain == -1)
            }
            RelaxedMsgInfo::Int(_) => return Ok(None),
            RelaxedMsgInfo::ExtOut(_) => false,
        };
        let mut size = ExtStorageStat::with_limits(StorageStatLimits::UNLIMITED);
        if !out_msg.inner().references().all(|cell| size.add_cell(cell)) {
            return Ok(None);
        }
        let fee = config
            .fwd_prices(workchain == -1 || to_masterchain)
            .compute_fwd_fee(size.stats());
        total = total.checked_add(fee).ok_or(CellError::IntOverflow)?;
        cells = cells.saturating_add(size.stats().cell_count).saturating_add(1);
        messages = messages.saturating_add(1);
    }
    // Messages that were skipped, or laid out anew to fit, are not in the list as they were made.
    let certain = messages == phase.messages_created && VarUint56::new(cells) == phase.total_message_size.cells;
    Ok(certain.then_some(total).filter(|total| !total.is_zero()))
}

/// The actions in order; the list holds the last one first.
fn list(actions: &Cell) -> Result<Vec<OutAction>, CellError> {
    let mut found = Vec::new();
    let mut rest: &DynCell = actions.as_ref();
    loop {
        let mut slice = rest.as_slice()?;
        if slice.is_data_empty() && slice.is_refs_empty() {
            found.reverse();
            return Ok(found);
        }
        rest = slice.load_reference()?;
        found.push(OutAction::load_from(&mut slice)?);
    }
}
