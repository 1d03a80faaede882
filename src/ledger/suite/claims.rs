//! Who is next, and when.

#[cfg_attr(not(test), expect(clippy::wildcard_imports, reason = "the nouns and samples of every case"))]
use super::*;

pub(super) async fn a_claim_takes_the_earliest_that_is_ready(store: Box<dyn Store>) {
    let ledger = store.open();
    for (post, due) in [("later", 20), ("first", 10), ("future", 500)] {
        put(&*ledger, &row(post, "fedi", due)).await;
    }
    let mut waits = row("waits", "fedi", 5);
    waits.not_before = Some(at(100));
    put(&*ledger, &waits).await;
    let mut held = row("held", "fedi", 1);
    held.state = State::Held;
    put(&*ledger, &held).await;
    assert!(claimed(&*ledger, &request(9, &[("fedi", 0)])).await.is_empty(), "never early");
    assert!(claimed(&*ledger, &request(50, &[("bsky", 0)])).await.is_empty(), "an account that is not served");
    let rows = ledger.claim(&request(10, &[("fedi", 0)])).await.expect("a claim");
    let [first] = rows.as_slice() else { panic!("one is ready: {rows:?}") };
    assert_eq!(first.occurrence.as_str(), "first");
    assert_eq!((first.state, first.version, first.fence), (State::Claimed, 2, 1));
    assert_eq!(first.owner.as_deref(), Some("worker"));
    assert_eq!(&read(&*ledger, first).await, first, "the claim is stored");
    let events = ledger.events(Some(first.id), 10).await.expect("events");
    let last = events.last().expect("an event");
    assert_eq!((last.kind.as_str(), last.state, last.at), ("claimed", State::Claimed, at(10)));
    // Given back, it is not the earliest any more once the one that waited is ready.
    let mut back = first.clone();
    back.state = State::Planned;
    back.owner = None;
    put(&*ledger, &back).await;
    assert_eq!(claimed(&*ledger, &request(100, &[("fedi", 0)])).await, ["waits"]);
    assert_eq!(read(&*ledger, first).await.fence, 1, "the fence stays when a row is given back");
}

pub(super) async fn a_claim_takes_one_per_account(store: Box<dyn Store>) {
    let ledger = store.open();
    for to in ["a", "b", "c"] {
        for (post, due) in [("one", 10), ("two", 20)] {
            put(&*ledger, &row(post, to, due + i64::from(to == "a"))).await;
        }
    }
    let served = [("a", 0), ("b", 0), ("c", 0)];
    let limited = ClaimRequest { limit: 2, ..request(60, &served) };
    let rows = ledger.claim(&limited).await.expect("a claim");
    let accounts: BTreeSet<&str> = rows.iter().map(|row| row.account.as_str()).collect();
    assert_eq!((rows.len(), accounts), (2, BTreeSet::from(["b", "c"])), "earliest due first, one per account");
    assert_eq!(claimed(&*ledger, &request(60, &served)).await, ["one"], "only `a` is free");
    assert!(claimed(&*ledger, &request(60, &served)).await.is_empty());
    assert_eq!(ledger.next_ready(&request(60, &served)).await, Ok(None), "all are busy: the end of a call wakes");
    // Sending keeps an account busy as well; unknown does not.
    let mut sent = sending(&rows[0], "1", 0, 60);
    sent = put(&*ledger, &sent).await;
    assert!(claimed(&*ledger, &request(60, &served)).await.is_empty());
    sent.state = State::Unknown;
    put(&*ledger, &sent).await;
    assert_eq!(claimed(&*ledger, &request(60, &served)).await, ["two"]);
}

