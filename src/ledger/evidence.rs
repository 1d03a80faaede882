//! The evidence: what a call brought, kept outside of the ledger from the moment that it is known.
//!
//! Between the network's answer and its record in the ledger there is a moment, long when the database is away. A process
//! that is killed then would have to look the post up, and where a network cannot be asked a person would have to. So the
//! answer is first appended to a file: the next start settles the delivery from there.
//!
//! It is a second line. Each line names one attempt exactly (delivery, key, number, time), so that what is left of
//! another life of the ledger says nothing about this one; a line that is torn is none; a file that cannot be written is
//! logged and not waited for. It is written without a sync: a killed process loses nothing of it, and after a loss of
//! power a line may be missing, never wrong, which leaves the delivery to the rule of its network's class, as without it.
//! It holds no secret and no text of a post.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::mark::checksum;
use crate::adapter::{Fault, Refusal};
use crate::model::{Delivery, DeliveryId, Receipt};

/// A file that has grown beyond this while something was open all the time is written anew with what is open.
const LONG: u64 = 256 * 1024;

/// No process makes more files than this.
const MOST: u32 = 1_000_000;

/// One attempt, and no other: not one of another life of the ledger either, since each begins at its own time.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Attempt {
    /// The delivery.
    pub delivery: DeliveryId,
    /// The key of what was sent.
    pub key: String,
    /// Which attempt of the delivery, from 1.
    pub number: u32,
    /// When it was about to begin.
    pub at: DateTime<Utc>,
}

impl Attempt {
    /// The attempt that a row is at; `None`: at none.
    pub fn of(row: &Delivery) -> Option<Self> {
        let intent = row.intent.as_ref()?;
        Some(Self { delivery: row.id, key: intent.frozen.key.clone(), number: intent.attempt, at: intent.at })
    }
}

/// What a call brought.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Brought {
    /// It is out.
    Receipt(Receipt),
    /// Provably nothing arrived.
    NotSent,
    /// The network said no.
    Refused {
        /// What kind of "no".
        refusal: Refusal,
        /// Not before this.
        retry_at: Option<DateTime<Utc>>,
    },
    /// It ended without an answer, so nothing of it is on its way any more.
    Nothing,
}

impl Brought {
    /// What a fault says, without its words.
    pub fn fault(fault: &Fault) -> Self {
        match fault {
            Fault::NotSent(_) => Self::NotSent,
            Fault::Refused { refusal, retry_at, .. } => Self::Refused { refusal: *refusal, retry_at: *retry_at },
            Fault::Unknown(_) => Self::Nothing,
        }
    }

    /// The receipt, or the fault in words of our own.
    pub fn into_result(self) -> Result<Receipt, Fault> {
        let ended = "smm ended before it could write that down";
        match self {
            Self::Receipt(receipt) => Ok(receipt),
            Self::NotSent => Err(Fault::NotSent(format!("nothing was sent, and {ended}"))),
            Self::Refused { refusal, retry_at } => {
                let message = format!("the network refused it ({}), and {ended}", word(refusal));
                Err(Fault::Refused { refusal, message, retry_at })
            }
            Self::Nothing => Err(Fault::Unknown(format!("the call ended without an answer, and {ended}"))),
        }
    }
}

fn word(refusal: Refusal) -> &'static str {
    match refusal {
        Refusal::Busy => "busy",
        Refusal::Credentials => "wrong or expired credentials",
        Refusal::Duplicate => "it has it already",
        Refusal::Forbidden => "not allowed",
        Refusal::Gone => "what it refers to does not exist",
        Refusal::Invalid => "the content is not acceptable",
        Refusal::RateLimited => "too many calls",
        Refusal::Secret => "a secret is missing",
    }
}

/// Where evidence is kept.
pub trait Evidence: Send + Sync {
    /// Keeps what an attempt brought. Called between the answer and its record, with nothing in between at which the task
    /// could end; it takes microseconds, and what goes wrong is logged.
    fn keep(&self, attempt: &Attempt, brought: &Brought);

    /// What an attempt has brought, whichever process of this machine made it.
    fn find(&self, attempt: &Attempt) -> Option<Brought>;

    /// What an attempt brought is in the ledger.
    fn recorded(&self, attempt: &Attempt);

    /// Forgets what dead processes have left, but for what these attempts brought: the others are in the ledger.
    fn tidy(&self, open: &BTreeSet<Attempt>);
}

/// Keeps nothing: each lost record is left to the rule of the network's class.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoEvidence;

