//! Refs that somebody deletes or sets back: nothing is sent.

use super::*;
use smm::ledger::{Age, Query};

/// A ledger from which one delivery was published and another one is planned; `spoil` does something to it.
fn spoiled(spoil: impl Fn(&Origin, &str)) -> (Origin, Machine, Machine, Delivery) {
    let origin = Origin::new();
    let known = Machine::new(&origin, "known", &[]);
    let fresh = Machine::new(&origin, "fresh", &[]);
    let ledger = known.open();
    put(&ledger, &row("release", "bsky"), "planned");
    let before = origin.git(&["rev-parse", "refs/smm/ledger/state"]).trim().to_owned();
    let out = publish(&ledger, "release", "fedi");
    // The same process notices it, too.
    spoil(&origin, &before);
    assert_older(&ledger, "the process that wrote it");
    (origin, known, fresh, out)
}

#[track_caller]
fn assert_older(ledger: &GitLedger, who: &str) {
    let age = wait(ledger.age()).expect("an answer");
    assert!(matches!(age, Age::Older { .. }), "{who}: {age:?}");
    assert!(age.doubt().expect("older").contains("ledger is"), "{age:?}");
    let refused = wait(ledger.claim(&ask(&["fedi", "bsky"]))).expect_err("nothing is claimed").to_string();
    assert!(refused.contains("smm ledger adopt"), "{who}: {refused}");
}

#[test]
fn a_deleted_ref_sends_nothing() {
    if !has_git() {
        return;
    }
    let (origin, known, fresh, out) =
        spoiled(|origin, _| _ = origin.git(&["update-ref", "-d", "refs/smm/ledger/state"]));
    assert_older(&known.open(), "a machine that has seen it");
    let ledger = fresh.open();
    assert_older(&ledger, "a machine that is new to it");
    // What the delivery's own ref knows is taken in.
    wait(ledger.adopt(at(100))).expect("adopted");
    assert_eq!(wait(ledger.age()), Ok(Age::Current));
    let found = wait(ledger.delivery(out.id)).expect("an answer").expect("it is known");
    assert_eq!((found.state, &found.receipts), (State::Published, &out.receipts));
    assert_eq!(wait(ledger.calendar(&out.calendar)).expect("a record").adopted, Some(at(100)));
    // Under another name of the account it is refused, too.
    put(&ledger, &row("release", "fediverse"), "planned");
    let claimed = claim(&ledger, "fediverse");
    let mut again = Delivery { account: AccountName::new("fedi"), ..claimed.clone() };
    again = Delivery { account: claimed.account.clone(), ..sending_as(&again) };
    let written = wait(ledger.write(&[change(&again, "intent")])).expect("an answer").remove(0);
    assert!(matches!(written, Written::AlreadyOut { receipt: Some(_), .. }), "{written:?}");
    drop(origin);
}

/// The row with an intent for the identity of its account.
fn sending_as(row: &Delivery) -> Delivery {
    let mut next = Delivery { state: State::Sending, attempts: 1, ..row.clone() };
    next.intent = Some(Box::new(Intent {
        frozen: Frozen { part: 0, key: "key".to_owned(), request: serde_json::Value::Null },
        binding: Binding {
            network: "some-network".to_owned(),
            host: "https://fedi.example".to_owned(),
            uid: format!("9-{}", row.account),
            handle: "@acme".to_owned(),
        },
        attempt: 1,
        first_at: at(70),
        at: at(70),
    }));
    next
}

#[test]
fn a_ref_that_was_set_back_sends_nothing() {
    if !has_git() {
        return;
    }
    let (origin, known, fresh, out) =
        spoiled(|origin, before| _ = origin.git(&["update-ref", "refs/smm/ledger/state", before]));
    assert_older(&known.open(), "a machine that has seen it");
    let ledger = fresh.open();
    assert_older(&ledger, "a machine that is new to it");
    // Set forward again, by whoever has noticed, all is well.
    let head = origin.git(&["rev-parse", &guard(&out)]);
    assert!(!head.is_empty());
    wait(known.open().adopt(at(100))).expect("adopted");
    for machine in [&known, &fresh] {
        let ledger = machine.open();
        assert_eq!(wait(ledger.age()), Ok(Age::Current));
        let rows = wait(ledger.deliveries(&Query { states: vec![State::Published], ..Query::default() }));
        assert_eq!(rows.expect("rows").len(), 1);
    }
    claim(&fresh.open(), "bsky");
}

