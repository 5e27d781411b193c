//! Whether this worker takes work: the operator's switch, the backend's health, the drain.

use tokio::sync::watch;

/// The three conditions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct SwitchState {
    pub(crate) enabled: bool,
    pub(crate) healthy: bool,
    pub(crate) draining: bool,
}

impl SwitchState {
    /// One word for health checks.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self { draining: true, .. } => "draining",
            Self { healthy: false, .. } => "degraded",
            Self { enabled: false, .. } => "disabled",
            _ => "ready",
        }
    }

    /// What proxies are told.
    pub(crate) fn is_disabled(self) -> bool {
        !self.enabled || !self.healthy || self.draining
    }
}

/// Holds the state and wakes the connections when it changes.
#[derive(Debug)]
pub(crate) struct Switch(watch::Sender<SwitchState>);

impl Switch {
    /// A backend counts as unhealthy until it was seen to work.
    pub(crate) fn new() -> Self {
        Self(watch::Sender::new(SwitchState {
            enabled: true,
            healthy: false,
            draining: false,
        }))
    }

    pub(crate) fn state(&self) -> SwitchState {
        *self.0.borrow()
    }

    pub(crate) fn watch(&self) -> watch::Receiver<SwitchState> {
        self.0.subscribe()
    }

    /// Changes the state; wakes nobody when nothing changed.
    pub(crate) fn change(&self, change: impl FnOnce(&mut SwitchState)) {
        self.0.send_if_modified(|state| {
            let before = *state;
            change(state);
            *state != before
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn work_is_taken_only_when_nothing_stands_against_it() {
        let switch = Switch::new();
        assert!(switch.state().is_disabled());
        switch.change(|state| state.healthy = true);
        assert_eq!((switch.state().is_disabled(), switch.state().word()), (false, "ready"));
        switch.change(|state| state.enabled = false);
        assert!(switch.state().is_disabled());
        switch.change(|state| {
            *state = SwitchState {
                enabled: true,
                healthy: true,
                draining: true,
            }
        });
        assert_eq!(
            (switch.state().is_disabled(), switch.state().word()),
            (true, "draining")
        );
    }
}
