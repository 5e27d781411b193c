//! What is held of a key for one attempt.

use cocoon_bindings::ton::{Address, HashBytes};
use cocoon_bindings::units::Nanoton;
use serde::{Deserialize, Serialize};

/// The most that one attempt may cost one key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hold {
    /// Name of the request.
    pub request: HashBytes,
    /// Adjusted tokens.
    pub tokens: u64,
    /// Of one token.
    pub price: Nanoton,
    /// Money: tokens times price.
    pub amount: Nanoton,
    /// Day (UTC, since 1970) that it counts for.
    pub day: u64,
    /// Since when it is held, Unix seconds; versions before did not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<u64>,
    /// Contract of the proxy that was asked; versions before did not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub proxy: Option<Address>,
    /// Why its cost is not known, once it does not run any more.
    #[serde(default)]
    pub open: Open,
}

/// Why the cost of an attempt is not known.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Open {
    /// It runs, or was cut off by the end of the client.
    #[default]
    CutOff,
    /// Its answer did not end, and its proxy gives no receipts.
    NoReceipts,
    /// Its receipt did not come in time.
    NoReceipt,
}

impl Open {
    /// The same for a person.
    pub fn says(self) -> &'static str {
        match self {
            Self::CutOff => "the client ended before the request did",
            Self::NoReceipts => "the answer did not end, and its proxy gives no receipts",
            Self::NoReceipt => "no receipt came in time",
        }
    }
}
