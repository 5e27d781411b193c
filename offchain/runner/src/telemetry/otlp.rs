//! Spans as OTLP's JSON (opentelemetry-proto 1, `ExportTraceServiceRequest`): ids in hex, 64-bit integers as text.

use serde_json::{Value as Json, json};

use super::span::{Finished, Value};

/// What is sent to `/v1/traces`.
pub(super) fn encode(role: &str, spans: &[Finished]) -> Json {
    json!({ "resourceSpans": [{
        "resource": { "attributes": [
            text("service.name", &format!("cocoon-{role}")),
            text("service.version", env!("CARGO_PKG_VERSION")),
        ] },
        "scopeSpans": [{
            "scope": { "name": "cocoon" },
            "spans": spans.iter().map(span).collect::<Vec<_>>(),
        }],
    }] })
}

fn span(span: &Finished) -> Json {
    let nanoseconds = |ms: u64| (u128::from(ms) * 1_000_000).to_string();
    let mut encoded = json!({
        "traceId": hex::encode(span.trace),
        "spanId": hex::encode(span.id),
        "name": span.name,
        "kind": span.kind as u8,
        "startTimeUnixNano": nanoseconds(span.begin_ms),
        "endTimeUnixNano": nanoseconds(span.end_ms),
        "attributes": span.attributes.iter().map(|(key, value)| attribute(key, value)).collect::<Vec<_>>(),
        // Unset, or error.
        "status": { "code": if span.is_failed { 2 } else { 0 } },
    });
    if let Some(parent) = span.parent {
        encoded["parentSpanId"] = hex::encode(parent).into();
    }
    if let Some((trace, id)) = span.link {
        encoded["links"] = json!([{ "traceId": hex::encode(trace), "spanId": hex::encode(id) }]);
    }
    encoded
}

fn attribute(key: &str, value: &Value) -> Json {
    let value = match value {
        Value::Count(count) => json!({ "intValue": count.to_string() }),
        Value::Flag(flag) => json!({ "boolValue": flag }),
        Value::Word(word) => json!({ "stringValue": word }),
        Value::Model(name) => json!({ "stringValue": name }),
    };
    json!({ "key": key, "value": value })
}

fn text(key: &str, text: &str) -> Json {
    json!({ "key": key, "value": { "stringValue": text } })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::telemetry::span::Kind;

    #[test]
    fn a_span_is_encoded_as_otlp_says() {
        let finished = Finished {
            trace: [0xab; 16],
            id: [1; 8],
            parent: Some([2; 8]),
            name: "proxy.attempt",
            kind: Kind::Client,
            begin_ms: 5,
            end_ms: 7,
            is_failed: true,
            attributes: vec![
                ("cocoon.tokens", Value::Count(u64::MAX)),
                ("cocoon.end", Value::Word("served")),
            ],
            link: Some(([3; 16], [4; 8])),
        };
        let encoded = encode("proxy", &[finished]);
        let span = &encoded["resourceSpans"][0]["scopeSpans"][0]["spans"][0];
        let expected = json!({
            "traceId": "ab".repeat(16), "spanId": "01".repeat(8), "name": "proxy.attempt", "kind": 3,
            "startTimeUnixNano": "5000000", "endTimeUnixNano": "7000000",
            "attributes": [
                { "key": "cocoon.tokens", "value": { "intValue": "18446744073709551615" } },
                { "key": "cocoon.end", "value": { "stringValue": "served" } },
            ],
            "status": { "code": 2 }, "parentSpanId": "02".repeat(8),
            "links": [{ "traceId": "03".repeat(16), "spanId": "04".repeat(8) }],
        });
        assert_eq!(span, &expected);
        let service = &encoded["resourceSpans"][0]["resource"]["attributes"][0];
        assert_eq!(service["value"]["stringValue"], "cocoon-proxy");
    }
}
