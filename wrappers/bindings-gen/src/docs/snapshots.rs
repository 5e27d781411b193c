//! What the contract tests have measured and traced: reviewed snapshots, which those tests keep true.

use crate::error::GenError;
use std::path::Path;

/// Gas of every message.
const GAS: &str = "tests/contracts/gas/messages.snap";
/// One trace per story.
const FLOWS: &str = "tests/contracts/flows";

/// The gas table.
pub(crate) fn gas(repository: &Path) -> Result<String, GenError> {
    table(&read(repository, GAS)?)
}

fn table(snapshot: &str) -> Result<String, GenError> {
    let mut text = String::from(
        "| step | contract | message | gas | at the start | deployed build |\n|---|---|---|--:|--:|--:|\n",
    );
    for line in snapshot.lines().skip(1) {
        let cells: Vec<&str> = line
            .split("  ")
            .map(str::trim)
            .filter(|cell| !cell.is_empty())
            .collect();
        let [step, contract, message, gas, start, deployed] = cells.as_slice() else {
            return Err(GenError::declaration(line, format!("{GAS}: not a line of six columns")));
        };
        text += &format!(
            "| {step} | {contract} | `{message}` | {} | {} | {} |\n",
            thousands(gas),
            thousands(start),
            thousands(deployed)
        );
    }
    Ok(text.trim_end().to_owned())
}

/// `12345` as `12,345`; anything but a number as it is.
fn thousands(number: &str) -> String {
    if !number.bytes().all(|byte| byte.is_ascii_digit()) {
        return number.replace('-', "");
    }
    let mut text = String::new();
    for (index, digit) in number.chars().enumerate() {
        if index > 0 && (number.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// The trace of a story.
pub(crate) fn flow(repository: &Path, name: &str) -> Result<String, GenError> {
    let text = read(repository, &format!("{FLOWS}/{name}.snap"))?;
    Ok(format!("```text\n{}\n```", text.trim_end()))
}

/// The names of all traced stories.
pub(crate) fn flows(repository: &Path) -> Result<Vec<String>, GenError> {
    let failed = |source| GenError::Read {
        path: FLOWS.to_owned(),
        source,
    };
    let mut names = Vec::new();
    for entry in std::fs::read_dir(repository.join(FLOWS)).map_err(failed)? {
        let name = entry.map_err(failed)?.file_name().to_string_lossy().into_owned();
        names.extend(name.strip_suffix(".snap").map(str::to_owned));
    }
    names.sort();
    Ok(names)
}

/// The contents of a snapshot, without its head.
fn read(repository: &Path, path: &str) -> Result<String, GenError> {
    let text = crate::read(repository, path)?;
    let mut parts = text.splitn(3, "---\n");
    parts
        .nth(2)
        .map(str::to_owned)
        .ok_or_else(|| GenError::declaration(path, "not a snapshot"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_gas_table_becomes_one_of_markdown() {
        let snapshot = "step  contract  message  gas  start  deployed\n\
                        charge, again   client  ChargeSigned   8853  11549   -\n";
        let text = table(snapshot).unwrap();
        assert!(
            text.ends_with("| charge, again | client | `ChargeSigned` | 8,853 | 11,549 |  |"),
            "{text}"
        );
        assert!(table("head\na  b  c\n").is_err());
    }
}
