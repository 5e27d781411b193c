//! A price that follows the load, as the proxy hears of it.

use super::play::Play;
use crate::config::PricingConfig;
use crate::pricing::keep_priced;
use cocoon_protocol::message::WorkerPacket;
use cocoon_protocol::version::VersionRange;
use std::time::Duration;

const RULE: PricingConfig = PricingConfig {
    floor: 900,
    ceiling: 1100,
    low: 0.3,
    high: 0.7,
    step: 0.1,
    interval_seconds: 5,
};

async fn next_price(play: &mut Play) -> i32 {
    loop {
        if let WorkerPacket::NewCoefficient(told) = play.packet().await {
            return told.new_coefficient;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_full_worker_becomes_dearer_an_idle_one_cheaper_and_proxies_are_told_of_each_move() {
    let mut play = Play::begin(2, VersionRange::ACCEPTED).await;
    play.worker.pricing.set(Some(RULE));
    let pricing = tokio::spawn(keep_priced(play.worker.clone()));
    let slots = [play.worker.take_slot().unwrap(), play.worker.take_slot().unwrap()];
    assert_eq!(next_price(&mut play).await, 1100);
    assert_eq!(play.worker.pricing.load(), Some(1.0));
    drop(slots);
    // The interval in which they were given back may have had a load between the bounds.
    assert_eq!(next_price(&mut play).await, 990);
    assert_eq!(next_price(&mut play).await, 900);
    // No rule, no moves: the next one comes only with another rule.
    play.worker.pricing.set(None);
    tokio::time::sleep(Duration::from_secs(30)).await;
    assert_eq!(play.worker.coefficient().borrow().get(), 900);
    play.worker.pricing.set(Some(PricingConfig { floor: 950, ..RULE }));
    assert_eq!(next_price(&mut play).await, 950);
    pricing.abort();
}

#[tokio::test(start_paused = true)]
async fn a_worker_that_cannot_be_asked_is_not_idle() {
    let mut play = Play::begin(2, VersionRange::ACCEPTED).await;
    play.worker.switch.change(|state| state.healthy = false);
    play.worker.pricing.set(Some(RULE));
    let pricing = tokio::spawn(keep_priced(play.worker.clone()));
    tokio::time::sleep(Duration::from_secs(30)).await;
    assert_eq!(play.worker.coefficient().borrow().get(), 1000);
    play.worker.switch.change(|state| state.healthy = true);
    assert_eq!(next_price(&mut play).await, 900);
    pricing.abort();
}
