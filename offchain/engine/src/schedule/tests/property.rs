//! Any requests, in any order, on any pool, on a device that is ahead or not.

use super::device::{Ending, World, alone};
use super::*;
use proptest::prelude::*;

#[derive(Debug, Clone)]
enum Event {
    Submit {
        family: u32,
        prompt: usize,
        answer: usize,
        payer: u8,
        salt: u8,
        ending: Ending,
        /// Seconds that it may take.
        patience: Option<u64>,
    },
    Step,
    /// The live sequence with this number, modulo their count.
    Cancel(usize),
    Wait(u64),
}

fn event() -> impl Strategy<Value = Event> {
    let ending = prop_oneof![Just(Ending::Known), Just(Ending::Surprise), Just(Ending::OnHost)];
    let patience = proptest::option::weighted(0.2, 1..30u64);
    let submit = (0..3u32, 1..24usize, 1..16usize, 0..4u8, 0..3u8, ending, patience);
    let submit = submit.prop_map(
        |(family, prompt, answer, payer, salt, ending, patience)| Event::Submit {
            family,
            prompt,
            answer,
            payer,
            salt,
            ending,
            patience,
        },
    );
    prop_oneof![
        4 => submit,
        8 => Just(Event::Step),
        1 => any::<usize>().prop_map(Event::Cancel),
        1 => (1..20u64).prop_map(Event::Wait),
    ]
}

fn any_bounds() -> impl Strategy<Value = Bounds> {
    (1..6usize, 0..12usize, 1..40usize, 10..30usize).prop_map(|(seqs, waiting, step, blocks)| Bounds {
        max_num_seqs: seqs,
        max_waiting: waiting,
        max_queue_age: Duration::from_secs(40),
        step_tokens: step,
        blocks,
        block_size: 4,
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    /// Every sequence that was not cancelled or dropped ends, in a bounded number of steps, with the tokens that it has
    /// alone; blocks are read only by those for whom they were written; none is left over. Checks of the books run
    /// after every event.
    #[test]
    fn whatever_comes_each_gets_what_it_gets_alone(
        bounds in any_bounds(),
        ahead in 0..3usize,
        events in proptest::collection::vec(event(), 1..80),
    ) {
        let mut world = World::ahead(bounds, ahead);
        let mut asked = std::collections::BTreeMap::new();
        for event in events {
            match event {
                Event::Submit { family, prompt, answer, payer, salt, ending, patience } => {
                    let payer = (payer > 0).then_some(Payer([payer; 32]));
                    let salt = (salt > 0).then_some(PayerSalt([salt; 32]));
                    if world.scheduler.check_room(payer).is_err() {
                        continue;
                    }
                    // Texts of a family begin alike and part at places of their own.
                    let prompt: Vec<u32> = (0..prompt as u32).map(|at| family * 100 + at / (family + 1)).collect();
                    let deadline = patience.map(|seconds| world.now + Duration::from_secs(seconds));
                    let id = world.enqueue(Aim::Answer, prompt.clone(), answer, payer, salt, deadline);
                    world.set_ending(id, ending);
                    asked.insert(id, (prompt, answer));
                }
                Event::Step => drop(world.step()),
                Event::Cancel(number) => {
                    let live = world.live();
                    // One that was pushed out is no longer the scheduler's, and the next step says so.
                    let live: Vec<_> = live.into_iter().filter(|id| world.scheduler.dropped.iter().all(|(other, _)| other != id)).collect();
                    if !live.is_empty() {
                        world.cancel(live[number % live.len()]);
                    }
                }
                Event::Wait(seconds) => world.now += Duration::from_secs(seconds),
            }
        }
        world.finish();
        for (id, tokens) in &world.finished {
            let (prompt, answer) = &asked[id];
            prop_assert_eq!(tokens, &alone(prompt, *answer));
        }
    }

    /// Without cancels and clocks, everybody is served.
    #[test]
    fn nobody_starves(bounds in any_bounds(), ahead in 0..3usize, requests in proptest::collection::vec((1..24usize, 1..16usize, 0..4u8), 1..40)) {
        let mut world = World::ahead(Bounds { max_waiting: 40, ..bounds }, ahead);
        for (prompt, answer, payer) in &requests {
            world.submit(text(*prompt as u32), *answer, Some(Payer([*payer; 32])), Some(PayerSalt([*payer; 32])));
        }
        world.finish();
        prop_assert_eq!(world.finished.len(), requests.len());
    }
}