pub(super) async fn a_claim_is_of_the_workers_calendars(store: Box<dyn Store>) {
    let ledger = store.open();
    ledger.write(&[change(&row("one", "fedi", 10), "planned")]).await.expect("a row");
    let of = |name: &str| ClaimRequest { calendars: vec![CalendarName::new(name)], ..request(10, &[("fedi", 0)]) };
    assert_eq!(ledger.next_ready(&of("other")).await, Ok(None));
    assert!(claimed(&*ledger, &of("other")).await.is_empty());
    assert_eq!(ledger.next_ready(&of("acme")).await, Ok(Some(at(10))));
    assert_eq!(claimed(&*ledger, &of("acme")).await, ["one"]);
}

pub(super) async fn a_claim_is_for_one_worker(store: Box<dyn Store>) {
    const ACCOUNTS: usize = 20;
    const WORKERS: usize = 4;
    let ledger = store.open();
    let names: Vec<String> = (0..ACCOUNTS).map(|index| format!("account-{index}")).collect();
    let writes: Vec<Write> = names.iter().map(|name| change(&row("post", name, 1), "planned")).collect();
    ledger.write(&writes).await.expect("rows");
    let mut claims = Vec::new();
    for worker in 0..WORKERS {
        let ledger = store.open();
        let request = ClaimRequest {
            owner: format!("worker-{worker}"),
            limit: 3,
            ..request(10, &names.iter().map(|name| (name.as_str(), 0)).collect::<Vec<_>>())
        };
        claims.push(async move {
            let mut mine = Vec::new();
            loop {
                let rows = ledger.claim(&request).await.expect("a claim");
                if rows.is_empty() {
                    return mine;
                }
                mine.extend(rows);
            }
        });
    }
    let all: Vec<Delivery> = together(claims).await.into_iter().flatten().collect();
    assert_eq!(all.len(), ACCOUNTS);
    assert_eq!(all.iter().map(|row| row.id).collect::<BTreeSet<_>>().len(), ACCOUNTS, "each once");
    for row in &all {
        let stored = read(&*ledger, row).await;
        assert_eq!((stored.fence, &stored.owner), (1, &row.owner));
    }
}

pub(super) async fn spacing_is_counted_from_the_intent(store: Box<dyn Store>) {
    let ledger = store.open();
    put(&*ledger, &row("one", "fedi", 0)).await;
    put(&*ledger, &row("two", "fedi", 1)).await;
    let ask = |now| request(now, &[("fedi", 120)]);
    let first = ledger.claim(&ask(10)).await.expect("a claim").remove(0);
    let sent = put(&*ledger, &sending(&first, "1", 0, 15)).await;
    assert_eq!(ledger.account(&account("fedi")).await.expect("a record").last_sent, Some(at(15)));
    put(&*ledger, &received(&sent, 0, 40, State::Published)).await;
    assert_eq!(ledger.next_ready(&ask(41)).await, Ok(Some(at(135))));
    assert!(claimed(&*ledger, &ask(134)).await.is_empty());
    assert_eq!(claimed(&*ledger, &ask(135)).await, ["two"]);
}

pub(super) async fn paused_accounts_are_left_alone(store: Box<dyn Store>) {
    let ledger = store.open();
    put(&*ledger, &row("one", "fedi", 0)).await;
    put(&*ledger, &row("one", "bsky", 1)).await;
    let ask = request(10, &[("fedi", 0), ("bsky", 0)]);
    let pause = Some((at(5), "holiday".to_owned()));
    ledger.pause(Some(&account("fedi")), pause.clone()).await.expect("a pause");
    assert_eq!(ledger.account(&account("fedi")).await.expect("a record").paused, pause);
    assert_eq!(ledger.paused().await, Ok(None), "one account is not all of them");
    assert_eq!(ledger.next_ready(&ask).await, Ok(Some(at(1))));
    ledger.pause(None, pause.clone()).await.expect("a pause");
    assert_eq!(ledger.paused().await, Ok(pause));
    assert_eq!(ledger.next_ready(&ask).await, Ok(None));
    assert!(claimed(&*ledger, &ask).await.is_empty());
    ledger.pause(None, None).await.expect("resumed");
    let rows = ledger.claim(&ask).await.expect("a claim");
    assert_eq!(rows.iter().map(|row| row.account.as_str()).collect::<Vec<_>>(), ["bsky"]);
    ledger.pause(Some(&account("fedi")), None).await.expect("resumed");
    assert_eq!(ledger.claim(&ask).await.expect("a claim").len(), 1);
    assert_eq!(ledger.account(&account("fedi")).await.expect("a record").paused, None);
}

