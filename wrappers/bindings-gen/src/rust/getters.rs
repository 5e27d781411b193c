//! Get methods and what they return.

use super::files::Item;
use super::names::{camel, doc, snake};
use super::{Model, item, types};
use crate::abi::{Field, GetMethod, StructDeclaration, Ty};
use crate::error::GenError;

/// A struct of values on the stack.
pub(super) fn from_stack(declaration: &StructDeclaration, _: &Model) -> Result<Item, GenError> {
    let mut text = format!("impl FromStack for {} {{\n", declaration.name);
    text += "fn from_stack(reader: &mut StackReader<'_>) -> Result<Self, BindingsError> {\nOk(Self {\n";
    for field in &declaration.fields {
        text += &format!("{}: {},\n", snake(&field.name), types::of_stack(field)?.1);
    }
    text += "})\n}\n}\n";
    Ok(item(text))
}

/// A get method as a struct of its parameters.
pub(super) fn method(method: &GetMethod, model: &Model) -> Result<Item, GenError> {
    let name = camel(&method.name);
    let mut text = doc(&method.description, "A get method.");
    text += "#[derive(Debug, Clone, Copy, PartialEq, Eq)]\n";
    let mut arguments = Vec::new();
    if method.parameters.is_empty() {
        text += &format!("pub struct {name};\n\n");
    } else {
        text += &format!("pub struct {name} {{\n");
        for parameter in &method.parameters {
            let (ty, argument) = types::of_parameter(parameter)?;
            text += &doc(&parameter.description, "What is asked for.");
            text += &format!("pub {}: {ty},\n", snake(&parameter.name));
            arguments.push(argument);
        }
        text += "}\n\n";
    }
    let (output, read) = match &method.return_ty {
        Ty::StructRef { struct_name } if model.stack_only.contains(struct_name) => {
            (struct_name.clone(), format!("{struct_name}::from_stack(reader)"))
        }
        ty => {
            let value = Field {
                name: returned(&method.name),
                ty: ty.clone(),
                description: String::new(),
            };
            let (output, read) = types::of_stack(&value)?;
            let read = read
                .strip_suffix('?')
                .map_or_else(|| format!("Ok({read})"), str::to_owned);
            (output, read)
        }
    };
    text += &format!("impl GetMethod for {name} {{\ntype Output = {output};\n");
    text += &format!(
        "const NAME: &'static str = \"{}\";\nconst ID: u32 = {};\n\n",
        method.name, method.tvm_method_id
    );
    text += &format!(
        "fn arguments(&self) -> Vec<StackValue> {{\nvec![{}]\n}}\n\n",
        arguments.join(", ")
    );
    text += "fn read(reader: &mut StackReader<'_>) -> Result<Self::Output, BindingsError> {\n";
    text += &format!("{read}\n}}\n}}\n");
    Ok(item(text))
}

/// The name of the one value that a method returns: `get_public_key` → `publicKey`.
fn returned(name: &str) -> String {
    let name = camel(name.strip_prefix("get_").unwrap_or(name));
    let mut characters = name.chars();
    characters
        .next()
        .map(|first| first.to_lowercase().collect::<String>() + characters.as_str())
        .unwrap_or_default()
}
