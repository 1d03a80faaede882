//! The high-water mark: what this machine has seen of a ledger, kept outside of it.
//!
//! A small file beside the state. It is raised after every commit that holds an intent, so it is never ahead of a ledger
//! that keeps what it confirms. A ledger that is behind it is a restored backup, a snapshot that was rolled back, or a
//! replica that took over too early; one with another instance is another ledger under the same name.
//!
//! The file has two slots, each with a checksum and a turn that rises; the slot that is not in force is the one that is
//! written. A write that is torn costs that one step, never the mark. It is synced when it is made and when it is
//! replaced, not at each step: a killed process loses nothing of it, and a loss of power can only leave it lower than it
//! was, which notices a little less and never stops a sound ledger.
//!
//! What it cannot notice: a state folder that was restored whole, with its mark.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::Mark;
use crate::model::hex;

/// Where the second slot begins: in another block of the disk than the first.
const SECOND: u64 = 4096;

/// A slot is always written in this length, so that nothing of a longer one before it is left.
const SLOT: usize = 1024;

/// Another process writes the mark in microseconds. One that was stopped in the middle is not waited for.
const TRIES: u32 = 10;

/// The file that holds a mark.
#[derive(Debug)]
pub struct MarkFile {
    path: PathBuf,
    /// What the file holds at least, as this process last wrote it: spares writing what is there.
    written: Mutex<Option<Mark>>,
}

/// What a slot holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Slot {
    turn: u64,
    mark: Mark,
}

/// What the file holds.
#[derive(Debug, Default)]
struct Slots {
    /// The slot in force, with whether it is the second.
    present: Option<(Slot, bool)>,
    /// Something is there, and no slot of it can be read.
    damaged: bool,
}

impl MarkFile {
    /// The file at this path. Nothing is opened or made.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into(), written: Mutex::new(None) }
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// What was seen last; `None`: nothing yet. To be read before the ledger is asked, since the ledger comes first when
    /// both go on. A file that cannot be read, or is damaged, gives [`Mark::unreadable`].
    pub fn read(&self) -> Option<Mark> {
        let slots = match File::open(&self.path).and_then(|mut file| slots(&mut file)) {
            Ok(slots) => slots,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return None,
            Err(error) => {
                tracing::warn!(mark = %self.path.display(), %error, "what was seen of the ledger cannot be read");
                return Some(Mark::unreadable());
            }
        };
        match slots.present {
            Some((slot, _)) => Some(slot.mark),
            None if slots.damaged => Some(Mark::unreadable()),
            None => None,
        }
    }

    /// Says that the ledger has come this far. Never lower, and never for another instance: that is [`MarkFile::replace`].
    pub fn raise(&self, found: &Mark) -> io::Result<()> {
        let mut written = self.written.lock().unwrap_or_else(PoisonError::into_inner);
        if written.as_ref().is_some_and(|mark| mark.instance == found.instance && mark.sequence >= found.sequence) {
            return Ok(());
        }
        let Some(mut file) = self.locked(TRIES)? else {
            // Somebody was stopped while writing. The next step says it all again.
            return Ok(());
        };
        let slots = slots(&mut file)?;
        let behind = match &slots.present {
            Some((slot, _)) => slot.mark.instance == found.instance && slot.mark.sequence < found.sequence,
            None => !slots.damaged,
        };
        if behind {
            put(&mut file, &slots, found)?;
            if slots.present.is_none() {
                self.sync(&file)?;
            }
            *written = Some(found.clone());
        }
        Ok(())
    }

    /// Takes what is found for what was seen: a person has adopted the ledger.
    pub fn replace(&self, found: &Mark) -> io::Result<()> {
        let mut written = self.written.lock().unwrap_or_else(PoisonError::into_inner);
        *written = None;
        // A person waits, and whoever holds it is about to end or to go on.
        let mut file = self.locked(TRIES * 100)?.ok_or_else(|| {
            io::Error::new(io::ErrorKind::WouldBlock, "another smm holds it, and does not go on (was it stopped?)")
        })?;
        let slots = slots(&mut file)?;
        put(&mut file, &slots, found)?;
        self.sync(&file)?;
        *written = Some(found.clone());
        Ok(())
    }

    /// The file, locked against other processes; `None`: somebody else keeps it.
    fn locked(&self, tries: u32) -> io::Result<Option<File>> {
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let file = options.open(&self.path)?;
        for _ in 0..tries {
            match file.try_lock() {
                Ok(()) => return Ok(Some(file)),
                Err(TryLockError::WouldBlock) => std::thread::sleep(Duration::from_millis(1)),
                Err(TryLockError::Error(error)) => return Err(error),
            }
        }
        Ok(None)
    }

    fn sync(&self, file: &File) -> io::Result<()> {
        file.sync_all()?;
        // The name, too, where a folder can be synced at all.
        let folder = self.path.parent().filter(|folder| !folder.as_os_str().is_empty());
        let _ = File::open(folder.unwrap_or(Path::new("."))).and_then(|folder| folder.sync_all());
        Ok(())
    }
}

fn slots(file: &mut File) -> io::Result<Slots> {
    let mut first = vec![0; SLOT];
    let mut second = vec![0; SLOT];
    let one = read_at(file, 0, &mut first)?;
    let two = read_at(file, SECOND, &mut second)?;
    // All zeros: made, and its content lost with the power before it was synced, when nothing had been sent yet.
    let empty = first[..one].iter().chain(&second[..two]).all(|byte| *byte == 0);
    let (first, second) = (parse(&first[..one]), parse(&second[..two]));
    let present = match (first, second) {
        (Some(first), Some(second)) if second.turn > first.turn => Some((second, true)),
        (Some(first), _) => Some((first, false)),
        (None, Some(second)) => Some((second, true)),
        (None, None) => None,
    };
    let damaged = present.is_none() && !empty;
    Ok(Slots { present, damaged })
}

