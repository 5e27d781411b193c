//! The engine over executors that are ahead of their steps: whatever comes, each answer is the one that an executor
//! gives which is not.

mod chain;

use super::*;
use crate::device::{CpuDevice, WeightFormat};
use crate::engine::Usage;
use crate::load::{LoadedModel, Weights, load_model, read_spec};
use crate::model::{LoadOptions, Transformer};
use crate::request::Prompt;
use crate::sampling::Constraint;
use crate::tiny;
use chain::Chain;
use proptest::prelude::*;
use std::collections::BTreeMap;
use std::sync::LazyLock;

/// What one sequence gave.
#[derive(Debug, Clone, Default, PartialEq)]
struct Answer {
    text: String,
    tokens: Vec<u32>,
    logprobs: Vec<u32>,
    usage: Usage,
    finish: Option<FinishReason>,
}

#[derive(Debug, Clone)]
struct Asked {
    family: u32,
    prompt: usize,
    answer: usize,
    greedy: bool,
    needs: Needs,
    stop: Option<&'static str>,
    eos: bool,
    payer: u8,
    /// Steps before the next one comes.
    pause: usize,
    /// Steps after which it is given up.
    patience: Option<usize>,
}

/// What has its tokens chosen on the host.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Needs {
    Nothing,
    Logprobs,
    Penalty,
    Bias,
    Constraint,
}

fn asked() -> impl Strategy<Value = Asked> {
    let needs = prop_oneof![
        6 => Just(Needs::Nothing),
        1 => Just(Needs::Logprobs),
        1 => Just(Needs::Penalty),
        1 => Just(Needs::Bias),
        1 => Just(Needs::Constraint),
    ];
    let stop = prop_oneof![3 => Just(None), 1 => Just(Some("e")), 1 => Just(Some("in"))];
    let lengths = (0..3u32, 1..100usize, 1..40usize);
    let ends = (stop, any::<bool>(), proptest::option::weighted(0.2, 1..30usize));
    (lengths, any::<bool>(), needs, ends, 0..3u8, 0..8usize).prop_map(
        |((family, prompt, answer), greedy, needs, (stop, eos, patience), payer, pause)| Asked {
            family,
            prompt,
            answer,
            greedy,
            needs,
            stop,
            eos,
            payer,
            pause,
            patience,
        },
    )
}

impl Asked {
    fn request(&self, seed: u64) -> SubmitRequest {
        let token = |at: u32| (self.family * 100 + at / (self.family + 1)) % 1000;
        let mut request = SubmitRequest::new(Prompt::Tokens((0..self.prompt as u32).map(token).collect()));
        request.sampling.temperature = Some(if self.greedy { 0.0 } else { 1.2 });
        request.sampling.top_k = Some(0);
        request.sampling.top_p = Some(0.95);
        request.sampling.repetition_penalty = Some(1.0);
        match self.needs {
            Needs::Nothing => {}
            Needs::Logprobs => request.logprobs = Some(2),
            Needs::Penalty => request.sampling.repetition_penalty = Some(1.3),
            Needs::Bias => request.sampling.logit_bias = [(7, 3.0)].into_iter().collect(),
            Needs::Constraint => {
                request.sampling.constraint = Some(Constraint::choice(["a cell of blocks", "receipt"]))
            }
        }
        request.seed = seed;
        request.stop = self
            .stop
            .iter()
            .map(|stop| (*stop).to_owned())
            .collect::<Vec<_>>()
            .into();
        request.max_tokens = Some(self.answer);
        request.ignore_eos = !self.eos;
        if self.payer > 0 {
            request.payer = Some([self.payer; 32].into());
            request.payer_salt = Some([self.payer; 32].into());
        }
        request
    }
}

