//! OpenAI's parameters for the engine, and the engine's pieces in OpenAI's shape.

use cocoon_engine::{Chat, EngineError, FinishReason, Prompt, Sampling, SamplingWish, SubmitRequest, Who};
use cocoon_openai::Usage;
use cocoon_openai::answer::{AnswerHead, Delta};
use cocoon_openai::limits::DEFAULT_MAX_TOKENS;
use cocoon_openai::sse::{DONE, encode_data};
use cocoon_openai::{ApiError, Endpoint, Request};
use serde::Serialize;
use serde_json::{Map, Value};

/// A request in the engine's words, and the sampling that will be in force.
pub(super) struct Prepared {
    pub(super) submit: SubmitRequest,
    pub(super) sampling: Sampling,
}

/// Translates a request; refuses what the engine does not do, by name.
pub(super) fn prepare(request: &Request, defaults: &Sampling, random_seed: u64) -> Result<Prepared, ApiError> {
    refuse_unsupported(request)?;
    let wish = sampling_wish(request)?;
    let sampling = wish.resolve(defaults).map_err(|error| refusal(&error))?;
    let mut submit = SubmitRequest::new(prompt(request)?);
    submit.sampling = wish;
    // On the wire a seed is a signed number; a drawn one stays positive.
    submit.seed = request.seed().map_or(random_seed >> 1, i64::cast_unsigned);
    submit.max_tokens = Some(usize::try_from(request.max_tokens().unwrap_or(DEFAULT_MAX_TOKENS)).unwrap_or(usize::MAX));
    submit.stop = request.stop().into_iter().map(str::to_owned).collect::<Vec<_>>().into();
    Ok(Prepared { submit, sampling })
}

/// What a caller is told of an engine's refusal.
pub(super) fn refusal(error: &EngineError) -> ApiError {
    match error {
        EngineError::QueueFull { .. } => ApiError::rate_limited("Too many requests wait for this model."),
        EngineError::Parameter { name, allowed } => ApiError::invalid_field(*name, &format!("must be {allowed}")),
        EngineError::ContextLength { .. } | EngineError::PromptTooLong { .. } => ApiError {
            code: "context_length_exceeded",
            ..ApiError::bad_request(sentence(error))
        },
        error if error.who() == Who::Caller => ApiError::bad_request(sentence(error)),
        _ => ApiError::internal("The model could not answer."),
    }
}

fn sentence(error: &EngineError) -> String {
    format!("{error}: {}.", error.hint())
}

fn refuse_unsupported(request: &Request) -> Result<(), ApiError> {
    let is = |name: &str, allowed: &[Value]| request.field(name).is_none_or(|value| allowed.contains(value));
    let text_format = request
        .field("response_format")
        .is_none_or(|format| format.get("type").is_none_or(|kind| kind == "text"));
    let rules = [
        ("n", request.n() == 1, "must be 1"),
        ("best_of", is("best_of", &[1.into()]), "must be 1"),
        (
            "top_logprobs",
            is("top_logprobs", &[0.into()]),
            "is not supported by this model",
        ),
        ("echo", is("echo", &[false.into()]), "is not supported by this model"),
        ("suffix", is("suffix", &["".into()]), "is not supported by this model"),
        (
            "skip_special_tokens",
            is("skip_special_tokens", &[true.into()]),
            "must be true",
        ),
        ("response_format", text_format, "must be of type text"),
    ];
    match rules.into_iter().find(|(_, holds, _)| !holds) {
        Some((name, _, problem)) => Err(ApiError::invalid_field(name, problem)),
        None => Ok(()),
    }
}

fn sampling_wish(request: &Request) -> Result<SamplingWish, ApiError> {
    let number = |name: &str| match request.field(name) {
        None => Ok(None),
        Some(value) => match value.as_f64() {
            Some(number) => Ok(Some(number as f32)),
            None => Err(ApiError::invalid_field(name, "must be a number")),
        },
    };
    let top_k = match request.field("top_k") {
        None => None,
        // -1 is how some servers write "all".
        Some(value) if value.as_i64() == Some(-1) => Some(0),
        Some(value) => match value.as_u64().and_then(|number| u32::try_from(number).ok()) {
            Some(number) => Some(number),
            None => return Err(ApiError::invalid_field("top_k", "must be a whole number")),
        },
    };
    Ok(SamplingWish {
        temperature: number("temperature")?,
        top_p: number("top_p")?,
        top_k,
        min_p: number("min_p")?,
        frequency_penalty: number("frequency_penalty")?,
        presence_penalty: number("presence_penalty")?,
        repetition_penalty: number("repetition_penalty")?,
    })
}

fn prompt(request: &Request) -> Result<Prompt, ApiError> {
    match request.endpoint() {
        Endpoint::Completion => match request.prompt() {
            Some(text) => Ok(Prompt::Text(text.to_owned())),
            None => Err(ApiError::invalid_field("prompt", "must be one text")),
        },
        Endpoint::Chat => Ok(Prompt::Chat(Chat {
            messages: request.messages().to_vec(),
            template_options: template_options(request)?,
            ..Chat::default()
        })),
    }
}

fn template_options(request: &Request) -> Result<Map<String, Value>, ApiError> {
    let Some(options) = request.field("chat_template_kwargs").and_then(Value::as_object) else {
        return Ok(Map::new());
    };
    let known = |(name, value): (&String, &Value)| name == "enable_thinking" && value.is_boolean();
    if options.iter().all(known) {
        Ok(options.clone())
    } else {
        Err(ApiError::invalid_field(
            "chat_template_kwargs",
            "may hold only `enable_thinking`, true or false",
        ))
    }
}

/// Writes one answer in the shape that its endpoint has.
pub(super) struct Writer {
    endpoint: Endpoint,
    head: AnswerHead,
}