pub(super) async fn a_claim_may_be_for_some_rows_only(store: Box<dyn Store>) {
    let ledger = store.open();
    put(&*ledger, &row("early", "fedi", 0)).await;
    let mine = put(&*ledger, &row("mine", "fedi", 5)).await;
    let other = put(&*ledger, &row("other", "fedi", 7)).await;
    let ask = |now| ClaimRequest { only: Some(vec![other.id, mine.id]), ..request(now, &[("fedi", 0)]) };
    assert_eq!(ledger.next_ready(&ask(0)).await, Ok(Some(at(5))));
    assert!(claimed(&*ledger, &ask(4)).await.is_empty());
    assert_eq!(claimed(&*ledger, &ask(10)).await, ["mine"]);
    let nothing = ClaimRequest { only: Some(vec![]), ..request(10, &[("fedi", 0)]) };
    assert!(claimed(&*ledger, &nothing).await.is_empty());
    assert_eq!(ledger.next_ready(&nothing).await, Ok(None));
}

pub(super) async fn the_next_time_is_one_at_which_a_claim_succeeds(store: Box<dyn Store>) {
    let ledger = store.open();
    let served = [("a", 0), ("b", 30)];
    assert_eq!(ledger.next_ready(&request(0, &served)).await, Ok(None));
    let mut odd = row("odd", "a", 10);
    odd.due += TimeDelta::nanoseconds(1);
    put(&*ledger, &odd).await;
    let mut waits = row("waits", "b", 0);
    waits.not_before = Some(at(60));
    put(&*ledger, &waits).await;
    let mut now = at(0);
    let mut seen = Vec::new();
    while let Some(next) = ledger.next_ready(&ClaimRequest { now, ..request(0, &served) }).await.expect("a time") {
        now = next;
        let rows = ledger.claim(&ClaimRequest { now, ..request(0, &served) }).await.expect("a claim");
        assert!(!rows.is_empty(), "nothing was ready at {now}");
        assert!(rows.iter().all(|row| row.ready_at() <= now), "early: {rows:?}");
        seen.extend(rows.into_iter().map(|row| row.occurrence.as_str().to_owned()));
    }
    assert_eq!(seen, ["odd", "waits"]);
}

pub(super) async fn an_account_is_served_by_one_of_many_and_in_order(store: Box<dyn Store>) {
    const SPACING: i64 = 120;
    let ledger = store.open();
    for number in 0..4 {
        put(&*ledger, &row(&format!("post-{number}"), "fedi", number)).await;
    }
    let handles: Vec<_> = (0..4).map(|_| store.open()).collect();
    let ask = async |now: i64| -> Vec<Delivery> {
        let claims = handles.iter().enumerate().map(|(number, ledger)| {
            let owner = format!("worker-{number}");
            let request = ClaimRequest { owner, ..request(now, &[("fedi", 120)]) };
            async move { ledger.claim(&request).await.expect("a claim") }
        });
        together(claims.collect()).await.into_iter().flatten().collect()
    };
    let mut now = 100;
    for number in 0..4 {
        let rows = ask(now).await;
        let [first] = rows.as_slice() else { panic!("one of them has one row: {rows:?}") };
        assert_eq!(first.post.as_str(), format!("post-{number}"), "the earliest first");
        assert!(ask(now).await.is_empty(), "the account is busy");
        let sent = put(&*ledger, &sending(first, "1", 0, now)).await;
        assert!(ask(now + SPACING).await.is_empty(), "the account is busy");
        put(&*ledger, &received(&sent, 0, now + 1, State::Published)).await;
        assert!(ask(now + SPACING - 1).await.is_empty(), "its spacing is not over");
        now += SPACING;
    }
}

