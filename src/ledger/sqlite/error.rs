//! `SQLite`'s errors in the ledger's words.

use rusqlite::ErrorCode;

use crate::ledger::LedgerError;

impl From<rusqlite::Error> for LedgerError {
    fn from(error: rusqlite::Error) -> Self {
        match error.sqlite_error_code() {
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => {
                Self::Busy("another program has been writing to the ledger for too long; try again".to_owned())
            }
            Some(ErrorCode::DiskFull) => {
                Self::Full("the ledger cannot be written: the disk is full; nothing was recorded".to_owned())
            }
            Some(ErrorCode::ReadOnly | ErrorCode::PermissionDenied | ErrorCode::CannotOpen) => Self::Storage(format!(
                "the ledger cannot be opened or written: {error}; this user has to be able to write its file and its folder"
            )),
            Some(ErrorCode::NotADatabase | ErrorCode::DatabaseCorrupt) => {
                Self::Corrupt(format!("the ledger's file is damaged or is no ledger: {error}"))
            }
            _ => Self::Storage(format!("the ledger failed: {error}")),
        }
    }
}

impl From<serde_json::Error> for LedgerError {
    fn from(error: serde_json::Error) -> Self {
        Self::Corrupt(format!("what the ledger holds cannot be read: {error}"))
    }
}

/// Another process is in the way just now.
pub(super) fn is_busy(error: &rusqlite::Error) -> bool {
    matches!(error.sqlite_error_code(), Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked))
}

/// What such an error is to whoever asked: this process must not go on with a ledger of which it does not know what it
/// holds.
pub(super) fn disk_failed(error: &rusqlite::Error) -> LedgerError {
    LedgerError::Gone(format!(
        "the disk has failed under the ledger ({error}), so nothing more is sent; see to the disk, then start smm again"
    ))
}

/// After this error it is not known what the disk holds: `fsync` reports a lost page once and then forgets it.
/// A full disk is not of this kind: `SQLite` finds it before anything counts as written.
pub(super) fn leaves_doubt(error: &rusqlite::Error) -> bool {
    matches!(
        error.sqlite_error_code(),
        Some(ErrorCode::SystemIoFailure | ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase)
    )
}
