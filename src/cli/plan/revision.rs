//! The calendar's folder as it is in a commit, read from git's store of objects through the program `git`. Nothing is
//! checked out, no hook and no filter runs, and nothing that a file says becomes an argument: files are asked for by the
//! ids that git itself has listed.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use super::super::workspace;
use crate::calendar::{Kind, Tree};
use crate::cli::Failure;
use crate::ledger::git::MISLEADING;

/// A folder in a commit.
#[derive(Debug)]
pub(super) struct Revision {
    folder: PathBuf,
    /// The commit, as hex digits.
    pub(super) commit: String,
    /// Files by their path from the folder.
    files: BTreeMap<String, Entry>,
}

/// A file of a commit.
#[derive(Debug)]
struct Entry {
    kind: Kind,
    id: String,
    bytes: u64,
}

impl Revision {
    /// Finds a commit and lists the files below a folder of its repository.
    pub(super) fn open(folder: &Path, revision: &str) -> Result<Self, Failure> {
        if revision.is_empty() || revision.starts_with('-') || revision.contains(char::is_control) {
            return Err(Failure::usage(format!("--since: `{revision}` is not a revision"))
                .hint("name a branch, a tag or a commit, such as `origin/main` or `HEAD~1`"));
        }
        let inside = run(folder, &["rev-parse", "--is-inside-work-tree"])?;
        if !inside.status.success() {
            return Err(
                Failure::new(format!("--since: {} is not in a git repository", folder.display())).hint(said(&inside))
            );
        }
        let name = format!("{revision}^{{commit}}");
        let found = run(folder, &["rev-parse", "--verify", "--quiet", "--end-of-options", &name])?;
        let commit = String::from_utf8_lossy(&found.stdout).lines().last().unwrap_or_default().trim().to_owned();
        if !found.status.success() || !is_id(&commit) {
            return Err(missing(folder, revision));
        }
        let listed = run(folder, &["ls-tree", "-r", "-l", "-z", &commit])?;
        if !listed.status.success() {
            return Err(Failure::new(format!("git cannot list the files of {revision}")).hint(said(&listed)));
        }
        let files = listed.stdout.split(|byte| *byte == 0).filter_map(entry).collect();
        Ok(Self { folder: folder.to_owned(), commit, files })
    }

    /// Whether the folder had this file.
    pub(super) fn has(&self, path: &str) -> bool {
        self.files.get(path).is_some_and(|entry| entry.kind == Kind::File)
    }
}

/// One line of `ls-tree -l`: mode, kind, id, size and, after a tab, the path.
fn entry(line: &[u8]) -> Option<(String, Entry)> {
    // A path that is not Unicode cannot be written in a calendar.
    let (facts, path) = std::str::from_utf8(line).ok()?.split_once('\t')?;
    let mut facts = facts.split_ascii_whitespace();
    let (mode, what, id, bytes) = (facts.next()?, facts.next()?, facts.next()?, facts.next()?);
    if what != "blob" || !is_id(id) {
        return None;
    }
    let kind = if mode == "120000" { Kind::Link { folder: false } } else { Kind::File };
    Some((path.to_owned(), Entry { kind, id: id.to_owned(), bytes: bytes.parse().ok()? }))
}

/// The name of an object: SHA-1 or SHA-256.
fn is_id(text: &str) -> bool {
    matches!(text.len(), 40 | 64) && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// A revision that is not there: a clone of CI seldom has all commits.
fn missing(folder: &Path, revision: &str) -> Failure {
    let shallow = run(folder, &["rev-parse", "--is-shallow-repository"]);
    let shallow = shallow.is_ok_and(|found| found.stdout.starts_with(b"true"));
    let failure = if shallow {
        Failure::new(format!("--since: `{revision}` is not in this clone, which is a shallow one"))
    } else {
        Failure::new(format!("--since: there is no revision `{revision}` in this repository"))
    };
    let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '/' | '.' | '_' | '-');
    let branch = revision.strip_prefix("origin/").unwrap_or(revision);
    if branch.chars().all(is_plain) && !branch.starts_with("HEAD") {
        return failure.hint(format!(
            "fetch it with `git fetch --depth=1 origin {branch}`, and name it as FETCH_HEAD or by its commit"
        ));
    }
    let failure = if shallow {
        failure.hint("fetch more with `git fetch --deepen=50`, or all with `git fetch --unshallow`")
    } else {
        failure
    };
    failure.hint("name a branch, a tag or a commit, such as `origin/main`")
}

