//! A process of the daemon as the world treats it: killed, stopped and woken, with a clock that is set.
//!
//! Whatever a daemon does beyond computing goes through its clock, its ledger and its networks, and each of these passes
//! [`Process::step`] on the way in and out. There a process is killed (it never comes back from that await, and everything
//! it had is dropped) or stopped as SIGSTOP stops it (nothing of it comes back until it is woken; what it has sent goes on
//! its way all the same).

use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, TimeDelta, Utc};
use smm::ledger::LedgerError;
use smm::ledger::memory::{Around, Call};
use smm::time::Clock;
use tokio::sync::Notify;

use super::stage::{Stage, locked};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Life {
    Runs,
    Stopped,
    Dead,
}

/// A machine: what stays when its process ends.
pub(crate) struct Host {
    pub(crate) name: String,
    /// Milliseconds that its clock is ahead of true time.
    ahead: AtomicI64,
    clock_set: Notify,
    /// The ledger fails for it until then.
    pub(crate) disk: Mutex<Option<(DateTime<Utc>, Trouble)>>,
}

/// What is wrong with a ledger for a while.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Trouble {
    /// Nothing can be written.
    Full,
    /// It does not answer at all.
    Away,
}

impl Host {
    pub(crate) fn new(name: impl Into<String>) -> Arc<Self> {
        Arc::new(Self { name: name.into(), ahead: AtomicI64::new(0), clock_set: Notify::new(), disk: Mutex::default() })
    }

    /// Sets its clock to so much ahead of true time, or behind it.
    pub(crate) fn set_clock(&self, ahead: TimeDelta) {
        self.ahead.store(ahead.num_milliseconds(), Ordering::SeqCst);
        self.clock_set.notify_waiters();
    }

    pub(crate) fn ahead(&self) -> TimeDelta {
        TimeDelta::milliseconds(self.ahead.load(Ordering::SeqCst))
    }
}

/// One process of a machine.
pub(crate) struct Process {
    pub(crate) stage: Arc<Stage>,
    pub(crate) host: Arc<Host>,
    /// As the ledger knows it.
    pub(crate) name: String,
    life: Mutex<Life>,
    changed: Notify,
    /// It was killed at one of its own steps.
    pub(crate) killed: Notify,
    /// It goes by the ledger's clock.
    synced: AtomicBool,
    /// When it was last woken.
    pub(crate) woken: Mutex<Option<DateTime<Utc>>>,
}

impl Process {
    pub(crate) fn new(stage: Arc<Stage>, host: Arc<Host>, number: u32) -> Arc<Self> {
        let name = format!("{}/{number}", host.name);
        Arc::new(Self {
            stage,
            host,
            name,
            life: Mutex::new(Life::Runs),
            changed: Notify::new(),
            killed: Notify::new(),
            synced: AtomicBool::new(false),
            woken: Mutex::default(),
        })
    }

    /// What its clock shows: the machine's, or the ledger's once that was read.
    pub(crate) fn now(&self) -> DateTime<Utc> {
        let ahead = if self.synced.load(Ordering::SeqCst) { TimeDelta::zero() } else { self.host.ahead() };
        self.stage.now() + ahead
    }

    /// `kill -9`.
    pub(crate) fn kill(&self) {
        *locked(&self.life) = Life::Dead;
        self.killed.notify_one();
    }

    /// `kill -STOP`.
    pub(crate) fn stop(&self) {
        let mut life = locked(&self.life);
        if *life == Life::Runs {
            *life = Life::Stopped;
        }
    }

    /// `kill -CONT`.
    pub(crate) fn wake(&self) {
        let mut life = locked(&self.life);
        if *life == Life::Stopped {
            *life = Life::Runs;
            *locked(&self.woken) = Some(self.stage.now());
        }
        self.changed.notify_waiters();
    }

    /// Comes back when the process runs: at once, when it is woken, or never.
    pub(crate) async fn runs(&self) {
        loop {
            let mut changed = std::pin::pin!(self.changed.notified());
            changed.as_mut().enable();
            if *locked(&self.life) == Life::Runs {
                return;
            }
            changed.await;
        }
    }

    /// A step at which it may be killed or stopped.
    pub(crate) async fn step(self: &Arc<Self>, place: &'static str) {
        self.step_with(place, 1).await;
    }

