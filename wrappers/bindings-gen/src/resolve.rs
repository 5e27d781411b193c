//! From the files of a contract to its ABI: imports followed, names resolved, what is not referred to left out.

use crate::abi::{
    ContractAbi, Declaration, EnumMember, Field, GetMethod, MessageBody, Prefix, Storage, StructDeclaration,
    ThrownError, Ty, method_id,
};
use crate::ast::{self, File, Type};
use crate::error::GenError;
use crate::parser::parse;
use std::collections::BTreeMap;

/// Version of the JSON's shape.
const SCHEMA_VERSION: &str = "1.0";
/// The enum of exit codes.
const ERRORS: &str = "Errors";

/// Reads the contract `<name>.tolk` and everything that it imports.
pub(crate) fn contract(name: &str, source: &dyn Fn(&str) -> Result<String, GenError>) -> Result<ContractAbi, GenError> {
    let mut files = BTreeMap::new();
    load(&format!("{name}.tolk"), source, &mut files)?;
    let names = Names::of(&files)?;
    let union = names.declarations.get(&format!("{name}Message"));
    let incoming = match union {
        Some(Declaration::Alias {
            target: Ty::Union { variants },
            ..
        }) => variants.clone(),
        _ => {
            return Err(GenError::declaration(
                format!("{name}Message"),
                "no union of that name is declared",
            ));
        }
    };
    let storage_ty = names.resolve(&Type::Name(format!("{name}Storage")))?;
    let get_methods = getters(&files, &names)?;
    let mut needed = Vec::new();
    let stack = get_methods.iter().flat_map(|method| {
        method
            .parameters
            .iter()
            .map(|parameter| &parameter.ty)
            .chain([&method.return_ty])
    });
    let roots = incoming.iter().chain([&storage_ty]).chain(stack);
    for root in roots {
        names.collect(root, &mut needed)?;
    }
    // Messages that the contract sends, notes within messages, tails of its data, and the exit codes: nothing above
    // refers to them.
    for (declared, declaration) in &names.declarations {
        let beside = ["messages/", "storage/"]
            .iter()
            .any(|folder| declaration.source().starts_with(folder));
        if beside || declared == ERRORS {
            names.collect_name(declared, &mut needed)?;
        }
    }
    needed.sort();
    let declarations = needed
        .iter()
        .filter_map(|needed| names.declarations.get(needed).cloned())
        .collect();
    Ok(ContractAbi {
        abi_schema_version: SCHEMA_VERSION.to_owned(),
        contract_name: name.to_owned(),
        declarations,
        incoming_messages: incoming.into_iter().map(|body_ty| MessageBody { body_ty }).collect(),
        storage: Storage { storage_ty },
        get_methods,
        thrown_errors: thrown(&files, &names)?,
    })
}

/// Loads a file and its imports, each once.
fn load(
    path: &str,
    source: &dyn Fn(&str) -> Result<String, GenError>,
    files: &mut BTreeMap<String, File>,
) -> Result<(), GenError> {
    if files.contains_key(path) {
        return Ok(());
    }
    let file = parse(path, &source(path)?)?;
    let imports = file.imports.clone();
    files.insert(path.to_owned(), file);
    for import in imports.iter().filter(|import| !import.starts_with("@stdlib/")) {
        load(&join(path, import), source, files)?;
    }
    Ok(())
}

/// The path of an import seen from `path`.
fn join(path: &str, import: &str) -> String {
    let mut parts: Vec<&str> = path.split('/').collect();
    parts.pop();
    for part in import.split('/') {
        match part {
            "." => {}
            ".." => {
                parts.pop();
            }
            part => parts.push(part),
        }
    }
    let path = parts.join("/");
    if path.ends_with(".tolk") { path } else { path + ".tolk" }
}

fn getters(files: &BTreeMap<String, File>, names: &Names) -> Result<Vec<GetMethod>, GenError> {
    let mut methods = Vec::new();
    for getter in files.values().flat_map(|file| &file.getters) {
        methods.push(GetMethod {
            name: getter.name.clone(),
            tvm_method_id: method_id(&getter.name),
            parameters: names.fields(&getter.parameters)?,
            return_ty: names.resolve(&getter.result)?,
            description: getter.doc.clone(),
        });
    }
    methods.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(methods)
}

fn thrown(files: &BTreeMap<String, File>, names: &Names) -> Result<Vec<ThrownError>, GenError> {
    let members = match names.declarations.get(ERRORS) {
        Some(Declaration::Enum { members, .. }) => members.as_slice(),
        _ => &[],
    };
    let mut errors = Vec::new();
    for name in files.values().flat_map(|file| &file.errors) {
        let member = members.iter().find(|member| member.name == *name);
        let member = member.ok_or_else(|| GenError::declaration(format!("{ERRORS}.{name}"), "not declared"))?;
        errors.push(ThrownError {
            name: member.name.clone(),
            err_code: member.value,
            description: member.description.clone(),
        });
    }
    errors.sort_by_key(|error| error.err_code);
    errors.dedup();
    Ok(errors)
}

/// All declarations by name.
struct Names {
    declarations: BTreeMap<String, Declaration>,
    kinds: BTreeMap<String, Kind>,
}

#[derive(Clone, Copy)]
enum Kind {
    Struct,
    Alias,
    Enum,
}

