//! Names of the keys that the declarations of configurations have, also of those that a file leaves out.

use cocoon_client::{ClientConfig, FundingConfig, LogPlace};
use cocoon_proxy::{ChallengeConfig, LogConfig, ProxyConfig, WitnessConfig};
use cocoon_runner::admin::AdminConfig;
use cocoon_runner::config::{AttestationConfig, ChainConfig, CollateralServiceConfig, EndpointConfig, WalletConfig};
use cocoon_runner::telemetry::TelemetryConfig;
#[cfg(feature = "engine")]
use cocoon_worker::{EngineConfig, ModelConfig, PayoutConfig, PricingConfig, WorkerConfig};
use serde::de::value::Error;
use serde::de::{DeserializeOwned, Error as _, Visitor};
use serde::{Deserializer, forward_to_deserialize_any};

use crate::args::operate::Role;

/// Tables of a role's configuration, by their dotted names, with the names of their keys.
pub(super) fn declared(role: Role) -> Vec<(&'static str, &'static [&'static str])> {
    let mut tables = vec![
        ("chain", of::<ChainConfig>()),
        ("chain.endpoints", of::<EndpointConfig>()),
        ("attestation", of::<AttestationConfig>()),
        ("attestation.collateral_service", of::<CollateralServiceConfig>()),
        ("admin", of::<AdminConfig>()),
        ("telemetry", of::<TelemetryConfig>()),
    ];
    match role {
        Role::Proxy => tables.extend([
            ("", of::<ProxyConfig>()),
            ("wallet", of::<WalletConfig>()),
            ("log", of::<LogConfig>()),
            ("log.witnesses", of::<WitnessConfig>()),
            ("challenge", of::<ChallengeConfig>()),
        ]),
        // Such a build refuses to read one.
        #[cfg(not(feature = "engine"))]
        Role::Worker => {}
        #[cfg(feature = "engine")]
        Role::Worker => tables.extend([
            ("", of::<WorkerConfig>()),
            ("payout", of::<PayoutConfig>()),
            ("payout.wallet", of::<WalletConfig>()),
            ("models", of::<ModelConfig>()),
            ("models.pricing", of::<PricingConfig>()),
            ("models.backend", of::<EngineConfig>()),
        ]),
        Role::Client => tables.extend([
            ("", of::<ClientConfig>()),
            ("wallet", of::<WalletConfig>()),
            ("funding", of::<FundingConfig>()),
            ("logs", of::<LogPlace>()),
        ]),
    }
    tables
}

/// Names of the keys of a table, as its declaration has them.
fn of<T: DeserializeOwned>() -> &'static [&'static str] {
    let mut names: &'static [&'static str] = &[];
    // It fails behind the names: there is no value to read.
    let _ = T::deserialize(Names(&mut names));
    names
}

/// Takes note of the names that a declaration asks for.
struct Names<'a>(&'a mut &'static [&'static str]);

impl<'de> Deserializer<'de> for Names<'_> {
    type Error = Error;

    fn deserialize_any<V: Visitor<'de>>(self, _visitor: V) -> Result<V::Value, Error> {
        Err(Error::custom("no value"))
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        fields: &'static [&'static str],
        _visitor: V,
    ) -> Result<V::Value, Error> {
        *self.0 = fields;
        Err(Error::custom("no value"))
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option unit unit_struct
        newtype_struct seq tuple tuple_struct map enum identifier ignored_any
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_table_has_names() {
        for role in [Role::Proxy, Role::Worker, Role::Client] {
            for (table, names) in declared(role) {
                assert!(!names.is_empty(), "{role:?} {table}");
            }
        }
        assert!(of::<AttestationConfig>().contains(&"require_session_proof"));
    }
}
