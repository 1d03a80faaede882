//! Whose turn it is to change an account's grant: one of all tasks and processes that share a state folder.

use std::fs::{File, OpenOptions, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::model::AccountName;

/// The folder of the locks, below the state folder.
const FOLDER: &str = "grants";

/// How often a lock that another process has is looked at again.
const LOOK: Duration = Duration::from_millis(50);

/// The turn. The system ends it when the process ends, however it ends. The file stays: removing it would let two processes
/// lock two files of the same name.
#[derive(Debug)]
pub(super) struct Turn {
    _file: File,
}

/// Why it is not our turn.
#[derive(Debug)]
pub(super) enum NoTurn {
    /// Another process has it for longer than was waited.
    Busy,
    /// The system does not lock.
    Cannot(String),
}

/// Takes the turn for an account, or gives up after `patience`.
pub(super) async fn take(state: &Path, account: &AccountName, patience: Duration) -> Result<Turn, NoTurn> {
    let path = place(state, account);
    // File systems may be slow; and when nobody waits any more, it ends by itself and lets go.
    let taken = tokio::task::spawn_blocking(move || wait(&path, patience)).await;
    taken.unwrap_or_else(|error| Err(NoTurn::Cannot(error.to_string())))
}

fn wait(path: &Path, patience: Duration) -> Result<Turn, NoTurn> {
    let cannot = |error: io::Error| NoTurn::Cannot(format!("cannot lock `{}`: {error}", path.display()));
    for _ in 0..=patience.as_millis() / LOOK.as_millis() {
        let file = open(path).map_err(cannot)?;
        match file.try_lock() {
            // Between the opening and the locking it may have been removed, and made anew by somebody else.
            Ok(()) if is_still(&file, path) => return Ok(Turn { _file: file }),
            Ok(()) | Err(TryLockError::WouldBlock) => std::thread::sleep(LOOK),
            Err(TryLockError::Error(error)) => return Err(cannot(error)),
        }
    }
    Err(NoTurn::Busy)
}

fn open(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    match options.open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            folder(path.parent().unwrap_or(path))?;
            options.open(path)
        }
        opened => opened,
    }
}

/// Makes the folder. It may be the first to be made of the state folder, where secrets are kept: for its owner alone.
fn folder(path: &Path) -> io::Result<()> {
    let mut builder = std::fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path)
}

/// Whether the file still has this name.
#[cfg(unix)]
fn is_still(file: &File, path: &Path) -> bool {
    use std::os::unix::fs::MetadataExt;

    let facts = |facts: std::fs::Metadata| (facts.dev(), facts.ino());
    file.metadata().ok().map(facts) == std::fs::metadata(path).ok().map(facts)
}

/// Elsewhere an open file is not removed.
#[cfg(not(unix))]
fn is_still(_file: &File, _path: &Path) -> bool {
    true
}

/// Where the lock of an account is.
fn place(state: &Path, account: &AccountName) -> PathBuf {
    state.join(FOLDER).join(format!("{account}.lock"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHORT: Duration = Duration::from_millis(10);

    #[tokio::test]
    async fn one_at_a_time() {
        let state = tempfile::tempdir().expect("a folder");
        let (fedi, bsky) = (AccountName::new("fedi"), AccountName::new("bsky"));
        let first = take(state.path(), &fedi, SHORT).await.expect("nobody has it");
        assert!(matches!(take(state.path(), &fedi, SHORT).await, Err(NoTurn::Busy)));
        take(state.path(), &bsky, SHORT).await.expect("another account");
        drop(first);
        let again = take(state.path(), &fedi, SHORT).await.expect("it is free again");
        // Somebody tidies up: whoever comes next makes the file anew, and the two do not know of each other. That is why
        // nobody but a person removes it.
        std::fs::remove_file(place(state.path(), &fedi)).expect("it is there");
        take(state.path(), &fedi, SHORT).await.expect("a new file");
        drop(again);
    }

    #[tokio::test]
    async fn a_folder_that_cannot_be_made_is_said() {
        let state = tempfile::tempdir().expect("a folder");
        std::fs::write(state.path().join(FOLDER), "a file in its place").expect("a file");
        let told = take(state.path(), &AccountName::new("fedi"), SHORT).await.expect_err("no folder");
        assert!(matches!(&told, NoTurn::Cannot(why) if why.contains("fedi.lock")), "{told:?}");
    }
}
