//! `cocoon chat`: one question, or a conversation line by line.

use std::io::Read as _;

use crate::api_key::ApiKey;
use crate::args::{ChatArgs, Global};
use crate::ask::{Answer, Asker, Message};
use crate::failure::{Exit, Failure, OrFail as _};
use crate::local::layout::DataDir;
use crate::local::network::NetworkFile;
use crate::output::Output;

/// Runs the command.
pub(crate) async fn run(global: &Global, args: ChatArgs, output: Output) -> Result<Exit, Failure> {
    let (url, local_model) = match args.url {
        Some(url) => (url, None),
        None => {
            let network = NetworkFile::load(&DataDir::new(&global.data_dir))?;
            (network.client_url, Some(network.model))
        }
    };
    let key = ApiKey::load(&args.key)?;
    let mut asker = Asker::new(url, key.as_ref(), args.max_tokens, args.temperature)?;
    match args.model.or(local_model) {
        Some(model) => asker.use_model(model),
        None => asker.use_first_model(output).await?,
    }
    match args.prompt {
        Some(prompt) => once(&asker, prompt, output).await,
        None if output.is_interactive() => conversation(&asker, output).await,
        None => {
            let mut prompt = String::new();
            std::io::stdin().read_to_string(&mut prompt).or_fail(
                Exit::Usage,
                "cannot read the prompt from stdin",
                "give the prompt as an argument: cocoon chat \"Hello\"",
            )?;
            once(&asker, prompt.trim_end().to_owned(), output).await
        }
    }
}

async fn once(asker: &Asker, prompt: String, output: Output) -> Result<Exit, Failure> {
    let answer = ask(asker, &[Message::user(prompt)], output).await?;
    if output.json {
        output.result(&answer, |_| String::new())?;
    } else if let Some(receipt) = &answer.receipt_id {
        output.note(format!("receipt {receipt}"));
    }
    Ok(Exit::Done)
}

async fn conversation(asker: &Asker, output: Output) -> Result<Exit, Failure> {
    output.note("One line is one message; Ctrl-D ends the conversation.");
    let mut messages = Vec::new();
    loop {
        output.prompt("> ");
        let Some(line) = read_line().await? else {
            return Ok(Exit::Done);
        };
        if line.trim().is_empty() {
            continue;
        }
        messages.push(Message::user(line));
        match ask(asker, &messages, output).await {
            Ok(answer) => {
                if output.json {
                    output.result(&answer, |_| String::new())?;
                }
                messages.push(Message::assistant(answer.answer));
            }
            Err(failure) => {
                messages.pop();
                output.note(failure.render(false));
            }
        }
    }
}

/// The next line of the terminal; none after Ctrl-D.
async fn read_line() -> anyhow::Result<Option<String>> {
    let read = tokio::task::spawn_blocking(|| {
        let mut line = String::new();
        std::io::stdin()
            .read_line(&mut line)
            .map(|bytes| (bytes > 0).then_some(line))
    });
    Ok(read.await??)
}

/// Asks with the answer streamed to stdout, unless the result is to be JSON.
pub(crate) async fn ask(asker: &Asker, messages: &[Message], output: Output) -> Result<Answer, Failure> {
    let answer = asker
        .ask(messages, |text| if output.json { Ok(()) } else { output.stdout(text) })
        .await?;
    if !output.json {
        output.stdout("\n")?;
    }
    Ok(answer)
}
