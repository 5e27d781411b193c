//! Rust from the ABI: one module per contract and one for what they share, split by kind.

mod codec;
mod exit_code;
mod files;
mod getters;
mod names;
mod structs;
pub(crate) mod types;
mod unions;

use crate::abi::{ContractAbi, Declaration, Ty};
use crate::error::GenError;
use files::{Item, Module};
use std::collections::{BTreeMap, BTreeSet};

pub(crate) use files::format;
pub(crate) use names::snake;

/// The generated files, by path below `src/generated/`.
pub(crate) fn bindings(abis: &[ContractAbi]) -> Result<BTreeMap<String, String>, GenError> {
    let model = Model::of(abis)?;
    let mut modules: BTreeMap<String, Module> = BTreeMap::new();
    for (name, declaration) in &model.declarations {
        if types::hand_written(name).is_some() {
            continue;
        }
        let module = modules.entry(module_of(declaration)).or_default();
        let kind = if declaration.source().starts_with("storage/") {
            "storage"
        } else {
            "messages"
        };
        match declaration {
            Declaration::Struct(declaration) if model.stack_only.contains(name) => {
                module.add("getters", structs::definition(declaration, &model)?);
                module.add("getters", getters::from_stack(declaration, &model)?);
            }
            Declaration::Struct(declaration) => {
                module.add(kind, structs::definition(declaration, &model)?);
                module.add(&format!("{kind}_codec"), codec::of_struct(declaration, &model)?);
            }
            Declaration::Alias {
                target: Ty::Union { variants },
                description,
                ..
            } => {
                module.add(kind, unions::definition(name, variants, description)?);
                module.add(&format!("{kind}_codec"), unions::codec(name, variants, &model)?);
            }
            Declaration::Alias { .. } => {}
            Declaration::Enum {
                members,
                encoded_as,
                description,
                ..
            } => {
                if name == "Errors" {
                    module.add("exit_code", exit_code::definition(members));
                } else {
                    module.add(kind, structs::enumeration(name, members, encoded_as, description)?);
                }
            }
        }
    }
    for abi in abis {
        let module = modules.entry(names::snake(&abi.contract_name)).or_default();
        for method in &abi.get_methods {
            module.add("getters", getters::method(method, &model)?);
        }
    }
    files::render(&modules)
}

/// The module that a declaration goes to: its contract's, or `types` for what is shared.
pub(crate) fn module_of(declaration: &Declaration) -> String {
    let stem = declaration
        .source()
        .rsplit('/')
        .next()
        .unwrap_or_default()
        .trim_end_matches(".tolk");
    let own = crate::CONTRACTS.iter().any(|contract| names::snake(contract) == stem);
    if own { stem.to_owned() } else { "types".to_owned() }
}

/// All contracts' declarations together.
pub(crate) struct Model {
    pub(crate) declarations: BTreeMap<String, Declaration>,
    /// Structs that only get methods return.
    pub(crate) stack_only: BTreeSet<String>,
}

impl Model {
    pub(crate) fn of(abis: &[ContractAbi]) -> Result<Self, GenError> {
        let mut declarations: BTreeMap<String, Declaration> = BTreeMap::new();
        let mut returned = BTreeSet::new();
        for abi in abis {
            for declaration in &abi.declarations {
                let name = declaration.name().to_owned();
                match declarations.get(&name) {
                    Some(known) if known != declaration => {
                        return Err(GenError::declaration(name, "declared in two ways"));
                    }
                    _ => declarations.insert(name, declaration.clone()),
                };
            }
            returned.extend(
                abi.get_methods
                    .iter()
                    .filter_map(|method| method.return_ty.declared())
                    .map(str::to_owned),
            );
        }
        let mut stored = BTreeSet::new();
        for abi in abis {
            let messages = abi.incoming_messages.iter().map(|message| &message.body_ty);
            stored.extend(
                messages
                    .chain([&abi.storage.storage_ty])
                    .filter_map(Ty::declared)
                    .map(str::to_owned),
            );
        }
        for declaration in declarations.values() {
            refer(declaration, &mut stored);
        }
        Ok(Self {
            stack_only: returned.difference(&stored).cloned().collect(),
            declarations,
        })
    }

    pub(crate) fn get(&self, name: &str) -> Result<&Declaration, GenError> {
        self.declarations
            .get(name)
            .ok_or_else(|| GenError::declaration(name, "not declared"))
    }
}

fn refer(declaration: &Declaration, stored: &mut BTreeSet<String>) {
    let mut add = |ty: &Ty| {
        let mut pending = vec![ty];
        while let Some(ty) = pending.pop() {
            stored.extend(ty.declared().map(str::to_owned));
            pending.extend(ty.parts());
        }
    };
    match declaration {
        Declaration::Struct(declaration) => declaration.fields.iter().for_each(|field| add(&field.ty)),
        Declaration::Alias { target, .. } => add(target),
        Declaration::Enum { .. } => {}
    }
}

pub(crate) fn item(text: String) -> Item {
    Item { text }
}
