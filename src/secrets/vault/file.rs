//! The vault's file: only for its owner, replaced as a whole, changed by one process at a time.

use std::fs::{DirBuilder, File, OpenOptions, TryLockError};
use std::io::{self, ErrorKind, Write as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// How long another process may hold the lock: it does so for a few writes.
const PATIENCE: Duration = Duration::from_secs(10);
/// How often the lock is tried.
const TRY: Duration = Duration::from_millis(10);
/// No vault is larger than this.
const LARGEST: u64 = 16 * 1024 * 1024;

/// The file's text; `None`: there is no such file. Refuses one that others may read or write.
pub(super) fn read(path: &Path) -> Result<Option<String>, String> {
    let mut file = match File::open(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        opened => opened.map_err(|error| cannot("read", path, &error))?,
    };
    let facts = file.metadata().map_err(|error| cannot("look at", path, &error))?;
    if !facts.is_file() || facts.len() > LARGEST {
        return Err(format!("the vault {} is not a file of smm", path.display()));
    }
    refuse_open(path, &facts, "600")?;
    refuse_open_folder(folder_of(path))?;
    let mut text = String::new();
    io::Read::read_to_string(&mut file, &mut text).map_err(|error| match error.kind() {
        ErrorKind::InvalidData => format!("the vault {} is damaged: it is no text", path.display()),
        _ => cannot("read", path, &error),
    })?;
    Ok(Some(text))
}

/// Replaces the file: whole and on the disk before it has its name, and the name on the disk before this returns.
pub(super) fn replace(path: &Path, text: &str) -> Result<(), String> {
    let failed = |error: &io::Error| cannot("write", path, error);
    let folder = folder_of(path);
    // Made with mode 600, under a name that nobody knows; gone again if it does not get the right one.
    let mut file = tempfile::Builder::new().prefix(".vault-").tempfile_in(folder).map_err(|error| failed(&error))?;
    file.write_all(text.as_bytes()).and_then(|()| file.as_file().sync_all()).map_err(|error| failed(&error))?;
    file.persist(path).map_err(|error| failed(&error.error))?;
    #[cfg(unix)]
    File::open(folder).and_then(|folder| folder.sync_all()).map_err(|error| failed(&error))?;
    Ok(())
}

/// Waits until no other process changes the vault, and keeps others out until the answer is dropped. Makes the folder.
pub(super) fn lock(path: &Path) -> Result<File, String> {
    lock_within(path, PATIENCE)
}

fn lock_within(path: &Path, patience: Duration) -> Result<File, String> {
    let folder = folder_of(path);
    let mut builder = DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder).map_err(|error| format!("cannot make the folder {}: {error}", folder.display()))?;
    refuse_open_folder(folder)?;

    let path = lock_path(path);
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let file = options.open(&path).map_err(|error| cannot("lock", &path, &error))?;
    let since = Instant::now();
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(file),
            Err(TryLockError::WouldBlock) if since.elapsed() < patience => std::thread::sleep(TRY),
            Err(TryLockError::WouldBlock) => {
                return Err(format!(
                    "another process has held {} for {} s; see what it does, and try again",
                    path.display(),
                    patience.as_secs()
                ));
            }
            Err(TryLockError::Error(error)) => return Err(cannot("lock", &path, &error)),
        }
    }
}

/// The file beside it that is locked: the vault itself is replaced, and a lock would go with the old one.
fn lock_path(path: &Path) -> PathBuf {
    path.with_added_extension("lock")
}

fn folder_of(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

fn refuse_open_folder(folder: &Path) -> Result<(), String> {
    let facts = std::fs::metadata(folder).map_err(|error| cannot("look at", folder, &error))?;
    refuse_open(folder, &facts, "700 (for a service of systemd: StateDirectoryMode=0700)")
}

/// Refuses what others than the owner may look into. `wanted`: the mode that it should have.
fn refuse_open(path: &Path, facts: &std::fs::Metadata, wanted: &str) -> Result<(), String> {
    #[cfg(unix)]
    {
        let mode = std::os::unix::fs::PermissionsExt::mode(&facts.permissions()) & 0o777;
        if mode & 0o077 != 0 {
            let (mode_wanted, more) = wanted.split_once(' ').unwrap_or((wanted, ""));
            let more = if more.is_empty() { String::new() } else { format!(" {more}") };
            return Err(format!(
                "others may look into {path}, where secrets are kept (its mode is {mode:o}); run `chmod {mode_wanted} \
                 {path}`{more}",
                path = path.display()
            ));
        }
    }
    #[cfg(not(unix))]
    let _ = (path, facts, wanted);
    Ok(())
}

fn cannot(what: &str, path: &Path, error: &io::Error) -> String {
    format!("cannot {what} {}: {error}", path.display())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_that_waits_for_the_lock_gives_up() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("smm/vault");
        let held = lock(&path).expect("free");
        let why = lock_within(&path, Duration::from_millis(30)).expect_err("held");
        assert!(why.contains("vault.lock"), "{why}");
        drop(held);
        lock_within(&path, Duration::ZERO).expect("free again");
    }
}
