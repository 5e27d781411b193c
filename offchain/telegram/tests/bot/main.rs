//! The bot between a double of Telegram and a double of a client, both over HTTP.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails loudly"
)]

mod client;
mod telegram;

use std::io::Write;
use std::path::Path;
use std::sync::{Arc, LazyLock, Mutex};
use std::time::{Duration, Instant};

use client::{Client, PRICE, Script};
use cocoon_telegram::{BotConfig, RunningBot, TelegramError, Token};
use telegram::{TOKEN, Telegram};
use tokio_util::sync::CancellationToken;

/// What a person writes who must not be found again in any log.
const MARKER: &str = "sesame-and-lilies";

struct Stage {
    telegram: Telegram,
    client: Client,
    config: BotConfig,
    folder: tempfile::TempDir,
    stop: CancellationToken,
    bot: Option<RunningBot>,
}

impl Stage {
    async fn new(change: impl FnOnce(&mut BotConfig)) -> Self {
        LazyLock::force(&LOGS);
        let (telegram, api_url) = Telegram::start().await;
        let (client, client_url) = Client::start().await;
        let folder = tempfile::tempdir().unwrap();
        let mut config = BotConfig {
            client_url,
            api_url,
            state_dir: folder.path().join("state"),
            ..BotConfig::default()
        };
        change(&mut config);
        let mut stage = Self {
            telegram,
            client,
            config,
            folder,
            stop: CancellationToken::new(),
            bot: None,
        };
        stage.start().await;
        stage
    }

    async fn start(&mut self) {
        self.stop = CancellationToken::new();
        let token = token(self.folder.path());
        let bot = cocoon_telegram::start(self.config.clone(), token, self.stop.clone()).await;
        self.bot = Some(bot.unwrap());
    }

    async fn end(&mut self) {
        self.stop.cancel();
        self.bot.take().unwrap().join().await.unwrap();
    }

    /// What the journal says, as text.
    fn journal(&self) -> String {
        std::fs::read_to_string(self.config.state_dir.join("budgets.jsonl")).unwrap()
    }
}

fn token(folder: &Path) -> Token {
    let path = folder.join("token");
    let _ = std::fs::remove_file(&path);
    cocoon_runner::keys::write_secret(&path, TOKEN.as_bytes()).unwrap();
    Token::load(&path).unwrap()
}

/// Everything that is logged in this process, at every level.
static LOGS: LazyLock<Arc<Mutex<Vec<u8>>>> = LazyLock::new(|| {
    #[derive(Clone)]
    struct Sink(Arc<Mutex<Vec<u8>>>);
    impl Write for Sink {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }
    let logs = Arc::new(Mutex::new(Vec::new()));
    let sink = Sink(Arc::clone(&logs));
    tracing_subscriber::fmt()
        .with_max_level(tracing_subscriber::filter::LevelFilter::TRACE)
        .with_writer(move || sink.clone())
        .init();
    logs
});

