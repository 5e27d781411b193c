//! 200 streams at once on the tiny model: nobody starves, and clients that are gone leave nothing.
//!
//! Bounds are in steps of the engine, by the scheduler's rules, so that the speed of the machine does not matter:
//!
//! - Every running stream that answers is in every step before any prompt: the gap between its tokens is 1 step, unless
//!   it is preempted in between.
//! - Blocks are taken from the newest running stream, and a preempted one is admitted before anything new: it waits for
//!   running streams that are older, each of which needs no more steps than its answer and its prompt have.
//! - What is left of a step goes to prompts, oldest first, a block at least.
#![allow(clippy::unwrap_used, reason = "what fails in a test fails loudly")]

mod common;

use cocoon_engine::{EngineEvent, EngineHandle, FinishReason, Prompt, SequenceId, limits};
use common::engine_with;
use common::waves::{LONGEST, STREAMS, Watched, options, stream, wave};
use std::collections::BTreeMap;
use std::sync::mpsc::channel;
use std::time::Duration;

/// Gaps between tokens, in steps, sorted.
fn gaps(streams: &[Watched]) -> Vec<usize> {
    let pairs = streams.iter().flat_map(|stream| stream.steps.windows(2));
    let mut gaps: Vec<usize> = pairs.map(|pair| pair[1] - pair[0]).collect();
    gaps.sort_unstable();
    gaps
}

fn all_have_ended(streams: &[Watched]) {
    for (number, found) in streams.iter().enumerate() {
        let wanted = stream(number).max_tokens.unwrap();
        assert_eq!(
            (found.tokens.len(), found.finish),
            (wanted, Some(FinishReason::Length)),
            "{number}"
        );
    }
}

/// Steps that the prompts of all streams need if each step does a single block.
fn blocks_of_prompts() -> usize {
    let lengths = (0..STREAMS).map(|number| match stream(number).prompt {
        Prompt::Tokens(tokens) => tokens.len().div_ceil(limits::KV_BLOCK),
        _ => 0,
    });
    lengths.sum()
}

#[test]
fn streams_side_by_side_get_a_token_in_every_step() {
    let mut engine = engine_with(options(STREAMS, 64 * 1024));
    let (_, streams) = wave(engine.as_mut());
    all_have_ended(&streams);
    let gaps = gaps(&streams);
    assert_eq!(gaps.last(), Some(&1), "a running stream was left out of a step");
    let last_start = streams.iter().map(|stream| stream.steps[0]).max().unwrap();
    assert!(
        last_start <= blocks_of_prompts(),
        "{last_start} steps to the last first token"
    );
    assert_eq!(engine.occupancy().preemptions, 0);
}

#[test]
fn with_too_little_cache_nobody_starves_and_tokens_are_the_same() {
    let places = 16;
    let mut roomy = engine_with(options(STREAMS, 64 * 1024));
    let (_, expected) = wave(roomy.as_mut());
    let mut engine = engine_with(options(places, 1024));
    let (steps, streams) = wave(engine.as_mut());
    all_have_ended(&streams);
    for (found, expected) in streams.iter().zip(&expected) {
        assert_eq!(found.tokens, expected.tokens);
    }
    let occupancy = engine.occupancy();
    assert!(occupancy.preemptions > 0, "the case needs too little cache");
    assert_eq!(
        (occupancy.running, occupancy.waiting, occupancy.kv_blocks_used),
        (0, 0, 0)
    );

    let gaps = gaps(&streams);
    let waits = gaps.iter().filter(|gap| **gap > 1).count();
    assert!(
        waits as u64 <= occupancy.preemptions,
        "{waits} gaps, {} preemptions",
        occupancy.preemptions
    );
    // As many older streams as there are places, one after another: prompt and answer anew, at a block each step.
    let longest = (LONGEST.0 + LONGEST.1).div_ceil(limits::KV_BLOCK) + LONGEST.1;
    assert!(*gaps.last().unwrap() <= places * longest, "{:?}", gaps.last());
    // At its worst every stream would run alone.
    assert!(steps <= STREAMS * longest, "{steps}");
    let p99 = gaps[gaps.len() * 99 / 100];
    println!(
        "{steps} steps, {} preemptions, p99 of gaps {p99} steps",
        occupancy.preemptions
    );
}

