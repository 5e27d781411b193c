//! Tables of the page about the contracts, from the ABIs.

use crate::abi::{ContractAbi, Declaration, Field, StructDeclaration, Ty};
use crate::error::GenError;
use std::collections::BTreeMap;

/// A line of a message's documentation that says who sends it, where its name does not.
const SENDER: &str = "Sender: ";

/// Messages, get methods, data and errors of a contract.
pub(crate) fn contract(abi: &ContractAbi) -> Result<String, GenError> {
    let codes: Vec<String> = abi
        .thrown_errors
        .iter()
        .map(|error| error.err_code.to_string())
        .collect();
    Ok(format!(
        "{}\n\n{}\n\n{}\n\nExit codes of its own code: {}.",
        messages(abi)?,
        getters(abi)?,
        storage(abi)?,
        codes.join(", ")
    ))
}

/// The variants of a union that is no message of its own.
pub(crate) fn union(abi: &ContractAbi, name: &str) -> Result<String, GenError> {
    let mut text = String::from("| op | body | fields after the op | effect |\n|---|---|---|---|\n");
    let variants = abi.declarations.iter().find_map(|declaration| match declaration {
        Declaration::Alias {
            name: alias,
            target: Ty::Union { variants },
            ..
        } if alias == name => Some(variants),
        _ => None,
    });
    for variant in variants.ok_or_else(|| GenError::declaration(name, "not a union"))? {
        let declaration = structure(abi, variant)?;
        text += &format!(
            "| `{:08x}` | `{}` | {} | {} |\n",
            declaration.prefix.map_or(0, |prefix| prefix.prefix_num),
            declaration.name,
            fields(&declaration.fields),
            effect(&declaration.description)
        );
    }
    Ok(text.trim_end().to_owned())
}

fn messages(abi: &ContractAbi) -> Result<String, GenError> {
    let mut text = String::from("| op | message | from | fields after the op | effect |\n|---|---|---|---|---|\n");
    for message in &abi.incoming_messages {
        let declaration = structure(abi, &message.body_ty)?;
        let op = declaration.prefix.map_or(0, |prefix| prefix.prefix_num);
        text += &format!(
            "| `{op:08x}` | `{}` | {} | {} | {} |\n",
            declaration.name,
            sender(declaration),
            fields(&declaration.fields),
            effect(&declaration.description)
        );
    }
    Ok(text.trim_end().to_owned())
}

fn getters(abi: &ContractAbi) -> Result<String, GenError> {
    let mut text = String::from("| get method | answers | result |\n|---|---|---|\n");
    for method in &abi.get_methods {
        let result = match structure(abi, &method.return_ty) {
            Ok(declaration) => fields(&declaration.fields),
            Err(_) => format!("`{}`", ty(&method.return_ty)),
        };
        let parameters: Vec<String> = method.parameters.iter().map(named).collect();
        text += &format!(
            "| `{}({})` | {} | {result} |\n",
            method.name,
            parameters.join(", "),
            effect(&method.description)
        );
    }
    Ok(text.trim_end().to_owned())
}

fn storage(abi: &ContractAbi) -> Result<String, GenError> {
    let declaration = structure(abi, &abi.storage.storage_ty)?;
    let mut text = format!("| field of `{}` | type | what |\n|---|---|---|\n", declaration.name);
    for field in &declaration.fields {
        text += &format!(
            "| `{}` | `{}` | {} |\n",
            field.name,
            ty(&field.ty),
            effect(&field.description)
        );
    }
    Ok(text.trim_end().to_owned())
}

/// All exit codes, with the contracts whose code names them.
pub(crate) fn errors(abis: &[ContractAbi]) -> String {
    let mut errors: BTreeMap<u64, (String, String, Vec<&str>)> = BTreeMap::new();
    for declaration in abis.iter().flat_map(|abi| &abi.declarations) {
        if let Declaration::Enum { name, members, .. } = declaration
            && name == "Errors"
        {
            for member in members {
                let entry = (member.name.clone(), member.description.clone(), Vec::new());
                errors.entry(member.value).or_insert(entry);
            }
        }
    }
    for abi in abis {
        for thrown in &abi.thrown_errors {
            if let Some((_, _, by)) = errors.get_mut(&thrown.err_code) {
                by.push(&abi.contract_name);
            }
        }
    }
    let mut text = String::from("| code | name | meaning | thrown by |\n|--:|---|---|---|\n");
    for (code, (name, meaning, by)) in errors {
        let by = if by.is_empty() {
            "none: reserved".to_owned()
        } else {
            by.join(", ")
        };
        text += &format!("| {code} | `{name}` | {} | {by} |\n", effect(&meaning));
    }
    text.trim_end().to_owned()
}

