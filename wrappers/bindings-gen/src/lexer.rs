//! Tokens of Tolk, as far as declarations need them.

/// One token and where it stands.
#[derive(Debug, Clone)]
pub(crate) struct Token {
    pub(crate) kind: Kind,
    pub(crate) line: usize,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A name or a number, as written.
    Word(String),
    /// A quoted text, without its quotes.
    Text(String),
    /// A line of documentation (`///`).
    Doc(String),
    /// Anything else, character by character.
    Sign(char),
}

/// Splits a source; ordinary comments are dropped.
pub(crate) fn tokens(source: &str) -> Vec<Token> {
    let mut tokens = Vec::new();
    let mut rest = source;
    let mut line = 1;
    while let Some(first) = rest.chars().next() {
        let start = line;
        let (kind, used) = if first.is_whitespace() {
            (None, first.len_utf8())
        } else if let Some(doc) = rest.strip_prefix("///") {
            let text = doc.lines().next().unwrap_or_default();
            (Some(Kind::Doc(text.trim().to_owned())), text.len() + 3)
        } else if rest.starts_with("//") {
            (None, rest.find('\n').unwrap_or(rest.len()))
        } else if rest.starts_with("/*") {
            (None, rest.find("*/").map_or(rest.len(), |end| end + 2))
        } else if let Some(quoted) = rest.strip_prefix("\"\"\"") {
            let end = quoted.find("\"\"\"").unwrap_or(quoted.len());
            (Some(Kind::Text(quoted[..end].to_owned())), (end + 6).min(rest.len()))
        } else if let Some(quoted) = rest.strip_prefix('"') {
            let end = quoted.find('"').unwrap_or(quoted.len());
            (Some(Kind::Text(quoted[..end].to_owned())), (end + 2).min(rest.len()))
        } else if let Some(quoted) = rest.strip_prefix('`') {
            let end = quoted.find('`').unwrap_or(quoted.len());
            (Some(Kind::Word(quoted[..end].to_owned())), (end + 2).min(rest.len()))
        } else if is_word(first) {
            let end = rest.find(|next| !is_word(next)).unwrap_or(rest.len());
            (Some(Kind::Word(rest[..end].to_owned())), end)
        } else {
            (Some(Kind::Sign(first)), first.len_utf8())
        };
        line += rest[..used].matches('\n').count();
        rest = &rest[used..];
        tokens.extend(kind.map(|kind| Token { kind, line: start }));
    }
    tokens
}

fn is_word(character: char) -> bool {
    character.is_alphanumeric() || character == '_' || character == '$'
}
