//! The chain as a whole, with contracts of a few instructions.

use cocoon_bindings::StateInit;
use cocoon_bindings::message::{InternalMessage, external};
use cocoon_bindings::ton::{Address, Cell, CellBuilder, CellFamily, HashBytes, StackValue};
use cocoon_bindings::units::Nanoton;
use proptest::prelude::*;

use crate::{AccountStatus, Emulator, EmulatorError, NetworkConfig, SkipReason, Snapshot, report::Compute};

const START: u32 = 1_780_000_000;
const FAR: Address = Address::new(0, HashBytes([9; 32]));

/// Code of raw instructions, with references.
pub(crate) fn code(instructions: &[u8], references: &[Cell]) -> Cell {
    let mut builder = CellBuilder::new();
    builder
        .store_raw(instructions, u16::try_from(instructions.len() * 8).unwrap())
        .unwrap();
    for reference in references {
        builder.store_reference(reference.clone()).unwrap();
    }
    builder.build().unwrap()
}

/// Takes everything: no instruction at all.
fn quiet() -> StateInit {
    StateInit {
        code: code(&[], &[]),
        data: Cell::empty_cell(),
    }
}

/// Refuses everything: THROW 33.
pub(crate) fn thrower() -> StateInit {
    StateInit {
        code: code(&[0xf2, 0x21], &[]),
        data: Cell::empty_cell(),
    }
}

/// Answers every get method with its number and 42: PUSHINT 42.
fn answering() -> StateInit {
    StateInit {
        code: code(&[0x80, 42], &[]),
        data: Cell::empty_cell(),
    }
}

/// Sends fixed messages at every call: ACCEPT, and for each PUSHREF, PUSHINT `mode`, SENDRAWMSG.
pub(crate) fn senders(messages: &[InternalMessage], mode: u8, salt: u32) -> StateInit {
    let cells: Vec<Cell> = messages.iter().map(|message| message.to_cell().unwrap()).collect();
    let mut instructions = vec![0xf8, 0x00];
    for _ in messages {
        instructions.extend([0x88, 0x81, 0x00, mode, 0xfb, 0x00]);
    }
    StateInit {
        code: code(&instructions, &cells),
        data: CellBuilder::build_from(salt).unwrap(),
    }
}

pub(crate) fn sender(message: &InternalMessage, mode: u8, salt: u32) -> StateInit {
    senders(std::slice::from_ref(message), mode, salt)
}

pub(crate) fn transfer(to: &Address, value: Nanoton, bounce: bool) -> InternalMessage {
    InternalMessage {
        to: to.clone(),
        value,
        bounce,
        body: Cell::empty_cell(),
        state_init: None,
    }
}

fn chain() -> Emulator {
    Emulator::new(&NetworkConfig::spring_2026(), START).unwrap()
}

pub(crate) fn deploy(chain: &mut Emulator, state: &StateInit, value: Nanoton) -> Address {
    let address = state.address().unwrap();
    let message = InternalMessage {
        state_init: Some(state.clone()),
        ..transfer(&address, value, false)
    };
    chain.send_internal(&FAR, &message).unwrap();
    address
}

#[test]
fn a_message_with_state_deploys() {
    let mut chain = chain();
    let address = deploy(&mut chain, &quiet(), Nanoton::from_ton(1));
    let account = chain.account(&address).unwrap().unwrap();
    assert_eq!(account.status, AccountStatus::Active);
    assert_eq!(account.code, Some(quiet().code));
    let report = chain.transactions(&address).remove(0);
    assert_eq!(
        (report.status_before, report.status_after),
        (AccountStatus::NotExists, AccountStatus::Active)
    );
    assert_eq!(report.exit_code(), Some(0));
    assert_eq!(account.last_hash, report.hash);
    assert_eq!(account.last_lt, report.lt);
}

#[test]
fn a_transfer_arrives_and_its_fees_are_reported() {
    let mut chain = chain();
    let message = transfer(&FAR, Nanoton::new(500_000_000), false);
    let from = deploy(&mut chain, &sender(&message, 1, 0), Nanoton::from_ton(2));
    chain.run().unwrap();
    assert_eq!(chain.balance(&FAR).unwrap(), Nanoton::new(500_000_000));
    let report = chain.transactions(&from).remove(0);
    assert_eq!(report.fees.forward, Nanoton::new(66_667));
    let metered = u128::from((report.gas_used() - 100) * 4_369_067).div_ceil(65_536);
    assert_eq!(report.fees.gas, Nanoton::new(6_667 + metered));
    assert_eq!(report.out_msgs.len(), 1);
    assert_eq!(report.fees.import, Nanoton::ZERO);
    assert!(chain.books().unwrap().balanced());
}

