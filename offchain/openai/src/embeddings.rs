//! `/v1/embeddings`: what is asked, and the answer.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::error::ApiError;
use crate::limits::{MAX_DIMENSIONS, MAX_INPUTS};
use crate::request::Request;
use crate::usage::Usage;

/// What is turned into a vector.
#[derive(Clone, PartialEq, Eq)]
pub enum Input {
    /// A text.
    Text(String),
    /// Tokens of the model.
    Tokens(Vec<u32>),
}

/// How vectors are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum EncodingFormat {
    /// As an array of numbers.
    #[default]
    Float,
    /// As base64 of little-endian f32.
    Base64,
}

impl Request {
    /// The inputs of a request for embeddings: one text, several, the tokens of one, or of several.
    pub fn inputs(&self) -> Result<Vec<Input>, ApiError> {
        let bad = |problem| Err(ApiError::invalid_field("input", problem));
        let list = match self.field("input") {
            None => return Err(ApiError::missing_field("input")),
            Some(Value::String(text)) => return Ok(vec![Input::Text(text.clone())]),
            Some(Value::Array(list)) => list,
            Some(_) => return bad("must be a string or an array"),
        };
        if list.first().is_some_and(Value::is_number) {
            return match tokens(list) {
                Some(tokens) => Ok(vec![Input::Tokens(tokens)]),
                None => bad("must hold token ids only"),
            };
        }
        if list.is_empty() || list.len() > MAX_INPUTS {
            return bad("must have between 1 and 2048 elements");
        }
        let one = |value: &Value| match value {
            Value::String(text) => Some(Input::Text(text.clone())),
            Value::Array(list) => tokens(list).map(Input::Tokens),
            _ => None,
        };
        match list.iter().map(one).collect() {
            Some(inputs) => Ok(inputs),
            None => bad("must hold strings or arrays of token ids"),
        }
    }

    /// How vectors shall be written.
    pub fn encoding_format(&self) -> EncodingFormat {
        match self.field("encoding_format").and_then(Value::as_str) {
            Some("base64") => EncodingFormat::Base64,
            _ => EncodingFormat::Float,
        }
    }

    /// How many numbers of each vector are wanted.
    pub fn dimensions(&self) -> Option<u64> {
        self.field("dimensions")?.as_u64()
    }

    pub(crate) fn check_embeddings(&self) -> Result<(), ApiError> {
        self.check_count("dimensions", 1, MAX_DIMENSIONS)?;
        match self.field("encoding_format") {
            None => {}
            Some(Value::String(name)) if name == "float" || name == "base64" => {}
            Some(_) => return Err(ApiError::invalid_field("encoding_format", "must be float or base64")),
        }
        self.inputs().map(drop)
    }
}

fn tokens(list: &[Value]) -> Option<Vec<u32>> {
    let tokens: Option<Vec<u32>> = list.iter().map(|id| u32::try_from(id.as_u64()?).ok()).collect();
    tokens.filter(|tokens| !tokens.is_empty())
}

/// The answer.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
pub struct EmbeddingResponse {
    /// `list`
    pub object: String,
    /// One vector for each input, in their order.
    pub data: Vec<EmbeddingObject>,
    /// The model that answered.
    pub model: String,
    /// Token usage.
    pub usage: Usage,
    /// Everything else that was there.
    #[serde(flatten)]
    pub extra: Map<String, Value>,
}

/// One vector of an answer.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
pub struct EmbeddingObject {
    /// `embedding`
    pub object: String,
    /// Which input it belongs to.
    pub index: u32,
    /// The vector.
    pub embedding: Vector,
}

/// A vector as it is written.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Vector {
    /// Numbers.
    Float(Vec<f32>),
    /// Base64 of little-endian f32.
    Base64(String),
}

impl Vector {
    /// Writes numbers in a format.
    pub fn new(numbers: Vec<f32>, format: EncodingFormat) -> Self {
        match format {
            EncodingFormat::Float => Self::Float(numbers),
            EncodingFormat::Base64 => {
                let bytes: Vec<u8> = numbers.iter().flat_map(|number| number.to_le_bytes()).collect();
                Self::Base64(STANDARD.encode(bytes))
            }
        }
    }

    /// The numbers; `None` if the text is not base64 of whole ones.
    pub fn numbers(&self) -> Option<Vec<f32>> {
        match self {
            Self::Float(numbers) => Some(numbers.clone()),
            Self::Base64(text) => {
                let bytes = STANDARD.decode(text).ok()?;
                let (numbers, rest) = bytes.as_chunks();
                rest.is_empty()
                    .then(|| numbers.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect())
            }
        }
    }
}

