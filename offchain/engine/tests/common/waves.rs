//! Many streams of mixed lengths, and what came of each.

use cocoon_engine::{Engine, EngineOptions, FinishReason, Payer, Prompt, SequenceId, SubmitRequest};
use std::collections::BTreeMap;
use std::time::Duration;

pub const STREAMS: usize = 200;
/// Tokens of the longest prompt and of the longest answer.
pub const LONGEST: (usize, usize) = (120, 100);

/// Stream `number`: lengths are spread over their range, every stream has other tokens, five payers take turns.
pub fn stream(number: usize) -> SubmitRequest {
    let spread = |factor: usize, most: usize| 1 + number * factor % most;
    let tokens = (0..spread(67, LONGEST.0)).map(|at| ((number * 131 + at * 37) % 1000) as u32);
    let mut request = SubmitRequest::new(Prompt::Tokens(tokens.collect()));
    request.sampling.temperature = Some(1.0);
    request.seed = number as u64;
    request.ignore_eos = true;
    request.max_tokens = Some(spread(23, LONGEST.1));
    request.payer = Some(Payer::from([(number % 5) as u8; 32]));
    request
}

pub fn options(max_num_seqs: usize, max_kv_tokens: usize) -> EngineOptions {
    let mut options = EngineOptions::default();
    options.max_num_seqs = max_num_seqs;
    options.max_waiting = STREAMS;
    options.max_kv_tokens = max_kv_tokens;
    // However slow the machine is, nobody is turned away.
    options.max_queue_age = Duration::from_secs(24 * 3600);
    options
}

/// When each token of a stream came, in steps from the submission on.
#[derive(Default)]
pub struct Watched {
    pub steps: Vec<usize>,
    pub tokens: Vec<u32>,
    pub finish: Option<FinishReason>,
}

/// Submits all streams at once and steps until the last has ended; steps, and what came of each stream.
pub fn wave(engine: &mut dyn Engine) -> (usize, Vec<Watched>) {
    let ids: Vec<SequenceId> = (0..STREAMS)
        .map(|number| engine.submit(stream(number)).unwrap())
        .collect();
    let mut watched: BTreeMap<SequenceId, Watched> = ids.iter().map(|id| (*id, Watched::default())).collect();
    let mut step = 0;
    while !engine.is_idle() {
        step += 1;
        for output in engine.step().unwrap() {
            let stream = watched.get_mut(&output.id).unwrap();
            stream.steps.extend(output.tokens.iter().map(|_| step));
            stream.tokens.extend(output.tokens);
            stream.finish = output.finish_reason;
        }
        let occupancy = engine.occupancy();
        assert!(occupancy.kv_blocks_used <= occupancy.kv_blocks);
    }
    (step, ids.iter().filter_map(|id| watched.remove(id)).collect())
}
