//! The administration of a proxy.

use std::sync::atomic::Ordering;

use cocoon_bindings::ton::{Address, parse_address};
use cocoon_runner::RunnerError;
use cocoon_runner::admin::{Operated, Reloaded, changed_keys, sort_changes};
use serde_json::{Value, json};

use super::statistics::{Pages, worker_connections};
use crate::config::ProxyConfig;
use crate::error::ProxyError;
use crate::outage::Mode;
use crate::state::Proxy;

/// What a reload takes over; everything else is built in at the start.
const RELOADABLE: &[&str] = &["routing", "settlement", "timers.drain"];

impl Operated for Pages {
    fn state(&self) -> &'static str {
        let proxy = &self.0;
        match proxy.chain_age.mode() {
            _ if proxy.recovery.error().is_some() => "recovering",
            _ if proxy.shutdown.token().is_cancelled() => "draining",
            _ if !proxy.is_enabled.load(Ordering::Relaxed) => "disabled",
            Mode::Current => "ready",
            Mode::OnCredit => "degraded",
            Mode::Drained => "draining",
        }
    }

    fn set_enabled(&self, model: Option<&str>, is_enabled: bool) -> bool {
        if model.is_some() {
            return false;
        }
        self.0.is_enabled.store(is_enabled, Ordering::Relaxed);
        true
    }

    fn drain(&self) {
        self.0.shutdown.stop();
    }

    fn set_peer_drained(&self, address: &str, is_drained: bool) -> Option<usize> {
        let (proxy, address) = (&self.0, parse_address(address).ok()?);
        let restored = if is_drained { false } else { restore(proxy, &address) };
        let drained = proxy.workers.set_drained(&address, is_drained);
        drained.or(restored.then_some(0))
    }

    fn reload(&self) -> Result<Reloaded, RunnerError> {
        let running = self.0.live.get();
        let Some(file) = &running.admin.file else {
            return Err(RunnerError::NoConfigFile);
        };
        let new = ProxyConfig::load(file).map_err(refused)?;
        let changes = changed_keys(running.as_ref(), &new)?;
        let mut next = running.as_ref().clone();
        next.routing = new.routing;
        self.0.workers.configure(&new.routing);
        next.settlement = new.settlement;
        next.timers.drain = new.timers.drain;
        self.0.live.set(next);
        Ok(sort_changes(changes, RELOADABLE))
    }

    fn peers(&self) -> Value {
        let proxy = &self.0;
        let clients = proxy.clients.all();
        let clients: Vec<Value> = clients
            .iter()
            .map(|client| {
                json!({
                    "sc_address": proxy.on_chain().text(&client.contract),
                    "protocol": client.version.to_wire(),
                    "running_queries": client.running(),
                })
            })
            .collect();
        json!({ "workers": worker_connections(proxy), "clients": clients })
    }
}

/// Believes the workers of an owner, or of the owner of a contract, again; says whether any of them was benched.
fn restore(proxy: &Proxy, address: &Address) -> bool {
    let peers = proxy.workers.all();
    let of_contract = peers.iter().find(|peer| peer.contract == *address);
    let owner = of_contract.map_or(address, |peer| &peer.owner);
    proxy.challenges.restore(proxy, owner).unwrap_or_else(|error| {
        proxy.fail(error);
        false
    })
}

fn refused(error: ProxyError) -> RunnerError {
    match error {
        ProxyError::Runner(error) => error,
        other => RunnerError::ConfigValue {
            key: "configuration".to_owned(),
            problem: other.to_string(),
        },
    }
}
