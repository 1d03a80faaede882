//! What several processes and machines need of a ledger in PostgreSQL beyond the behaviour suite: a server that keeps its
//! word, one that goes away, answers that are lost, backups that come back, and races.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use chrono::{DateTime, Utc};
use smm::ledger::{Age, Burst, ClaimRequest, Ledger, LedgerError, OpenMode, Opening, Query, Write, Written};
use smm::model::{
    AccountName, Binding, CalendarName, Delivery, Event, Frozen, Intent, Late, OccurrenceName, Origin, PostId, State,
    Unknown,
};

use crate::postgres::{Postgres, Stop};
use crate::wire::Wire;

/// A database of a server, and a machine that uses it.
struct Place {
    url: String,
    state: tempfile::TempDir,
    lease: Duration,
}

impl Place {
    fn new(server: &Postgres) -> Self {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let name = format!("place_{}", COUNT.fetch_add(1, Ordering::SeqCst));
        server.database(&name);
        let (url, state) = (server.url(&name), tempfile::tempdir().expect("a folder"));
        Self { url, state, lease: Duration::from_mins(1) }
    }

    fn open(&self) -> Arc<dyn Ledger> {
        let mut opening = Opening::new(&self.url, self.state.path(), OpenMode::ReadWrite);
        opening.lease = self.lease;
        opening.open().expect("a ledger")
    }
}

fn at(seconds: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(1_700_000_000 + seconds, 0).expect("a time")
}

fn planned(post: &str, account: &str) -> Delivery {
    let (id, name) = (PostId::new(post), AccountName::new(account));
    let occurrence = OccurrenceName::once(&id);
    let (calendar, late) = (CalendarName::new("acme"), Late::default());
    let civil = at(0).naive_utc();
    Delivery::planned(calendar, id, occurrence, name, "some-network", Origin::Calendar, at(0), civil, late)
}

fn change(row: &Delivery, kind: &str) -> Write {
    let event = Event {
        at: at(0),
        delivery: row.id,
        kind: kind.to_owned(),
        state: row.state,
        detail: String::new(),
        actor: "test".to_owned(),
    };
    Write::new(row.clone(), row.version, event)
}

async fn put(ledger: &dyn Ledger, row: &Delivery) -> Delivery {
    assert_eq!(ledger.write(&[change(row, "put")]).await, Ok(vec![Written::Done]), "{row:?}");
    ledger.delivery(row.id).await.expect("a read").expect("a row")
}

fn sending(row: &Delivery) -> Delivery {
    let mut next = row.clone();
    next.state = State::Sending;
    next.attempts += 1;
    next.intent = Some(Box::new(Intent {
        frozen: Frozen { part: 0, key: row.id.to_string(), request: serde_json::json!({"status": "hello"}) },
        binding: Binding {
            network: "some-network".to_owned(),
            host: "https://fedi.example".to_owned(),
            uid: row.account.to_string(),
            handle: "@acme".to_owned(),
        },
        attempt: next.attempts,
        first_at: at(1),
        at: at(1),
    }));
    next
}

fn request(accounts: &[&str]) -> ClaimRequest {
    ClaimRequest {
        owner: "worker".to_owned(),
        now: at(60),
        accounts: accounts.iter().map(|name| (AccountName::new(*name), 0)).collect(),
        calendars: Vec::new(),
        limit: 100,
        only: None,
        burst: Burst::default(),
    }
}

/// A server, or a role, that loses what it confirmed is refused, and says what to do.
pub async fn unsafe_settings_are_refused() {
    let server = Postgres::start(&["fsync=off"]);
    let store = Place::new(&server);
    let refused = store.open().lock("smm daemon").await.map(drop).expect_err("fsync is off").to_string();
    assert!(refused.contains("`fsync` is off"), "{refused}");
    let waived = Place { url: format!("{}?accept_unsafe_fsync=yes", store.url), ..Place::new(&server) };
    waived.open().lock("smm daemon").await.expect("a person wants it so");
    server.sql("postgres", "ALTER ROLE smm SET synchronous_commit = off");
    let refused = waived.open().write(&[change(&planned("a", "fedi"), "planned")]).await;
    let refused = refused.expect_err("commits may be lost").to_string();
    assert!(refused.contains("`synchronous_commit` is off") && refused.contains("ALTER ROLE"), "{refused}");
    for weak in ["local", "remote_write"] {
        server.sql("postgres", &format!("ALTER ROLE smm SET synchronous_commit = {weak}"));
        // A session of ours waits for all that there is to wait for.
        waived.open().lock("smm daemon").await.expect("set to on by us");
    }
    server.sql("postgres", "ALTER ROLE smm RESET synchronous_commit");
    server.sql("postgres", "CREATE DATABASE latin ENCODING 'LATIN1' TEMPLATE template0");
    let latin = Place { url: format!("{}?accept_unsafe_fsync=yes", server.url("latin")), ..Place::new(&server) };
    let refused = latin.open().lock("smm daemon").await.map(drop).expect_err("not UTF-8").to_string();
    assert!(refused.contains("its encoding is LATIN1"), "{refused}");
    // A version of the tables that this program does not know.
    server.sql(database(&waived.url), "UPDATE smm.meta SET value = '99' WHERE key = 'version'");
    let refused = waived.open().lock("smm daemon").await.map(drop);
    assert!(matches!(refused, Err(LedgerError::Newer(_))), "{refused:?}");
}