#[test]
fn streams_that_are_killed_free_their_blocks_at_the_next_step() {
    let mut engine = engine_with(options(STREAMS, 64 * 1024));
    let ids: Vec<SequenceId> = (0..STREAMS)
        .map(|number| engine.submit(stream(number)).unwrap())
        .collect();
    let mut lengths: BTreeMap<SequenceId, usize> = BTreeMap::new();
    // In the middle of it: some answer, some prompts are being computed, some have ended.
    let mut ended = Vec::new();
    for _ in 0..30 {
        for output in engine.step().unwrap() {
            lengths.insert(output.id, (output.usage.prompt + output.usage.completion) as usize);
            ended.extend(output.finish_reason.map(|_| output.id));
        }
    }
    let alive: Vec<SequenceId> = ids.iter().copied().filter(|id| !ended.contains(id)).collect();
    let (killed, kept) = alive.split_at(alive.len() / 2);
    assert!(!ended.is_empty() && killed.len() > 50);
    killed.iter().for_each(|id| engine.cancel(*id));
    let outputs = engine.step().unwrap();
    let cancelled = outputs
        .iter()
        .filter(|output| output.finish_reason == Some(FinishReason::Cancelled));
    assert_eq!(cancelled.map(|output| output.id).collect::<Vec<_>>(), killed);
    // Blocks of those that are left: those of all their tokens, and what the longest prompts may have besides.
    let known = |id: &SequenceId| lengths.get(id).map_or(LONGEST.0, |length| length + 1);
    let most: usize = kept.iter().map(|id| known(id).div_ceil(limits::KV_BLOCK)).sum();
    let used = engine.occupancy().kv_blocks_used;
    assert!(used <= most, "{used} blocks for {most}");
    kept.iter().for_each(|id| engine.cancel(*id));
    assert_eq!(engine.occupancy().kv_blocks_used, 0);
    engine.step().unwrap();
    assert!(engine.is_idle());
}

#[test]
fn clients_that_are_gone_do_not_hold_up_the_others() {
    let handle = EngineHandle::spawn(engine_with(options(STREAMS, 64 * 1024)), STREAMS).unwrap();
    let (sender, events) = channel();
    let mut tickets: Vec<_> = (0..STREAMS)
        .map(|number| {
            let sender = sender.clone();
            let mut request = stream(number);
            // Those that will be killed would never end by themselves in this test's time.
            request.max_tokens = Some(if number % 2 == 0 { 800 } else { 20 });
            let sink = Box::new(move |event| drop(sender.send((number, event))));
            handle.submit(request, sink).unwrap()
        })
        .collect();
    let wait = Duration::from_secs(300);
    events.recv_timeout(wait).unwrap();
    for number in (0..STREAMS).rev().filter(|number| number % 2 == 0) {
        drop(tickets.swap_remove(number));
    }
    let mut finish = BTreeMap::new();
    while finish.len() < STREAMS {
        let (number, event) = events.recv_timeout(wait).unwrap();
        let EngineEvent::Output(output) = event else {
            panic!("{number}: {event:?}");
        };
        if let Some(reason) = output.finish_reason {
            finish.insert(number, reason);
        }
    }
    for (number, reason) in finish {
        let expected = if number % 2 == 0 {
            FinishReason::Cancelled
        } else {
            FinishReason::Length
        };
        assert_eq!(reason, expected, "{number}");
    }
    let load = handle.load();
    assert_eq!((load.active, load.occupancy.kv_blocks_used), (0, 0));
    assert!(load.inter_token_latency.count() > 0);
}