pub(super) async fn an_account_that_holds_off_is_left_alone(store: Box<dyn Store>) {
    let ledger = store.open();
    put(&*ledger, &row("one", "fedi", 0)).await;
    let fedi = account("fedi");
    let ask = |now| request(now, &[("fedi", 0)]);
    ledger.hold_off(&fedi, at(100), "it asks to wait").await.expect("stored");
    ledger.hold_off(&fedi, at(60), "it does not answer").await.expect("stored");
    let record = ledger.account(&fedi).await.expect("a record");
    assert_eq!(record.hold_off, Some((at(100), "it asks to wait".to_owned())), "the longer one holds");
    assert_eq!((record.paused, record.last_sent), (None, None));
    assert_eq!(ledger.next_ready(&ask(10)).await, Ok(Some(at(100))));
    assert!(claimed(&*ledger, &ask(99)).await.is_empty());
    ledger.hold_off(&fedi, at(200), "it does not answer").await.expect("stored");
    assert_eq!(ledger.next_ready(&ask(10)).await, Ok(Some(at(200))), "until later");
    ledger.hold_on(&fedi).await.expect("stored");
    ledger.hold_on(&account("nobody")).await.expect("nothing to do");
    assert_eq!(ledger.account(&fedi).await.expect("a record").hold_off, None);
    assert_eq!(claimed(&*ledger, &ask(10)).await, ["one"]);
}

/// Two posts in ten minutes, of what is overdue by more than a minute.
const SLOWLY: Burst = Burst { overdue: 60, posts: 2, within: 600 };

pub(super) async fn what_is_overdue_begins_a_few_at_a_time(store: Box<dyn Store>) {
    let ledger = store.open();
    for number in 0..4 {
        put(&*ledger, &row(&format!("late-{number}"), "fedi", number)).await;
    }
    put(&*ledger, &row("late-0", "bsky", 0)).await;
    let ask = |now| ClaimRequest { burst: SLOWLY, ..request(now, &[("fedi", 0), ("bsky", 0)]) };
    let of_fedi = |now| ClaimRequest { burst: SLOWLY, ..request(now, &[("fedi", 0)]) };
    for (number, now) in [1000, 1010].into_iter().enumerate() {
        let mut rows = ledger.claim(&of_fedi(now)).await.expect("a claim");
        assert_eq!(rows[0].post.as_str(), format!("late-{number}"));
        let sent = put(&*ledger, &sending(&rows.remove(0), "1", 0, now)).await;
        put(&*ledger, &received(&sent, 0, now + 1, State::Published)).await;
    }
    assert!(claimed(&*ledger, &of_fedi(1020)).await.is_empty(), "two have begun");
    assert_eq!(ledger.next_ready(&of_fedi(1020)).await, Ok(Some(at(1600))));
    let rows = ledger.claim(&ask(1020)).await.expect("a claim");
    assert_eq!(rows.iter().map(|row| row.account.as_str()).collect::<Vec<_>>(), ["bsky"], "each account for itself");
    // What is on time goes between them, and counts.
    put(&*ledger, &row("on-time", "fedi", 1030)).await;
    assert_eq!(ledger.next_ready(&of_fedi(1020)).await, Ok(Some(at(1030))));
    let mut rows = ledger.claim(&of_fedi(1040)).await.expect("a claim");
    assert_eq!(rows[0].post.as_str(), "on-time");
    let sent = put(&*ledger, &sending(&rows.remove(0), "1", 0, 1040)).await;
    put(&*ledger, &received(&sent, 0, 1041, State::Published)).await;
    assert_eq!(ledger.next_ready(&of_fedi(1050)).await, Ok(Some(at(1610))), "the latest two count");
    assert!(claimed(&*ledger, &of_fedi(1609)).await.is_empty());
    assert_eq!(claimed(&*ledger, &of_fedi(1610)).await, ["late-2"]);
}

