//! The driver against a network, a clock and a ledger that go wrong at the worst moment.

use std::collections::VecDeque;

use async_trait::async_trait;
use serde_json::json;

use super::*;
use crate::adapter::{Api, Identity, Metrics, Reply, Step, Verdict};
use crate::engine::samples::{after, plan_of, start};
use crate::engine::{Pass, Worker};
use crate::ledger::LedgerError;
use crate::ledger::memory::{Around, Call, MemoryStore};
use crate::model::{Content, Late, LateThen, LimitOverrides, Post, State, Trigger};
use crate::time::{ManualClock, Zone};

/// Something that happens at a moment.
type Event = Box<dyn FnMut() + Send>;

/// A network that keeps what reaches it.
#[derive(Default)]
struct Net {
    out: Mutex<Vec<DateTime<Utc>>>,
    class: Mutex<Option<RepeatSafety>>,
    /// Happens when who-am-I is asked.
    asked: Mutex<Option<Event>>,
    /// What becomes of the next calls; then all are answered.
    acts: Mutex<VecDeque<Act>>,
    time: Mutex<Option<DateTime<Utc>>>,
    clock: Mutex<Option<ManualClock>>,
    /// What each call may take beyond the usual.
    more_time: Mutex<Duration>,
}

enum Act {
    /// Kept, and no answer comes.
    Silence,
    /// Somebody else takes the delivery over before the answer comes.
    TakeOver(Box<Worker>),
}

impl Net {
    fn class(&self) -> RepeatSafety {
        self.class.lock().expect("no panic").unwrap_or(RepeatSafety::LookUp)
    }

    fn out(&self) -> Vec<DateTime<Utc>> {
        self.out.lock().expect("no panic").clone()
    }
}

struct Wire(Arc<Net>);

#[async_trait]
impl Api for Wire {
    async fn host(&self) -> Result<Option<String>, Fault> {
        Ok(Some("https://net.example".to_owned()))
    }

    async fn whoami(&self) -> Result<Identity, Fault> {
        if let Some(event) = self.0.asked.lock().expect("no panic").as_mut() {
            event();
        }
        Ok(Identity {
            uid: "1".to_owned(),
            handle: "@acme".to_owned(),
            host: "https://net.example".to_owned(),
            limits: LimitOverrides::default(),
            repeat: None,
        })
    }

    async fn prepare(&self, _: &Step, _: &Progress) -> Result<serde_json::Value, Fault> {
        Ok(serde_json::Value::Null)
    }

    fn freeze(&self, step: &Step, _: &Progress, _: &Identity, _: DateTime<Utc>) -> Result<Frozen, Fault> {
        Ok(Frozen { part: step.part, key: "key".to_owned(), request: json!({}) })
    }

    fn more_time(&self, _: &Frozen) -> Duration {
        *self.0.more_time.lock().expect("no panic")
    }

    async fn publish(&self, frozen: &Frozen) -> Result<Receipt, Fault> {
        let at = self.0.clock.lock().expect("no panic").as_ref().map_or_else(start, ManualClock::now);
        self.0.out.lock().expect("no panic").push(at);
        let act = self.0.acts.lock().expect("no panic").pop_front();
        match act {
            Some(Act::Silence) => std::future::pending::<()>().await,
            Some(Act::TakeOver(mut other)) => {
                // As if the process had been kept from going on.
                if let Some(clock) = self.0.clock.lock().expect("no panic").as_ref() {
                    clock.pass(Duration::from_mins(2));
                }
                other.recover().await.expect("the ledger answers");
            }
            None => {}
        }
        Ok(Receipt { part: frozen.part, id: "1".to_owned(), url: None, at, data: serde_json::Value::Null })
    }

    async fn reconcile(&self, frozen: &Frozen, _: DateTime<Utc>) -> Result<Verdict, Fault> {
        let Some(at) = self.0.out().first().copied() else { return Ok(Verdict::NotDone) };
        Ok(Verdict::Done(Receipt { part: frozen.part, id: "1".to_owned(), url: None, at, data: json!(null) }))
    }