/// Runs git in a folder, without colours, pagers and questions.
fn run(folder: &Path, args: &[&str]) -> Result<Output, Failure> {
    let mut command = Command::new("git");
    command.env_clear().envs(workspace::environment());
    // A hook's own repository is not meant, but the one that the calendar is in.
    for name in MISLEADING {
        command.env_remove(name);
    }
    command
        .env("LC_ALL", "C")
        .env("GIT_TERMINAL_PROMPT", "0")
        .env("GIT_OPTIONAL_LOCKS", "0")
        .arg("--no-pager")
        .arg("-C")
        .arg(folder)
        .args(args)
        .stdin(Stdio::null())
        .output()
        .map_err(|error| Failure::new(format!("--since needs the program `git`: {error}")))
}

/// What git said, in a line.
fn said(output: &Output) -> String {
    let text = String::from_utf8_lossy(&output.stderr);
    text.lines().find(|line| !line.trim().is_empty()).unwrap_or("git does not say why").to_owned()
}

impl Tree for Revision {
    fn kind(&self, path: &str) -> Option<Kind> {
        if let Some(entry) = self.files.get(path) {
            return Some(entry.kind);
        }
        let below = format!("{path}/");
        let next = self.files.range(below.clone()..).next();
        (path.is_empty() || next.is_some_and(|(found, _)| found.starts_with(&below))).then_some(Kind::Folder)
    }

    fn list(&self, folder: &str) -> Result<Vec<(String, Kind)>, String> {
        let below = if folder.is_empty() { String::new() } else { format!("{folder}/") };
        let mut names: BTreeMap<&str, Kind> = BTreeMap::new();
        let inside = self.files.range(below.clone()..).take_while(|(path, _)| path.starts_with(&below));
        for (path, entry) in inside {
            match path[below.len()..].split_once('/') {
                Some((name, _)) => names.insert(name, Kind::Folder),
                None => names.insert(&path[below.len()..], entry.kind),
            };
        }
        Ok(names.into_iter().map(|(name, kind)| (name.to_owned(), kind)).collect())
    }

    fn read(&self, path: &str, room: u64) -> Result<Vec<u8>, String> {
        let Some(entry) = self.files.get(path) else {
            let folder = self.kind(path) == Some(Kind::Folder);
            return Err(if folder { "it is a folder" } else { "there is no such file" }.to_owned());
        };
        if entry.bytes > room {
            return Err("it is too large".to_owned());
        }
        let read = run(&self.folder, &["cat-file", "blob", &entry.id]).map_err(|error| error.to_string())?;
        if read.status.success() { Ok(read.stdout) } else { Err(said(&read)) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn revision(paths: &[&str]) -> Revision {
        let id = "a".repeat(40);
        let files = paths.iter().filter_map(|path| entry(format!("100644 blob {id}       7\t{path}").as_bytes()));
        Revision { folder: ".".into(), commit: id.clone(), files: files.collect() }
    }

    #[test]
    fn folders_are_where_files_are() {
        let tree = revision(&["calendar.toml", "2026/a.toml", "2026/deep/b.toml", "2026-x.toml"]);
        assert_eq!(tree.kind("2026"), Some(Kind::Folder));
        assert_eq!(tree.kind("2026/a.toml"), Some(Kind::File));
        assert_eq!(tree.kind("202"), None);
        assert_eq!(
            tree.list("2026").expect("listed"),
            [("a.toml".to_owned(), Kind::File), ("deep".to_owned(), Kind::Folder)]
        );
        let names: Vec<String> = tree.list("").expect("listed").into_iter().map(|(name, _)| name).collect();
        assert_eq!(names, ["2026", "2026-x.toml", "calendar.toml"]);
        assert!(tree.list("none").expect("listed").is_empty());
        assert_eq!(tree.read("2026", 100).expect_err("refused"), "it is a folder");
        assert_eq!(tree.read("calendar.toml", 6).expect_err("refused"), "it is too large");
    }

    #[test]
    fn links_and_submodules_are_no_files() {
        let id = "b".repeat(64);
        let (_, link) = entry(format!("120000 blob {id}       7\tx").as_bytes()).expect("an entry");
        assert_eq!(link.kind, Kind::Link { folder: false });
        assert!(entry(format!("160000 commit {id}       -\tmodule").as_bytes()).is_none());
        assert!(entry(b"100644 blob --output=x       7\ty").is_none(), "an id is digits");
    }

    #[test]
    fn a_revision_is_no_option() {
        for bad in ["", "--output=x", "-n", "a\nb"] {
            assert!(Revision::open(Path::new("."), bad).is_err(), "{bad}");
        }
    }
}