pub(super) async fn parts_and_repeats_are_one_post_of_a_burst(store: Box<dyn Store>) {
    let ledger = store.open();
    let thread = put(&*ledger, &row("thread", "fedi", 0)).await;
    put(&*ledger, &row("late", "fedi", 1)).await;
    let mut sent = begin(&*ledger, &thread, "1", 0, 1000).await;
    // A definite no, and the same part again.
    sent.intent = None;
    sent.state = State::Claimed;
    let again = put(&*ledger, &sent).await;
    let sent = put(&*ledger, &sending(&again, "1", 0, 1001)).await;
    let second = put(&*ledger, &received(&sent, 0, 1002, State::Claimed)).await;
    let second = put(&*ledger, &sending(&second, "1", 1, 1003)).await;
    put(&*ledger, &received(&second, 1, 1004, State::Published)).await;
    let ask = ClaimRequest { burst: SLOWLY, ..request(1005, &[("fedi", 0)]) };
    assert_eq!(ledger.next_ready(&ask).await, Ok(Some(at(1003))));
    assert_eq!(claimed(&*ledger, &ask).await, ["late"]);
}

/// What is left of a post is no new post: neither its further parts nor another try of its own wait for the burst.
pub(super) async fn what_is_begun_goes_on_beyond_the_burst(store: Box<dyn Store>) {
    let ledger = store.open();
    let ask = |now| ClaimRequest { burst: SLOWLY, ..request(now, &[("fedi", 0)]) };
    let thread = put(&*ledger, &row("thread", "fedi", 0)).await;
    for number in 1..4 {
        put(&*ledger, &row(&format!("late-{number}"), "fedi", number)).await;
    }
    // Its first part is out, and the rest waits.
    let sent = begin(&*ledger, &thread, "1", 0, 1000).await;
    let mut part = received(&sent, 0, 1001, State::Planned);
    part.not_before = Some(at(1100));
    let part = put(&*ledger, &part).await;
    // A definite no, and it waits to be tried again.
    let mut refused = ledger.claim(&ask(1010)).await.expect("a claim").remove(0);
    assert_eq!(refused.post.as_str(), "late-1");
    refused = put(&*ledger, &sending(&refused, "1", 0, 1010)).await;
    (refused.state, refused.intent, refused.owner) = (State::Planned, None, None);
    refused.not_before = Some(at(1050));
    let refused = put(&*ledger, &refused).await;
    assert_eq!(ledger.next_ready(&ask(1020)).await, Ok(Some(at(1050))), "another try of its own");
    assert!(claimed(&*ledger, &ask(1049)).await.is_empty(), "two have begun");
    // It is overdue by now, as is the thread's rest.
    assert_eq!(ledger.next_ready(&ask(1500)).await.map(|next| next.is_some_and(|next| next <= at(1500))), Ok(true));
    let rows = ledger.claim(&ask(1500)).await.expect("a claim");
    assert_eq!(rows.iter().map(|row| row.id).collect::<Vec<_>>(), [part.id], "the earliest of the two");
    let sent = put(&*ledger, &sending(&rows[0], "1", 1, 1500)).await;
    put(&*ledger, &received(&sent, 1, 1501, State::Published)).await;
    let rows = ledger.claim(&ask(1501)).await.expect("a claim");
    assert_eq!(rows.iter().map(|row| row.id).collect::<Vec<_>>(), [refused.id]);
    let sent = put(&*ledger, &sending(&rows[0], "1", 0, 1501)).await;
    put(&*ledger, &received(&sent, 0, 1502, State::Published)).await;
    // A new one waits until the first of the two is long enough ago: the last try of the other counts.
    assert_eq!(ledger.next_ready(&ask(1503)).await, Ok(Some(at(1600))));
    assert!(claimed(&*ledger, &ask(1599)).await.is_empty());
    assert_eq!(claimed(&*ledger, &ask(1600)).await, ["late-2"]);
}

