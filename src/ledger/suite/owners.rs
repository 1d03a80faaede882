//! Who publishes, and what becomes of what somebody left behind.

#[cfg_attr(not(test), expect(clippy::wildcard_imports, reason = "the nouns and samples of every case"))]
use super::*;

pub(super) async fn one_process_publishes(store: Box<dyn Store>) {
    let first = store.open();
    let second = store.open();
    let guard = first.lock("smm daemon").await.expect("the lock");
    match second.lock("smm publish").await {
        Err(LedgerError::Busy(message)) => assert!(message.contains("smm daemon"), "names the holder: {message}"),
        Err(other) => panic!("{other}"),
        Ok(_) => panic!("two hold the lock"),
    }
    // Who does not publish writes all the same, and rings.
    put(&*second, &row("one", "fedi", 0)).await;
    if let Some(bell) = first.bell() {
        let before = std::fs::read(&bell).ok();
        second.ring().await.expect("a ring");
        assert_ne!(std::fs::read(&bell).ok(), before, "the bell changes");
    }
    drop(guard);
    drop(second.lock("smm publish").await.expect("the lock is free again"));
}

pub(super) async fn what_another_has_left_is_lapsed(store: Box<dyn Store>) {
    let ledger = store.open();
    assert_eq!(ledger.time().await, Ok(None), "it goes by the clock of who asks");
    put(&*ledger, &row("one", "fedi", 0)).await;
    put(&*ledger, &row("one", "bsky", 0)).await;
    let mut claimed = ledger.claim(&request(10, &[("fedi", 0), ("bsky", 0)])).await.expect("a claim");
    let sent = put(&*ledger, &sending(&claimed.remove(0), "1", 0, 10)).await;
    ledger.renew("worker").await.expect("nothing to do");
    assert_eq!(ledger.lapsed("worker").await, Ok(vec![]), "its own are not");
    let lapsed = ledger.lapsed("next").await.expect("rows");
    assert_eq!(lapsed.len(), 2, "whoever has the lock knows that the other is dead: {lapsed:?}");
    assert!(lapsed.contains(&sent) && lapsed.contains(&claimed[0]));
}

pub(super) async fn any_number_may_publish(store: Box<dyn Store>) {
    let (first, second) = (store.open(), store.open());
    let one = first.lock("daemon-1").await.expect("the right to publish");
    let two = second.lock("daemon-2").await.expect("the right to publish");
    drop((one, two));
}

pub(super) async fn there_is_one_clock_for_all(store: Box<dyn Store>) {
    let (first, second) = (store.open(), store.open());
    let before = first.time().await.expect("a time").expect("a clock of its own");
    store.pass(Duration::from_millis(50)).await;
    let after = second.time().await.expect("a time").expect("a clock of its own");
    let passed = after - before;
    assert!(passed >= TimeDelta::milliseconds(50) && passed < TimeDelta::seconds(30), "{passed}");
}

/// A delivery that `worker` has, in a store that leases.
async fn leased(ledger: &dyn Ledger, post: &str, to: &str) -> Delivery {
    let planned = put(ledger, &row(post, to, 0)).await;
    take(ledger, &planned, 10).await
}

pub(super) async fn a_lease_that_is_renewed_lasts(store: Box<dyn Store>) {
    let (ledger, other) = (store.open(), store.open());
    let claimed = leased(&*ledger, "one", "fedi").await;
    let sent = put(&*ledger, &sending(&leased(&*ledger, "one", "bsky").await, "2", 0, 10)).await;
    for _ in 0..3 {
        store.pass(store.lease() / 2).await;
        assert_eq!(other.lapsed("other").await, Ok(vec![]));
        ledger.renew("worker").await.expect("renewed");
    }
    put(&*ledger, &sending(&claimed, "1", 0, 20)).await;
    put(&*ledger, &received(&sent, 0, 20, State::Published)).await;
}

pub(super) async fn a_lease_that_is_not_renewed_lapses(store: Box<dyn Store>) {
    let (ledger, other) = (store.open(), store.open());
    let claimed = leased(&*ledger, "one", "fedi").await;
    let sent = put(&*ledger, &sending(&leased(&*ledger, "one", "bsky").await, "2", 0, 10)).await;
    assert_eq!(other.lapsed("other").await, Ok(vec![]));
    // Whoever else lives renews its own alone.
    store.pass(store.lease() / 2).await;
    other.renew("other").await.expect("nothing to renew");
    store.pass(store.lease()).await;
    let lapsed = other.lapsed("other").await.expect("rows");
    assert_eq!(lapsed.len(), 2, "{lapsed:?}");
    assert!(lapsed.contains(&claimed) && lapsed.contains(&sent));
    // The account is not free before somebody has taken it over.
    put(&*ledger, &row("two", "fedi", 0)).await;
    assert!(super::claimed(&*other, &request(20, &[("fedi", 0)])).await.is_empty());
    let mut back = claimed;
    back.state = State::Planned;
    back.owner = None;
    put(&*other, &back).await;
    assert_eq!(super::claimed(&*other, &request(20, &[("fedi", 0)])).await.len(), 1);
}

pub(super) async fn no_intent_is_taken_after_the_lease(store: Box<dyn Store>) {
    let ledger = store.open();
    let claimed = leased(&*ledger, "one", "fedi").await;
    store.pass(store.lease() + store.lease() / 2).await;
    let answer = ledger.write(&[change(&sending(&claimed, "1", 0, 20), "intent")]).await;
    assert_eq!(answer, Ok(vec![Written::Stale]));
    assert_eq!(read(&*ledger, &claimed).await, claimed, "nothing was written");
    assert_eq!(ledger.account(&account("fedi")).await.expect("a record").last_sent, None);
    // It may still be given back.
    let mut back = claimed;
    back.state = State::Planned;
    back.owner = None;
    put(&*ledger, &back).await;
}

pub(super) async fn an_answer_is_taken_after_the_lease_unless_somebody_was_faster(store: Box<dyn Store>) {
    let (ledger, other) = (store.open(), store.open());
    let first = put(&*ledger, &sending(&leased(&*ledger, "one", "fedi").await, "1", 0, 10)).await;
    let second = put(&*ledger, &sending(&leased(&*ledger, "one", "bsky").await, "2", 0, 10)).await;
    // Who has no clock of the ledger's counts from when it first looked.
    assert_eq!(other.lapsed("other").await, Ok(vec![]));
    store.pass(store.lease() + store.lease() / 2).await;
    let mut unknown = other.lapsed("other").await.expect("rows").into_iter().find(|row| row.id == second.id);
    let unknown = unknown.as_mut().expect("it has lapsed");
    unknown.state = State::Unknown;
    unknown.owner = None;
    unknown.unknown = Some(Unknown { since: at(20), looks: 0, next_look: None, repeated: false, witnessed: false });
    put(&*other, unknown).await;
    put(&*ledger, &received(&first, 0, 30, State::Published)).await;
    let late = ledger.write(&[change(&received(&second, 0, 30, State::Published), "published")]).await;
    assert_eq!(late, Ok(vec![Written::Stale]), "it is the other's now, which has to look");
}
