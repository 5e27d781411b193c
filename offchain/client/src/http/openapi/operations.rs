//! What every path of the interface does. A path that is routed and not listed here fails a test.

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

const MODELS: &str = "models";
const COCOON: &str = "cocoon";
const OPERATION: &str = "operation";

const ERROR: &str = "Error";
const HEADERS: &[&str] = &["Receipt", "Quote", "NoChallenge", "IdempotencyKey"];

/// What may go wrong with whatever a worker answers.
const OF_MODELS: &[(u16, &str)] = &[
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
const OF_PROXY: &[(u16, &str)] = &[
    (502, "The proxy did not answer."),
    (503, "There is no connection to a proxy."),
];

/// A page that can always be read.
const fn page(
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
const fn model(
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

/// Every method of every path.
pub(super) const ALL: &[Operation] = &[
    model(
        "/v1/chat/completions",
        "createChatCompletion",
        "Answers a conversation, as OpenAI's chat completions.",
        "ChatRequest",
        Answer::Model {
            whole: "ChatCompletion",
            events: Some(
                "Data of each event: a `chat.completion.chunk`; of the last one `[DONE]`. A comment behind it names the receipt.",
            ),
        },
    ),
    model(
        "/v1/completions",
        "createCompletion",
        "Goes on with a text, as OpenAI's completions.",
        "CompletionRequest",
        Answer::Model {
            whole: "Completion",
            events: Some(
                "Data of each event: a `text_completion`; of the last one `[DONE]`. A comment behind it names the receipt.",
            ),
        },
    ),
    model(
        "/v1/embeddings",
        "createEmbedding",
        "Turns texts into vectors, as OpenAI's embeddings.",
        "EmbeddingRequest",
        Answer::Model {
            whole: "Embeddings",
            events: None,
        },
    ),
    model(
        "/v1/responses",
        "createResponse",
        "Answers a conversation, as OpenAI's responses. Nothing is kept for a later request.",
        "ResponseRequest",
        Answer::Model {
            whole: "Response",
            events: Some(
                "Events from `response.created` to `response.completed`, `response.incomplete` or `response.failed`.",
            ),
        },
    ),
    Operation {
        error: "AnthropicError",
        ..model(
            "/v1/messages",
            "createMessage",
            "Answers a conversation, as Anthropic's Messages.",
            "MessageRequest",
            Answer::Model {
                whole: "Message",
                events: Some("Events from `message_start` to `message_stop`, or `error`."),
            },
        )
    },
    Operation {
        method: "post",
        request: Some("MessageRequest"),
        error: "AnthropicError",
        refusals: &[(404, "Always: this client has no tokenizer of the models.")],
        ..page(
            "/v1/messages/count_tokens",
            "countMessageTokens",
            MODELS,
            "Says that tokens cannot be counted before they are answered for.",
            Answer::Nothing,
        )
    },
    Operation {
        refusals: OF_PROXY,
        ..page(
            "/v1/models",
            "listModels",
            MODELS,
            "Models that some worker of the connected proxy serves now, with places and prices.",
            Answer::Json("ModelList"),
        )
    },
    Operation {
        refusals: &[
            (404, "The connected proxy has no worker for it."),
            (502, "The proxy did not answer."),
            (503, "There is no connection to a proxy."),
        ],
        ..page(
            "/v1/models/{*name}",
            "getModel",
            MODELS,
            "One of them.",
            Answer::Json("Model"),
        )
    },
    Operation {
        refusals: &[(400, "That is no id."), (404, "There is no such receipt, or not yet.")],
        ..page(
            "/v1/cocoon/receipts/{id}",
            "getReceipt",
            COCOON,
            "A receipt, by its own id or that of its request.",
            Answer::Json("Receipt"),
        )
    },
    Operation {
        method: "post",
        request: Some("QuoteRequest"),
        refusals: OF_MODELS,
        ..page(
            "/v1/cocoon/quote",
            "createQuote",
            COCOON,
            "Keeps a worker's slot and a firm price for one request.",
            Answer::Json("Quote"),
        )
    },
    page(
        "/v1/cocoon/key",
        "getKey",
        COCOON,
        "What the API key of the request may use, has spent and has left.",
        Answer::Json("ApiKey"),
    ),
    page(
        "/v1/cocoon/claims",
        "listClaims",
        COCOON,
        "What the client may claim on chain when its proxy is silent.",
        Answer::Json("Claims"),
    ),
    Operation {
        refusals: OF_PROXY,
        ..page(
            "/v1/cocoon/attestation",
            "getAttestation",
            COCOON,
            "What is known of the connected proxy, claim by claim.",
            Answer::Json("Attestation"),
        )
    },
    Operation {
        refusals: &[(400, "That is no hash."), (404, "There is no such certificate here.")],
        ..page(
            "/v1/cocoon/attestation/{hash}",
            "getCertificate",
            COCOON,
            "The same of a certificate that this client keeps.",
            Answer::Json("Attestation"),
        )
    },
    page(
        "/v1/cocoon/openapi.json",
        "getDocument",
        COCOON,
        "This document.",
        Answer::Json("Document"),
    ),
    Operation {
        refusals: &[(503, "No proxy serves it; the body says why.")],
        error: "Health",
        ..page(
            "/health",
            "getHealth",
            OPERATION,
            "The client's state.",
            Answer::Json("Health"),
        )
    },
    page(
        "/jsonstats",
        "getStatistics",
        OPERATION,
        "Statistics, in the shape of the deployed client runner.",
        Answer::Json("Statistics"),
    ),
    page(
        "/stats",
        "getStatisticsPage",
        OPERATION,
        "The same for people.",
        Answer::Text("text/html"),
    ),
    page(
        "/perf",
        "getPerformance",
        OPERATION,
        "Figures of the process.",
        Answer::Text("text/plain"),
    ),
    page(
        "/metrics",
        "getMetrics",
        OPERATION,
        "Figures for Prometheus.",
        Answer::Text("text/plain"),
    ),
    page("/", "getPage", COCOON, "The client's page.", Answer::Text("text/html")),
    page(
        "/assets/{name}",
        "getPageFile",
        COCOON,
        "A file of the page.",
        Answer::Text("text/plain"),
    ),
    page(
        "/v1/cocoon/page",
        "getPageParts",
        COCOON,
        "Which parts the page has.",
        Answer::Json("Object"),
    ),
    page(
        "/v1/cocoon/balance",
        "getBalance",
        COCOON,
        "What the wallet and the contracts at the connected proxies hold.",
        Answer::Json("Object"),
    ),
    page(
        "/v1/cocoon/channel",
        "listChannels",
        COCOON,
        "The client's contracts at its proxies.",
        Answer::Json("Object"),
    ),
    page(
        "/v1/cocoon/channel/operations",
        "listChannelOperations",
        COCOON,
        "Operations that a person asked for.",
        Answer::Json("Object"),
    ),
    page(
        "/v1/cocoon/channel/operations/{id}",
        "getChannelOperation",
        COCOON,
        "One of them.",
        Answer::Json("Object"),
    ),
    Operation {
        method: "post",
        request: Some("Object"),
        refusals: OF_PROXY,
        ..page(
            "/v1/cocoon/channel/confirm",
            "confirmChannelOperation",
            COCOON,
            "Sends an operation that was shown before. Needs the header `x-cocoon-confirm`.",
            Answer::Json("Object"),
        )
    },
    Operation {
        method: "post",
        request: Some("Object"),
        refusals: OF_PROXY,
        ..page(
            "/v1/cocoon/channel/{contract}/{operation}",
            "planChannelOperation",
            COCOON,
            "Shows in words what an operation would do, and sends nothing. Needs the header `x-cocoon-confirm`.",
            Answer::Json("Object"),
        )
    },
    page(
        "/v1/cocoon/network/anchors",
        "getNetworkAnchors",
        COCOON,
        "Anchors of receipt logs.",
        Answer::Json("Object"),
    ),
    page(
        "/v1/cocoon/network/feed",
        "getNetworkFeed",
        COCOON,
        "Settlements, with messages in words.",
        Answer::Json("Object"),
    ),
    page(
        "/v1/cocoon/network/models",
        "getNetworkModels",
        COCOON,
        "Models of the network.",
        Answer::Json("Object"),
    ),
    page(
        "/v1/cocoon/network/proposals",
        "getNetworkProposals",
        COCOON,
        "Pending proposals of the governor.",
        Answer::Json("Object"),
    ),
    page(
        "/v1/cocoon/network/proxies",
        "getNetworkProxies",
        COCOON,
        "Proxies of the network.",
        Answer::Json("Object"),
    ),
    page(
        "/v1/cocoon/network/receipts",
        "getNetworkReceipts",
        COCOON,
        "Receipts of the published logs.",
        Answer::Json("Object"),
    ),
    page(
        "/v1/cocoon/network/root",
        "getNetworkRoot",
        COCOON,
        "Parameters of the root contract.",
        Answer::Json("Object"),
    ),
    page(
        "/v1/cocoon/network/status",
        "getNetworkStatus",
        COCOON,
        "How current the view of the network is.",
        Answer::Json("Object"),
    ),
    page(
        "/v1/cocoon/network/workers",
        "getNetworkWorkers",
        COCOON,
        "Workers of the network.",
        Answer::Json("Object"),
    ),
    page(
        "/v1/cocoon/network/receipts/{id}",
        "getNetworkReceipt",
        COCOON,
        "One receipt of the published logs.",
        Answer::Json("Object"),
    ),
];
