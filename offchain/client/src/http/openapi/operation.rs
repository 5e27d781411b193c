//! What one path does, and what several have in common.

/// One method of one path.
pub(super) struct Operation {
    /// As HTTP names it, in lower case.
    pub(super) method: &'static str,
    /// As it is routed.
    pub(super) path: &'static str,
    /// Its name for programs that are made of the document.
    pub(super) id: &'static str,
    pub(super) tag: &'static str,
    pub(super) summary: &'static str,
    /// Header parameters by their names in the components; of what is answered by workers.
    pub(super) headers: &'static [&'static str],
    /// Schema of its body.
    pub(super) request: Option<&'static str>,
    pub(super) answer: Answer,
    /// Schema of its errors.
    pub(super) error: &'static str,
    pub(super) refusals: &'static [(u16, &'static str)],
}

/// What it answers.
pub(super) enum Answer {
    /// One JSON document.
    Json(&'static str),
    /// An answer of a model, and what the data of its events are where it can be a stream.
    Model {
        whole: &'static str,
        events: Option<&'static str>,
    },
    /// A text of this kind.
    Text(&'static str),
    /// Nothing but a refusal.
    Nothing,
}

pub(super) const MODELS: &str = "models";
pub(super) const COCOON: &str = "cocoon";
pub(super) const OPERATION: &str = "operation";

pub(super) const ERROR: &str = "Error";
pub(super) const HEADERS: &[&str] = &["Receipt", "Quote", "NoChallenge", "IdempotencyKey"];

/// What may go wrong with whatever a worker answers.
pub(super) const OF_MODELS: &[(u16, &str)] = &[
    (400, "A field is wrong, missing or not supported; `param` names it."),
    (401, "The client needs an API key, or does not know this one."),
    (
        402,
        "The client's contract is short of coins, or the key's limit is used up.",
    ),
    (403, "The API key may not do this."),
    (404, "Nobody serves this model, or nobody whom the request admits."),
    (409, "The idempotency key stands for a request whose answer is gone."),
    (413, "The request is too large."),
    (422, "The idempotency key stands for another request."),
    (429, "Too many requests; `Retry-After` says when to come back."),
    (502, "A node on the way failed."),
    (
        503,
        "There is no connection, or no free worker at this price; `Retry-After` says when to come back.",
    ),
    (504, "The answer did not come in time."),
];
pub(super) const OF_PROXY: &[(u16, &str)] = &[
    (502, "The proxy did not answer."),
    (503, "There is no connection to a proxy."),
];

/// A page that can always be read.
pub(super) const fn page(
    path: &'static str,
    id: &'static str,
    tag: &'static str,
    summary: &'static str,
    answer: Answer,
) -> Operation {
    Operation {
        method: "get",
        path,
        id,
        tag,
        summary,
        headers: &[],
        request: None,
        answer,
        error: ERROR,
        refusals: &[],
    }
}

/// Something that a worker answers.
pub(super) const fn model(
    path: &'static str,
    id: &'static str,
    summary: &'static str,
    request: &'static str,
    answer: Answer,
) -> Operation {
    Operation {
        method: "post",
        path,
        id,
        tag: MODELS,
        summary,
        headers: HEADERS,
        request: Some(request),
        answer,
        error: ERROR,
        refusals: OF_MODELS,
    }
}
