//! Prints how long a model folder takes to load and how fast it then answers, as JSON lines: published weights are packed
//! while they are loaded, those of `cocoon model build` are not.
//!
//! `load_model FOLDER [FORMAT ...]`; a packed folder is loaded in its own format, whatever is asked for.
#![allow(clippy::print_stdout, reason = "the result goes to stdout")]

use cocoon_engine::{EngineOptions, Prompt, SubmitRequest, WeightFormat, inspect_model, load_model};
use std::time::Instant;

/// Tokens of the answer.
const NEW: usize = 48;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [folder, formats @ ..] = arguments.as_slice() else {
        return Err("usage: load_model FOLDER [FORMAT ...]".into());
    };
    let mut options = EngineOptions::default();
    options.max_kv_tokens = 1024;
    let packed = inspect_model(folder.as_ref(), &options, &mut |_| {})?.packed;
    let asked = |format: &WeightFormat| formats.is_empty() || formats.iter().any(|name| name == format.name());
    let all = packed.map_or_else(
        || WeightFormat::ALL.into_iter().filter(asked).collect(),
        |format| vec![format],
    );
    for format in all {
        options.weight_format = format;
        let begun = Instant::now();
        let model = load_model(folder.as_ref(), options.clone())?;
        let load = begun.elapsed();
        let parameters = model.card().parameters;
        let mut engine = model.into_engine();
        let mut request = SubmitRequest::new(Prompt::Tokens(vec![1, 2, 3]));
        request.sampling.temperature = Some(0.0);
        request.ignore_eos = true;
        request.max_tokens = Some(NEW);
        engine.submit(request)?;
        engine.step()?; // the prompt
        let begun = Instant::now();
        while !engine.is_idle() {
            engine.step()?;
        }
        let decode = (NEW - 1) as f64 / begun.elapsed().as_secs_f64();
        println!(
            r#"{{"format":"{format}","packed":{},"parameters":{parameters},"load_s":{:.2},"decode":{decode:.1}}}"#,
            packed.is_some(),
            load.as_secs_f64(),
        );
    }
    Ok(())
}
