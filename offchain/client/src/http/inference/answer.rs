//! What the caller gets of a worker's answer: whole, or piece by piece.

use axum::body::Body;
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::response::Response;
use bytes::{Bytes, BytesMut};
use cocoon_openai::ApiError;
use cocoon_protocol::answer::FinalInfo;
use cocoon_protocol::http::Response as Head;
use serde_json::{Value, json};

use super::Running;
use crate::driver::Piece;
use crate::http::reply::{RECEIPT_ID, reply_with_id, set, set_id};
use crate::http::stream;

impl Running {
    /// The next piece of the answer.
    pub(in crate::http) async fn next(&mut self) -> Option<Piece> {
        let piece = self.pieces.recv().await;
        if !self.has_body && matches!(piece, Some(Piece::Body(_))) {
            self.has_body = true;
            self.app.stats.first_token.add(self.begun.elapsed().as_secs_f64());
        }
        piece
    }

    pub(super) async fn respond(mut self) -> Response {
        let head = match self.next().await {
            Some(Piece::Head(head)) => head,
            Some(Piece::Failed(error)) => return self.refuse(&error),
            _ => return self.refuse(&ApiError::internal("The answer did not begin.")),
        };
        let is_event_stream = head
            .header("content-type")
            .is_some_and(|t| t.trim_start().starts_with("text/event-stream"));
        if self.wants_stream && is_event_stream && (200..300).contains(&head.status_code) {
            return stream::respond(head, self);
        }
        match self.collect().await {
            Ok(whole) => self.whole_response(&head, whole),
            Err(error) => self.refuse(&error),
        }
    }

    async fn collect(&mut self) -> Result<Whole, ApiError> {
        let mut body = BytesMut::new();
        let mut info = FinalInfo::default();
        loop {
            match self.next().await {
                Some(Piece::Body(bytes)) => body.extend_from_slice(&bytes),
                Some(Piece::End(end)) if self.wants_receipt => info = *end,
                Some(Piece::End(end)) => {
                    return Ok(Whole {
                        body: body.freeze(),
                        info: *end,
                        receipt: None,
                    });
                }
                Some(Piece::Receipt(note)) => {
                    return Ok(Whole {
                        body: body.freeze(),
                        info,
                        receipt: note.map(|n| n.id.to_string()),
                    });
                }
                Some(Piece::Failed(error)) => return Err(error),
                Some(Piece::Head(_)) | None => return Err(ApiError::internal("The answer did not end.")),
            }
        }
    }

    fn refuse(&self, error: &ApiError) -> Response {
        reply_with_id(self.dialect, error, &self.id)
    }

    fn whole_response(mut self, head: &Head, whole: Whole) -> Response {
        let status = u16::try_from(head.status_code)
            .ok()
            .and_then(|code| StatusCode::from_u16(code).ok());
        let Some(status) = status.filter(|status| status.as_u16() >= 200) else {
            return self.refuse(&ApiError::bad_gateway("The worker's answer has no valid status."));
        };
        let mut response = match self.written(status, whole.body) {
            Err(error) => self.refuse(&error),
            Ok(mut body) => {
                if self.wants_debug {
                    body = with_debug(body, &whole.info, self.clock.now_f64());
                }
                let mut response = Response::new(Body::from(body));
                *response.status_mut() = status;
                copy_headers(head, &mut response);
                set_id(&mut response, self.dialect, &self.id);
                response
            }
        };
        if let Some(id) = whole.receipt {
            set(&mut response, RECEIPT_ID, &id);
        }
        response
    }

    /// What the caller gets for a worker's answer: the same bytes, if they speak its interface.
    fn written(&mut self, status: StatusCode, body: Bytes) -> Result<Bytes, ApiError> {
        if status.is_client_error() || status.is_server_error() {
            return match ApiError::from_body(status.as_u16(), &body) {
                Some(_) if self.translator.is_none() => Ok(body),
                Some(error) => Err(error),
                None => Err(ApiError {
                    status: status.as_u16(),
                    ..ApiError::bad_gateway(format!("The worker answered with status {status}."))
                }),
            };
        }
        match &mut self.translator {
            Some(translator) => translator.whole(&body).map(Bytes::from),
            None => Ok(body),
        }
    }
}

/// A plain answer with all that belongs to it.
struct Whole {
    body: Bytes,
    info: FinalInfo,
    receipt: Option<String>,
}

/// Content type and the headers that nodes add; everything else of the worker's HTTP is between it and its backend.
pub(in crate::http) fn copy_headers(head: &Head, response: &mut Response) {
    for line in &head.headers {
        let name = line.name.to_ascii_lowercase();
        if name != header::CONTENT_TYPE.as_str() && !name.starts_with("x-cocoon-") {
            continue;
        }
        if let (Ok(name), Ok(value)) = (HeaderName::try_from(name), HeaderValue::from_str(&line.value)) {
            response.headers_mut().insert(name, value);
        }
    }
    response
        .headers_mut()
        .entry(header::CONTENT_TYPE)
        .or_insert(HeaderValue::from_static("application/json"));
}

/// Debug records of all nodes, as the deployed runner names them.
pub(in crate::http) fn debug_records(info: &FinalInfo, now: f64) -> Value {
    let record = |text: &Option<String>| {
        text.as_deref()
            .and_then(|t| serde_json::from_str::<Value>(t).ok())
            .unwrap_or(Value::Null)
    };
    json!({
        "client": { "tokens_used": info.tokens.total, "ended_at": now },
        "proxy": record(&info.proxy_debug),
        "worker": record(&info.worker_debug),
    })
}

fn with_debug(body: Bytes, info: &FinalInfo, now: f64) -> Bytes {
    match serde_json::from_slice::<Value>(&body) {
        Ok(Value::Object(mut fields)) => {
            fields.insert("debug".into(), debug_records(info, now));
            serde_json::to_vec(&fields).map_or(body, Bytes::from)
        }
        _ => body,
    }
}
