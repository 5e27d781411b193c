//! Kill -9 at many moments of each operation, then the same command again: the chain ends where it does without.

use std::time::Duration;

use cocoon_bindings::client::ClientStorage;
use cocoon_bindings::proxy::ProxyStorage;
use cocoon_bindings::ton::Load;

use super::stage::Stage;
use crate::shown;

/// Moments at which the program is killed: in its beginning, while the key is unlocked, while it sends, while it waits.
const MOMENTS_MS: [u64; 5] = [20, 110, 260, 460, 800];

/// What an operation leaves behind, gas aside: state, amounts paid in and staked, and whole TON of the wallet.
fn left(stage: &Stage) -> String {
    fn read<T: for<'a> Load<'a>>(stage: &Stage, address: &str) -> Option<T> {
        let data = stage.data(address)?;
        T::load_from(&mut data.as_ref().as_slice().unwrap()).ok()
    }
    let client = read::<ClientStorage>(stage, &stage.client_contract())
        .map(|client| (client.state, client.balance, client.stake, client.secret_hash));
    let proxies = [stage.proxy().to_owned(), stage.own_proxy()]
        .map(|address| read::<ProxyStorage>(stage, &address).map(|proxy| (proxy.state, proxy.balance, proxy.stake)));
    let worker = stage.data(&stage.worker_contract()).is_some();
    // An operation costs less than a tenth of a TON in fees.
    let wallet = (stage.wallet_balance().get() + 100_000_000) / 1_000_000_000;
    format!("{client:?} {proxies:?} {worker} {wallet}")
}

#[test]
fn an_operation_that_is_killed_and_run_again_ends_as_one_that_was_not() {
    let stage = Stage::start();
    stage.import_and_fund("dose", 200);
    let contract = stage.client_contract();
    let secret = "ab".repeat(32);
    // One after the other: each operation finds what those before it left behind.
    let operations = [
        format!("client deploy PROXY --amount 20 --secret-hash {secret}"),
        format!("client topup {contract} 3"),
        format!("client stake {contract} 8"),
        format!("client withdraw {contract}"),
        "worker deploy PROXY".to_owned(),
        format!("proxy deploy --public-key {} --stake 12", stage.public_key([9; 32])),
        format!("proxy stake {} 4", stage.own_proxy()),
        format!("client close {contract} --no-wait"),
        format!("client topup {contract} 2 --reopen"),
    ];
    for operation in operations {
        let before = stage.snapshot();
        let whole = stage.signed(&operation);
        assert!(whole.status.success(), "{operation}: {}", shown(&whole));
        finish(&stage, &operation);
        let expected = left(&stage);

        let mut cut = 0;
        for moment in MOMENTS_MS {
            stage.restore(&before);
            if !is_cut_off(&stage, &operation, moment) {
                // It is faster than that.
                finish(&stage, &operation);
                break;
            }
            cut += 1;
            // Cut off a second time, in the recovery; then to its end.
            let second = MOMENTS_MS[usize::try_from(moment % 5).unwrap()];
            let mut told = String::new();
            if is_cut_off(&stage, &operation, second) {
                let rest = stage.signed(&operation);
                told = shown(&rest);
                assert!(rest.status.success(), "{operation} at {moment}: {told}");
            }
            finish(&stage, &operation);
            assert_eq!(
                left(&stage),
                expected,
                "{operation} killed at {moment} and {second} ms: {told}"
            );
        }
        assert!(cut >= 3, "{operation} was cut off only {cut} times");
    }
}

/// A close goes on when its delay is over.
fn finish(stage: &Stage, operation: &str) {
    if operation.starts_with("client close") {
        stage.advance(400);
        let ended = stage.signed(operation);
        assert!(ended.status.success(), "{}", shown(&ended));
    }
}

/// Whether it was killed before it told its end. One that has told its end is over, and run again it would be another one.
fn is_cut_off(stage: &Stage, operation: &str, moment: u64) -> bool {
    let mut child = stage.spawn_signed(operation);
    std::thread::sleep(Duration::from_millis(moment));
    // It may have ended by itself.
    let _ = child.kill();
    child.wait_with_output().unwrap().stdout.is_empty()
}
