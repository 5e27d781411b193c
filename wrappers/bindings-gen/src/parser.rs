//! Declarations of a Tolk file. Bodies of functions are skipped, except that the errors they name are collected.

use crate::ast::{Alias, Enum, Field, File, Getter, Struct, Type};
use crate::error::GenError;
use crate::lexer::{Kind, Token, tokens};

/// Words that begin a declaration.
const TOP_LEVEL: [&str; 9] = [
    "struct", "type", "enum", "const", "fun", "get", "import", "global", "tolk",
];

/// Parses one file.
pub(crate) fn parse(path: &str, source: &str) -> Result<File, GenError> {
    let mut parser = Parser {
        path,
        tokens: tokens(source),
        position: 0,
    };
    let mut file = File::default();
    loop {
        let doc = parser.doc_and_annotations()?;
        if parser.position == parser.tokens.len() {
            break;
        }
        match parser.word("a declaration")?.as_str() {
            "import" => file.imports.push(parser.text()?),
            "struct" => file.structs.push(parser.structure(doc)?),
            "type" => {
                let name = parser.word("the name of a type")?;
                parser.sign('=')?;
                file.aliases.push(Alias {
                    name,
                    ty: parser.ty()?,
                    doc,
                });
                parser.accept(';');
            }
            "enum" => file.enums.push(parser.enumeration(doc)?),
            "get" => {
                parser.word("fun")?;
                file.getters.push(parser.getter(doc)?);
                parser.body(&mut file.errors)?;
            }
            "fun" => parser.body(&mut file.errors)?,
            "const" | "global" | "tolk" => parser.skip_to_declaration(),
            _ => return Err(parser.error("a declaration", parser.position.saturating_sub(1))),
        }
    }
    file.errors.sort();
    file.errors.dedup();
    Ok(file)
}

struct Parser<'a> {
    path: &'a str,
    tokens: Vec<Token>,
    position: usize,
}

