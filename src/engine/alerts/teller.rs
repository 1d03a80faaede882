//! Tells what was raised, to every target: at once, in one message, once; and again with back-off where that did not work.
//!
//! At most one message is on its way to a target, and a target that does not answer keeps no other one waiting. While there
//! is nothing to tell it sleeps.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use tokio::task::JoinSet;

use super::rule::one_line;
use super::{Alarm, GIVE_UP, Message, Target, process};
use crate::engine::Engine;
use crate::ledger::{Alert, Errand, Ledger, LedgerError, TellRequest, Told};
use crate::time::Clock;

/// Alerts that are one message at most.
const TOGETHER: usize = 10_000;

/// What was handed out is handed to nobody else for so long: until the target has surely been given up, and that was written.
const HANDED_OUT: TimeDelta = TimeDelta::seconds(60);

/// The back-off's first step; it doubles.
const BACK_OFF: Duration = Duration::from_secs(5);

/// Longest back-off.
const BACK_OFF_CAP: Duration = Duration::from_mins(15);

/// No alert is put off for longer: by the longest back-off, or by being handed out.
const FARTHEST: TimeDelta = TimeDelta::minutes(17);

/// A target that could not be told for so long is told to the others.
const DOWN: TimeDelta = TimeDelta::minutes(10);

/// A ledger that does not answer, or gives nothing although it said that there is something, is asked again after so long.
const ASK_AGAIN: TimeDelta = TimeDelta::seconds(5);

/// What is on its way when it is to end is waited for so long.
const LAST: Duration = Duration::from_secs(10);

/// A ledger that others write, too, is asked this often: a process that ended may have left something to tell.
const OTHERS: TimeDelta = TimeDelta::seconds(30);

/// How fast things are told.
#[derive(Debug, Clone, Copy)]
pub struct Pace {
    /// What happens within so long of the first alert is told with it.
    pub gather: TimeDelta,
    /// Between two messages to one target.
    pub apart: TimeDelta,
    /// The back-off's first step; it doubles up to 15 minutes.
    pub back_off: Duration,
}

impl Default for Pace {
    fn default() -> Self {
        Self { gather: TimeDelta::seconds(2), apart: TimeDelta::seconds(20), back_off: BACK_OFF }
    }
}

/// Tells what was raised.
pub struct Teller {
    ledger: Arc<dyn Ledger>,
    clock: Arc<dyn Clock>,
    alarm: Arc<Alarm>,
    pace: Pace,
    targets: RwLock<Vec<Target>>,
    stopping: AtomicBool,
}

/// A target, as one run knows it.
#[derive(Debug, Clone, Copy, Default)]
struct Line {
    /// A message is on its way.
    busy: bool,
    /// Nothing is sent before.
    not_before: Option<DateTime<Utc>>,
    /// The last message did not arrive.
    failing: bool,
}

/// What became of a message.
struct Sent {
    target: String,
    /// When it is to be tried again; `None`: it was told.
    again: Option<DateTime<Utc>>,
}

impl Teller {
    /// Tells these targets what `engine` raises. New ones are told nothing that was raised before.
    pub async fn new(engine: &Engine, targets: Vec<Target>, pace: Pace) -> Result<Self, LedgerError> {
        let teller = Self {
            ledger: Arc::clone(&engine.ledger),
            clock: Arc::clone(&engine.clock),
            alarm: Arc::clone(&engine.alarm),
            pace,
            targets: RwLock::default(),
            stopping: AtomicBool::new(false),
        };
        teller.ledger.meet(&names(&targets), teller.clock.now()).await?;
        teller.set_targets(targets);
        Ok(teller)
    }

    /// Other targets from now on.
    pub fn set_targets(&self, targets: Vec<Target>) {
        *self.targets.write().unwrap_or_else(PoisonError::into_inner) = targets;
        self.alarm.ring();
    }

    /// The names of those that are told.
    pub fn names(&self) -> Vec<String> {
        names(&self.targets())
    }

