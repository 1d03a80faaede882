//! Two files beside the ledger: the lock that its publisher holds for life, and the bell that wakes it.

use std::ffi::OsString;
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use chrono::SecondsFormat;

use crate::ledger::{LedgerError, Result};
use crate::time::{Clock, SystemClock};
use crate::trial::Guard;

/// The file's path with an ending added: `ledger.db` → `ledger.db.lock`.
pub(super) fn beside(path: &Path, ending: &str) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(ending);
    PathBuf::from(name)
}

/// The right to publish. The system drops it when the process ends, however it ends: holding it proves that every
/// earlier holder is dead.
///
/// Two files are locked, where the system's locks allow it: one beside the ledger, which names the holder and can be
/// removed by anybody who tidies up, and the ledger's file itself, which is not removed unnoticed.
#[derive(Debug)]
pub(super) struct Lock {
    path: PathBuf,
    owner: String,
    /// `None`: the guard is off.
    file: Mutex<Option<File>>,
    _database: Option<database::Held>,
}

impl Lock {
    /// Takes the lock of a ledger or tells who has it.
    pub(super) fn take(ledger: &Path, owner: &str) -> Result<Self> {
        let path = beside(ledger, ".lock");
        if !Guard::Lock.holds() {
            return Ok(Self { path, owner: owner.to_owned(), file: Mutex::default(), _database: None });
        }
        let file = take_file(&path, owner)?;
        let database = database::Held::take(ledger)?;
        Ok(Self { path, owner: owner.to_owned(), file: Mutex::new(Some(file)), _database: database })
    }

    /// Whether the file beside the ledger is still the one that is locked. Where it was removed it is made again.
    pub(super) fn keep(&self) -> Result<()> {
        let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(held) = file.as_ref() else { return Ok(()) };
        if held.metadata().ok().as_ref().and_then(identity_of) == identity(&self.path) {
            return Ok(());
        }
        match take_file(&self.path, &self.owner) {
            Ok(again) => {
                tracing::warn!("`{}` was removed; it is made again", self.path.display());
                *file = Some(again);
                Ok(())
            }
            Err(LedgerError::Busy(why)) => Err(LedgerError::Gone(format!(
                "the lock `{}` was removed or replaced while smm was running, and {why}; nothing more is sent from here",
                self.path.display()
            ))),
            Err(other) => Err(other),
        }
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        // The file stays: removing it would let two processes lock two files of the same name.
        if let Some(file) = self.file.get_mut().unwrap_or_else(PoisonError::into_inner).take() {
            let _ = file.set_len(0);
            let _ = file.unlock();
        }
    }
}

/// Takes the file beside the ledger, and writes who has it.
fn take_file(path: &Path, owner: &str) -> Result<File> {
    let cannot = |error: std::io::Error| LedgerError::Storage(format!("cannot lock `{}`: {error}", path.display()));
    let mut file = private(path).map_err(cannot)?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            let mut holder = String::new();
            // The holder's line is for people; without it the answer is the same.
            let _ = file.take(1024).read_to_string(&mut holder);
            let holder = Some(holder.trim()).filter(|line| is_of_the_living(line)).unwrap_or("another process");
            return Err(LedgerError::Busy(format!("another smm publishes from this ledger: {holder}")));
        }
        Err(TryLockError::Error(error)) => return Err(cannot(error)),
    }
    // Between the opening and the locking it may have been removed, and made anew by somebody else.
    if file.metadata().ok().as_ref().and_then(identity_of) != identity(path) {
        return Err(LedgerError::Busy("another smm is taking this ledger's lock".to_owned()));
    }
    let since = SystemClock.now().to_rfc3339_opts(SecondsFormat::Secs, true);
    file.set_len(0).map_err(cannot)?;
    file.seek(SeekFrom::Start(0)).map_err(cannot)?;
    // Whoever has the lock has it, also on a full disk: the line is for people.
    let _ = writeln!(file, "{owner} (process {}, since {since})", std::process::id());
    Ok(file)
}

