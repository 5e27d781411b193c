//! Unions of messages: an enum whose variants are the structs.

use super::codec::{LOAD_HEAD, STORE_HEAD};
use super::files::Item;
use super::names::doc;
use super::{Model, item};
use crate::abi::{Declaration, Ty};
use crate::error::GenError;

/// The enum.
pub(super) fn definition(name: &str, variants: &[Ty], description: &str) -> Result<Item, GenError> {
    let mut text = doc(description, "One of several messages.");
    text += &format!("#[derive(Debug, Clone, PartialEq, Eq)]\npub enum {name} {{\n");
    for variant in names(name, variants)? {
        text += &format!("/// See [`{variant}`].\n{variant}({variant}),\n");
    }
    text += "}\n";
    Ok(item(text))
}

/// Its codec: the variant is chosen by the opcode.
pub(super) fn codec(name: &str, variants: &[Ty], model: &Model) -> Result<Item, GenError> {
    let (mut store, mut load) = (String::new(), String::new());
    for variant in names(name, variants)? {
        let prefixed = matches!(model.get(variant)?, Declaration::Struct(declaration) if declaration.prefix.is_some());
        if !prefixed {
            return Err(GenError::declaration(
                name,
                format!("{variant} has no prefix to be told by"),
            ));
        }
        store += &format!("Self::{variant}(message) => put(message, builder),\n");
        load += &format!("{variant}::OPCODE => take(slice).map(Self::{variant}),\n");
    }
    let text = format!(
        "impl Store for {name} {{\n{STORE_HEAD}match self {{\n{store}}}\n}}\n}}\n\n\
         impl<'a> Load<'a> for {name} {{\n{LOAD_HEAD}match slice.get_u32(0)? {{\n{load}\
         _ => Err(CellError::InvalidTag),\n}}\n}}\n}}\n"
    );
    Ok(item(text))
}

fn names<'a>(name: &str, variants: &'a [Ty]) -> Result<Vec<&'a str>, GenError> {
    let of = |variant: &'a Ty| match variant {
        Ty::StructRef { struct_name } => Ok(struct_name.as_str()),
        _ => Err(GenError::declaration(name, "a union of something else than structs")),
    };
    variants.iter().map(of).collect()
}
