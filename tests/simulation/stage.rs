//! What everybody in a run shares: the true time, chance, the log, the count of what happened, and the ledger's store.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, TimeDelta, Utc};
use smm::time::Clock;
use tokio::time::Instant;

use super::dice::Dice;
use super::tally::Tally;

/// A panic elsewhere leaves nothing half done in here.
pub(crate) fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// How wild a run is. Everything follows from the seed.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Weather {
    /// Calls of a network that go wrong, in a thousand.
    pub(crate) network: u64,
    /// Calls of the ledger that go wrong, in a thousand.
    pub(crate) ledger: u64,
    /// Steps at which the process is killed, in a thousand.
    pub(crate) crash: u64,
    /// Steps at which the process is stopped for a while, in a thousand.
    pub(crate) freeze: u64,
}

/// What everybody shares.
pub(crate) struct Stage {
    pub(crate) seed: u64,
    pub(crate) dice: Dice,
    pub(crate) weather: Weather,
    /// A claim not renewed for this long is dead.
    lease: Duration,
    start: DateTime<Utc>,
    epoch: Instant,
    /// Nothing goes wrong any more.
    calm: AtomicBool,
    /// Nobody reads the log of a run that ends well: it is not written.
    quiet: bool,
    log: Mutex<String>,
    tally: Mutex<Tally>,
    wrong: Mutex<Vec<String>>,
    /// Until when nobody is to be surprised by what a network does: by network.
    outages: Mutex<BTreeMap<String, DateTime<Utc>>>,
}

impl Stage {
    /// A stage on which true time begins at `start`. To be made inside the runtime of the run.
    pub(crate) fn new(
        seed: u64,
        dice: Dice,
        (weather, lease): (Weather, Duration),
        start: DateTime<Utc>,
        quiet: bool,
    ) -> Arc<Self> {
        Arc::new(Self {
            seed,
            dice,
            weather,
            lease,
            start,
            epoch: Instant::now(),
            calm: AtomicBool::new(false),
            quiet,
            log: Mutex::default(),
            tally: Mutex::default(),
            wrong: Mutex::default(),
            outages: Mutex::default(),
        })
    }

    /// True time.
    pub(crate) fn now(&self) -> DateTime<Utc> {
        self.start + TimeDelta::from_std(self.elapsed()).expect("a run of some months")
    }

    /// Time since the run began.
    pub(crate) fn elapsed(&self) -> Duration {
        self.epoch.elapsed()
    }

    /// Waits until true time is `at`.
    pub(crate) async fn until(&self, at: DateTime<Utc>) {
        if let Ok(left) = (at - self.now()).to_std() {
            tokio::time::sleep(left).await;
        }
    }

    /// Lets nothing go wrong from now on.
    pub(crate) fn calm(&self) {
        self.calm.store(true, Ordering::SeqCst);
        locked(&self.outages).clear();
    }

    pub(crate) fn is_calm(&self) -> bool {
        self.calm.load(Ordering::SeqCst)
    }

    /// Whether something goes wrong now that goes wrong so many times in a thousand.
    pub(crate) fn strikes(&self, in_a_thousand: u64) -> bool {
        in_a_thousand > 0 && !self.is_calm() && self.dice.chance(in_a_thousand)
    }

    /// Writes a line of what happened.
    pub(crate) fn say(&self, line: impl std::fmt::Display) {
        if self.quiet {
            return;
        }
        let now = self.now();
        // Writing into a string cannot fail.
        let (day, second) = (now.date_naive(), now.time());
        let _ = writeln!(locked(&self.log), "{day} {second} {line}");
    }

    /// Something is not as it must be.
    pub(crate) fn wrong(&self, what: impl std::fmt::Display) {
        self.say(format_args!("!! {what}"));
        locked(&self.wrong).push(what.to_string());
    }

    /// Counts something that happened.
    pub(crate) fn count(&self, what: &'static str) {
        locked(&self.tally).add(what);
    }

    /// A fault of a kind happened.
    pub(crate) fn fault(&self, kind: &'static str) {
        locked(&self.tally).fault(kind);
    }

    /// A process is stopped for so long.
    pub(crate) fn stopped(&self, seconds: u64) {
        self.fault(if Duration::from_secs(seconds) > self.lease {
            "stopped past the lease"
        } else {
            "stopped for a while"
        });
    }

    /// A network does not answer until then.
    pub(crate) fn outage(&self, network: &str, until: DateTime<Utc>) {
        locked(&self.outages).insert(network.to_owned(), until);
    }

    pub(crate) fn is_out(&self, network: &str) -> bool {
        locked(&self.outages).get(network).is_some_and(|until| self.now() < *until)
    }

    /// What happened, what was counted, what is wrong.
    pub(crate) fn end(&self) -> (String, Tally, Vec<String>) {
        (locked(&self.log).clone(), locked(&self.tally).clone(), locked(&self.wrong).clone())
    }
}

/// True time as a clock: that of a server which several daemons share.
pub(crate) struct TrueClock(pub Arc<Stage>);

#[async_trait]
impl Clock for TrueClock {
    fn now(&self) -> DateTime<Utc> {
        self.0.now()
    }

    fn elapsed(&self) -> Duration {
        self.0.elapsed()
    }

    async fn sleep_until(&self, at: DateTime<Utc>) {
        self.0.until(at).await;
    }
}
