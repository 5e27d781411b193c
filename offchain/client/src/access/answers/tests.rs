//! Claims about idempotency keys.

use axum::body::Body;
use axum::response::Response;
use cocoon_ratls::ManualClock;
use cocoon_store::ClientStore;
use tokio::sync::mpsc;

use super::*;

struct World {
    folder: tempfile::TempDir,
    clock: Arc<ManualClock>,
}

impl World {
    fn new() -> Self {
        Self {
            folder: tempfile::tempdir().unwrap(),
            clock: Arc::new(ManualClock::new(1_000_000)),
        }
    }

    fn open(&self) -> Arc<Answers> {
        let store = ClientStore::open(self.folder.path()).unwrap();
        let rows = Rows::new(Arc::new(Mutex::new(store)), mpsc::channel(1).0);
        Answers::open(rows, self.clock.clone()).unwrap()
    }
}

fn find(answers: &Arc<Answers>, scope: &str, body: &str) -> Result<Found, (u16, &'static str)> {
    let found = answers.find(scope, b"key", [b"/v1/chat/completions", body.as_bytes()]);
    found.map_err(|error| (error.status, error.code))
}

fn first(answers: &Arc<Answers>, scope: &str, body: &str) -> (Arc<Recording>, Arc<Ticket>) {
    match find(answers, scope, body) {
        Ok(Found::First(recording, ticket)) => (recording, ticket),
        Ok(Found::Again(..)) => panic!("it was run before"),
        Err(error) => panic!("{error:?}"),
    }
}

fn is_again(answers: &Arc<Answers>, body: &str) -> bool {
    matches!(find(answers, "a", body), Ok(Found::Again(..)))
}

async fn run(recording: &Arc<Recording>, ticket: &Ticket, bytes: usize) {
    recording.write(Response::new(Body::from(vec![b'x'; bytes]))).await;
    ticket.ends(recording).await;
    recording.end();
}

#[tokio::test]
async fn a_key_stands_for_one_request_of_one_caller() {
    let world = World::new();
    let answers = world.open();
    let (recording, ticket) = first(&answers, "a", "one");
    // While it runs, and after that.
    assert!(is_again(&answers, "one"));
    ticket.leaves(&[7; 32]);
    run(&recording, &ticket, 3).await;
    assert!(is_again(&answers, "one"));
    assert_eq!(find(&answers, "a", "two").err(), Some((422, "idempotency_key_reused")));
    first(&answers, "b", "two");
}

#[tokio::test]
async fn what_did_not_leave_or_was_refused_may_run_again() {
    let world = World::new();
    let answers = world.open();
    let (recording, ticket) = first(&answers, "a", "one");
    run(&recording, &ticket, 3).await;
    let (recording, ticket) = first(&answers, "a", "one");
    ticket.leaves(&[7; 32]);
    ticket.refused();
    run(&recording, &ticket, 3).await;
    first(&answers, "a", "one");
    drop(answers);
    // Nothing of it is on disk either.
    first(&world.open(), "a", "one");
}

#[tokio::test]
async fn after_a_crash_what_had_left_is_never_run_again() {
    let world = World::new();
    let answers = world.open();
    let (_, ticket) = first(&answers, "a", "one");
    ticket.leaves(&[7; 32]);
    answers.flush().await.unwrap();
    let (recording, ended) = first(&answers, "b", "one");
    ended.leaves(&[8; 32]);
    run(&recording, &ended, 3).await;
    drop((answers, ticket, ended));
    let answers = world.open();
    let unknown = answers
        .find("a", b"key", [b"/v1/chat/completions", b"one"])
        .err()
        .unwrap();
    assert_eq!((unknown.status, unknown.code), (409, "outcome_unknown"));
    assert!(unknown.message.contains(&hex::encode([7; 32])), "{}", unknown.message);
    assert_eq!(find(&answers, "b", "one").err(), Some((409, "answer_not_kept")));
    assert_eq!(find(&answers, "a", "two").err(), Some((422, "idempotency_key_reused")));
    world.clock.advance(IDEMPOTENCY_KEPT.as_secs());
    first(&answers, "a", "one");
    drop(answers);
    first(&world.open(), "b", "one");
}

