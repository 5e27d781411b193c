//! The declarations as TL-B.

use crate::abi::{Declaration, Field, Prefix, StructDeclaration, Ty};
use crate::docs::template;
use crate::error::GenError;
use crate::parser::parse;
use crate::rust::{Model, snake};
use std::path::Path;

/// Column that the comments of fields begin at, where the field is short enough.
const COMMENT_COLUMN: usize = 50;
/// Bits of an address as a key of a dictionary.
const ADDRESS_BITS: u32 = 267;

/// The text of `contracts/cocoon.tlb`.
pub(crate) fn file(repository: &Path, model: &Model) -> Result<String, GenError> {
    let declarations = declarations(model, &|path| crate::source(repository, path))?;
    template::fill(repository, "cocoon.tlb", &mut |command| match command {
        ["declarations"] => Ok(Some(declarations.clone())),
        _ => Ok(None),
    })
}

/// All declarations that have bits: by file, and within a file in the order in which it declares them.
pub(crate) fn declarations(
    model: &Model,
    source: &dyn Fn(&str) -> Result<String, GenError>,
) -> Result<String, GenError> {
    let mut paths: Vec<&str> = model.declarations.values().map(Declaration::source).collect();
    // What contracts keep comes before what they are told.
    paths.sort_by_key(|path| (!path.starts_with("storage/"), *path));
    paths.dedup();
    let mut sections = Vec::new();
    for path in paths {
        let file = parse(path, &source(path)?)?;
        let enums = file.enums.iter().map(|item| &item.name);
        let structs = file.structs.iter().map(|item| &item.name);
        let aliases = file.aliases.iter().map(|item| &item.name);
        let mut texts = Vec::new();
        for name in enums.chain(structs).chain(aliases) {
            // What no contract refers to is not in the model.
            if let Some(declaration) = model.declarations.get(name)
                && !model.stack_only.contains(name)
            {
                texts.extend(one(declaration)?);
            }
        }
        if !texts.is_empty() {
            sections.push(format!("{}\n\n{}", heading(path), texts.join("\n\n")));
        }
    }
    Ok(sections.join("\n\n"))
}

fn heading(path: &str) -> String {
    let rule = "-".repeat(110usize.saturating_sub(path.len()));
    format!("// ---- {path} {rule}")
}

fn one(declaration: &Declaration) -> Result<Option<String>, GenError> {
    Ok(match declaration {
        Declaration::Struct(declaration) => Some(structure(declaration)?),
        Declaration::Alias {
            name,
            target: Ty::Union { variants },
            description,
            ..
        } => {
            let mut lines = comment(description);
            for variant in variants {
                lines.push(format!("_ {} = {name};", of(variant)?));
            }
            Some(lines.join("\n"))
        }
        Declaration::Alias {
            name,
            target,
            description,
            ..
        } => {
            let mut lines = comment(description);
            lines.push(format!("_ {} = {name};", of(target)?));
            Some(lines.join("\n"))
        }
        Declaration::Enum {
            name,
            encoded_as: Ty::UintN { n },
            members,
            description,
            ..
        } => {
            let mut lines = comment(description);
            for member in members {
                let prefix = Prefix {
                    prefix_num: member.value,
                    prefix_len: *n,
                };
                let text = format!("{}{} = {name};", snake(&member.name), tag(Some(prefix)));
                lines.push(with_comment(&text, &member.description));
            }
            Some(lines.join("\n"))
        }
        // Exit codes have no bits.
        Declaration::Enum { .. } => None,
    })
}

pub(crate) fn structure(declaration: &StructDeclaration) -> Result<String, GenError> {
    let mut lines = comment(&declaration.description);
    let head = format!("{}{}", snake(&declaration.name), tag(declaration.prefix));
    let Some((last, fields)) = declaration.fields.split_last() else {
        lines.push(format!("{head} = {};", declaration.name));
        return Ok(lines.join("\n"));
    };
    lines.push(head);
    for field in fields {
        lines.push(with_comment(&format!("  {}", of_field(field)?), &field.description));
    }
    let text = format!("  {} = {};", of_field(last)?, declaration.name);
    lines.push(with_comment(&text, &last.description));
    Ok(lines.join("\n"))
}

