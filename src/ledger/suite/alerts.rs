//! Alerts: raised with what makes them necessary, told once to each target, kept until that has worked.

#[cfg_attr(not(test), expect(clippy::wildcard_imports, reason = "the nouns and samples of every case"))]
use super::*;

fn alert(key: &str, raised: i64, tell_at: i64, delivery: Option<&Delivery>) -> Alert {
    Alert {
        key: key.to_owned(),
        at: at(raised),
        tell_at: at(tell_at),
        delivery: delivery.map(|row| row.id),
        kind: "held".to_owned(),
        message: format!("{key} is held"),
        help: "see to it".to_owned(),
    }
}

fn ask(target: &str, now: i64) -> TellRequest {
    TellRequest { target: target.to_owned(), now: at(now), until: at(now + 60), limit: 10 }
}

async fn meet(ledger: &dyn Ledger, targets: &[&str]) {
    let targets: Vec<String> = targets.iter().map(ToString::to_string).collect();
    ledger.meet(&targets, at(0)).await.expect("met");
}

/// The keys of what a target is handed.
async fn handed(ledger: &dyn Ledger, target: &str, now: i64) -> Vec<String> {
    let errands = ledger.tell(&ask(target, now)).await.expect("errands");
    errands.into_iter().map(|errand| errand.alert.key).collect()
}

async fn next(ledger: &dyn Ledger, targets: &[&str]) -> Option<DateTime<Utc>> {
    let targets: Vec<String> = targets.iter().map(ToString::to_string).collect();
    ledger.next_tell(&targets).await.expect("a time")
}

/// Writes a row with an alert about it.
async fn put_with(ledger: &dyn Ledger, delivery: &Delivery, alert: Alert) -> Delivery {
    let write = Write { alert: Some(alert), ..change(delivery, "held") };
    assert_eq!(ledger.write(&[write]).await, Ok(vec![Written::Done]));
    read(ledger, delivery).await
}

fn held(delivery: &Delivery) -> Delivery {
    Delivery { state: State::Held, ..delivery.clone() }
}

pub(super) async fn an_alert_is_raised_with_its_row_or_not_at_all(store: Box<dyn Store>) {
    let ledger = store.open();
    meet(&*ledger, &["mail"]).await;
    let planned = put(&*ledger, &row("launch", "fedi", 0)).await;
    let mut late = held(&planned);
    late.version = 7;
    let stale = Write { alert: Some(alert("a", 1, 1, Some(&late))), ..change(&late, "held") };
    assert_eq!(ledger.write(&[stale]).await, Ok(vec![Written::Stale]));
    assert_eq!(next(&*ledger, &["mail"]).await, None, "nothing was written, so nobody is told");
    put_with(&*ledger, &held(&planned), alert("b", 1, 5, Some(&planned))).await;
    assert_eq!(next(&*ledger, &["mail"]).await, Some(at(5)));
    assert!(handed(&*ledger, "mail", 4).await.is_empty(), "not before its time");
    let errands = ledger.tell(&ask("mail", 5)).await.expect("errands");
    let [errand] = errands.as_slice() else { panic!("one alert: {errands:?}") };
    assert_eq!(errand.alert, alert("b", 1, 5, Some(&planned)));
    assert_eq!((errand.target.as_str(), errand.attempts, errand.told_at, &errand.error), ("mail", 0, None, &None));
}

pub(super) async fn the_same_alert_is_raised_once(store: Box<dyn Store>) {
    let ledger = store.open();
    meet(&*ledger, &["mail"]).await;
    ledger.raise(&alert("clock", 1, 1, None)).await.expect("raised");
    ledger.raise(&alert("clock", 9, 9, None)).await.expect("raised already");
    let errands = ledger.tell(&ask("mail", 20)).await.expect("errands");
    assert_eq!(errands.iter().map(|errand| &errand.alert).collect::<Vec<_>>(), [&alert("clock", 1, 1, None)]);
    ledger.told("mail", &["clock".to_owned()], &Told::Yes, at(21)).await.expect("stored");
    ledger.raise(&alert("clock", 30, 30, None)).await.expect("raised already");
    assert_eq!(next(&*ledger, &["mail"]).await, None);
    assert!(handed(&*ledger, "mail", 1000).await.is_empty());
}

