//! Objects of this repository: trees that are read, commits that are written. Nothing here moves a ref.

use std::collections::BTreeMap;
use std::sync::Arc;

use chrono::{DateTime, Utc};

use super::program::{Git, LOCAL};
use super::remote::{Oid, is_oid};
use super::trouble::Trouble;
use crate::ledger::LedgerError;

/// A file of a tree: its content, with its object's name when that is known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct File {
    pub(super) oid: Option<Oid>,
    pub(super) content: Arc<[u8]>,
}

/// The files of a tree, by path.
pub(super) type Files = BTreeMap<String, File>;

/// A commit that is to be written.
#[derive(Debug)]
pub(super) struct Commit<'a> {
    /// What it follows; `None`: nothing, then it holds what it puts and nothing else.
    pub(super) parent: Option<&'a str>,
    pub(super) message: &'a str,
    pub(super) at: DateTime<Utc>,
    /// What it writes (`Some`) or takes away, by path.
    pub(super) changes: Vec<(&'a str, Option<&'a [u8]>)>,
}

/// Whether a commit is here, whatever there is of what is behind it.
pub(super) fn has(git: &Git, oid: &str) -> Result<bool, Trouble> {
    Ok(git.run(&["cat-file", "-e", &format!("{oid}^{{commit}}")], b"", LOCAL)?.worked())
}

/// Whether a commit is here with all that is behind it. `known`: a commit that was read here; what it has is not looked at.
///
/// That a commit is here says nothing of its trees and of those before it: `git fetch` unpacks commits first and what is in
/// them last, in sight of every process of this clone. One that was killed leaves it at that.
pub(super) fn is_here(git: &Git, oid: &str, known: Option<&str>) -> Result<bool, Trouble> {
    let without = known.map(|known| format!("^{known}"));
    let mut args = vec!["rev-list", "--quiet", "--objects", oid];
    args.extend(without.as_deref());
    Ok(git.run(&args, b"", LOCAL)?.worked())
}

/// Whether the one commit is the other or comes before it.
pub(super) fn is_ancestor(git: &Git, before: &str, after: &str) -> Result<bool, Trouble> {
    if before == after {
        return Ok(true);
    }
    let asked = git.run(&["merge-base", "--is-ancestor", before, after], b"", LOCAL)?;
    match asked.status {
        Some(0) => Ok(true),
        Some(1) => Ok(false),
        // What is not here does not come before what is here with all that is behind it.
        _ if is_here(git, after, None)? => Ok(false),
        _ => Err(Trouble::said("merge-base", &asked.stderr)),
    }
}

/// The files of a commit's tree. Those that are in `known` are not read again.
pub(super) fn files(git: &Git, commit: &str, known: &Files) -> Result<Files, Trouble> {
    let listed = git.done(&["ls-tree", "-r", "-z", "--full-tree", commit], b"", LOCAL)?;
    let by_oid: BTreeMap<&Oid, &Arc<[u8]>> =
        known.values().filter_map(|file| Some((file.oid.as_ref()?, &file.content))).collect();
    let mut found: Vec<(String, Oid)> = Vec::new();
    for entry in listed.stdout.split(|byte| *byte == 0).filter(|entry| !entry.is_empty()) {
        let entry = String::from_utf8_lossy(entry);
        let Some((about, path)) = entry.split_once('\t') else { continue };
        if let ["100644", "blob", oid] = about.split(' ').collect::<Vec<_>>()[..] {
            found.push((path.to_owned(), oid.to_owned()));
        }
    }
    let missing: Vec<&str> =
        found.iter().filter(|(_, oid)| !by_oid.contains_key(oid)).map(|(_, oid)| oid.as_str()).collect();
    let read = blobs(git, &missing)?;
    Ok(found
        .iter()
        .filter_map(|(path, oid)| {
            let content = by_oid.get(oid).map(|content| Arc::clone(content)).or_else(|| read.get(oid).cloned())?;
            Some((path.clone(), File { oid: Some(oid.clone()), content }))
        })
        .collect())
}

