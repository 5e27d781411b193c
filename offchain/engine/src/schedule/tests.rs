//! The scheduler over a device that stores tokens.

mod device;
mod property;

use super::*;
use crate::payer::PayerSalt;
use device::{Ending, World};

const A: Option<Payer> = Some(Payer([1; 32]));
const B: Option<Payer> = Some(Payer([2; 32]));
const SALT: Option<PayerSalt> = Some(PayerSalt([7; 32]));
const OTHER_SALT: Option<PayerSalt> = Some(PayerSalt([8; 32]));

fn bounds() -> Bounds {
    Bounds {
        max_num_seqs: 4,
        max_waiting: 8,
        max_queue_age: Duration::from_secs(60),
        step_tokens: 16,
        blocks: 16,
        block_size: 4,
    }
}

fn text(len: u32) -> Vec<u32> {
    (0..len).collect()
}

#[test]
fn prompts_fill_what_answers_leave_of_the_budget() {
    let mut world = World::new(bounds());
    let answering = world.submit(text(3), 10, A, None);
    world.step();
    let long = world.submit(text(30), 1, A, None);
    let plan = world.step();
    let sizes = |plan: &Plan| -> Vec<_> {
        let sizes = plan.pieces.iter().map(|piece| piece.tokens.len());
        plan.ids.iter().copied().zip(sizes).collect()
    };
    assert_eq!(
        sizes(&plan),
        [(answering, 1), (long, 12)],
        "whole blocks of the 15 that are left"
    );
    assert_eq!(sizes(&world.step()), [(answering, 1), (long, 12)]);
    assert_eq!(sizes(&world.step()), [(answering, 1), (long, 6)]);
    world.finish();
}

#[test]
fn prefixes_are_shared_under_one_salt_only() {
    let mut world = World::new(Bounds { blocks: 64, ..bounds() });
    let mut cached = |payer, salt| {
        let id = world.submit(text(14), 3, payer, salt);
        world.finish();
        world.cached[&id]
    };
    assert_eq!(cached(A, SALT), 0);
    assert_eq!(cached(A, SALT), 12, "all full blocks before the last token");
    assert_eq!(cached(A, OTHER_SALT), 0);
    assert_eq!(cached(B, SALT), 0, "another payer with the same salt");
    assert_eq!(cached(None, SALT), 0);
    assert_eq!(cached(A, None), 0);
    assert_eq!(cached(A, None), 0, "without a salt nothing is shared at all");
    assert_eq!(cached(A, SALT), 12);
}

#[test]
fn answers_are_found_by_the_next_turn_of_a_chat() {
    let mut world = World::new(bounds());
    let id = world.submit(text(6), 8, A, SALT);
    world.finish();
    let turn = world.finished[&id].clone();
    assert_eq!(turn.len(), 14);
    let id = world.submit(turn, 1, A, SALT);
    world.finish();
    assert_eq!(world.cached[&id], 12);
}

#[test]
fn equal_prompts_that_come_together_are_computed_once() {
    let mut world = World::new(bounds());
    let ids: Vec<_> = (0..4).map(|_| world.submit(text(30), 2, A, SALT)).collect();
    world.finish();
    let cached: Vec<_> = ids.iter().map(|id| world.cached[id]).collect();
    assert_eq!(cached, [0, 28, 28, 28]);
    assert_eq!(
        world.tokens_computed,
        30 + 3 * 2 + 4,
        "the prompt once, its end for each, one token of each answer"
    );
    assert_eq!(world.scheduler.occupancy().cached_tokens, 84);
    assert_eq!(world.scheduler.occupancy().prompt_tokens, 120);
}

#[test]
fn states_are_computed_for_every_token() {
    let mut world = World::new(bounds());
    world.submit(text(12), 1, A, SALT);
    world.finish();
    let id = world.submit_for(Aim::States, text(12), 0, A, SALT);
    world.finish();
    assert_eq!((world.cached[&id], world.tokens_computed), (0, 24));
}