    fn targets(&self) -> Vec<Target> {
        self.targets.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Tells until it is stopped. What is on its way then may end, for a few seconds; what was not told is kept.
    pub async fn run(&self) {
        let mut round = Round::new(self);
        while !self.stopping.load(Ordering::SeqCst) {
            let now = self.clock.now();
            let next = match round.start(now, now, false).await {
                Ok(next) => next,
                Err(error) => {
                    tracing::error!(%error, "the ledger does not answer, so nobody can be told");
                    Some(now + ASK_AGAIN)
                }
            };
            let next = if self.ledger.is_exclusive() || round.lines.is_empty() {
                next
            } else {
                Some(next.map_or(now + OTHERS, |next| next.min(now + OTHERS)))
            };
            let timer = async {
                match next {
                    Some(at) => self.clock.sleep_until(at).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                () = self.alarm.rung.notified() => {}
                () = round.ended() => {}
                () = timer => {}
            }
        }
        self.tell_all(round, LAST, false).await;
    }

    /// Lets [`Teller::run`] end.
    pub fn stop(&self) {
        self.stopping.store(true, Ordering::SeqCst);
        self.alarm.ring();
    }

    /// Tells what there is to be told now, each target once, and ends: at the latest after `within`. `soon`: also what is to be told within
    /// the next minute, since nobody will be there then.
    pub async fn finish(&self, within: Duration, soon: bool) {
        self.tell_all(Round::new(self), within, soon).await;
    }

    async fn tell_all(&self, mut round: Round<'_>, within: Duration, soon: bool) {
        let all = async {
            loop {
                let now = self.clock.now();
                let until = if soon { now + TimeDelta::minutes(1) } else { now };
                match round.start(now, until, true).await {
                    Ok(_) if round.tasks.is_empty() => return,
                    Ok(_) => round.ended().await,
                    Err(error) => {
                        tracing::error!(%error, "the ledger does not answer, so nobody can be told");
                        return;
                    }
                }
            }
        };
        if tokio::time::timeout(within, all).await.is_err() {
            tracing::warn!("not everybody could be told in time; the alerts are kept");
        }
    }

    /// Raises what was to be raised later and whose time has come.
    async fn raise_due(&self, now: DateTime<Utc>) -> Result<(), LedgerError> {
        for alert in self.alarm.due(now) {
            self.ledger.raise(&alert).await?;
            self.alarm.raised(&alert.key);
        }
        Ok(())
    }
}

/// The targets of one run, and the messages that are on their way.
struct Round<'a> {
    teller: &'a Teller,
    lines: HashMap<String, Line>,
    /// When it was last looked what is to be told.
    asked: Option<DateTime<Utc>>,
    tasks: JoinSet<Sent>,
}

impl<'a> Round<'a> {
    fn new(teller: &'a Teller) -> Self {
        Self { teller, lines: HashMap::new(), asked: None, tasks: JoinSet::new() }
    }

    /// Starts what is to be told by `until`. `last`: nothing is gathered or kept apart any more. Gives when there is more, if
    /// nothing ends or is raised before.
    async fn start(
        &mut self,
        now: DateTime<Utc>,
        until: DateTime<Utc>,
        last: bool,
    ) -> Result<Option<DateTime<Utc>>, LedgerError> {
        let teller = self.teller;
        let targets = teller.targets();
        let all = names(&targets);
        let set_back = self.asked.replace(now).is_some_and(|asked| now < asked);
        if set_back || all.iter().any(|name| !self.lines.contains_key(name)) {
            teller.ledger.meet(&all, now).await?;
            for name in &all {
                self.lines.entry(name.clone()).or_default();
            }
        }
        teller.raise_due(now).await?;
        let mut next = teller.alarm.next().filter(|at| *at < DateTime::<Utc>::MAX_UTC);
        for target in targets {
            let line = self.lines.entry(target.name.clone()).or_default();
            if line.busy {
                continue;
            }
            let Some(stored) = teller.ledger.next_tell(std::slice::from_ref(&target.name)).await? else { continue };
            // Nothing is put off for longer than the longest back-off: the clock was set back since.
            let (at, asked) = if stored > now + FARTHEST { (now, stored) } else { (stored, until) };
            line.not_before = line.not_before.filter(|at| *at <= now + FARTHEST);
            let at =
                if last && !line.failing { at } else { (at + teller.pace.gather).max(line.not_before.unwrap_or(at)) };
            // Who did not hear it a moment ago is not asked again at once, however much is in a hurry.
            if at > if line.failing { now } else { until } {
                next = Some(next.map_or(at, |next| next.min(at)));
                continue;
            }
            let request = TellRequest {
                target: target.name.clone(),
                now: asked,
                until: now.max(until) + HANDED_OUT,
                limit: TOGETHER,
            };
            let errands = teller.ledger.tell(&request).await?;
            if errands.is_empty() {
                // Somebody else has them.
                (line.not_before, line.failing) = (Some(now + ASK_AGAIN), true);
                next = Some(next.map_or(now + ASK_AGAIN, |next| next.min(now + ASK_AGAIN)));
                continue;
            }
            line.busy = true;
            let (ledger, clock, alarm) =
                (Arc::clone(&teller.ledger), Arc::clone(&teller.clock), Arc::clone(&teller.alarm));
            let (pace, others) = (teller.pace, all.len() > 1);
            self.tasks.spawn(async move {
                let (told, down) = deliver(&*ledger, &*clock, &target, errands, pace).await;
                if let Some(alert) = down.filter(|_| others) {
                    // It knows that itself.
                    let raised = async {
                        ledger.raise(&alert).await?;
                        let keys = [alert.key.clone()];
                        ledger.told(&target.name, &keys, &Told::Yes, clock.now()).await
                    };
                    if let Err(error) = raised.await {
                        tracing::error!(%error, "the ledger does not take an alert");
                    }
                    alarm.ring();
                }
                told
            });
        }
        Ok(next)
    }

