//! Follows files: the bell, the calendar, what it includes, `smm.toml`. Told by the system, so an idle daemon sleeps.

use std::collections::{BTreeSet, HashMap};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use notify::{EventKind, RecommendedWatcher, RecursiveMode, Watcher as _};
use tokio::sync::mpsc;
use tokio::time::Instant;

/// What changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Changed {
    /// Somebody rang.
    Bell,
    /// Calendar or settings.
    Files,
}

/// An editor writes a file in several steps: files are looked at this long after the first.
const QUIET: Duration = Duration::from_millis(100);

/// Where the system tells nothing, files are looked at this often.
const POLL: Duration = Duration::from_secs(5);

/// The times of files are those of the kernel's tick: up to this much behind the clock.
const COARSE: Duration = Duration::from_millis(20);

/// Files that are followed. Not the files themselves but their folders are watched: most programs replace a file, and a
/// checkout replaces whole folders.
pub(super) struct Follow {
    watcher: Option<RecommendedWatcher>,
    news: mpsc::UnboundedReceiver<Changed>,
    bell: Option<PathBuf>,
    files: Vec<PathBuf>,
    folders: BTreeSet<PathBuf>,
    /// What the files were like before they were last read.
    seen: Vec<Option<Facts>>,
    /// What the bell was like when it was last heard, where it is looked at.
    heard: Option<Facts>,
    /// Somebody rang, and it was not told yet.
    rang: bool,
    /// Something happened to files: they are looked at then.
    quiet_at: Option<Instant>,
    /// Where the system tells nothing: when they are looked at next.
    poll_at: Option<Instant>,
}

/// What the followed files were like before they were read: a change that comes while they are read is news.
pub(super) struct Glance(HashMap<PathBuf, Option<Facts>>);

impl Follow {
    /// Begins to follow files that were read at or after `since`.
    pub(super) fn new(bell: Option<PathBuf>, files: Vec<PathBuf>, since: SystemTime) -> Self {
        let (tell, news) = mpsc::unbounded_channel();
        let the_bell: Option<Arc<Path>> = bell.as_deref().map(Arc::from);
        let watcher = notify::recommended_watcher(move |event: notify::Result<notify::Event>| {
            let changed = match event {
                // Reading a file is an event too: that of our own reading must not make us read again.
                Ok(event) if matches!(event.kind, EventKind::Access(_)) => return,
                // The system has lost some: it may have been anything.
                Ok(event) if event.need_rescan() => {
                    let _ = tell.send(Changed::Bell);
                    Changed::Files
                }
                Ok(event) if event.paths.iter().any(|path| Some(path.as_path()) == the_bell.as_deref()) => {
                    Changed::Bell
                }
                Ok(_) | Err(_) => Changed::Files,
            };
            // The receiver is gone only when all ends.
            let _ = tell.send(changed);
        });
        let watcher = match watcher {
            Ok(watcher) => Some(watcher),
            Err(error) => {
                tracing::warn!(%error, "files cannot be watched; they are looked at every few seconds instead");
                None
            }
        };
        let mut follow = Self {
            watcher,
            news,
            heard: bell.as_deref().and_then(facts),
            bell: None,
            files: Vec::new(),
            folders: BTreeSet::new(),
            seen: Vec::new(),
            rang: false,
            quiet_at: None,
            poll_at: None,
        };
        if let Some(bell) = bell {
            // Nobody replaces the bell, and its folder is full of the ledger's own writes.
            follow.watch(&bell);
            follow.bell = Some(bell);
        }
        follow.files(files, &Glance(HashMap::new()), since);
        follow
    }

    /// Looks what the files are like, before they are read.
    pub(super) fn glance(&self) -> Glance {
        Glance(self.files.iter().map(|file| (file.clone(), facts(file))).collect())
    }

    /// Follows other files from now on, which were read at or after `since`, after `before` was looked at.
    pub(super) fn files(&mut self, files: Vec<PathBuf>, before: &Glance, since: SystemTime) {
        let folders: BTreeSet<PathBuf> = files.iter().filter_map(|file| existing_folder(file)).collect();
        if let Some(watcher) = self.watcher.as_mut() {
            for gone in self.folders.difference(&folders) {
                // It may have been removed.
                let _ = watcher.unwatch(gone);
            }
        }
        for folder in &folders {
            // Again also where it was watched before: the folder of that name may be another one now.
            self.watch(folder);
        }
        self.folders = folders;
        let fresh = since.checked_sub(COARSE).unwrap_or(since);
        self.seen = files
            .iter()
            .map(|file| match before.0.get(file) {
                Some(seen) => *seen,
                // Not known before: when it changed while it was read, nobody can tell what was read.
                None => facts(file).filter(|facts| facts.changed() < fresh),
            })
            .collect();
        self.files = files;
        if self.differs() {
            self.quiet_at = Some(Instant::now() + QUIET);
        }
    }

