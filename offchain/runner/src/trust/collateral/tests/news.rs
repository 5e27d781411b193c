//! What takes the place of what is known.

use super::*;

#[tokio::test]
async fn a_failing_service_leaves_what_is_known_and_old_documents_are_not_taken() {
    let (double, config) = Double::start().await;
    let clock = Arc::new(ManualClock::new(NOW));
    let mut prefetch = prefetch(&double, &config, &clock);
    let family = double.family();
    prefetch.schedule.want(family, NOW);
    assert!(prefetch.update(&family).await);
    let window = prefetch.endorsements().window(&family).unwrap();
    double.set(Mood::Status(500));
    assert!(!prefetch.update(&family).await);
    assert!(prefetch.schedule.due(NOW).is_none(), "it waits before the next attempt");
    double.set(Mood::Good);
    *double.terms.lock().unwrap() = month(NOW - 2 * DAY);
    assert!(!prefetch.update(&family).await);
    assert_eq!(prefetch.endorsements().window(&family), Some(window));
    *double.terms.lock().unwrap() = month(NOW);
    assert!(prefetch.update(&family).await);
    assert_eq!(prefetch.endorsements().window(&family), Some((NOW, NOW + 30 * DAY)));
}

#[tokio::test]
async fn newer_collateral_takes_the_place_of_the_old_so_that_a_revocation_counts() {
    let (double, config) = Double::start().await;
    let clock = Arc::new(ManualClock::new(NOW));
    let mut prefetch = prefetch(&double, &config, &clock);
    let family = double.family();
    prefetch.schedule.want(family, NOW);
    prefetch.update(&family).await;
    let old = prefetch.endorsements();
    *double.terms.lock().unwrap() = CollateralTerms {
        revoked: true,
        ..month(NOW)
    };
    prefetch.update(&family).await;
    let store = double.store();
    // As with a file of old collateral beside the service.
    store.replace(double.settings(old.clone().renewed(&prefetch.endorsements(), NOW).unwrap()));
    assert!(double.verdict(&store, NOW).is_err());
    store.replace(double.settings(prefetch.endorsements().renewed(&old, NOW).unwrap()));
    assert!(double.verdict(&store, NOW).is_err());
}

/// A service that is behind with some parts, or lies: its QE identity is of today, the rest is of last week.
#[tokio::test]
async fn a_fresh_part_does_not_bring_back_what_was_judged_since() {
    let (double, config) = Double::start().await;
    let folder = tempfile::tempdir().unwrap();
    let config = cached(&config, &double, folder.path());
    let clock = Arc::new(ManualClock::new(NOW));
    let mut first = prefetch(&double, &config, &clock);
    let family = double.family();
    *double.terms.lock().unwrap() = CollateralTerms {
        revoked: true,
        ..month(NOW - 2 * DAY)
    };
    assert!(first.update(&family).await);
    *double.terms.lock().unwrap() = month(NOW);
    *double.rest.lock().unwrap() = Some(month(NOW - 10 * DAY));
    assert!(first.update(&family).await, "the fresh part is news");
    let store = double.store();
    for known in [first, prefetch(&double, &config, &clock)] {
        assert_eq!(
            known.endorsements().window(&family),
            Some((NOW, NOW + 28 * DAY)),
            "the last of each part, in memory and on disk"
        );
        store.replace(double.settings(known.endorsements()));
        assert!(double.verdict(&store, NOW).is_err(), "it is still revoked");
    }
}

#[tokio::test]
async fn an_answer_that_nobody_signed_takes_no_place_and_locks_nobody_out() {
    let (double, config) = Double::start().await;
    let folder = tempfile::tempdir().unwrap();
    let config = cached(&config, &double, folder.path());
    let clock = Arc::new(ManualClock::new(NOW));
    let mut first = prefetch(&double, &config, &clock);
    let family = double.family();
    assert!(first.update(&family).await);
    let window = first.endorsements().window(&family);
    let store = double.store();
    *double.terms.lock().unwrap() = month(NOW);
    double.set(Mood::Forged);
    assert!(!first.update(&family).await);
    // Documents under a root that nobody trusts are no better.
    let (stranger, theirs) = Double::start().await;
    let mut lied_to = prefetch(&double, &theirs, &clock);
    lied_to.schedule.want(family, NOW);
    assert!(!lied_to.update(&stranger.family()).await);
    assert!(lied_to.endorsements().is_empty());
    for known in [&first, &prefetch(&double, &config, &clock)] {
        assert_eq!(known.endorsements().window(&family), window);
        store.replace(double.settings(known.endorsements()));
        double.verdict(&store, NOW).unwrap();
    }
    double.set(Mood::Good);
    assert!(first.update(&family).await, "genuine news counts afterwards");
}

#[tokio::test]
async fn a_file_of_the_cache_that_nobody_signed_is_left_out() {
    let (double, config) = Double::start().await;
    let folder = tempfile::tempdir().unwrap();
    let config = cached(&config, &double, folder.path());
    let clock = Arc::new(ManualClock::new(NOW));
    prefetch(&double, &config, &clock).update(&double.family()).await;
    assert!(!prefetch(&double, &config, &clock).endorsements().is_empty());
    let path = folder
        .path()
        .join(format!("{}.json", double.family().to_string().replace('/', "-")));
    let whole = std::fs::read_to_string(&path).unwrap();
    // Two times escaped: the TCB info is a text in a text.
    let forged = whole.replacen(r#"nextUpdate\\\":\\\"20"#, r#"nextUpdate\\\":\\\"21"#, 1);
    assert_ne!(forged, whole);
    std::fs::write(&path, forged).unwrap();
    assert!(prefetch(&double, &config, &clock).endorsements().is_empty());
}
