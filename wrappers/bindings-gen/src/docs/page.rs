//! `contracts/README.md`: an introduction by hand, filled with tables from the declarations and with what the contract
//! tests have measured and traced.

use crate::abi::ContractAbi;
use crate::docs::{snapshots, tables, template};
use crate::error::GenError;
use std::collections::BTreeSet;
use std::path::Path;

/// The text of the page.
pub(crate) fn page(repository: &Path, abis: &[ContractAbi]) -> Result<String, GenError> {
    let mut told = BTreeSet::new();
    let mut described = BTreeSet::new();
    let text = template::fill(repository, "README.md", &mut |command| {
        let of = |name: &str| {
            let found = abis.iter().find(|abi| abi.contract_name == name);
            found.ok_or_else(|| GenError::declaration(name, "no such contract"))
        };
        Ok(Some(match command {
            ["contract", name] => {
                described.insert((*name).to_owned());
                tables::contract(of(name)?)?
            }
            ["union", name, union] => tables::union(of(name)?, union)?,
            ["errors"] => tables::errors(abis),
            ["gas"] => snapshots::gas(repository)?,
            ["flow", name] => {
                told.insert((*name).to_owned());
                snapshots::flow(repository, name)?
            }
            _ => return Ok(None),
        }))
    })?;
    let left_out = abis.iter().find(|abi| !described.contains(&abi.contract_name));
    if let Some(abi) = left_out {
        return Err(GenError::declaration(
            &abi.contract_name,
            "not described in the template",
        ));
    }
    for name in snapshots::flows(repository)? {
        if !told.contains(&name) {
            return Err(GenError::declaration(name, "a flow that the template leaves out"));
        }
    }
    Ok(text)
}
