//! Deliveries, intents, receipts and their history.

#[cfg_attr(not(test), expect(clippy::wildcard_imports, reason = "the nouns and samples of every case"))]
use super::*;

pub(super) async fn what_is_written_is_read(store: Box<dyn Store>) {
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

pub(super) async fn a_query_narrows(store: Box<dyn Store>) {
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
    let ids = Some(vec![held.id, row("b", "bsky", 20).id, row("unheard", "bsky", 0).id]);
    assert_eq!(names(Query { ids, ..Query::default() }).await, ["b/bsky", "d/bsky"]);
    assert!(names(Query { ids: Some(Vec::new()), ..Query::default() }).await.is_empty());
}

pub(super) async fn how_deliveries_stand_is_what_their_rows_say(store: Box<dyn Store>) {
    let ledger = store.open();
    let calendar = row("any", "fedi", 0).calendar;
    assert_eq!(ledger.standings(&calendar).await, Ok(Standings::default()));
    for (number, state) in (0..).zip(State::ALL.into_iter().filter(|state| *state != State::Sending)) {
        let mut plain = row(&format!("in-{state}"), "fedi", 100 - number);
        plain.state = state;
        put(&*ledger, &plain).await;
    }
    // Everything that a comparison looks at, and what it must not take for it.
    let mut full = row("full", "bsky", 60);
    full.reason = Some(Reason::new(ReasonCode::Blackout, "with a \"quote\""));
    full.not_before = Some(at(90));
    full.late = Late { grace_seconds: 7, then: crate::model::LateThen::Skip };
    (full.released, full.any_hour) = (true, true);
    full.plan = Some(serde_json::json!({"state": "held", "receipts": [1]}));
    let full = put(&*ledger, &full).await;
    put(&*ledger, &full).await;
    begin(&*ledger, &put(&*ledger, &row("sent", "first", 1)).await, "1", 0, 2).await;
    let part = begin(&*ledger, &put(&*ledger, &row("half", "second", 1)).await, "2", 0, 2).await;
    put(&*ledger, &received(&part, 0, 3, State::Held)).await;
    let posted = Delivery { origin: Origin::Command, ..row("posted", "fedi", 5) };
    put(&*ledger, &posted).await;
    let other = CalendarName::new("other");
    let mut elsewhere = row("elsewhere", "fedi", 0);
    (elsewhere.id, elsewhere.calendar) = (crate::model::DeliveryId::MIN, other.clone());
    put(&*ledger, &elsewhere).await;

    let rows = ledger.deliveries(&Query { calendar: Some(calendar.clone()), ..Query::default() }).await.expect("rows");
    let standings = ledger.standings(&calendar).await.expect("standings");
    assert_eq!(standings, Standings::of(&rows));
    assert_eq!((standings.open.len(), standings.settled.len()), (7, 4), "without what was posted");
    let frozen: Vec<_> = standings.open.iter().filter(|row| row.frozen).map(|row| row.post.as_str()).collect();
    assert_eq!(frozen, ["half", "sent"], "{standings:?}");
    assert_eq!(standings.open.iter().find(|row| row.id == full.id).map(|row| row.version), Some(2));
    assert_eq!(ledger.standings(&other).await.expect("standings").open.len(), 1);
    assert_eq!(ledger.standings(&CalendarName::new("nobody")).await, Ok(Standings::default()));
}

pub(super) async fn a_tally_counts_by_account_and_state(store: Box<dyn Store>) {
    let ledger = store.open();
    assert_eq!(ledger.tally().await, Ok(Vec::new()));
    for (post, to, due) in [("a", "fedi", 30), ("b", "fedi", 10), ("a", "bsky", 20)] {
        put(&*ledger, &row(post, to, due)).await;
    }
    let mut waits = row("b", "bsky", 5);
    waits.not_before = Some(at(40));
    put(&*ledger, &waits).await;
    let mut held = row("c", "fedi", 1);
    held.state = State::Held;
    put(&*ledger, &held).await;
    let mut found = ledger.tally().await.expect("a tally");
    found.sort_by(|a, b| (&a.account, a.state).cmp(&(&b.account, b.state)));
    let tally = |name: &str, state: State, count: u64, ready: i64| Tally {
        account: account(name),
        network: held.network.clone(),
        state,
        count,
        ready: at(ready),
    };
    let planned = State::Planned;
    let expected = [tally("bsky", planned, 2, 20), tally("fedi", planned, 2, 10), tally("fedi", State::Held, 1, 1)];
    assert_eq!(found, expected);
}

pub(super) async fn a_write_over_an_old_version_changes_nothing(store: Box<dyn Store>) {
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

pub(super) async fn a_batch_writes_what_can_be_written(store: Box<dyn Store>) {
    let ledger = store.open();
    let known = put(&*ledger, &row("known", "fedi", 1)).await;
    let stale = Write { expect: 0, ..change(&known, "planned") };
    let fresh = [row("x", "fedi", 2), row("y", "fedi", 3)];
    let answers = ledger.write(&[change(&fresh[0], "planned"), stale, change(&fresh[1], "planned")]).await;
    assert_eq!(answers, Ok(vec![Written::Done, Written::Stale, Written::Done]));
    assert_eq!(ledger.deliveries(&Query::default()).await.expect("rows").len(), 3);
    assert_eq!(ledger.write(&[]).await, Ok(vec![]));
}

pub(super) async fn an_occurrence_reaches_an_identity_once(store: Box<dyn Store>) {
    let ledger = store.open();
    let first = put(&*ledger, &row("launch", "fedi", 0)).await;
    let first = publish(&*ledger, &first, "1", 1).await;
    // The account was given another name: its delivery is another one, its identity is the same.
    let renamed = put(&*ledger, &row("launch", "fediverse", 0)).await;
    let renamed = take(&*ledger, &renamed, 9).await;
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
    begin(&*ledger, &other, "2", 0, 11).await;
    let next = put(&*ledger, &row("launch@2", "fedi", 0)).await;
    begin(&*ledger, &next, "1", 0, 12).await;
    // And a row that would send again what it has a receipt for is a mistake that the ledger stops.
    let again = sending(&first, "1", 0, 20);
    let answer = ledger.write(&[change(&again, "intent")]).await;
    assert!(matches!(answer.as_deref(), Ok([Written::AlreadyOut { .. }])), "{answer:?}");
}

pub(super) async fn an_open_intent_keeps_others_away(store: Box<dyn Store>) {
    let ledger = store.open();
    let first = put(&*ledger, &row("launch", "fedi", 0)).await;
    let second = put(&*ledger, &row("launch", "fediverse", 0)).await;
    let (first, second) = (take(&*ledger, &first, 1).await, take(&*ledger, &second, 1).await);
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

pub(super) async fn a_thread_goes_on_part_by_part(store: Box<dyn Store>) {
    let ledger = store.open();
    let mut thread = put(&*ledger, &row("thread", "fedi", 0)).await;
    thread = take(&*ledger, &thread, 0).await;
    for part in 0..3_u16 {
        let when = i64::from(part) * 10;
        thread = put(&*ledger, &sending(&thread, "1", part, when)).await;
        let state = if part == 2 { State::Published } else { State::Claimed };
        thread = put(&*ledger, &received(&thread, part, when + 1, state)).await;
    }
    assert_eq!(thread.receipts.len(), 3);
    let renamed = put(&*ledger, &row("thread", "fediverse", 0)).await;
    let renamed = take(&*ledger, &renamed, 99).await;
    let answer = ledger.write(&[change(&sending(&renamed, "1", 2, 99), "intent")]).await;
    assert_eq!(answer, Ok(vec![Written::AlreadyOut { by: thread.id, receipt: Some(receipt(2, 21)) }]));
}

pub(super) async fn a_new_generation_may_go_out_again(store: Box<dyn Store>) {
    let ledger = store.open();
    let first = put(&*ledger, &row("launch", "fedi", 0)).await;
    let mut again = publish(&*ledger, &first, "1", 1).await;
    again.generation = 1;
    again.state = State::Planned;
    again.receipts.clear();
    again.published_at = None;
    let again = put(&*ledger, &again).await;
    let again = publish(&*ledger, &again, "1", 50).await;
    assert_eq!((again.state, again.generation), (State::Published, 1));
}

pub(super) async fn events_are_a_history(store: Box<dyn Store>) {
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

pub(super) async fn all_of_it_survives_reopening(store: Box<dyn Store>) {
    let ledger = store.open();
    let sent = begin(&*ledger, &put(&*ledger, &row("one", "fedi", 0)).await, "1", 0, 5).await;
    ledger.pause(None, Some((at(1), "holiday".to_owned()))).await.expect("a pause");
    drop(ledger);
    let ledger = store.open();
    assert_eq!(read(&*ledger, &sent).await, sent, "the intent is there");
    assert_eq!(ledger.paused().await, Ok(Some((at(1), "holiday".to_owned()))));
    assert_eq!(ledger.account(&account("fedi")).await.expect("a record").last_sent, Some(at(5)));
    ledger.pause(None, None).await.expect("resumed");
    let other = put(&*ledger, &row("one", "fediverse", 0)).await;
    let other = take(&*ledger, &other, 9).await;
    let answer = ledger.write(&[change(&sending(&other, "1", 0, 9), "intent")]).await;
    assert_eq!(answer, Ok(vec![Written::AlreadyOut { by: sent.id, receipt: None }]));
}

pub(super) async fn of_many_writes_over_one_version_one_is_taken(store: Box<dyn Store>) {
    let first = put(&*store.open(), &row("launch", "fedi", 60)).await;
    let writers = (0..4_i64).map(|writer| {
        let (ledger, mut next) = (store.open(), first.clone());
        next.due = at(100 + writer);
        async move { ledger.write(&[change(&next, "moved")]).await.expect("a write") }
    });
    let answers = together(writers.collect()).await;
    let taken = answers.iter().filter(|answer| **answer == [Written::Done]).count();
    let stale = answers.iter().filter(|answer| **answer == [Written::Stale]).count();
    assert_eq!((taken, stale), (1, 3), "{answers:?}");
    assert_eq!(store.open().events(Some(first.id), 10).await.expect("events").len(), 2);
}

pub(super) async fn of_many_who_begin_one_part_one_does(store: Box<dyn Store>) {
    let ledger = store.open();
    let mut rows = Vec::new();
    for name in ["fedi", "fediverse", "second", "third"] {
        let planned = put(&*ledger, &row("launch", name, 0)).await;
        rows.push(take(&*ledger, &planned, 1).await);
    }
    let writers = rows.iter().map(|row| {
        let (ledger, next) = (store.open(), sending(row, "1", 0, 2));
        async move { ledger.write(&[change(&next, "intent")]).await.expect("a write").remove(0) }
    });
    let answers = together(writers.collect()).await;
    let begun: Vec<_> = rows.iter().zip(&answers).filter(|(_, answer)| **answer == Written::Done).collect();
    let [(first, _)] = begun.as_slice() else { panic!("one begins: {answers:?}") };
    let out = Written::AlreadyOut { by: first.id, receipt: None };
    assert_eq!(answers.iter().filter(|answer| **answer == out).count(), 3, "{answers:?}");
}

/// An unknown that is sent again was not claimed: it is refused while somebody else is at work on its account, and when a
/// call began there after it was decided. Else its account is busy.
pub(super) async fn a_repeat_waits_for_its_account(store: Box<dyn Store>) {
    let ledger = store.open();
    let first = put(&*ledger, &row("first", "fedi", 0)).await;
    let mut unknown = begin(&*ledger, &first, "1", 0, 1).await;
    (unknown.state, unknown.owner) = (State::Unknown, None);
    unknown.unknown = Some(Unknown { since: at(2), looks: 1, next_look: None, repeated: false, witnessed: false });
    let unknown = put(&*ledger, &unknown).await;
    let repeat = async |decided: i64| {
        let again = change(&sending(&unknown, "1", 0, decided), "repeat");
        ledger.write(&[again]).await.expect("a write").remove(0)
    };
    let second = put(&*ledger, &row("second", "fedi", 1)).await;
    put(&*ledger, &row("third", "fedi", 2)).await;
    let other = take(&*ledger, &second, 5).await;
    assert_eq!(repeat(10).await, Written::Stale, "another delivery is claimed");
    let other = put(&*ledger, &sending(&other, "1", 0, 11)).await;
    assert_eq!(repeat(12).await, Written::Stale, "another delivery is being sent");
    put(&*ledger, &received(&other, 0, 12, State::Published)).await;
    assert_eq!(repeat(10).await, Written::Stale, "a call has begun since it was decided");
    assert_eq!(read(&*ledger, &unknown).await, unknown, "nothing was written");
    assert_eq!(repeat(12).await, Written::Done);
    assert!(claimed(&*ledger, &request(60, &[("fedi", 0)])).await.is_empty(), "its account is busy");
}
