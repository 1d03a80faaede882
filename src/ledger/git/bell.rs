//! The bell: a file for rings on this machine, and a look at the remote now and then for all others.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use chrono::SecondsFormat;
use tokio::sync::{Mutex, watch};

use super::keeper::{Keeper, Kind};
use crate::ledger::{LedgerError, Result};
use crate::time::Clock;

/// The remote is asked this often, when nothing else asks it.
pub(super) const LOOK: Duration = Duration::from_secs(15);

/// A remote that cannot be reached is asked again after at most so long.
const AGAIN: Duration = Duration::from_mins(5);

pub(super) struct Bell {
    file: PathBuf,
    heard: Mutex<watch::Receiver<u64>>,
    clock: Arc<dyn Clock>,
}

impl Bell {
    pub(super) fn new(file: PathBuf, news: watch::Receiver<u64>, clock: Arc<dyn Clock>) -> Self {
        Self { file, heard: Mutex::new(news), clock }
    }

    pub(super) fn file(&self) -> &Path {
        &self.file
    }

    /// Changes the file's content.
    pub(super) fn ring(&self) -> Result<()> {
        let text =
            format!("{} {:>10}\n", self.clock.now().to_rfc3339_opts(SecondsFormat::Nanos, true), std::process::id());
        let mut options = std::fs::OpenOptions::new();
        options.write(true).create(true).truncate(false);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        // One write of a fixed length over the old text: a reader never meets an empty bell.
        options
            .open(&self.file)
            .and_then(|mut file| file.write_all(text.as_bytes()))
            .map_err(|error| LedgerError::Storage(format!("cannot write `{}`: {error}", self.file.display())))
    }

    /// Waits until somebody else has changed the ledger. Each change is told once, also when it came meanwhile.
    pub(super) async fn rung(&self, keeper: &Keeper) {
        let mut heard = self.heard.lock().await;
        let mut wait = LOOK;
        loop {
            tokio::select! {
                biased;
                changed = heard.changed() => match changed {
                    Ok(()) => return,
                    // The thread has ended, and with it all news.
                    Err(_) => return std::future::pending().await,
                },
                () = self.clock.wait(wait) => {}
            }
            wait = match keeper.run(Kind::Fresh, |_| Ok(())).await {
                Ok(()) => LOOK,
                Err(error) => {
                    tracing::debug!(%error, "the ledger's remote is not heard; asking again");
                    (wait * 2).min(AGAIN)
                }
            };
        }
    }
}
