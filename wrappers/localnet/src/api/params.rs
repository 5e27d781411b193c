//! Parameters of a method. They come from JSON or from a query, so numbers may be text.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE};
use cocoon_bindings::ton::{Address, Cell, HashBytes, parse_address, parse_boc_base64};
use serde_json::{Map, Value};

use super::ApiError;

/// The parameters of one call.
pub(super) struct Params<'a>(Option<&'a Map<String, Value>>);

impl<'a> Params<'a> {
    pub(super) fn new(params: &'a Value) -> Result<Self, ApiError> {
        match params {
            Value::Object(map) => Ok(Self(Some(map))),
            Value::Null => Ok(Self(None)),
            _ => Err(ApiError::params("params must be an object")),
        }
    }

    /// A parameter; null and empty text count as absent.
    pub(super) fn value(&self, name: &str) -> Option<&'a Value> {
        let value = self.0?.get(name)?;
        let empty = value.is_null() || value.as_str().is_some_and(str::is_empty);
        (!empty).then_some(value)
    }

    pub(super) fn required(&self, name: &str) -> Result<&'a Value, ApiError> {
        self.value(name)
            .ok_or_else(|| ApiError::params(format!("{name} is missing")))
    }

    pub(super) fn text(&self, name: &str) -> Result<&'a str, ApiError> {
        self.required(name)?
            .as_str()
            .ok_or_else(|| ApiError::params(format!("{name} must be text")))
    }

    pub(super) fn address(&self, name: &str) -> Result<Address, ApiError> {
        parse_address(self.text(name)?).map_err(|error| ApiError::params(format!("{name}: {error}")))
    }

    pub(super) fn number<T: TryFrom<i128>>(&self, name: &str) -> Result<Option<T>, ApiError> {
        let Some(value) = self.value(name) else {
            return Ok(None);
        };
        let number = match value {
            Value::String(text) => text.parse::<i128>().ok(),
            Value::Number(number) => number.as_i128(),
            _ => None,
        };
        let number = number.and_then(|number| T::try_from(number).ok());
        number
            .map(Some)
            .ok_or_else(|| ApiError::params(format!("{name} is not a number in its range")))
    }

    pub(super) fn required_number<T: TryFrom<i128>>(&self, name: &str) -> Result<T, ApiError> {
        self.number(name)?
            .ok_or_else(|| ApiError::params(format!("{name} is missing")))
    }

    pub(super) fn flag(&self, name: &str) -> Result<bool, ApiError> {
        match self.value(name) {
            None => Ok(false),
            Some(Value::Bool(flag)) => Ok(*flag),
            Some(Value::String(text)) if text == "true" || text == "1" => Ok(true),
            Some(Value::String(text)) if text == "false" || text == "0" => Ok(false),
            Some(_) => Err(ApiError::params(format!("{name} must be true or false"))),
        }
    }

    /// A hash: hex, base64 or base64url.
    pub(super) fn hash(&self, name: &str) -> Result<Option<HashBytes>, ApiError> {
        if self.value(name).is_none() {
            return Ok(None);
        }
        let text = self.text(name)?;
        let bytes = match text.len() {
            64 => hex::decode(text).ok(),
            _ => STANDARD.decode(text).or_else(|_| URL_SAFE.decode(text)).ok(),
        };
        let hash = bytes.and_then(|bytes| <[u8; 32]>::try_from(bytes).ok());
        hash.map(|hash| Some(HashBytes(hash)))
            .ok_or_else(|| ApiError::params(format!("{name} is not a hash")))
    }

    pub(super) fn cell(&self, name: &str) -> Result<Option<Cell>, ApiError> {
        if self.value(name).is_none() {
            return Ok(None);
        }
        let cell = parse_boc_base64(self.text(name)?);
        cell.map(Some)
            .map_err(|error| ApiError::params(format!("{name}: {error}")))
    }
}
