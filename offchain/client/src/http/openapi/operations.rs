//! What every path of the interface does. A path that is routed and not listed here fails a test.

use super::operation::{Answer, COCOON, MODELS, OF_MODELS, OF_PROXY, OPERATION, Operation, model, page};

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
