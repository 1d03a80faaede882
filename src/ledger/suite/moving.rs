//! Moving a ledger: all of it goes over, or nothing is sent from it.

use std::fmt::Write as _;

#[cfg_attr(not(test), expect(clippy::wildcard_imports, reason = "the nouns and samples of every case"))]
use super::*;

/// A ledger in which there is one of each kind of thing.
async fn full(ledger: &dyn Ledger) {
    let series = SeriesRecord { rule: "0 9 * * MON".to_owned(), watermark: at(86_400).naive_utc() };
    let known =
        CalendarRecord { first_seen: Some(at(1)), series: BTreeMap::from([("tip".to_owned(), series)]), adopted: None };
    ledger.put_calendar(&acme(), &known).await.expect("stored");
    ledger.adopt(at(3)).await.expect("adopted");
    ledger.bind(&account("fedi"), &binding("1")).await.expect("bound");
    let limits = LimitOverrides { text: Some(5000), ..LimitOverrides::default() };
    ledger.put_limits(&account("fedi"), &limits, at(7)).await.expect("stored");
    ledger.hold_off(&account("bsky"), at(5000), "it asks to wait").await.expect("stored");
    let post = StoredPost {
        post: Post {
            id: PostId::new("k3v9"),
            name: PostId::new("k3v9"),
            trigger: None,
            to: vec![account("fedi")],
            content: Content { text: Some("Grüße 👋".to_owned()), ..Content::default() },
            overrides: BTreeMap::new(),
            campaign: None,
            late: Late::default(),
            draft: false,
        },
        folder: None,
        timezone: "Europe/Berlin".to_owned(),
        at: at(3),
        announced: None,
    };
    ledger.put_post(&CalendarName::new("post"), &post).await.expect("stored");
    let mut tip = put(ledger, &row("tip@2020-01-06T09:00:00", "fedi", 10)).await;
    for occurrence in ["tip@2020-01-06T09:00:00", "tip@2020-01-13T09:00:00"] {
        tip.variation = Some(ledger.variation(&row(occurrence, "fedi", 0), 3).await.expect("a variation"));
    }
    put(ledger, &tip).await;
    let published = put(ledger, &row("launch", "fedi", 0)).await;
    let mut again = publish(ledger, &published, "1", 20).await;
    again.generation = 1;
    again.receipts.clear();
    again.published_at = None;
    again.state = State::Planned;
    let again = put(ledger, &again).await;
    publish(ledger, &again, "1", 40).await;
    let open = put(ledger, &row("open", "lost", 0)).await;
    let mut open = begin(ledger, &open, "3", 0, 60).await;
    open.state = State::Unknown;
    open.owner = None;
    open.unknown = Some(Unknown { since: at(61), looks: 1, next_look: None, repeated: true, witnessed: true });
    put(ledger, &open).await;
    put(ledger, &row("waits", "bsky", 30)).await;
    ledger.pause(Some(&account("paused")), Some((at(5), "holiday".to_owned()))).await.expect("a pause");
    ledger.meet(&["mail".to_owned(), "pager".to_owned()], at(0)).await.expect("met");
    for (key, raised, delivery) in [("clock", 70, None), ("unknown", 61, Some(open.id)), ("account", 71, None)] {
        let alert = Alert {
            key: key.to_owned(),
            at: at(raised),
            tell_at: at(raised + 5),
            delivery,
            kind: key.to_owned(),
            message: "something".to_owned(),
            help: "see to it".to_owned(),
        };
        ledger.raise(&alert).await.expect("raised");
    }
    let ask = TellRequest { target: "mail".to_owned(), now: at(100), until: at(160), limit: 10 };
    ledger.tell(&ask).await.expect("errands");
    ledger.told("mail", &["unknown".to_owned()], &Told::Yes, at(101)).await.expect("stored");
    let failed = Told::NotYet { again: at(400), error: "no route".to_owned() };
    ledger.told("mail", &["clock".to_owned()], &failed, at(102)).await.expect("stored");
    ledger.meet(&["late".to_owned()], at(71)).await.expect("met");
}

/// Every answer that a ledger gives without being changed.
async fn answers(ledger: &dyn Ledger) -> String {
    let mut all = String::new();
    let mut note = |what: &dyn std::fmt::Debug| {
        writeln!(all, "{what:?}").expect("a string takes everything");
    };
    let rows = ledger.deliveries(&Query::default()).await.expect("rows");
    for row in &rows {
        note(&ledger.events(Some(row.id), 1000).await);
        note(&ledger.alerts(row.id).await);
    }
    note(&rows);
    note(&ledger.events(None, 1000).await);
    for name in ["fedi", "bsky", "lost", "paused", "nobody"] {
        note(&ledger.account(&account(name)).await);
    }
    for name in ["acme", "post", "new"] {
        note(&ledger.calendar(&CalendarName::new(name)).await);
        note(&ledger.post(&CalendarName::new(name), &PostId::new("k3v9")).await);
    }
    note(&ledger.paused().await);
    for spacing in [0, 3600] {
        let ask = request(500, &[("fedi", spacing), ("bsky", spacing), ("paused", 0), ("lost", 0)]);
        for posts in [1, 2, 5] {
            note(&ledger.next_ready(&ClaimRequest { burst: Burst { posts, ..Burst::default() }, ..ask.clone() }).await);
        }
    }
    for targets in [vec!["mail"], vec!["pager"], vec!["late"], vec!["mail", "pager", "late", "nobody"]] {
        let targets: Vec<String> = targets.into_iter().map(ToOwned::to_owned).collect();
        note(&ledger.next_tell(&targets).await);
        note(&ledger.untold(&targets).await);
    }
    all
}

