//! Many sequences side by side on the tiny model: the tokens of each are those that it has alone, whatever runs beside
//! it, whatever the cache has of it, however often it is preempted; and all come to their end.
#![allow(clippy::unwrap_used)] // helpers of tests

mod common;

use cocoon_engine::limits::KV_BLOCK;
use cocoon_engine::{
    Engine, EngineEvent, EngineHandle, EngineOptions, FinishReason, Payer, PayerSalt, Prompt, SequenceId,
    SubmitRequest, load_model,
};
use common::{Answer, drain, engine, engine_with};
use proptest::prelude::*;
use std::collections::BTreeMap;
use std::sync::mpsc::channel;
use std::time::{Duration, Instant};

/// A request of `words` words and `answer` tokens, at a temperature where every token is a choice.
fn request(family: u32, words: usize, answer: usize, seed: u64) -> SubmitRequest {
    let vocabulary = ["cell", "block", "receipt", "worker", "proxy", "token"];
    let text = |at: usize| vocabulary[(at + family as usize * (at / 7 + 1)) % vocabulary.len()];
    let prompt: Vec<&str> = (0..words).map(text).collect();
    let mut request = SubmitRequest::new(Prompt::Text(prompt.join(" ")));
    request.sampling.temperature = Some(1.5);
    request.sampling.top_k = Some(0);
    request.sampling.top_p = Some(1.0);
    request.seed = seed;
    request.max_tokens = Some(answer);
    request.ignore_eos = true;
    request
}

fn of_payer(mut request: SubmitRequest, payer: u8) -> SubmitRequest {
    if payer > 0 {
        request.payer = Some(Payer::from([payer; 32]));
        request.payer_salt = Some(PayerSalt::from([payer; 32]));
    }
    request
}

/// Leaves out what depends on the neighbours: how much was found in the cache.
fn content(mut answer: Answer) -> Answer {
    answer.usage.cached = 0;
    answer
}

fn small(seqs: usize, blocks: usize, step: usize) -> EngineOptions {
    let mut options = EngineOptions::default();
    options.max_num_seqs = seqs;
    options.max_waiting = 1000;
    options.max_kv_tokens = blocks * KV_BLOCK;
    options.max_step_tokens = step;
    options.max_queue_age = Duration::from_secs(3600);
    options
}

/// Steps `steps` times and adds what comes to `answers`.
fn advance(engine: &mut dyn Engine, steps: usize, answers: &mut BTreeMap<SequenceId, Answer>) {
    for _ in 0..steps {
        for output in engine.step().unwrap() {
            add(answers.entry(output.id).or_default(), output);
        }
    }
}

fn add(answer: &mut Answer, output: cocoon_engine::StepOutput) {
    answer.text += &output.text_delta;
    answer.tokens.extend(&output.tokens);
    answer.usage = output.usage;
    answer.finish = output.finish_reason;
}

#[derive(Debug, Clone)]
struct Asked {
    family: u32,
    words: usize,
    answer: usize,
    payer: u8,
    /// Steps before the next one comes.
    pause: usize,
}