/// Whether a holder's line is of a process that there is: one that was killed leaves its line behind, until whoever has
/// the lock now has written down its own.
fn is_of_the_living(line: &str) -> bool {
    let Some(process) = line.split_once("(process ").and_then(|(_, rest)| rest.split_once(',')) else { return false };
    !cfg!(target_os = "linux") || Path::new("/proc").join(process.0).exists()
}

/// Who holds the lock of a ledger, as they have written it down. Takes no lock, not even for a moment: somebody who wants
/// it at that very moment would be told that the ledger is taken. `None`: nobody, as far as can be told.
pub(super) fn holder(ledger: &Path) -> Option<String> {
    let path = beside(ledger, ".lock");
    let mut text = String::new();
    File::open(&path).ok()?.take(1024).read_to_string(&mut text).ok()?;
    // Whoever ends in order empties it. One that was killed does not; the system knows that its lock is gone.
    let line = text.trim();
    let held = std::fs::read_to_string("/proc/locks").ok().zip(identity(&path)).is_none_or(|(locks, (_, inode))| {
        let of_it = format!(":{inode}");
        locks.lines().any(|line| line.split_whitespace().any(|word| word.ends_with(&of_it)))
    });
    (held && !line.is_empty()).then(|| line.to_owned())
}

/// Which file has this name, where the system tells: its device and its number there.
pub(super) fn identity(path: &Path) -> Option<(u64, u64)> {
    identity_of(&std::fs::metadata(path).ok()?)
}

#[cfg_attr(unix, expect(clippy::unnecessary_wraps, reason = "other systems do not tell"))]
fn identity_of(facts: &std::fs::Metadata) -> Option<(u64, u64)> {
    #[cfg(unix)]
    {
        Some((std::os::unix::fs::MetadataExt::dev(facts), std::os::unix::fs::MetadataExt::ino(facts)))
    }
    #[cfg(not(unix))]
    {
        let _ = facts;
        None
    }
}

/// The lock on the ledger's file itself. On Linux it has nothing to do with `SQLite`'s own locks; elsewhere the two are of
/// one kind, and there is only the file beside it.
mod database {
    use std::collections::BTreeMap;
    use std::fs::{File, TryLockError};
    use std::path::Path;
    use std::sync::{Mutex, PoisonError};

    use crate::ledger::{LedgerError, Result};

    /// The files that this process has locked once, and whether it holds them. They stay open for its life: closing one
    /// would drop `SQLite`'s locks on it, whoever in this process holds them.
    static OPEN: Mutex<BTreeMap<(u64, u64), (File, bool)>> = Mutex::new(BTreeMap::new());

    #[derive(Debug)]
    pub(super) struct Held((u64, u64));

    impl Held {
        pub(super) fn take(ledger: &Path) -> Result<Option<Self>> {
            if !cfg!(target_os = "linux") {
                return Ok(None);
            }
            let cannot =
                |error: std::io::Error| LedgerError::Storage(format!("cannot lock `{}`: {error}", ledger.display()));
            let busy = || {
                LedgerError::Busy(
                    "another smm publishes from this ledger; its lock file was removed, so it cannot be named"
                        .to_owned(),
                )
            };
            let Some(identity) = super::identity(ledger) else { return Ok(None) };
            let mut open = OPEN.lock().unwrap_or_else(PoisonError::into_inner);
            if let std::collections::btree_map::Entry::Vacant(entry) = open.entry(identity) {
                entry.insert((File::open(ledger).map_err(cannot)?, false));
            }
            let Some((file, held)) = open.get_mut(&identity) else { return Ok(None) };
            if *held {
                return Err(busy());
            }
            match file.try_lock() {
                Ok(()) => {
                    *held = true;
                    Ok(Some(Self(identity)))
                }
                Err(TryLockError::WouldBlock) => Err(busy()),
                Err(TryLockError::Error(error)) => Err(cannot(error)),
            }
        }
    }

    impl Drop for Held {
        fn drop(&mut self) {
            if let Some((file, held)) = OPEN.lock().unwrap_or_else(PoisonError::into_inner).get_mut(&self.0) {
                let _ = file.unlock();
                *held = false;
            }
        }
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