fn comment(text: &str) -> Vec<String> {
    text.lines().map(|line| format!("// {line}")).collect()
}

fn with_comment(text: &str, description: &str) -> String {
    if description.is_empty() {
        return text.to_owned();
    }
    format!("{text:<COMMENT_COLUMN$} // {}", description.replace('\n', " "))
}

fn tag(prefix: Option<Prefix>) -> String {
    match prefix {
        None => "$_".to_owned(),
        Some(Prefix { prefix_num, prefix_len }) => {
            let bits = usize::try_from(prefix_len).unwrap_or_default();
            if bits % 4 == 0 {
                format!("#{prefix_num:0width$x}", width = bits / 4)
            } else {
                format!("${prefix_num:0bits$b}")
            }
        }
    }
}

fn of_field(field: &Field) -> Result<String, GenError> {
    Ok(format!("{}:{}", snake(&field.name), of(&field.ty)?))
}

/// A type in TL-B.
fn of(ty: &Ty) -> Result<String, GenError> {
    let unsupported = || GenError::declaration(format!("{ty:?}"), "no TL-B for this type");
    Ok(match ty {
        Ty::UintN { n } => format!("uint{n}"),
        Ty::IntN { n } => format!("int{n}"),
        Ty::BitsN { n } => format!("bits{n}"),
        Ty::Bool => "Bool".to_owned(),
        Ty::Coins => "Grams".to_owned(),
        Ty::Address => "MsgAddressInt".to_owned(),
        Ty::Cell => "^Cell".to_owned(),
        Ty::CellOf { inner } => format!("^{}", of(inner)?),
        Ty::Remaining => "Any".to_owned(),
        Ty::Nullable { inner } => match &**inner {
            Ty::Address => "MsgAddress".to_owned(),
            inner => format!("(Maybe {})", of(inner)?),
        },
        Ty::MapKV { k, v } => {
            let bits = match &**k {
                Ty::UintN { n } | Ty::IntN { n } | Ty::BitsN { n } => *n,
                Ty::Address => ADDRESS_BITS,
                _ => return Err(unsupported()),
            };
            format!("(HashmapE {bits} {})", of(v)?)
        }
        Ty::StructRef { struct_name: name } | Ty::AliasRef { alias_name: name } | Ty::EnumRef { enum_name: name } => {
            name.clone()
        }
        Ty::Int | Ty::Slice | Ty::Union { .. } | Ty::Tensor { .. } => return Err(unsupported()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    /// Names that the text uses and does not declare, other than those of the chain's own schemes.
    fn undeclared(text: &str) -> BTreeSet<String> {
        const KNOWN: [&str; 8] = [
            "Grams",
            "MsgAddressInt",
            "MsgAddress",
            "Maybe",
            "HashmapE",
            "Any",
            "Cell",
            "Bool",
        ];
        let code: Vec<&str> = text
            .lines()
            .map(|line| line.split("//").next().unwrap_or_default())
            .collect();
        let code = code.join("\n");
        let words = code.split(|character: char| !character.is_alphanumeric() && character != '_');
        let used = words.filter(|word| word.starts_with(char::is_uppercase));
        let declared: BTreeSet<&str> = code
            .split(';')
            .filter_map(|scheme| scheme.rsplit_once('=').map(|(_, name)| name.trim()))
            .collect();
        used.filter(|word| !declared.contains(word) && !KNOWN.contains(word))
            .map(str::to_owned)
            .collect()
    }

    #[test]
    fn every_name_is_declared_or_the_chain_s_own() {
        let repository = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
        let model = Model::of(&crate::abis(&repository).unwrap()).unwrap();
        let text = file(&repository, &model).unwrap();
        assert_eq!(undeclared(&text), BTreeSet::new());
        assert!(undeclared("a$_ b:Nothing = A;").contains("Nothing"));
    }

    #[test]
    fn tags_are_hexadecimal_where_they_can_be() {
        let tag_of = |prefix_num, prefix_len| tag(Some(Prefix { prefix_num, prefix_len }));
        assert_eq!(tag_of(0x0a, 32), "#0000000a");
        assert_eq!(tag_of(1, 2), "$01");
        assert_eq!(tag(None), "$_");
    }
}