#[test]
fn the_newest_is_preempted_and_comes_back_before_newcomers() {
    let mut world = World::new(Bounds { blocks: 8, ..bounds() });
    let ids = [world.submit(text(8), 16, A, None), world.submit(text(8), 16, A, None)];
    let late = world.submit(text(16), 1, A, None);
    while world.scheduler.occupancy().preemptions == 0 {
        world.step();
    }
    assert_eq!(world.scheduler.running[0].id, ids[0]);
    assert_eq!(world.scheduler.preempted[0].id, ids[1]);
    world.finish();
    assert_eq!(world.order, [ids[0], ids[1], late]);
}

#[test]
fn a_preemption_is_not_a_cache_hit() {
    for salt in [None, SALT] {
        let mut world = World::new(Bounds { blocks: 8, ..bounds() });
        let (one, two) = (world.submit(text(9), 18, A, None), world.submit(text(9), 18, A, salt));
        world.finish();
        assert!(world.scheduler.occupancy().preemptions > 0);
        assert_eq!((world.cached[&one], world.cached[&two]), (0, 0));
    }
}

#[test]
fn ending_a_sequence_frees_its_blocks_at_once() {
    let mut world = World::new(bounds());
    let ids = [
        world.submit(text(20), 9, A, None),
        world.submit(text(9), 9, A, SALT),
        world.submit(text(9), 9, A, None),
    ];
    (0..3).for_each(|_| drop(world.step()));
    assert!(world.scheduler.occupancy().kv_blocks_used > 5);
    for id in ids {
        world.cancel(id);
    }
    let occupancy = world.scheduler.occupancy();
    assert_eq!(
        (occupancy.kv_blocks_used, occupancy.running, occupancy.waiting),
        (0, 0, 0)
    );
    assert!(world.scheduler.is_empty());
    assert!(!world.scheduler.end(ids[0]), "it has ended");
}

#[test]
fn what_is_broken_is_not_found_again() {
    let mut world = World::new(bounds());
    let id = world.submit(text(9), 9, A, SALT);
    world.step();
    world.scheduler.end_broken(id);
    world.forget(id);
    assert_eq!(world.scheduler.occupancy().kv_blocks_cached, 0);
    let id = world.submit(text(9), 2, A, SALT);
    world.finish();
    assert_eq!(world.cached[&id], 0);
}

#[test]
fn a_device_that_is_ahead_is_fed_with_tokens_that_nobody_knows_yet() {
    let mut world = World::ahead(bounds(), 1);
    let ids = [world.submit(text(3), 3, A, None), world.submit(text(5), 2, A, None)];
    world.set_ending(ids[1], Ending::OnHost);
    let follows = |plan: &Plan| -> Vec<_> { plan.ids.iter().copied().zip(plan.follows.clone()).collect() };
    assert_eq!(follows(&world.step()), [(ids[0], None), (ids[1], None)]);
    assert_eq!(
        follows(&world.step()),
        [(ids[0], Some(0))],
        "the other one's logits are needed"
    );
    assert_eq!(follows(&world.step()), [(ids[0], Some(0)), (ids[1], None)]);
    assert_eq!(follows(&world.step()), [], "the last tokens are on their way");
    world.finish();
    assert_eq!(world.tokens_computed, 3 + 2 + 5 + 1, "no row too many");
}

#[test]
fn a_surprising_end_costs_one_row_and_leaves_the_same_in_the_cache() {
    let after = |ahead, ending| {
        let mut world = World::ahead(bounds(), ahead);
        let id = world.submit(text(6), 10, A, SALT);
        world.set_ending(id, ending);
        world.finish();
        let (turn, computed) = (world.finished[&id].clone(), world.tokens_computed);
        let kept = world.scheduler.occupancy().kv_blocks_cached;
        let id = world.submit(turn, 1, A, SALT);
        world.finish();
        (computed, kept, world.cached[&id])
    };
    assert_eq!(after(0, Ending::Known), (15, 3, 12));
    assert_eq!(after(1, Ending::Known), (15, 3, 12));
    assert_eq!(
        after(1, Ending::Surprise),
        (16, 3, 12),
        "its last token is never pushed"
    );
}

