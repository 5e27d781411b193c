//! What can be typed about the API keys of a client.

use std::path::PathBuf;
use std::str::FromStr;

use clap::{Args, Subcommand, ValueEnum};
use cocoon_bindings::Nanoton;
use cocoon_client::access::keys::{EndpointName, Scope};

use super::operate::AdminPlace;

/// Commands on a client's API keys.
#[derive(Debug, Subcommand)]
pub enum KeyCommand {
    /// Make a key, and print its secret, once
    #[command(after_help = "\
The client takes it within a second, without a restart. Its file holds no secret, only hashes. While the client listens on
loopback, callers of the machine need no key, unless [access] require_keys is set.

Examples:
  cocoon client key create laptop
  cocoon client key create batch --spend 5 --spend-per-day 0.5 --requests-per-minute 60 --expires 30d
  cocoon client key create dashboard --scope read --keys /etc/cocoon/keys.json --json")]
    Create(CreateArgs),
    /// List the keys
    #[command(after_help = "Example:\n  cocoon client key list --json")]
    List(KeysPlace),
    /// Show a key: what it may do, and what it has spent while its client runs here
    #[command(after_help = "Example:\n  cocoon client key show laptop")]
    Show(NamedKeyArgs),
    /// Revoke a key, for good
    #[command(after_help = "\
It counts no longer within a second; requests that run end. Its name is not given to another key.

Example:
  cocoon client key revoke laptop")]
    Revoke(NamedKeyArgs),
    /// Change what a key may use; what is not named stays
    #[command(after_help = "\
Examples:
  cocoon client key limit batch --spend 20
  cocoon client key limit batch --spend-per-day none --concurrency 4")]
    Limit(LimitKeyArgs),
    /// List what keys have held of their limits for requests whose cost is not known
    #[command(after_help = "\
Before a request leaves, the most that it may cost is held of its key's limit; its receipt ends that. An
answer that broke off at a proxy without receipts stays held until `cocoon client key settle`.

Examples:
  cocoon client key holds
  cocoon client key holds --config /etc/cocoon/client.toml --json")]
    Holds(AdminPlace),
    /// End what is held for a request: what it cost, or that it cost nothing
    #[command(after_help = "\
Only of a request that no longer runs. What is said here stands: a receipt that comes later is kept,
and books nothing more.

Examples:
  cocoon client key settle HOLD --charge 0.004
  cocoon client key settle HOLD --release")]
    Settle(SettleHoldArgs),
}

/// Where the keys are.
#[derive(Clone, Debug, Args)]
pub struct KeysPlace {
    /// The client's configuration, instead of the local network's
    #[arg(long, value_name = "FILE", conflicts_with = "keys")]
    pub config: Option<PathBuf>,
    /// The file of the keys itself
    #[arg(long, value_name = "FILE")]
    pub keys: Option<PathBuf>,
}

/// One key.
#[derive(Clone, Debug, Args)]
pub struct NamedKeyArgs {
    /// Its name
    #[arg(value_name = "NAME")]
    pub name: String,
    /// Where the keys are.
    #[command(flatten)]
    pub place: KeysPlace,
}

/// Options of `client key create`.
#[derive(Clone, Debug, Args)]
pub struct CreateArgs {
    /// Its name: letters, digits, dots, underscores, hyphens
    #[arg(value_name = "NAME")]
    pub name: String,
    /// What it is for; once for each [default: inference and read]
    #[arg(long = "scope", value_enum, value_name = "SCOPE")]
    pub scopes: Vec<ScopeName>,
    /// A model that it may ask, once for each; all when left out
    #[arg(long = "model", value_name = "NAME")]
    pub models: Vec<String>,
    /// An endpoint that it may use, once for each; all when left out
    #[arg(long = "endpoint", value_enum, value_name = "ENDPOINT")]
    pub endpoints: Vec<Endpoint>,
    /// When it ends: after so many days or hours (30d, 12h), or at the end of a day (YYYY-MM-DD, UTC)
    #[arg(long, value_name = "WHEN", value_parser = ending)]
    pub expires: Option<Ending>,
    /// How much it may use.
    #[command(flatten)]
    pub limits: LimitOptions,
    /// Where the keys are.
    #[command(flatten)]
    pub place: KeysPlace,
}

/// Options of `client key limit`.
#[derive(Clone, Debug, Args)]
pub struct LimitKeyArgs {
    /// Its name
    #[arg(value_name = "NAME")]
    pub name: String,
    /// How much it may use.
    #[command(flatten)]
    pub limits: LimitOptions,
    /// Where the keys are.
    #[command(flatten)]
    pub place: KeysPlace,
}

