//! What the commands that publish share: an engine with everything that it uses handed in.

use std::sync::Arc;

use super::workspace;
use crate::adapter::http::HttpSettings;
use crate::calendar::Config;
use crate::engine::{Engine, Networks, World};
use crate::ledger::Ledger;
use crate::time::SystemClock;

/// An engine over the real networks. The caller holds the ledger's lock; `command` is what the ledger calls this process.
pub(super) fn engine(ledger: &Arc<dyn Ledger>, config: &Config, world: World, command: &str) -> Arc<Engine> {
    let clock = Arc::new(SystemClock);
    let http = HttpSettings { timeout: config.delivery.timeout, private_pages: config.delivery.private_pages };
    let connector = Arc::new(Networks::new(workspace::secrets(), http, clock.clone()));
    let owner = format!("{command} {}", std::process::id());
    Arc::new(Engine::new(Arc::clone(ledger), clock, connector, config.delivery, owner, world))
}
