//! Several servers, of which some are slow, fail, lie or have stayed behind.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use cocoon_bindings::ton::{Address, Cell, CellFamily, HashBytes, StackValue};
use cocoon_bindings::units::Nanoton;
use cocoon_emulator::{Emulator, GetterResult, NetworkConfig};
use tokio::time::Instant;

use super::http::{answering, answering_json};
use crate::limits::{COMPARE_INTERVAL, COMPARE_TIMEOUT, FAILURES_TO_OPEN, MAX_BEHIND, OPEN_FOR};
use crate::{
    AccountState, ChainClient, ChainError, ChainPool, EmulatedChain, Endpoint, EndpointReport, SharedChain,
    Transaction, TransactionId,
};

const SOMEBODY: Address = Address::new(0, HashBytes([1; 32]));
const START: u32 = 1_780_000_000;

/// What a server does with a question.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mood {
    Fine,
    Down,
    Refusing,
    Gone,
    /// Says so with a code of HTTP.
    Code(i64),
    /// Wants to be left alone for a minute.
    Busy,
}

/// A server over a chain in this process.
#[derive(Debug)]
struct Fake {
    chain: EmulatedChain,
    mood: Mutex<Mood>,
    delay: Duration,
    asked: AtomicUsize,
    sent: AtomicUsize,
}

impl Fake {
    fn new(time: u32) -> Arc<Self> {
        Self::slow(time, Duration::from_millis(10))
    }

    fn slow(time: u32, delay: Duration) -> Arc<Self> {
        Arc::new(Self {
            chain: EmulatedChain::new(Emulator::new(&NetworkConfig::default(), time).unwrap()),
            mood: Mutex::new(Mood::Fine),
            delay,
            asked: AtomicUsize::new(0),
            sent: AtomicUsize::new(0),
        })
    }

    fn be(&self, mood: Mood) {
        *self.mood.lock().unwrap() = mood;
    }

    fn fund(&self, nanoton: u128) {
        self.chain.with(|chain| {
            chain.fund(&SOMEBODY, Nanoton::new(nanoton)).unwrap();
        });
    }

    fn asked(&self) -> usize {
        self.asked.load(Ordering::Relaxed)
    }

    fn sent(&self) -> usize {
        self.sent.load(Ordering::Relaxed)
    }

    async fn answer(&self) -> Result<(), ChainError> {
        self.asked.fetch_add(1, Ordering::Relaxed);
        tokio::time::sleep(self.delay).await;
        let url = "http://fake".to_owned();
        let mood = *self.mood.lock().unwrap();
        match mood {
            Mood::Fine | Mood::Refusing => Ok(()),
            Mood::Down => Err(ChainError::Unreachable {
                url,
                reason: "down".to_owned(),
            }),
            Mood::Gone => std::future::pending().await,
            Mood::Code(code) => Err(ChainError::ServerRefused {
                method: "m",
                code,
                message: "no".to_owned(),
            }),
            Mood::Busy => Err(ChainError::RateLimited {
                method: "m",
                retry_after: Some(Duration::from_secs(60)),
            }),
        }
    }
}

#[async_trait]
impl ChainClient for Fake {
    async fn account(&self, address: &Address) -> Result<AccountState, ChainError> {
        self.answer().await?;
        self.chain.account(address).await
    }

    async fn run_get_method(
        &self,
        address: &Address,
        method: &str,
        arguments: Vec<StackValue>,
    ) -> Result<GetterResult, ChainError> {
        self.answer().await?;
        self.chain.run_get_method(address, method, arguments).await
    }

    async fn transactions(
        &self,
        address: &Address,
        limit: usize,
        from: Option<TransactionId>,
    ) -> Result<Vec<Transaction>, ChainError> {
        self.answer().await?;
        self.chain.transactions(address, limit, from).await
    }

    async fn send_boc(&self, _message: &Cell) -> Result<(), ChainError> {
        self.sent.fetch_add(1, Ordering::Relaxed);
        self.answer().await?;
        let refusing = *self.mood.lock().unwrap() == Mood::Refusing;
        match refusing {
            true => Err(ChainError::MessageRefused {
                exit_code: Some(33),
                reason: "no".to_owned(),
            }),
            false => Ok(()),
        }
    }

    async fn now(&self) -> Result<u32, ChainError> {
        self.answer().await?;
        self.chain.now().await
    }
}

