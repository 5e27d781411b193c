//! One call in JSON, read character by character: its arguments are given out while they are written.

/// Reads `{"name": …, "arguments": …}`. Arguments are given out as they stand, once the name is known; arguments that are
/// a text in JSON are given out as the text says.
#[derive(Default)]
pub(in crate::text) struct CallScanner {
    at: At,
    /// Everything that was read, until the name is known.
    raw: String,
    key: String,
    /// A text that is being read: a key, a name, a text of arguments.
    text: String,
    depth: u32,
    in_string: bool,
    escaped: bool,
    name: Option<String>,
    arguments: String,
    has_arguments: bool,
}

/// Where the reader stands.
#[derive(Default, Clone, Copy, PartialEq, Eq)]
enum At {
    #[default]
    Start,
    Member,
    Key,
    Colon,
    Value,
    InValue,
    AfterValue,
}

/// What a character meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::text) enum Progress {
    /// The call goes on.
    More,
    /// The call has ended with it.
    Done,
    /// This is not a call.
    Broken,
}

impl CallScanner {
    /// Takes the next character.
    pub(in crate::text) fn push(&mut self, c: char) -> Progress {
        if self.name.is_none() {
            self.raw.push(c);
        }
        let blank = c.is_ascii_whitespace();
        match self.at {
            At::Start if c == '{' => self.at = At::Member,
            At::Member if c == '"' => {
                self.text = "\"".to_owned();
                self.at = At::Key;
            }
            At::Key => {
                self.text.push(c);
                if self.string_ends(c) {
                    let Ok(key) = serde_json::from_str(&self.text) else {
                        return Progress::Broken;
                    };
                    self.key = key;
                    self.at = At::Colon;
                }
            }
            At::Colon if c == ':' => self.at = At::Value,
            At::Value if !blank => {
                self.text.clear();
                self.depth = 0;
                self.in_string = false;
                self.at = At::InValue;
                return self.value(c);
            }
            At::InValue => return self.value(c),
            At::AfterValue if c == ',' => self.at = At::Member,
            At::Member | At::AfterValue if c == '}' => return self.end(),
            At::Start | At::Member | At::Colon | At::Value | At::AfterValue if blank => {}
            _ => return Progress::Broken,
        }
        Progress::More
    }

    /// The name, once.
    pub(in crate::text) fn take_name(&mut self) -> Option<String> {
        // What was read before is not needed any more.
        let name = self.name.as_mut().filter(|_| !self.raw.is_empty())?;
        self.raw.clear();
        Some(name.clone())
    }

    /// More of the arguments, if the name is known.
    pub(in crate::text) fn take_arguments(&mut self) -> String {
        match self.name {
            Some(_) => std::mem::take(&mut self.arguments),
            None => String::new(),
        }
    }

    /// What was read, if no name was found in it.
    pub(in crate::text) fn nameless(self) -> Option<String> {
        match self.name {
            Some(_) => None,
            None => Some(self.raw),
        }
    }

    /// Whether the string that `c` belongs to ends with it. Its opening quote is not asked about.
    fn string_ends(&mut self, c: char) -> bool {
        let escaped = std::mem::take(&mut self.escaped);
        self.escaped = c == '\\' && !escaped;
        c == '"' && !escaped
    }

    fn value(&mut self, c: char) -> Progress {
        let mut ends = false;
        if self.in_string {
            if self.string_ends(c) {
                self.in_string = false;
                ends = self.depth == 0;
            }
        } else {
            match c {
                '"' => self.in_string = true,
                '{' | '[' => self.depth += 1,
                // The end of the whole call, after a number or a word.
                '}' | ',' if self.depth == 0 => {
                    self.at = At::AfterValue;
                    return match self.value_ends() {
                        Progress::More if c == '}' => self.end(),
                        Progress::More => {
                            self.at = At::Member;
                            Progress::More
                        }
                        other => other,
                    };
                }
                '}' | ']' => {
                    let Some(depth) = self.depth.checked_sub(1) else {
                        return Progress::Broken;
                    };
                    self.depth = depth;
                    ends = depth == 0;
                }
                _ => {}
            }
        }
        if self.streams() && (self.has_arguments || (c == '{' && self.text.is_empty())) {
            self.has_arguments = true;
            self.arguments.push(c);
        } else {
            self.text.push(c);
        }
        if ends { self.value_ends() } else { Progress::More }
    }

    fn streams(&self) -> bool {
        matches!(self.key.as_str(), "arguments" | "parameters")
    }

    fn value_ends(&mut self) -> Progress {
        self.at = At::AfterValue;
        let text = std::mem::take(&mut self.text);
        if self.key == "name" {
            match serde_json::from_str(&text) {
                Ok(name) if self.name.is_none() => self.name = Some(name),
                _ => return Progress::Broken,
            }
        } else if self.streams() && !self.has_arguments {
            // A text that holds the arguments; anything else means none.
            if let Ok(text) = serde_json::from_str::<String>(&text) {
                self.has_arguments = true;
                self.arguments = text;
            }
        }
        Progress::More
    }

    fn end(&mut self) -> Progress {
        if self.name.is_none() {
            return Progress::Broken;
        }
        if !self.has_arguments {
            self.arguments = "{}".to_owned();
        }
        Progress::Done
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> (Progress, Option<String>, String) {
        let mut scanner = CallScanner::default();
        let mut progress = Progress::More;
        let (mut name, mut arguments) = (None, String::new());
        for c in text.chars() {
            progress = scanner.push(c);
            name = name.or(scanner.take_name());
            arguments += &scanner.take_arguments();
            if progress != Progress::More {
                break;
            }
        }
        (progress, name, arguments)
    }

    #[test]
    fn arguments_come_out_as_they_were_written() {
        for (text, arguments) in [
            (
                r#"{"name": "f", "arguments": {"a": "}\"{", "b": [1, {}]}}"#,
                r#"{"a": "}\"{", "b": [1, {}]}"#,
            ),
            (r#"{ "arguments" : {"a":1} , "name" : "f" }"#, r#"{"a":1}"#),
            (r#"{"type": "function", "name": "f", "parameters": {}}"#, "{}"),
            (r#"{"name": "f", "arguments": "{\"a\": 1}"}"#, r#"{"a": 1}"#),
            (r#"{"id": 7, "name": "f", "arguments": null}"#, "{}"),
            (r#"{"id": [1, "x"], "name": "f"}"#, "{}"),
        ] {
            let expected = (Progress::Done, Some("f".to_owned()), arguments.to_owned());
            assert_eq!(read(text), expected, "{text}");
        }
    }

    #[test]
    fn arguments_are_given_out_before_they_end() {
        let (progress, name, arguments) = read(r#"{"name": "f", "arguments": {"text": "once up"#);
        assert_eq!((progress, name.as_deref()), (Progress::More, Some("f")));
        assert_eq!(arguments, r#"{"text": "once up"#);
    }

    #[test]
    fn what_is_not_a_call_is_told() {
        for text in [
            "x",
            "[1]",
            r#"{"a": 1}"#,
            r#"{"name": 5, "arguments": {}}"#,
            r#"{"name" "f"}"#,
            "{]",
            r#"{"a": ]"#,
        ] {
            assert_eq!(read(text).0, Progress::Broken, "{text}");
        }
    }
}