    async fn metrics(&self, _: &Receipt) -> Result<Metrics, Fault> {
        Ok(Metrics::default())
    }

    async fn replies(&self, _: &Receipt) -> Result<Vec<Reply>, Fault> {
        Ok(Vec::new())
    }

    async fn delete(&self, _: &Receipt) -> Result<(), Fault> {
        Ok(())
    }
}

struct Hub(Arc<Net>);

impl Connector for Hub {
    fn repeat(&self, _: &str) -> RepeatSafety {
        self.0.class()
    }

    fn compose(&self, _: &Calendar, _: &Post, _: &Account, _: Instance) -> Result<Plan, String> {
        serde_json::from_value(plan_of(1)).map_err(|error| error.to_string())
    }

    fn connect(&self, _: &Account, _: &Folders) -> Result<Box<dyn Api>, String> {
        Ok(Box::new(Wire(Arc::clone(&self.0))))
    }

    fn server_time(&self) -> Option<DateTime<Utc>> {
        *self.0.time.lock().expect("no panic")
    }
}

/// What goes wrong with the ledger: told of each call, before it and after it.
type Trouble = Box<dyn FnMut(Call, bool) -> bool + Send>;

#[derive(Default)]
struct Faulty(Mutex<Option<Trouble>>);

impl Faulty {
    fn meets(&self, call: Call, done: bool) -> Result<(), LedgerError> {
        let mut trouble = self.0.lock().expect("no panic");
        let fails = trouble.as_mut().is_some_and(|trouble| trouble(call, done));
        if fails { Err(LedgerError::Storage("no answer".to_owned())) } else { Ok(()) }
    }
}

#[async_trait]
impl Around for Faulty {
    async fn before(&self, call: Call) -> Result<(), LedgerError> {
        self.meets(call, false)
    }

    async fn after(&self, call: Call) -> Result<(), LedgerError> {
        self.meets(call, true)
    }
}

/// A process, and all that it uses.
struct Stage {
    clock: ManualClock,
    store: MemoryStore,
    faulty: Arc<Faulty>,
    net: Arc<Net>,
    world: World,
}

impl Stage {
    /// With so many posts of one account that are due at the start.
    fn new(shared: bool, posts: usize) -> Self {
        let clock = ManualClock::new(start());
        let of = Arc::new(clock.clone());
        let store = if shared { MemoryStore::shared(Duration::from_mins(1), of) } else { MemoryStore::exclusive(of) };
        let account = Account::new(AccountName::new("a"), "some-network");
        let post = |number: usize| Post {
            id: PostId::new(format!("post-{number}")),
            name: PostId::new(format!("post-{number}")),
            trigger: Some(Trigger::At { civil: start().naive_utc(), instant: start() }),
            to: vec![account.name.clone()],
            content: Content::default(),
            overrides: BTreeMap::new(),
            campaign: None,
            late: Late { grace_seconds: 900, then: LateThen::Hold },
            draft: false,
        };
        let accounts = BTreeMap::from([(account.name.clone(), account.clone())]);
        let calendar = Calendar {
            name: CalendarName::new("acme"),
            zone: Zone::parse("UTC").expect("a zone"),
            folder: ".".into(),
            posts: (0..posts).map(post).collect(),
            accounts: accounts.clone(),
            campaigns: BTreeMap::new(),
            missing_alt_warns: false,
            media_host: false,
        };
        let ids = calendar.posts.iter().map(|post| post.id.clone()).collect();
        let world =
            World { calendar: Some(Arc::new(calendar)), ids, complete: true, accounts, folder: PathBuf::from(".") };
        let net = Arc::new(Net { clock: Mutex::new(Some(clock.clone())), ..Net::default() });
        Self { clock, store, faulty: Arc::default(), net, world }
    }

    fn spaced(mut self, spacing: Duration) -> Self {
        let account = self.world.accounts.get_mut(&AccountName::new("a")).expect("there");
        account.spacing = Some(spacing);
        self
    }