/// Many accounts, of which the first in the queue are not to be had.
pub(super) async fn a_claim_of_a_few_finds_who_is_free_among_many(store: Box<dyn Store>) {
    const ACCOUNTS: i64 = 120;
    let ledger = store.open();
    let names: Vec<String> = (0..ACCOUNTS).map(|number| format!("account-{number:03}")).collect();
    let served: Vec<(&str, u64)> = names.iter().map(|name| (name.as_str(), 0)).collect();
    let rows = names.iter().zip(0..).flat_map(|(name, due)| ["one", "two"].map(|post| row(post, name, due)));
    let mut writes: Vec<Write> = rows.map(|row| change(&row, "planned")).collect();
    // Those of nobody, of another calendar and of a later time, before all others.
    for number in 0..20 {
        let mut other = row(&format!("other-{number}"), "account-119", 0);
        (other.calendar, other.id) = (CalendarName::new("other"), row(&format!("x-{number}"), "other", 0).id);
        let mut waits = row(&format!("waits-{number}"), "account-118", 0);
        waits.not_before = Some(at(5000));
        let unserved = row(&format!("unserved-{number}"), "nobody", 0);
        writes.extend([other, waits, unserved].map(|row| change(&row, "planned")));
    }
    ledger.write(&writes).await.expect("rows");
    ledger.pause(Some(&account("account-000")), Some((at(1), "holiday".to_owned()))).await.expect("a pause");
    ledger.hold_off(&account("account-001"), at(9000), "it asks to wait").await.expect("stored");
    let few = |limit| ClaimRequest { limit, calendars: vec![acme()], ..request(1000, &served) };
    let mut order: Vec<String> = Vec::new();
    for limit in (1..5).cycle() {
        let rows = ledger.claim(&few(limit)).await.expect("a claim");
        assert!(rows.len() <= limit);
        if rows.is_empty() {
            break;
        }
        order.extend(rows.into_iter().map(|row| row.account.as_str().to_owned()));
    }
    assert_eq!(order, names[2..], "each that is free once, earliest due first");
}

/// Walks from time to time: at each a claim succeeds, and a second before it does not.
pub(super) async fn no_claim_succeeds_before_the_next_time(store: Box<dyn Store>) {
    let ledger = store.open();
    for (number, due) in [0, 10, 20, 30, 1700, 1705, 1710, 2500].into_iter().enumerate() {
        put(&*ledger, &row(&format!("post-{number}"), "fedi", due)).await;
    }
    for number in 0..3 {
        let mut waits = row(&format!("waits-{number}"), "bsky", number);
        waits.not_before = Some(at(1200 + 50 * number));
        put(&*ledger, &waits).await;
    }
    ledger.hold_off(&account("bsky"), at(1230), "it asks to wait").await.expect("stored");
    let ask = |now| ClaimRequest { burst: SLOWLY, ..request(now, &[("fedi", 45), ("bsky", 90)]) };
    let (mut now, mut seen) = (1000, 0);
    while let Some(next) = ledger.next_ready(&ask(now)).await.expect("a time") {
        let next = (next - start()).num_seconds().max(now);
        if next > now {
            assert!(claimed(&*ledger, &ask(next - 1)).await.is_empty(), "before {next}");
        }
        now = next;
        let rows = ledger.claim(&ask(now)).await.expect("a claim");
        assert!(!rows.is_empty(), "nothing is ready at {now}");
        for row in rows {
            assert!(row.ready_at() <= at(now), "early: {row:?}");
            let sent = put(&*ledger, &sending(&row, row.account.as_str(), 0, now)).await;
            put(&*ledger, &received(&sent, 0, now, State::Published)).await;
            seen += 1;
        }
    }
    assert_eq!(seen, 11, "all have gone out by {now}");
}
