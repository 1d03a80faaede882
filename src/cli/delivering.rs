//! What the commands that publish share: an engine with everything that it uses handed in.

use std::sync::Arc;
use std::time::Duration;

use super::workspace;
use crate::adapter::http::HttpSettings;
use crate::calendar::Config;
use crate::engine::alerts::{Pace, Senders, Teller};
use crate::engine::{Engine, Networks, World};
use crate::ledger::{Ledger, LedgerError};
use crate::time::SystemClock;

/// An engine over the real networks. The caller holds the ledger's lock; `command` is what the ledger calls this process.
pub(super) fn engine(ledger: &Arc<dyn Ledger>, config: &Config, world: World, command: &str) -> Arc<Engine> {
    let clock = Arc::new(SystemClock);
    let http = HttpSettings { timeout: config.delivery.timeout, private_pages: config.delivery.private_pages };
    let connector = Arc::new(Networks::new(workspace::secrets(), http, clock.clone()));
    let owner = format!("{command} {}", std::process::id());
    Arc::new(Engine::new(Arc::clone(ledger), clock, connector, config.delivery, owner, world))
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
