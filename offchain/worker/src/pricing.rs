//! Keeps a model's price in line with its load, where the configuration asks for it.

use crate::config::PricingConfig;
use crate::limits::PRICING_LOOK;
use crate::worker::Worker;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use tokio::sync::watch;
use tokio::time::{Instant, sleep};

/// The rule of a model's price, and the load that it saw last.
#[derive(Debug)]
pub(crate) struct Pricing {
    config: watch::Sender<Option<PricingConfig>>,
    /// Bits of the mean share of places in use.
    load: AtomicU64,
}

impl Pricing {
    pub(crate) fn new(config: Option<PricingConfig>) -> Self {
        Self {
            config: watch::Sender::new(config),
            load: AtomicU64::new(f64::NAN.to_bits()),
        }
    }

    pub(crate) fn config(&self) -> Option<PricingConfig> {
        *self.config.borrow()
    }

    /// Takes another rule, or none: the price then stays as it is.
    pub(crate) fn set(&self, config: Option<PricingConfig>) {
        self.config.send_if_modified(|current| {
            let is_new = *current != config;
            *current = config;
            is_new
        });
    }

    /// Mean share of the places that were in use before the last move, from 0 to 1. `None` before there was one.
    pub(crate) fn load(&self) -> Option<f64> {
        Some(f64::from_bits(self.load.load(Ordering::Relaxed))).filter(|load| load.is_finite())
    }

    fn saw(&self, load: f64) {
        self.load.store(load.to_bits(), Ordering::Relaxed);
    }
}

/// Moves the price once per interval, for ever. A worker that no proxy can send requests to is not idle: such times do not
/// count, and move nothing.
pub(crate) async fn keep_priced(worker: Arc<Worker>) {
    let mut changes = worker.pricing.config.subscribe();
    loop {
        let rule = *changes.borrow_and_update();
        let moved = async {
            match rule {
                Some(config) => move_price(&worker, &config).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            () = moved => {}
            changed = changes.changed() => if changed.is_err() { return },
        }
    }
}

/// Looks at the load for one interval, and moves the price.
async fn move_price(worker: &Worker, config: &PricingConfig) {
    let end = Instant::now() + config.interval();
    let (mut sum, mut looks) = (0.0, 0.0);
    while Instant::now() < end {
        // At random times, so that no rhythm of the requests is mistaken for load.
        sleep(PRICING_LOOK.mul_f64(0.5 + rand::random::<f64>())).await;
        if worker.word() == "ready" {
            sum += worker.active_requests() as f64 / f64::from(worker.max_active_requests.max(1));
            looks += 1.0;
        }
    }
    if looks == 0.0 {
        return;
    }
    let load = sum / looks;
    worker.pricing.saw(load);
    let is_moved = worker.coefficient().send_if_modified(|price| {
        let next = config.rule().next(*price, load);
        let is_moved = next != *price;
        *price = next;
        is_moved
    });
    if is_moved {
        let price = worker.coefficient().borrow().get();
        tracing::info!(model = worker.model.base(), load, price, "the price follows the load");
    }
}