impl Evidence for NoEvidence {
    fn keep(&self, _attempt: &Attempt, _brought: &Brought) {}

    fn find(&self, _attempt: &Attempt) -> Option<Brought> {
        None
    }

    fn recorded(&self, _attempt: &Attempt) {}

    fn tidy(&self, _open: &BTreeSet<Attempt>) {}
}

/// Evidence in a folder beside the ledger: one file for each process that publishes, locked for its life, made with the
/// first answer, emptied when nothing of it is open, and removed at the end.
#[derive(Debug)]
pub struct EvidenceFolder {
    folder: PathBuf,
    own: Mutex<Own>,
}

/// This process' part.
#[derive(Debug, Default)]
struct Own {
    file: Option<(File, PathBuf)>,
    length: u64,
    /// The end of the file may be torn.
    torn: bool,
    /// Files so far.
    count: u32,
    /// What is kept and not recorded.
    open: BTreeMap<Attempt, Brought>,
}

/// A line of the file.
#[derive(Debug, Serialize, Deserialize)]
struct Line {
    #[serde(flatten)]
    attempt: Attempt,
    brought: Brought,
}

impl EvidenceFolder {
    /// In this folder, which is made with the first answer.
    pub fn new(folder: impl Into<PathBuf>) -> Self {
        Self { folder: folder.into(), own: Mutex::default() }
    }

    fn own(&self) -> MutexGuard<'_, Own> {
        self.own.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The files of every process, living or dead, with one of these endings.
    fn files(&self, endings: &[&str]) -> Vec<PathBuf> {
        let Ok(entries) = std::fs::read_dir(&self.folder) else { return Vec::new() };
        let paths = entries.filter_map(|entry| entry.ok().map(|entry| entry.path()));
        paths.filter(|path| path.extension().is_some_and(|end| endings.iter().any(|wanted| end == *wanted))).collect()
    }
}

impl Evidence for EvidenceFolder {
    fn keep(&self, attempt: &Attempt, brought: &Brought) {
        let mut own = self.own();
        own.open.insert(attempt.clone(), brought.clone());
        if let Err(error) = own.keep(&self.folder, attempt, brought) {
            own.torn = true;
            let folder = self.folder.display();
            tracing::warn!(%folder, %error, "what a call brought is kept in the ledger alone");
        }
    }

    fn find(&self, attempt: &Attempt) -> Option<Brought> {
        if let Some(brought) = self.own().open.get(attempt) {
            return Some(brought.clone());
        }
        // An attempt has one answer: which file has it does not matter.
        self.files(&["log"]).iter().find_map(|path| {
            let text = std::fs::read(path).ok()?;
            lines(&text).find(|line| line.attempt == *attempt).map(|line| line.brought)
        })
    }

    fn recorded(&self, attempt: &Attempt) {
        let mut own = self.own();
        own.open.remove(attempt);
        if own.open.is_empty() && own.length > 0 {
            let emptied = own.file.as_ref().map(|(file, _)| file.set_len(0));
            if matches!(emptied, Some(Ok(()))) {
                own.length = 0;
                own.torn = false;
            }
        }
    }

    fn tidy(&self, open: &BTreeSet<Attempt>) {
        let mine = self.own().file.as_ref().map(|(_, path)| path.clone());
        for path in self.files(&["log", "new"]).into_iter().filter(|path| Some(path) != mine.as_ref()) {
            let Ok(file) = File::open(&path) else { continue };
            // Whoever holds it lives, and looks after it.
            if file.try_lock().is_err() {
                continue;
            }
            let wanted = std::fs::read(&path).is_ok_and(|text| lines(&text).any(|line| open.contains(&line.attempt)));
            if !wanted && let Err(error) = std::fs::remove_file(&path) {
                tracing::debug!(file = %path.display(), %error, "a file of a dead process stays");
            }
        }
    }
}

impl Own {
    fn keep(&mut self, folder: &Path, attempt: &Attempt, brought: &Brought) -> io::Result<()> {
        match &mut self.file {
            Some((file, _)) if !self.torn && self.length < LONG => {
                let line = line(attempt, brought)?;
                // One write: what another process reads meanwhile ends with a whole line.
                file.write_all(line.as_bytes())?;
                self.length += line.len() as u64;
                Ok(())
            }
            _ => self.begin(folder),
        }
    }