pub(super) async fn each_target_is_told_once(store: Box<dyn Store>) {
    let ledger = store.open();
    meet(&*ledger, &["mail", "pager"]).await;
    for (key, raised) in [("second", 2), ("first", 1), ("third", 3)] {
        ledger.raise(&alert(key, raised, raised, None)).await.expect("raised");
    }
    assert_eq!(handed(&*ledger, "mail", 10).await, ["first", "second", "third"], "oldest first");
    let keys = ["first".to_owned(), "second".to_owned(), "unheard-of".to_owned()];
    ledger.told("mail", &keys, &Told::Yes, at(11)).await.expect("stored");
    assert_eq!(handed(&*ledger, "mail", 80).await, ["third"]);
    let some = TellRequest { limit: 2, ..ask("pager", 80) };
    let errands = ledger.tell(&some).await.expect("errands");
    assert_eq!(errands.iter().map(|errand| errand.alert.key.as_str()).collect::<Vec<_>>(), ["first", "second"]);
    ledger.told("mail", &["third".to_owned()], &Told::Yes, at(90)).await.expect("stored");
    // Told twice is told once, at the first time.
    ledger.told("mail", &keys, &Told::NotYet { again: at(1), error: "no".to_owned() }, at(99)).await.expect("stored");
    assert!(handed(&*ledger, "mail", 1000).await.is_empty());
    assert_eq!(ledger.untold(&["mail".to_owned(), "pager".to_owned()]).await, Ok(vec![]), "none has failed");
}

pub(super) async fn an_alert_is_handed_to_one_teller_at_a_time(store: Box<dyn Store>) {
    let ledger = store.open();
    meet(&*ledger, &["mail"]).await;
    for key in ["a", "b", "c"] {
        ledger.raise(&alert(key, 1, 1, None)).await.expect("raised");
    }
    let tellers = (0..3).map(|_| {
        let ledger = store.open();
        async move { handed(&*ledger, "mail", 10).await }
    });
    let mut all: Vec<String> = together(tellers.collect()).await.into_iter().flatten().collect();
    all.sort();
    assert_eq!(all, ["a", "b", "c"], "each once");
    assert_eq!(next(&*ledger, &["mail"]).await, Some(at(70)));
    assert!(handed(&*ledger, "mail", 69).await.is_empty());
    // Whoever had them has not come back.
    assert_eq!(handed(&*ledger, "mail", 70).await.len(), 3);
}

pub(super) async fn what_could_not_be_told_is_told_again(store: Box<dyn Store>) {
    let ledger = store.open();
    meet(&*ledger, &["mail", "pager"]).await;
    ledger.raise(&alert("clock", 1, 1, None)).await.expect("raised");
    assert_eq!(handed(&*ledger, "mail", 10).await, ["clock"]);
    let failed = Told::NotYet { again: at(300), error: "no route".to_owned() };
    ledger.told("mail", &["clock".to_owned()], &failed, at(11)).await.expect("stored");
    assert_eq!(next(&*ledger, &["mail"]).await, Some(at(300)));
    assert_eq!(next(&*ledger, &["mail", "pager"]).await, Some(at(1)));
    let debt = Errand {
        alert: alert("clock", 1, 1, None),
        target: "mail".to_owned(),
        attempts: 1,
        told_at: None,
        error: Some("no route".to_owned()),
    };
    let targets = ["mail".to_owned(), "pager".to_owned()];
    assert_eq!(ledger.untold(&targets).await, Ok(vec![debt.clone()]));
    assert!(handed(&*ledger, "mail", 299).await.is_empty());
    assert_eq!(ledger.tell(&ask("mail", 300)).await, Ok(vec![debt]));
    ledger.told("mail", &["clock".to_owned()], &Told::Yes, at(301)).await.expect("stored");
    assert_eq!(ledger.untold(&targets).await, Ok(vec![]));
    assert_eq!(next(&*ledger, &["mail"]).await, None);
}

