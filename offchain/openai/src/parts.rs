//! Parts of messages that are no text.

use serde_json::Value;

use crate::error::ApiError;
use crate::request::{Endpoint, Request};

/// Kinds of parts by what they bring, in the words of listings.
const KINDS: [(&str, &str, &str); 6] = [
    ("image_url", "image", "is an image"),
    ("input_image", "image", "is an image"),
    ("input_audio", "audio", "is audio"),
    ("video_url", "video", "is a video"),
    ("file", "file", "is a file"),
    ("input_file", "file", "is a file"),
];

/// Refuses a request with a part that only some models take, unless what it brings is among `taken`. The first such part is named
/// by its place, such as `messages[2].content[1]`.
pub fn refuse_other_than_text(request: &Request, taken: &[String]) -> Result<(), ApiError> {
    if request.endpoint() != Endpoint::Chat {
        return Ok(());
    }
    for (at, message) in request.messages().iter().enumerate() {
        let parts = message.get("content").and_then(Value::as_array);
        for (number, part) in parts.into_iter().flatten().enumerate() {
            let kind = part.get("type").and_then(Value::as_str).unwrap_or_default();
            let place = || format!("messages[{at}].content[{number}]");
            match KINDS.iter().find(|(name, ..)| *name == kind) {
                Some((_, brings, _)) if taken.iter().any(|taken| taken == brings) => {}
                Some((_, brings, is)) => {
                    let hint = format!(
                        "{is}, which no model here is known to take; if this one does, say so in `provider.input_modalities`: [\"{brings}\"]"
                    );
                    return Err(ApiError::invalid_field(place(), &hint));
                }
                // Kinds that this client does not know are for the worker to judge.
                None if part.is_object() => {}
                None => return Err(ApiError::invalid_field(place(), "must be an object")),
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn fault(content: Value, taken: &[&str]) -> Option<String> {
        let body =
            json!({"model": "m", "messages": [{"role": "user", "content": "a"}, {"role": "user", "content": content}]});
        let request = Request::parse(Endpoint::Chat, body.to_string().as_bytes()).unwrap();
        let taken: Vec<String> = taken.iter().map(|kind| (*kind).to_owned()).collect();
        let error = refuse_other_than_text(&request, &taken).err()?;
        assert!(!error.message.contains("secret"));
        error.param
    }

    #[test]
    fn the_first_part_that_is_no_text_is_named_by_its_place() {
        let image = json!({"type": "image_url", "image_url": {"url": "data:secret"}});
        let text = json!({"type": "text", "text": "secret"});
        let place = Some("messages[1].content[1]".to_owned());
        assert_eq!(fault(json!([text, image]), &[]), place);
        assert_eq!(
            fault(json!([text, {"type": "input_audio", "input_audio": {}}]), &["image"]),
            place
        );
        assert_eq!(fault(json!([text, {"type": "file", "file": {}}]), &[]), place);
        assert_eq!(fault(json!([text, "secret"]), &[]), place);
        assert_eq!(fault(json!([text, image]), &["image"]), None);
        assert_eq!(fault(json!([text, {"type": "new"}]), &[]), None);
        assert_eq!(fault(json!("text"), &[]), None);
    }
}
