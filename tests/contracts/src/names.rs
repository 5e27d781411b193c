//! Names of messages, from the contracts' declarations.

use std::collections::BTreeMap;
use std::path::Path;

use cocoon_bindings::ton::Cell;
use cocoon_bindings_gen::abi::{ContractAbi, Declaration};

/// Names by contract and opcode.
#[derive(Debug)]
pub struct Names {
    /// What each contract understands.
    messages: BTreeMap<(String, u32), String>,
    /// Everything with an opcode; of several structs with one opcode a message.
    all: BTreeMap<u32, String>,
}

impl Names {
    /// Reads the declarations.
    #[expect(clippy::new_without_default, reason = "it reads files")]
    pub fn new() -> Self {
        let repository = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
        let mut names = Self {
            messages: BTreeMap::new(),
            all: BTreeMap::new(),
        };
        for abi in cocoon_bindings_gen::abis(&repository).unwrap() {
            names.add(&abi);
        }
        names
    }

    fn add(&mut self, abi: &ContractAbi) {
        for declaration in &abi.declarations {
            let Declaration::Struct(declaration) = declaration else {
                continue;
            };
            let Some(prefix) = declaration.prefix.filter(|prefix| prefix.prefix_len == 32) else {
                continue;
            };
            let op = u32::try_from(prefix.prefix_num).unwrap();
            let name = declaration.name.clone();
            let incoming = abi
                .incoming_messages
                .iter()
                .any(|message| message.body_ty.declared() == Some(&name));
            if incoming {
                self.messages
                    .insert((abi.contract_name.to_lowercase(), op), name.clone());
                self.all.insert(op, name);
            } else {
                self.all.entry(op).or_insert(name);
            }
        }
    }

    /// The messages that a contract understands.
    pub fn of(&self, contract: &str) -> impl Iterator<Item = &str> {
        let of = self.messages.iter().filter(move |((of, _), _)| of == contract);
        of.map(|(_, name)| name.as_str())
    }

    /// The contracts.
    pub fn contracts(&self) -> Vec<&str> {
        let mut contracts: Vec<&str> = self.messages.keys().map(|(contract, _)| contract.as_str()).collect();
        contracts.dedup();
        contracts
    }

    /// A message's name, if anything is declared under its op.
    pub fn op(&self, op: u32) -> Option<&str> {
        self.all.get(&op).map(String::as_str)
    }

    /// What a body carries in a reference of its own: the payload of a step, the message of a proposal.
    pub fn carried(&self, body: &Cell) -> Option<&str> {
        let own = op(body);
        let mut carried = body.as_ref().references().filter_map(|cell| {
            let mut slice = cell.as_slice_allow_exotic();
            slice.load_u32().ok()
        });
        // A signed payload has its message's op and says nothing new.
        carried
            .find(|op| Some(*op) != own && self.all.contains_key(op))
            .and_then(|op| self.op(op))
    }
}

fn op(body: &Cell) -> Option<u32> {
    let mut slice = body.as_slice_allow_exotic();
    slice.load_u32().ok()
}
