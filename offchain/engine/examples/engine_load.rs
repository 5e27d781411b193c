//! Prints how long clients wait for tokens while many stream at once from the tiny model, as one JSON line.
//!
//! `engine_load STREAMS MAX_NUM_SEQS THREADS RANKS`: prompts of 1 to 200 tokens, answers of 1 to 60, all submitted at once.
#![allow(clippy::print_stdout, reason = "the result goes to stdout")]

use cocoon_engine::{EngineOptions, Prompt, SequenceId, SubmitRequest, load_model, tiny};
use std::collections::HashMap;
use std::time::{Duration, Instant};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<usize> = std::env::args()
        .skip(1)
        .map(|argument| argument.parse())
        .collect::<Result<_, _>>()?;
    let [streams, places, threads, ranks] = arguments[..] else {
        return Err("usage: engine_load STREAMS MAX_NUM_SEQS THREADS RANKS".into());
    };
    let folder = std::env::temp_dir().join(format!("cocoon-engine-load-{}", std::process::id()));
    tiny::write_to(&folder)?;
    let mut options = EngineOptions::default();
    options.max_num_seqs = places;
    options.max_waiting = streams;
    options.max_kv_tokens = 64 * 1024;
    options.max_queue_age = Duration::from_secs(3600);
    options.threads = Some(threads.try_into()?);
    options.ranks = ranks.try_into()?;
    let loaded = load_model(&folder, options);
    std::fs::remove_dir_all(&folder)?;
    let mut engine = loaded?.into_engine();

    let begun = Instant::now();
    let mut last: HashMap<SequenceId, Option<Instant>> = HashMap::new();
    for number in 0..streams {
        let tokens = (0..1 + number * 67 % 200).map(|at| ((number * 131 + at * 37) % 1000) as u32);
        let mut request = SubmitRequest::new(Prompt::Tokens(tokens.collect()));
        request.seed = number as u64;
        request.ignore_eos = true;
        request.max_tokens = Some(1 + number * 23 % 60);
        last.insert(engine.submit(request)?, None);
    }
    let (mut first, mut between, mut steps) = (Vec::new(), Vec::new(), 0);
    while !engine.is_idle() {
        let outputs = engine.step()?;
        let now = Instant::now();
        steps += 1;
        for output in outputs.iter().filter(|output| !output.tokens.is_empty()) {
            match last.insert(output.id, Some(now)).flatten() {
                None => first.push(now - begun),
                Some(before) => between.push(now - before),
            }
        }
    }
    let seconds = begun.elapsed().as_secs_f64();
    let tokens = first.len() + between.len();
    println!(
        r#"{{"streams":{streams},"places":{places},"threads":{threads},"ranks":{ranks},"steps":{steps},"tokens_per_s":{:.0},"ttft_p50_ms":{:.2},"ttft_p99_ms":{:.2},"itl_p50_ms":{:.2},"itl_p99_ms":{:.2}}}"#,
        tokens as f64 / seconds,
        percentile(&mut first, 50),
        percentile(&mut first, 99),
        percentile(&mut between, 50),
        percentile(&mut between, 99),
    );
    Ok(())
}

/// In milliseconds; 0 of nothing.
fn percentile(durations: &mut [Duration], percent: usize) -> f64 {
    durations.sort_unstable();
    let found = durations.get(durations.len() * percent / 100).or(durations.last());
    found.map_or(0.0, |found| found.as_secs_f64() * 1e3)
}