    /// Waits until a message has ended. For ever when none is on its way.
    async fn ended(&mut self) {
        let Some(ended) = self.tasks.join_next().await else { return std::future::pending().await };
        let now = self.teller.clock.now();
        match ended {
            Ok(Sent { target, again }) => {
                let line = self.lines.entry(target).or_default();
                line.busy = false;
                line.failing = again.is_some();
                line.not_before = Some(again.unwrap_or(now + self.teller.pace.apart));
            }
            Err(error) => {
                tracing::error!(%error, "smm has met a mistake of its own while it told somebody");
                // Whose it was is not known any more: what was handed out comes again by itself.
                for line in self.lines.values_mut().filter(|line| line.busy) {
                    *line = Line { busy: false, not_before: Some(now + HANDED_OUT), failing: true };
                }
            }
        }
    }
}

/// Sends a message, however long the target takes.
pub async fn tell(target: &Target, message: &Message) -> Result<(), String> {
    match tokio::time::timeout(GIVE_UP, target.sender.send(message)).await {
        Ok(result) => result.map_err(|why| one_line(&why)),
        Err(_) => Err(format!("no end within {} s; given up", GIVE_UP.as_secs())),
    }
}

/// Tells these alerts, and writes down what came of it. Gives an alert about the target when it has been down for long.
async fn deliver(
    ledger: &dyn Ledger,
    clock: &dyn Clock,
    target: &Target,
    errands: Vec<Errand>,
    pace: Pace,
) -> (Sent, Option<Alert>) {
    let attempts = errands.iter().map(|errand| errand.attempts).max().unwrap_or(0) + 1;
    let since = errands.iter().map(|errand| errand.alert.tell_at).min();
    let keys: Vec<String> = errands.iter().map(|errand| errand.alert.key.clone()).collect();
    let message = Message::new(errands.into_iter().map(|errand| errand.alert).collect(), clock.now());
    let result = tell(target, &message).await;
    let now = clock.now();
    let name = target.name.as_str();
    let (told, again, down) = match result {
        Ok(()) => {
            tracing::info!(target_name = name, alerts = keys.len(), "told");
            (Told::Yes, None, None)
        }
        Err(error) => {
            tracing::warn!(target_name = name, alerts = keys.len(), attempts, "could not be told: {error}");
            let again = now + back_off(name, attempts, now, pace.back_off);
            let down =
                since.filter(|since| now - *since >= DOWN).map(|since| process::target_down(name, &error, since, now));
            (Told::NotYet { again, error }, Some(again), down)
        }
    };
    if let Err(error) = ledger.told(name, &keys, &told, now).await {
        tracing::error!(%error, target_name = name, "the ledger does not take who was told; it may be told again");
    }
    (Sent { target: name.to_owned(), again }, down)
}

/// Full jitter: anything up to the doubled step, and never less than a tenth of the first one.
fn back_off(target: &str, attempts: u32, now: DateTime<Utc>, first: Duration) -> TimeDelta {
    let step = first.saturating_mul(1 << attempts.saturating_sub(1).min(20)).min(BACK_OFF_CAP);
    let mut hash = DefaultHasher::new();
    (target, attempts, now.timestamp_nanos_opt()).hash(&mut hash);
    let share = f64::from(u16::try_from(hash.finish() >> 48).unwrap_or(u16::MAX)) / f64::from(u16::MAX);
    TimeDelta::from_std(step.mul_f64(share).max(first / 10)).unwrap_or(TimeDelta::minutes(15))
}

fn names(targets: &[Target]) -> Vec<String> {
    targets.iter().map(|target| target.name.clone()).collect()
}

#[cfg(test)]
mod tests {
    use super::super::super::samples::planned;
    use super::super::samples::{Ear, Hangs, QUICK, alert, begin, engine, store, target, teller, until};
    use super::*;
    use crate::ledger::Write;
    use crate::ledger::memory::MemoryStore;
    use crate::model::{Delivery, Event, State};
    use crate::time::SystemClock;

