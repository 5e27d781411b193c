//! What the parser reads from one file.

/// The declarations of a file that matter outside it.
#[derive(Debug, Default)]
pub(crate) struct File {
    pub(crate) imports: Vec<String>,
    pub(crate) structs: Vec<Struct>,
    pub(crate) aliases: Vec<Alias>,
    pub(crate) enums: Vec<Enum>,
    pub(crate) getters: Vec<Getter>,
    /// Members of `Errors` that functions of the file name.
    pub(crate) errors: Vec<String>,
}

#[derive(Debug)]
pub(crate) struct Struct {
    pub(crate) name: String,
    /// Number and bits.
    pub(crate) prefix: Option<(u64, u32)>,
    pub(crate) fields: Vec<Field>,
    pub(crate) doc: String,
}

#[derive(Debug)]
pub(crate) struct Field {
    pub(crate) name: String,
    pub(crate) ty: Type,
    pub(crate) doc: String,
}

#[derive(Debug)]
pub(crate) struct Alias {
    pub(crate) name: String,
    pub(crate) ty: Type,
    pub(crate) doc: String,
}

#[derive(Debug)]
pub(crate) struct Enum {
    pub(crate) name: String,
    pub(crate) encoding: Option<Type>,
    /// Name, number, documentation.
    pub(crate) members: Vec<(String, u64, String)>,
    pub(crate) doc: String,
}

#[derive(Debug)]
pub(crate) struct Getter {
    pub(crate) name: String,
    pub(crate) parameters: Vec<Field>,
    pub(crate) result: Type,
    pub(crate) doc: String,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Type {
    Name(String),
    Generic(String, Vec<Type>),
    Nullable(Box<Type>),
    Union(Vec<Type>),
    Tensor(Vec<Type>),
}