    /// A new file, with all that is open, in place of the old one.
    fn begin(&mut self, folder: &Path) -> io::Result<()> {
        let mut builder = DirBuilder::new();
        builder.recursive(true);
        #[cfg(unix)]
        std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
        builder.create(folder)?;
        let mut options = OpenOptions::new();
        options.append(true).create_new(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        // Numbers of processes come again, after a start of the machine for one.
        let (file, path) = loop {
            self.count += 1;
            let name = format!("{}-{}", std::process::id(), self.count);
            let path = folder.join(&name).with_extension("log");
            match options.open(path.with_extension("new")) {
                Ok(file) if !path.exists() => break (file, path),
                Ok(_) => std::fs::remove_file(path.with_extension("new"))?,
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists && self.count < MOST => {}
                Err(error) => return Err(error),
            }
        };
        // Whole, and locked, before it has the name under which others look: they remove what nobody holds.
        let filled = self.fill(&file).and_then(|length| {
            std::fs::rename(path.with_extension("new"), &path)?;
            Ok(length)
        });
        match filled {
            Ok(length) => {
                self.length = length;
                self.torn = false;
                if let Some((_, old)) = self.file.replace((file, path)) {
                    let _ = std::fs::remove_file(old);
                }
                Ok(())
            }
            Err(error) => {
                let _ = std::fs::remove_file(path.with_extension("new"));
                Err(error)
            }
        }
    }

    fn fill(&self, mut file: &File) -> io::Result<u64> {
        file.lock()?;
        let mut text = String::new();
        for (attempt, brought) in &self.open {
            text.push_str(&line(attempt, brought)?);
        }
        file.write_all(text.as_bytes())?;
        Ok(text.len() as u64)
    }
}

impl Drop for Own {
    fn drop(&mut self) {
        if self.open.is_empty()
            && let Some((_, path)) = self.file.take()
        {
            let _ = std::fs::remove_file(path);
        }
    }
}

fn line(attempt: &Attempt, brought: &Brought) -> io::Result<String> {
    let value = serde_json::to_string(&Line { attempt: attempt.clone(), brought: brought.clone() })?;
    Ok(format!("{} {value}\n", checksum(&value)))
}

/// The lines that are whole: a torn one does not have its checksum.
fn lines(text: &[u8]) -> impl Iterator<Item = Line> + '_ {
    text.split(|byte| *byte == b'\n').filter_map(|line| {
        let (sum, value) = std::str::from_utf8(line).ok()?.split_once(' ')?;
        (checksum(value) == sum).then(|| serde_json::from_str(value).ok())?
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn attempt(number: u32) -> Attempt {
        let delivery = "0123456789abcdef0123456789abcdef".parse().expect("an id");
        let at = DateTime::from_timestamp(1_800_000_000, number).expect("a time");
        Attempt { delivery, key: "k".to_owned(), number, at }
    }

    fn receipt(id: &str) -> Brought {
        let at = DateTime::from_timestamp(1_800_000_001, 5).expect("a time");
        Brought::Receipt(Receipt { part: 0, id: id.to_owned(), url: None, at, data: serde_json::Value::Null })
    }

    fn files(folder: &Path) -> Vec<PathBuf> {
        std::fs::read_dir(folder)
            .map_or_else(|_| Vec::new(), |all| all.map(|it| it.expect("an entry").path()).collect())
    }

    /// As a process that is killed leaves it: the lock is gone, the file is there.
    fn killed(evidence: &EvidenceFolder) {
        evidence.own().file = None;
    }

    #[test]
    fn what_a_dead_process_was_told_is_found() {
        let folder = tempfile::tempdir().expect("a folder");
        let place = folder.path().join("ledger.db.evidence");
        let first = EvidenceFolder::new(&place);
        assert_eq!(first.find(&attempt(1)), None);
        assert!(!place.exists(), "nothing is made before there is something to keep");
        let refused = Brought::Refused { refusal: Refusal::RateLimited, retry_at: Some(attempt(9).at) };
        for (number, brought) in [(1, receipt("a")), (2, Brought::NotSent), (3, refused.clone()), (4, Brought::Nothing)]
        {
            first.keep(&attempt(number), &brought);
        }
        first.recorded(&attempt(1));
        assert_eq!(first.find(&attempt(2)), Some(Brought::NotSent), "of a living process, too");
        killed(&first);

        let second = EvidenceFolder::new(&place);
        assert_eq!(second.find(&attempt(1)), Some(receipt("a")));
        assert_eq!(second.find(&attempt(3)), Some(refused));
        assert_eq!(second.find(&attempt(4)), Some(Brought::Nothing));
        assert_eq!(second.find(&attempt(5)), None);
        let other_life = Attempt { at: attempt(1).at + chrono::TimeDelta::nanoseconds(1), ..attempt(1) };
        assert_eq!(second.find(&other_life), None, "the same number in another life of the ledger");
        second.tidy(&BTreeSet::from([attempt(2)]));
        assert_eq!(second.find(&attempt(2)), Some(Brought::NotSent), "still wanted");
        second.keep(&attempt(7), &receipt("b"));
        second.tidy(&BTreeSet::new());
        assert_eq!(second.find(&attempt(2)), None);
        assert_eq!(second.find(&attempt(7)), Some(receipt("b")), "its own is not touched");
        assert_eq!(files(&place).len(), 1);
        let text = std::fs::read_to_string(&files(&place)[0]).expect("a file");
        assert_eq!(text.lines().count(), 1);
        second.recorded(&attempt(7));
        assert_eq!(std::fs::metadata(&files(&place)[0]).expect("a file").len(), 0, "emptied");
        drop(second);
        assert!(files(&place).is_empty(), "and removed");
    }

    #[test]
    fn the_files_of_the_living_stay() {
        let folder = tempfile::tempdir().expect("a folder");
        let (one, two) = (EvidenceFolder::new(folder.path()), EvidenceFolder::new(folder.path()));
        one.keep(&attempt(1), &receipt("a"));
        two.keep(&attempt(2), &receipt("b"));
        two.tidy(&BTreeSet::new());
        assert_eq!(two.find(&attempt(1)), Some(receipt("a")));
        assert_eq!(files(folder.path()).len(), 2);
    }

    #[test]
    fn a_torn_line_is_none() {
        let folder = tempfile::tempdir().expect("a folder");
        let evidence = EvidenceFolder::new(folder.path());
        evidence.keep(&attempt(1), &receipt("a"));
        evidence.keep(&attempt(2), &receipt("b"));
        killed(&evidence);
        let path = files(folder.path()).remove(0);
        let whole = std::fs::read(&path).expect("a file");
        let first = whole.iter().position(|byte| *byte == b'\n').expect("two lines");
        for cut in 0..whole.len() {
            std::fs::write(&path, &whole[..cut]).expect("written");
            let evidence = EvidenceFolder::new(folder.path());
            assert_eq!(evidence.find(&attempt(1)).is_some(), cut >= first, "cut at {cut}");
            assert_eq!(evidence.find(&attempt(2)).is_some(), cut == whole.len() - 1, "cut at {cut}");
        }
        // A part of a line may be another one's, or nothing, after a loss of power.
        for at in 0..first {
            let mut wrong = whole.clone();
            wrong[at] = 0;
            std::fs::write(&path, &wrong).expect("written");
            let evidence = EvidenceFolder::new(folder.path());
            assert_eq!((evidence.find(&attempt(1)), evidence.find(&attempt(2)).is_some()), (None, true), "at {at}");
        }
    }

    #[test]
    fn it_stays_short_while_something_is_always_open() {
        let folder = tempfile::tempdir().expect("a folder");
        let evidence = EvidenceFolder::new(folder.path());
        let long = receipt(&"x".repeat(4000));
        evidence.keep(&attempt(0), &receipt("kept"));
        for number in 1..500 {
            evidence.keep(&attempt(number), &long);
            evidence.recorded(&attempt(number));
        }
        let files = files(folder.path());
        assert_eq!(files.len(), 1);
        assert!(std::fs::metadata(&files[0]).expect("a file").len() < LONG + 8_000);
        killed(&evidence);
        assert_eq!(EvidenceFolder::new(folder.path()).find(&attempt(0)), Some(receipt("kept")));
    }

    #[cfg(unix)]
    #[test]
    fn it_is_for_its_owner_alone_and_goes_on_without_a_file() {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = tempfile::tempdir().expect("a folder");
        let place = folder.path().join("evidence");
        let evidence = EvidenceFolder::new(&place);
        evidence.keep(&attempt(1), &receipt("a"));
        let mode = |path: &Path| std::fs::metadata(path).expect("it is there").permissions().mode() & 0o777;
        assert_eq!((mode(&place), mode(&files(&place)[0])), (0o700, 0o600));
        // A folder that cannot be: what was kept is still known to this process.
        let nowhere = EvidenceFolder::new(folder.path().join("evidence/1-1.log/below"));
        nowhere.keep(&attempt(2), &receipt("b"));
        assert_eq!(nowhere.find(&attempt(2)), Some(receipt("b")));
        nowhere.recorded(&attempt(2));
        assert_eq!(nowhere.find(&attempt(2)), None);
    }
}
