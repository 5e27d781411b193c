//! The exit codes of the contracts.

use super::files::Item;
use super::item;
use super::names::doc;
use crate::abi::EnumMember;

/// An enum with the number and the meaning of each code.
pub(super) fn definition(members: &[EnumMember]) -> Item {
    let mut text = "/// Why a contract refused a message.\n".to_owned();
    text += "#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]\n#[non_exhaustive]\n";
    text += "pub enum ExitCode {\n";
    for member in members {
        text += &doc(&member.description, "See the contract.");
        text += &format!("{},\n", member.name);
    }
    text += "}\n\nimpl ExitCode {\n/// The code with this number.\n";
    text += "pub const fn from_code(code: i32) -> Option<Self> {\nmatch code {\n";
    for member in members {
        text += &format!("{} => Some(Self::{}),\n", member.value, member.name);
    }
    text += "_ => None,\n}\n}\n\n/// The number of the code.\npub const fn code(self) -> i32 {\nmatch self {\n";
    for member in members {
        text += &format!("Self::{} => {},\n", member.name, member.value);
    }
    text +=
        "}\n}\n\n/// What it means, in one sentence.\npub const fn description(self) -> &'static str {\nmatch self {\n";
    for member in members {
        text += &format!(
            "Self::{} => {:?},\n",
            member.name,
            member.description.replace('\n', " ")
        );
    }
    text += "}\n}\n}\n\nimpl std::fmt::Display for ExitCode {\n";
    text += "fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {\n";
    text += "write!(f, \"{} (exit code {})\", self.description(), self.code())\n}\n}\n";
    item(text)
}