impl Parser<'_> {
    /// After `struct`.
    fn structure(&mut self, doc: String) -> Result<Struct, GenError> {
        let mut prefix = None;
        if self.accept('(') {
            let text = self.word("a prefix")?;
            let bits = match text.split_at_checked(2) {
                Some(("0x", digits)) => digits.len() * 4,
                Some(("0b", digits)) => digits.len(),
                _ => return Err(self.error("0x… or 0b…", self.position - 1)),
            };
            prefix = Some((self.number(&text)?, u32::try_from(bits).unwrap_or(u32::MAX)));
            self.sign(')')?;
        }
        let name = self.word("the name of a struct")?;
        self.sign('{')?;
        let mut fields = Vec::new();
        loop {
            let field_doc = self.doc_and_annotations()?;
            if self.accept('}') {
                return Ok(Struct {
                    name,
                    prefix,
                    fields,
                    doc,
                });
            }
            let field = self.word("a field")?;
            fields.push(self.field(field, field_doc)?);
            if self.accept('=') {
                self.skip_default();
            }
            while self.accept(',') || self.accept(';') {}
        }
    }

    /// After the name.
    fn field(&mut self, name: String, doc: String) -> Result<Field, GenError> {
        self.sign(':')?;
        Ok(Field {
            name,
            ty: self.ty()?,
            doc,
        })
    }

    /// After `enum`.
    fn enumeration(&mut self, doc: String) -> Result<Enum, GenError> {
        let name = self.word("the name of an enum")?;
        let encoding = if self.accept(':') { Some(self.ty()?) } else { None };
        self.sign('{')?;
        let mut members = Vec::new();
        let mut next = 0u64;
        loop {
            let doc = self.doc_and_annotations()?;
            if self.accept('}') {
                break;
            }
            let member = self.word("a member")?;
            if self.accept('=') {
                let text = self.word("a number")?;
                next = self.number(&text)?;
            }
            members.push((member, next, doc));
            next = next.saturating_add(1);
            while self.accept(',') || self.accept(';') {}
        }
        Ok(Enum {
            name,
            encoding,
            members,
            doc,
        })
    }

    /// After `get fun`, up to the body.
    fn getter(&mut self, doc: String) -> Result<Getter, GenError> {
        let name = self.word("the name of a get method")?;
        self.sign('(')?;
        let mut parameters = Vec::new();
        while !self.accept(')') {
            let parameter = self.word("a parameter")?;
            parameters.push(self.field(parameter, String::new())?);
            self.accept(',');
        }
        self.sign(':')?;
        Ok(Getter {
            name,
            parameters,
            result: self.ty()?,
            doc,
        })
    }

    /// Skips up to and over the body of a function; notes the members of `Errors` on the way.
    fn body(&mut self, errors: &mut Vec<String>) -> Result<(), GenError> {
        let mut depth = 0usize;
        while let Some(token) = self.tokens.get(self.position) {
            match &token.kind {
                Kind::Word(word) if word == "asm" && depth == 0 => {
                    self.skip_to_declaration();
                    return Ok(());
                }
                Kind::Word(word) if word == "builtin" && depth == 0 => {
                    self.position += 1;
                    return Ok(());
                }
                Kind::Word(word) if word == "Errors" => {
                    if let Some(Kind::Word(member)) = self.tokens.get(self.position + 2).map(|token| &token.kind) {
                        errors.push(member.clone());
                    }
                }
                Kind::Sign('{') => depth += 1,
                Kind::Sign('}') => {
                    depth = depth.saturating_sub(1);
                    if depth == 0 {
                        self.position += 1;
                        return Ok(());
                    }
                }
                _ => {}
            }
            self.position += 1;
        }
        Err(self.error("the end of a function", self.position))
    }

    fn ty(&mut self) -> Result<Type, GenError> {
        self.accept('|');
        let mut variants = vec![self.single()?];
        while self.accept('|') {
            variants.push(self.single()?);
        }
        let last = variants.pop();
        match last {
            Some(only) if variants.is_empty() => Ok(only),
            last => {
                variants.extend(last);
                Ok(Type::Union(variants))
            }
        }
    }

    fn single(&mut self) -> Result<Type, GenError> {
        let mut ty = if self.accept('(') {
            let items = self.list(')')?;
            Type::Tensor(items)
        } else {
            let name = self.word("a type")?;
            if self.accept('<') {
                Type::Generic(name, self.list('>')?)
            } else {
                Type::Name(name)
            }
        };
        while self.accept('?') {
            ty = Type::Nullable(Box::new(ty));
        }
        Ok(ty)
    }

    fn list(&mut self, end: char) -> Result<Vec<Type>, GenError> {
        let mut items = Vec::new();
        while !self.accept(end) {
            items.push(self.ty()?);
            self.accept(',');
        }
        Ok(items)
    }

    /// Skips a default value: up to the end of the struct or the next `name:`.
    fn skip_default(&mut self) {
        let mut depth = 0usize;
        while let Some(token) = self.tokens.get(self.position) {
            let colon_next = self
                .tokens
                .get(self.position + 1)
                .is_some_and(|next| next.kind == Kind::Sign(':'));
            match &token.kind {
                Kind::Doc(_) if depth == 0 => return,
                Kind::Word(_) if depth == 0 && colon_next => return,
                Kind::Sign('}') if depth == 0 => return,
                Kind::Sign('(' | '{' | '[') => depth += 1,
                Kind::Sign(')' | '}' | ']') => depth = depth.saturating_sub(1),
                _ => {}
            }
            self.position += 1;
        }
    }

    /// Skips to the next word that begins a declaration.
    fn skip_to_declaration(&mut self) {
        while let Some(token) = self.tokens.get(self.position) {
            match &token.kind {
                Kind::Word(word) if TOP_LEVEL.contains(&word.as_str()) => return,
                Kind::Doc(_) | Kind::Sign('@') => return,
                _ => self.position += 1,
            }
        }
    }

    /// Reads documentation and skips annotations such as `@inline` and `@method_id(1)`.
    fn doc_and_annotations(&mut self) -> Result<String, GenError> {
        let mut lines = Vec::new();
        loop {
            if let Some(Kind::Doc(line)) = self.tokens.get(self.position).map(|token| &token.kind) {
                lines.push(line.clone());
                self.position += 1;
            } else if self.accept('@') {
                self.word("an annotation")?;
                if self.accept('(') {
                    while !self.accept(')') {
                        self.position += 1;
                        if self.position >= self.tokens.len() {
                            return Err(self.error(")", self.position));
                        }
                    }
                }
            } else {
                return Ok(lines.join("\n"));
            }
        }
    }

    fn number(&self, text: &str) -> Result<u64, GenError> {
        let digits = text.replace('_', "");
        let number = match digits.split_at_checked(2) {
            Some(("0x", hex)) => u64::from_str_radix(hex, 16),
            Some(("0b", binary)) => u64::from_str_radix(binary, 2),
            _ => digits.parse(),
        };
        number.map_err(|_| self.error("a number", self.position.saturating_sub(1)))
    }

    fn accept(&mut self, sign: char) -> bool {
        let found = self
            .tokens
            .get(self.position)
            .is_some_and(|token| token.kind == Kind::Sign(sign));
        self.position += usize::from(found);
        found
    }

    fn sign(&mut self, sign: char) -> Result<(), GenError> {
        if self.accept(sign) {
            Ok(())
        } else {
            Err(self.error(&sign.to_string(), self.position))
        }
    }

    fn word(&mut self, expected: &str) -> Result<String, GenError> {
        match self.tokens.get(self.position).map(|token| &token.kind) {
            Some(Kind::Word(word)) => {
                self.position += 1;
                Ok(word.clone())
            }
            _ => Err(self.error(expected, self.position)),
        }
    }

    fn text(&mut self) -> Result<String, GenError> {
        match self.tokens.get(self.position).map(|token| &token.kind) {
            Some(Kind::Text(text)) => {
                self.position += 1;
                Ok(text.clone())
            }
            _ => Err(self.error("a quoted text", self.position)),
        }
    }

    fn error(&self, expected: &str, position: usize) -> GenError {
        let token = self.tokens.get(position);
        let found = token.map_or_else(|| "the end of the file".to_owned(), |token| format!("{:?}", token.kind));
        let line = token.or(self.tokens.last()).map_or(1, |token| token.line);
        GenError::Syntax {
            path: self.path.to_owned(),
            line,
            expected: expected.to_owned(),
            found,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_struct_with_everything_is_read() {
        let source = "/// A message.\nstruct (0x0000000a) Ask {\n  /// Who.\n  owner: address\n  rest: Cell<A | B>? = null\n \
                      amount: coins = ton(\"0.1\"), tail: RemainingBitsAndRefs }\nfun f() { if (x) { throw Errors.Old } }";
        let file = parse("x.tolk", source).unwrap();
        let ask = &file.structs[0];
        assert_eq!((ask.prefix, ask.doc.as_str()), (Some((10, 32)), "A message."));
        let fields: Vec<&str> = ask.fields.iter().map(|field| field.name.as_str()).collect();
        assert_eq!(fields, ["owner", "rest", "amount", "tail"]);
        assert!(matches!(&ask.fields[1].ty, Type::Nullable(inner) if matches!(&**inner, Type::Generic(..))));
        assert_eq!(file.errors, ["Old"]);
    }

    #[test]
    fn enums_count_on_and_getters_have_parameters() {
        let source =
            "enum E: uint2 { A, B = 2, C }\n@method_id(7) get fun f(a: int, b: slice): (int, bool) { return 1; }";
        let file = parse("x.tolk", source).unwrap();
        let values: Vec<u64> = file.enums[0].members.iter().map(|member| member.1).collect();
        assert_eq!(values, [0, 2, 3]);
        assert_eq!(file.getters[0].parameters.len(), 2);
        assert!(matches!(&file.getters[0].result, Type::Tensor(items) if items.len() == 2));
    }

    #[test]
    fn what_is_not_understood_is_an_error_with_its_place() {
        let error = parse("x.tolk", "\nstruct A { b c }").unwrap_err();
        assert!(matches!(error, GenError::Syntax { line: 2, .. }), "{error}");
        assert!(parse("x.tolk", "interface A {}").is_err());
    }
}