    fn engine(&self, owner: &str) -> Arc<Engine> {
        let around: Arc<dyn Around> =
            if owner == "me" { Arc::<Faulty>::clone(&self.faulty) } else { Arc::new(Faulty::default()) };
        let ledger = Arc::new(self.store.open_on(Arc::default(), around));
        let (clock, hub) = (Arc::new(self.clock.clone()), Arc::new(Hub(Arc::clone(&self.net))));
        Arc::new(Engine::new(ledger, clock, hub, DeliverySettings::default(), owner, self.world.clone()))
    }

    fn asked(&self, event: impl FnMut() + Send + 'static) {
        *self.net.asked.lock().expect("no panic") = Some(Box::new(event));
    }

    fn trouble(&self, trouble: impl FnMut(Call, bool) -> bool + Send + 'static) {
        *self.faulty.0.lock().expect("no panic") = Some(Box::new(trouble));
    }

    /// Runs as the daemon does, until nothing is to be done before `until`.
    async fn run(&self, engine: &Arc<Engine>, until: DateTime<Utc>) {
        let mut worker = Worker::new(Arc::clone(engine), None);
        worker.recover().await.expect("the ledger answers");
        engine.apply().await.expect("the ledger answers");
        for _ in 0..200 {
            let sound = engine.is_clock_sound().await.expect("the ledger answers");
            if engine.is_outdated() {
                engine.apply().await.expect("the ledger answers");
            }
            if worker.start().await.is_err() {
                self.clock.wait(Duration::from_secs(5)).await;
                continue;
            }
            while worker.is_working() {
                let _ = worker.ended().await;
            }
            let next = worker.next().await.expect("the ledger answers");
            match next.filter(|next| sound && *next <= until) {
                Some(next) => self.clock.sleep_until(next).await,
                None => return,
            }
        }
        panic!("it does not come to rest");
    }

    fn states(&self) -> Vec<State> {
        self.store.deliveries().iter().map(|row| row.state).collect()
    }
}

#[tokio::test]
async fn a_clock_that_is_set_back_makes_it_wait() {
    let stage = Stage::new(false, 1);
    let (clock, mut once) = (stage.clock.clone(), true);
    stage.asked(move || {
        if std::mem::take(&mut once) {
            clock.step(TimeDelta::minutes(-4));
        }
    });
    let engine = stage.engine("me");
    stage.run(&engine, after(-1)).await;
    assert_eq!((stage.net.out(), stage.states()), (vec![], vec![State::Planned]));
    stage.run(&engine, after(60)).await;
    assert_eq!((stage.net.out(), stage.states()), (vec![start()], vec![State::Published]));
}

#[tokio::test]
async fn a_jump_forward_sends_nothing_until_a_server_agrees() {
    let stage = Stage::new(false, 1);
    let (clock, mut once) = (stage.clock.clone(), true);
    stage.asked(move || {
        if std::mem::take(&mut once) {
            clock.step(TimeDelta::minutes(11));
        }
    });
    let engine = stage.engine("me");
    stage.run(&engine, after(3600)).await;
    assert_eq!((stage.net.out(), stage.states()), (vec![], vec![State::Planned]));
    let kinds: Vec<String> = stage.store.alerts().into_iter().map(|alert| alert.kind).collect();
    assert_eq!(kinds, ["clock"], "told once");
    // Another time than the clock's is no agreement.
    *stage.net.time.lock().expect("no panic") = Some(start());
    stage.clock.pass(Duration::from_mins(1));
    assert_eq!(engine.is_clock_sound().await, Ok(false));
    *stage.net.time.lock().expect("no panic") = Some(stage.clock.now());
    stage.clock.pass(Duration::from_mins(1));
    assert_eq!(engine.is_clock_sound().await, Ok(true));
    stage.run(&engine, after(3600)).await;
    assert_eq!((stage.net.out().len(), stage.states()), (1, vec![State::Published]), "within its grace");
}

