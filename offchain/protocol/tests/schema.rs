//! The ids of our schema are those of the deployed network.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stderr,
    reason = "helpers of tests"
)]

/// Ids as observed on the wire; the schema computes most of them from its lines.
const DEPLOYED: &[(&str, u32)] = &[
    ("client.authorizationWithProxyFailed", 0x60551c96),
    ("client.authorizationWithProxySuccess", 0x75d5ac34),
    ("client.authorizeWithProxyLong", 0xd3474303),
    ("client.authorizeWithProxyShort", 0x6c276723),
    ("client.connectToProxy", 0xff5fa0f4),
    ("client.connectedToProxy", 0x95317ad1),
    ("client.getWorkerTypes", 0x7f062bdb),
    ("client.getWorkerTypesV2", 0xb2133d72),
    ("client.params", 0x40fdca64),
    ("client.paymentStatus", 0xaa8a0ecc),
    ("client.proxyConnectionAuthLong", 0x417bf016),
    ("client.proxyConnectionAuthShort", 0xd6ffc5af),
    ("client.queryAnswer", 0x9b943922),
    ("client.queryAnswerError", 0x6d60569a),
    ("client.queryAnswerErrorEx", 0x072562a8),
    ("client.queryAnswerEx", 0xcd524720),
    ("client.queryAnswerPart", 0xb765de4c),
    ("client.queryAnswerPartError", 0xd790a022),
    ("client.queryAnswerPartEx", 0xc07bfaec),
    ("client.queryFinalInfo", 0x69a452f0),
    ("client.refund", 0x83aabead),
    ("client.refundRejected", 0xcf9d9957),
    ("client.requestRefund", 0x238d863d),
    ("client.runQuery", 0xbc748f32),
    ("client.runQueryEx", 0xf54cb74b),
    ("client.updatePaymentStatus", 0x9ed1c697),
    ("client.workerInstanceV2", 0x3ea93d00),
    ("client.workerType", 0x8210e21c),
    ("client.workerTypeV2", 0xb27d8197),
    ("client.workerTypes", 0xf64e0e01),
    ("client.workerTypesV2", 0x0cf0dc67),
    ("http.header", 0x8e9be511),
    ("http.request", 0x47492de5),
    ("http.response", 0x1cd0c42b),
    ("proxy.clientRequestPayment", 0xc6bcf127),
    ("proxy.params", 0xd5c5609f),
    ("proxy.queryAnswer", 0x37e5f725),
    ("proxy.queryAnswerError", 0x669d014e),
    ("proxy.queryAnswerErrorEx", 0x8f7fb0a7),
    ("proxy.queryAnswerEx", 0x1ce574e8),
    ("proxy.queryAnswerPart", 0x72eb00ee),
    ("proxy.queryAnswerPartError", 0x940e1168),
    ("proxy.queryAnswerPartEx", 0x6d85b50f),
    ("proxy.queryFinalInfo", 0xe794e6fc),
    ("proxy.runQuery", 0x47182416),
    ("proxy.runQueryEx", 0xc805e7e2),
    ("proxy.signedPayment", 0x02998182),
    ("proxy.signedPaymentEmpty", 0xb347ce64),
    ("proxy.workerRequestPayment", 0x1436c0d5),
    ("tcp.connect", 0xa57c4261),
    ("tcp.connected", 0x636d41d6),
    ("tcp.packet", 0x9c17baf8),
    ("tcp.ping", 0xbbe9627c),
    ("tcp.pong", 0x0bd4302c),
    ("tcp.query", 0x3af51908),
    ("tcp.queryAnswer", 0xc048c311),
    ("tcp.queryError", 0x4cd2f602),
    ("tokensUsed", 0x70c5b15c),
    ("worker.compareBalanceWithProxy", 0xdb386501),
    ("worker.compareBalanceWithProxyResult", 0x9054c411),
    ("worker.connectToProxy", 0xcc484c5d),
    ("worker.connectedToProxy", 0x66bc82ee),
    ("worker.enabledDisabled", 0xb3b71039),
    ("worker.extendedCompareBalanceWithProxy", 0xf8dd9914),
    ("worker.extendedCompareBalanceWithProxyResult", 0x0c10973e),
    ("worker.newCoefficient", 0x6af092b0),
    ("worker.params", 0x869c73ed),
    ("worker.paymentStatus", 0xa88bd701),
    ("worker.proxyHandshakeComplete", 0xf843b066),
    ("worker.proxyHandshakeCompleted", 0x3ad9b886),
    ("worker.updatePaymentStatus", 0xdc70a524),
];

