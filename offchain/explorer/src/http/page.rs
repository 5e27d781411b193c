//! Pages of long lists, and words in questions.

use axum::extract::Query;
use axum::extract::rejection::QueryRejection;
use cocoon_bindings::ton::{Address, HashBytes, parse_address};
use cocoon_openai::ApiError;

use crate::limits::{MAX_PAGE, MAX_WORD, PAGE};

/// What stands behind the question mark, if it can be read.
pub(super) type Question<T> = Result<Query<T>, QueryRejection>;

/// What is asked for.
pub(super) fn question<T>(asked: Question<T>) -> Result<T, ApiError> {
    let wrong =
        |error: QueryRejection| ApiError::bad_request(format!("The question is refused: {}.", error.body_text()));
    asked.map(|Query(asked)| asked).map_err(wrong)
}

/// How many rows are asked for.
pub(super) fn limit(asked: Option<usize>) -> Result<usize, ApiError> {
    match asked {
        None => Ok(PAGE),
        Some(limit) if (1..=MAX_PAGE).contains(&limit) => Ok(limit),
        Some(_) => Err(ApiError::invalid_field("limit", "must be from 1 to 100")),
    }
}

/// A place in a list, as it is written: a number and a hash.
pub(super) fn write(place: (u64, HashBytes)) -> String {
    format!("{}-{}", place.0, place.1)
}

/// The place that a question names.
pub(super) fn place(asked: Option<&str>) -> Result<Option<(u64, HashBytes)>, ApiError> {
    let Some(text) = asked.filter(|text| !text.is_empty()) else {
        return Ok(None);
    };
    let read = || {
        let (number, hash) = bounded(text)?.split_once('-')?;
        Some((number.parse().ok()?, hash_of(hash)?))
    };
    let wrong = || ApiError::invalid_field("before", "must be the `next` of another page");
    read().map(Some).ok_or_else(wrong)
}

/// The address that a question names.
pub(super) fn address(param: &'static str, asked: Option<&str>) -> Result<Option<Address>, ApiError> {
    let Some(text) = asked.filter(|text| !text.is_empty()) else {
        return Ok(None);
    };
    let read = bounded(text).and_then(|text| parse_address(text).ok());
    read.map(Some)
        .ok_or_else(|| ApiError::invalid_field(param, "must be an address"))
}

/// The hash that a question names.
pub(super) fn hash(param: &'static str, asked: Option<&str>) -> Result<Option<HashBytes>, ApiError> {
    let Some(text) = asked.filter(|text| !text.is_empty()) else {
        return Ok(None);
    };
    hash_of(text)
        .map(Some)
        .ok_or_else(|| ApiError::invalid_field(param, "must be 64 hex digits"))
}

/// 64 hex digits.
pub(super) fn hash_of(text: &str) -> Option<HashBytes> {
    let mut hash = [0; 32];
    hex::decode_to_slice(text, &mut hash).ok()?;
    Some(HashBytes(hash))
}

fn bounded(text: &str) -> Option<&str> {
    (text.len() <= MAX_WORD).then_some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_read_as_it_was_written_and_nothing_else_is() {
        let known = (46_000_003, HashBytes([0xab; 32]));
        assert_eq!(place(Some(&write(known))).unwrap(), Some(known));
        assert_eq!(place(Some("")).unwrap(), None);
        assert_eq!(place(None).unwrap(), None);
        for wrong in ["7", "7-", "-ab", "x-00", "7-zz", &format!("7-{}", "ab".repeat(200))] {
            assert_eq!(place(Some(wrong)).unwrap_err().status, 400, "{wrong}");
        }
    }

    #[test]
    fn a_page_has_from_one_to_a_hundred_rows() {
        assert_eq!(limit(None).unwrap(), PAGE);
        assert_eq!(limit(Some(100)).unwrap(), 100);
        assert!(limit(Some(0)).is_err() && limit(Some(101)).is_err());
    }

    #[test]
    fn words_that_are_no_address_or_hash_are_named() {
        assert_eq!(
            address("proxy", Some("nobody")).unwrap_err().param.as_deref(),
            Some("proxy")
        );
        assert_eq!(hash("model", Some("12")).unwrap_err().param.as_deref(), Some("model"));
        assert!(
            address("proxy", Some(&format!("0:{}", "0".repeat(64))))
                .unwrap()
                .is_some()
        );
    }
}