fn pool(servers: &[&Arc<Fake>]) -> ChainPool {
    let named = servers.iter().enumerate().map(|(place, server)| {
        let shared: SharedChain = Arc::clone(*server) as SharedChain;
        (format!("server{place}"), shared)
    });
    ChainPool::of_clients(named.collect()).unwrap()
}

async fn balance(pool: &ChainPool) -> Result<u128, ChainError> {
    Ok(pool.account(&SOMEBODY).await?.balance.get())
}

fn report(pool: &ChainPool, place: usize) -> EndpointReport {
    pool.endpoints().remove(place)
}

#[tokio::test(start_paused = true)]
async fn a_server_that_has_stayed_behind_is_not_read() {
    let behind = u32::try_from(MAX_BEHIND.as_secs()).unwrap() + 1;
    let (stale, fresh) = (Fake::new(START - behind), Fake::slow(START, Duration::from_secs(1)));
    stale.fund(1);
    fresh.fund(2);
    let pool = pool(&[&stale, &fresh]);
    for _ in 0..20 {
        assert_eq!(balance(&pool).await.unwrap(), 2);
    }
    assert!(report(&pool, 0).is_behind && !report(&pool, 1).is_behind);
    // When it has caught up, it is read again, and preferred, for it is the quicker one.
    stale.chain.with(|chain| chain.set_now(START).unwrap());
    stale.fund(7_000_000);
    tokio::time::sleep(COMPARE_INTERVAL).await;
    assert!(balance(&pool).await.unwrap() > 2);
}

#[tokio::test(start_paused = true)]
async fn a_server_that_stops_is_noticed_by_comparing_it_with_the_others() {
    let (stuck, running) = (Fake::new(START), Fake::slow(START, Duration::from_secs(1)));
    let pool = pool(&[&stuck, &running]);
    assert_eq!(balance(&pool).await.unwrap(), 0);
    for _ in 0..20 {
        tokio::time::sleep(COMPARE_INTERVAL).await;
        running.chain.with(|chain| chain.advance(10).unwrap());
        balance(&pool).await.unwrap();
    }
    assert!(report(&pool, 0).is_behind);
    running.fund(5);
    assert_eq!(balance(&pool).await.unwrap(), 5);
}