#[tokio::test]
async fn a_stop_in_the_middle_sends_nothing() {
    let stage = Stage::new(false, 1);
    let engine = stage.engine("me");
    let stopped = Arc::clone(&engine);
    stage.asked(move || stopped.stop());
    let mut worker = Worker::new(Arc::clone(&engine), None);
    worker.recover().await.expect("the ledger answers");
    engine.apply().await.expect("the ledger answers");
    worker.start().await.expect("the ledger answers");
    worker.ended().await.expect("the ledger answers");
    assert_eq!((stage.net.out(), stage.states()), (vec![], vec![State::Planned]));
}

#[tokio::test]
async fn spacing_is_kept() {
    let stage = Stage::new(false, 3).spaced(Duration::from_mins(2));
    stage.run(&stage.engine("me"), after(3600)).await;
    assert_eq!(stage.net.out(), [start(), after(120), after(240)]);
}

#[tokio::test]
async fn what_is_paused_waits() {
    let stage = Stage::new(false, 1);
    let engine = stage.engine("me");
    engine.ledger().pause(None, Some((start(), "lunch".to_owned()))).await.expect("paused");
    stage.run(&engine, after(60)).await;
    assert_eq!((stage.net.out(), stage.states()), (vec![], vec![State::Planned]));
    engine.ledger().pause(None, None).await.expect("resumed");
    stage.run(&engine, after(60)).await;
    assert_eq!(stage.net.out().len(), 1);
}

/// Each write of a delivery's way fails once: before it is done, or after it.
#[tokio::test]
async fn whichever_write_fails_it_goes_out_once() {
    for lost in [false, true] {
        for number in 0..8 {
            let stage = Stage::new(false, 1);
            let engine = stage.engine("me");
            engine.apply().await.expect("the ledger answers");
            let mut left = number;
            stage.trouble(move |call, done| {
                let counts = matches!(call, Call::Write { .. } | Call::Claim) && done == lost;
                left -= i32::from(counts);
                counts && left == -1
            });
            stage.run(&engine, after(600)).await;
            assert_eq!(stage.states(), [State::Published], "write {number}, lost {lost}");
            assert_eq!(stage.net.out().len(), 1, "write {number}, lost {lost}");
        }
    }
}

/// Nothing is sent when the intent's commit is not confirmed, though it was written.
#[tokio::test]
async fn an_intent_without_confirmation_is_not_sent() {
    let stage = Stage::new(false, 1);
    let (net, sent) = (Arc::clone(&stage.net), Arc::new(Mutex::new(None)));
    let (told, mut once) = (Arc::clone(&sent), true);
    stage.trouble(move |call, done| {
        if matches!(call, Call::Write { intent: false }) && !once && told.lock().expect("no panic").is_none() {
            *told.lock().expect("no panic") = Some(net.out().len());
        }
        call == Call::Write { intent: true } && done && std::mem::take(&mut once)
    });
    stage.run(&stage.engine("me"), after(600)).await;
    assert_eq!(*sent.lock().expect("no panic"), Some(0), "it was given back before anything was sent");
    assert_eq!((stage.net.out().len(), stage.states()), (1, vec![State::Published]));
}

#[tokio::test]
async fn an_answer_that_cannot_be_written_is_offered_again() {
    let stage = Stage::new(false, 1);
    let (net, mut left) = (Arc::clone(&stage.net), 20);
    stage.trouble(move |call, done| {
        let fails = !net.out().is_empty() && matches!(call, Call::Write { .. }) && !done && left > 0;
        left -= i32::from(fails);
        fails
    });
    stage.run(&stage.engine("me"), after(900)).await;
    assert_eq!((stage.net.out().len(), stage.states()), (1, vec![State::Published]));
}