impl EmbeddingResponse {
    /// An answer with these vectors.
    pub fn new(model: &str, vectors: impl IntoIterator<Item = Vector>, usage: Usage) -> Self {
        let data = (0..).zip(vectors).map(|(index, embedding)| EmbeddingObject {
            object: "embedding".to_owned(),
            index,
            embedding,
        });
        Self {
            object: "list".to_owned(),
            data: data.collect(),
            model: model.to_owned(),
            usage,
            extra: Map::new(),
        }
    }
}

/// Leaves out what was asked.
impl std::fmt::Debug for Input {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Text(text) => write!(f, "Text({} bytes)", text.len()),
            Self::Tokens(tokens) => write!(f, "Tokens({})", tokens.len()),
        }
    }
}

/// Leaves out the vectors: texts can be guessed from them.
impl std::fmt::Debug for EmbeddingResponse {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("EmbeddingResponse")
            .field("model", &self.model)
            .field("vectors", &self.data.len())
            .field("usage", &self.usage)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::request::Endpoint;
    use proptest::prelude::*;
    use serde_json::json;

    fn parse(body: &Value) -> Result<Request, ApiError> {
        Request::parse(Endpoint::Embeddings, body.to_string().as_bytes())
    }

    #[test]
    fn all_four_shapes_of_input_are_read() {
        let text = |text: &str| Input::Text(text.to_owned());
        for (input, expected) in [
            (json!("a"), vec![text("a")]),
            (json!(["a", "b"]), vec![text("a"), text("b")]),
            (json!([5, 6]), vec![Input::Tokens(vec![5, 6])]),
            (
                json!([[5], [6, 7]]),
                vec![Input::Tokens(vec![5]), Input::Tokens(vec![6, 7])],
            ),
        ] {
            let request = parse(&json!({"model": "m", "input": input})).unwrap();
            assert_eq!(request.inputs().unwrap(), expected);
            assert_eq!(request.encoding_format(), EncodingFormat::Float);
        }
        let body = json!({"model": "m", "input": "a", "encoding_format": "base64", "dimensions": 3});
        let request = parse(&body).unwrap();
        assert_eq!(
            (request.encoding_format(), request.dimensions()),
            (EncodingFormat::Base64, Some(3))
        );
    }

    #[test]
    fn what_is_no_input_is_refused_by_name() {
        let many = vec!["a"; MAX_INPUTS + 1];
        for (field, value) in [
            ("input", json!(null)),
            ("input", json!(5)),
            ("input", json!([])),
            ("input", json!([[]])),
            ("input", json!([1, "a"])),
            ("input", json!(["a", 1])),
            ("input", json!([-1])),
            ("input", json!([4_294_967_296_u64])),
            ("input", json!([[1.5]])),
            ("input", json!(many)),
            ("encoding_format", json!("hex")),
            ("encoding_format", json!(1)),
            ("dimensions", json!(0)),
            ("dimensions", json!("3")),
        ] {
            let mut body = json!({"model": "m", "input": "a"});
            body[field] = value;
            let error = parse(&body).unwrap_err();
            assert_eq!((error.status, error.param.as_deref()), (400, Some(field)), "{body}");
        }
    }

    #[test]
    fn an_answer_has_the_shape_of_openai() {
        let vectors = [
            Vector::new(vec![1.0, -0.5], EncodingFormat::Float),
            Vector::new(vec![1.0, -0.5], EncodingFormat::Base64),
        ];
        let answer = EmbeddingResponse::new("m", vectors, Usage::default());
        let value = serde_json::to_value(&answer).unwrap();
        assert_eq!((&value["object"], &value["model"]), (&json!("list"), &json!("m")));
        assert_eq!(
            value["data"][0],
            json!({"object": "embedding", "index": 0, "embedding": [1.0, -0.5]})
        );
        assert_eq!(
            value["data"][1],
            json!({"object": "embedding", "index": 1, "embedding": "AACAPwAAAL8="})
        );
        assert_eq!(answer.data[1].embedding.numbers().unwrap(), [1.0, -0.5]);
        assert_eq!(serde_json::from_value::<EmbeddingResponse>(value).unwrap(), answer);
        assert!(!format!("{answer:?}").contains("AACA"));
        assert_eq!(Vector::Base64("AACA".to_owned()).numbers(), None);
    }

    proptest! {
        #[test]
        fn both_formats_bring_every_bit(numbers: Vec<f32>) {
            let numbers: Vec<f32> = numbers.into_iter().filter(|number| number.is_finite()).collect();
            for format in [EncodingFormat::Float, EncodingFormat::Base64] {
                let text = serde_json::to_string(&Vector::new(numbers.clone(), format)).unwrap();
                let read: Vector = serde_json::from_str(&text).unwrap();
                let bits = |numbers: &[f32]| numbers.iter().map(|number| number.to_bits()).collect::<Vec<_>>();
                prop_assert_eq!(bits(&read.numbers().unwrap()), bits(&numbers));
            }
        }
    }
}
