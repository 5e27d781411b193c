//! The person at the terminal, while an operation runs.

use cocoon_owner::{Awaited, Order, Outcome, OwnerError, Preview, StoredWallet, Watch};
use ed25519_dalek::SigningKey;

use super::look::{preview_text, until_text};
use crate::args::owner::OwnerArgs;
use crate::args::wallet::KeyArgs;
use crate::command::root::date;
use crate::failure::{self, Exit, Failure};
use crate::output::Output;
use crate::secret::passphrase;

/// Asks once, unlocks once, tells everything.
pub(super) struct Terminal<'a> {
    output: Output,
    wallet: &'a StoredWallet,
    keys: &'a KeyArgs,
    is_agreed: bool,
    key: Option<SigningKey>,
    /// What went wrong on this side, in its own words.
    failed: Option<Failure>,
}

impl<'a> Terminal<'a> {
    pub(super) fn new(output: Output, wallet: &'a StoredWallet, args: &'a OwnerArgs) -> Self {
        Self {
            output,
            wallet,
            keys: &args.keys,
            is_agreed: args.yes,
            key: None,
            failed: None,
        }
    }

    /// The failure that ended the operation.
    pub(super) fn failure(self, error: OwnerError) -> Failure {
        self.failed.unwrap_or_else(|| failure::from_owner(error))
    }

    fn stop(&mut self, failure: Failure) -> OwnerError {
        self.failed = Some(failure);
        OwnerError::Declined
    }
}

impl Watch for Terminal<'_> {
    fn confirm(&mut self, order: &Order, preview: &Preview) -> Result<(), OwnerError> {
        self.output.note(format!("{}:\n{}", order.says, preview_text(preview)));
        if self.is_agreed || preview.refused.is_some() {
            return Ok(());
        }
        ask(self.output, "Send it?").map_err(|failure| self.stop(failure))?;
        self.is_agreed = true;
        Ok(())
    }

    fn key(&mut self) -> Result<SigningKey, OwnerError> {
        if let Some(key) = &self.key {
            return Ok(key.clone());
        }
        let passphrase = passphrase(self.output, self.keys).map_err(|failure| self.stop(failure))?;
        let key = self.wallet.unlock(&passphrase)?.key()?;
        self.key = Some(key.clone());
        Ok(key)
    }

    fn recovering(&mut self) {
        self.output
            .note("A message of an earlier command may be under way: waiting for its end ...");
    }

    fn sending(&mut self, order: &Order) {
        self.output.note(format!("Sending, step {} ...", order.step));
    }

    fn waiting(&mut self, awaited: &Awaited) {
        let until = until_text(awaited.until);
        self.output.note(format!(
            "Waiting for {}{until}. Ctrl-C ends this; the same command goes on later.",
            awaited.what
        ));
    }
}

/// Asks a question that only a y answers with yes.
pub(crate) fn ask(output: Output, question: &str) -> Result<(), Failure> {
    if !output.is_interactive() {
        let error = anyhow::anyhow!("there is no terminal to ask on: {question}");
        return Err(Failure::new(
            Exit::Usage,
            error,
            "give --yes, after a look with --dry-run",
        ));
    }
    output.prompt(&format!("{question} [y/N] "));
    let mut line = String::new();
    let read = std::io::stdin().read_line(&mut line);
    let is_yes = read.is_ok() && matches!(line.trim(), "y" | "Y" | "yes");
    if is_yes {
        return Ok(());
    }
    Err(failure::from_owner(OwnerError::Declined))
}

/// The end of an operation for a person.
pub(crate) fn outcome_text(outcome: &Outcome) -> String {
    let mut lines: Vec<String> = outcome
        .sent
        .iter()
        .map(|sent| {
            format!(
                "{:<10} {} ({} transactions, fees {})",
                sent.step, sent.transaction, sent.transactions, sent.fees
            )
        })
        .collect();
    match &outcome.awaits {
        Some(awaited) => lines.push(format!(
            "awaits {}{}; {}",
            awaited.what,
            until_text(awaited.until),
            outcome.says
        )),
        None => lines.push(match outcome.earlier {
            Some(time) => format!("an earlier command did this on {}: {}", date(time), outcome.says),
            None => outcome.says.clone(),
        }),
    }
    lines.join("\n")
}
