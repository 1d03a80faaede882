//! Plays a seed: the real engine, worker and daemon loop on machines that live in the simulator.

use std::cell::RefCell;
use std::sync::{Arc, Mutex, Once};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Timelike as _, Utc};
use smm::engine::{Engine, run_daemon};
use smm::ledger::Ledger;
use smm::ledger::memory::{Machine, MemoryStore, Snapshot};
use smm::model::{Delivery, PostId};
use tokio::sync::Notify;

use super::dice::Dice;
use super::link::{Links, Networks};
use super::network::{Kind, Network};
use super::operator::{Operator, uid};
use super::paper::{Paper, Room, When};
use super::process::{Desk, Host, HostClock, Process};
use super::rest;
use super::scenario::{Action, Bias, Scenario};
use super::stage::{Stage, TrueClock, locked};
use super::tally::Tally;
use super::witness::Witness;

/// What came of a seed.
pub(crate) struct Played {
    pub(crate) seed: u64,
    pub(crate) log: String,
    pub(crate) tally: Tally,
    /// Everything that is not as it must be.
    pub(crate) wrong: Vec<String>,
}

thread_local! {
    /// What has panicked on this thread. The engine outlives a task that does, and nobody would notice.
    static PANICS: RefCell<Vec<String>> = const { RefCell::new(Vec::new()) };
}

/// Remembers panics, once for the whole process.
fn watch_for_panics() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let before = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            // Threads of the test runner itself are not ours.
            if tokio::runtime::Handle::try_current().is_ok() {
                PANICS.with_borrow_mut(|panics| panics.push(panic.to_string()));
            } else {
                before(panic);
            }
        }));
    });
}

/// Plays a seed, on this thread.
pub(crate) fn play(seed: u64, bias: Bias) -> Played {
    play_so(seed, bias, false)
}

/// The same without its log, in less time.
pub(crate) fn play_quietly(seed: u64, bias: Bias) -> Played {
    play_so(seed, bias, true)
}

fn play_so(seed: u64, bias: Bias, quiet: bool) -> Played {
    watch_for_panics();
    PANICS.take();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .expect("a runtime without threads or sockets");
    let (log, tally, wrong) = runtime.block_on(async {
        let dice = Dice::new(seed);
        let scenario = Scenario::of(&dice, bias);
        let stage = Stage::new(seed, dice, (scenario.weather, scenario.settings.lease), scenario.start, quiet);
        World::new(Arc::clone(&stage), scenario).run().await;
        stage.end()
    });
    let panics = PANICS.take().into_iter().map(|panic| format!("PANIC: {panic}"));
    Played { seed, log, tally, wrong: wrong.into_iter().chain(panics).collect() }
}

/// A machine with its daemon, whichever process that is just now.
struct Server {
    host: Arc<Host>,
    /// What it remembers of the ledger.
    memory: Arc<Machine>,
    process: Mutex<Option<Arc<Process>>>,
    /// SIGTERM.
    stop: Arc<Notify>,
    /// Nobody starts it before this.
    down: Mutex<Option<DateTime<Utc>>>,
}

/// Everything in a run.
pub(crate) struct World {
    pub(crate) stage: Arc<Stage>,
    pub(crate) scenario: Scenario,
    pub(crate) store: MemoryStore,
    pub(crate) paper: Arc<Paper>,
    pub(crate) networks: Arc<Networks>,
    pub(crate) witness: Arc<Witness>,
    servers: Vec<Arc<Server>>,
    operator: Operator,
    backup: Mutex<Option<Snapshot>>,
}

impl World {
    fn new(stage: Arc<Stage>, scenario: Scenario) -> Self {
        let clock = Arc::new(TrueClock(Arc::clone(&stage)));
        let store = if scenario.shared {
            MemoryStore::shared(scenario.settings.lease, clock)
        } else {
            MemoryStore::exclusive(clock)
        };
        let networks: Networks =
            Kind::ALL.into_iter().map(|kind| (kind.id(), Network::new(kind, Arc::clone(&stage)))).collect();
        let networks = Arc::new(networks);
        for account in scenario.accounts.values() {
            networks[account.network.as_str()].issue(&account.name, &uid(&account.name));
        }
        let paper = Paper::new(
            Arc::clone(&stage),
            scenario.zone.clone(),
            scenario.accounts.clone(),
            scenario.settings,
            scenario.entries.clone(),
        );
        let witness = Witness::new(Arc::clone(&stage), store.clone(), Arc::clone(&paper));
        for network in networks.values() {
            let witness = Arc::clone(&witness);
            *locked(&network.on_arrival) = Some(Arc::new(move |request| witness.arrives(request)));
        }
        let servers = (0..scenario.machines)
            .map(|index| {
                Arc::new(Server {
                    host: Host::new(["ada", "bob", "cyd"][index]),
                    memory: Arc::default(),
                    process: Mutex::default(),
                    stop: Arc::default(),
                    down: Mutex::default(),
                })
            })
            .collect();
        let operator = Operator {
            stage: Arc::clone(&stage),
            ledger: store.open(),
            networks: Arc::clone(&networks),
            witness: Arc::clone(&witness),
        };
        Self { stage, scenario, store, paper, networks, witness, servers, operator, backup: Mutex::default() }
    }

