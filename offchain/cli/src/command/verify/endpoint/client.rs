//! The page of a client about its proxy: `GET /v1/cocoon/attestation`.

use std::time::Duration;

use cocoon_attest::Fact;
use cocoon_bindings::ImageHash;
use cocoon_bindings::ton::parse_address;
use cocoon_chain::RootView;
use serde_json::Value;

use super::{Finding, image_finding, platform};
use crate::args::verify::{EndpointRole, VerifyEndpointArgs};
use crate::failure::{Exit, Failure, OrFail as _};

/// A client answers from what it knows.
const TIMEOUT: Duration = Duration::from_secs(10);
/// Bytes of the page: sixteen claims and some hashes.
const MAX_PAGE_BYTES: usize = 256 * 1024;

const HINT: &str = "name the URL of a running Cocoon client, such as http://127.0.0.1:10000";

/// Fetches the page.
pub(super) async fn page(url: &str) -> Result<Value, Failure> {
    let doing = "the client does not tell what it knows of its proxy";
    let http = reqwest::Client::builder().no_proxy().timeout(TIMEOUT).build();
    let http = http.map_err(anyhow::Error::from)?;
    let url = format!("{}/v1/cocoon/attestation", url.trim_end_matches('/'));
    let response = http.get(url).send().await.or_fail(Exit::Peer, doing, HINT)?;
    let mut response = response.error_for_status().or_fail(Exit::Peer, doing, HINT)?;
    let mut bytes = Vec::new();
    while let Some(chunk) = response.chunk().await.or_fail(Exit::Peer, doing, HINT)? {
        bytes.extend_from_slice(&chunk);
        if bytes.len() > MAX_PAGE_BYTES {
            let error = anyhow::anyhow!("{doing}: its page has more than {MAX_PAGE_BYTES} bytes");
            return Err(Failure::new(Exit::Peer, error, HINT));
        }
    }
    serde_json::from_slice(&bytes).or_fail(Exit::Peer, "the client's page is no JSON", HINT)
}

/// What the page says, and what the root contract says of it.
pub(super) fn findings(page: &Value, args: &VerifyEndpointArgs, root: &RootView) -> Vec<Finding> {
    let verdict = page["verdict"].as_str().unwrap_or("none");
    let mut findings = vec![Finding::of(
        "verdict",
        matches!(verdict, "proven" | "simulated"),
        format!("the client says of its proxy: {verdict}"),
    )];
    let network = page["network"]["root"].as_str().unwrap_or_default();
    let is_same = parse_address(network).is_ok_and(|address| address == root.address);
    findings.push(Finding::of(
        "network",
        is_same,
        format!("the client's root contract is {network}"),
    ));
    match page["simulated"].as_bool() {
        Some(simulated) => findings.push(platform(simulated, root)),
        None => findings.push(Finding::of(
            "platform",
            false,
            "the client does not say whether it is simulated",
        )),
    }
    let image = page["proxy"]["image_hash"]
        .as_str()
        .and_then(|hash| hash.parse::<ImageHash>().ok());
    findings.push(match image {
        Some(image) => image_finding(&image, EndpointRole::Proxy, &args.image, root),
        None => Finding::of("image", false, "the client knows no image of its proxy"),
    });
    let objections = page["claims"]["objections"].as_array().map(Vec::len);
    findings.push(match objections {
        Some(0) => Finding::of("evidence", true, "the client's policy has no objections"),
        Some(count) => Finding::of("evidence", false, format!("the client's policy has {count} objections")),
        None => Finding::new(
            "evidence",
            Fact::Unknown,
            "the client saw the quote behind a router or not at all",
        ),
    });
    findings
}
