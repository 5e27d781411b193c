//! Codecs of structs.

use super::files::Item;
use super::names::snake;
use super::{Model, item, types};
use crate::abi::StructDeclaration;
use crate::error::GenError;

pub(super) const STORE_HEAD: &str =
    "fn store_into(&self, builder: &mut CellBuilder, _: &dyn CellContext) -> Result<(), CellError> {\n";
pub(super) const LOAD_HEAD: &str = "fn load_from(slice: &mut CellSlice<'a>) -> Result<Self, CellError> {\n";

/// Opcode, `Store` and `Load`.
pub(super) fn of_struct(declaration: &StructDeclaration, _: &Model) -> Result<Item, GenError> {
    let name = &declaration.name;
    let mut text = String::new();
    let (mut store, mut load) = (String::new(), String::new());
    if let Some(prefix) = declaration.prefix {
        if prefix.prefix_len != 32 {
            return Err(GenError::declaration(name, "only prefixes of 32 bits are understood"));
        }
        text += &format!("impl {name} {{\n/// The bits that the message begins with.\n");
        let (high, low) = (prefix.prefix_num >> 16, prefix.prefix_num & 0xffff);
        text += &format!("pub const OPCODE: u32 = 0x{high:04x}_{low:04x};\n}}\n\n");
        store += "builder.store_u32(Self::OPCODE)?;\n";
        load += "take_opcode(Self::OPCODE, slice)?;\n";
    }
    load += "Ok(Self {\n";
    for field in &declaration.fields {
        let ty = types::of_field(field)?;
        let field = snake(&field.name);
        store += &ty.store.replace("{}", &field);
        store += "\n";
        load += &format!("{field}: {},\n", ty.load);
    }
    text += &format!("impl Store for {name} {{\n{STORE_HEAD}{store}Ok(())\n}}\n}}\n\n");
    text += &format!("impl<'a> Load<'a> for {name} {{\n{LOAD_HEAD}{load}}})\n}}\n}}\n");
    Ok(item(text))
}
