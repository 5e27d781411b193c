//! The page of a client about its proxy: `GET /v1/cocoon/attestation`.

use std::time::Duration;

use cocoon_attest::Fact;
use cocoon_bindings::ImageHash;
use cocoon_bindings::ton::parse_address;
use cocoon_chain::RootView;
use serde_json::Value;

use super::{Finding, image_finding, platform};
use crate::args::verify::EndpointRole;
use crate::failure::{Exit, Failure, OrFail as _};

/// A client answers from what it knows.
const TIMEOUT: Duration = Duration::from_secs(10);
/// Bytes of the page: sixteen claims and some hashes.
const MAX_PAGE_BYTES: usize = 256 * 1024;

/// Characters that are shown of a text of the page: its addresses and verdicts have fewer.
const MAX_SHOWN_CHARS: usize = 100;

const HINT: &str = "name the URL of a running Cocoon client, such as http://127.0.0.1:10000";

/// Fetches the page.
pub(super) async fn page(url: &str) -> Result<Value, Failure> {
    let doing = "the client does not tell what it knows of its proxy";
    // A client sends nobody elsewhere; a page that does is not the one that was asked for.
    let redirect = reqwest::redirect::Policy::none();
    let http = reqwest::Client::builder()
        .no_proxy()
        .redirect(redirect)
        .timeout(TIMEOUT);
    let http = http.build().map_err(anyhow::Error::from)?;
    let url = format!("{}/v1/cocoon/attestation", url.trim_end_matches('/'));
    let response = http.get(url).send().await.or_fail(Exit::Peer, doing, HINT)?;
    let mut response = response.error_for_status().or_fail(Exit::Peer, doing, HINT)?;
    if !response.status().is_success() {
        let error = anyhow::anyhow!("{doing}: it answered with HTTP status {}", response.status());
        return Err(Failure::new(Exit::Peer, error, HINT));
    }
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

/// What the page says, and what the root contract says of it. Whoever answers at the URL wrote the page, so that nothing of it
/// is proven: it can only contradict itself or the root contract.
pub(super) fn findings(page: &Value, images: &[ImageHash], root: &RootView) -> Vec<Finding> {
    let verdict = page["verdict"].as_str().unwrap_or("none");
    let simulated = page["simulated"].as_bool();
    let mut findings = vec![verdict_finding(verdict, simulated)];
    let network = page["network"]["root"].as_str().unwrap_or("none");
    let is_same = parse_address(network).is_ok_and(|address| address == root.address);
    let says = format!("the client's root contract is {}", short(network));
    findings.push(Finding::of("network", is_same, says));
    findings.push(match simulated {
        Some(simulated) => platform(simulated, root),
        None => Finding::of("platform", false, "the client does not say whether it is simulated"),
    });
    let image = page["proxy"]["image_hash"].as_str();
    findings.push(match image.and_then(|hash| hash.parse::<ImageHash>().ok()) {
        Some(image) => image_finding(&image, EndpointRole::Proxy, images, root),
        None => Finding::of("image", false, "the client knows no image of its proxy"),
    });
    findings.push(evidence(&page["claims"], verdict));
    findings.into_iter().map(by_word).collect()
}

fn verdict_finding(verdict: &str, simulated: Option<bool>) -> Finding {
    let is_simulated = verdict == "simulated";
    let says = format!("the client says of its proxy: {}", short(verdict));
    if simulated.is_some_and(|simulated| simulated != is_simulated) && matches!(verdict, "proven" | "simulated") {
        let word = if is_simulated { "not simulated" } else { "simulated" };
        return Finding::of(
            "verdict",
            false,
            format!("{says}, and that it is {word}: one of them is not so"),
        );
    }
    Finding::of("verdict", is_simulated || verdict == "proven", says)
}

/// What the client's policy says of the quote that it saw. A client reaches its verdict by a quote; where there is a router
/// between, which alone saw one, the verdict is `unknown` and refused by itself.
fn evidence(claims: &Value, verdict: &str) -> Finding {
    match claims["objections"].as_array().map(Vec::len) {
        Some(0) => Finding::of("evidence", true, "the client's policy has no objections"),
        Some(count) => Finding::of("evidence", false, format!("the client's policy has {count} objections")),
        None if verdict == "unknown" => {
            let says = "the client saw the quote behind a router or not at all";
            Finding::new("evidence", Fact::Unknown, says)
        }
        None => Finding::of(
            "evidence",
            false,
            "the client shows no claims that its verdict could rest on",
        ),
    }
}

/// What holds by somebody's word only is not known.
fn by_word(finding: Finding) -> Finding {
    match finding.fact {
        Fact::Proven => Finding::new(
            finding.check,
            Fact::Unknown,
            format!("by the client's word: {}", finding.says),
        ),
        _ => finding,
    }
}

fn short(text: &str) -> String {
    let mut shown: String = text.chars().take(MAX_SHOWN_CHARS).collect();
    if shown.len() < text.len() {
        shown.push('…');
    }
    shown
}

#[cfg(test)]
mod tests {
    use cocoon_bindings::ton::{Address, HashBytes};
    use cocoon_bindings::{Multipliers, Nanoton, Params, ParamsVersion, RootData};
    use serde_json::json;

    use super::*;

    fn image() -> ImageHash {
        "5a".repeat(32).parse().unwrap()
    }

    fn root(is_test: bool) -> RootView {
        let params = Params {
            struct_version: 3,
            params_version: ParamsVersion::new(1),
            unique_id: 1,
            is_test,
            price_per_token: Nanoton::new(2),
            worker_fee_per_token: Nanoton::new(1),
            multipliers: Multipliers::default(),
            proxy_delay_before_close: 0,
            client_delay_before_close: 0,
            min_proxy_stake: Nanoton::ZERO,
            min_client_stake: Nanoton::ZERO,
            proxy_code: None,
            worker_code: None,
            client_code: None,
        };
        let address = Address::new(0, HashBytes([1; 32]));
        let data = RootData {
            proxy_hashes: [image()].into(),
            ..RootData::default()
        };
        RootView {
            owner: address.clone(),
            address,
            version: 1,
            params,
            data,
            time: 0,
        }
    }

    /// What anybody could write who knows the root contract.
    fn page(root: &RootView) -> Value {
        json!({
            "verdict": "proven",
            "simulated": false,
            "proxy": { "image_hash": image().to_string() },
            "claims": { "objections": [] },
            "network": { "root": root.address.to_string() },
        })
    }

    fn refuted(page: &Value, root: &RootView) -> Vec<&'static str> {
        let findings = findings(page, &[], root);
        assert!(
            findings.iter().all(|finding| finding.fact != Fact::Proven),
            "a page proves nothing: {findings:?}"
        );
        let refuted = findings.iter().filter(|finding| finding.fact == Fact::Refuted);
        refuted.map(|finding| finding.check).collect()
    }

    #[test]
    fn a_forged_page_proves_nothing_and_is_refused_where_it_contradicts_itself_or_the_root_contract() {
        for is_test in [true, false] {
            let root = root(is_test);
            assert!(refuted(&page(&root), &root).is_empty());
            let says = &findings(&page(&root), &[], &root)[3].says;
            assert!(
                says.starts_with("by the client's word: ") && says.contains("listed"),
                "{says}"
            );
            for (pointer, value, expected) in [
                ("/verdict", json!("simulated"), vec!["verdict"]),
                ("/verdict", json!("unknown"), vec!["verdict"]),
                ("/verdict", json!(null), vec!["verdict"]),
                ("/simulated", json!(null), vec!["platform"]),
                ("/claims", json!(null), vec!["evidence"]),
                ("/claims", json!({ "table": [] }), vec!["evidence"]),
                ("/claims/objections", json!(["old"]), vec!["evidence"]),
                ("/proxy/image_hash", json!("00".repeat(32)), vec!["image"]),
                ("/proxy", json!(null), vec!["image"]),
                ("/network/root", json!("0:00"), vec!["network"]),
            ] {
                let mut forged = page(&root);
                *forged.pointer_mut(pointer).unwrap() = value;
                assert_eq!(refuted(&forged, &root), expected, "{forged}");
            }
        }
        let (test, real) = (root(true), root(false));
        let mut simulated = page(&test);
        simulated["simulated"] = true.into();
        assert_eq!(refuted(&simulated, &test), ["verdict"], "proven, and simulated");
        simulated["verdict"] = "simulated".into();
        assert!(refuted(&simulated, &test).is_empty());
        assert_eq!(refuted(&simulated, &real), ["platform"]);
    }

    #[test]
    fn a_long_text_of_a_page_is_cut() {
        assert_eq!(short("proven"), "proven");
        assert_eq!(short(&"ä".repeat(101)), format!("{}…", "ä".repeat(100)));
    }
}