    async fn run(self) {
        let world = Arc::new(self);
        let shared = if world.scenario.shared { "shared" } else { "exclusive" };
        world.stage.say(format_args!(
            "seed {}: {} machines, a {shared} ledger, {}, {} accounts, {} posts, {:?}",
            world.stage.seed,
            world.scenario.machines,
            world.scenario.zone.name(),
            world.scenario.accounts.len(),
            world.scenario.entries.len(),
            world.scenario.weather,
        ));
        let daemons: Vec<_> =
            world.servers.iter().map(|server| tokio::spawn(keep_up(Arc::clone(&world), Arc::clone(server)))).collect();
        for (at, action) in &world.scenario.actions {
            world.stage.until(*at).await;
            world.act(action).await;
        }
        world.stage.until(world.scenario.end()).await;
        rest::come_to_rest(&world).await;
        for daemon in &daemons {
            daemon.abort();
        }
        for server in &world.servers {
            if let Some(process) = locked(&server.process).as_ref() {
                process.kill();
            }
        }
        rest::check(&world);
    }

    /// Everything works from now on, and everybody is there.
    pub(crate) async fn heal(&self) {
        self.stage.say("from now on everything works");
        self.stage.calm();
        self.paper.set_broken(false);
        self.paper.edit(|entries| entries.iter_mut().for_each(|entry| entry.readable = true));
        for server in &self.servers {
            *locked(&server.down) = None;
            server.host.set_clock(TimeDelta::zero());
            if let Some(process) = locked(&server.process).as_ref() {
                process.wake();
            }
        }
        for account in self.scenario.accounts.keys() {
            self.operator.renew(account);
            self.operator.pause(Some(account), false).await;
        }
        self.operator.pause(None, false).await;
    }

    /// A person sees to everything.
    pub(crate) async fn sweep(&self) {
        self.operator.sweep(true).await;
    }

    /// The identity that the ledger knows a row's account by.
    pub(crate) fn bound(&self, row: &Delivery) -> Option<String> {
        self.store.known(&row.account).binding.map(|binding| binding.uid)
    }

    fn process(&self, machine: usize) -> Option<Arc<Process>> {
        locked(&self.servers[machine].process).clone()
    }

    async fn act(&self, action: &Action) {
        self.stage.say(format_args!("{action:?}"));
        match action {
            Action::Edit(post) => self.paper.edit(|entries| entries[*post].revision += 1),
            Action::Move(post, minutes) => self.move_post(*post, *minutes),
            Action::Remove(post) => self.paper.edit(|entries| entries[*post].present = false),
            Action::Restore(post) => self.paper.edit(|entries| entries[*post].present = true),
            Action::Rename(post) => self.paper.edit(|entries| {
                let entry = &mut entries[*post];
                entry.id = PostId::new(format!("{}-renamed", entry.name));
            }),
            Action::Late(post, late) => self.paper.edit(|entries| entries[*post].late = *late),
            Action::Spoil(post, spoilt) => {
                if *spoilt {
                    self.stage.fault("post with a mistake");
                }
                self.paper.edit(|entries| entries[*post].readable = !spoilt);
            }
            Action::Break(broken) => {
                if *broken {
                    self.stage.fault("calendar broken");
                }
                self.paper.set_broken(*broken);
            }
            Action::Pause(account) => self.operator.pause(account.as_ref(), true).await,
            Action::Resume(account) => self.operator.pause(account.as_ref(), false).await,
            Action::Meddle => self.operator.meddle().await,
            Action::Sweep => self.operator.sweep(false).await,
            Action::Kill(machine) => {
                if let Some(process) = self.process(*machine) {
                    self.stage.fault("killed at some time");
                    process.kill();
                }
            }
            Action::Stop(machine) => self.servers[*machine].stop.notify_one(),
            Action::Down(machine, minutes) => {
                let server = &self.servers[*machine];
                *locked(&server.down) = Some(self.stage.now() + TimeDelta::minutes(*minutes));
                self.stage.fault("machine down");
                if let Some(process) = self.process(*machine) {
                    process.kill();
                }
            }
            Action::Freeze(machine, seconds) => self.freeze(*machine, *seconds),
            Action::Clock(machine, seconds) => {
                self.stage.fault(if *seconds > 0 { "clock set forward" } else { "clock set back" });
                self.servers[*machine].host.set_clock(TimeDelta::seconds(*seconds));
            }
            Action::RightClock(machine) => self.servers[*machine].host.set_clock(TimeDelta::zero()),
            Action::Ledger(machine, trouble, minutes) => {
                let until = self.stage.now() + TimeDelta::minutes(*minutes);
                *locked(&self.servers[*machine].host.disk) = Some((until, *trouble));
            }
            Action::Outage(kind, minutes) => {
                self.stage.outage(kind.id(), self.stage.now() + TimeDelta::minutes(*minutes));
            }
            Action::Backup => *locked(&self.backup) = Some(self.store.snapshot()),
            Action::RestoreLedger => {
                if let Some(process) = self.process(0) {
                    process.kill();
                }
                if let Some(backup) = locked(&self.backup).take() {
                    self.store.restore(&backup);
                }
                self.operator.restored(&self.servers[0].memory).await;
            }
            Action::Adopt => self.operator.adopt(&self.servers[0].memory).await,
            Action::Expire(account) => {
                self.stage.fault("token expired");
                self.network_of(account).expire(account);
            }
            Action::Swap(account) => {
                self.stage.fault("token of another account");
                self.network_of(account).issue(account, "did:somebody-else");
            }
        }
    }

