//! Servers that lag, lie, and contradict each other.

use super::*;
use crate::client::TransactionId;
use cocoon_bindings::ton::HashBytes;
use cocoon_bindings::units::Nanoton;
use cocoon_emulator::AccountStatus;

const CLOCK: u32 = 1_800_000_000;

fn state(lt: u64, time: u32) -> AccountState {
    AccountState {
        address: Address::new(0, HashBytes([1; 32])),
        balance: Nanoton::ZERO,
        status: AccountStatus::Active,
        code: None,
        data: None,
        last: (lt != 0).then_some(TransactionId {
            lt,
            hash: HashBytes::ZERO,
        }),
        time,
    }
}

fn witness(server: usize, now: Instant) -> Witness {
    Witness {
        server,
        clock: CLOCK,
        now,
    }
}

#[test]
fn an_account_never_goes_back() {
    let (mut seen, who) = (Seen::default(), witness(0, Instant::now()));
    let address = state(1, 1).address;
    for (lt, time, fine, is_active) in [
        (10, CLOCK, true, true),
        (10, CLOCK - 5, true, true),
        (9, CLOCK + 1, false, true),
        (12, CLOCK, true, true),
        (0, CLOCK - 1, false, true),
        (0, CLOCK + 1, true, false),
        (20, CLOCK - seconds(MAX_BEHIND) - 10, false, false),
    ] {
        let verdict = seen.check_account(&state(lt, time), who);
        assert_eq!(verdict.is_ok(), fine, "{lt} at {time}: {verdict:?}");
        assert_eq!(
            seen.was_active(&address),
            is_active,
            "who does not know it must be confirmed"
        );
    }
    assert!(seen.check_history(&address, None, who).is_err());
    assert!(seen.check_getter(&address, 11, who).is_err());
    assert!(seen.check_getter(&address, 12, who).is_ok());
}

#[test]
fn a_lie_that_only_the_liar_repeats_falls_and_is_not_believed_again() {
    let (mut seen, start) = (Seen::default(), Instant::now());
    let mut lt = 1 << 60;
    seen.check_account(&state(lt, CLOCK), witness(0, start)).unwrap();
    let mut now = start;
    while now < start + SEEN_FOR {
        assert!(seen.check_account(&state(10, CLOCK), witness(1, now)).is_err());
        lt += 1;
        seen.check_account(&state(lt, CLOCK), witness(0, now)).unwrap();
        now += SEEN_FOR / 10;
    }
    seen.check_account(&state(10, CLOCK), witness(1, now)).unwrap();
    assert!(seen.check_account(&state(lt, CLOCK), witness(0, now)).is_err());
    assert!(seen.check_account(&state(10, CLOCK), witness(0, now)).is_ok());
    seen.check_account(&state(11, CLOCK), witness(1, now)).unwrap();
}

#[test]
fn a_server_that_lags_does_not_turn_an_account_back() {
    let (mut seen, mut now) = (Seen::default(), Instant::now());
    for lt in 10..100 {
        seen.check_account(&state(lt, CLOCK), witness(0, now)).unwrap();
        let late = seen.check_account(&state(lt - 2, CLOCK), witness(1, now));
        assert!(late.is_err(), "{lt}");
        now += SEEN_FOR / 10;
    }
    // The only server of a pool that shows less once.
    let mut seen = Seen::default();
    for lt in [10, 9, 10] {
        let _ = seen.check_account(&state(lt, CLOCK), witness(0, now));
    }
    now += SEEN_FOR;
    assert!(seen.check_account(&state(9, CLOCK), witness(0, now)).is_err());
    now += SEEN_FOR;
    seen.check_account(&state(9, CLOCK), witness(0, now)).unwrap();
    seen.check_account(&state(11, CLOCK), witness(0, now)).unwrap();
}

#[test]
fn a_time_that_cannot_be_counts_only_if_all_tell_such_times() {
    let (mut seen, now) = (Seen::default(), Instant::now());
    let (liar, honest) = (witness(0, now), witness(1, now));
    seen.note_time(u32::MAX, liar);
    seen.note_time(CLOCK, honest);
    assert!(!seen.is_behind(CLOCK, CLOCK));
    assert!(seen.check_account(&state(10, u32::MAX), liar).is_err() && seen.check_time(u32::MAX, liar).is_err());
    assert!(seen.check_account(&state(10, CLOCK), honest).is_ok());
    // As far ahead as may be, others are not behind.
    seen.check_time(CLOCK + seconds(MAX_AHEAD), liar).unwrap();
    assert!(seen.check_time(CLOCK - 30, honest).is_ok());
    // This machine's clock is slow: the servers are compared with each other.
    let mut seen = Seen::default();
    for (server, time) in [u32::MAX, CLOCK + 5000, CLOCK + 4990, CLOCK + 1000]
        .into_iter()
        .enumerate()
    {
        seen.note_time(time, witness(server, now));
    }
    assert!(seen.is_behind(CLOCK + 1000, CLOCK) && !seen.is_behind(CLOCK + 4990, CLOCK));
}

#[test]
fn it_remembers_a_bounded_number_of_accounts() {
    let (mut seen, who) = (Seen::default(), witness(0, Instant::now()));
    for n in 0..MAX_SEEN_ACCOUNTS as u64 + 10 {
        let mut hash = [0; 32];
        hash[..8].copy_from_slice(&n.to_be_bytes());
        let address = Address::new(0, HashBytes(hash));
        seen.check_getter(&address, 1, who).unwrap();
    }
    assert_eq!(
        (seen.accounts.len(), seen.order.len()),
        (MAX_SEEN_ACCOUNTS, MAX_SEEN_ACCOUNTS)
    );
}