#[test]
fn a_claim_behind_a_lost_state_waits_for_a_person() {
    if !has_git() {
        return;
    }
    let origin = Origin::new();
    let (known, fresh) = (Machine::new(&origin, "known", &[]), Machine::new(&origin, "fresh", &[]));
    let ledger = known.open();
    put(&ledger, &row("release", "fedi"), "planned");
    let claimed = claim(&ledger, "fedi");
    origin.git(&["update-ref", "-d", "refs/smm/ledger/state"]);
    let ledger = fresh.open();
    // Nothing was sent, so a new state may begin; the delivery itself stays refused.
    let refused = wait(ledger.age()).expect("an answer");
    assert!(matches!(refused, Age::Older { .. }), "{refused:?}");
    wait(ledger.adopt(at(100))).expect("adopted");
    let found = wait(ledger.delivery(claimed.id)).expect("an answer").expect("it is known");
    assert_eq!(found.state, State::Held, "{found:?}");
    // A person says that it is to go out.
    let again = put(&ledger, &Delivery { state: State::Planned, reason: None, ..found }, "released");
    assert_eq!(claim(&ledger, "fedi").id, again.id);
}

#[test]
fn a_collected_ledger_goes_on_everywhere() {
    if !has_git() {
        return;
    }
    let origin = Origin::new();
    let (here, there) = (Machine::new(&origin, "here", &[]), Machine::new(&origin, "there", &[]));
    let (ledger, other) = (here.open(), there.open());
    let old = publish(&ledger, "release", "fedi");
    let seen = publish(&other, "another", "bsky");
    let recent = put(&ledger, &Delivery { due: at(10_000), ..row("later", "bsky") }, "planned");
    let before = origin.git(&["rev-list", "--count", "refs/smm/ledger/state"]);
    let collected = wait(ledger.gc(at(5_000))).expect("collected").expect("it has need of it");
    assert_eq!((collected.folded, collected.left), (2, false));
    assert_eq!(collected.commits.to_string(), before.trim());
    assert_eq!(origin.git(&["rev-list", "--count", "refs/smm/ledger/state"]).trim(), "1");
    assert_eq!(origin.refs(), ["refs/smm/ledger/state"]);
    // Whoever knew it goes on, in the same process and in a new one; and so does whoever is new to it.
    let third = Machine::new(&origin, "third", &[]);
    for ledger in [&other, &there.open(), &third.open(), &here.open()] {
        assert_eq!(wait(ledger.age()), Ok(Age::Current));
        let rows = wait(ledger.deliveries(&Query::default())).expect("rows");
        assert_eq!(rows.len(), 3);
        assert_eq!(rows.iter().filter(|row| row.receipts.len() == 1).count(), 2);
        let again = wait(ledger.write(&[change(&Delivery { version: 0, ..row("release", "fedi") }, "planned")]));
        assert_eq!(again, Ok(vec![Written::Stale]), "it is known");
    }
    // Not again under another name either.
    put(&other, &row("release", "fediverse"), "planned");
    let claimed = claim(&other, "fediverse");
    let intent = sending_as(&Delivery { account: old.account.clone(), ..claimed.clone() });
    let intent = Delivery { account: claimed.account.clone(), ..intent };
    let written = wait(other.write(&[change(&intent, "intent")])).expect("an answer").remove(0);
    assert!(matches!(written, Written::AlreadyOut { receipt: Some(_), .. }), "{written:?}");
    // A folded one may be changed, and folded again.
    let found = wait(other.delivery(seen.id)).expect("an answer").expect("it is there");
    let changed = put(&other, &Delivery { generation: 1, ..found }, "changed");
    wait(ledger.gc(at(5_000))).expect("collected");
    assert_eq!(wait(third.open().delivery(seen.id)), Ok(Some(changed)));
    assert_eq!(wait(third.open().delivery(recent.id)).expect("an answer").map(|row| row.state), Some(State::Planned));
    // And one that was set back to before a collection is noticed.
    publish(&other, "third", "bsky");
    let head = origin.git(&["rev-parse", "refs/smm/ledger/state^"]);
    origin.git(&["update-ref", "refs/smm/ledger/state", head.trim()]);
    assert!(matches!(wait(there.open().age()), Ok(Age::Older { .. })));
}