/// Somebody waits for a pass: what it could not write down within a minute is left to the next start, which finds it out.
#[tokio::test]
async fn a_pass_ends_when_its_result_cannot_be_stored() {
    let stage = Stage::new(false, 1);
    let net = Arc::clone(&stage.net);
    // Everything is refused from the call on.
    stage.trouble(move |call, done| matches!(call, Call::Write { .. }) && !done && !net.out().is_empty());
    let engine = stage.engine("me");
    engine.apply().await.expect("the ledger answers");
    let pass = Pass { only: None, wait: Duration::ZERO };
    let error = engine.pass(&pass, std::future::pending()).await.expect_err("it could not be stored");
    assert_eq!(error, LedgerError::Storage("no answer".to_owned()));
    let took = stage.clock.now() - start();
    assert!(took >= TimeDelta::minutes(1) && took < TimeDelta::minutes(2), "it ended after {took}");
    assert_eq!((stage.net.out().len(), stage.states()), (1, vec![State::Sending]));

    stage.trouble(|_, _| false);
    let next = stage.engine("next");
    next.apply().await.expect("the ledger answers");
    stage.run(&next, after(3600)).await;
    assert_eq!((stage.net.out().len(), stage.states()), (1, vec![State::Published]), "it is out once");
}

#[tokio::test]
async fn a_lost_answer_is_found_by_looking() {
    let stage = Stage::new(false, 1);
    stage.net.acts.lock().expect("no panic").push_back(Act::Silence);
    stage.run(&stage.engine("me"), after(900)).await;
    assert_eq!((stage.net.out().len(), stage.states()), (1, vec![State::Published]));
}

/// Kept from going on between the intent and the call, as by SIGSTOP.
#[tokio::test]
async fn nothing_is_sent_after_the_lease() {
    let stage = Stage::new(true, 1);
    let (clock, mut once) = (stage.clock.clone(), true);
    stage.trouble(move |call, done| {
        if call == (Call::Write { intent: true }) && done && std::mem::take(&mut once) {
            clock.pass(Duration::from_secs(30));
        }
        false
    });
    let engine = stage.engine("me");
    stage.run(&engine, after(31)).await;
    assert_eq!((stage.net.out(), stage.states()), (vec![], vec![State::Planned]), "30 s and a call would be too long");
    stage.run(&engine, after(600)).await;
    assert_eq!((stage.net.out().len(), stage.states()), (1, vec![State::Published]));
}

/// Stopped for as long as a lease, and the first thing that it does when it goes on is to renew: that works, and says
/// nothing of what it had claimed before.
#[tokio::test]
async fn a_lease_that_ended_in_a_gap_is_not_trusted_again() {
    let stage = Stage::new(true, 1);
    let engine = stage.engine("me");
    engine.renew().await.expect("the ledger answers");
    let claimed = stage.clock.elapsed();
    for _ in 0..3 {
        stage.clock.pass(Duration::from_secs(59));
        engine.renew().await.expect("the ledger answers");
        assert!(engine.is_lease_long_enough(claimed), "it was renewed before its end each time");
    }
    stage.clock.pass(Duration::from_mins(1));
    engine.renew().await.expect("the ledger answers");
    let again = stage.clock.elapsed();
    stage.clock.pass(Duration::from_secs(1));
    engine.renew().await.expect("the ledger answers");
    assert!(!engine.is_lease_long_enough(claimed), "somebody else may have taken it meanwhile");
    assert!(engine.is_lease_long_enough(again), "what was claimed since is not concerned");
}

/// Files that travel with a post take longer than other calls, and no longer than nobody else may take the post over.
#[tokio::test]
async fn a_large_upload_has_time_as_long_as_its_lease_is_renewed() {
    let more = Duration::from_mins(5);
    let stage = Stage::new(false, 1);
    assert_eq!(stage.engine("me").time_is_up(more, stage.clock.elapsed()).await, Duration::from_secs(330));

    let stage = Stage::new(true, 1);
    let engine = stage.engine("me");
    let limit = async |more: Duration| engine.time_is_up(more, stage.clock.elapsed()).await;
    engine.renew().await.expect("the ledger answers");
    assert_eq!(limit(Duration::ZERO).await, Duration::from_secs(30));
    engine.renew().await.expect("the ledger answers");
    assert_eq!(limit(more).await, Duration::from_secs(55), "nobody renews it");
    engine.renew().await.expect("the ledger answers");
    let renew = async {
        loop {
            engine.renew().await.expect("the ledger answers");
            tokio::task::yield_now().await;
        }
    };
    tokio::select! {
        biased;
        () = renew => {}
        time = limit(more) => assert_eq!(time, Duration::from_secs(330)),
    }
}

