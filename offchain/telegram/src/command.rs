//! What a message asks for.

use crate::api::{Message, User};

/// What a message asks for. Holds what people write: never shown.
#[derive(Clone, PartialEq, Eq)]
pub(crate) enum Command {
    Start,
    Help,
    Say(String),
    Translate {
        language: String,
        text: String,
    },
    Summarise(String),
    /// Which models there are, or the choice of one.
    Model(Option<String>),
    New,
    Budget,
    Receipt,
    /// A command that lacks something: what to write instead.
    Incomplete(&'static str),
    Unknown,
}

const TRANSLATE: &str = "Write /translate LANGUAGE TEXT, such as /translate French Good morning. \
                         Or answer a message with /translate LANGUAGE.";
const SUMMARISE: &str = "Write /summarise TEXT, or answer a message with /summarise.";

/// What a message asks of this bot; nothing if it is not meant. In a group only what names the bot or answers it is.
pub(crate) fn read(message: &Message, me: &User) -> Option<Command> {
    let text = message.text.as_deref()?.trim();
    let name = me.username.as_deref().unwrap_or_default();
    let (rest, is_named) = without_mention(text, name);
    let answered = message.reply_to_message.as_deref();
    let answers_me = answered.is_some_and(|to| to.from.as_ref().is_some_and(|from| from.id == me.id));
    if !message.chat.is_private() && !is_named && !answers_me {
        return None;
    }
    let rest = rest.trim();
    if rest.is_empty() {
        return is_named.then_some(Command::Help);
    }
    let Some(command) = rest.strip_prefix('/') else {
        return Some(Command::Say(rest.to_owned()));
    };
    let (word, given) = command.split_once(char::is_whitespace).unwrap_or((command, ""));
    // `/new@another_bot` is for somebody else.
    if word.contains('@') {
        return None;
    }
    let given = given.trim();
    let or_answered = |given: &str| match given.is_empty() {
        true => answered
            .and_then(|to| to.text.clone())
            .filter(|text| !text.trim().is_empty()),
        false => Some(given.to_owned()),
    };
    Some(match word.to_ascii_lowercase().as_str() {
        "start" => Command::Start,
        "help" => Command::Help,
        "new" => Command::New,
        "budget" => Command::Budget,
        "receipt" => Command::Receipt,
        "model" | "models" => Command::Model((!given.is_empty()).then(|| given.to_owned())),
        "summarise" | "summarize" => or_answered(given).map_or(Command::Incomplete(SUMMARISE), Command::Summarise),
        "translate" => {
            let (language, text) = given.split_once(char::is_whitespace).unwrap_or((given, ""));
            match or_answered(text.trim()) {
                Some(text) if is_language(language) => Command::Translate {
                    language: language.to_owned(),
                    text,
                },
                _ => Command::Incomplete(TRANSLATE),
            }
        }
        _ => Command::Unknown,
    })
}

/// One word, such as `French`, `pt-BR` or `日本語`.
fn is_language(word: &str) -> bool {
    let count = word.chars().count();
    (2..=32).contains(&count) && word.chars().all(|c| c.is_alphanumeric() || c == '-' || c == '_')
}

/// The text without `@name`, and whether it was there. Telegram's names do not tell capitals apart.
fn without_mention(text: &str, name: &str) -> (String, bool) {
    let mention = format!("@{name}");
    let mut found = None;
    for (at, _) in text.match_indices('@') {
        let Some(here) = text.get(at..at + mention.len()) else {
            continue;
        };
        let after = text[at + mention.len()..].chars().next();
        let ends = after.is_none_or(|c| !c.is_ascii_alphanumeric() && c != '_');
        if !name.is_empty() && here.eq_ignore_ascii_case(&mention) && ends {
            found = Some(at);
            break;
        }
    }
    match found {
        Some(at) => {
            let (before, after) = (&text[..at], &text[at + mention.len()..]);
            (format!("{before}{after}"), true)
        }
        None => (text.to_owned(), false),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn me() -> User {
        User {
            id: 99,
            is_bot: true,
            username: Some("cocoon_bot".into()),
        }
    }

    fn message(kind: &str, text: &str, answers: Option<(i64, &str)>) -> Message {
        let mut message = json!({
            "message_id": 1, "from": { "id": 5 }, "chat": { "id": 7, "type": kind }, "text": text,
        });
        if let Some((user, text)) = answers {
            message["reply_to_message"] = json!({
                "message_id": 0, "from": { "id": user }, "chat": { "id": 7, "type": kind }, "text": text,
            });
        }
        serde_json::from_value(message).unwrap()
    }

    fn asked(kind: &str, text: &str, answers: Option<(i64, &str)>) -> Option<Command> {
        read(&message(kind, text, answers), &me())
    }

    fn say(text: &str) -> Option<Command> {
        Some(Command::Say(text.into()))
    }

    #[test]
    fn in_private_everything_is_heard() {
        let private = |text| asked("private", text, None);
        assert!(private("hello") == say("hello"));
        assert!(private(" /START ") == Some(Command::Start));
        assert!(private("/model") == Some(Command::Model(None)));
        assert!(private("/model a/b") == Some(Command::Model(Some("a/b".into()))));
        assert!(private("/nonsense") == Some(Command::Unknown));
        assert!(private("/new@other_bot").is_none());
        assert!(private("").is_none());
    }

    #[test]
    fn in_a_group_only_what_names_or_answers_the_bot_is_heard() {
        let group = |text, answers| asked("supergroup", text, answers);
        assert!(group("hello all", None).is_none());
        assert!(group("/new", None).is_none());
        assert!(group("/new@Cocoon_Bot", None) == Some(Command::New));
        assert!(group("@cocoon_bot what is TON?", None) == say("what is TON?"));
        assert!(group("what is TON, @cocoon_bot?", None) == say("what is TON, ?"));
        assert!(group("@cocoon_bots hello", None).is_none());
        assert!(group("and more", Some((99, "said before"))) == say("and more"));
        assert!(group("and more", Some((5, "said before"))).is_none());
        assert!(group("@cocoon_bot", None) == Some(Command::Help));
    }

    #[test]
    fn translations_and_summaries_take_their_text_or_that_of_the_message_they_answer() {
        let private = |text, answers| asked("private", text, answers);
        let translate = |text: &str| {
            Some(Command::Translate {
                language: "pt-BR".into(),
                text: text.into(),
            })
        };
        assert!(private("/translate pt-BR good morning", None) == translate("good morning"));
        assert!(private("/translate pt-BR", Some((5, "good night"))) == translate("good night"));
        for text in [
            "/translate",
            "/translate French",
            "/translate f\"x good",
            "/translate x good",
        ] {
            assert!(matches!(private(text, None), Some(Command::Incomplete(_))), "{text}");
        }
        assert!(private("/summarize a b", None) == Some(Command::Summarise("a b".into())));
        assert!(private("/summarise", Some((5, "long"))) == Some(Command::Summarise("long".into())));
        assert!(matches!(private("/summarise", None), Some(Command::Incomplete(_))));
    }
}
