//! The behaviour suite: what every ledger does, told as cases. An implementation's test hands each case a store of its
//! own and lets it run.
//!
//! The cases panic with what was expected; they use whole seconds only, since implementations may round below a
//! microsecond.

use std::collections::{BTreeMap, BTreeSet};
use std::pin::Pin;
use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};

use super::{
    Burst, CalendarRecord, ClaimRequest, Ledger, LedgerError, Query, SeriesRecord, StoredPost, Write, Written,
};
use crate::model::{
    AccountName, Binding, CalendarName, Content, Delivery, Event, Frozen, Intent, Late, LimitOverrides, OccurrenceName,
    Origin, Post, PostId, Reason, ReasonCode, Receipt, State, Unknown,
};

/// Where a ledger is kept. A case gets an empty one.
pub trait Store: Send + Sync {
    /// Opens the ledger: each call a handle of its own on the same store, as another process would have.
    fn open(&self) -> Arc<dyn Ledger>;
}

/// A case at work.
pub type Running = Pin<Box<dyn Future<Output = ()>>>;
/// A case: panics when the ledger does something else.
pub type Case = fn(Box<dyn Store>) -> Running;

macro_rules! cases {
    ($($name:ident),* $(,)?) => {
        /// Every case with its name.
        pub fn all() -> &'static [(&'static str, Case)] {
            &[$((stringify!($name), |store| Box::pin($name(store)))),*]
        }
    };
}

cases![
    what_is_written_is_read,
    a_query_narrows,
    a_write_over_an_old_version_changes_nothing,
    a_batch_writes_what_can_be_written,
    a_claim_takes_the_earliest_that_is_ready,
    a_claim_takes_one_per_account,
    a_claim_is_for_one_worker,
    a_claim_is_of_the_workers_calendars,
    spacing_is_counted_from_the_intent,
    paused_accounts_are_left_alone,
    a_claim_may_be_for_some_rows_only,
    the_next_time_is_one_at_which_a_claim_succeeds,
    an_occurrence_reaches_an_identity_once,
    an_open_intent_keeps_others_away,
    a_thread_goes_on_part_by_part,
    a_new_generation_may_go_out_again,
    bindings_hold,
    calendars_are_kept,
    variations_follow_the_series,
    posts_are_kept,
    limits_are_kept,
    events_are_a_history,
    one_process_publishes,
    all_of_it_survives_reopening,
];

fn start() -> DateTime<Utc> {
    DateTime::from_timestamp(1_800_000_000, 0).expect("a time in 2027")
}

fn at(seconds: i64) -> DateTime<Utc> {
    start() + TimeDelta::seconds(seconds)
}

fn account(name: &str) -> AccountName {
    AccountName::new(name)
}

fn acme() -> CalendarName {
    CalendarName::new("acme")
}

fn row(post: &str, to: &str, due: i64) -> Delivery {
    let id = PostId::new(post.split('@').next().unwrap_or(post));
    Delivery::planned(
        acme(),
        id,
        OccurrenceName::new(post),
        account(to),
        "some-network",
        Origin::Calendar,
        at(due),
        at(due).naive_utc(),
        Late::default(),
    )
}

fn event(delivery: &Delivery, kind: &str) -> Event {
    Event {
        at: delivery.due,
        delivery: delivery.id,
        kind: kind.to_owned(),
        state: delivery.state,
        detail: format!("{kind} it"),
        actor: "smm".to_owned(),
    }
}

fn change(delivery: &Delivery, kind: &str) -> Write {
    Write::new(delivery.clone(), delivery.version, event(delivery, kind))
}

/// Writes a row and hands back what the ledger then holds.
async fn put(ledger: &dyn Ledger, delivery: &Delivery) -> Delivery {
    let written = ledger.write(&[change(delivery, "planned")]).await.expect("a write");
    assert_eq!(written, [Written::Done], "{delivery:?}");
    read(ledger, delivery).await
}