/// Name and id of every line of the schema, computed here from the text alone.
fn schema_ids() -> Vec<(String, u32)> {
    include_str!("../schema/cocoon.tl")
        .lines()
        .map(|line| line.trim().trim_end_matches(';'))
        .filter(|line| !line.is_empty() && !line.starts_with("//") && !line.starts_with("---"))
        .filter(|line| line.contains('.') || line.starts_with("tokensUsed"))
        .filter_map(|line| {
            let head = line.split(' ').next()?;
            Some(match head.split_once('#') {
                Some((name, id)) => (name.to_owned(), u32::from_str_radix(id, 16).ok()?),
                None => (head.to_owned(), crc32(line.replace(['(', ')'], "").as_bytes())),
            })
        })
        .collect()
}

fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(u32::MAX, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |c, _| {
            if c & 1 == 1 { (c >> 1) ^ 0xedb8_8320 } else { c >> 1 }
        })
    })
}

#[test]
fn every_deployed_id_is_in_the_schema() {
    let ids = schema_ids();
    for (name, id) in DEPLOYED {
        let ours = ids
            .iter()
            .find(|(n, _)| n == name)
            .unwrap_or_else(|| panic!("{name} is not in the schema"));
        assert_eq!(ours.1, *id, "{name}");
    }
}

#[test]
fn ids_are_unique_and_only_our_own_names_are_added() {
    let ids = schema_ids();
    let distinct: std::collections::BTreeSet<u32> = ids.iter().map(|(_, id)| *id).collect();
    assert_eq!(distinct.len(), ids.len());
    for (name, _) in &ids {
        assert!(
            name.starts_with("cocoon.") || DEPLOYED.iter().any(|(n, _)| n == name),
            "{name}"
        );
    }
}

#[test]
fn the_code_uses_the_ids_of_the_schema() {
    use cocoon_protocol::{client, context, extension, http, key, proxy, tcp, worker};
    let ids = schema_ids();
    let id = |name: &str| ids.iter().find(|(n, _)| n == name).map(|(_, id)| *id).unwrap();
    assert_eq!(client::RunQueryEx::TL_ID, id("client.runQueryEx"));
    assert_eq!(client::QueryAnswerError::TL_ID, id("client.queryAnswerError"));
    assert_eq!(proxy::SignedPayment::TL_ID_VOUCHER, id("proxy.signedPayment"));
    assert_eq!(proxy::QueryAnswerPartEx::TL_ID, id("proxy.queryAnswerPartEx"));
    assert_eq!(
        worker::ProxyHandshakeComplete::TL_ID,
        id("worker.proxyHandshakeComplete")
    );
    assert_eq!(http::Request::TL_ID, id("http.request"));
    assert_eq!(tcp::Connect::TL_ID, id("tcp.connect"));
    assert_eq!(extension::WorkReport::TL_ID, id("cocoon.workReport"));
    assert_eq!(extension::RunQuery::TL_ID, id("cocoon.runQuery"));
    assert_eq!(extension::Cancel::TL_ID, id("cocoon.cancel"));
    assert_eq!(extension::Countersigned::TL_ID, id("cocoon.countersigned"));
    assert_eq!(extension::CompareProof::TL_ID, id("cocoon.compareProof"));
    assert_eq!(extension::Proof::TL_ID_STATEMENT, id("cocoon.provenStatement"));
    assert_eq!(extension::GetQuote::TL_ID, id("cocoon.getQuote"));
    assert_eq!(extension::QuoteTerms::TL_ID, id("cocoon.quoteTerms"));
    assert_eq!(extension::RunQuoted::TL_ID, id("cocoon.runQuoted"));
    assert_eq!(extension::ProveSession::TL_ID, id("cocoon.proveSession"));
    assert_eq!(extension::SessionProof::TL_ID, id("cocoon.sessionProof"));
    assert_eq!(context::TellContext::TL_ID, id("cocoon.tellContext"));
    assert_eq!(context::Contexts::TL_ID, id("cocoon.contexts"));
    assert_eq!(key::GetKey::TL_ID, id("cocoon.getKey"));
    assert_eq!(key::KeyRoot::TL_ID, id("cocoon.keyRoot"));
}
