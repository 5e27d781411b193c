//! Messages of the contracts in words.
//!
//! What a message says is decided by the contract that receives it: wallets and everything else are somebody.

mod client;
mod governor;
mod names;
mod proxy;
mod root;
mod somebody;
mod worker;

use cocoon_bindings::plain;
use cocoon_bindings::ton::{Cell, Load, from_cell};
use cocoon_bindings::types::{DoNotProcess, StateCommitNote, TextCommand};
use cocoon_bindings::units::{Nanoton, TokenCount};
use cocoon_chain::Message;
use serde::Serialize;

pub use names::name_of;

/// What an account is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// The root contract.
    Root,
    /// The governor that owns it.
    Governor,
    /// A proxy contract.
    Proxy,
    /// A client contract.
    Client,
    /// A worker contract.
    Worker,
    /// A wallet, or anything else.
    Somebody,
}

impl Kind {
    /// All of them.
    pub const ALL: [Self; 6] = [
        Self::Root,
        Self::Governor,
        Self::Proxy,
        Self::Client,
        Self::Worker,
        Self::Somebody,
    ];

    /// As it stands in questions and answers.
    pub fn word(self) -> &'static str {
        match self {
            Self::Root => "root",
            Self::Governor => "governor",
            Self::Proxy => "proxy",
            Self::Client => "client",
            Self::Worker => "worker",
            Self::Somebody => "somebody",
        }
    }

    /// For a person.
    pub fn name(self) -> &'static str {
        match self {
            Self::Root => "root contract",
            Self::Governor => "governor",
            Self::Proxy => "proxy contract",
            Self::Client => "client contract",
            Self::Worker => "worker contract",
            Self::Somebody => "somebody",
        }
    }
}

/// What a message says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Said {
    /// As the contracts name it; none for what no contract declares.
    pub name: Option<&'static str>,
    /// The beginning of its body, if it has one.
    pub opcode: Option<u32>,
    /// In words.
    pub says: String,
    /// What it moves, where it says so.
    pub amount: Option<Nanoton>,
    /// A cumulative count of tokens that it is about.
    pub tokens: Option<u64>,
}

/// The words of one message, before its name is looked up.
#[derive(Debug)]
struct Words {
    says: String,
    amount: Option<Nanoton>,
    tokens: Option<u64>,
}

impl Words {
    fn new(says: impl Into<String>) -> Self {
        Self {
            says: says.into(),
            amount: None,
            tokens: None,
        }
    }

    fn moving(mut self, amount: Nanoton) -> Self {
        self.amount = Some(amount);
        self
    }

    fn counting(mut self, tokens: TokenCount) -> Self {
        self.tokens = Some(tokens.get());
        self
    }
}

/// Says what `message` says to an account of a kind. `bouncer` is the kind of the account that it came back from, if it did.
pub fn said(to: Kind, bouncer: Kind, message: &Message) -> Said {
    let opcode = message.op();
    if message.bounced {
        return came_back(bouncer, message, opcode);
    }
    let is_empty = message.body.bit_len() == 0 && message.body.reference_count() == 0;
    if is_empty {
        return Said {
            name: None,
            opcode: None,
            says: "coins without a word".to_owned(),
            amount: Some(message.value),
            tokens: None,
        };
    }
    of_body(to, &message.body, message.value, opcode)
}

fn of_body(to: Kind, body: &Cell, value: Nanoton, opcode: Option<u32>) -> Said {
    let words = match to {
        Kind::Root => load(body).and_then(root::words),
        Kind::Governor => load(body).map(governor::words),
        Kind::Proxy => load(body).map(proxy::words),
        Kind::Client => load(body).map(client::words),
        Kind::Worker => load(body).map(worker::words),
        Kind::Somebody => load(body).map(|message| somebody::words(message, value)),
    };
    let name = opcode.and_then(name_of);
    let words = words.unwrap_or_else(|| {
        Words::new(match (name, opcode) {
            (Some(name), _) => format!("{name}, which the {} does not understand", to.name()),
            (None, Some(_)) => "a message that no contract of the network declares".to_owned(),
            (None, None) => "a message without an opcode".to_owned(),
        })
    });
    Said {
        name,
        opcode,
        says: words.says,
        amount: words.amount,
        tokens: words.tokens,
    }
}

/// What a body begins with that came back whole, with the original in a reference.
const RICH_BOUNCE: u32 = 0xffff_fffe;

fn came_back(bouncer: Kind, message: &Message, opcode: Option<u32>) -> Said {
    let rich = || {
        let mut body = message.body();
        let is_rich = body.load_u32().ok()? == RICH_BOUNCE;
        is_rich.then(|| body.load_reference_cloned().ok()).flatten()
    };
    if let Some(original) = rich() {
        let mut slice = original.as_slice_allow_exotic();
        let said = of_body(bouncer, &original, message.value, slice.load_u32().ok());
        return Said {
            says: format!("came back, refused: {}", said.says),
            ..said
        };
    }
    let name = opcode.and_then(name_of);
    Said {
        name,
        opcode,
        says: format!("came back, refused: {}", name.unwrap_or("a message that is not known")),
        amount: None,
        tokens: None,
    }
}

/// Reads the beginning of a body; contracts may leave what follows alone.
fn load<T: for<'a> Load<'a>>(body: &Cell) -> Option<T> {
    T::load_from(&mut body.as_slice_allow_exotic()).ok()
}

/// A note for readers of a contract's history.
fn note(note: &DoNotProcess) -> Words {
    match from_cell::<StateCommitNote>(&note.note) {
        Ok(commit) => Words::new(format!("commit to state {} of the proxy's database", commit.seqno)),
        Err(_) => Words::new("leave a note"),
    }
}

/// A command as text.
fn text(command: &TextCommand) -> Words {
    let bytes = command.text.data().get(..usize::from(command.text.bit_len() / 8));
    let text = String::from_utf8_lossy(bytes.unwrap_or_default()).into_owned();
    Words::new(format!("the text command {:?}", plain(&text)))
}

#[cfg(test)]
mod tests;
