//! What is known of accounts and calendars.

#[cfg_attr(not(test), expect(clippy::wildcard_imports, reason = "the nouns and samples of every case"))]
use super::*;

pub(super) async fn bindings_hold(store: Box<dyn Store>) {
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

pub(super) async fn calendars_are_kept(store: Box<dyn Store>) {
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

pub(super) async fn variations_follow_the_series(store: Box<dyn Store>) {
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

pub(super) async fn posts_are_kept(store: Box<dyn Store>) {
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
        announced: None,
    };
    ledger.put_post(&calendar, &post).await.expect("stored");
    assert_eq!(ledger.post(&calendar, &id).await, Ok(Some(post.clone())));
    assert_eq!(ledger.post(&acme(), &id).await, Ok(None));
    let release = Release { tag: "v2.0.0".to_owned(), notes: "- Größer".to_owned(), ..Release::default() };
    let announced = Some(Box::new(Announced { release, since: at(2) }));
    let other = StoredPost { announced, ..post.clone() };
    assert_eq!(ledger.keep_post(&calendar, &other).await, Ok(post), "the first one stays");
    assert_eq!(ledger.keep_post(&acme(), &other).await, Ok(other.clone()));
    assert_eq!(ledger.post(&acme(), &id).await, Ok(Some(other)));
}

/// Of several who keep a post at once, all are given the same.
pub(super) async fn one_of_several_posts_is_kept(store: Box<dyn Store>) {
    let id = PostId::new("release@v2.0.0");
    let keep = |number: usize| {
        let (ledger, id) = (store.open(), id.clone());
        async move {
            let content = Content { text: Some(format!("Text {number}")), ..Content::default() };
            let post = Post {
                id: id.clone(),
                name: id,
                trigger: None,
                to: Vec::new(),
                content,
                overrides: BTreeMap::new(),
                campaign: None,
                late: Late::default(),
                draft: false,
            };
            let post = StoredPost { post, folder: None, timezone: "UTC".to_owned(), at: at(3), announced: None };
            ledger.keep_post(&acme(), &post).await.expect("kept").post.content.text
        }
    };
    let (one, two, three, four) = tokio::join!(keep(1), keep(2), keep(3), keep(4));
    assert!(
        one.is_some() && [&two, &three, &four].iter().all(|other| **other == one),
        "{one:?} {two:?} {three:?} {four:?}"
    );
}

pub(super) async fn limits_are_kept(store: Box<dyn Store>) {
    let ledger = store.open();
    let limits = LimitOverrides { text: Some(5000), ..LimitOverrides::default() };
    ledger.put_limits(&account("fedi"), &limits, at(7)).await.expect("stored");
    let record = ledger.account(&account("fedi")).await.expect("a record");
    assert_eq!((record.limits, record.binding), (Some((limits, at(7))), None));
}

pub(super) async fn what_was_adopted_is_known_of_every_calendar(store: Box<dyn Store>) {
    let ledger = store.open();
    let record = CalendarRecord { first_seen: Some(at(1)), ..CalendarRecord::default() };
    ledger.put_calendar(&acme(), &record).await.expect("stored");
    ledger.adopt(at(5)).await.expect("adopted");
    assert_eq!(ledger.calendar(&acme()).await, Ok(CalendarRecord { adopted: Some(at(5)), ..record.clone() }));
    assert_eq!(ledger.calendar(&CalendarName::new("new")).await.expect("a record").adopted, Some(at(5)));
    // What is stored of a calendar leaves it as it is.
    ledger.put_calendar(&acme(), &record).await.expect("stored");
    assert_eq!(ledger.calendar(&acme()).await.expect("a record").adopted, Some(at(5)));
    ledger.adopt(at(9)).await.expect("adopted");
    assert_eq!(ledger.calendar(&acme()).await.expect("a record").adopted, Some(at(9)));
}
