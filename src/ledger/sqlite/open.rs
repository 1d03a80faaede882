//! Opening the file: who may read it, on what disk it lies, how durable a commit is.

use std::path::Path;
use std::time::{Duration, Instant};

use rusqlite::{Connection, OpenFlags};

use super::{error, filesystem, lock, schema};
use crate::ledger::{LedgerError, Result};
use crate::trial::Guard;

/// How long a writer waits for another process' transaction.
const PATIENCE: Duration = Duration::from_secs(5);

/// Opens for writing: makes folder and file where they are missing, and brings the tables to the present version.
pub(super) fn writer(path: &Path) -> Result<Connection> {
    let folder = folder_of(path);
    make_folder(folder)?;
    refuse_remote(path, folder)?;
    let exists = path.exists();
    if exists {
        refuse_open_file(path)?;
    } else {
        lock::private(path)
            .map_err(|error| LedgerError::Storage(format!("cannot make the ledger `{}`: {error}", path.display())))?;
    }
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let mut conn = Connection::open_with_flags(path, flags).map_err(|error| cannot_open(path, &error))?;
    prepare(&conn)?;
    // The first question to the file: what is no database says so here.
    schema::kind(&conn, path).map_err(|error| no_ledger(path, error))?;
    let mode = write_ahead(&conn)?;
    if mode != "wal" {
        return Err(LedgerError::Storage(format!(
            "the ledger `{}` cannot use write-ahead logging here (its mode is `{mode}`); keep it on a local disk",
            path.display()
        )));
    }
    // An intent is the proof that a post may be out: a commit that returns has to be on the disk.
    conn.pragma_update(None, "synchronous", if Guard::Sync.holds() { "full" } else { "normal" })?;
    conn.pragma_update(None, "journal_size_limit", 16 * 1024 * 1024)?;
    schema::migrate(&mut conn, path)?;
    if !exists {
        // SQLite syncs the folder for its log, not for the file itself.
        let _ = std::fs::File::open(folder).and_then(|folder| folder.sync_all());
    }
    Ok(conn)
}

/// Switches to write-ahead logging; gives the mode that holds then. While another process makes the same ledger at the same
/// time `SQLite` says at once that it is busy, whatever the time to wait.
fn write_ahead(conn: &Connection) -> Result<String> {
    let began = Instant::now();
    loop {
        match conn.pragma_update_and_check(None, "journal_mode", "wal", |row| row.get(0)) {
            Err(error) if error::is_busy(&error) && began.elapsed() < PATIENCE => {
                std::thread::sleep(Duration::from_millis(5));
            }
            mode => return Ok(mode?),
        }
    }
}

/// Opens for reading beside whoever writes. `None`: there is no ledger yet.
pub(super) fn reader(path: &Path) -> Result<Option<Connection>> {
    if !path.exists() {
        return Ok(None);
    }
    refuse_open_file(path)?;
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let conn = Connection::open_with_flags(path, flags).map_err(|error| cannot_open(path, &error))?;
    prepare(&conn)?;
    match schema::kind(&conn, path).map_err(|error| no_ledger(path, error))? {
        schema::Kind::Empty => Ok(None),
        schema::Kind::Current => Ok(Some(conn)),
        schema::Kind::Older => Err(LedgerError::Storage(format!(
            "the ledger `{}` was written by an older smm; run `smm publish` once to bring it up to date",
            path.display()
        ))),
    }
}

/// What a reader sees where there is no ledger: the same tables, empty, in memory.
pub(super) fn nothing() -> Result<Connection> {
    let mut conn = Connection::open_in_memory()?;
    prepare(&conn)?;
    schema::migrate(&mut conn, Path::new(":memory:"))?;
    Ok(conn)
}

fn prepare(conn: &Connection) -> Result<()> {
    if loses_commits(rusqlite::version_number()) {
        return Err(LedgerError::Storage(format!(
            "smm was built with SQLite {}, which can damage a ledger when its log is begun anew; build it with \
             3.51.3, or with 3.53.0 or later",
            rusqlite::version()
        )));
    }
    conn.busy_timeout(PATIENCE)?;
    conn.pragma_update(None, "foreign_keys", true)?;
    conn.pragma_update(None, "trusted_schema", false)?;
    conn.set_prepared_statement_cache_capacity(64);
    Ok(())
}

/// Versions whose log, begun anew while another connection writes, could lose commits or damage the file.
fn loses_commits(version: i32) -> bool {
    version < 3_051_003 || version == 3_052_000
}

/// How much of the disk it takes, with its log.
pub(super) fn size(path: &Path) -> Option<u64> {
    let main = std::fs::metadata(path).ok()?.len();
    let log = std::fs::metadata(crate::ledger::with_ending(path, "-wal")).map_or(0, |facts| facts.len());
    Some(main + log)
}

pub(super) fn folder_of(path: &Path) -> &Path {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    }
}

fn make_folder(folder: &Path) -> Result<()> {
    let mut builder = std::fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder
        .create(folder)
        .map_err(|error| LedgerError::Storage(format!("cannot make the folder `{}`: {error}", folder.display())))
}

fn refuse_remote(path: &Path, folder: &Path) -> Result<()> {
    match filesystem::remote(folder) {
        None => Ok(()),
        Some(kind) => Err(LedgerError::Storage(format!(
            "the ledger `{}` lies on a network file system ({kind}), where its locks do not hold; keep it on a local \
             disk (set STATE_DIRECTORY or XDG_STATE_HOME, or a path as `ledger` in smm.toml)",
            path.display()
        ))),
    }
}

/// The ledger tells what will be published, and when: nobody else's business.
fn refuse_open_file(path: &Path) -> Result<()> {
    let facts = std::fs::metadata(path)
        .map_err(|error| LedgerError::Storage(format!("cannot look at the ledger `{}`: {error}", path.display())))?;
    if !facts.is_file() {
        return Err(LedgerError::Storage(format!("the ledger `{}` is not a file", path.display())));
    }
    #[cfg(unix)]
    {
        let mode = std::os::unix::fs::PermissionsExt::mode(&facts.permissions()) & 0o777;
        if mode & 0o077 != 0 {
            return Err(LedgerError::Storage(format!(
                "others may read or write the ledger `{path}` (its mode is {mode:o}); run `chmod 600 {path}`",
                path = path.display()
            )));
        }
    }
    Ok(())
}

fn cannot_open(path: &Path, error: &rusqlite::Error) -> LedgerError {
    LedgerError::Storage(format!("cannot open the ledger `{}`: {error}", path.display()))
}

fn no_ledger(path: &Path, error: LedgerError) -> LedgerError {
    match error {
        LedgerError::Corrupt(_) => LedgerError::Corrupt(format!(
            "`{}` is damaged, or it is not a ledger of smm; smm leaves it as it is",
            path.display()
        )),
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_library_that_loses_commits_is_refused() {
        for (version, refused) in [(3_051_002, true), (3_051_003, false), (3_052_000, true), (3_053_000, false)] {
            assert_eq!(loses_commits(version), refused, "{version}");
        }
        assert!(!loses_commits(rusqlite::version_number()), "the one that is built in: {}", rusqlite::version());
    }

    #[test]
    fn a_ledger_that_is_being_made_is_read_as_none_or_whole() {
        for _ in 0..40 {
            let folder = tempfile::tempdir().expect("a folder");
            let path = folder.path().join("ledger.db");
            let making = std::thread::spawn({
                let path = path.clone();
                move || writer(&path).map(drop)
            });
            while reader(&path).unwrap_or_else(|error| panic!("{error}")).is_none() {}
            making.join().expect("no panic").expect("it is made");
        }
    }
}
