//! Claims about what is left of the books after a crash, and how large their file gets.

use proptest::prelude::*;

use super::*;

fn record() -> impl Strategy<Value = Record> {
    prop_oneof![
        (0i64..20).prop_map(|update| Record::Seen { update }),
        (0i64..20, 0i64..4, 1u64..3, 0u64..99).prop_map(|(update, user, day, nanoton)| Record::Began {
            update,
            user,
            day,
            nanoton
        }),
        (0i64..20, 0u64..99).prop_map(|(update, nanoton)| Record::Ended { update, nanoton }),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]
    #[test]
    fn a_bot_that_was_killed_knows_what_was_spent_and_takes_the_worst_of_what_ran(
        records in proptest::collection::vec(record(), 0..40), cut in 0usize..30,
    ) {
        let folder = tempfile::tempdir().unwrap();
        let mut expected = Budgets::default();
        {
            let (mut journal, empty) = Journal::open(folder.path()).unwrap();
            prop_assert_eq!(empty, Budgets::default());
            journal.append(&records).unwrap();
        }
        for record in &records {
            record.apply(&mut expected);
        }
        expected.settle_all();
        // A line that was being written when the machine stopped.
        let half = &br#"{"ended":{"update":1,"nanoton":5}}"#[..cut];
        let mut file = OpenOptions::new().append(true).open(folder.path().join("budgets.jsonl")).unwrap();
        file.write_all(half).unwrap();
        for _ in 0..2 {
            let (_journal, found) = Journal::open(folder.path()).unwrap();
            for user in 0..4 {
                prop_assert_eq!(found.used(user, 2), expected.used(user, 2));
            }
            for update in 0..20 {
                prop_assert_eq!(found.is_seen(update), expected.is_seen(update));
            }
        }
    }
}

#[test]
fn one_bot_at_a_time_has_a_folder_and_a_broken_line_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let open = Journal::open(folder.path()).unwrap();
    assert!(matches!(Journal::open(folder.path()), Err(TelegramError::InUse { .. })));
    drop(open);
    std::fs::write(folder.path().join("budgets.jsonl"), "{\"seen\":{\"update\":1}}\nno\n").unwrap();
    let error = Journal::open(folder.path()).unwrap_err();
    assert!(matches!(error, TelegramError::JournalLine { line: 2, .. }), "{error}");
}

/// What a bot finds that starts with the file as it stands now, as after a crash.
fn after_a_crash(folder: &Path) -> Budgets {
    let other = tempfile::tempdir().unwrap();
    for name in ["budgets.jsonl", "budgets.jsonl.new"] {
        if folder.join(name).exists() {
            std::fs::copy(folder.join(name), other.path().join(name)).unwrap();
        }
    }
    Journal::open(other.path()).unwrap().1
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(16))]
    /// Whenever it is written anew, and whenever the machine stops: the file leads to the same books, in which what runs is open.
    #[test]
    fn a_journal_that_is_written_anew_while_requests_run_says_the_same(
        batches in proptest::collection::vec(proptest::collection::vec(record(), 1..6), 0..30), slack in 0u64..300,
    ) {
        let folder = tempfile::tempdir().unwrap();
        let (mut journal, _) = Journal::open(folder.path()).unwrap();
        journal.slack = slack;
        journal.is_new(0);
        let mut expected = Budgets::default();
        for batch in &batches {
            journal.append(batch).unwrap();
            for record in batch {
                record.apply(&mut expected);
            }
            prop_assert_eq!(&read(&journal.path).unwrap(), &expected);
            let mut worst = expected.clone();
            worst.settle_all();
            prop_assert_eq!(after_a_crash(folder.path()), worst);
        }
    }
}

#[test]
fn the_books_are_the_same_when_requests_outlive_their_day_and_what_is_remembered() {
    let mut budgets = Budgets::default();
    budgets.reserve(-2, 7, 4, 30);
    budgets.reserve(-1, 7, 5, 50);
    for update in 0..1000 {
        budgets.see(update);
    }
    budgets.reserve(1000, 8, 5, 10);
    budgets.settle(1000, 3);
    budgets.reserve(1001, 7, 5, 20);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("budgets.jsonl");
    anew::write(&path, &budgets).unwrap();
    assert_eq!(read(&path).unwrap(), budgets);
}

/// A year of questions, in small: the file stays near what counts of it.
#[test]
fn a_journal_of_a_bot_that_is_never_stopped_stays_small() {
    const SLACK: u64 = 4096;
    let folder = tempfile::tempdir().unwrap();
    let (mut journal, _) = Journal::open(folder.path()).unwrap();
    journal.slack = SLACK;
    journal.is_new(0);
    let (mut largest, mut written, mut live) = (0, 0, 0);
    for batch in 0..400 {
        let records: Vec<Record> = (batch * 20..batch * 20 + 20)
            .flat_map(|update| {
                let began = Record::Began {
                    update,
                    user: update % 50,
                    day: u64::try_from(update / 1000).unwrap(),
                    nanoton: 9,
                };
                [began, Record::Ended { update, nanoton: 5 }]
            })
            .collect();
        let added = as_u64(lines(&records).unwrap().len());
        written += added;
        journal.append(&records).unwrap();
        let length = std::fs::metadata(&journal.path).unwrap().len();
        assert_eq!(length, journal.bytes);
        let books = read(&journal.path).unwrap();
        live = live.max(as_u64(lines(&anew::records(&books)).unwrap().len()));
        assert!(length <= 2 * live + SLACK, "{length} bytes, of which {live} count");
        largest = largest.max(length);
    }
    assert!(
        written > 8 * largest,
        "{written} bytes were written, {largest} stood there"
    );
}

#[test]
fn what_a_crash_left_beside_the_journal_is_no_part_of_it() {
    let folder = tempfile::tempdir().unwrap();
    let (mut journal, _) = Journal::open(folder.path()).unwrap();
    journal.append(&[Record::Seen { update: 1 }]).unwrap();
    std::fs::write(anew::beside(&journal.path), "{\"seen\":{\"update\":9}}\n{\"be").unwrap();
    let found = after_a_crash(folder.path());
    assert!(found.is_seen(1) && !found.is_seen(9));
}

/// Where nothing can be written beside it, the old file goes on and loses nothing.
#[test]
fn a_journal_that_cannot_be_written_anew_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let (mut journal, _) = Journal::open(folder.path()).unwrap();
    journal.slack = 0;
    journal.is_new(0);
    let blocked = anew::beside(&journal.path);
    std::fs::create_dir(&blocked).unwrap();
    for update in 0..50 {
        journal.append(&[Record::Seen { update }]).unwrap();
    }
    std::fs::remove_dir(&blocked).unwrap();
    journal.append(&[Record::Seen { update: 50 }]).unwrap();
    let found = after_a_crash(folder.path());
    assert!((0..=50).all(|update| found.is_seen(update)));
}
