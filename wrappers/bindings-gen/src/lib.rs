//! Turns the Tolk declarations of the contracts into an ABI (JSON) and the ABI into Rust codecs and their oracle.
//!
//! **Invariant:** what is generated is a function of the sources alone: no clock, no order of a file system, no
//! network. A declaration that is not understood is an error, never skipped.
//!
//! Main function: [`generate`]; the program of this crate writes its result or, with `--check`, compares it with what
//! is checked in.
//!
//! ```no_run
//! let files = cocoon_bindings_gen::generate(std::path::Path::new("."))?;
//! assert!(files.contains_key("contracts/abi/Root.json"));
//! # Ok::<(), cocoon_bindings_gen::GenError>(())
//! ```
//!
//! The JSON has the shape of the compiler's own ABI (Tolk 1.4 and later), so that this crate's parser can go when that
//! compiler is in use.

pub mod abi;
mod ast;
mod docs;
mod error;
mod lexer;
mod oracle;
mod parser;
mod resolve;
mod rust;

pub use error::GenError;

use abi::ContractAbi;
use std::collections::BTreeMap;
use std::path::Path;

/// The contracts, by the names of their entry files.
pub const CONTRACTS: [&str; 6] = ["Root", "Proxy", "Client", "Worker", "Wallet", "Governor"];

/// Everything that is generated, by its path from the root of the repository.
pub fn generate(repository: &Path) -> Result<BTreeMap<String, String>, GenError> {
    let abis = abis(repository)?;
    let model = rust::Model::of(&abis)?;
    let mut files = BTreeMap::new();
    for abi in &abis {
        files.insert(format!("contracts/abi/{}.json", abi.contract_name), to_json(abi)?);
    }
    for (path, text) in rust::bindings(&abis)? {
        files.insert(format!("wrappers/bindings/src/generated/{path}"), text);
    }
    files.extend(oracle::files(&abis)?);
    files.insert("contracts/cocoon.tlb".to_owned(), docs::tlb(repository, &model)?);
    files.insert("contracts/README.md".to_owned(), docs::page(repository, &abis)?);
    Ok(files)
}

/// The ABIs of all contracts.
pub fn abis(repository: &Path) -> Result<Vec<ContractAbi>, GenError> {
    let abi = |contract: &&str| resolve::contract(contract, &|path| source(repository, path));
    CONTRACTS.iter().map(abi).collect()
}

/// A file below `contracts/`.
fn source(repository: &Path, path: &str) -> Result<String, GenError> {
    read(repository, &format!("contracts/{path}"))
}

/// A file of the repository.
fn read(repository: &Path, path: &str) -> Result<String, GenError> {
    std::fs::read_to_string(repository.join(path)).map_err(|source| GenError::Read {
        path: path.to_owned(),
        source,
    })
}

fn to_json(abi: &ContractAbi) -> Result<String, GenError> {
    let text = serde_json::to_string_pretty(abi).map_err(|source| GenError::Json { source })?;
    Ok(text + "\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    const SOURCES: [(&str, &str); 3] = [
        (
            "Client.tolk",
            "import \"messages/client\"\nimport \"storage/client\"\n/// How much is left.\n\
             get fun get_left(): coins { return 0; }\n\
             fun onInternalMessage(_: InMessage) { throw Errors.Closed; }",
        ),
        (
            "messages/client.tolk",
            "/// Pay in.\nstruct (0x01020304) AskToTopUp {\n/// Chosen by the sender.\nqueryId: uint64\n\
             /// What is paid.\npayment: Cell<Payment>?\n}\n/// A payment.\nstruct Payment { amount: coins, to: address }\n\
             /// Everything.\ntype ClientMessage = | AskToTopUp | Note\n/// A note.\nstruct (0x0000000a) Note { }",
        ),
        (
            "storage/client.tolk",
            "struct ClientStorage { tokensUsed: uint64, rest: RemainingBitsAndRefs }\n\
             enum Errors { /// Too late.\nClosed = 7 }",
        ),
    ];

    fn sample() -> ContractAbi {
        let source = |path: &str| {
            let found = SOURCES
                .iter()
                .find(|(name, _)| *name == path)
                .map(|(_, text)| (*text).to_owned());
            found.ok_or_else(|| GenError::declaration(path, "no such file"))
        };
        resolve::contract("Client", &source).unwrap()
    }

    #[test]
    fn the_abi_of_a_small_contract_is_as_reviewed() {
        insta::assert_snapshot!(to_json(&sample()).unwrap());
    }

    #[test]
    fn the_rust_of_a_small_contract_is_as_reviewed() {
        let files = rust::bindings(&[sample()]).unwrap();
        let text: Vec<String> = files.iter().map(|(path, text)| format!("// {path}\n{text}")).collect();
        insta::assert_snapshot!(text.join("\n"));
    }
}