/// Steps, and takes what comes.
fn step(engine: &mut dyn Engine, answers: &mut BTreeMap<SequenceId, Answer>) {
    for output in engine.step().unwrap() {
        let answer = answers.entry(output.id).or_default();
        assert_eq!(answer.finish, None, "nothing may follow the last output");
        answer.text += &output.text_delta;
        answer.tokens.extend(&output.tokens);
        let chosen = output.logprobs.iter().map(|one| one.chosen.logprob.to_bits());
        answer.logprobs.extend(chosen);
        // What the cache had depends on the neighbours.
        answer.usage = Usage {
            cached: 0,
            ..output.usage
        };
        answer.finish = output.finish_reason;
    }
}

/// Every request alone on `alone`, then all together on `together`.
fn compare(requests: &[Asked], alone: &mut dyn Engine, together: &mut dyn Engine) {
    let mut expected = Vec::new();
    for (asked, seed) in requests.iter().zip(0..) {
        let id = alone.submit(asked.request(seed)).unwrap();
        let mut answers = BTreeMap::new();
        while !alone.is_idle() {
            step(alone, &mut answers);
        }
        expected.push(answers.remove(&id).unwrap());
    }
    let (mut answers, mut ids) = (BTreeMap::new(), Vec::new());
    let mut steps = 0;
    let mut go = |together: &mut dyn Engine, answers: &mut _, ids: &[(SequenceId, usize)]| {
        for ((id, begun), asked) in ids.iter().zip(requests) {
            if asked.patience.is_some_and(|patience| begun + patience == steps) {
                together.cancel(*id);
            }
        }
        step(together, answers);
        steps += 1;
        steps
    };
    let mut now = 0;
    for (asked, seed) in requests.iter().zip(0..) {
        ids.push((together.submit(asked.request(seed)).unwrap(), now));
        for _ in 0..asked.pause {
            now = go(together, &mut answers, &ids);
        }
    }
    while !together.is_idle() {
        assert!(now < 20_000, "no end");
        now = go(together, &mut answers, &ids);
    }
    for (((id, _), asked), expected) in ids.iter().zip(requests).zip(&expected) {
        let found = &answers[id];
        if asked.patience.is_some() && found.finish == Some(FinishReason::Cancelled) {
            assert_eq!(found.tokens, expected.tokens[..found.tokens.len()]);
        } else {
            assert_eq!(found, expected);
        }
    }
    assert_eq!(together.occupancy().kv_blocks_used, 0, "blocks are left over");
}

static FOLDER: LazyLock<tempfile::TempDir> = LazyLock::new(|| {
    let folder = tempfile::tempdir().unwrap();
    tiny::write_to(folder.path()).unwrap();
    folder
});

/// The tiny model's words on another executor.
fn engine_on(executor: impl Executor + 'static, seqs: usize, step: usize) -> Box<dyn Engine> {
    let options = EngineOptions {
        max_num_seqs: seqs,
        max_waiting: 1000,
        max_step_tokens: step,
        max_queue_age: std::time::Duration::from_secs(3600),
        ..EngineOptions::default()
    };
    let parts = LoadedModel::into_parts(load_model(FOLDER.path(), EngineOptions::default()).unwrap());
    Box::new(LocalEngine::new(parts, executor, options))
}

fn tiny_on<D: crate::device::Device>(device: D, blocks: usize) -> Transformer<D> {
    let spec = read_spec(&FOLDER.path().join("config.json")).unwrap();
    let mut weights = Weights::open(FOLDER.path()).unwrap();
    let options = LoadOptions {
        format: WeightFormat::F32,
        positions: spec.max_positions,
        blocks,
    };
    Transformer::load(&spec, &mut weights, device, options).unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    #[test]
    fn an_executor_that_is_ahead_gives_each_request_what_it_gets_alone(
        requests in proptest::collection::vec(asked(), 1..10),
        ahead in 1..4usize,
        seqs in 1..6usize,
        blocks in 6..14usize,
        step in 1..100usize,
    ) {
        let mut alone = engine_on(Chain::new(0, 64), 1, 64);
        let mut together = engine_on(Chain::new(ahead, blocks), seqs, step);
        compare(&requests, alone.as_mut(), together.as_mut());
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(8))]

    #[test]
    fn so_does_a_transformer_on_the_cpu(
        requests in proptest::collection::vec(asked(), 1..8),
        seqs in 1..6usize,
        blocks in 6..14usize,
        step in 1..100usize,
    ) {
        let mut alone = engine_on(tiny_on(CpuDevice::new(1, false), 64), 1, 64);
        let device = CpuDevice::new(2, false).choosing(1);
        let mut together = engine_on(tiny_on(device, blocks), seqs, step);
        compare(&requests, alone.as_mut(), together.as_mut());
    }
}