/// Options of `client key settle`.
#[derive(Clone, Debug, Args)]
pub struct SettleHoldArgs {
    /// The request that it is held for, 64 hex digits, as `cocoon client key holds` shows it
    #[arg(value_name = "HOLD", value_parser = hold)]
    pub hold: String,
    /// What it cost, in TON: at most what is held
    #[arg(
        long,
        value_name = "TON",
        required_unless_present = "release",
        conflicts_with = "release"
    )]
    pub charge: Option<Nanoton>,
    /// It cost nothing
    #[arg(long)]
    pub release: bool,
    /// Where the client is.
    #[command(flatten)]
    pub place: AdminPlace,
}

/// How much a key may use.
#[derive(Clone, Copy, Debug, Default, Args)]
#[command(next_help_heading = "Limits (none: without one)")]
pub struct LimitOptions {
    /// Money in all, in TON
    #[arg(long, value_name = "TON")]
    pub spend: Option<Bound<Nanoton>>,
    /// Money of one day (UTC), in TON
    #[arg(long, value_name = "TON")]
    pub spend_per_day: Option<Bound<Nanoton>>,
    /// Requests of a minute
    #[arg(long, value_name = "N")]
    pub requests_per_minute: Option<Bound<u64>>,
    /// Adjusted tokens of a minute
    #[arg(long, value_name = "N")]
    pub tokens_per_minute: Option<Bound<u64>>,
    /// Requests at once
    #[arg(long, value_name = "N")]
    pub concurrency: Option<Bound<u32>>,
}

/// A limit as it is typed: a number, or `none`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bound<T>(pub Option<T>);

impl<T: FromStr> FromStr for Bound<T> {
    type Err = T::Err;

    fn from_str(text: &str) -> Result<Self, T::Err> {
        match text {
            "none" => Ok(Self(None)),
            text => text.parse().map(Some).map(Self),
        }
    }
}

/// When a key ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// Seconds after it was made.
    After(u64),
    /// Unix seconds.
    At(u64),
}

/// What a key is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum ScopeName {
    /// Asking models, and for quotes
    Inference,
    /// Models, receipts, attestation, statistics
    Read,
    /// Moving money between the wallet and its contracts
    Wallet,
    /// Everything
    Admin,
}

impl From<ScopeName> for Scope {
    fn from(name: ScopeName) -> Self {
        match name {
            ScopeName::Inference => Self::Inference,
            ScopeName::Read => Self::Read,
            ScopeName::Wallet => Self::Wallet,
            ScopeName::Admin => Self::Admin,
        }
    }
}

/// What a key may ask of models.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Endpoint {
    /// Chat completions
    Chat,
    /// Completions
    Completions,
    /// Embeddings
    Embeddings,
    /// Responses
    Responses,
    /// Anthropic's messages
    Messages,
}

impl From<Endpoint> for EndpointName {
    fn from(name: Endpoint) -> Self {
        match name {
            Endpoint::Chat => Self::Chat,
            Endpoint::Completions => Self::Completions,
            Endpoint::Embeddings => Self::Embeddings,
            Endpoint::Responses => Self::Responses,
            Endpoint::Messages => Self::Messages,
        }
    }
}

fn hold(text: &str) -> Result<String, String> {
    let is_hash = text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    match is_hash {
        true => Ok(text.to_ascii_lowercase()),
        false => Err("64 hex digits are expected".to_owned()),
    }
}

fn ending(text: &str) -> Result<Ending, String> {
    let of = |unit: char, seconds: u64| {
        let number = text.strip_suffix(unit)?.parse::<u64>().ok()?;
        (1..=100_000).contains(&number).then(|| Ending::After(number * seconds))
    };
    let at = || cocoon_owner::end_of_day(text).map(|last| Ending::At(u64::from(last) + 1));
    of('d', 86_400)
        .or_else(|| of('h', 3_600))
        .or_else(at)
        .ok_or_else(|| "30d, 12h or YYYY-MM-DD is expected".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_and_ends_are_read_as_they_are_typed() {
        assert_eq!("none".parse(), Ok::<Bound<u64>, _>(Bound(None)));
        assert_eq!("7".parse(), Ok::<Bound<u64>, _>(Bound(Some(7))));
        assert_eq!(
            "0.5".parse::<Bound<Nanoton>>().unwrap(),
            Bound(Some(Nanoton::new(500_000_000)))
        );
        assert!("-1".parse::<Bound<u32>>().is_err());
        assert_eq!(ending("2d"), Ok(Ending::After(172_800)));
        assert_eq!(ending("12h"), Ok(Ending::After(43_200)));
        assert_eq!(ending("1970-01-01"), Ok(Ending::At(86_400)));
        assert_eq!(hold(&"aB".repeat(32)), Ok("ab".repeat(32)));
        assert!(hold("ab").is_err() && hold(&"g".repeat(64)).is_err());
        for text in ["", "d", "0d", "5m", "1999", "-3h", "999999999999d"] {
            assert!(ending(text).is_err(), "{text}");
        }
    }
}