impl Writer {
    pub(super) fn new(endpoint: Endpoint, model: &str, created: u64, id: [u8; 12]) -> Self {
        let prefix = match endpoint {
            Endpoint::Chat => "chatcmpl",
            Endpoint::Completion => "cmpl",
        };
        let head = AnswerHead {
            id: format!("{prefix}-{}", hex::encode(id)),
            created,
            model: model.to_owned(),
        };
        Self { endpoint, head }
    }

    /// A whole answer.
    pub(super) fn whole(&self, text: String, finish: FinishReason, usage: Usage) -> String {
        match self.endpoint {
            Endpoint::Chat => json(&self.head.chat(text, word(finish), usage)),
            Endpoint::Completion => json(&self.head.completion(Some(text), Some(word(finish)), Some(usage))),
        }
    }

    /// The event that opens a stream, where there is one.
    pub(super) fn opening(&self) -> Option<String> {
        match self.endpoint {
            Endpoint::Chat => {
                let delta = Delta {
                    role: Some("assistant".to_owned()),
                    content: Some(String::new()),
                    ..Delta::default()
                };
                Some(encode_data(&json(&self.head.chat_chunk(delta, None))))
            }
            Endpoint::Completion => None,
        }
    }

    /// More text.
    pub(super) fn more(&self, text: String) -> String {
        encode_data(&match self.endpoint {
            Endpoint::Chat => {
                let delta = Delta {
                    content: Some(text),
                    ..Delta::default()
                };
                json(&self.head.chat_chunk(delta, None))
            }
            Endpoint::Completion => json(&self.head.completion(Some(text), None, None)),
        })
    }

    /// The events that close a stream: why it ended, usage, the mark.
    pub(super) fn closing(&self, finish: FinishReason, usage: Usage) -> String {
        let usage = Some(usage);
        let [ended, used] = match self.endpoint {
            Endpoint::Chat => [
                json(&self.head.chat_chunk(Delta::default(), Some(word(finish)))),
                json(&self.head.usage_chunk(usage)),
            ],
            Endpoint::Completion => [
                json(&self.head.completion(Some(String::new()), Some(word(finish)), None)),
                json(&self.head.completion(None, None, usage)),
            ],
        };
        [ended, used, DONE.to_owned()]
            .iter()
            .map(|data| encode_data(data))
            .collect()
    }
}

fn word(finish: FinishReason) -> &'static str {
    match finish {
        FinishReason::Length => "length",
        _ => "stop",
    }
}

fn json(value: &impl Serialize) -> String {
    // These are plain structures of strings and numbers.
    serde_json::to_string(value).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use cocoon_openai::sse::{SseDecoder, SseEvent};
    use cocoon_openai::usage::RawCounts;

    fn request(extra: &str) -> Request {
        let body = format!(r#"{{"model":"m","messages":[{{"role":"user","content":"hi"}}]{extra}}}"#);
        Request::parse(Endpoint::Chat, body.as_bytes()).unwrap()
    }

    fn prepared(extra: &str) -> Result<Prepared, ApiError> {
        prepare(&request(extra), &Sampling::default(), u64::MAX)
    }

    #[test]
    fn parameters_reach_the_engine() {
        let found = prepared(r#","temperature":0.5,"top_k":7,"seed":-1,"max_tokens":9,"stop":["x"]"#).unwrap();
        assert_eq!((found.sampling.temperature, found.sampling.top_k), (0.5, 7));
        assert_eq!((found.submit.seed, found.submit.max_tokens), (u64::MAX, Some(9)));
        let found = prepared("").unwrap();
        assert_eq!(
            (found.submit.seed, found.submit.max_tokens),
            (u64::MAX >> 1, Some(1000))
        );
    }

    #[test]
    fn what_the_engine_does_not_do_is_refused_by_name() {
        for (name, extra) in [
            ("n", r#","n":2"#),
            ("top_logprobs", r#","top_logprobs":3"#),
            ("response_format", r#","response_format":{"type":"json_object"}"#),
            ("min_p", r#","min_p":"x""#),
            ("min_p", r#","min_p":2"#),
            ("top_k", r#","top_k":-2"#),
            ("chat_template_kwargs", r#","chat_template_kwargs":{"other":true}"#),
        ] {
            let error = prepared(extra).err().unwrap();
            assert_eq!((error.status, error.param.as_deref()), (400, Some(name)), "{extra}");
        }
    }

    #[test]
    fn a_stream_has_role_text_end_usage_and_mark() {
        let writer = Writer::new(Endpoint::Chat, "m", 5, [0; 12]);
        let usage = Usage::from_counts(RawCounts {
            prompt: 3,
            cached: 0,
            completion: 2,
            reasoning: 1,
        });
        let text =
            writer.opening().unwrap() + &writer.more("hi".to_owned()) + &writer.closing(FinishReason::Length, usage);
        let events = SseDecoder::default().push(text.as_bytes()).unwrap();
        let data: Vec<String> = events
            .into_iter()
            .map(|event| match event {
                SseEvent::Data(data) => data,
                SseEvent::Comment(_) => panic!("no comments"),
            })
            .collect();
        let json: Vec<Value> = data[..4]
            .iter()
            .map(|data| serde_json::from_str(data).unwrap())
            .collect();
        assert_eq!(json[0]["choices"][0]["delta"]["role"], "assistant");
        assert_eq!(json[1]["choices"][0]["delta"]["content"], "hi");
        assert_eq!(json[2]["choices"][0]["finish_reason"], "length");
        assert_eq!(json[3]["usage"]["completion_tokens_details"]["reasoning_tokens"], 1);
        assert_eq!(data[4], DONE);
    }
}