    fn watch(&mut self, path: &Path) {
        let Some(watcher) = self.watcher.as_mut() else { return };
        if let Err(error) = watcher.watch(path, RecursiveMode::NonRecursive) {
            tracing::warn!(path = %path.display(), %error, "cannot be watched; files are looked at every few seconds instead");
            self.watcher = None;
        }
    }

    /// Waits for news. Files that were touched and are the same as before are none. May be dropped and asked again.
    pub(super) async fn changed(&mut self) -> Changed {
        loop {
            if std::mem::take(&mut self.rang) {
                return Changed::Bell;
            }
            if self.watcher.is_none() {
                let at = *self.poll_at.get_or_insert_with(|| Instant::now() + POLL);
                tokio::time::sleep_until(self.quiet_at.map_or(at, |quiet| quiet.min(at))).await;
                (self.poll_at, self.quiet_at) = (None, None);
                let bell = self.bell.as_deref().and_then(facts);
                self.rang = bell != self.heard;
                self.heard = bell;
                if self.differs() {
                    return Changed::Files;
                }
                continue;
            }
            let told = match self.quiet_at {
                None => self.news.recv().await,
                Some(at) => {
                    let Ok(told) = tokio::time::timeout_at(at, self.news.recv()).await else {
                        self.quiet_at = None;
                        if self.differs() {
                            return Changed::Files;
                        }
                        continue;
                    };
                    told
                }
            };
            match told {
                Some(Changed::Bell) => {
                    self.hang_again();
                    self.rang = true;
                }
                Some(Changed::Files) => {
                    // From the first event on, so that a file that is written all the time is read nevertheless.
                    self.quiet_at = self.quiet_at.or_else(|| Some(Instant::now() + QUIET));
                }
                None => self.watcher = None,
            }
        }
    }

    /// Whoever tidies up may have removed the bell: it is made again, or the one is watched that somebody else has made.
    fn hang_again(&mut self) {
        let Some(bell) = self.bell.clone() else { return };
        if facts(&bell).is_some_and(|facts| self.heard.is_some_and(|heard| facts.is_same_file(&heard))) {
            return;
        }
        let mut options = std::fs::OpenOptions::new();
        options.write(true).create(true).truncate(false);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        if let Err(error) = options.open(&bell) {
            tracing::warn!(path = %bell.display(), %error, "was removed, and cannot be made again");
        }
        if let Some(watcher) = self.watcher.as_mut() {
            // Its watch went with the old one.
            let _ = watcher.unwatch(&bell);
        }
        self.watch(&bell);
        self.heard = facts(&bell);
    }

    /// A followed file is not what it was, or a folder that new files may appear in has changed.
    fn differs(&self) -> bool {
        self.files.iter().zip(&self.seen).any(|(file, seen)| facts(file) != *seen)
    }
}

/// What a file, or a folder, is like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Facts {
    modified: SystemTime,
    bytes: u64,
    /// Which file it is, and when it was last touched in any way: a file may take another's place with the same size and
    /// an old time. Seconds and nanoseconds.
    #[cfg(unix)]
    identity: (u64, i64, i64),
}

impl Facts {
    fn is_same_file(&self, other: &Self) -> bool {
        #[cfg(unix)]
        return self.identity.0 == other.identity.0;
        #[cfg(not(unix))]
        {
            let _ = other;
            true
        }
    }

    /// When it was last changed, as far as can be known.
    fn changed(&self) -> SystemTime {
        #[cfg(unix)]
        if let (Ok(seconds), Ok(nanos)) = (u64::try_from(self.identity.1), u32::try_from(self.identity.2)) {
            let touched = SystemTime::UNIX_EPOCH.checked_add(Duration::new(seconds, nanos));
            return touched.map_or(self.modified, |touched| touched.max(self.modified));
        }
        self.modified
    }
}

/// What a file is like; `None`: it is not there.
fn facts(path: &Path) -> Option<Facts> {
    #[cfg(unix)]
    use std::os::unix::fs::MetadataExt as _;
    let metadata = std::fs::metadata(path).ok()?;
    Some(Facts {
        modified: metadata.modified().ok()?,
        bytes: metadata.len(),
        #[cfg(unix)]
        identity: (metadata.ino(), metadata.ctime(), metadata.ctime_nsec()),
    })
}

