//! How each type of the contracts looks in Rust, and how it is written and read.

use crate::abi::{Field, Ty};
use crate::error::GenError;

/// A field in Rust.
pub(crate) struct RustType {
    /// The type's name.
    pub(crate) name: String,
    /// A statement that writes `self.<field>`, `{}` standing for the field.
    pub(crate) store: String,
    /// An expression that reads it from `slice`.
    pub(crate) load: String,
}

/// Types that the facade writes by hand: they read older layouts or turn dictionaries into collections.
pub(crate) fn hand_written(name: &str) -> Option<&'static str> {
    match name {
        "NetworkParams" => Some("Params"),
        "RootData" => Some("RootData"),
        "ProxyEndpoints" => Some("ProxyEndpoints"),
        "HashDescriptor" => Some("HashDescriptor"),
        "HashEntry" | "RebuilderEntry" => Some("()"),
        _ => None,
    }
}

/// The Rust type of a field of a cell.
pub(crate) fn of_field(field: &Field) -> Result<RustType, GenError> {
    let whole = |name: &str, store: &str, load: &str| {
        Ok(RustType {
            name: name.to_owned(),
            store: store.to_owned(),
            load: load.to_owned(),
        })
    };
    let by_traits = |name: &str| whole(name, "put(&self.{}, builder)?;", "take(slice)?");
    if let Some(name) = meaning(field) {
        return by_traits(name);
    }
    match &field.ty {
        Ty::UintN { n: 256 } | Ty::BitsN { n: 256 } => by_traits("HashBytes"),
        Ty::UintN {
            n: n @ (8 | 16 | 32 | 64),
        } => whole(
            &format!("u{n}"),
            &format!("builder.store_u{n}(self.{{}})?;"),
            &format!("slice.load_u{n}()?"),
        ),
        Ty::IntN {
            n: n @ (8 | 16 | 32 | 64),
        } => whole(
            &format!("i{n}"),
            &format!("builder.store_u{n}(self.{{}}.cast_unsigned())?;"),
            &format!("slice.load_u{n}()?.cast_signed()"),
        ),
        Ty::Bool => whole("bool", "builder.store_bit(self.{})?;", "slice.load_bit()?"),
        Ty::Coins => by_traits("Nanoton"),
        Ty::Address => whole("Address", "store_address(&self.{}, builder)?;", "load_address(slice)?"),
        Ty::BitsN { n: 512 } => whole("[u8; 64]", "builder.store_raw(&self.{}, 512)?;", "take_bits(slice)?"),
        Ty::Cell => whole(
            "Cell",
            "builder.store_reference(self.{}.clone())?;",
            "slice.load_reference_cloned()?",
        ),
        // The bits of a dictionary are those of its root: a bit, and a reference if it is not empty.
        Ty::MapKV { .. } => by_traits("Option<Cell>"),
        Ty::Remaining => whole("Cell", "put_rest(&self.{}, builder)?;", "load_rest(slice)?"),
        Ty::CellOf { inner } => whole(
            declared(inner).ok_or_else(|| unsupported(field))?,
            "put_ref(&self.{}, builder)?;",
            "take_ref(slice)?",
        ),
        Ty::Nullable { inner } => match &**inner {
            Ty::Cell => by_traits("Option<Cell>"),
            Ty::CellOf { inner } => {
                let name = declared(inner).ok_or_else(|| unsupported(field))?;
                whole(
                    &format!("Option<{name}>"),
                    "put_maybe_ref(self.{}.as_ref(), builder)?;",
                    "take_maybe_ref(slice)?",
                )
            }
            _ => Err(unsupported(field)),
        },
        ty => by_traits(declared(ty).ok_or_else(|| unsupported(field))?),
    }
}

/// The Rust type of a value on the stack, and an expression that reads it from `reader`.
pub(crate) fn of_stack(field: &Field) -> Result<(String, String), GenError> {
    let read = |name: &str, read: &str| Ok((name.to_owned(), read.to_owned()));
    match meaning(field) {
        Some("PublicKey") => return read("PublicKey", "PublicKey::from(reader.hash()?)"),
        Some(name) => return read(name, &format!("{name}::new(reader.unsigned()?)")),
        None => {}
    }
    match &field.ty {
        Ty::Int => read("BigInt", "reader.int()?.clone()"),
        Ty::UintN { n: 256 } => read("HashBytes", "reader.hash()?"),
        Ty::UintN { n } => read(unsigned(*n).ok_or_else(|| unsupported(field))?, "reader.unsigned()?"),
        Ty::IntN {
            n: n @ (8 | 16 | 32 | 64),
        } => read(&format!("i{n}"), "reader.signed()?"),
        Ty::Bool => read("bool", "reader.boolean()?"),
        Ty::Coins => read("Nanoton", "reader.nanoton()?"),
        Ty::Address => read("Address", "reader.address()?"),
        Ty::Cell => read("Cell", "reader.cell()?.clone()"),
        Ty::MapKV { .. } => read("Option<Cell>", "reader.maybe_cell()?.cloned()"),
        Ty::Nullable { inner } if **inner == Ty::Cell => read("Option<Cell>", "reader.maybe_cell()?.cloned()"),
        Ty::EnumRef { enum_name } => read(enum_name, &format!("stack_enum(reader, {enum_name}::from_value)?")),
        _ => Err(unsupported(field)),
    }
}

/// The Rust type of a parameter of a get method, and an expression that puts it on the stack.
pub(crate) fn of_parameter(field: &Field) -> Result<(String, String), GenError> {
    let name = crate::rust::snake(&field.name);
    match &field.ty {
        Ty::UintN { n: 256 } => Ok(("HashBytes".to_owned(), format!("StackValue::hash(&self.{name}.0)"))),
        Ty::UintN { n } => {
            let ty = unsigned(*n).ok_or_else(|| unsupported(field))?;
            Ok((ty.to_owned(), format!("StackValue::int(self.{name})")))
        }
        _ => Err(unsupported(field)),
    }
}

/// The declared type, under its Rust name.
pub(crate) fn declared(ty: &Ty) -> Option<&str> {
    ty.declared().map(|name| hand_written(name).unwrap_or(name))
}

/// Units that a field's name gives to a plain number.
fn meaning(field: &Field) -> Option<&'static str> {
    let Ty::UintN { n } = field.ty else { return None };
    match (n, field.name.as_str()) {
        (64, "queryId") => Some("QueryId"),
        (64, "tokens" | "newTokens" | "tokensUsed") => Some("TokenCount"),
        (32, "paramsVersion") => Some("ParamsVersion"),
        (256, "publicKey" | "proxyPublicKey") => Some("PublicKey"),
        _ => None,
    }
}

fn unsigned(bits: u32) -> Option<&'static str> {
    match bits {
        8 => Some("u8"),
        16 => Some("u16"),
        32 => Some("u32"),
        64 => Some("u64"),
        _ => None,
    }
}

fn unsupported(field: &Field) -> GenError {
    GenError::declaration(&field.name, format!("no Rust for the type {:?}", field.ty))
}