/// The name of the database of an address.
fn database(url: &str) -> &str {
    url.rsplit('/').next().and_then(|rest| rest.split('?').next()).expect("a name")
}

/// The password is asked for where it is missing, and never shown.
pub async fn the_password_is_never_shown() {
    let server = Postgres::start(&[]);
    server.sql("postgres", "CREATE ROLE guarded LOGIN PASSWORD 'pa55-w0rd'");
    server.sql("postgres", "CREATE DATABASE guarded OWNER guarded");
    let state = tempfile::tempdir().expect("a folder");
    let url = format!("postgres://guarded@127.0.0.1:{}/guarded", server.port());
    for (password, word) in
        [(None, "SMM_LEDGER_PASSWORD"), (Some("wr0ng-pa55"), "SMM_LEDGER_PASSWORD"), (Some("pa55-w0rd"), "")]
    {
        let mut opening = Opening::new(&url, state.path(), OpenMode::ReadWrite);
        opening.password = password.map(Into::into);
        let ledger = opening.open().expect("nothing is asked yet");
        match ledger.lock("smm daemon").await {
            Ok(_) => assert_eq!(password, Some("pa55-w0rd")),
            Err(error) => {
                let said = format!("{error} {error:?}");
                assert!(!word.is_empty() && said.contains(word), "{said}");
                assert!(!said.contains("pa55") && !said.contains("guarded@"), "{said}");
            }
        }
    }
}

/// Nothing is lost over a restart of the server: what was open is cut, the next request connects anew, and the bell is
/// heard again.
pub async fn a_server_that_restarts_is_found_again() {
    let mut server = Postgres::start(&[]);
    let store = Place::new(&server);
    let ledger = store.open();
    let row = put(&*ledger, &planned("a", "fedi")).await;
    for how in [Stop::Fast, Stop::Immediate] {
        server.down(how);
        let away = ledger.deliveries(&Query::default()).await.expect_err("nobody is there").to_string();
        assert!(away.contains("cannot be reached") && !away.contains("smm@"), "{away}");
        let refused = ledger.claim(&request(&["fedi"])).await;
        assert!(matches!(refused, Err(LedgerError::Storage(_))), "{refused:?}");
        server.up();
        assert_eq!(ledger.delivery(row.id).await, Ok(Some(row.clone())));
    }
    // The bell is heard by another process, also after its connection was cut.
    let other = store.open();
    for _ in 0..2 {
        // The first is for having begun to listen.
        tokio::time::timeout(Duration::from_secs(20), other.rung()).await.expect("heard");
        ledger.ring().await.expect("rung");
        tokio::time::timeout(Duration::from_secs(20), other.rung()).await.expect("heard");
        server.sql("postgres", "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query ILIKE '%rings%' AND pid <> pg_backend_pid()");
        ledger.ring().await.expect("rung");
    }
}

/// The answer of a commit is lost: that is an error, what was written may be there, and nothing is written twice.
pub async fn a_lost_answer_of_a_commit_is_an_error() {
    let server = Postgres::start(&[]);
    let store = Place::new(&server);
    let wire = Wire::before(server.port()).await;
    let url = store.url.replace(&server.port().to_string(), &wire.port().to_string());
    let through = Place { url, ..Place::new(&server) };
    let ledger = through.open();
    let row = put(&*ledger, &planned("a", "fedi")).await;
    wire.cut_after(b"COMMIT");
    let lost = ledger.write(&[change(&sending(&row), "intent")]).await;
    let Err(LedgerError::Storage(said)) = lost else { panic!("{lost:?}") };
    assert!(said.contains("did not confirm"), "{said}");
    assert_eq!(wire.cuts(), 1);
    // It was kept, once.
    let there = store.open().delivery(row.id).await.expect("a read").expect("a row");
    assert_eq!((there.state, there.version), (State::Sending, 2));
    assert_eq!(server.sql(database(&store.url), "SELECT count(*) FROM smm.intents"), "1");
    let again = ledger.write(&[change(&sending(&row), "intent")]).await;
    assert_eq!(again, Ok(vec![Written::Stale]));
}

