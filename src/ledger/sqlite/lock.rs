//! The two files beside the ledger: the lock that its publisher holds for life, and the bell that wakes it.

use std::ffi::OsString;
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use chrono::SecondsFormat;

use crate::ledger::{LedgerError, Result};
use crate::time::{Clock, SystemClock};

/// The file's path with an ending added: `ledger.db` → `ledger.db.lock`.
pub(super) fn beside(path: &Path, ending: &str) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(ending);
    PathBuf::from(name)
}

/// The right to publish. The system drops it when the process ends, however it ends: holding it proves that every
/// earlier holder is dead.
#[derive(Debug)]
pub(super) struct Lock {
    file: File,
}

impl Lock {
    /// Takes the lock or tells who has it.
    pub(super) fn take(path: &Path, owner: &str) -> Result<Self> {
        let cannot = |error: std::io::Error| LedgerError::Storage(format!("cannot lock `{}`: {error}", path.display()));
        let mut file = private(path).map_err(cannot)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let mut holder = String::new();
                // The holder's line is for people; without it the answer is the same.
                let _ = file.take(1024).read_to_string(&mut holder);
                let holder = holder.trim();
                let holder = if holder.is_empty() { "another process" } else { holder };
                return Err(LedgerError::Busy(format!("another smm publishes from this ledger: {holder}")));
            }
            Err(TryLockError::Error(error)) => return Err(cannot(error)),
        }
        let since = SystemClock.now().to_rfc3339_opts(SecondsFormat::Secs, true);
        file.set_len(0).map_err(cannot)?;
        file.seek(SeekFrom::Start(0)).map_err(cannot)?;
        writeln!(file, "{owner} (process {}, since {since})", std::process::id()).map_err(cannot)?;
        Ok(Self { file })
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        // The file stays: removing it would let two processes lock two files of the same name.
        let _ = self.file.set_len(0);
        let _ = self.file.unlock();
    }
}

/// Makes the bell, silent, where there is none.
pub(super) fn touch(path: &Path) -> Result<()> {
    private(path).map(drop).map_err(|error| LedgerError::Storage(format!("cannot make `{}`: {error}", path.display())))
}

/// Changes the bell's content.
pub(super) fn ring(path: &Path) -> Result<()> {
    let cannot = |error: std::io::Error| LedgerError::Storage(format!("cannot write `{}`: {error}", path.display()));
    let mut file = private(path).map_err(cannot)?;
    let now = SystemClock.now().to_rfc3339_opts(SecondsFormat::Nanos, true);
    // One write of a fixed length over the old text: a reader never meets an empty bell.
    file.write_all(format!("{now} {:>10}\n", std::process::id()).as_bytes()).map_err(cannot)
}

/// Opens a file for reading and writing, made for its owner alone where it does not exist.
pub(super) fn private(path: &Path) -> std::io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}