async fn read(ledger: &dyn Ledger, delivery: &Delivery) -> Delivery {
    ledger.delivery(delivery.id).await.expect("a read").expect("the row is there")
}

fn request(now: i64, accounts: &[(&str, u64)]) -> ClaimRequest {
    ClaimRequest {
        owner: "worker".to_owned(),
        now: at(now),
        accounts: accounts.iter().map(|&(name, spacing)| (account(name), spacing)).collect(),
        calendars: Vec::new(),
        limit: 100,
        only: None,
        burst: Burst::default(),
    }
}

async fn claimed(ledger: &dyn Ledger, request: &ClaimRequest) -> Vec<String> {
    let rows = ledger.claim(request).await.expect("a claim");
    rows.iter().map(|row| row.occurrence.as_str().to_owned()).collect()
}

fn binding(uid: &str) -> Binding {
    Binding {
        network: "some-network".to_owned(),
        host: "https://fedi.example".to_owned(),
        uid: uid.to_owned(),
        handle: "@acme@fedi.example".to_owned(),
    }
}

fn sending(delivery: &Delivery, uid: &str, part: u16, when: i64) -> Delivery {
    let mut next = delivery.clone();
    next.attempts += 1;
    next.state = State::Sending;
    next.intent = Some(Intent {
        frozen: Frozen { part, key: format!("key-{part}"), request: serde_json::json!({"status": "hello"}) },
        binding: binding(uid),
        attempt: next.attempts,
        first_at: at(when),
        at: at(when),
    });
    next
}

fn receipt(part: u16, when: i64) -> Receipt {
    Receipt {
        part,
        id: format!("remote-{part}"),
        url: Some(format!("https://fedi.example/{part}")),
        at: at(when),
        data: serde_json::Value::Null,
    }
}

fn received(delivery: &Delivery, part: u16, when: i64, state: State) -> Delivery {
    let mut next = delivery.clone();
    next.intent = None;
    next.receipts.push(receipt(part, when));
    next.state = state;
    if state == State::Published {
        next.published_at = Some(at(when));
    }
    next
}

async fn what_is_written_is_read(store: Box<dyn Store>) {
    let ledger = store.open();
    let mut full = row("launch", "fedi", 60);
    full.reason = Some(Reason::new(ReasonCode::Throttled, "come later"));
    full.not_before = Some(at(90));
    full.variation = Some(2);
    full.plan = Some(serde_json::json!({"steps": []}));
    full.unknown = Some(Unknown { since: at(1), looks: 1, next_look: Some(at(2)), repeated: false, witnessed: true });
    full.owner = Some("worker".to_owned());
    let stored = put(&*ledger, &full).await;
    full.version = 1;
    assert_eq!(stored, full);
    assert_eq!(ledger.delivery(row("other", "fedi", 0).id).await, Ok(None));
}

async fn a_query_narrows(store: Box<dyn Store>) {
    let ledger = store.open();
    for (post, to, due) in [("c", "fedi", 30), ("a", "fedi", 10), ("a", "bsky", 10), ("b", "bsky", 20)] {
        put(&*ledger, &row(post, to, due)).await;
    }
    let mut held = row("d", "bsky", 40);
    held.state = State::Held;
    put(&*ledger, &held).await;
    let names = async |query: Query| -> Vec<String> {
        let rows = ledger.deliveries(&query).await.expect("a query");
        rows.iter().map(|row| format!("{}/{}", row.post, row.account)).collect()
    };
    let all = names(Query::default()).await;
    assert_eq!((all.len(), all[2].as_str(), all[4].as_str()), (5, "b/bsky", "d/bsky"), "earliest first: {all:?}");
    assert_eq!(names(Query { latest: Some(2), ..Query::default() }).await, ["d/bsky", "c/fedi"]);
    assert_eq!(names(Query { states: vec![State::Held, State::Failed], ..Query::default() }).await, ["d/bsky"]);
    let of_a = Query { post: Some(PostId::new("a")), account: Some(account("fedi")), ..Query::default() };
    assert_eq!(names(of_a).await, ["a/fedi"]);
    assert!(names(Query { calendar: Some(CalendarName::new("other")), ..Query::default() }).await.is_empty());
    let start = held.id.to_string()[..9].to_uppercase();
    assert_eq!(names(Query { id_start: Some(start), ..Query::default() }).await, ["d/bsky"]);
    assert!(names(Query { id_start: Some("%".to_owned()), ..Query::default() }).await.is_empty());
}

