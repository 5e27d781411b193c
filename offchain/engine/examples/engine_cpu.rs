//! Prints how fast the engine runs a shape of model on this machine, in every weight format, as JSON lines.
//!
//! `engine_cpu CONFIG_JSON THREADS PROMPT NEW [FORMAT ...]`; called by `scripts/bench/engine-cpu/run`.
#![allow(clippy::print_stdout, reason = "the result goes to stdout")]

use cocoon_engine::{WeightFormat, speed};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [config, threads, prompt, new, formats @ ..] = arguments.as_slice() else {
        return Err("usage: engine_cpu CONFIG_JSON THREADS PROMPT NEW [FORMAT ...]".into());
    };
    let config = std::fs::read_to_string(config)?;
    let (threads, prompt, new) = (threads.parse()?, prompt.parse()?, new.parse()?);
    let bandwidth = speed::read_bandwidth(threads);
    println!(r#"{{"read_gb_s":{:.2},"threads":{threads}}}"#, bandwidth / 1e9);
    for format in WeightFormat::ALL {
        if !formats.is_empty() && !formats.iter().any(|name| name == format.name()) {
            continue;
        }
        let speed = speed::measure(&config, format, threads, prompt, new)?;
        println!(
            r#"{{"engine":"cocoon","format":"{format}","prefill":{:.2},"decode":{:.2},"bytes_per_token":{},"of_bandwidth":{:.3},"load_s":{:.1}}}"#,
            speed.prefill,
            speed.decode,
            speed.bytes_per_token,
            speed.of_bandwidth,
            speed.load.as_secs_f64(),
        );
    }
    Ok(())
}
