//! Ballast: room on the disk that is given up when it is full, so that what came of a call can still be written.

use std::io::{ErrorKind, Write};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};

use super::lock;
use crate::ledger::{LedgerError, Result};

/// Enough for the results of all calls that can be under way, with their pages of the log.
pub(super) const SIZE: usize = 4 * 1024 * 1024;

/// A file that takes up room.
#[derive(Debug)]
pub(super) struct Ballast {
    path: PathBuf,
    /// The disk was full: nothing is begun until the file could be made again.
    full: AtomicBool,
}

impl Ballast {
    /// That of a ledger; not made yet.
    pub(super) fn new(ledger: &std::path::Path) -> Self {
        Self { path: lock::beside(ledger, ".ballast"), full: AtomicBool::new(false) }
    }

    /// The disk was full when it was last looked at.
    pub(super) fn is_full(&self) -> bool {
        self.full.load(Ordering::SeqCst)
    }

    /// Makes the file, unless it is there.
    ///
    /// # Errors
    /// [`LedgerError::Full`] when there is no room for it; then none of it is left.
    pub(super) fn lay(&self) -> Result<()> {
        if std::fs::metadata(&self.path).is_ok_and(|facts| facts.len() >= SIZE as u64) {
            self.full.store(false, Ordering::SeqCst);
            return Ok(());
        }
        match self.fill() {
            Ok(()) => {
                self.full.store(false, Ordering::SeqCst);
                Ok(())
            }
            Err(error) => {
                let _ = std::fs::remove_file(&self.path);
                if matches!(error.kind(), ErrorKind::StorageFull | ErrorKind::QuotaExceeded) {
                    self.full.store(true, Ordering::SeqCst);
                    return Err(full());
                }
                Err(LedgerError::Storage(format!("cannot make `{}`: {error}", self.path.display())))
            }
        }
    }

    /// Removes the file. `false`: it was gone already.
    pub(super) fn give_up(&self) -> bool {
        let given = std::fs::remove_file(&self.path).is_ok();
        self.full.fetch_or(given, Ordering::SeqCst);
        given
    }

    fn fill(&self) -> std::io::Result<()> {
        let mut file = lock::private(&self.path)?;
        // Bytes that no file system stores in less room than they have.
        let mut state: u64 = 0x9e37_79b9_7f4a_7c15;
        let mut block = vec![0_u8; 64 * 1024];
        for _ in 0..SIZE / block.len() {
            for bytes in block.chunks_exact_mut(8) {
                state ^= state << 13;
                state ^= state >> 7;
                state ^= state << 17;
                bytes.copy_from_slice(&state.to_le_bytes());
            }
            file.write_all(&block)?;
        }
        file.sync_all()
    }
}

/// Why nothing is begun.
pub(super) fn full() -> LedgerError {
    LedgerError::Full(
        "the disk under the ledger is full, so nothing more is sent; make room, and smm goes on by itself".to_owned(),
    )
}
