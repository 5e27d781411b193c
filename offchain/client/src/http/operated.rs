//! The administration of a client.

use std::sync::atomic::Ordering;

use cocoon_runner::RunnerError;
use cocoon_runner::admin::{Operated, Reloaded, changed_keys, sort_changes};
use serde_json::{Value, json};

use super::report::{Pages, connections};
use crate::config::ClientConfig;

/// What a reload takes over; everything else is built in at the start.
const RELOADABLE: &[&str] = &["funding", "max_body_bytes", "page", "wait_for_receipts"];

impl Operated for Pages {
    fn state(&self) -> &'static str {
        let app = &self.0;
        match app.connection() {
            _ if app.stop.is_cancelled() => "draining",
            _ if !app.is_enabled.load(Ordering::Relaxed) => "disabled",
            Ok(_) => "ready",
            Err(_) => "degraded",
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
        self.0.stop.cancel();
    }

    fn reload(&self) -> Result<Reloaded, RunnerError> {
        let app = &self.0;
        let running = app.live.get();
        let Some(file) = &running.admin.file else {
            return Err(RunnerError::NoConfigFile);
        };
        let new: ClientConfig = cocoon_runner::config::load(file)?;
        let changes = changed_keys(running.as_ref(), &new)?;
        let mut next = running.as_ref().clone();
        next.funding = new.funding;
        next.max_body_bytes = new.max_body_bytes;
        next.wait_for_receipts = new.wait_for_receipts;
        next.page = new.page;
        app.context.funding.set(new.funding);
        app.live.set(next);
        Ok(sort_changes(changes, RELOADABLE))
    }

    fn peers(&self) -> Value {
        let upstream = self.0.upstream.borrow().clone();
        json!({
            "proxies": connections(&self.0.context.root(), &upstream.connections),
            "problem": upstream.problem,
        })
    }
}