/// A connection that carries nothing any more, without a word: every request ends well before a lease.
pub async fn a_silent_connection_is_given_up_in_time() {
    let server = Postgres::start(&[]);
    let store = Place::new(&server);
    let wire = Wire::before(server.port()).await;
    let url = store.url.replace(&server.port().to_string(), &wire.port().to_string());
    let lease = Duration::from_secs(6);
    let through = Place { url, lease, ..Place::new(&server) };
    let ledger = through.open();
    put(&*ledger, &planned("a", "fedi")).await;
    let claimed = ledger.claim(&request(&["fedi"])).await.expect("a claim").remove(0);
    wire.silence(true);
    let began = std::time::Instant::now();
    let silent = ledger.renew("worker").await.expect_err("nobody answers").to_string();
    assert!(began.elapsed() < lease / 2, "{:?}", began.elapsed());
    assert!(silent.contains("did not answer in time"), "{silent}");
    wire.silence(false);
    ledger.renew("worker").await.expect("a new connection");
    assert_eq!(store.open().delivery(claimed.id).await.expect("a read").map(|row| row.state), Some(State::Claimed));
}

/// A process that is stopped in the middle of a transaction keeps nobody waiting for longer than a request may take.
pub async fn a_transaction_that_stands_still_is_ended() {
    let server = Postgres::start(&[]);
    let store = Place { lease: Duration::from_secs(6), ..Place::new(&server) };
    let ledger = store.open();
    put(&*ledger, &planned("a", "fedi")).await;
    let settings =
        server.sql(database(&store.url), "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'smm'");
    assert_eq!(settings, "1", "one connection is enough for one request after the other");
    // Locks as another process's session would hold them in the middle of a claim.
    let wire = Wire::before(server.port()).await;
    let url = store.url.replace(&server.port().to_string(), &wire.port().to_string());
    let stopped = Place { url, lease: Duration::from_secs(6), ..Place::new(&server) };
    let frozen = stopped.open();
    frozen.deliveries(&Query::default()).await.expect("connected");
    let asked = request(&["fedi"]);
    let claiming = frozen.claim(&asked);
    let mut claiming = std::pin::pin!(claiming);
    // Polled a few times, then left alone: the session is in the middle of its transaction.
    for _ in 0..6 {
        let _ = tokio::time::timeout(Duration::from_millis(3), claiming.as_mut()).await;
    }
    let began = std::time::Instant::now();
    loop {
        if !ledger.claim(&request(&["fedi"])).await.expect("a claim").is_empty() {
            break;
        }
        let there = ledger.deliveries(&Query::default()).await.expect("rows").remove(0);
        if there.state == State::Claimed {
            // It got as far as its commit.
            break;
        }
        assert!(began.elapsed() < Duration::from_secs(6), "the lock is held for ever");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// A dump that was brought back, a copy of the whole cluster that goes on from an earlier moment, another database under
/// the same name: nothing is claimed and no intent is taken until a person adopts it, once for all machines.
pub async fn a_restored_ledger_sends_nothing() {
    let server = Postgres::start(&[]);
    let store = Place::new(&server);
    let other_machine = tempfile::tempdir().expect("a folder");
    let elsewhere = || Opening::new(&store.url, other_machine.path(), OpenMode::ReadWrite).open().expect("a ledger");
    let ledger = store.open();
    let rows = [put(&*ledger, &planned("a", "fedi")).await, put(&*ledger, &planned("b", "bsky")).await];
    put(&*ledger, &sending(&rows[0])).await;
    elsewhere().lock("smm daemon").await.expect("known from now on");
    assert_eq!(ledger.age().await, Ok(Age::Current));
    let dump = server.dump(database(&store.url));
    put(&*ledger, &sending(&rows[1])).await;
    elsewhere().lock("smm daemon").await.expect("it has seen that, too");

    server.restore(database(&store.url), &dump);
    // Beneath a process that is connected: its next intent has a number that was there before.
    let row = ledger.delivery(rows[1].id).await.expect("a read").expect("a row");
    assert_eq!(row.state, State::Planned, "it knows nothing of what was sent");
    let refused = ledger.write(&[change(&sending(&row), "intent")]).await.expect_err("refused").to_string();
    assert!(refused.contains("smm ledger adopt"), "{refused}");
    assert_eq!(server.sql(database(&store.url), "SELECT count(*) FROM smm.intents"), "1");
    // And one that connects now.
    for ledger in [store.open(), elsewhere()] {
        let Ok(Age::Older { seen, found }) = ledger.age().await else { panic!("not noticed") };
        assert_eq!((seen.sequence, found.sequence, seen.instance == found.instance), (2, 1, true));
        let refused = ledger.claim(&request(&["bsky"])).await.expect_err("refused").to_string();
        assert!(refused.contains("nothing is sent"), "{refused}");
        assert!(ledger.deliveries(&Query::default()).await.is_ok(), "it can be read");
    }
    let (old, new) = (store.open(), store.open());
    old.age().await.expect("connected before");
    new.adopt(at(99)).await.expect("adopted");
    assert_eq!(new.calendar(&CalendarName::new("never")).await.map(|known| known.adopted), Ok(Some(at(99))));
    // Others take part in it: those that were connected, and other machines.
    for ledger in [new, old, elsewhere()] {
        assert_eq!(ledger.age().await, Ok(Age::Current));
    }
    assert_eq!(elsewhere().claim(&request(&["bsky"])).await.expect("a claim").len(), 1);
    // The dump is older than what was adopted.
    server.restore(database(&store.url), &dump);
    assert!(matches!(store.open().age().await, Ok(Age::Older { .. })));
}

/// Another cluster with the same data: a replica that was promoted, a snapshot of the machine.
pub async fn a_server_that_took_over_sends_nothing() {
    let mut server = Postgres::start(&["wal_level=replica"]);
    let store = Place::new(&server);
    let ledger = store.open();
    let row = put(&*ledger, &planned("a", "fedi")).await;
    put(&*ledger, &sending(&row)).await;
    drop(ledger);
    server.down(Stop::Fast);
    // A copy that is promoted: it goes on as another timeline of the same cluster, at the same address.
    server.become_promoted();
    let Ok(Age::Older { seen, found }) = store.open().age().await else { panic!("not noticed") };
    assert_eq!(seen.sequence, found.sequence, "it lacks nothing that we know of, and may lack what we do not");
    assert!(seen.instance.ends_with("/1") && found.instance.ends_with("/2"), "{seen:?} {found:?}");
    assert!(store.open().claim(&request(&["fedi"])).await.is_err());
    store.open().adopt(at(5)).await.expect("adopted");
    assert_eq!(store.open().age().await, Ok(Age::Current));
}

/// An unknown that is sent again was not claimed: it is refused while somebody else is at work on its account, and when a
/// call began there after it was decided. Else it begins a lease, and its account is busy.
pub async fn a_repeat_waits_for_its_account() {
    let server = Postgres::start(&[]);
    let store = Place::new(&server);
    let (ours, theirs) = (store.open(), store.open());
    let mut unknown = put(&*ours, &sending(&put(&*ours, &planned("a", "fedi")).await)).await;
    unknown.state = State::Unknown;
    unknown.owner = None;
    unknown.unknown = Some(Unknown { since: at(2), looks: 1, next_look: None, repeated: false, witnessed: false });
    let unknown = put(&*ours, &unknown).await;
    let repeat = |decided: i64| {
        let mut again = sending(&unknown);
        let intent = again.intent.as_mut().expect("an intent");
        (intent.at, again.owner) = (at(decided), Some("worker".to_owned()));
        [change(&again, "repeat")]
    };
    for post in ["b", "c"] {
        put(&*theirs, &planned(post, "fedi")).await;
    }
    let claimed = theirs.claim(&request(&["fedi"])).await.expect("a claim").remove(0);
    assert_eq!(ours.write(&repeat(10)).await, Ok(vec![Written::Stale]), "another delivery is claimed");
    let mut begun = sending(&claimed);
    begun.intent.as_mut().expect("an intent").at = at(11);
    let begun = put(&*theirs, &begun).await;
    assert_eq!(ours.write(&repeat(12)).await, Ok(vec![Written::Stale]), "another delivery is being sent");
    let mut done = begun;
    (done.state, done.owner) = (State::Published, None);
    put(&*theirs, &done).await;
    assert_eq!(ours.write(&repeat(10)).await, Ok(vec![Written::Stale]), "a call has begun since it was decided");
    assert_eq!(ours.delivery(unknown.id).await, Ok(Some(unknown.clone())), "nothing was written");
    let sql = |sql: &str| server.sql(database(&store.url), sql);
    assert_eq!(sql("SELECT count(*) FROM smm.intents"), "2");
    assert_eq!(ours.write(&repeat(12)).await, Ok(vec![Written::Done]));
    let leased = format!("SELECT lease_until > clock_timestamp() FROM smm.deliveries WHERE id = '{}'", unknown.id);
    assert_eq!(sql(&leased), "t");
    assert!(theirs.claim(&request(&["fedi"])).await.expect("an answer").is_empty(), "its account is busy");
}

/// Of many that try at the very same moment one comes through, and all hear so without an error.
pub async fn races_have_one_winner() {
    const MANY: usize = 8;
    let server = Postgres::start(&[]);
    let store = Place::new(&server);
    // All make the tables at once.
    let ledgers: Vec<_> = (0..MANY).map(|_| store.open()).collect();
    let made = all(ledgers.iter().map(|ledger| {
        let ledger = Arc::clone(ledger);
        async move { ledger.lock("smm daemon").await.map(drop) }
    }))
    .await;
    assert!(made.iter().all(Result::is_ok), "{made:?}");
    // One identity under many names: one intent is taken.
    for round in 0..10 {
        let mut rows = Vec::new();
        for number in 0..MANY {
            let name = format!("name-{number}");
            let mut row = put(&*ledgers[0], &planned(&format!("post-{round}"), &name)).await;
            row = sending(&row);
            "one".clone_into(&mut row.intent.as_mut().expect("an intent").binding.uid);
            rows.push(row);
        }
        let written = all(rows.into_iter().zip(&ledgers).map(|(row, ledger)| {
            let ledger = Arc::clone(ledger);
            async move { ledger.write(&[change(&row, "intent")]).await }
        }))
        .await;
        let done = written.iter().filter(|answer| **answer == Ok(vec![Written::Done])).count();
        let out = written
            .iter()
            .filter(|answer| matches!(answer.as_deref(), Ok([Written::AlreadyOut { receipt: None, .. }])))
            .count();
        assert_eq!((done, out), (1, MANY - 1), "{written:?}");
    }
    // One account, many rows, many workers: one at a time, in their order.
    let account = "busy";
    for number in 0..20 {
        let mut row = planned(&format!("turn-{number:02}"), account);
        row.due = at(number);
        put(&*ledgers[0], &row).await;
    }
    for number in 0..20 {
        let claims = all(ledgers.iter().map(|ledger| {
            let ledger = Arc::clone(ledger);
            async move { ledger.claim(&request(&[account])).await }
        }))
        .await;
        let mut claimed: Vec<Delivery> = claims.into_iter().flat_map(|claim| claim.expect("a claim")).collect();
        let row = claimed.pop().expect("one");
        assert!(claimed.is_empty(), "{claimed:?}");
        assert_eq!(row.post.as_str(), format!("turn-{number:02}"));
        let mut done = row;
        done.state = State::Published;
        put(&*ledgers[0], &done).await;
    }
    // The same text for all accounts of an occurrence, and each occurrence its own.
    let numbers = all((0..MANY).map(|number| {
        let ledger = Arc::clone(&ledgers[number]);
        async move {
            let mut row = planned("tip", &format!("name-{number}"));
            row.occurrence = OccurrenceName::new(format!("tip@{}", number % 4));
            (number % 4, ledger.variation(&row, 4).await.expect("a number"))
        }
    }))
    .await;
    let by_occurrence: std::collections::BTreeMap<usize, u32> = numbers.iter().copied().collect();
    assert!(numbers.iter().all(|(occurrence, number)| by_occurrence[occurrence] == *number), "{numbers:?}");
    let each: std::collections::BTreeSet<u32> = by_occurrence.values().copied().collect();
    assert_eq!(each.len(), 4, "{numbers:?}");
    // The first binding wins.
    let bound = all((0..MANY).map(|number| {
        let ledger = Arc::clone(&ledgers[number]);
        let mut binding = sending(&planned("x", "y")).intent.expect("an intent").binding;
        binding.uid = number.to_string();
        async move { ledger.bind(&AccountName::new("fedi"), &binding).await.expect("bound").uid }
    }))
    .await;
    assert!(bound.iter().all(|uid| *uid == bound[0]), "{bound:?}");
}

/// Runs futures as tasks, at the same time.
async fn all<T: Send + 'static>(work: impl Iterator<Item = impl Future<Output = T> + Send + 'static>) -> Vec<T> {
    let tasks: Vec<_> = work.map(tokio::spawn).collect();
    let mut done = Vec::with_capacity(tasks.len());
    for task in tasks {
        done.push(task.await.expect("no panic"));
    }
    done
}
