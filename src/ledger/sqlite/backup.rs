//! A copy of the ledger, made while others use it.

use std::path::Path;

use rusqlite::Connection;

use super::lock;
use crate::ledger::{LedgerError, Result};

/// Copies the ledger into a new file, mode 600. A file of that name is there whole and on the disk, or not at all.
pub(super) fn backup(conn: &Connection, to: &Path) -> Result<()> {
    let cannot = |what: &str, error: &dyn std::fmt::Display| {
        LedgerError::Storage(format!("cannot {what} `{}`: {error}", to.display()))
    };
    if to.exists() {
        return Err(LedgerError::Storage(format!("`{}` is there already; give another name", to.display())));
    }
    let half = lock::beside(to, ".part");
    // An earlier copy may have been cut short.
    if let Err(error) = std::fs::remove_file(&half)
        && error.kind() != std::io::ErrorKind::NotFound
    {
        return Err(cannot("write", &error));
    }
    let made = || -> Result<()> {
        let file = lock::private(&half).map_err(|error| cannot("write", &error))?;
        // One read of one moment, into an empty file: SQLite keeps the mode of one that is there.
        conn.execute("VACUUM INTO ?", [half.to_string_lossy()]).map_err(|error| cannot("write", &error))?;
        file.sync_all().map_err(|error| cannot("sync", &error))?;
        std::fs::rename(&half, to).map_err(|error| cannot("make", &error))?;
        let folder = to.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        std::fs::File::open(folder)
            .and_then(|folder| folder.sync_all())
            .map_err(|error| cannot("sync the folder of", &error))
    };
    made().inspect_err(|_| {
        let _ = std::fs::remove_file(&half);
    })
}