#[tokio::test(start_paused = true)]
async fn what_was_seen_of_an_account_is_never_taken_back() {
    let (ahead, late) = (Fake::new(START), Fake::slow(START, Duration::from_secs(1)));
    ahead.fund(3);
    ahead.fund(4);
    late.fund(3);
    let pool = pool(&[&ahead, &late]);
    assert_eq!(balance(&pool).await.unwrap(), 7);
    let newest = pool.transactions(&SOMEBODY, 5, None).await.unwrap();
    ahead.be(Mood::Down);
    let error = balance(&pool).await.unwrap_err();
    assert!(
        matches!(error, ChainError::Unreachable { .. } | ChainError::Stale { .. }),
        "{error}"
    );
    assert!(pool.transactions(&SOMEBODY, 5, None).await.is_err());
    assert!(report(&pool, 1).refuted >= 2);
    // An older page that is asked for by name is no step back.
    let old = newest.last().map(TransactionId::from);
    late.be(Mood::Fine);
    tokio::time::sleep(OPEN_FOR * 8).await;
    assert_eq!(pool.transactions(&SOMEBODY, 5, old).await.unwrap().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_failing_server_is_passed_over_left_alone_and_tried_again() {
    let (failing, good) = (Fake::new(START), Fake::slow(START, Duration::from_secs(1)));
    failing.be(Mood::Down);
    let pool = pool(&[&failing, &good]);
    for _ in 0..10 {
        balance(&pool).await.unwrap();
    }
    let failed = usize::try_from(FAILURES_TO_OPEN).unwrap();
    assert!(failing.asked() <= failed, "{}", failing.asked());
    for _ in 0..failed {
        tokio::time::sleep(COMPARE_INTERVAL).await;
        balance(&pool).await.unwrap();
    }
    assert!(report(&pool, 0).is_open);
    failing.be(Mood::Fine);
    tokio::time::sleep(OPEN_FOR * 8).await;
    balance(&pool).await.unwrap();
    assert!(!report(&pool, 0).is_open, "a comparison tried it");
}

#[tokio::test(start_paused = true)]
async fn the_quicker_server_gets_the_questions() {
    let (slow, quick) = (Fake::slow(START, Duration::from_secs(2)), Fake::new(START));
    let pool = pool(&[&slow, &quick]);
    for _ in 0..50 {
        balance(&pool).await.unwrap();
    }
    assert!(
        slow.asked() <= 2 && quick.asked() >= 50,
        "{} {}",
        slow.asked(),
        quick.asked()
    );
}

#[tokio::test(start_paused = true)]
async fn a_server_that_never_answers_holds_up_a_comparison_for_a_short_time_only() {
    let (gone, good) = (Fake::new(START), Fake::new(START));
    gone.be(Mood::Gone);
    let pool = pool(&[&gone, &good]);
    let started = Instant::now();
    balance(&pool).await.unwrap();
    assert!(started.elapsed() < COMPARE_TIMEOUT + Duration::from_secs(1));
}

#[tokio::test(start_paused = true)]
async fn a_server_from_the_future_does_not_shut_out_the_others() {
    let (liar, honest) = (Fake::new(u32::MAX - 5), Fake::slow(START, Duration::from_secs(1)));
    liar.fund(1_000_000);
    honest.fund(2);
    let pool = pool(&[&liar, &honest]);
    assert_eq!(balance(&pool).await.unwrap(), 2);
    assert!(report(&pool, 0).is_behind);
}

#[tokio::test(start_paused = true)]
async fn a_message_goes_to_one_server_and_to_the_next_only_when_that_one_fails() {
    let (first, second) = (Fake::new(START), Fake::slow(START, Duration::from_secs(1)));
    let pool = pool(&[&first, &second]);
    let message = Cell::empty_cell();
    pool.send_boc(&message).await.unwrap();
    assert_eq!((first.sent(), second.sent()), (1, 0));
    first.be(Mood::Down);
    pool.send_boc(&message).await.unwrap();
    assert_eq!((first.sent(), second.sent()), (2, 1));
}

#[tokio::test(start_paused = true)]
async fn a_refusal_counts_when_two_servers_say_so_and_nothing_may_have_got_through() {
    let (first, second) = (Fake::new(START), Fake::slow(START, Duration::from_secs(1)));
    let pool = pool(&[&first, &second]);
    let message = Cell::empty_cell();
    first.be(Mood::Refusing);
    pool.send_boc(&message).await.expect("the second takes it");
    second.be(Mood::Refusing);
    let refused = pool.send_boc(&message).await.unwrap_err();
    assert!(matches!(refused, ChainError::MessageRefused { .. }), "{refused}");
    first.be(Mood::Down);
    let unclear = pool.send_boc(&message).await.unwrap_err();
    assert!(unclear.is_ambiguous(), "it may have got through: {unclear}");
}

#[tokio::test(start_paused = true)]
async fn the_chains_own_answer_is_not_asked_for_twice() {
    let (first, second) = (Fake::new(START), Fake::slow(START, Duration::from_secs(1)));
    let pool = pool(&[&first, &second]);
    let before = second.asked();
    let missing = pool.run_get_method(&SOMEBODY, "seqno", vec![]).await.unwrap_err();
    assert!(matches!(missing, ChainError::NotDeployed { .. }), "{missing}");
    assert!(second.asked() <= before + 1);
    assert_eq!(report(&pool, 0).failures, 0);
}

#[tokio::test(start_paused = true)]
async fn a_server_that_refuses_every_question_does_not_take_the_others_down() {
    for code in [301, 401, 403, 404, 408, 422] {
        let (refusing, good) = (Fake::new(START), Fake::slow(START, Duration::from_secs(1)));
        good.fund(2);
        refusing.be(Mood::Code(code));
        let pool = pool(&[&refusing, &good]);
        for _ in 0..5 {
            assert_eq!(balance(&pool).await.unwrap(), 2, "{code}");
        }
        pool.send_boc(&Cell::empty_cell()).await.unwrap();
        assert_eq!(report(&pool, 1).failures, 0);
    }
    let (first, second) = (Fake::new(START), Fake::new(START));
    first.be(Mood::Code(422));
    second.be(Mood::Code(422));
    let error = balance(&pool(&[&first, &second])).await.unwrap_err();
    assert!(matches!(error, ChainError::ServerRefused { code: 422, .. }), "{error}");
}

#[tokio::test(start_paused = true)]
async fn a_refusal_after_an_attempt_that_may_have_got_through_leaves_it_open() {
    for code in [403, 422] {
        let (down, refusing) = (Fake::new(START), Fake::slow(START, Duration::from_secs(1)));
        let pool = pool(&[&down, &refusing]);
        balance(&pool).await.unwrap();
        down.be(Mood::Down);
        refusing.be(Mood::Code(code));
        let error = pool.send_boc(&Cell::empty_cell()).await.unwrap_err();
        assert!(error.is_ambiguous(), "{code}: {error}");
        assert_eq!((down.sent(), refusing.sent()), (1, 1));
    }
}

#[tokio::test(start_paused = true)]
async fn the_only_server_is_asked_however_often_it_failed() {
    let only = Fake::new(START);
    only.be(Mood::Down);
    let pool = pool(&[&only]);
    for _ in 0..5 {
        assert!(balance(&pool).await.is_err());
    }
    only.be(Mood::Fine);
    assert_eq!(balance(&pool).await.unwrap(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_server_that_is_ready_is_not_waited_for() {
    let (busy, shaky) = (Fake::new(START), Fake::new(START));
    let pool = pool(&[&busy, &shaky]);
    balance(&pool).await.unwrap();
    busy.be(Mood::Busy);
    shaky.be(Mood::Down);
    let started = Instant::now();
    assert!(balance(&pool).await.is_err());
    assert!(started.elapsed() < Duration::from_secs(5), "{:?}", started.elapsed());
    shaky.be(Mood::Busy);
    let started = Instant::now();
    assert!(balance(&pool).await.is_err());
    assert!(started.elapsed() < Duration::from_secs(130), "{:?}", started.elapsed());
}

#[tokio::test]
async fn a_server_that_talks_nonsense_is_passed_over() {
    let (network, good) = super::local_endpoint().await;
    network.fund(&SOMEBODY, Nanoton::new(9));
    let nonsense = answering_json("200 OK", r#"{"ok":true,"result":{"balance":[],"state":"active"}}"#).await;
    let cut = answering(
        "HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\n{".to_owned(),
        Vec::new(),
    )
    .await;
    let endpoints = [Endpoint::at(nonsense.url()), Endpoint::at(cut.url()), good];
    let pool = ChainPool::of_http(&endpoints).unwrap();
    for _ in 0..10 {
        assert_eq!(balance(&pool).await.unwrap(), 9);
    }
    assert!(report(&pool, 0).failures >= 1 && report(&pool, 2).failures == 0);
}

#[tokio::test]
async fn a_server_that_wants_to_be_left_alone_is() {
    let (network, good) = super::local_endpoint().await;
    network.fund(&SOMEBODY, Nanoton::new(9));
    let limited = answering(
        "HTTP/1.1 429 X\r\nretry-after: 50\r\ncontent-length: 4\r\nconnection: close\r\n\r\n".to_owned(),
        b"slow".to_vec(),
    )
    .await;
    let pool = ChainPool::of_http(&[Endpoint::at(limited.url()), good]).unwrap();
    for _ in 0..10 {
        assert_eq!(balance(&pool).await.unwrap(), 9);
    }
    let report = report(&pool, 0);
    assert_eq!((report.requests, report.rate_limited, report.failures), (1, 1, 0));
}

#[tokio::test]
async fn a_known_rate_is_kept() {
    let (network, mut only) = super::local_endpoint().await;
    network.fund(&SOMEBODY, Nanoton::new(9));
    only.rate_per_second = Some(10);
    let pool = ChainPool::of_http(&[only]).unwrap();
    let started = std::time::Instant::now();
    for _ in 0..14 {
        balance(&pool).await.unwrap();
    }
    assert!(
        started.elapsed() >= Duration::from_millis(390),
        "{:?}",
        started.elapsed()
    );
}

#[test]
fn a_pool_has_at_least_one_server_and_not_too_many() {
    assert!(matches!(ChainPool::of_clients(vec![]), Err(ChainError::Config { .. })));
    let many = vec![Endpoint::at("http://127.0.0.1:1"); crate::limits::MAX_ENDPOINTS + 1];
    assert!(matches!(ChainPool::of_http(&many), Err(ChainError::Config { .. })));
}
