//! `cocoon root check` and `cocoon root diff`: a root contract judged, and compared with another look at it.

use std::fmt::Write as _;
use std::path::Path;

use cocoon_owner::governance::{self as rules, Difference, Finding, Network, RootSnapshot, RootState};
use serde::Serialize;

use crate::args::Global;
use crate::args::governance::{Place, RootDiffArgs, RootShowArgs};
use crate::command::network::resolve;
use crate::failure::{self, Exit, Failure, OrFail as _};
use crate::input;
use crate::output::Output;

/// Bytes of what `root show --json` printed: some hundred for each hash and proxy, of which there are some hundred.
const MAX_LOOK_BYTES: usize = 4 * 1024 * 1024;

const LOOK_HINT: &str = "give a file that `cocoon root show --json` wrote, or the name of a network";

#[derive(Serialize)]
struct Verdict {
    network: String,
    root: String,
    is_fine: bool,
    findings: Vec<Finding>,
}

/// Runs `root check`.
pub(crate) async fn check(global: &Global, args: RootShowArgs, output: Output) -> Result<Exit, Failure> {
    let named = resolve(global, &args.place)?;
    let (chain, root) = named.open()?;
    let network = Network::fetch(chain.as_ref(), &root, None)
        .await
        .map_err(failure::from_owner)?;
    let findings = rules::check(&network).map_err(failure::from_owner)?;
    let verdict = Verdict {
        network: named.name,
        root: root.to_string(),
        is_fine: findings.iter().all(|finding| finding.is_fine),
        findings,
    };
    output.result(&verdict, verdict_text)?;
    if verdict.is_fine {
        return Ok(Exit::Done);
    }
    output.note("hint: what is not ok may be meant so; `cocoon root show` shows all of it");
    Ok(Exit::Negative)
}

fn verdict_text(verdict: &Verdict) -> String {
    let mut text = format!("root contract {} of network {}\n", verdict.root, verdict.network);
    for finding in &verdict.findings {
        let mark = if finding.is_fine { "ok " } else { "BAD" };
        // Writing to a String cannot fail.
        let _ = writeln!(text, "{mark} {:<20} {}", finding.check, finding.seen);
    }
    text
}

#[derive(Serialize)]
struct Compared {
    old: String,
    new: String,
    differences: Vec<Difference>,
}

/// Runs `root diff`.
pub(crate) async fn diff(global: &Global, args: RootDiffArgs, output: Output) -> Result<Exit, Failure> {
    let old = look(global, &args.place, Some(&args.old)).await?;
    let new = look(global, &args.place, args.new.as_deref()).await?;
    let compared = Compared {
        differences: rules::differences(&old, &new),
        old: args.old,
        new: args.new.unwrap_or_else(|| "now".to_owned()),
    };
    output.result(&compared, |compared| {
        let lines = compared.differences.iter().map(ToString::to_string);
        let lines: Vec<String> = lines.collect();
        if lines.is_empty() {
            "nothing differs".to_owned()
        } else {
            lines.join("\n")
        }
    })?;
    let is_equal = compared.differences.is_empty();
    Ok(if is_equal { Exit::Done } else { Exit::Negative })
}

/// A look at a root contract: of a file, of a network that is named, or of the one that is meant.
async fn look(global: &Global, place: &Place, what: Option<&str>) -> Result<RootSnapshot, Failure> {
    let network = match what {
        Some(path) if Path::new(path).is_file() => {
            let bytes = input::read(Path::new(path), MAX_LOOK_BYTES, LOOK_HINT)?;
            return serde_json::from_slice(&bytes).or_fail(
                Exit::Configuration,
                &format!("{path} is no look at a root contract"),
                LOOK_HINT,
            );
        }
        Some(name) => {
            let other = Global {
                network: Some(name.to_owned()),
                ..global.clone()
            };
            resolve(&other, &Place::default())?
        }
        None => resolve(global, place)?,
    };
    let (chain, root) = network.open()?;
    let state = RootState::fetch(chain.as_ref(), &root)
        .await
        .map_err(failure::from_owner)?;
    Ok(RootSnapshot::from(&state))
}