fn asked() -> impl Strategy<Value = Asked> {
    (0..3u32, 1..60usize, 1..40usize, 0..3u8, 0..12usize).prop_map(|(family, words, answer, payer, pause)| Asked {
        family,
        words,
        answer,
        payer,
        pause,
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]

    #[test]
    fn tokens_are_those_of_the_solo_run(
        requests in proptest::collection::vec(asked(), 2..12),
        seqs in 1..8usize,
        blocks in 5..14usize,
        step in 1..200usize,
    ) {
        let mut alone = engine();
        let mut together = engine_with(small(seqs, blocks, step));
        let mut answers = BTreeMap::new();
        let mut expected = BTreeMap::new();
        for (asked, seed) in requests.iter().zip(0..) {
            let request = || request(asked.family, asked.words, asked.answer, seed);
            let solo = common::answer(alone.as_mut(), request());
            prop_assert_eq!(solo.usage.cached, 0, "without a salt nothing is shared");
            let id = together.submit(of_payer(request(), asked.payer)).unwrap();
            expected.insert(id, solo);
            advance(together.as_mut(), asked.pause, &mut answers);
        }
        while !together.is_idle() {
            advance(together.as_mut(), 1, &mut answers);
        }
        let answers: BTreeMap<_, _> = answers.into_iter().map(|(id, answer)| (id, content(answer))).collect();
        prop_assert_eq!(answers, expected);
        prop_assert_eq!(together.occupancy().kv_blocks_used, 0);
    }
}

#[test]
fn a_preempted_sequence_goes_on_where_it_was() {
    let mut alone = engine();
    let mut engine = engine_with(small(4, 6, 64));
    let requests = || (0..4).map(|number| request(number, 20, 60, number.into()));
    let expected: Vec<_> = requests()
        .map(|request| common::answer(alone.as_mut(), request))
        .collect();
    let ids: Vec<_> = requests().map(|request| engine.submit(request).unwrap()).collect();
    let mut answers = drain(engine.as_mut());
    assert!(engine.occupancy().preemptions > 0, "the case needs a preemption");
    let answers: Vec<_> = ids.iter().map(|id| answers.remove(id).unwrap()).collect();
    assert_eq!(answers, expected, "not even a block counts as cached");
}

#[test]
fn a_payer_finds_its_own_prefix_and_no_other_does() {
    let mut engine = engine();
    let mut ask = |payer, words| common::answer(engine.as_mut(), of_payer(request(1, words, 8, 3), payer));
    let first = ask(1, 100);
    assert_eq!(first.usage.cached, 0);
    let again = ask(1, 100);
    let whole_blocks = (first.usage.prompt - 1) / KV_BLOCK as u64 * KV_BLOCK as u64;
    assert!(whole_blocks > 0);
    assert_eq!(
        (again.usage.cached, again.usage.prompt),
        (whole_blocks, first.usage.prompt)
    );
    assert_eq!(ask(2, 100).usage.cached, 0);
    assert_eq!(ask(0, 100).usage.cached, 0);
    assert!(ask(1, 90).usage.cached > 0, "a common begin is enough");
    assert_eq!(content(again), first);
}

#[test]
fn a_deadline_ends_an_answer() {
    let mut engine = engine();
    let mut late = request(0, 5, 500, 0);
    late.deadline = Some(Instant::now());
    let id = engine.submit(late).unwrap();
    let answers = drain(engine.as_mut());
    assert_eq!(answers[&id].finish, Some(FinishReason::Deadline));
    assert_eq!(engine.occupancy().kv_blocks_used, 0);
}

#[test]
fn cancelling_frees_the_blocks_at_once() {
    let mut engine = engine();
    let ids: Vec<_> = (0..3)
        .map(|seed| engine.submit(request(0, 50, 100, seed)).unwrap())
        .collect();
    engine.step().unwrap();
    assert!(engine.occupancy().kv_blocks_used > 0);
    ids.iter().for_each(|id| engine.cancel(*id));
    assert_eq!((engine.occupancy().kv_blocks_used, engine.occupancy().running), (0, 0));
    let answers = drain(engine.as_mut());
    assert!(ids.iter().all(|id| answers[id].finish == Some(FinishReason::Cancelled)));
}

/// 200 streams of mixed lengths and payers at once, of which a third is dropped on the way.
#[test]
fn two_hundred_streams_end_and_leave_nothing() {
    const STREAMS: u32 = 200;
    let options = small(32, 64, 128);
    let handle = EngineHandle::spawn(
        load_model(common::folder().path(), options).unwrap().into_engine(),
        STREAMS as usize,
    )
    .unwrap();
    let (sender, receiver) = channel();
    let words = |number: u32| 1 + (number as usize * 37) % 90;
    let answer = |number: u32| 1 + (number as usize * 53) % 90;
    let mut tickets = BTreeMap::new();
    for number in 0..STREAMS {
        let request = request(number % 5, words(number), answer(number), number.into());
        let sender = sender.clone();
        let sink = Box::new(move |event| drop(sender.send((number, event))));
        let ticket = handle.submit(of_payer(request, (number % 7) as u8), sink).unwrap();
        tickets.insert(number, ticket);
    }
    let mut answers: BTreeMap<u32, Answer> = BTreeMap::new();
    let mut ended = 0;
    while ended < STREAMS {
        let (number, event) = receiver.recv_timeout(Duration::from_secs(60)).unwrap();
        let EngineEvent::Output(output) = event else {
            panic!("stream {number}: {event:?}");
        };
        ended += u32::from(output.finish_reason.is_some());
        let answer = answers.entry(number).or_default();
        add(answer, output);
        // Its third token is the last that this client waits for.
        if number % 3 == 0 && answer.tokens.len() == 3 {
            tickets.remove(&number);
        }
    }
    assert_eq!(answers.len(), STREAMS as usize);
    let mut alone = engine();
    for (number, found) in answers {
        match found.finish {
            Some(FinishReason::Length) => assert_eq!(found.tokens.len(), answer(number)),
            other => assert_eq!((other, number % 3), (Some(FinishReason::Cancelled), 0)),
        }
        if number % 8 == 1 {
            let request = request(number % 5, words(number), answer(number), number.into());
            let expected = common::answer(alone.as_mut(), request).tokens;
            assert_eq!(found.tokens, expected[..found.tokens.len()], "stream {number}");
        }
    }
    let load = handle.load();
    let occupancy = load.occupancy;
    assert_eq!((load.active, occupancy.running, occupancy.waiting), (0, 0, 0));
    assert_eq!((occupancy.kv_blocks, occupancy.kv_blocks_used), (64, 0));
    assert!(occupancy.cached_tokens > 0, "{occupancy:?}");
    assert_eq!(load.time_to_first_token.count(), u64::from(STREAMS));
    assert!(load.inter_token_latency.count() > 0);
}
