//! The course of a life: faults, their end, and then the books.

use super::{STEP_MS, World};
use crate::plan::{Plan, What};
use crate::setting::Setting;
use crate::{check, child};

/// Milliseconds that a network without faults gets to settle its books.
const SETTLE_MS: u64 = 400_000;
/// Milliseconds between two looks whether it has.
const LOOK_MS: u64 = 4_000;

/// Runs a seed to its end; an error says what does not hold.
pub(crate) fn live(setting: &Setting, plan: Plan, life: child::Life) -> Result<(), String> {
    settled(setting, plan, life).map(drop)
}

/// The same; gives the world whose books agree.
pub(crate) fn settled<'a>(setting: &'a Setting, plan: Plan, life: child::Life) -> Result<World<'a>, String> {
    let mut world = World::new(setting, life, &plan);
    world.chain.set_faulty(plan.is_chain_faulty);
    world.net.set_cuts(plan.cuts);
    let plan_is_fair = plan.is_fair;
    let mut events = plan.events.into_iter().peekable();
    while world.now() < world.until {
        while let Some(event) = events.next_if(|event| event.at <= world.now()) {
            world.happen(event.what);
        }
        world.sabotage();
        world.step();
        check::requests(&world)?;
    }
    if plan_is_fair {
        check::peace(&world)?;
    }
    world.calm();
    let end = world.now() + SETTLE_MS;
    let mut reason = "nothing was looked at".to_owned();
    while world.now() < end {
        for _ in 0..LOOK_MS / STEP_MS {
            world.step();
            check::requests(&world)?;
        }
        if !check::is_quiet(&world) {
            continue;
        }
        match check::service(&world) {
            Err(why) => {
                reason = why;
                world.happen(What::Ask {
                    streams: false,
                    tokens: 5,
                });
                continue;
            }
            Ok(()) => match check::books(&world) {
                Ok(()) => return Ok(world),
                Err(check::Problem::NotYet(why)) => reason = why,
                Err(check::Problem::Never(why)) => return Err(why),
            },
        }
    }
    let words = world
        .places
        .iter()
        .map(|place| format!("{:?}: {}", place.node, place.last_words));
    Err(format!(
        "does not settle: {reason}; {}",
        words.collect::<Vec<_>>().join("; ")
    ))
}
