//! The administration of a worker.

use super::{Pages, named};
use crate::config::WorkerConfig;
use crate::error::WorkerError;
use cocoon_bindings::ton::friendly;
use cocoon_bindings::units::Coefficient;
use cocoon_runner::RunnerError;
use cocoon_runner::admin::{Operated, Reloaded, changed_keys, sort_changes};
use serde_json::{Value, json};

/// What a reload takes over; everything else is built in at the start.
const RELOADABLE: &[&str] = &["models.*.coefficient", "models.*.pricing", "payout.minimum_nanoton"];

impl Operated for Pages {
    fn state(&self) -> &'static str {
        self.word()
    }

    fn set_enabled(&self, model: Option<&str>, is_enabled: bool) -> bool {
        let Ok(workers) = named(self, model) else { return false };
        for worker in workers {
            worker.switch.change(|state| state.enabled = is_enabled);
        }
        true
    }

    fn drain(&self) {
        self.stop.cancel();
    }

    fn reload(&self) -> Result<Reloaded, RunnerError> {
        let running = self.live.get();
        let Some(file) = &running.admin.file else {
            return Err(RunnerError::NoConfigFile);
        };
        let new: WorkerConfig = cocoon_runner::config::load(file)?;
        new.parse().map_err(refused)?;
        let changes = changed_keys(running.as_ref(), &new)?;
        let mut next = running.as_ref().clone();
        if let (Some(payouts), Some(from), Some(to)) = (&self.payouts, &new.payout, &mut next.payout) {
            payouts.set_minimum(from.minimum());
            to.minimum_nanoton = from.minimum_nanoton;
        }
        // Models are matched by their places: a list in another order needs a restart, and says so by its names.
        let same = |(old, new): &(&mut crate::config::ModelConfig, &crate::config::ModelConfig)| old.name == new.name;
        for (old, new) in next.models.iter_mut().zip(&new.models).filter(same) {
            let is_new_price = old.coefficient != new.coefficient;
            (old.coefficient, old.pricing) = (new.coefficient, new.pricing);
            for worker in self.workers.iter().filter(|worker| worker.model.as_str() == new.name) {
                worker.pricing.set(new.pricing);
                if is_new_price {
                    worker.coefficient().send_replace(Coefficient::new(new.coefficient));
                }
            }
        }
        self.live.set(next);
        Ok(sort_changes(changes, RELOADABLE))
    }

    fn peers(&self) -> Value {
        let proxies = self.workers.iter().flat_map(|worker| {
            let is_test = worker.root.borrow().is_test();
            let row = move |balance: crate::balance::Balance| {
                json!({
                    "model": worker.model.base(),
                    "proxy_sc_address": friendly(&balance.channel().proxy, true, is_test),
                    "earned_tokens": balance.memory().tokens_max,
                })
            };
            worker.balances().into_iter().map(row)
        });
        json!({ "connections": self.proxy_connections(), "proxies_met": proxies.collect::<Vec<_>>() })
    }
}

fn refused(error: WorkerError) -> RunnerError {
    RunnerError::ConfigValue {
        key: "configuration".to_owned(),
        problem: error.to_string(),
    }
}