fn plain(answer: usize) -> Asked {
    Asked {
        family: 1,
        prompt: 40,
        answer,
        greedy: false,
        needs: Needs::Nothing,
        stop: None,
        eos: false,
        payer: 0,
        pause: 0,
        patience: None,
    }
}

#[test]
fn a_length_that_is_known_costs_no_row_too_many() {
    for ahead in 0..3 {
        let chain = Chain::new(ahead, 64);
        let rows = chain.rows.clone();
        let mut engine = engine_on(chain, 2, 64);
        engine.submit(plain(10).request(1)).unwrap();
        let mut answers = BTreeMap::new();
        while !engine.is_idle() {
            step(engine.as_mut(), &mut answers);
        }
        assert_eq!(*rows.lock().unwrap(), 40 + 9, "ahead by {ahead}");
    }
}

#[test]
fn what_is_cancelled_with_a_step_under_way_is_never_heard_of_again() {
    let mut engine = engine_on(Chain::new(1, 64), 2, 64);
    let id = engine.submit(plain(100).request(1)).unwrap();
    let mut answers = BTreeMap::new();
    (0..3).for_each(|_| step(engine.as_mut(), &mut answers));
    let before = answers[&id].tokens.len();
    engine.cancel(id);
    assert_eq!(engine.occupancy().kv_blocks_used, 0);
    assert!(!engine.is_idle());
    while !engine.is_idle() {
        step(engine.as_mut(), &mut answers);
    }
    let answer = &answers[&id];
    assert_eq!(
        (answer.finish, answer.tokens.len()),
        (Some(FinishReason::Cancelled), before)
    );
}

#[test]
fn a_row_that_is_not_a_number_ends_its_own_sequence_only() {
    let mut engine = engine_on(Chain::new(1, 64).breaking_at(45), 2, 64);
    let broken = engine.submit(plain(20).request(1)).unwrap();
    let short = engine.submit(Asked { prompt: 4, ..plain(20) }.request(2)).unwrap();
    let mut answers = BTreeMap::new();
    while !engine.is_idle() {
        step(engine.as_mut(), &mut answers);
    }
    assert_eq!(
        (answers[&broken].finish, answers[&broken].tokens.len()),
        (Some(FinishReason::Failed), 5)
    );
    assert_eq!(
        (answers[&short].finish, answers[&short].tokens.len()),
        (Some(FinishReason::Length), 20)
    );
    assert_eq!(engine.occupancy().kv_blocks_used, 0);
}

#[test]
#[cfg(feature = "wgpu")]
fn so_does_a_gpu() {
    let Some(vulkan) = crate::kernels::cube::testing::vulkan() else {
        return;
    };
    let device = || crate::device::CubeDevice::<cubecl::wgpu::WgpuRuntime>::new(&vulkan);
    let needs = [
        Needs::Nothing,
        Needs::Logprobs,
        Needs::Nothing,
        Needs::Penalty,
        Needs::Nothing,
    ];
    let requests: Vec<Asked> = needs
        .into_iter()
        .zip(0..)
        .map(|(needs, number)| Asked {
            needs,
            family: number % 3,
            prompt: 10 + 17 * number as usize,
            greedy: number % 2 == 0,
            stop: (number == 2).then_some("e"),
            pause: number as usize % 3,
            payer: 1,
            ..plain(12)
        })
        .collect();
    let mut alone = engine_on(tiny_on(device(), 64), 1, 64);
    let mut together = engine_on(tiny_on(device(), 8), 4, 40);
    compare(&requests, alone.as_mut(), together.as_mut());
}
