//! Definitions of structs and enums.

use super::files::Item;
use super::names::{doc, snake};
use super::{Model, item, types};
use crate::abi::{EnumMember, StructDeclaration, Ty};
use crate::error::GenError;

/// A struct with public fields.
pub(super) fn definition(declaration: &StructDeclaration, model: &Model) -> Result<Item, GenError> {
    let mut text = doc(&declaration.description, "Declared by the contracts.");
    text += "#[derive(Debug, Clone, PartialEq, Eq)]\n";
    text += &format!("pub struct {} {{\n", declaration.name);
    for field in &declaration.fields {
        let ty = if model.stack_only.contains(&declaration.name) {
            types::of_stack(field)?.0
        } else {
            types::of_field(field)?.name
        };
        text += &doc(&field.description, "See the contract.");
        text += &format!("pub {}: {ty},\n", snake(&field.name));
    }
    text += "}\n";
    Ok(item(text))
}

/// An enum of named numbers with its codec.
pub(super) fn enumeration(
    name: &str,
    members: &[EnumMember],
    encoded_as: &Ty,
    description: &str,
) -> Result<Item, GenError> {
    let Ty::UintN { n } = encoded_as else {
        return Err(GenError::declaration(name, "an enum without the type of its numbers"));
    };
    let mut text = doc(description, "Declared by the contracts.");
    text += "#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]\n";
    text += &format!("pub enum {name} {{\n");
    for member in members {
        text += &doc(&member.description, "See the contract.");
        text += &format!("{},\n", member.name);
    }
    text += &format!("}}\n\nimpl {name} {{\n/// The value with this number.\n");
    text += "pub const fn from_value(value: u64) -> Option<Self> {\nmatch value {\n";
    for member in members {
        text += &format!("{} => Some(Self::{}),\n", member.value, member.name);
    }
    text += "_ => None,\n}\n}\n\n/// The number of the value.\npub const fn value(self) -> u64 {\nmatch self {\n";
    for member in members {
        text += &format!("Self::{} => {},\n", member.name, member.value);
    }
    text += "}\n}\n}\n\n";
    text += &format!("impl Store for {name} {{\n{}", super::codec::STORE_HEAD);
    text += &format!("builder.store_uint(self.value(), {n})\n}}\n}}\n\n");
    text += &format!("impl<'a> Load<'a> for {name} {{\n{}", super::codec::LOAD_HEAD);
    text += &format!("Self::from_value(slice.load_uint({n})?).ok_or(CellError::InvalidTag)\n}}\n}}\n");
    Ok(item(text))
}
