//! Passphrases and secrets, from a file or from the terminal without being shown.

use cocoon_owner::Passphrase;
use console::Term;
use zeroize::Zeroizing;

use crate::args::wallet::KeyArgs;
use crate::failure::{self, Exit, Failure, OrFail as _};
use crate::output::Output;

const NO_TERMINAL: &str = "name a file with --passphrase-file, or in COCOON_PASSPHRASE_FILE";

/// The passphrase of a wallet that exists.
pub(crate) fn passphrase(output: Output, keys: &KeyArgs) -> Result<Passphrase, Failure> {
    match &keys.passphrase_file {
        Some(path) => Passphrase::from_file(path).map_err(failure::from_owner),
        None => Ok(Passphrase::new(ask_secret(output, "Passphrase: ")?.to_string())),
    }
}

/// A passphrase for a new wallet: typed twice.
pub(crate) fn new_passphrase(output: Output, keys: &KeyArgs) -> Result<Passphrase, Failure> {
    let first = passphrase(output, keys)?;
    first.check_strength().map_err(failure::from_owner)?;
    if keys.passphrase_file.is_none() {
        let second = Passphrase::new(ask_secret(output, "The same again: ")?.to_string());
        if first != second {
            let error = anyhow::anyhow!("the two passphrases differ");
            return Err(Failure::new(Exit::Usage, error, "nothing was written; start over"));
        }
    }
    Ok(first)
}

/// A line from the terminal that is not shown.
pub(crate) fn ask_secret(output: Output, prompt: &str) -> Result<Zeroizing<String>, Failure> {
    if !output.is_interactive() {
        let error = anyhow::anyhow!("there is no terminal to ask on");
        return Err(Failure::new(Exit::Usage, error, NO_TERMINAL));
    }
    output.prompt(prompt);
    let line = Term::stderr().read_secure_line();
    line.map(Zeroizing::new)
        .or_fail(Exit::Configuration, "cannot read from the terminal", NO_TERMINAL)
}