async fn a_write_over_an_old_version_changes_nothing(store: Box<dyn Store>) {
    let ledger = store.open();
    let first = put(&*ledger, &row("launch", "fedi", 60)).await;
    // A row that must be new is not new any more.
    let again = Write { expect: 0, ..change(&row("launch", "fedi", 99), "planned") };
    assert_eq!(ledger.write(&[again]).await, Ok(vec![Written::Stale]));
    let mut moved = first.clone();
    moved.due = at(120);
    let moved = put(&*ledger, &moved).await;
    assert_eq!(moved.version, 2);
    let mut late = first;
    late.state = State::Cancelled;
    assert_eq!(ledger.write(&[change(&late, "cancelled")]).await, Ok(vec![Written::Stale]));
    assert_eq!(read(&*ledger, &moved).await, moved);
    // A row that was never written cannot be changed.
    let mut unheard = row("unheard", "fedi", 1);
    unheard.version = 7;
    assert_eq!(ledger.write(&[change(&unheard, "moved")]).await, Ok(vec![Written::Stale]));
    assert_eq!(ledger.delivery(unheard.id).await, Ok(None));
    assert_eq!(ledger.events(Some(moved.id), 10).await.expect("events").len(), 2, "a stale write leaves no event");
}

async fn a_batch_writes_what_can_be_written(store: Box<dyn Store>) {
    let ledger = store.open();
    let known = put(&*ledger, &row("known", "fedi", 1)).await;
    let stale = Write { expect: 0, ..change(&known, "planned") };
    let fresh = [row("x", "fedi", 2), row("y", "fedi", 3)];
    let answers = ledger.write(&[change(&fresh[0], "planned"), stale, change(&fresh[1], "planned")]).await;
    assert_eq!(answers, Ok(vec![Written::Done, Written::Stale, Written::Done]));
    assert_eq!(ledger.deliveries(&Query::default()).await.expect("rows").len(), 3);
    assert_eq!(ledger.write(&[]).await, Ok(vec![]));
}

