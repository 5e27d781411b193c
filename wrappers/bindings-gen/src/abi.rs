//! The ABI of a contract as JSON.

use serde::{Deserialize, Serialize};

/// Everything that a caller of a contract must know.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ContractAbi {
    /// Version of this shape.
    pub abi_schema_version: String,
    /// Name of the entry file.
    pub contract_name: String,
    /// Structs, aliases and enums that the rest refers to.
    pub declarations: Vec<Declaration>,
    /// Bodies of internal messages that the contract understands.
    pub incoming_messages: Vec<MessageBody>,
    /// Layout of the contract's data.
    pub storage: Storage,
    /// Get methods.
    pub get_methods: Vec<GetMethod>,
    /// Exit codes that the code of the contract names.
    pub thrown_errors: Vec<ThrownError>,
}

/// A named type.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Declaration {
    /// A sequence of fields, with a prefix when it is a message or a variant.
    Struct(StructDeclaration),
    /// Another name for a type.
    Alias {
        /// Its name.
        name: String,
        /// The type.
        target: Ty,
        /// What it means.
        description: String,
        /// The file that declares it.
        source: String,
    },
    /// Named numbers.
    Enum {
        /// Its name.
        name: String,
        /// How a value is stored.
        encoded_as: Ty,
        /// The names and their numbers.
        members: Vec<EnumMember>,
        /// What it means.
        description: String,
        /// The file that declares it.
        source: String,
    },
}

impl Declaration {
    /// The name declared.
    pub fn name(&self) -> &str {
        match self {
            Self::Struct(declaration) => &declaration.name,
            Self::Alias { name, .. } | Self::Enum { name, .. } => name,
        }
    }

    /// The file that declares it.
    pub fn source(&self) -> &str {
        match self {
            Self::Struct(declaration) => &declaration.source,
            Self::Alias { source, .. } | Self::Enum { source, .. } => source,
        }
    }
}

/// A struct.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StructDeclaration {
    /// Its name.
    pub name: String,
    /// What comes before the fields.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub prefix: Option<Prefix>,
    /// The fields in the order of their bits.
    pub fields: Vec<Field>,
    /// What it means.
    pub description: String,
    /// The file that declares it.
    pub source: String,
}

/// Bits that tell one variant from another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Prefix {
    /// The bits as a number.
    pub prefix_num: u64,
    /// How many bits.
    pub prefix_len: u32,
}

/// A field of a struct or a parameter of a get method.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Field {
    /// Its name.
    pub name: String,
    /// Its type.
    pub ty: Ty,
    /// What it means.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub description: String,
}

/// A named number.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EnumMember {
    /// Its name.
    pub name: String,
    /// The number.
    pub value: u64,
    /// What it means.
    pub description: String,
}

/// The body of a message.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MessageBody {
    /// Its type.
    pub body_ty: Ty,
}

/// The contract's data.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Storage {
    /// Its type.
    pub storage_ty: Ty,
}

/// A get method.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GetMethod {
    /// Its name.
    pub name: String,
    /// Its number: CRC-16 of the name with bit 16 set.
    pub tvm_method_id: u32,
    /// What it takes.
    pub parameters: Vec<Field>,
    /// What it leaves on the stack.
    pub return_ty: Ty,
    /// What it answers.
    pub description: String,
}

/// An exit code.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ThrownError {
    /// Its name.
    pub name: String,
    /// The code.
    pub err_code: u64,
    /// What it means.
    pub description: String,
}

/// A type.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "camelCase")]
pub enum Ty {
    /// A TVM integer; only on the stack.
    Int,
    /// An unsigned integer.
    UintN {
        /// Bits.
        n: u32,
    },
    /// A signed integer.
    IntN {
        /// Bits.
        n: u32,
    },
    /// A truth value.
    Bool,
    /// An amount of money.
    Coins,
    /// A standard address.
    Address,
    /// Bits of a fixed number.
    BitsN {
        /// Bits.
        n: u32,
    },
    /// A cell in a reference.
    Cell,
    /// A cell in a reference with contents of known type.
    CellOf {
        /// The contents.
        inner: Box<Ty>,
    },
    /// A slice; only on the stack.
    Slice,
    /// All that is left.
    Remaining,
    /// A value or nothing.
    Nullable {
        /// The value.
        inner: Box<Ty>,
    },
    /// A dictionary.
    MapKV {
        /// Its keys.
        k: Box<Ty>,
        /// Its values.
        v: Box<Ty>,
    },
    /// One of several structs, told apart by their prefixes.
    Union {
        /// The structs.
        variants: Vec<Ty>,
    },
    /// Several values; only on the stack.
    Tensor {
        /// The values.
        items: Vec<Ty>,
    },
    /// A struct by name.
    StructRef {
        /// Its name.
        struct_name: String,
    },
    /// An alias by name.
    AliasRef {
        /// Its name.
        alias_name: String,
    },
    /// An enum by name.
    EnumRef {
        /// Its name.
        enum_name: String,
    },
}

impl Ty {
    /// The declaration that this type names itself, if it names one.
    pub fn declared(&self) -> Option<&str> {
        match self {
            Self::StructRef { struct_name: name }
            | Self::AliasRef { alias_name: name }
            | Self::EnumRef { enum_name: name } => Some(name),
            _ => None,
        }
    }

    /// The types that this one is made of.
    pub fn parts(&self) -> Vec<&Ty> {
        match self {
            Self::CellOf { inner } | Self::Nullable { inner } => vec![inner],
            Self::MapKV { k, v } => vec![k, v],
            Self::Union { variants: items } | Self::Tensor { items } => items.iter().collect(),
            _ => Vec::new(),
        }
    }
}

/// The number of a get method.
pub fn method_id(name: &str) -> u32 {
    let mut crc: u16 = 0;
    for byte in name.bytes() {
        crc ^= u16::from(byte) << 8;
        for _ in 0..8 {
            crc = if crc & 0x8000 == 0 {
                crc << 1
            } else {
                (crc << 1) ^ 0x1021
            };
        }
    }
    u32::from(crc) | 0x1_0000
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn method_ids_are_those_of_the_compiler() {
        // `seqno` of every wallet, known from the wallets' public interface.
        assert_eq!(method_id("seqno"), 85143);
        assert_eq!(method_id("get_public_key"), 78748);
    }
}