fn last(seen: &[String]) -> &str {
    seen.last().map_or("", String::as_str)
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_grows_in_one_message_at_a_bounded_rate_and_is_remembered_until_a_new_beginning() {
    let mut stage = Stage::new(|_| {}).await;
    let Stage { telegram, client, .. } = &stage;
    let pieces: Vec<String> = (0..40).map(|number| format!("word{number} ")).collect();
    client.next(Script {
        pieces: pieces.clone(),
        pause: Duration::from_millis(100),
        ..Script::says(&[])
    });
    telegram.private(5, MARKER);
    let whole = pieces.concat().trim().to_owned();
    let begun = Instant::now();
    let seen = telegram.until(5, |seen| last(seen) == whole).await;
    assert_eq!(seen.len(), 1, "one message that is edited");
    let seconds = begun.elapsed().as_secs_f64();
    let edits = telegram
        .calls()
        .into_iter()
        .filter(|call| call.method == "editMessageText")
        .count();
    assert!(
        edits >= 2 && (edits as f64) < seconds / 1.4 + 2.0,
        "{edits} edits in {seconds} s"
    );

    client.next(Script::says(&["second answer"]));
    telegram.private(5, "and then?");
    telegram.until(5, |seen| last(seen) == "second answer").await;
    telegram.private(5, "/new");
    telegram.until(5, |seen| last(seen).contains("begin anew")).await;
    telegram.private(5, "hello");
    telegram.until(5, |seen| last(seen) == "fine").await;

    let asked = client.asked();
    let counts: Vec<usize> = asked
        .iter()
        .map(|body| body["messages"].as_array().unwrap().len())
        .collect();
    assert_eq!(
        counts,
        [1, 3, 1],
        "the second question comes with the first and its answer"
    );
    assert_eq!(asked[1]["messages"][0]["content"], MARKER);
    assert_eq!(asked[0]["model"], "first");
    stage.end().await;

    // Neither what was written, nor what was answered, nor the token is anywhere but in the chat.
    let logs = String::from_utf8(LOGS.lock().unwrap().clone()).unwrap();
    for secret in [MARKER, "word39", TOKEN, "AAbbCC"] {
        assert!(!logs.contains(secret), "{secret} is in the log");
        assert!(!stage.journal().contains(secret), "{secret} is in the journal");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn telegrams_waits_are_obeyed_and_the_answer_arrives_whole() {
    let mut stage = Stage::new(|_| {}).await;
    let Stage { telegram, client, .. } = &stage;
    client.next(Script {
        pieces: (0..30).map(|number| format!("{number} ")).collect(),
        pause: Duration::from_millis(150),
        ..Script::says(&[])
    });
    telegram.fail("editMessageText", 429, Some(3));
    telegram.fail("sendMessage", 429, Some(1));
    telegram.fail("getUpdates", 502, None);
    telegram.private(5, "count");
    telegram.until(5, |seen| last(seen).ends_with(" 28 29")).await;
    let calls = telegram.calls();
    for (at, refused) in calls.iter().enumerate().filter(|(_, call)| call.is_refused) {
        let next = calls[at + 1..]
            .iter()
            .find(|call| call.method == refused.method)
            .unwrap();
        let wait = if refused.method == "sendMessage" { 1 } else { 3 };
        let waited = next.at - refused.at;
        assert!(
            waited >= Duration::from_secs(wait),
            "{} after {waited:?}",
            refused.method
        );
    }
    assert_eq!(calls.iter().filter(|call| call.is_refused).count(), 2);
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_long_answer_becomes_several_messages_and_none_of_it_is_lost() {
    let mut stage = Stage::new(|_| {}).await;
    let Stage { telegram, client, .. } = &stage;
    let words: Vec<String> = (0..2000).map(|number| format!("w{number}")).collect();
    let text = words.join(" ");
    client.next(Script::says(&[&text]));
    telegram.private(5, "/summarise much");
    let seen = telegram.until(5, |seen| last(seen).ends_with("w1999")).await;
    assert!(seen.len() >= 3, "{}", seen.len());
    assert_eq!(seen.join(" "), text);
    let system = client.asked()[0]["messages"][0].clone();
    assert_eq!(system["role"], "system");
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_an_answer_costs_is_taken_from_the_budget_and_no_question_is_sent_that_may_cost_more_than_is_left() {
    // A question of a few bytes may cost (1024 overhead + its body + 1 token) * 4 * 20: about 100 000.
    let mut stage = Stage::new(|config| {
        config.max_answer_tokens = 1;
        config.nanoton_per_day = 150_000;
        config.nanoton_per_day_of.insert("6".into(), 10);
    })
    .await;
    let Stage { telegram, client, .. } = &stage;
    client.next(Script {
        cost: Some(60_000),
        ..Script::says(&["dear"])
    });
    telegram.private(5, "one");
    telegram.until(5, |seen| last(seen) == "dear").await;
    telegram.private(5, "/budget");
    let seen = telegram.until(5, |seen| last(seen).contains("Spent")).await;
    assert!(
        last(&seen).contains("Spent today: 0.00006 TON of 0.00015 TON. Left: 0.00009 TON."),
        "{seen:?}"
    );
    telegram.private(5, "two");
    telegram
        .until(5, |seen| last(seen).contains("of your budget is left"))
        .await;
    telegram.private(6, "me too");
    telegram
        .until(6, |seen| last(seen).contains("0.00000001 TON of your budget is left"))
        .await;
    assert_eq!(client.asked().len(), 1);

    // The receipt of the last answer, by the name of its request.
    telegram.private(5, "/receipt");
    let seen = telegram.until(5, |seen| last(seen).starts_with("Receipt feed")).await;
    assert!(
        last(&seen).contains("verified") && !last(&seen).contains("EQ"),
        "{seen:?}"
    );

    // What was spent is known after a restart.
    stage.end().await;
    stage.start().await;
    stage.telegram.private(5, "/budget");
    stage
        .telegram
        .until(5, |seen| last(seen).contains("Spent today: 0.00006 TON"))
        .await;
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refusal_costs_nothing_and_an_answer_that_is_cut_off_costs_what_its_receipt_says() {
    let mut stage = Stage::new(|_| {}).await;
    let Stage { telegram, client, .. } = &stage;
    client.next(Script {
        status: Some(402),
        ..Script::says(&[])
    });
    telegram.private(5, "one");
    telegram.until(5, |seen| last(seen).contains("no coins left")).await;
    telegram.private(5, "/budget");
    telegram
        .until(5, |seen| last(seen).contains("Spent today: 0 TON"))
        .await;
    client.next(Script {
        cost: None,
        ..Script::says(&["half an ans"])
    });
    telegram.private(5, "two");
    telegram
        .until(5, |seen| last(seen) == "half an ans\n\nThe answer was cut off.")
        .await;
    telegram.private(5, "/budget");
    let seen = telegram.until(5, |seen| last(seen).starts_with("Spent")).await;
    assert_eq!(77 * PRICE, 1540);
    assert!(last(&seen).starts_with("Spent today: 0.00000154 TON"), "{seen:?}");
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_update_that_comes_again_after_a_crash_is_asked_and_charged_once() {
    let mut stage = Stage::new(|config| config.max_answer_tokens = 1).await;
    stage.client.next(Script {
        pause: Duration::from_secs(3600),
        ..Script::says(&["never"])
    });
    let update = stage.telegram.private(5, "one");
    while stage.client.asked().is_empty() {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert!(stage.journal().contains("began"), "durable before it is sent");
    // The machine is lost, and with it the confirmation: a copy of the folder is all that remains.
    let copy = stage.folder.path().join("copy");
    std::fs::create_dir(&copy).unwrap();
    std::fs::copy(stage.config.state_dir.join("budgets.jsonl"), copy.join("budgets.jsonl")).unwrap();
    drop(stage.bot.take());
    let (again, api_url) = Telegram::start().await;
    for _ in 1..update {
        again.puzzle();
    }
    assert_eq!(again.private(5, "one"), update);
    again.private(5, "/budget");
    stage.telegram = again;
    stage.config.api_url = api_url;
    stage.config.state_dir = copy;
    stage.start().await;
    let seen = stage.telegram.until(5, |seen| !seen.is_empty()).await;
    assert!(
        seen[0].starts_with("Spent today: 0.000"),
        "the worst case is spent: {seen:?}"
    );
    assert!(!seen[0].contains("Kept"), "{seen:?}");
    assert_eq!(stage.client.asked().len(), 1);
    while stage.telegram.confirmed() < update {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn groups_are_heard_when_they_name_the_bot_and_strangers_and_floods_are_not_answered() {
    let mut stage = Stage::new(|config| {
        config.allowed_users = [5, 6].into();
        config.messages_per_minute = 4;
    })
    .await;
    let Stage { telegram, client, .. } = &stage;
    telegram.puzzle();
    telegram.write(5, -100, "supergroup", "hello everybody");
    let named = telegram.write(5, -100, "supergroup", "@cocoon_bot what is TON?");
    let seen = telegram.until(-100, |seen| last(seen) == "fine").await;
    assert_eq!(seen.len(), 1);
    let asked = client.asked();
    assert_eq!(
        (asked.len(), &asked[0]["messages"][0]["content"]),
        (1, &"what is TON?".into())
    );
    let calls = telegram.calls();
    let sent = calls.iter().find(|call| call.method == "sendMessage").unwrap();
    assert_eq!(sent.question["reply_parameters"]["message_id"], 10_000 + named);

    telegram.private(7, "let me in");
    telegram
        .until(7, |seen| last(seen).contains("whom its operator has listed"))
        .await;

    for _ in 0..8 {
        telegram.private(6, "/model");
    }
    telegram
        .until(6, |seen| seen.iter().any(|text| text.contains("Not so fast")))
        .await;
    tokio::time::sleep(Duration::from_millis(500)).await;
    let seen = telegram.seen(6);
    assert_eq!(seen.len(), 5, "four answers and one refusal: {seen:?}");
    assert!(seen.iter().any(|text| text.contains("first (this chat's)")), "{seen:?}");
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_lets_answers_end_and_a_wrong_token_ends_the_start() {
    let mut stage = Stage::new(|config| {
        config.client_key_file = Some(std::env::temp_dir().join(format!("cocoon-bot-key-{}", std::process::id())));
        let path = config.client_key_file.as_ref().unwrap();
        let _ = std::fs::remove_file(path);
        cocoon_runner::keys::write_secret(path, b"sk-test").unwrap();
    })
    .await;
    let key_file = stage.config.client_key_file.clone().unwrap();
    stage.client.next(Script {
        pieces: vec!["to ".into(), "the ".into(), "end".into()],
        pause: Duration::from_millis(700),
        ..Script::says(&[])
    });
    stage.telegram.private(5, "/model second");
    stage
        .telegram
        .until(5, |seen| last(seen).contains("second answers"))
        .await;
    stage.telegram.private(5, "go on");
    while stage.client.asked().is_empty() {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    stage.end().await;
    assert_eq!(last(&stage.telegram.seen(5)), "to the end");
    assert_eq!(stage.client.asked()[0]["model"], "second");
    assert_eq!(stage.client.headers()[0]["authorization"], "Bearer sk-test");
    assert!(stage.journal().contains("ended"));

    let path = stage.folder.path().join("other");
    let other = "1:AAAAAAAAAAAAAAAAAAAAAAAAAAAA";
    cocoon_runner::keys::write_secret(&path, other.as_bytes()).unwrap();
    let config = stage.config.clone();
    let error = cocoon_telegram::start(config, Token::load(&path).unwrap(), CancellationToken::new()).await;
    let error = error.unwrap_err();
    assert!(matches!(error, TelegramError::TokenRefused { code: 401 }), "{error}");
    assert!(!format!("{error} {error:?} {}", error.hint()).contains(other));
    let _ = std::fs::remove_file(key_file);
}