/// The nearest folder above a file that exists; a folder itself.
fn existing_folder(path: &Path) -> Option<PathBuf> {
    if path.is_dir() {
        return Some(path.to_owned());
    }
    let folder = path.ancestors().skip(1).find(|folder| folder.is_dir() || folder.as_os_str().is_empty())?;
    Some(if folder.as_os_str().is_empty() { PathBuf::from(".") } else { folder.to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn soon(follow: &mut Follow) -> Option<Changed> {
        tokio::time::timeout(Duration::from_secs(5), follow.changed()).await.ok()
    }

    #[tokio::test]
    async fn files_that_are_replaced_and_a_bell() {
        let folder = tempfile::tempdir().expect("a folder");
        let (bell, file) = (folder.path().join("state.bell"), folder.path().join("calendar/calendar.toml"));
        std::fs::create_dir(folder.path().join("calendar")).expect("a folder");
        std::fs::write(&bell, "0").expect("a bell");
        std::fs::write(&file, "one").expect("a file");
        let mut follow =
            Follow::new(Some(bell.clone()), vec![file.clone()], SystemTime::now() + Duration::from_secs(1));
        std::fs::write(&bell, "1").expect("rung");
        assert_eq!(soon(&mut follow).await, Some(Changed::Bell));
        let new = folder.path().join("calendar/new");
        std::fs::write(&new, "another").expect("a file");
        std::fs::rename(&new, &file).expect("replaced");
        let mut changed = soon(&mut follow).await;
        if changed == Some(Changed::Bell) {
            changed = soon(&mut follow).await;
        }
        assert_eq!(changed, Some(Changed::Files));
        let before = follow.glance();
        follow.files(vec![file.clone()], &before, SystemTime::now());
        // Reading is no news.
        std::fs::read(&file).expect("read");
        let quiet = tokio::time::timeout(Duration::from_millis(400), follow.changed()).await;
        assert!(quiet.is_err(), "{quiet:?}");
    }

    #[tokio::test]
    async fn a_bell_that_was_removed_is_heard_again() {
        let folder = tempfile::tempdir().expect("a folder");
        let bell = folder.path().join("state.bell");
        std::fs::write(&bell, "0").expect("a bell");
        let mut follow = Follow::new(Some(bell.clone()), Vec::new(), SystemTime::now());
        for _ in 0..2 {
            std::fs::remove_file(&bell).expect("removed");
            assert_eq!(soon(&mut follow).await, Some(Changed::Bell), "it may have been anything");
            assert!(bell.exists(), "it is made again");
            // What was told of the old one and of the new one's making.
            while tokio::time::timeout(Duration::from_millis(100), follow.changed()).await.is_ok() {}
            std::fs::write(&bell, "rung").expect("rung");
            assert_eq!(soon(&mut follow).await, Some(Changed::Bell));
        }
    }

    #[tokio::test]
    async fn what_is_written_while_files_are_read_is_news() {
        let folder = tempfile::tempdir().expect("a folder");
        let (file, more) = (folder.path().join("calendar.toml"), folder.path().join("more.toml"));
        std::fs::write(&file, "one").expect("a file");
        std::fs::write(&more, "one").expect("a file");
        let quiet = SystemTime::now() + Duration::from_secs(1);
        let mut follow = Follow::new(None, vec![file.clone()], quiet);
        let (before, since) = (follow.glance(), SystemTime::now());
        // Read here; then, before it is said what was read:
        std::fs::write(&file, "two").expect("written");
        follow.files(vec![file.clone()], &before, since);
        assert_eq!(soon(&mut follow).await, Some(Changed::Files));
        // One that was not followed before.
        let (before, since) = (follow.glance(), SystemTime::now());
        std::fs::write(&more, "two").expect("written");
        follow.files(vec![file.clone(), more.clone()], &before, since);
        assert_eq!(soon(&mut follow).await, Some(Changed::Files));
    }

    #[cfg(unix)]
    #[tokio::test]
    async fn another_file_of_the_same_size_and_time_is_news() {
        let folder = tempfile::tempdir().expect("a folder");
        let (file, new) = (folder.path().join("calendar.toml"), folder.path().join("new"));
        std::fs::write(&file, "one").expect("a file");
        let mut follow = Follow::new(None, vec![file.clone()], SystemTime::now() + Duration::from_secs(1));
        std::fs::write(&new, "two").expect("a file");
        let old = std::fs::metadata(&file).and_then(|facts| facts.modified()).expect("a time");
        std::fs::File::options().write(true).open(&new).and_then(|file| file.set_modified(old)).expect("set");
        std::fs::rename(&new, &file).expect("replaced");
        assert_eq!(soon(&mut follow).await, Some(Changed::Files));
    }
}