pub(super) async fn an_alert_is_withdrawn_when_its_delivery_needs_nobody_in_time(store: Box<dyn Store>) {
    let ledger = store.open();
    meet(&*ledger, &["mail"]).await;
    // Events are of the row's due time: 100.
    let soon = put(&*ledger, &row("soon", "fedi", 100)).await;
    let soon = put_with(&*ledger, &held(&soon), alert("soon", 90, 100, Some(&soon))).await;
    let later = put(&*ledger, &row("later", "fedi", 100)).await;
    let later = put_with(&*ledger, &held(&later), alert("later", 90, 101, Some(&later))).await;
    let other = put(&*ledger, &row("other", "fedi", 100)).await;
    put_with(&*ledger, &held(&other), alert("other", 90, 500, Some(&other))).await;
    for row in [soon, later] {
        put(&*ledger, &Delivery { state: State::Planned, ..row }).await;
    }
    assert_eq!(handed(&*ledger, "mail", 1000).await, ["soon", "other"]);
    // A withdrawn alert may be raised again.
    ledger.raise(&alert("later", 200, 200, None)).await.expect("raised");
    assert_eq!(handed(&*ledger, "mail", 1000).await, ["later"]);
}

pub(super) async fn an_unresolved_attempt_keeps_its_alert(store: Box<dyn Store>) {
    let ledger = store.open();
    meet(&*ledger, &["mail"]).await;
    let planned = put(&*ledger, &row("launch", "fedi", 100)).await;
    let mut unknown = begin(&*ledger, &planned, "1", 0, 100).await;
    unknown.state = State::Unknown;
    unknown.owner = None;
    unknown.unknown = Some(Unknown { since: at(100), looks: 0, next_look: None, repeated: false, witnessed: true });
    let unknown = put_with(&*ledger, &unknown, alert("unknown", 100, 300, Some(&planned))).await;
    let repeated = put(&*ledger, &sending(&unknown, "1", 0, 200)).await;
    assert_eq!(next(&*ledger, &["mail"]).await, Some(at(300)), "nothing is settled yet");
    let mut published = received(&repeated, 0, 210, State::Published);
    published.unknown = None;
    put(&*ledger, &published).await;
    assert_eq!(next(&*ledger, &["mail"]).await, None);
}

pub(super) async fn a_new_target_is_told_nothing_old(store: Box<dyn Store>) {
    let ledger = store.open();
    ledger.raise(&alert("old", 10, 10, None)).await.expect("raised");
    let mail = ["mail".to_owned()];
    assert_eq!(ledger.tell(&ask("mail", 50)).await, Ok(vec![]), "it was never met");
    assert_eq!(ledger.next_tell(&mail).await, Ok(None));
    ledger.meet(&mail, at(20)).await.expect("met");
    ledger.raise(&alert("new", 30, 30, None)).await.expect("raised");
    assert_eq!(ledger.next_tell(&mail).await, Ok(Some(at(30))));
    ledger.meet(&mail, at(40)).await.expect("known already");
    assert_eq!(handed(&*ledger, "mail", 50).await, ["new"]);
    ledger.told("mail", &["new".to_owned()], &Told::Yes, at(51)).await.expect("stored");
    // The clock was set back since: what happens by it is no past.
    ledger.meet(&mail, at(15)).await.expect("met by an earlier time");
    ledger.raise(&alert("back", 16, 16, None)).await.expect("raised");
    assert_eq!(handed(&*ledger, "mail", 52).await, ["back"]);
}

pub(super) async fn the_alerts_of_a_delivery_say_who_knows(store: Box<dyn Store>) {
    let ledger = store.open();
    meet(&*ledger, &["mail", "pager"]).await;
    let planned = put(&*ledger, &row("launch", "fedi", 0)).await;
    let about = alert("b", 2, 2, Some(&planned));
    ledger.raise(&about).await.expect("raised");
    ledger.raise(&alert("a", 1, 1, Some(&planned))).await.expect("raised");
    ledger.raise(&alert("clock", 3, 3, None)).await.expect("raised");
    handed(&*ledger, "mail", 10).await;
    handed(&*ledger, "pager", 10).await;
    ledger.told("mail", &["b".to_owned(), "clock".to_owned()], &Told::Yes, at(12)).await.expect("stored");
    let alerts = ledger.alerts(planned.id).await.expect("alerts");
    assert_eq!(alerts.iter().map(|raised| raised.alert.key.as_str()).collect::<Vec<_>>(), ["a", "b"], "oldest first");
    assert_eq!(alerts[0].told, BTreeMap::new());
    assert_eq!(alerts[1], Raised { alert: about, told: BTreeMap::from([("mail".to_owned(), at(12))]) });
}