fn structure<'a>(abi: &'a ContractAbi, named: &Ty) -> Result<&'a StructDeclaration, GenError> {
    let name = named.declared().unwrap_or_default();
    let found = abi.declarations.iter().find(|declaration| declaration.name() == name);
    match found {
        Some(Declaration::Struct(declaration)) => Ok(declaration),
        _ => Err(GenError::declaration(format!("{named:?}"), "not a struct")),
    }
}

/// Who sends a message: as its documentation says, or as the convention of names says.
fn sender(message: &StructDeclaration) -> String {
    let documented = message.description.lines().find_map(|line| line.strip_prefix(SENDER));
    if let Some(sender) = documented {
        return sender.trim_end_matches('.').to_owned();
    }
    let name = message.name.as_str();
    if let Some((_, from)) = name.rsplit_once("From") {
        return words(from);
    }
    match name {
        "ClientStep" => "client contract".to_owned(),
        "WorkerStep" => "worker contract".to_owned(),
        "TextCommand" => "owner".to_owned(),
        _ if name.ends_with("Signed") => "anyone, signed by the proxy's key".to_owned(),
        _ => "anyone".to_owned(),
    }
}

/// `RootOwner` as `root owner`.
fn words(name: &str) -> String {
    crate::rust::snake(name).replace('_', " ")
}

/// Documentation in a cell of a table.
fn effect(description: &str) -> String {
    let lines = description.lines().filter(|line| !line.starts_with(SENDER));
    lines.collect::<Vec<_>>().join(" ").replace('|', "\\|")
}

fn fields(fields: &[Field]) -> String {
    let listed: Vec<String> = fields.iter().map(|field| format!("`{}`", named(field))).collect();
    listed.join(" ")
}

fn named(field: &Field) -> String {
    format!("{}: {}", field.name, ty(&field.ty))
}

/// A type as Tolk writes it.
fn ty(of: &Ty) -> String {
    match of {
        Ty::Int => "int".to_owned(),
        Ty::UintN { n } => format!("uint{n}"),
        Ty::IntN { n } => format!("int{n}"),
        Ty::BitsN { n } => format!("bits{n}"),
        Ty::Bool => "bool".to_owned(),
        Ty::Coins => "coins".to_owned(),
        Ty::Address => "address".to_owned(),
        Ty::Cell => "cell".to_owned(),
        Ty::Slice => "slice".to_owned(),
        Ty::Remaining => "rest".to_owned(),
        Ty::CellOf { inner } => format!("^{}", ty(inner)),
        Ty::Nullable { inner } => format!("{}?", ty(inner)),
        Ty::MapKV { k, v } => format!("map<{}, {}>", ty(k), ty(v)),
        // A bar would end the cell of the table.
        Ty::Union { variants } => variants.iter().map(ty).collect::<Vec<_>>().join(" or "),
        Ty::Tensor { items } => format!("({})", items.iter().map(ty).collect::<Vec<_>>().join(", ")),
        Ty::StructRef { struct_name: name } | Ty::AliasRef { alias_name: name } | Ty::EnumRef { enum_name: name } => {
            name.clone()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(name: &str, description: &str) -> StructDeclaration {
        StructDeclaration {
            name: name.to_owned(),
            prefix: None,
            fields: Vec::new(),
            description: description.to_owned(),
            source: String::new(),
        }
    }

    #[test]
    fn the_sender_is_what_the_documentation_or_the_name_says() {
        let sender = |name, description| sender(&message(name, description));
        assert_eq!(sender("ReopenFromOwner", "Opens."), "owner");
        assert_eq!(sender("ChargeSigned", "Charges."), "anyone, signed by the proxy's key");
        assert_eq!(sender("AskToTopUp", "Pay in."), "anyone");
        assert_eq!(
            sender("AcceptOwnership", "Takes over.\nSender: the offered owner."),
            "the offered owner"
        );
        assert_eq!(effect("Takes over.\nSender: the offered owner."), "Takes over.");
    }
}