#[tokio::test]
async fn no_key_is_forgotten_before_its_time_and_a_new_one_waits_for_the_oldest() {
    const MOST: usize = 3;
    let world = World::new();
    let store = ClientStore::open(world.folder.path()).unwrap();
    let rows = Rows::new(Arc::new(Mutex::new(store)), mpsc::channel(1).0);
    let answers = Answers::open_for(rows, world.clock.clone(), MOST).unwrap();
    let scopes = ["a", "b", "c"];
    for scope in scopes {
        let (recording, ticket) = first(&answers, scope, "one");
        ticket.leaves(&[7; 32]);
        run(&recording, &ticket, 3).await;
        world.clock.advance(10);
    }
    let refused = || {
        let found = answers.find("d", b"key", [b"/v1/chat/completions", b"one"]);
        let error = found.err().unwrap();
        (error.status, error.code, error.retry_after)
    };
    let left = u32::try_from(IDEMPOTENCY_KEPT.as_secs()).unwrap() - 30;
    assert_eq!(refused(), (429, EXHAUSTED, Some(left)));
    // Not even the oldest runs again for it.
    for scope in scopes {
        assert!(matches!(find(&answers, scope, "one"), Ok(Found::Again(..))), "{scope}");
    }
    world.clock.advance(u64::from(left) - 1);
    assert_eq!(refused(), (429, EXHAUSTED, Some(1)));
    world.clock.advance(1);
    first(&answers, "d", "one");
    assert_eq!(find(&answers, "b", "one").err(), Some((409, "answer_not_kept")));
}

#[tokio::test]
async fn a_caller_that_takes_all_names_it_gets_leaves_half_to_the_others() {
    let world = World::new();
    let store = ClientStore::open(world.folder.path()).unwrap();
    let rows = Rows::new(Arc::new(Mutex::new(store)), mpsc::channel(1).0);
    let answers = Answers::open_for(rows, world.clock.clone(), 8).unwrap();
    let taken = |scope: &str| {
        let take = |name: &u8| answers.find(scope, &[*name], [b"path", b"body"]).is_ok();
        (0..20).take_while(take).count()
    };
    assert_eq!((taken("greedy"), taken("second"), taken("third")), (4, 2, 1));
    // What it has it keeps, and it gets no more.
    assert_eq!(taken("greedy"), 4);
}

#[tokio::test]
async fn answers_are_kept_so_long_and_so_many() {
    let world = World::new();
    let answers = world.open();
    let ask = |scope: &str| answers.find(scope, b"key", [b"path", b"body"]);
    let half = MAX_KEPT_ANSWERS_BYTES / 2 + 1;
    for scope in ["x", "y"] {
        let Ok(Found::First(recording, ticket)) = ask(scope) else {
            panic!("it was run before");
        };
        ticket.leaves(&[7; 32]);
        run(&recording, &ticket, half).await;
    }
    // The older one had to go; its request is not run again all the same.
    assert_eq!(ask("x").err().map(|error| error.code), Some("answer_not_kept"));
    assert!(matches!(ask("y"), Ok(Found::Again(..))));
    world.clock.advance(ANSWERS_KEPT.as_secs());
    assert_eq!(ask("y").err().map(|error| error.code), Some("answer_not_kept"));
    assert_eq!(lock(&answers.inner).bytes, 0);
}

#[tokio::test]
async fn a_key_that_is_on_disk_twice_counts_once_and_is_forgotten_in_its_time() {
    let world = World::new();
    let store = ClientStore::open(world.folder.path()).unwrap();
    let rows = Rows::new(Arc::new(Mutex::new(store)), mpsc::channel(1).0);
    for (place, since) in [(0_u8, 1_000_000), (1, 999_000)] {
        let row = Row {
            owner: HashBytes::ZERO,
            id: HashBytes(digest([b"a", b"key"])),
            body: HashBytes(digest([b"/v1/chat/completions", b"one"])),
            request: HashBytes([place; 32]),
            since,
            ended: true,
        };
        rows.put(row_name(place.into()), json!(row));
    }
    rows.flush().await.unwrap();
    drop(rows);
    let answers = world.open();
    assert_eq!(find(&answers, "a", "one").err(), Some((409, "answer_not_kept")));
    world.clock.advance(IDEMPOTENCY_KEPT.as_secs());
    first(&answers, "a", "one");
    assert_eq!(lock(&answers.inner).by_age.len(), 1);
}