async fn a_claim_takes_the_earliest_that_is_ready(store: Box<dyn Store>) {
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

async fn a_claim_takes_one_per_account(store: Box<dyn Store>) {
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

async fn a_claim_is_of_the_workers_calendars(store: Box<dyn Store>) {
    let ledger = store.open();
    ledger.write(&[change(&row("one", "fedi", 10), "planned")]).await.expect("a row");
    let of = |name: &str| ClaimRequest { calendars: vec![CalendarName::new(name)], ..request(10, &[("fedi", 0)]) };
    assert_eq!(ledger.next_ready(&of("other")).await, Ok(None));
    assert!(claimed(&*ledger, &of("other")).await.is_empty());
    assert_eq!(ledger.next_ready(&of("acme")).await, Ok(Some(at(10))));
    assert_eq!(claimed(&*ledger, &of("acme")).await, ["one"]);
}

async fn a_claim_is_for_one_worker(store: Box<dyn Store>) {
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

async fn spacing_is_counted_from_the_intent(store: Box<dyn Store>) {
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

async fn paused_accounts_are_left_alone(store: Box<dyn Store>) {
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

async fn a_claim_may_be_for_some_rows_only(store: Box<dyn Store>) {
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

async fn the_next_time_is_one_at_which_a_claim_succeeds(store: Box<dyn Store>) {
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

async fn an_occurrence_reaches_an_identity_once(store: Box<dyn Store>) {
    let ledger = store.open();
    let first = put(&*ledger, &row("launch", "fedi", 0)).await;
    let first = put(&*ledger, &sending(&first, "1", 0, 1)).await;
    let first = put(&*ledger, &received(&first, 0, 2, State::Published)).await;
    // The account was given another name: its delivery is another one, its identity is the same.
    let renamed = put(&*ledger, &row("launch", "fediverse", 0)).await;
    let attempt = sending(&renamed, "1", 0, 10);
    let answer = ledger.write(&[change(&attempt, "intent")]).await;
    assert_eq!(answer, Ok(vec![Written::AlreadyOut { by: first.id, receipt: Some(receipt(0, 2)) }]));
    assert_eq!(read(&*ledger, &renamed).await, renamed, "nothing was written");
    assert_eq!(ledger.account(&account("fediverse")).await.expect("a record").last_sent, None);
    // The row may then say what is true, with the other's receipt.
    let mut settled = received(&renamed, 0, 2, State::Published);
    settled.reason = Some(Reason::new(ReasonCode::Already, "as `fedi`"));
    put(&*ledger, &settled).await;
    // Another identity, and another occurrence, are free.
    let other = put(&*ledger, &row("launch", "second", 0)).await;
    put(&*ledger, &sending(&other, "2", 0, 11)).await;
    let next = put(&*ledger, &row("launch@2", "fedi", 0)).await;
    put(&*ledger, &sending(&next, "1", 0, 12)).await;
    // And a row that would send again what it has a receipt for is a mistake that the ledger stops.
    let again = sending(&first, "1", 0, 20);
    let answer = ledger.write(&[change(&again, "intent")]).await;
    assert!(matches!(answer.as_deref(), Ok([Written::AlreadyOut { .. }])), "{answer:?}");
}

async fn an_open_intent_keeps_others_away(store: Box<dyn Store>) {
    let ledger = store.open();
    let first = put(&*ledger, &row("launch", "fedi", 0)).await;
    let second = put(&*ledger, &row("launch", "fediverse", 0)).await;
    // In one batch, too.
    let both = [sending(&first, "1", 0, 1), sending(&second, "1", 0, 1)];
    let answers = ledger.write(&both.each_ref().map(|row| change(row, "intent"))).await.expect("a write");
    assert_eq!(answers, [Written::Done, Written::AlreadyOut { by: first.id, receipt: None }]);
    let mut unknown = read(&*ledger, &first).await;
    unknown.state = State::Unknown;
    let unknown = put(&*ledger, &unknown).await;
    let refused = ledger.write(&[change(&both[1], "intent")]).await.expect("a write");
    assert_eq!(refused, [Written::AlreadyOut { by: first.id, receipt: None }]);
    // The same delivery may send its request again.
    let again = put(&*ledger, &sending(&unknown, "1", 0, 30)).await;
    // After a definite no, the other is free to try.
    let mut failed = again;
    failed.intent = None;
    failed.state = State::Failed;
    put(&*ledger, &failed).await;
    put(&*ledger, &sending(&second, "1", 0, 40)).await;
}

async fn a_thread_goes_on_part_by_part(store: Box<dyn Store>) {
    let ledger = store.open();
    let mut thread = put(&*ledger, &row("thread", "fedi", 0)).await;
    for part in 0..3_u16 {
        let when = i64::from(part) * 10;
        thread = put(&*ledger, &sending(&thread, "1", part, when)).await;
        let state = if part == 2 { State::Published } else { State::Claimed };
        thread = put(&*ledger, &received(&thread, part, when + 1, state)).await;
    }
    assert_eq!(thread.receipts.len(), 3);
    let renamed = put(&*ledger, &row("thread", "fediverse", 0)).await;
    let answer = ledger.write(&[change(&sending(&renamed, "1", 2, 99), "intent")]).await;
    assert_eq!(answer, Ok(vec![Written::AlreadyOut { by: thread.id, receipt: Some(receipt(2, 21)) }]));
}

async fn a_new_generation_may_go_out_again(store: Box<dyn Store>) {
    let ledger = store.open();
    let first = put(&*ledger, &row("launch", "fedi", 0)).await;
    let first = put(&*ledger, &sending(&first, "1", 0, 1)).await;
    let mut again = put(&*ledger, &received(&first, 0, 2, State::Published)).await;
    again.generation = 1;
    again.receipts.clear();
    again.published_at = None;
    let again = put(&*ledger, &sending(&again, "1", 0, 50)).await;
    let again = put(&*ledger, &received(&again, 0, 51, State::Published)).await;
    assert_eq!((again.state, again.generation), (State::Published, 1));
}

async fn bindings_hold(store: Box<dyn Store>) {
    let ledger = store.open();
    let name = account("fedi");
    assert_eq!(ledger.account(&name).await.expect("a record").binding, None);
    assert_eq!(ledger.bind(&name, &binding("1")).await, Ok(binding("1")));
    assert_eq!(ledger.bind(&name, &binding("2")).await, Ok(binding("1")), "the first one holds");
    assert_eq!(ledger.unbind(&name).await, Ok(Some(binding("1"))), "a person said so");
    assert_eq!(ledger.account(&name).await.expect("a record").binding, None);
    assert_eq!(ledger.unbind(&name).await, Ok(None));
    assert_eq!(ledger.bind(&name, &binding("2")).await, Ok(binding("2")));
    assert_eq!(ledger.account(&name).await.expect("a record").binding, Some(binding("2")));
}

async fn calendars_are_kept(store: Box<dyn Store>) {
    let ledger = store.open();
    assert_eq!(ledger.calendar(&acme()).await, Ok(CalendarRecord::default()));
    let series = |rule: &str, day: i64| SeriesRecord { rule: rule.to_owned(), watermark: at(day * 86_400).naive_utc() };
    let mut record = CalendarRecord {
        first_seen: Some(at(0)),
        series: BTreeMap::from([("tip".to_owned(), series("0 9 * * MON", 1)), ("old".to_owned(), series("x", 2))]),
        adopted: None,
    };
    ledger.put_calendar(&acme(), &record).await.expect("stored");
    ledger.put_calendar(&CalendarName::new("other"), &CalendarRecord::default()).await.expect("stored");
    assert_eq!(ledger.calendar(&acme()).await, Ok(record.clone()));
    record.series.remove("old");
    record.series.insert("tip".to_owned(), series("0 9 * * TUE", 9));
    ledger.put_calendar(&acme(), &record).await.expect("stored");
    assert_eq!(ledger.calendar(&acme()).await, Ok(record));
}

async fn variations_follow_the_series(store: Box<dyn Store>) {
    let ledger = store.open();
    let of = async |occurrence: &str, to: &str, count| {
        ledger.variation(&row(occurrence, to, 0), count).await.expect("a variation")
    };
    assert_eq!(of("tip@2026-12-07T09:00:00", "fedi", 3).await, 0);
    assert_eq!(of("tip@2026-12-07T09:00:00", "bsky", 3).await, 0, "the same for all accounts");
    assert_eq!(of("tip@2026-12-14T09:00:00", "bsky", 3).await, 1);
    assert_eq!(of("tip@2026-12-14T09:00:00", "fedi", 3).await, 1);
    assert_eq!(of("news@2026-12-14T09:00:00", "fedi", 3).await, 0, "another series");
    assert_eq!(of("tip@2026-12-21T09:00:00", "fedi", 3).await, 2);
    assert_eq!(of("tip@2026-12-28T09:00:00", "fedi", 3).await, 0);
    assert_eq!(of("tip@2026-12-14T09:00:00", "late", 3).await, 1, "settled once");
    assert!(of("tip@2026-12-21T09:00:00", "fedi", 2).await < 2, "texts were taken away");
    assert!(of("tip@2027-01-04T09:00:00", "fedi", 1).await < 1);
}

async fn posts_are_kept(store: Box<dyn Store>) {
    let ledger = store.open();
    let calendar = CalendarName::new("post");
    let id = PostId::new("k3v9");
    assert_eq!(ledger.post(&calendar, &id).await, Ok(None));
    let post = StoredPost {
        post: Post {
            id: id.clone(),
            name: id.clone(),
            trigger: None,
            to: vec![account("fedi")],
            content: Content { text: Some("Grüße 👋".to_owned()), ..Content::default() },
            overrides: BTreeMap::new(),
            campaign: None,
            late: Late::default(),
            draft: false,
        },
        folder: Some("media/k3v9".to_owned()),
        timezone: "Europe/Berlin".to_owned(),
        at: at(3),
    };
    ledger.put_post(&calendar, &post).await.expect("stored");
    assert_eq!(ledger.post(&calendar, &id).await, Ok(Some(post)));
    assert_eq!(ledger.post(&acme(), &id).await, Ok(None));
}

async fn limits_are_kept(store: Box<dyn Store>) {
    let ledger = store.open();
    let limits = LimitOverrides { text: Some(5000), ..LimitOverrides::default() };
    ledger.put_limits(&account("fedi"), &limits, at(7)).await.expect("stored");
    let record = ledger.account(&account("fedi")).await.expect("a record");
    assert_eq!((record.limits, record.binding), (Some((limits, at(7))), None));
}

async fn events_are_a_history(store: Box<dyn Store>) {
    let ledger = store.open();
    let first = put(&*ledger, &row("one", "fedi", 0)).await;
    put(&*ledger, &row("two", "fedi", 1)).await;
    let mut cancelled = first.clone();
    cancelled.state = State::Cancelled;
    ledger.write(&[change(&cancelled, "cancelled")]).await.expect("a write");
    let history = ledger.events(Some(first.id), 10).await.expect("events");
    assert_eq!(history, [event(&first, "planned"), event(&cancelled, "cancelled")], "oldest first");
    let latest = ledger.events(None, 2).await.expect("events");
    assert_eq!(latest.iter().map(|event| event.kind.as_str()).collect::<Vec<_>>(), ["cancelled", "planned"]);
    assert_ne!(latest[1].delivery, first.id, "newest first");
}

async fn one_process_publishes(store: Box<dyn Store>) {
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

async fn all_of_it_survives_reopening(store: Box<dyn Store>) {
    let ledger = store.open();
    let sent = put(&*ledger, &sending(&put(&*ledger, &row("one", "fedi", 0)).await, "1", 0, 5)).await;
    ledger.pause(None, Some((at(1), "holiday".to_owned()))).await.expect("a pause");
    drop(ledger);
    let ledger = store.open();
    assert_eq!(read(&*ledger, &sent).await, sent, "the intent is there");
    assert_eq!(ledger.paused().await, Ok(Some((at(1), "holiday".to_owned()))));
    assert_eq!(ledger.account(&account("fedi")).await.expect("a record").last_sent, Some(at(5)));
    let other = put(&*ledger, &row("one", "fediverse", 0)).await;
    let answer = ledger.write(&[change(&sending(&other, "1", 0, 9), "intent")]).await;
    assert_eq!(answer, Ok(vec![Written::AlreadyOut { by: sent.id, receipt: None }]));
}

/// Runs futures side by side, on one thread; the ledgers' own threads do the work at the same time.
async fn together<T>(futures: Vec<impl Future<Output = T>>) -> Vec<T> {
    let mut futures: Vec<_> = futures.into_iter().map(Box::pin).collect();
    let mut done: Vec<Option<T>> = futures.iter().map(|_| None).collect();
    std::future::poll_fn(move |context| {
        for (future, done) in futures.iter_mut().zip(&mut done) {
            if done.is_none()
                && let std::task::Poll::Ready(value) = future.as_mut().poll(context)
            {
                *done = Some(value);
            }
        }
        if done.iter().all(Option::is_some) {
            std::task::Poll::Ready(done.iter_mut().filter_map(Option::take).collect())
        } else {
            std::task::Poll::Pending
        }
    })
    .await
}