impl Names {
    fn of(files: &BTreeMap<String, File>) -> Result<Self, GenError> {
        let mut names = Self {
            declarations: BTreeMap::new(),
            kinds: BTreeMap::new(),
        };
        for file in files.values() {
            let structs = file.structs.iter().map(|item| (&item.name, Kind::Struct));
            let aliases = file.aliases.iter().map(|item| (&item.name, Kind::Alias));
            let enums = file.enums.iter().map(|item| (&item.name, Kind::Enum));
            for (name, kind) in structs.chain(aliases).chain(enums) {
                if names.kinds.insert(name.clone(), kind).is_some() {
                    return Err(GenError::declaration(name, "declared twice"));
                }
            }
        }
        for (path, file) in files {
            names.declare(path, file)?;
        }
        Ok(names)
    }

    fn declare(&mut self, path: &str, file: &File) -> Result<(), GenError> {
        let source = path.to_owned();
        for item in &file.structs {
            let declaration = StructDeclaration {
                name: item.name.clone(),
                prefix: item
                    .prefix
                    .map(|(prefix_num, prefix_len)| Prefix { prefix_num, prefix_len }),
                fields: self.fields(&item.fields)?,
                description: item.doc.clone(),
                source: source.clone(),
            };
            self.declarations
                .insert(item.name.clone(), Declaration::Struct(declaration));
        }
        for item in &file.aliases {
            let (name, target) = (item.name.clone(), self.resolve(&item.ty)?);
            let declaration = Declaration::Alias {
                name,
                target,
                description: item.doc.clone(),
                source: source.clone(),
            };
            self.declarations.insert(item.name.clone(), declaration);
        }
        for item in &file.enums {
            let member = |(name, value, doc): &(String, u64, String)| EnumMember {
                name: name.clone(),
                value: *value,
                description: doc.clone(),
            };
            let declaration = Declaration::Enum {
                name: item.name.clone(),
                encoded_as: item
                    .encoding
                    .as_ref()
                    .map_or(Ok(Ty::Int), |encoding| self.resolve(encoding))?,
                members: item.members.iter().map(member).collect(),
                description: item.doc.clone(),
                source: source.clone(),
            };
            self.declarations.insert(item.name.clone(), declaration);
        }
        Ok(())
    }

    fn fields(&self, fields: &[ast::Field]) -> Result<Vec<Field>, GenError> {
        let field = |field: &ast::Field| {
            Ok(Field {
                name: field.name.clone(),
                ty: self.resolve(&field.ty)?,
                description: field.doc.clone(),
            })
        };
        fields.iter().map(field).collect()
    }

    fn resolve(&self, ty: &Type) -> Result<Ty, GenError> {
        let all = |items: &[Type]| {
            items
                .iter()
                .map(|item| self.resolve(item))
                .collect::<Result<Vec<_>, _>>()
        };
        Ok(match ty {
            Type::Nullable(inner) => Ty::Nullable {
                inner: Box::new(self.resolve(inner)?),
            },
            Type::Union(variants) => Ty::Union {
                variants: all(variants)?,
            },
            Type::Tensor(items) => Ty::Tensor { items: all(items)? },
            Type::Generic(name, arguments) => match (name.as_str(), arguments.as_slice()) {
                ("Cell", [inner]) => Ty::CellOf {
                    inner: Box::new(self.resolve(inner)?),
                },
                ("map", [k, v]) => Ty::MapKV {
                    k: Box::new(self.resolve(k)?),
                    v: Box::new(self.resolve(v)?),
                },
                _ => return Err(GenError::declaration(name, "a generic type that is not understood")),
            },
            Type::Name(name) => self.named(name)?,
        })
    }

    fn named(&self, name: &str) -> Result<Ty, GenError> {
        let bits = |prefix: &str| name.strip_prefix(prefix).and_then(|bits| bits.parse::<u32>().ok());
        Ok(match name {
            "int" => Ty::Int,
            "bool" => Ty::Bool,
            "coins" => Ty::Coins,
            "address" => Ty::Address,
            "cell" => Ty::Cell,
            "slice" => Ty::Slice,
            "RemainingBitsAndRefs" => Ty::Remaining,
            _ => {
                if let Some(n) = bits("uint") {
                    Ty::UintN { n }
                } else if let Some(n) = bits("int") {
                    Ty::IntN { n }
                } else if let Some(n) = bits("bits") {
                    Ty::BitsN { n }
                } else {
                    match self.kinds.get(name) {
                        Some(Kind::Struct) => Ty::StructRef {
                            struct_name: name.to_owned(),
                        },
                        Some(Kind::Alias) => Ty::AliasRef {
                            alias_name: name.to_owned(),
                        },
                        Some(Kind::Enum) => Ty::EnumRef {
                            enum_name: name.to_owned(),
                        },
                        None => return Err(GenError::declaration(name, "not declared")),
                    }
                }
            }
        })
    }

    /// Adds what a type refers to, directly or not.
    fn collect(&self, ty: &Ty, needed: &mut Vec<String>) -> Result<(), GenError> {
        if let Some(name) = ty.declared() {
            self.collect_name(name, needed)?;
        }
        ty.parts().into_iter().try_for_each(|part| self.collect(part, needed))
    }

    fn collect_name(&self, name: &str, needed: &mut Vec<String>) -> Result<(), GenError> {
        if needed.iter().any(|known| known == name) {
            return Ok(());
        }
        needed.push(name.to_owned());
        match self.declarations.get(name) {
            None => Err(GenError::declaration(name, "not declared")),
            Some(Declaration::Struct(declaration)) => declaration
                .fields
                .iter()
                .try_for_each(|field| self.collect(&field.ty, needed)),
            Some(Declaration::Alias { target, .. }) => self.collect(target, needed),
            Some(Declaration::Enum { encoded_as, .. }) => self.collect(encoded_as, needed),
        }
    }
}