    #[tokio::test]
    async fn each_target_is_told_once_and_one_that_fails_is_tried_again() {
        let (store, good, bad) = (store(), Arc::new(Ear::default()), Ear::failing(3));
        let engine = engine(&store);
        let teller = teller(
            &engine,
            vec![target("good", good.clone()), target("bad", bad.clone()), target("hung", Arc::new(Hangs))],
        )
        .await;
        let running = begin(&teller);
        engine.raise(&alert("one")).await.expect("raised");
        engine.raise(&alert("one")).await.expect("raised");
        until("the good one was told", || good.heard().len() == 1).await;
        assert_eq!(good.heard(), [["one"]], "whatever the others do");
        engine.raise(&alert("two")).await.expect("raised");
        until("the bad one was told", || bad.heard().concat().len() == 2).await;
        until("the good one was told again", || good.heard().len() == 2).await;
        tokio::time::sleep(Duration::from_millis(300)).await;
        assert_eq!(
            (good.heard().concat(), bad.heard().concat()),
            (vec!["one".to_owned(), "two".to_owned()], vec!["one".to_owned(), "two".to_owned()])
        );
        assert_eq!(engine.ledger.untold(&["good".to_owned(), "bad".to_owned()]).await.expect("answers"), []);
        running.abort();
    }

    #[tokio::test]
    async fn what_could_not_be_told_is_kept_with_why() {
        let (store, bad) = (store(), Ear::failing(u32::MAX));
        let engine = engine(&store);
        let teller = teller(&engine, vec![target("bad", bad.clone())]).await;
        engine.raise(&alert("one")).await.expect("raised");
        teller.finish(Duration::from_secs(5), false).await;
        let untold = engine.ledger.untold(&["bad".to_owned()]).await.expect("answers");
        assert_eq!(untold.len(), 1);
        assert_eq!((untold[0].attempts, untold[0].error.as_deref()), (1, Some("HTTP 500")));
        assert_eq!(engine.ledger.untold(&[]).await.expect("answers"), [], "no target, nobody untold");
        // The next process goes on with it.
        let (good, engine) = (Arc::new(Ear::default()), self::engine(&store));
        let teller = self::teller(&engine, vec![target("bad", good.clone())]).await;
        let running = begin(&teller);
        until("it was told in the end", || good.heard() == [["one"]]).await;
        running.abort();
    }

    #[tokio::test]
    async fn a_new_target_is_not_told_the_past() {
        let (store, old, new) = (store(), Arc::new(Ear::default()), Arc::new(Ear::default()));
        let engine = engine(&store);
        let teller = teller(&engine, vec![target("old", old.clone())]).await;
        let running = begin(&teller);
        engine.raise(&alert("one")).await.expect("raised");
        until("the old one was told", || old.heard().len() == 1).await;
        teller.set_targets(vec![target("old", old.clone()), target("new", new.clone())]);
        tokio::time::sleep(Duration::from_millis(100)).await;
        engine.raise(&alert("two")).await.expect("raised");
        until("the new one was told", || new.heard() == [["two"]]).await;
        // One that is gone is not told, and nothing waits for it.
        teller.set_targets(vec![target("new", new.clone())]);
        engine.raise(&alert("three")).await.expect("raised");
        until("the new one was told again", || new.heard().len() == 2).await;
        assert_eq!(old.heard().concat(), ["one", "two"]);
        running.abort();
    }

