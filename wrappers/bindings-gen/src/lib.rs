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
pub const CONTRACTS: [&str; 5] = ["Root", "Proxy", "Client", "Worker", "Wallet"];

/// Everything that is generated, by its path from the root of the repository.
pub fn generate(repository: &Path) -> Result<BTreeMap<String, String>, GenError> {
    let sources = repository.join("contracts");
    let mut files = BTreeMap::new();
    let mut abis = Vec::new();
    for contract in CONTRACTS {
        let source = |path: &str| {
            std::fs::read_to_string(sources.join(path)).map_err(|source| GenError::Read {
                path: path.to_owned(),
                source,
            })
        };
        let abi = resolve::contract(contract, &source)?;
        files.insert(format!("contracts/abi/{contract}.json"), to_json(&abi)?);
        abis.push(abi);
    }
    for (path, text) in rust::bindings(&abis)? {
        files.insert(format!("wrappers/bindings/src/generated/{path}"), text);
    }
    files.extend(oracle::files(&abis)?);
    Ok(files)
}

fn to_json(abi: &ContractAbi) -> Result<String, GenError> {
    let text = serde_json::to_string_pretty(abi).map_err(|source| GenError::Json { source })?;
    Ok(text + "\n")
}