#[test]
fn equal_prompts_are_computed_once_on_a_device_that_is_ahead() {
    let mut world = World::ahead(bounds(), 1);
    let ids: Vec<_> = (0..4).map(|_| world.submit(text(30), 2, A, SALT)).collect();
    world.finish();
    let cached: Vec<_> = ids.iter().map(|id| world.cached[id]).collect();
    assert_eq!((cached, world.tokens_computed), (vec![0, 28, 28, 28], 30 + 3 * 2 + 4));
}

#[test]
fn what_is_preempted_with_its_token_under_way_waits_for_it() {
    let mut world = World::ahead(Bounds { blocks: 8, ..bounds() }, 1);
    let ids = [world.submit(text(8), 16, A, None), world.submit(text(8), 16, A, None)];
    while world.scheduler.occupancy().preemptions == 0 {
        world.step();
    }
    assert!(!world.scheduler.preempted[0].awaits(), "the step has heard of it");
    world.finish();
    assert!(ids.iter().all(|id| world.finished[id] == device::alone(&text(8), 16)));
}

#[test]
fn time_ends_what_waits_too_long_and_what_is_past_its_deadline() {
    let mut world = World::new(Bounds {
        max_num_seqs: 1,
        ..bounds()
    });
    let deadline = Some(Duration::from_secs(30));
    let running = world.submit_until(text(4), 50, deadline);
    let waiting = world.submit_until(text(4), 1, deadline);
    let old = world.submit_until(text(4), 1, None);
    world.step();
    world.now = Duration::from_secs(29);
    let young = world.submit_until(text(4), 1, None);
    assert_eq!(world.step().dropped, []);
    world.now = Duration::from_secs(30);
    assert_eq!(
        world.step().dropped,
        [(waiting, Dropped::Deadline), (running, Dropped::Deadline)]
    );
    world.finish();
    assert_eq!(world.order, [old, young]);

    let endless = world.submit_until(text(4), 50, None);
    let old = world.submit_until(text(4), 1, None);
    world.step();
    world.now += Duration::from_secs(61);
    assert_eq!(world.step().dropped, [(old, Dropped::Overload)]);
    world.cancel(endless);
}

#[test]
fn a_full_queue_refuses_its_heaviest_user() {
    let mut world = World::new(Bounds {
        max_num_seqs: 1,
        max_waiting: 2,
        ..bounds()
    });
    let ids: Vec<_> = (0..3).map(|_| world.submit(text(4), 3, A, None)).collect();
    let refused = world.scheduler.check_room(A);
    assert!(matches!(refused, Err(EngineError::QueueFull { limit: 2 })));
    assert!(world.scheduler.check_room(B).is_ok());
    let id = world.submit(text(4), 3, B, None);
    assert_eq!(world.step().dropped, [(ids[2], Dropped::Overload)]);
    world.finish();
    assert_eq!(world.order, [ids[0], id, ids[1]]);
}

#[test]
fn a_payer_does_not_wait_for_another_ones_flood() {
    let mut world = World::new(Bounds {
        max_num_seqs: 2,
        max_waiting: 100,
        ..bounds()
    });
    for _ in 0..50 {
        world.submit(text(8), 4, A, None);
    }
    (0..3).for_each(|_| drop(world.step()));
    let id = world.submit(text(8), 4, B, None);
    let before = world.order.len();
    world.finish();
    let place = world.order.iter().position(|other| *other == id).unwrap();
    assert!(place <= before + 2, "after {} others", place - before);
}