    #[tokio::test]
    async fn a_burst_is_one_message() {
        let (store, ear) = (store(), Arc::new(Ear::default()));
        let engine = engine(&store);
        let teller = teller(&engine, vec![target("a", ear.clone())]).await;
        let running = begin(&teller);
        for number in 0..500 {
            engine.raise(&alert(&format!("n{number}"))).await.expect("raised");
        }
        until("it was told", || !ear.heard().is_empty()).await;
        tokio::time::sleep(Duration::from_millis(300)).await;
        let heard = ear.heard();
        assert_eq!((heard.len(), heard[0].len()), (1, 21), "{heard:?}");
        assert_eq!((heard[0][0].as_str(), heard[0][20].as_str()), ("n0", "and 480 more"));
        running.abort();
    }

    /// A write that comes with an alert to be told later, and the row as it is then.
    fn doubt(version: u64, alert: Option<Alert>) -> Write {
        let mut delivery = Delivery { version: 0, ..planned() };
        if version > 0 {
            delivery.state = State::Cancelled;
        }
        let (kind, detail, actor) = (String::new(), String::new(), "smm".to_owned());
        let event = Event { at: SystemClock.now(), delivery: delivery.id, kind, state: delivery.state, detail, actor };
        Write { alert, ..Write::new(delivery, version, event) }
    }

    #[tokio::test]
    async fn a_doubt_that_is_settled_in_time_is_not_told() {
        let (store, ear) = (store(), Arc::new(Ear::default()));
        let engine = engine(&store);
        let teller = teller(&engine, vec![target("a", ear.clone())]).await;
        let soon = Alert {
            tell_at: SystemClock.now() + TimeDelta::seconds(30),
            delivery: Some(planned().id),
            ..alert("doubt")
        };
        engine.ledger.write(&[doubt(0, Some(soon.clone()))]).await.expect("written");
        teller.finish(Duration::from_secs(5), false).await;
        assert!(ear.heard().is_empty(), "not yet");
        engine.ledger.write(&[doubt(1, None)]).await.expect("written");
        teller.finish(Duration::from_secs(5), true).await;
        assert!(ear.heard().is_empty(), "withdrawn");
        // Nobody will be there in half a minute.
        engine.ledger.raise(&soon).await.expect("raised");
        teller.finish(Duration::from_secs(5), true).await;
        assert_eq!(ear.heard(), [["doubt"]]);
    }

    #[tokio::test]
    async fn what_is_to_be_raised_later_may_be_called_off() {
        let (store, ear) = (store(), Arc::new(Ear::default()));
        let engine = engine(&store);
        let teller = teller(&engine, vec![target("a", ear.clone())]).await;
        let running = begin(&teller);
        let at = |milliseconds| SystemClock.now() + TimeDelta::milliseconds(milliseconds);
        engine.alarm.later("calendar", Alert { tell_at: at(100), ..alert("first") });
        engine.alarm.call_off("calendar");
        engine.alarm.later("calendar", Alert { tell_at: at(200), ..alert("second") });
        engine.alarm.later("calendar", Alert { tell_at: at(10), ..alert("third") });
        until("it was told", || !ear.heard().is_empty()).await;
        tokio::time::sleep(Duration::from_millis(200)).await;
        assert_eq!(ear.heard(), [["second"]]);
        running.abort();
    }

    #[tokio::test]
    async fn a_target_that_is_down_for_long_is_told_to_the_others() {
        let (store, good, bad) = (store(), Arc::new(Ear::default()), Ear::failing(2));
        let engine = engine(&store);
        let long_ago = SystemClock.now() - TimeDelta::minutes(11);
        let targets = vec![target("good", good.clone()), target("bad", bad.clone())];
        engine.ledger.meet(&["bad".to_owned()], long_ago).await.expect("met");
        engine.ledger.raise(&Alert { at: long_ago, tell_at: long_ago, ..alert("old") }).await.expect("raised");
        let teller = teller(&engine, targets).await;
        let running = begin(&teller);
        until("the good one was told", || !good.heard().is_empty()).await;
        assert!(good.heard()[0][0].starts_with("target/bad/"), "{:?}", good.heard());
        until("the bad one was told", || !bad.heard().is_empty()).await;
        assert_eq!(bad.heard(), [["old"]], "it knows that itself");
        assert_eq!(good.heard().len(), 1, "once");
        running.abort();
    }