fn put(file: &mut File, slots: &Slots, mark: &Mark) -> io::Result<()> {
    let (turn, second) = slots.present.as_ref().map_or((1, false), |(slot, second)| (slot.turn + 1, !second));
    let mut bytes = text(&Slot { turn, mark: mark.clone() })?.into_bytes();
    if bytes.len() >= SLOT {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "the ledger's instance is too long"));
    }
    bytes.resize(SLOT - 1, b' ');
    bytes.push(b'\n');
    file.seek(SeekFrom::Start(if second { SECOND } else { 0 }))?;
    file.write_all(&bytes)
}

fn read_at(file: &mut File, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
    file.seek(SeekFrom::Start(offset))?;
    let mut read = 0;
    while read < buffer.len() {
        match file.read(&mut buffer[read..])? {
            0 => break,
            count => read += count,
        }
    }
    Ok(read)
}

fn text(slot: &Slot) -> io::Result<String> {
    let value = serde_json::to_string(slot)?;
    Ok(format!("{} {value}", checksum(&value)))
}

fn parse(bytes: &[u8]) -> Option<Slot> {
    let (sum, value) = std::str::from_utf8(bytes).ok()?.trim_end().split_once(' ')?;
    (checksum(value) == sum).then(|| serde_json::from_str(value).ok())?
}

/// Sixteen hex digits that a torn or mixed write does not have.
pub(super) fn checksum(text: &str) -> String {
    hex(&Sha256::digest(text.as_bytes())[..8])
}

#[cfg(test)]
mod tests {
    use super::super::Age;
    use super::*;

    fn mark(instance: &str, sequence: u64) -> Mark {
        Mark { instance: instance.to_owned(), sequence, at: None }
    }

    fn file() -> (tempfile::TempDir, MarkFile) {
        let folder = tempfile::tempdir().expect("a folder");
        let file = MarkFile::new(folder.path().join("ledger.db.mark"));
        (folder, file)
    }

    #[test]
    fn it_only_rises() {
        let (_folder, file) = file();
        assert_eq!(file.read(), None);
        file.raise(&mark("a", 3)).expect("written");
        // Another process, which knows nothing of what this one wrote.
        let other = MarkFile::new(file.path());
        other.raise(&mark("a", 2)).expect("nothing to do");
        assert_eq!(file.read(), Some(mark("a", 3)), "never lower");
        other.raise(&mark("a", 9)).expect("written");
        file.raise(&mark("a", 4)).expect("nothing to do");
        assert_eq!(file.read(), Some(mark("a", 9)), "although this process last wrote less");
        file.raise(&mark("b", 99)).expect("nothing to do");
        assert_eq!(file.read(), Some(mark("a", 9)), "another ledger's sequence says nothing of this one");
        file.replace(&mark("b", 1)).expect("written");
        assert_eq!(other.read(), Some(mark("b", 1)));
        file.raise(&mark("b", 2)).expect("written");
        assert_eq!(other.read(), Some(mark("b", 2)));
    }

    #[cfg(unix)]
    #[test]
    fn it_is_for_its_owner_alone() {
        use std::os::unix::fs::PermissionsExt as _;
        let (_folder, file) = file();
        file.raise(&mark("a", 1)).expect("written");
        let mode = std::fs::metadata(file.path()).expect("the file").permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }

    #[test]
    fn a_torn_write_costs_one_step() {
        let (_folder, file) = file();
        for sequence in 1..=5 {
            file.raise(&mark("a", sequence)).expect("written");
        }
        let whole = std::fs::read(file.path()).expect("the file");
        let second = usize::try_from(SECOND).expect("small");
        // The fifth is in the first slot: any end of it may be what was there before, or nothing.
        for cut in 0..200 {
            let mut torn = whole.clone();
            torn[cut..SLOT].fill(0);
            std::fs::write(file.path(), &torn).expect("written");
            let read = MarkFile::new(file.path()).read().expect("a mark");
            assert!(read == mark("a", 4) || (read == mark("a", 5) && cut > 60), "cut at {cut}: {read:?}");
        }
        // Both gone: it is like no ledger, and nothing but a person's word makes it anew.
        let mut lost = whole;
        lost[0] ^= 1;
        lost[second] ^= 1;
        std::fs::write(file.path(), &lost).expect("written");
        let file = MarkFile::new(file.path());
        let seen = file.read();
        assert_eq!(seen, Some(Mark::unreadable()));
        assert!(matches!(Age::of(seen, mark("a", 99)), Age::Older { .. }));
        file.raise(&mark("a", 99)).expect("nothing to do");
        assert_eq!(file.read(), Some(Mark::unreadable()));
        file.replace(&mark("a", 99)).expect("written");
        assert_eq!(file.read(), Some(mark("a", 99)));
        // Made, and nothing written yet when the power went.
        std::fs::write(file.path(), "").expect("written");
        assert_eq!(file.read(), None);
    }

    #[test]
    fn nobody_waits_for_a_process_that_was_stopped() {
        let (_folder, file) = file();
        file.raise(&mark("a", 1)).expect("written");
        let held = File::open(file.path()).expect("the file");
        held.lock().expect("locked");
        file.raise(&mark("a", 2)).expect("it goes on");
        assert_eq!(file.read(), Some(mark("a", 1)), "not written, and said by the next step");
        drop(held);
        file.raise(&mark("a", 3)).expect("written");
        assert_eq!(file.read(), Some(mark("a", 3)));
    }
}