async fn export(ledger: &dyn Ledger, page: usize) -> Vec<Record> {
    let mut all = Vec::new();
    loop {
        let records = ledger.export(all.len() as u64, page).await.expect("records");
        if records.is_empty() {
            return all;
        }
        assert!(records.len() <= page);
        all.extend(records);
    }
}

async fn import(ledger: &dyn Ledger, records: &[Record]) {
    ledger.import(&[head()]).await.expect("taken");
    for records in records.chunks(4) {
        ledger.import(records).await.expect("taken");
    }
    ledger.import(&[Record::End { records: records.len() as u64 }]).await.expect("taken");
}

/// Of what is known of an account nothing may be known.
fn says_something(record: &Record) -> bool {
    !matches!(record, Record::Account { known, .. } if **known == AccountRecord::default())
}

pub(super) async fn there_and_back(here: Box<dyn Store>, there: Box<dyn Store>) {
    let (old, new, back) = (here.open(), there.open(), here.another());
    let back = back.open();
    full(&*old).await;
    let mut records = export(&*old, 1000).await;
    import(&*new, &records).await;
    assert_eq!(answers(&*new).await, answers(&*old).await, "there");
    let mut moved = export(&*new, 7).await;
    import(&*back, &moved).await;
    assert_eq!(answers(&*back).await, answers(&*old).await, "and back");
    let mut returned = export(&*back, 1000).await;
    for records in [&mut records, &mut moved, &mut returned] {
        records.retain(says_something);
        by_name(records);
    }
    assert_eq!(moved, records, "all records, there");
    assert_eq!(returned, records, "all records, and back");
}

/// Not every kind of ledger keeps the order in which deliveries were written; nothing rests on it.
fn by_name(records: &mut [Record]) {
    let id = |record: &Record| match record {
        Record::Delivery(row) => Some(row.id),
        _ => None,
    };
    let at = |record: Option<usize>| record.unwrap_or(records.len());
    let first = at(records.iter().position(|record| id(record).is_some()));
    let count = records.iter().filter(|record| id(record).is_some()).count();
    records[first..first + count].sort_by_key(id);
}

fn head() -> Record {
    Record::Head { format: 1, smm: "0".to_owned(), at: at(0) }
}

pub(super) async fn a_ledger_that_was_moved_answers_as_the_old_one(store: Box<dyn Store>) {
    let ledger = store.open();
    full(&*ledger).await;
    let records = export(&*ledger, 3).await;
    assert_eq!(records, export(&*ledger, 1000).await, "the same by pages and at once");
    let kinds: Vec<_> = records.iter().map(std::mem::discriminant).collect();
    assert_eq!(kinds.iter().collect::<std::collections::HashSet<_>>().len(), 11, "each kind is there: {records:?}");
    let other = store.another();
    let moved = other.open();
    import(&*moved, &records).await;
    assert_eq!(answers(&*moved).await, answers(&*ledger).await);
    assert_eq!(export(&*moved, 1000).await, records, "and can be moved on");
    let moved = other.open();
    // The guard has come along: what is out, in each generation, and what is under way.
    for (post, uid, generation, with_receipt) in
        [("launch", "1", 0, true), ("launch", "1", 1, true), ("open", "3", 0, false)]
    {
        let name = format!("{post}-{generation}");
        let mut planned = row(post, &name, 0);
        planned.generation = generation;
        let planned = put(&*moved, &planned).await;
        let intent = sending(&take(&*moved, &planned, 600).await, uid, 0, 600);
        let answer = moved.write(&[change(&intent, "intent")]).await.expect("a write").remove(0);
        assert!(
            matches!(&answer, Written::AlreadyOut { receipt, .. } if receipt.is_some() == with_receipt),
            "{post} {generation}: {answer:?}"
        );
    }
    assert_eq!(moved.variation(&row("tip@2020-01-20T09:00:00", "fedi", 0), 3).await, Ok(2), "the series goes on");
}

pub(super) async fn an_import_is_refused_where_there_are_deliveries(store: Box<dyn Store>) {
    let ledger = store.open();
    put(&*ledger, &row("here", "fedi", 0)).await;
    let before = answers(&*ledger).await;
    let record = Record::Delivery(Box::new(Delivery { version: 1, ..row("there", "fedi", 0) }));
    for records in [vec![head()], vec![record.clone()], vec![head(), record]] {
        assert!(ledger.import(&records).await.is_err(), "{records:?}");
    }
    assert_eq!(answers(&*ledger).await, before);
    assert_eq!(claimed(&*ledger, &request(10, &[("fedi", 0)])).await, ["here"], "it goes on as before");
}

pub(super) async fn nothing_is_claimed_before_an_import_is_complete(store: Box<dyn Store>) {
    let ledger = store.open();
    let record = |post: &str| Record::Delivery(Box::new(Delivery { version: 1, ..row(post, "fedi", 0) }));
    ledger.import(&[head(), record("one")]).await.expect("taken");
    let ask = request(10, &[("fedi", 0)]);
    assert!(!ledger.claim(&ask).await.is_ok_and(|rows| !rows.is_empty()), "the rest is missing");
    assert!(ledger.import(&[head(), record("two")]).await.is_err(), "one that was cut short is not begun again");
    ledger.import(&[record("three")]).await.expect("it goes on");
    ledger.import(&[Record::End { records: 2 }]).await.expect("complete");
    assert_eq!(claimed(&*ledger, &ask).await.len(), 1);
    assert!(ledger.import(&[record("four")]).await.is_err(), "it has deliveries now");
}