/// The content of one file of each of these commits.
pub(super) fn one_of_each(git: &Git, commits: &[&str], path: &str) -> Result<Vec<Option<Arc<[u8]>>>, Trouble> {
    let names: Vec<String> = commits.iter().map(|commit| format!("{commit}:{path}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let found = git.done(&["cat-file", "--batch", "--buffer"], (names.join("\n") + "\n").as_bytes(), LOCAL)?;
    Ok(batch(&found.stdout).into_iter().map(|(_, content)| content).collect())
}

fn blobs(git: &Git, oids: &[&str]) -> Result<BTreeMap<Oid, Arc<[u8]>>, Trouble> {
    if oids.is_empty() {
        return Ok(BTreeMap::new());
    }
    let found = git.done(&["cat-file", "--batch", "--buffer"], (oids.join("\n") + "\n").as_bytes(), LOCAL)?;
    let mut read = BTreeMap::new();
    for (name, content) in batch(&found.stdout) {
        let Some(content) = content else {
            return Err(LedgerError::Corrupt(format!("the ledger's object {name} is not in the repository")).into());
        };
        read.insert(name, content);
    }
    Ok(read)
}

/// Reads what `git cat-file --batch` says: `oid type size`, the content, and a line's end; or `name missing`.
fn batch(mut text: &[u8]) -> Vec<(String, Option<Arc<[u8]>>)> {
    let mut found = Vec::new();
    while let Some(end) = text.iter().position(|byte| *byte == b'\n') {
        let head = String::from_utf8_lossy(&text[..end]).into_owned();
        text = &text[end + 1..];
        let words: Vec<&str> = head.split(' ').collect();
        match words[..] {
            [oid, _, size] if is_oid(oid) && size.parse::<usize>().is_ok_and(|size| size < text.len()) => {
                let size = size.parse().unwrap_or(0);
                found.push((oid.to_owned(), Some(Arc::from(&text[..size]))));
                text = &text[size + 1..];
            }
            _ => found.push((words.first().copied().unwrap_or_default().to_owned(), None)),
        }
    }
    found
}

/// Writes commits, one after the other in one go, and gives their names. `mark`: a word that no other process uses.
pub(super) fn write(git: &Git, mark: &str, commits: &[Commit<'_>]) -> Result<Vec<Oid>, Trouble> {
    let stream = stream(mark, commits);
    let output = git.done(&["fast-import", "--quiet", "--done", "--date-format=raw"], &stream, LOCAL)?;
    let oids: Vec<Oid> = output.text().lines().filter(|line| is_oid(line)).map(str::to_owned).collect();
    if oids.len() == commits.len() {
        return Ok(oids);
    }
    Err(Trouble::said("fast-import", &output.stderr))
}

/// What `git fast-import` reads. Its branch is let go of before the end, so that no ref comes of it.
fn stream(mark: &str, commits: &[Commit<'_>]) -> Vec<u8> {
    let mut stream = Vec::new();
    let data = |stream: &mut Vec<u8>, bytes: &[u8]| {
        stream.extend_from_slice(format!("data {}\n", bytes.len()).as_bytes());
        stream.extend_from_slice(bytes);
        stream.push(b'\n');
    };
    for (number, commit) in (1..).zip(commits) {
        let branch = format!("refs/smm-writing/{mark}-{number}");
        let at = commit.at.timestamp();
        stream.extend_from_slice(
            format!("commit {branch}\nmark :{number}\ncommitter smm <smm@localhost> {at} +0000\n").as_bytes(),
        );
        data(&mut stream, commit.message.as_bytes());
        if let Some(parent) = commit.parent {
            stream.extend_from_slice(format!("from {parent}\n").as_bytes());
        }
        for (path, content) in &commit.changes {
            match content {
                Some(content) => {
                    stream.extend_from_slice(format!("M 100644 inline {path}\n").as_bytes());
                    data(&mut stream, content);
                }
                None => stream.extend_from_slice(format!("D {path}\n").as_bytes()),
            }
        }
        stream.extend_from_slice(format!("\nget-mark :{number}\nreset {branch}\n\n").as_bytes());
    }
    stream.extend_from_slice(b"done\n");
    stream
}

#[cfg(test)]
mod tests {
    use super::*;

    fn repository() -> (tempfile::TempDir, Git) {
        let folder = tempfile::tempdir().expect("a folder");
        let git = Git::new(folder.path(), None);
        git.done(&["init", "-q"], b"", LOCAL).expect("a repository");
        (folder, git)
    }

    #[test]
    fn commits_are_written_and_read_without_a_ref() {
        let (folder, git) = repository();
        let at = DateTime::from_timestamp(1_800_000_000, 0).expect("a time");
        let message = "one\n\nfrom nowhere\n";
        let changes: Vec<(&str, Option<&[u8]>)> = vec![("a/b.json", Some(b"{}\n")), ("c.json", Some(b"M 1 x\n\n"))];
        let first = Commit { parent: None, message, at, changes };
        let other = Commit { parent: None, message: "other", at, changes: vec![("d", Some(b"\xff\x00"))] };
        let oids = write(&git, "x", &[first, other]).expect("written");
        let read = files(&git, &oids[0], &Files::new()).expect("read");
        assert_eq!(read.keys().collect::<Vec<_>>(), ["a/b.json", "c.json"]);
        assert_eq!(&*read["c.json"].content, b"M 1 x\n\n");
        let next = Commit { parent: Some(&oids[0]), message: "two", at, changes: vec![("a/b.json", None)] };
        let next = write(&git, "x", &[next]).expect("written").remove(0);
        let again = files(&git, &next, &read).expect("read");
        assert_eq!(again.keys().collect::<Vec<_>>(), ["c.json"]);
        assert!(Arc::ptr_eq(&again["c.json"].content, &read["c.json"].content), "not read again");
        assert!(is_ancestor(&git, &oids[0], &next).expect("asked"));
        assert!(!is_ancestor(&git, &next, &oids[0]).expect("asked"));
        assert!(!is_ancestor(&git, &"0".repeat(40), &next).expect("asked"));
        assert!(has(&git, &next).expect("asked") && !has(&git, &"1".repeat(40)).expect("asked"));
        let each = one_of_each(&git, &[&oids[1], &oids[0]], "d").expect("read");
        assert_eq!(each[0].as_deref(), Some(&b"\xff\x00"[..]));
        assert_eq!(each[1], None);
        assert_eq!(git.done(&["for-each-ref"], b"", LOCAL).expect("asked").text(), "");
        let left: Vec<_> = std::fs::read_dir(folder.path().join(".git")).expect("a folder").flatten().collect();
        for name in ["FETCH_HEAD", "index", "logs"] {
            assert!(left.iter().all(|entry| entry.file_name() != name), "{name}");
        }
    }
}