    /// One of steps that are so many that one in `seldom` counts.
    async fn step_with(self: &Arc<Self>, place: &'static str, seldom: u64) {
        if *locked(&self.life) == Life::Runs && (seldom == 1 || self.stage.strikes(1000 / seldom)) {
            if self.stage.strikes(self.stage.weather.crash) {
                self.stage.say(format_args!("{} is killed: {place}", self.name));
                self.stage.fault("killed at a step");
                self.kill();
            } else if self.stage.strikes(self.stage.weather.freeze) {
                self.stop_for(place);
            }
        }
        self.runs().await;
    }

    fn stop_for(self: &Arc<Self>, place: &'static str) {
        let seconds = *self.stage.dice.pick(&[1, 20, 200, 1_000, 9_000, 50_000]);
        self.stage.say(format_args!("{} is stopped for {seconds} s: {place}", self.name));
        self.stage.stopped(seconds);
        self.stop();
        let process = Arc::clone(self);
        tokio::spawn(async move {
            tokio::time::sleep(Duration::from_secs(seconds)).await;
            process.stage.say(format_args!("{} is woken", process.name));
            process.wake();
        });
    }
}

/// The clock of a process's machine.
pub(crate) struct HostClock(pub Arc<Process>);

#[async_trait]
impl Clock for HostClock {
    fn now(&self) -> DateTime<Utc> {
        self.0.now()
    }

    fn elapsed(&self) -> Duration {
        self.0.stage.elapsed()
    }

    async fn sleep_until(&self, at: DateTime<Utc>) {
        loop {
            let set = self.0.host.clock_set.notified();
            let Some(left) = (at - self.now()).to_std().ok().filter(|left| !left.is_zero()) else { break };
            tokio::select! {
                biased;
                // A timer runs on a clock that nobody sets: the machine's clock is read again within a minute.
                () = set => tokio::time::sleep(left.min(Duration::from_mins(1))).await,
                () = tokio::time::sleep(left) => {}
            }
        }
        self.0.runs().await;
    }

    async fn wait(&self, time: Duration) {
        tokio::time::sleep(time).await;
        self.0.runs().await;
    }

    fn sync(&self, at: DateTime<Utc>) -> Option<TimeDelta> {
        // What the ledger shows is true time, and nobody sets the clock that counts on from there.
        self.0.synced.store(true, Ordering::SeqCst);
        Some(self.0.stage.now() + self.0.host.ahead() - at)
    }
}

/// The ledger as a process meets it: with steps on the way, and with everything that goes wrong.
pub(crate) struct Desk(pub Arc<Process>);

impl Desk {
    fn trouble(&self) -> Option<Trouble> {
        let disk = *locked(&self.0.host.disk);
        disk.filter(|(until, _)| !self.0.stage.is_calm() && self.0.stage.now() < *until).map(|(_, trouble)| trouble)
    }
}

/// Reading and renewing go on all the time: what happens there is to be seldom, so that what happens at the few other steps
/// can be frequent.
fn seldom(call: Call) -> u64 {
    match call {
        Call::Read | Call::Lease => 25,
        Call::Claim | Call::Write { .. } | Call::Other => 1,
    }
}

#[async_trait]
impl Around for Desk {
    async fn before(&self, call: Call) -> Result<(), LedgerError> {
        let stage = &self.0.stage;
        self.0.step_with("before the ledger", seldom(call)).await;
        let writes = call != Call::Read;
        match self.trouble() {
            Some(Trouble::Away) => {
                stage.fault("ledger away");
                return Err(LedgerError::Storage("the server does not answer".to_owned()));
            }
            Some(Trouble::Full) if writes => {
                stage.fault("disk full");
                return Err(LedgerError::Full("the disk is full".to_owned()));
            }
            _ => {}
        }
        if stage.strikes(stage.weather.ledger / seldom(call)) {
            if stage.dice.chance(300) {
                stage.fault("ledger hangs");
                let seconds = stage.dice.between(1, 40);
                tokio::time::sleep(Duration::from_secs(seconds)).await;
                self.0.runs().await;
            } else if writes {
                stage.fault("ledger fails, nothing written");
                return Err(LedgerError::Storage("the disk said no".to_owned()));
            }
        }
        Ok(())
    }

    async fn after(&self, call: Call) -> Result<(), LedgerError> {
        let stage = &self.0.stage;
        if call != Call::Read && stage.strikes(stage.weather.ledger / seldom(call)) {
            stage.fault("ledger's answer lost, written");
            stage.say(format_args!("{} does not hear that {call:?} is done", self.0.name));
            return Err(LedgerError::Storage("the connection broke".to_owned()));
        }
        self.0.step_with("after the ledger", seldom(call)).await;
        Ok(())
    }
}
