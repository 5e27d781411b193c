//! A long life: ten thousand answers by three proxies and ten workers, while the network's owner changes prices and takes the
//! workers' image off its list and puts it back. Messages between contracts come late and in another order, and some bounce.

use std::collections::{BTreeMap, BTreeSet};

use rand::rngs::StdRng;
use rand::{Rng as _, SeedableRng as _};

use crate::child;
use crate::nodes::Node;
use crate::plan::{Event, Plan, What};
use crate::setting::Setting;
use crate::user::Outcome;
use crate::{check, world};

const PROXIES: u8 = 3;
const WORKERS: u8 = 10;
/// Answers that it takes.
const ANSWERS: usize = 10_000;
/// Requests: some come while no worker may serve, or while the proxies go over to contracts of new terms.
const REQUESTS: usize = 11_600;
/// Receipts at least of each proxy, and under each of the terms.
const LEAST: usize = 100;
/// Milliseconds in which they are asked.
const UNTIL_MS: u64 = 400_000;

/// Lives it; an error says what does not hold.
pub(crate) fn live(life: child::Life) -> Result<(), String> {
    let setting = Setting::new(PROXIES);
    let world = world::settled(&setting, plan(life.seed), life)?;
    let answered = {
        let diary = world.diary.lock().unwrap();
        let is_answered = |end: &(u64, Outcome)| end.1 == Outcome::Answered;
        diary
            .iter()
            .filter(|asked| asked.ended.as_ref().is_some_and(is_answered))
            .count()
    };
    if answered < ANSWERS {
        return Err(format!("only {answered} of {REQUESTS} requests were answered"));
    }
    let (mut workers, mut receipts) = (BTreeSet::new(), 0);
    let mut terms = BTreeMap::<u32, usize>::new();
    for number in 0..PROXIES {
        let log = check::log(&world, Node::Proxy(number)).map_err(|error| format!("{error:?}"))?;
        for signed in &log {
            let statement = &signed.receipt.statement;
            *terms.entry(statement.params_version.get()).or_default() += 1;
            workers.insert((number, statement.worker.clone()));
        }
        if log.len() < LEAST {
            return Err(format!("proxy {number} has {} receipts", log.len()));
        }
        receipts += log.len();
    }
    // A client that lost a proxy during a change of terms may stay with the others: the terms count over all.
    if terms.len() != 3 || terms.values().any(|count| *count < LEAST) {
        return Err(format!("there are receipts under terms {terms:?}"));
    }
    let least = usize::from(PROXIES) * usize::from(WORKERS);
    if workers.len() < least || receipts < ANSWERS {
        return Err(format!("{receipts} receipts of {} channels", workers.len()));
    }
    Ok(())
}

fn plan(seed: u64) -> Plan {
    let rng = &mut StdRng::seed_from_u64(seed);
    let mut events: Vec<Event> = Vec::new();
    for _ in 0..REQUESTS {
        let at = rng.random_range(10_000..UNTIL_MS);
        let (streams, tokens) = (rng.random_bool(0.3), rng.random_range(1..200));
        let what = What::Ask { streams, tokens };
        events.push(Event { at, what });
    }
    let changes = [
        (
            UNTIL_MS / 3,
            What::Prices {
                price: 2_500,
                fee: 2_000,
            },
        ),
        (UNTIL_MS / 2, What::WorkersListed(false)),
        (UNTIL_MS / 2 + 4_000, What::WorkersListed(true)),
        (UNTIL_MS / 3 * 2, What::Prices { price: 1_500, fee: 700 }),
    ];
    events.extend(changes.map(|(at, what)| Event { at, what }));
    events.sort_by_key(|event| event.at);
    Plan {
        workers: WORKERS,
        proxies: PROXIES,
        events,
        until: UNTIL_MS,
        cuts: 0,
        is_chain_faulty: true,
        bad_answers: 0,
        liars: Vec::new(),
        is_fair: false,
        cheat: None,
    }
}
