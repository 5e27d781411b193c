//! `cocoon verify endpoint`: what a port proves of the machine behind it, against the root contract.

mod client;

use cocoon_attest::Fact;
use cocoon_bindings::ImageHash;
use cocoon_chain::RootView;
use cocoon_ratls::{Clock as _, SystemClock};
use serde::Serialize;

use super::told::{Finding, first_refuted, lines, printable};
use crate::args::Global;
use crate::args::attest::EvidenceArgs;
use crate::args::governance::Place;
use crate::args::verify::{EndpointRole, VerifyEndpointArgs};
use crate::command::attest::Shown as Evidence;
use crate::command::attest::inputs::Inputs;
use crate::command::attest::subject::Presented;
use crate::command::network::LOCAL;
use crate::command::root;
use crate::failure::{Exit, Failure};
use crate::local::layout::DataDir;
use crate::output::Output;

/// What a simulated platform is called wherever it shows itself.
const SIMULATED: &str = "SIMULATED platform: nothing here is protected by hardware";

#[derive(Serialize)]
struct Shown {
    endpoint: String,
    /// Whose word the evidence is: that of quotes, or that of a client, which its owner trusts.
    word: Word,
    accepted: bool,
    simulated: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    warning: Option<&'static str>,
    /// Root contract that the lists are of.
    root: String,
    is_test: bool,
    findings: Vec<Finding>,
    #[serde(skip_serializing_if = "Option::is_none")]
    evidence: Option<Evidence>,
    /// What the client says of its proxy.
    #[serde(skip_serializing_if = "Option::is_none")]
    client: Option<serde_json::Value>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum Word {
    /// The machine showed evidence of its own.
    Evidence,
    /// A client told what it knows of its proxy: nothing was proven here.
    Client,
}

/// Runs the command.
pub(crate) async fn endpoint(global: &Global, args: VerifyEndpointArgs, output: Output) -> Result<Exit, Failure> {
    let is_url = is_url(&args)?;
    let is_local = is_local(global, &args.place);
    let (_, root) = root::view(global, args.place.clone()).await?;
    let shown = if is_url {
        of_client(&args, &root).await?
    } else {
        let evidence = evidence_args(global, is_local, args.evidence);
        of_machine(args.endpoint, args.role, &args.image, evidence, &root).await?
    };
    output.result(&shown, text)?;
    if shown.accepted {
        return Ok(Exit::Done);
    }
    if output.json {
        output.note(sentence(&shown));
    }
    Ok(Exit::Negative)
}

/// Whether a client is meant, with nothing beside it that a page cannot be judged by.
fn is_url(args: &VerifyEndpointArgs) -> Result<bool, Failure> {
    let Some((scheme, _)) = args.endpoint.split_once("://") else {
        return Ok(false);
    };
    if scheme != "http" {
        let error = anyhow::anyhow!("a client is asked over http, not over {}", printable(scheme));
        let hint = "name its URL on this machine, such as http://127.0.0.1:10000, or HOST:PORT of attested TLS";
        return Err(Failure::new(Exit::Usage, error, hint));
    }
    let evidence = &args.evidence;
    let meaningless = [
        ("--role worker", args.role == EndpointRole::Worker),
        ("--policy", evidence.policy.is_some()),
        ("--collateral", !evidence.collateral.is_empty()),
        ("--simulated-trust", evidence.simulated_trust.is_some()),
        ("--simulated-platform", evidence.simulated_platform.is_some()),
    ];
    match meaningless.iter().find(|(_, is_given)| *is_given) {
        None => Ok(true),
        Some((option, _)) => {
            let error = anyhow::anyhow!("{option} says nothing of the page of a client, which shows no quote");
            let hint = "leave it out, or name HOST:PORT of the proxy, whose quote is then judged here";
            Err(Failure::new(Exit::Usage, error, hint))
        }
    }
}

fn is_local(global: &Global, place: &Place) -> bool {
    place.chain_url.is_none() && global.network.as_deref().is_none_or(|name| name == LOCAL)
}

/// A local network's platform is simulated, and vouched for by its own file.
fn evidence_args(global: &Global, is_local: bool, mut args: EvidenceArgs) -> EvidenceArgs {
    let names_none = args.collateral.is_empty() && args.simulated_trust.is_none() && args.simulated_platform.is_none();
    let platform = DataDir::new(&global.data_dir).platform_file();
    if is_local && names_none && platform.exists() {
        args.simulated_platform = Some(platform);
    }
    args
}

/// Asks a machine for its certificate, as a peer does, and judges the evidence in it.
async fn of_machine(
    endpoint: String,
    role: EndpointRole,
    images: &[ImageHash],
    evidence: EvidenceArgs,
    root: &RootView,
) -> Result<Shown, Failure> {
    let now = SystemClock.now();
    let inputs = Inputs::load(&evidence, now)?;
    let presented = Presented::machine(&endpoint, now).await?;
    let evidence = Evidence::of(endpoint.clone(), &presented, &inputs, now)?;
    let says = match evidence.objections.as_slice() {
        [] => "it speaks of the key of this connection, and the policy accepts it".to_owned(),
        objections => objections.join("; "),
    };
    let mut findings = vec![
        Finding::of("evidence", evidence.accepted, says),
        platform(evidence.simulated, root),
        // A guest that can be debugged is refused before there are claims.
        Finding::of("debug", true, "off"),
    ];
    // The registers were printed by the examination itself, so they parse.
    let image = evidence.image_hash.parse::<ImageHash>().map_err(anyhow::Error::from)?;
    findings.push(image_finding(&image, role, images, root));
    let simulated = evidence.simulated;
    Ok(Shown::new(
        endpoint,
        Word::Evidence,
        simulated,
        root,
        findings,
        Some(evidence),
        None,
    ))
}

/// Asks a client over HTTP what it knows of its proxy, and compares that with the root contract.
async fn of_client(args: &VerifyEndpointArgs, root: &RootView) -> Result<Shown, Failure> {
    let page = client::page(&args.endpoint).await?;
    let findings = client::findings(&page, &args.image, root);
    let simulated = page["simulated"].as_bool().unwrap_or(false);
    let endpoint = args.endpoint.clone();
    Ok(Shown::new(
        endpoint,
        Word::Client,
        simulated,
        root,
        findings,
        None,
        Some(page),
    ))
}

/// Simulated platforms are for networks whose root contract says that they are tests.
fn platform(simulated: bool, root: &RootView) -> Finding {
    match (simulated, root.is_test()) {
        (false, _) => Finding::of("platform", true, "hardware whose maker vouches for it"),
        (true, true) => Finding::new(
            "platform",
            Fact::Unknown,
            "SIMULATED: it proves nothing about hardware, and the network is a test",
        ),
        (true, false) => Finding::of("platform", false, "SIMULATED, and the network is no test"),
    }
}

/// Whether an image may be there.
fn image_finding(image: &ImageHash, role: EndpointRole, expected: &[ImageHash], root: &RootView) -> Finding {
    if !expected.is_empty() {
        let is_expected = expected.contains(image);
        let says = if is_expected {
            "is one that was named"
        } else {
            "is none of those that were named"
        };
        return Finding::of("image", is_expected, format!("{image} {says}"));
    }
    let (as_proxy, as_worker) = (root.allows_proxy_image(image), root.allows_worker_image(image));
    let (listed, list) = match role {
        EndpointRole::Any => (as_proxy || as_worker, "any role"),
        EndpointRole::Proxy => (as_proxy, "proxies"),
        EndpointRole::Worker => (as_worker, "workers"),
    };
    let found = match (as_proxy, as_worker) {
        (true, true) => "proxies and workers",
        (true, false) => "proxies",
        (false, true) => "workers",
        (false, false) => "no role",
    };
    let says = match listed {
        true => format!("{image} is listed for {found}"),
        false => format!("{image} is not listed for {list} by the root contract, but for {found}"),
    };
    Finding::of("image", listed, says.replace(", but for no role", ""))
}

impl Shown {
    fn new(
        endpoint: String,
        word: Word,
        simulated: bool,
        root: &RootView,
        findings: Vec<Finding>,
        evidence: Option<Evidence>,
        client: Option<serde_json::Value>,
    ) -> Self {
        Self {
            endpoint,
            word,
            accepted: first_refuted(&findings).is_none(),
            simulated,
            warning: simulated.then_some(SIMULATED),
            root: root.address.to_string(),
            is_test: root.is_test(),
            findings,
            evidence,
            client,
        }
    }
}

/// The verdict in one sentence.
fn sentence(shown: &Shown) -> String {
    let endpoint = &shown.endpoint;
    let simulated = if shown.simulated { ", SIMULATED as it is" } else { "" };
    let sentence = match (first_refuted(&shown.findings), shown.word) {
        (None, Word::Evidence) => format!("{endpoint} is accepted{simulated}"),
        (None, Word::Client) => format!(
            "{endpoint}: NOTHING WAS PROVEN HERE: the client's word of its proxy{simulated} contradicts nothing of the root contract"
        ),
        (Some(finding), _) => format!("{endpoint} is REFUSED: {}: {}", finding.check, finding.says),
    };
    printable(&sentence)
}

fn text(shown: &Shown) -> String {
    let mut text: Vec<String> = shown.warning.map(str::to_owned).into_iter().collect();
    text.push(sentence(shown));
    let kind = if shown.is_test { ", a test" } else { "" };
    text.push(format!("network  root contract {}{kind}", shown.root));
    text.extend(lines(&shown.findings));
    if let Some(evidence) = &shown.evidence {
        text.push(String::new());
        text.push(evidence.text());
    }
    text.join("\n")
}
