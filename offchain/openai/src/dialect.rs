//! The interfaces that a caller may speak, and how their answers are written.

use crate::error::ApiError;
use crate::request::{Endpoint, Request};
use crate::{anthropic, responses};

/// An interface of a client runner: what a path takes and gives.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Dialect {
    /// OpenAI's paths that workers answer themselves: nothing is translated.
    OpenAi(Endpoint),
    /// Anthropic's Messages.
    Messages,
    /// OpenAI's Responses.
    Responses,
}

/// A body that was understood.
pub struct Translated {
    /// What a worker is asked.
    pub request: Request,
    /// Writes the answer, if it has to be written anew.
    pub translator: Option<Box<dyn Translator>>,
}

/// Writes the answer to one chat request as another interface has it.
///
/// A stream is given event by event and ends with either [`Translator::end`] or [`Translator::failed`]. What is returned are
/// server-sent events, possibly none.
pub trait Translator: Send {
    /// A whole answer. An error if it is none.
    fn whole(&mut self, answer: &[u8]) -> Result<Vec<u8>, ApiError>;

    /// The data of the next event of a stream; of its end mark too.
    fn event(&mut self, data: &str) -> String;

    /// The stream has ended.
    fn end(&mut self) -> String;

    /// The stream broke off.
    fn failed(&mut self, error: &ApiError) -> String;
}

impl Dialect {
    /// The path on the client.
    pub const fn path(self) -> &'static str {
        match self {
            Self::OpenAi(endpoint) => endpoint.path(),
            Self::Messages => anthropic::PATH,
            Self::Responses => responses::PATH,
        }
    }

    /// Reads a body.
    pub fn read(self, body: &[u8]) -> Result<Translated, ApiError> {
        match self {
            Self::OpenAi(endpoint) => Ok(Translated {
                request: Request::parse(endpoint, body)?,
                translator: None,
            }),
            Self::Messages => anthropic::read(body),
            Self::Responses => responses::read(body),
        }
    }

    /// The body of an error.
    pub fn error(self, error: &ApiError) -> String {
        match self {
            Self::OpenAi(_) | Self::Responses => error.to_json(),
            Self::Messages => anthropic::error(error).to_string(),
        }
    }

    /// The header in which the packages of this interface look for the name of a request.
    pub const fn request_id_header(self) -> &'static str {
        match self {
            Self::OpenAi(_) | Self::Responses => "x-request-id",
            Self::Messages => "request-id",
        }
    }
}

/// What is asked only.
impl std::fmt::Debug for Translated {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Translated")
            .field("request", &self.request)
            .finish_non_exhaustive()
    }
}
