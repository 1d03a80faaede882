//! What the commands that publish share: an engine with everything that it uses handed in.

use std::sync::Arc;
use std::time::Duration;

use super::Failure;
use super::workspace::{self, Settings};
use crate::adapter::http::HttpSettings;
use crate::calendar::Config;
use crate::engine::alerts::{Pace, Senders, Teller};
use crate::engine::{Engine, Networks, World};
use crate::ledger::{EvidenceFolder, Ledger, LedgerError, with_ending};
use crate::time::{Clock, SyncedClock, SystemClock};

/// An engine over the real networks. The caller holds the ledger's lock; `owner` is what the ledger calls this process.
pub(super) fn engine(
    ledger: &Arc<dyn Ledger>,
    settings: &Settings,
    world: World,
    owner: String,
) -> Result<Arc<Engine>, Failure> {
    let config = settings.config()?;
    // Where several processes publish, they all go by the ledger's clock.
    let clock: Arc<dyn Clock> =
        if ledger.is_exclusive() { Arc::new(SystemClock) } else { Arc::new(SyncedClock::new(Arc::new(SystemClock))) };
    let http = HttpSettings { timeout: config.delivery.timeout, private_pages: config.delivery.private_pages };
    let connector = Arc::new(Networks::new(workspace::secrets(), http, Arc::clone(&clock)));
    let evidence = EvidenceFolder::new(with_ending(&settings.beside_ledger()?, ".evidence"));
    let engine = Engine::new(Arc::clone(ledger), clock, connector, config.delivery, owner, world);
    Ok(Arc::new(engine.with_evidence(Arc::new(evidence))))
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