#[tokio::test]
async fn a_large_upload_is_given_up_at_last() {
    let stage = Stage::new(false, 1);
    *stage.net.class.lock().expect("no panic") = Some(RepeatSafety::None);
    *stage.net.more_time.lock().expect("no panic") = Duration::from_mins(5);
    stage.net.acts.lock().expect("no panic").push_back(Act::Silence);
    stage.run(&stage.engine("me"), after(900)).await;
    let rows = stage.store.deliveries();
    assert_eq!(rows[0].state, State::Unknown);
    assert!(format!("{:?}", rows[0]).contains("no answer within 330 s"), "{:?}", rows[0]);
}

#[tokio::test]
async fn a_slow_start_renews_the_lease_before_it_sends() {
    let stage = Stage::new(true, 1);
    let clock = stage.clock.clone();
    stage.asked(move || clock.pass(Duration::from_secs(40)));
    stage.run(&stage.engine("me"), after(60)).await;
    assert_eq!((stage.net.out(), stage.states()), (vec![after(40)], vec![State::Published]));
}

#[tokio::test]
async fn an_answer_after_a_takeover_closes_the_delivery() {
    let stage = Stage::new(true, 1);
    *stage.net.class.lock().expect("no panic") = Some(RepeatSafety::None);
    let other = Worker::new(stage.engine("another"), None);
    stage.net.acts.lock().expect("no panic").push_back(Act::TakeOver(Box::new(other)));
    let engine = stage.engine("me");
    let mut worker = Worker::new(Arc::clone(&engine), None);
    worker.recover().await.expect("the ledger answers");
    engine.apply().await.expect("the ledger answers");
    worker.start().await.expect("the ledger answers");
    worker.ended().await.expect("the ledger answers");
    assert_eq!((stage.net.out().len(), stage.states()), (1, vec![State::Published]));
    let kinds: Vec<String> = stage.store.events().into_iter().map(|event| event.kind).collect();
    assert!(kinds.contains(&"unknown".to_owned()), "it was taken over: {kinds:?}");
}

/// Two machines that publish from one ledger, and one of them reads an older version of the calendar.
#[tokio::test]
async fn a_post_that_only_the_newer_calendar_has_goes_out_once() {
    let stage = Stage::new(true, 1);
    let (newer, older) = (stage.engine("me"), stage.engine("another"));
    let calendar = stage.world.calendar.as_deref().expect("a calendar");
    let calendar = Calendar { posts: Vec::new(), ..calendar.clone() };
    let world = World { calendar: Some(Arc::new(calendar)), ids: Vec::new(), ..stage.world.clone() };
    older.set_world(world, DeliverySettings::default());
    newer.apply().await.expect("the ledger answers");
    // Claimed where it is not known.
    let mut worker = Worker::new(Arc::clone(&older), None);
    worker.recover().await.expect("the ledger answers");
    assert_eq!(worker.start().await, Ok(1));
    worker.ended().await.expect("the ledger answers");
    assert_eq!(stage.states(), [State::Planned], "free for who knows it");
    // Taken for removed there.
    older.apply().await.expect("the ledger answers");
    assert_eq!(stage.states(), [State::Cancelled]);
    let mut worker = Worker::new(Arc::clone(&newer), None);
    worker.recover().await.expect("the ledger answers");
    assert!(!newer.is_outdated(), "nothing has told it yet");
    for _ in 0..30 {
        stage.clock.pass(Duration::from_secs(20));
        worker.start().await.expect("the ledger answers");
    }
    assert!(newer.is_outdated(), "it compares again by itself");
    stage.run(&newer, after(900)).await;
    stage.run(&older, after(1200)).await;
    assert_eq!((stage.net.out().len(), stage.states()), (1, vec![State::Published]));
}