    #[tokio::test]
    async fn two_processes_do_not_tell_twice() {
        let store = MemoryStore::shared(Duration::from_mins(1), Arc::new(SystemClock));
        let (one, other) = (engine(&store), engine(&store));
        let (ear, second) = (Arc::new(Ear::default()), Arc::new(Ear::default()));
        let tellers = [
            teller(&one, vec![target("a", ear.clone())]).await,
            teller(&other, vec![target("a", second.clone())]).await,
        ];
        let running: Vec<_> = tellers.iter().map(begin).collect();
        for number in 0..20 {
            one.raise(&alert(&format!("n{number}"))).await.expect("raised");
            other.alarm.ring();
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        until("all were told", || ear.heard().concat().len() + second.heard().concat().len() >= 20).await;
        tokio::time::sleep(Duration::from_millis(200)).await;
        let mut all = [ear.heard().concat(), second.heard().concat()].concat();
        all.sort();
        all.dedup();
        assert_eq!((all.len(), ear.heard().concat().len() + second.heard().concat().len()), (20, 20));
        running.iter().for_each(tokio::task::JoinHandle::abort);
    }

    #[tokio::test]
    async fn a_clock_that_was_set_back_keeps_nobody_in_the_dark() {
        let (store, ear) = (store(), Arc::new(Ear::default()));
        let engine = engine(&store);
        let ahead = SystemClock.now() + TimeDelta::days(365);
        engine.ledger.meet(&["a".to_owned()], ahead).await.expect("met");
        engine.raise(&Alert { at: ahead, tell_at: ahead, ..alert("one") }).await.expect("raised");
        let teller = teller(&engine, vec![target("a", ear.clone())]).await;
        engine.raise(&alert("two")).await.expect("raised");
        teller.finish(Duration::from_secs(5), false).await;
        let mut heard = ear.heard().concat();
        heard.sort();
        assert_eq!(heard, ["one", "two"]);
    }

    #[tokio::test]
    async fn stopping_tells_what_there_is() {
        let (store, ear) = (store(), Arc::new(Ear::default()));
        let engine = engine(&store);
        let slow = Pace { gather: TimeDelta::seconds(60), ..QUICK };
        let teller = Arc::new(Teller::new(&engine, vec![target("a", ear.clone())], slow).await.expect("answers"));
        let running = begin(&teller);
        engine.raise(&alert("one")).await.expect("raised");
        tokio::time::sleep(Duration::from_millis(50)).await;
        teller.stop();
        running.await.expect("it ends");
        assert_eq!(ear.heard(), [["one"]]);
    }

    #[tokio::test(start_paused = true)]
    async fn who_hangs_is_given_up() {
        let began = tokio::time::Instant::now();
        let why =
            tell(&target("hung", Arc::new(Hangs)), &Message::test(SystemClock.now())).await.expect_err("given up");
        assert_eq!((why.as_str(), began.elapsed()), ("no end within 30 s; given up", GIVE_UP));
    }

    #[test]
    fn back_off_grows_to_a_quarter_of_an_hour_with_full_jitter() {
        let now = DateTime::<Utc>::UNIX_EPOCH;
        let (mut least, mut most) = (TimeDelta::MAX, TimeDelta::zero());
        for nanos in 0..2000 {
            let at = now + TimeDelta::nanoseconds(nanos);
            let first = back_off("a", 1, at, BACK_OFF);
            assert!(first >= TimeDelta::milliseconds(500) && first <= TimeDelta::seconds(5), "{first}");
            let long = back_off("a", 1000, at, BACK_OFF);
            assert!(long <= TimeDelta::minutes(15), "{long}");
            (least, most) = (least.min(long), most.max(long));
        }
        assert!(least < TimeDelta::minutes(1) && most > TimeDelta::minutes(14), "{least} to {most}");
    }
}
