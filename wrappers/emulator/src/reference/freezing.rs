//! Accounts that cannot pay for their storage: frozen, woken, deleted.

use cocoon_bindings::StateInit;
use cocoon_bindings::message::InternalMessage;
use cocoon_bindings::ton::{Address, Cell, CellBuilder};
use cocoon_bindings::units::Nanoton;

use super::{Recorder, Step, big};
use crate::tests::{code, deploy, thrower, transfer};
use crate::{AccountStatus, NetworkConfig};

/// Sixty years, in which even a small account's storage costs more than it has, at the lower prices too.
const FAR_AHEAD: u32 = 1_900_000_000;

/// A contract of many cells that keeps its data and sends nothing.
fn idle(cells: u32) -> StateInit {
    let mut row: Vec<Cell> = (0..cells).map(|n| CellBuilder::build_from(n).unwrap()).collect();
    while row.len() > 1 {
        let join = |cells: &[Cell]| {
            let mut builder = CellBuilder::new();
            for cell in cells {
                builder.store_reference(cell.clone()).unwrap();
            }
            builder.build().unwrap()
        };
        row = row.chunks(4).map(join).collect();
    }
    StateInit {
        code: code(&[], &[]),
        data: row.remove(0),
    }
}

/// Freezing by a message that would have run the code, coming back with the state, and the end of an account.
pub(super) fn scenario(network: &NetworkConfig) -> Vec<Step> {
    let ton = Nanoton::from_ton;
    let mut all = Vec::new();
    let mut run = Recorder::new(network);
    let with_state = |to: &Address, value: Nanoton, state: &StateInit, bounce: bool| InternalMessage {
        state_init: Some(state.clone()),
        ..transfer(to, value, bounce)
    };

    // The message that finds the account in debt freezes it, does not run its code, and goes back if it may.
    for (salt, bounce) in [(3, true), (4, false)] {
        let poor = run.once(|chain| deploy(chain, &big(salt), Nanoton::new(10_000_000)));
        run.chain.advance(FAR_AHEAD).unwrap();
        let state = run.chain.account(&poor).unwrap().unwrap().state_init().unwrap();
        let value = if bounce { ton(1) } else { Nanoton::new(1_000_000) };
        let froze = run.send(transfer(&poor, value, bounce));
        assert_eq!((froze.status_after, froze.gas_used()), (AccountStatus::Frozen, 0));
        run.rest();
        // Coins alone pay the debt and do not bring it back; a wrong state does neither.
        run.send(transfer(&poor, Nanoton::new(50_000_000), false));
        run.send(with_state(&poor, ton(1), &thrower(), true));
        run.rest();
        // The debt stays while a message that may go back brings the account back with its state.
        let woken = run.send(with_state(&poor, ton(1), &state, bounce));
        assert_eq!(woken.status_after, AccountStatus::Active);
        run.send(transfer(&poor, ton(1), true));
        all.append(&mut run.steps);
        run = Recorder::new(network);
    }

    // The very message that freezes may bring the state with it.
    let poor = run.once(|chain| deploy(chain, &big(5), Nanoton::new(10_000_000)));
    run.chain.advance(FAR_AHEAD).unwrap();
    let state = run.chain.account(&poor).unwrap().unwrap().state_init().unwrap();
    run.send(with_state(&poor, ton(1), &state, true));
    run.rest();

    // An account that still has its first data is not frozen but as good as new. One with a large debt is deleted.
    let idle = idle(1500);
    let last = run.once(|chain| deploy(chain, &idle, ton(1)));
    run.chain.advance(FAR_AHEAD).unwrap();
    run.send(transfer(&last, ton(1), true));
    run.rest();
    run.send(transfer(&last, ton(1), true));
    run.rest();
    run.send(with_state(&last, ton(30), &idle, true));
    run.rest();
    all.append(&mut run.steps);
    all.extend(deleting(network));
    all
}

/// An account whose data has changed, with a large debt: frozen by one message, deleted by the next.
fn deleting(network: &NetworkConfig) -> Vec<Step> {
    let ton = Nanoton::from_ton;
    let mut run = Recorder::new(network);
    let mut state = big(6);
    let mut data = CellBuilder::new();
    data.store_u8(6).unwrap();
    data.store_reference(idle(1500).data).unwrap();
    state.data = data.build().unwrap();
    let rich = run.once(|chain| deploy(chain, &state, ton(1)));
    run.chain.advance(FAR_AHEAD).unwrap();
    let froze = run.send(transfer(&rich, ton(1), true));
    assert_eq!(froze.status_after, AccountStatus::Frozen);
    run.rest();
    for bounce in [true, false] {
        run.send(transfer(&rich, Nanoton::new(300_000_000), bounce));
        run.rest();
    }
    run.steps
}
