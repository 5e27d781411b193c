//! `cocoon quote`: a firm price for one request.

use serde_json::{Value, json};

use crate::api_key::ApiKey;
use crate::args::{Global, QuoteArgs};
use crate::ask::Asker;
use crate::failure::{Exit, Failure};
use crate::local::layout::DataDir;
use crate::local::network::NetworkFile;
use crate::output::Output;

/// Runs the command.
pub(crate) async fn run(global: &Global, args: QuoteArgs, output: Output) -> Result<Exit, Failure> {
    let (url, local_model) = match args.url {
        Some(url) => (url, None),
        None => {
            let network = NetworkFile::load(&DataDir::new(&global.data_dir))?;
            (network.client_url, Some(network.model))
        }
    };
    let key = ApiKey::load(&args.key)?;
    let mut asker = Asker::new(url, key.as_ref(), None, None)?;
    match args.model.or(local_model) {
        Some(model) => asker.use_model(model),
        None => asker.use_first_model(output).await?,
    }
    let wish = json!({ "max_tokens": args.max_tokens, "max_coefficient": args.max_coefficient });
    let quote = asker.quote(wish).await?;
    output.result(&quote, text)?;
    Ok(Exit::Done)
}

fn text(quote: &Value) -> String {
    let word = |name: &str| quote[name].as_str().unwrap_or_default().to_owned();
    let number = |name: &str| quote[name].as_i64().unwrap_or_default();
    let seconds = (number("expires_ms") - number("issued_ms")) as f64 / 1000.0;
    let first_token = match quote["expected_first_token_seconds"].as_f64() {
        Some(seconds) => format!("{seconds:.2} s, by its last requests"),
        None => "not known yet".to_owned(),
    };
    format!(
        "quote        {}\nmodel        {}\nworker       {}\nprice        {} thousandths of the network's, at most\n\
         tokens       {} at most\nfirst token  {first_token}\nheld for     {seconds} s\nuse it with  x-cocoon-quote: {}",
        word("id"),
        word("model"),
        word("worker_evidence"),
        number("coefficient"),
        number("max_tokens"),
        word("id"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quote_is_shown_with_what_it_promises() {
        let quote = json!({
            "id": "ab", "model": "tiny@1:2", "worker_evidence": "cd", "coefficient": 900, "max_tokens": 100,
            "expected_first_token_seconds": 0.25, "issued_ms": 1_000, "expires_ms": 21_000,
        });
        let shown = text(&quote);
        for part in [
            "tiny@1:2",
            "900 thousandths",
            "0.25 s",
            "held for     20 s",
            "x-cocoon-quote: ab",
        ] {
            assert!(shown.contains(part), "{shown}");
        }
    }
}