#[test]
fn a_failed_message_comes_back() {
    let mut chain = chain();
    let source = deploy(&mut chain, &quiet(), Nanoton::from_ton(1));
    let target = deploy(&mut chain, &thrower(), Nanoton::from_ton(1));
    let report = chain
        .send_internal(&source, &transfer(&target, Nanoton::from_ton(1), true))
        .unwrap();
    assert_eq!(report.exit_code(), Some(33));
    assert!(report.aborted && report.bounced);
    let returned = chain.run().unwrap().remove(0);
    assert_eq!(returned.address, source);
    assert!(returned.in_msg.as_ref().unwrap().bounced);
    assert!(chain.balance(&source).unwrap() > Nanoton::new(1_990_000_000));
    assert!(chain.books().unwrap().balanced());
}

#[test]
fn a_refused_external_message_changes_nothing() {
    let mut chain = chain();
    let address = deploy(&mut chain, &thrower(), Nanoton::from_ton(1));
    let before = chain.snapshot().to_bytes().unwrap();
    let refused = chain.send_external(external(&address, Cell::empty_cell(), None).unwrap());
    assert!(
        matches!(
            refused,
            Err(EmulatorError::ExternalRefused {
                exit_code: Some(33),
                ..
            })
        ),
        "{refused:?}"
    );
    let nobody = chain.send_external(external(&FAR, Cell::empty_cell(), None).unwrap());
    assert!(
        matches!(nobody, Err(EmulatorError::ExternalRefused { exit_code: None, .. })),
        "{nobody:?}"
    );
    assert_eq!(chain.snapshot().to_bytes().unwrap(), before);
}

#[test]
fn an_accepted_external_message_pays_for_its_import() {
    let mut chain = chain();
    let address = deploy(
        &mut chain,
        &sender(&transfer(&FAR, Nanoton::new(1), false), 1, 0),
        Nanoton::from_ton(1),
    );
    let report = chain
        .send_external(external(&address, Cell::empty_cell(), None).unwrap())
        .unwrap();
    assert_eq!(report.fees.import, Nanoton::new(66_667));
    chain.run().unwrap();
    assert!(chain.books().unwrap().balanced());
}

#[test]
fn a_get_method_answers_and_changes_nothing() {
    let mut chain = chain();
    let address = deploy(&mut chain, &answering(), Nanoton::from_ton(1));
    let result = chain.get(&address, "seqno", vec![StackValue::int(7)]).unwrap();
    assert!(result.success());
    assert_eq!(result.stack, [7, 85143, 42].map(StackValue::int));
    assert!(matches!(
        chain.get(&FAR, "seqno", vec![]),
        Err(EmulatorError::NotActive(_))
    ));
    assert_eq!(chain.transactions(&address).len(), 1);
}

#[test]
fn a_message_that_is_spoilt_on_its_way_keeps_its_coins() {
    let mut chain = chain();
    let message = transfer(&FAR, Nanoton::new(5), false);
    deploy(&mut chain, &sender(&message, 1, 0), Nanoton::from_ton(1));
    let before = chain.pending().unwrap().remove(0);
    chain.spoil_at(0).unwrap();
    let after = chain.pending().unwrap().remove(0);
    assert_eq!(after.op(), Some(0x0bad_0bad));
    assert_ne!(before.body, after.body);
    assert_eq!((before.value, before.destination), (after.value, after.destination));
    assert_eq!((before.source, before.bounce), (after.source, after.bounce));
    chain.spoil_at(1).unwrap();
    chain.run().unwrap();
    assert!(chain.books().unwrap().balanced());
}

#[test]
fn a_snapshot_brings_everything_back() {
    let mut chain = chain();
    let message = transfer(&FAR, Nanoton::new(5), false);
    let address = deploy(&mut chain, &sender(&message, 1, 0), Nanoton::from_ton(1));
    assert_eq!(
        chain.pending().unwrap().len(),
        1,
        "a message is under way when the copy is made"
    );
    let snapshot = chain.snapshot();
    let bytes = snapshot.to_bytes().unwrap();
    chain.advance(1000).unwrap();
    chain.run().unwrap();
    chain.restore(&Snapshot::from_bytes(&bytes).unwrap()).unwrap();
    assert_eq!(chain.now(), START);
    assert_eq!(chain.snapshot().to_bytes().unwrap(), bytes);
    assert_eq!(chain.transactions(&address).len(), 1);
    assert_eq!(chain.run().unwrap().len(), 1);
    assert!(chain.books().unwrap().balanced());
}

#[test]
fn a_flipped_bit_in_a_saved_chain_is_noticed() {
    let mut chain = chain();
    deploy(&mut chain, &quiet(), Nanoton::from_ton(1));
    let bytes = chain.snapshot().to_bytes().unwrap();
    for place in 0..bytes.len() {
        let mut damaged = bytes.clone();
        damaged[place] ^= 1;
        assert!(Snapshot::from_bytes(&damaged).is_err(), "byte {place}");
        assert!(Snapshot::from_bytes(&bytes[..place]).is_err(), "cut at {place}");
    }
}

