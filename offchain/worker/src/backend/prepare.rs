//! OpenAI's parameters in the engine's words.

use super::constraint;
use super::tools;
use crate::limits::MAX_CHOICES;
use cocoon_engine::{
    AnswerParts, Chat, EngineError, LogitBias, Prompt, Sampling, SamplingWish, SubmitRequest, ToolFormat, Who,
};
use cocoon_openai::limits::DEFAULT_MAX_TOKENS;
use cocoon_openai::parts::refuse_other_than_text;
use cocoon_openai::{ApiError, Endpoint, Request};
use serde_json::{Map, Value};

/// A request in the engine's words, and the sampling that will be in force.
pub(super) struct Prepared {
    pub(super) submit: SubmitRequest,
    pub(super) sampling: Sampling,
    /// How many answers are wanted.
    pub(super) choices: usize,
}

/// Translates a request; refuses what the engine does not do, by name. `defaults` and `format` are the model's.
pub(super) fn prepare(
    request: &Request,
    defaults: &Sampling,
    format: Option<ToolFormat>,
    random_seed: u64,
) -> Result<Prepared, ApiError> {
    refuse_unsupported(request)?;
    refuse_other_than_text(request, &[])?;
    let choices = usize::try_from(request.n()).unwrap_or(usize::MAX);
    if choices > MAX_CHOICES {
        return Err(ApiError::invalid_field("n", "must be at most 16"));
    }
    let tools = tools::read(request, format)?;
    let mut wish = sampling_wish(request)?;
    wish.constraint = match (constraint::read(request)?, tools.constraint) {
        (Some((name, _)), Some(_)) => return Err(ApiError::invalid_field(name, "excludes a required tool call")),
        (wished, required) => wished.map(|(_, constraint)| constraint).or(required),
    };
    let sampling = wish.resolve(defaults).map_err(|error| refusal(&error))?;
    let mut submit = SubmitRequest::new(prompt(request, tools.for_template)?);
    submit.sampling = wish;
    submit.logprobs = logprobs(request)?;
    submit.parts = AnswerParts {
        reasoning: request.endpoint() == Endpoint::Chat,
        tools: tools.may_call,
    };
    // On the wire a seed is a signed number; a drawn one stays positive.
    submit.seed = request.seed().map_or(random_seed >> 1, i64::cast_unsigned);
    submit.max_tokens = Some(usize::try_from(request.max_tokens().unwrap_or(DEFAULT_MAX_TOKENS)).unwrap_or(usize::MAX));
    submit.stop = request.stop().into_iter().map(str::to_owned).collect::<Vec<_>>().into();
    Ok(Prepared {
        submit,
        sampling,
        choices,
    })
}

/// What a caller is told of an engine's refusal.
pub(super) fn refusal(error: &EngineError) -> ApiError {
    match error {
        EngineError::QueueFull { .. } | EngineError::Overloaded => {
            ApiError::rate_limited("Too many requests wait for this model.")
        }
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
    let rules = [
        ("best_of", is("best_of", &[request.n().into()]), "must be the same as n"),
        ("echo", is("echo", &[false.into()]), "is not supported by this model"),
        ("suffix", is("suffix", &["".into()]), "is not supported by this model"),
        (
            "skip_special_tokens",
            is("skip_special_tokens", &[true.into()]),
            "must be true",
        ),
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
        logit_bias: logit_bias(request)?,
        constraint: None,
    })
}

fn logit_bias(request: &Request) -> Result<LogitBias, ApiError> {
    let Some(value) = request.field("logit_bias") else {
        return Ok(LogitBias::default());
    };
    let pair = |(token, amount): (&String, &Value)| Some((token.parse::<u32>().ok()?, amount.as_f64()? as f32));
    let pairs = value.as_object().and_then(|pairs| pairs.iter().map(pair).collect());
    pairs.ok_or_else(|| ApiError::invalid_field("logit_bias", "must be an object of token ids and numbers"))
}

/// How many of the likeliest tokens are told, if any. The two interfaces ask for it in two ways.
fn logprobs(request: &Request) -> Result<Option<usize>, ApiError> {
    let number = |name: &str| match request.field(name) {
        None => Ok(None),
        Some(value) => match value.as_u64().filter(|count| *count <= 20) {
            Some(count) => Ok(usize::try_from(count).ok()),
            None => Err(ApiError::invalid_field(name, "must be an integer from 0 to 20")),
        },
    };
    if request.endpoint() == Endpoint::Completion {
        return number("logprobs");
    }
    let top = number("top_logprobs")?;
    match request.field("logprobs") {
        Some(Value::Bool(true)) => Ok(Some(top.unwrap_or(0))),
        None | Some(Value::Bool(false)) if top.is_none_or(|top| top == 0) => Ok(None),
        None | Some(Value::Bool(false)) => Err(ApiError::invalid_field("top_logprobs", "needs `logprobs`")),
        Some(_) => Err(ApiError::invalid_field("logprobs", "must be true or false")),
    }
}

fn prompt(request: &Request, tools: Option<Value>) -> Result<Prompt, ApiError> {
    match request.endpoint() {
        Endpoint::Completion => match request.prompt() {
            Some(text) => Ok(Prompt::Text(text.to_owned())),
            None => Err(ApiError::invalid_field("prompt", "must be one text")),
        },
        Endpoint::Chat => Ok(Prompt::Chat(Chat {
            messages: request.messages().to_vec(),
            tools,
            template_options: template_options(request)?,
        })),
        Endpoint::Embeddings => Err(ApiError::bad_request(
            "This model writes texts; it makes no embeddings.",
        )),
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

#[cfg(test)]
mod tests;
