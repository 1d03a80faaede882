//! What the commands that publish share: an engine with everything that it uses handed in.

use std::sync::Arc;
use std::time::Duration;

use chrono::TimeDelta;

use super::Failure;
use super::workspace::{self, Settings};
use crate::adapter::http::HttpSettings;
use crate::calendar::Config;
use crate::engine::alerts::{Pace, Senders, Teller};
use crate::engine::watched::Watch;
use crate::engine::{Engine, Networks, Pass, Passed, Signals, World, wait_for};
use crate::ledger::{EvidenceFolder, Ledger, LedgerError, Query, with_ending};
use crate::model::{Delivery, DeliveryId, State};
use crate::time::{Clock, SyncedClock, SystemClock};

/// What another process publishes is waited for so long.
const OTHERS: TimeDelta = TimeDelta::seconds(60);

/// An engine over the real networks. The caller holds the ledger's lock; `owner` is what the ledger calls this process;
/// `watch` sees large files arrive, in the place of the log.
pub(super) fn engine(
    ledger: &Arc<dyn Ledger>,
    settings: &Settings,
    world: World,
    owner: String,
    watch: Option<Watch>,
) -> Result<Arc<Engine>, Failure> {
    let config = settings.config()?;
    // Where several processes publish, they all go by the ledger's clock.
    let clock: Arc<dyn Clock> =
        if ledger.is_exclusive() { Arc::new(SystemClock) } else { Arc::new(SyncedClock::new(Arc::new(SystemClock))) };
    let connector = Arc::new(networks(settings, Arc::clone(&clock))?.watched(watch));
    let evidence = EvidenceFolder::new(with_ending(&settings.beside_ledger()?, ".evidence"));
    let engine = Engine::new(Arc::clone(ledger), clock, connector, config.delivery, owner, world);
    Ok(Arc::new(engine.with_evidence(Arc::new(evidence))))
}

/// The real networks, with these settings.
pub(super) fn networks(settings: &Settings, clock: Arc<dyn Clock>) -> Result<Networks, Failure> {
    let config = settings.config()?;
    let delivery = config.delivery;
    let http = HttpSettings { timeout: delivery.timeout, private_pages: delivery.private_pages };
    let networks = Networks::new(workspace::secrets(), http, workspace::state_folder()?, clock);
    Ok(networks.with_media_host(config.media_host.as_ref()).with_programs(workspace::environment()))
}

/// Before the engine does anything: refuses to go on when the machine's clock is not to be believed.
pub(super) async fn begin(engine: &Engine, teller: &Teller) -> Result<(), Failure> {
    engine.begin().await?;
    if engine.is_clock_sound().await? {
        return Ok(());
    }
    tell_all(teller).await;
    Err(doubted())
}

/// Publishes what is due. Beside it another process may publish from a shared ledger, and be faster with some of it: that is
/// waited for, within a minute, and counts as touched.
pub(super) async fn pass(engine: &Arc<Engine>, pass: &Pass, signals: &mut Signals) -> Result<Passed, Failure> {
    let deadline = SystemClock.now() + OTHERS;
    let mut passed = engine.pass(pass, signals.stop()).await?;
    while !(engine.ledger().is_exclusive() || passed.stopped || passed.doubted) && SystemClock.now() < deadline {
        let ids = with_others(engine, pass).await?;
        if ids.is_empty() {
            break;
        }
        let ledger = &**engine.ledger();
        tokio::select! {
            settled = wait_for(ledger, &SystemClock, &ids, deadline) => add(&mut passed, settled?),
            () = signals.stop() => {
                passed.stopped = true;
                break;
            }
        }
        // Behind what they had there may be more of ours: their accounts were busy.
        let again = engine.pass(pass, signals.stop()).await?;
        (passed.stopped, passed.doubted) = (again.stopped, again.doubted);
        add(&mut passed, again.touched);
    }
    Ok(passed)
}

/// The deliveries of a pass that another process is at work on.
async fn with_others(engine: &Engine, pass: &Pass) -> Result<Vec<DeliveryId>, LedgerError> {
    let query = Query { states: vec![State::Claimed, State::Sending], ..Query::default() };
    let (rows, calendars) = (engine.ledger().deliveries(&query).await?, engine.world().calendars());
    let ours = |row: &&Delivery| match &pass.only {
        Some(only) => only.contains(&row.id),
        None => calendars.contains(&row.calendar),
    };
    Ok(rows.iter().filter(ours).map(|row| row.id).collect())
}

/// What was seen later replaces what was seen before.
fn add(passed: &mut Passed, rows: Vec<Delivery>) {
    passed.touched.retain(|row| rows.iter().all(|newer| newer.id != row.id));
    passed.touched.extend(rows);
}

/// The machine's clock is not to be believed.
pub(super) fn doubted() -> Failure {
    Failure::new("the machine's clock is not to be believed; nothing was published")
        .hint("`smm history` shows what was recorded, with its times; set the clock (`timedatectl`) and try again")
}

/// How the ledger calls this process: by its command, machine and number, and by something that no other one has, since
/// numbers are used again.
pub(super) fn owner(command: &str) -> Result<String, Failure> {
    let mut bytes = [0; 4];
    getrandom::fill(&mut bytes).map_err(|error| Failure::new(format!("no random numbers: {error}")))?;
    let host = host_name();
    Ok(format!("{command} on {host}, process {}, {:08x}", std::process::id(), u32::from_be_bytes(bytes)))
}

fn host_name() -> String {
    let file =
        std::fs::read_to_string("/proc/sys/kernel/hostname").or_else(|_| std::fs::read_to_string("/etc/hostname"));
    let name = file.ok().or_else(|| std::env::var("HOSTNAME").or_else(|_| std::env::var("COMPUTERNAME")).ok());
    let name = name.as_deref().map(str::trim).filter(|name| !name.is_empty()).unwrap_or("a machine");
    name.chars().filter(|c| !c.is_control()).take(64).collect()
}

/// Who publishes once and ends tells for at most so long.
const TELLING: Duration = Duration::from_secs(20);

/// How alerts are sent.
pub(super) fn senders() -> Senders {
    Senders::new(workspace::secrets(), workspace::environment())
}

/// Tells what the engine raises. To be there before the engine does anything.
pub(super) async fn teller(engine: &Engine, config: &Config) -> Result<Arc<Teller>, LedgerError> {
    Ok(Arc::new(Teller::new(engine, senders().targets(&config.alerts), Pace::default()).await?))
}

/// Tells everything before the process ends: nobody will be there later.
pub(super) async fn tell_all(teller: &Teller) {
    teller.finish(TELLING, true).await;
}