#[test]
fn history_is_a_chain_of_hashes_per_account() {
    let mut chain = chain();
    let address = deploy(&mut chain, &quiet(), Nanoton::from_ton(1));
    for _ in 0..5 {
        chain.fund(&address, Nanoton::from_ton(1)).unwrap();
    }
    let history = chain.transactions(&address);
    for pair in history.windows(2) {
        assert_eq!((pair[1].previous_lt, pair[1].previous_hash), (pair[0].lt, pair[0].hash));
        assert!(pair[1].block() > pair[0].block());
    }
    assert_eq!(history[0].previous_lt, 0);
    let page = chain.transactions_from(&address, Some((history[3].lt, history[3].hash)), 2);
    assert_eq!(page, [history[3].clone(), history[2].clone()]);
    assert_eq!(chain.block_transactions(history[2].block()), &[history[2].clone()]);
    assert!(
        chain
            .transactions_from(&address, Some((history[3].lt, HashBytes::ZERO)), 2)
            .is_empty()
    );
}

#[test]
fn storage_is_paid_for_by_the_second() {
    let mut chain = chain();
    let address = deploy(&mut chain, &quiet(), Nanoton::from_ton(1));
    let account = chain.account(&address).unwrap().unwrap();
    chain.advance(31_536_000).unwrap();
    let report = chain.fund(&address, Nanoton::new(1)).unwrap();
    let expected = (u128::from(account.cells) * 135 * 31_536_000).div_ceil(65_536);
    assert_eq!(report.fees.storage, Nanoton::new(expected));
    assert!(chain.set_now(START).is_err(), "time does not run backwards");
}

#[test]
fn a_message_to_nobody_with_a_nanoton_is_skipped_for_lack_of_gas() {
    let mut chain = chain();
    let address = deploy(&mut chain, &quiet(), Nanoton::from_ton(1));
    let report = chain
        .send_internal(&FAR, &transfer(&address, Nanoton::new(1), false))
        .unwrap();
    assert_eq!(report.compute, Compute::Skipped(SkipReason::NoGas));
}

#[test]
fn messages_that_never_rest_are_stopped_with_an_error() {
    let mut chain = chain();
    let wall = deploy(&mut chain, &thrower(), Nanoton::from_ton(1));
    // What the wall throws back makes the sender send again.
    deploy(
        &mut chain,
        &sender(&transfer(&wall, Nanoton::from_ton(1), true), 1, 0),
        Nanoton::from_ton(1000),
    );
    assert!(matches!(chain.run(), Err(EmulatorError::Restless { .. })));
    assert!(chain.books().unwrap().balanced());
}

#[test]
fn amounts_suffice_under_the_dear_schedule_too() {
    let mut chain = Emulator::new(&NetworkConfig::october_2025(), START).unwrap();
    let address = deploy(
        &mut chain,
        &sender(&transfer(&FAR, Nanoton::new(1), false), 1, 0),
        Nanoton::from_ton(1),
    );
    let report = chain.transactions(&address).remove(0);
    assert_eq!(report.fees.forward, Nanoton::new(400_000));
    assert_eq!(report.fees.gas, Nanoton::new(u128::from(report.gas_used()) * 400));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Whatever is sent wherever, with any mode, at any time, in any order of delivery.
    #[test]
    fn all_messages_conserve_coins(
        steps in proptest::collection::vec((0u8..6, 0u64..3_000_000_000, any::<u8>(), 0u32..40_000_000), 1..25),
    ) {
        let mut chain = chain();
        let quiet = deploy(&mut chain, &quiet(), Nanoton::from_ton(1));
        let thrower = deploy(&mut chain, &thrower(), Nanoton::from_ton(1));
        for (index, (kind, value, byte, time)) in steps.into_iter().enumerate() {
            let value = Nanoton::new(u128::from(value));
            let targets = [&quiet, &thrower, &FAR];
            let target = targets[usize::from(byte) % 3].clone();
            let bounce = byte & 0x40 != 0;
            match kind {
                0 => drop(chain.fund(&target, value).unwrap()),
                1 => drop(chain.send_internal(&quiet, &transfer(&target, value, bounce)).unwrap()),
                2 => {
                    let mode = [0, 1, 2, 3, 64, 128, 160, 16][usize::from(byte) % 8];
                    let state = sender(&transfer(&target, value, bounce), mode, u32::try_from(index).unwrap());
                    deploy(&mut chain, &state, Nanoton::from_ton(1));
                }
                3 => chain.advance(time).unwrap(),
                4 => drop(chain.step_at(usize::from(byte) % 4).unwrap()),
                // A message that bounces between two contracts would go on for long.
                _ => drop((0..30).map_while(|_| chain.step().unwrap()).count()),
            }
            let books = chain.books().unwrap();
            prop_assert!(books.balanced(), "{books:?}");
        }
    }
}