    fn network_of(&self, account: &smm::model::AccountName) -> &Network {
        &self.networks[self.scenario.accounts[account].network.as_str()]
    }

    fn move_post(&self, post: usize, minutes: i64) {
        let civil = self.scenario.zone.civil(self.stage.now() + TimeDelta::minutes(minutes));
        self.paper.edit(|entries| {
            if let When::Once(time) = &mut entries[post].when {
                *time = civil.date().and_hms_opt(civil.time().hour(), civil.time().minute(), 0).expect("a time");
            }
        });
    }

    fn freeze(&self, machine: usize, seconds: u64) {
        let Some(process) = self.process(machine) else { return };
        self.stage.stopped(seconds);
        process.stop();
        tokio::spawn(async move {
            tokio::time::sleep(Duration::from_secs(seconds)).await;
            process.wake();
        });
    }
}

/// Starts the daemon of a machine again and again, as a service manager does.
async fn keep_up(world: Arc<World>, server: Arc<Server>) {
    for number in 1.. {
        while locked(&server.down).is_some_and(|until| world.stage.now() < until) {
            tokio::time::sleep(Duration::from_mins(1)).await;
        }
        let begun = world.stage.elapsed();
        let process = Process::new(Arc::clone(&world.stage), Arc::clone(&server.host), number);
        *locked(&server.process) = Some(Arc::clone(&process));
        world.stage.count("starts of a daemon");
        let how = tokio::select! {
            biased;
            () = process.killed.notified() => "is gone".to_owned(),
            ended = daemon(&world, &server, &process) => ended,
        };
        // Nothing of it goes on.
        process.kill();
        world.stage.say(format_args!("{} {how}", process.name));
        // A service manager that has to start it again and again takes its time.
        let lived = world.stage.elapsed().saturating_sub(begun);
        let wait = world.stage.dice.between(1, if lived < Duration::from_mins(1) { 1_000 } else { 60 });
        tokio::time::sleep(Duration::from_secs(wait)).await;
    }
}

/// A daemon from start to end, as `smm daemon` runs it.
async fn daemon(world: &World, server: &Server, process: &Arc<Process>) -> String {
    let ledger: Arc<dyn Ledger> =
        Arc::new(world.store.open_on(Arc::clone(&server.memory), Arc::new(Desk(Arc::clone(process)))));
    let _lock = match ledger.lock(&process.name).await {
        Ok(lock) => lock,
        Err(error) => return format!("does not start: {error}"),
    };
    let room = Room::new(Arc::clone(process), Arc::clone(&world.paper), Arc::clone(&ledger), Arc::clone(&server.stop));
    let (published, settings) = match world.paper.world() {
        Ok(read) => read,
        Err(error) => return format!("does not start: {error}"),
    };
    world.stage.say(format_args!("{} starts", process.name));
    let links = Links {
        process: Arc::clone(process),
        networks: Arc::clone(&world.networks),
        witness: Arc::clone(&world.witness),
    };
    let clock = Arc::new(HostClock(Arc::clone(process)));
    let engine = Arc::new(Engine::new(ledger, clock, Arc::new(links), settings, &process.name, published));
    match run_daemon(engine, room).await {
        Ok(()) => "has stopped".to_owned(),
        Err(error) => format!("ends: {error}"),
    }
}
