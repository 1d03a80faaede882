//! Opening a file below a folder without ever leaving it: a path comes from whoever may propose a change to the calendar.

use std::fs::{File, Metadata};
use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use super::MediaError;
use super::error::size;

/// How a git-LFS pointer begins (git-lfs specification v1, read 2026-11-22).
const LFS: &[u8] = b"version https://git-lfs.github.com/spec/";

/// The longest path that is looked at, in bytes.
const LONGEST_PATH: usize = 1024;

/// The parts of a relative path with `/` between them, or why it is none that stays below its folder.
pub(crate) fn parts(relative: &str) -> Result<Vec<&str>, MediaError> {
    let outside = |why: &str| Err(MediaError::Outside(why.to_owned()));
    if relative.is_empty() {
        return outside("the path is empty");
    }
    if relative.len() > LONGEST_PATH {
        return outside("the path is longer than 1024 bytes");
    }
    if relative.chars().any(char::is_control) {
        return outside("the path has control characters in it");
    }
    if relative.contains('\\') {
        return outside("write the path with `/` between its parts");
    }
    if relative.starts_with('/') {
        return outside("the path is absolute; write it relative to the calendar's folder");
    }
    if relative.starts_with('~') {
        return outside("`~` is not read here; write the path relative to the calendar's folder");
    }
    let drive = relative.as_bytes().get(1) == Some(&b':') && relative.starts_with(|c: char| c.is_ascii_alphabetic());
    let file = relative.get(..5).is_some_and(|start| start.eq_ignore_ascii_case("file:"));
    if drive || file || relative.contains("://") {
        return outside("this is a URL or a drive, not a path relative to the calendar's folder");
    }
    let mut parts = Vec::new();
    for part in relative.split('/') {
        match part {
            "" => return outside("the path has an empty part (`//`, or `/` at its end)"),
            ".." => return outside("the path has `..`; only files below the calendar's folder are read"),
            "." => {}
            part => parts.push(part),
        }
    }
    if parts.is_empty() { outside("the path names no file") } else { Ok(parts) }
}

/// Walks from `root` to a relative path and refuses symbolic links on the way. `None`: there is nothing there.
/// The root itself is the operator's choice and may be a link.
pub(crate) fn walk(root: &Path, relative: &str) -> Result<Option<(PathBuf, Metadata)>, MediaError> {
    let parts = parts(relative)?;
    let mut path = root.to_path_buf();
    let mut found = None;
    for (index, part) in parts.iter().enumerate() {
        path.push(part);
        let metadata = match path.symlink_metadata() {
            Ok(metadata) => metadata,
            Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
                return Ok(None);
            }
            Err(error) => return Err(unreadable(&error)),
        };
        if metadata.is_symlink() {
            return Err(MediaError::Symlink(format!(
                "`{}` is a symbolic link, which could lead anywhere; put the file itself there",
                parts[..=index].join("/")
            )));
        }
        found = Some(metadata);
    }
    Ok(found.map(|metadata| (path, metadata)))
}

/// Tells a file from any other that lies, or lay, in its place: also from one of the same length and time.
pub(crate) fn mark(metadata: &Metadata) -> String {
    #[cfg(unix)]
    let number = std::os::unix::fs::MetadataExt::ino(metadata);
    #[cfg(not(unix))]
    let number = 0;
    format!("{} {number} {:?}", metadata.len(), metadata.modified().ok())
}

/// A file that is open for reading, and its size.
#[derive(Debug)]
pub(super) struct Opened {
    pub(super) file: File,
    pub(super) bytes: u64,
}

/// Opens a regular file below `root`.
pub(super) fn open(root: &Path, relative: &str) -> Result<Opened, MediaError> {
    let Some((path, seen)) = walk(root, relative)? else {
        return Err(MediaError::Missing(
            "there is no such file below the calendar's folder (small and capital letters count)".to_owned(),
        ));
    };
    // Looked at before it is opened: opening a pipe would wait for a writer.
    if !seen.is_file() {
        let what = if seen.is_dir() { "a folder" } else { "a pipe, a socket or a device" };
        return Err(MediaError::NotAFile(format!("this is {what}, not a file")));
    }
    let mut file = File::open(&path).map_err(|error| unreadable(&error))?;
    let opened = file.metadata().map_err(|error| unreadable(&error))?;
    if !same_file(&seen, &opened) {
        return Err(MediaError::Unreadable("the file was replaced while it was opened; try again".to_owned()));
    }
    let mut head = [0; LFS.len()];
    let length = read_up_to(&mut file, &mut head).map_err(|error| unreadable(&error))?;
    if &head[..length] == LFS {
        return Err(MediaError::Unsupported(
            "this is a git-LFS pointer, not the file itself; run `git lfs pull` first".to_owned(),
        ));
    }
    file.seek(SeekFrom::Start(0)).map_err(|error| unreadable(&error))?;
    Ok(Opened { file, bytes: opened.len() })
}

/// Reads a whole file below `root`, without leaving it, at most `limit` bytes.
pub fn read_file(root: &Path, relative: &str, limit: u64) -> Result<Vec<u8>, MediaError> {
    let Opened { file, bytes } = open(root, relative)?;
    let too_large = |bytes: u64| {
        MediaError::TooLarge(format!("it has {}, more than the {} that are read", size(bytes), size(limit)))
    };
    if bytes > limit {
        return Err(too_large(bytes));
    }
    let mut content = Vec::with_capacity(usize::try_from(bytes).unwrap_or(0));
    // One byte more than the limit: a file that grows while it is read is noticed.
    file.take(limit.saturating_add(1)).read_to_end(&mut content).map_err(|error| unreadable(&error))?;
    if content.len() as u64 > limit { Err(too_large(content.len() as u64)) } else { Ok(content) }
}

/// Reads a part of a file below `root`, which must have `whole` bytes still: at most `length` bytes from `offset` on.
pub fn read_range(root: &Path, relative: &str, whole: u64, offset: u64, length: u64) -> Result<Vec<u8>, MediaError> {
    let Opened { mut file, bytes } = open(root, relative)?;
    if bytes != whole {
        return Err(MediaError::Unreadable(format!(
            "it has {} now, and had {} when it was planned",
            size(bytes),
            size(whole)
        )));
    }
    let length = length.min(whole.saturating_sub(offset));
    let mut part = vec![0; usize::try_from(length).unwrap_or(0)];
    file.seek(SeekFrom::Start(offset)).map_err(|error| unreadable(&error))?;
    file.read_exact(&mut part).map_err(|error| unreadable(&error))?;
    Ok(part)
}

/// Fills as much of the buffer as there is.
pub(super) fn read_up_to(reader: &mut impl Read, buffer: &mut [u8]) -> io::Result<usize> {
    let mut length = 0;
    while length < buffer.len() {
        match reader.read(&mut buffer[length..]) {
            Ok(0) => break,
            Ok(more) => length += more,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(length)
}

pub(super) fn unreadable(error: &io::Error) -> MediaError {
    MediaError::Unreadable(format!("it cannot be read: {error}"))
}

#[cfg(unix)]
fn same_file(seen: &Metadata, opened: &Metadata) -> bool {
    use std::os::unix::fs::MetadataExt;
    opened.is_file() && (seen.dev(), seen.ino()) == (opened.dev(), opened.ino())
}

#[cfg(not(unix))]
fn same_file(_seen: &Metadata, opened: &Metadata) -> bool {
    opened.is_file()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder() -> tempfile::TempDir {
        let folder = tempfile::tempdir().expect("a folder");
        std::fs::create_dir(folder.path().join("img")).expect("a folder");
        std::fs::write(folder.path().join("img/a.bin"), b"twelve bytes").expect("a file");
        folder
    }

    #[test]
    fn a_file_below_the_root_is_read() {
        let folder = folder();
        assert_eq!(read_file(folder.path(), "img/a.bin", 12), Ok(b"twelve bytes".to_vec()));
        assert_eq!(read_file(folder.path(), "./img/./a.bin", 100), Ok(b"twelve bytes".to_vec()));
        assert!(matches!(read_file(folder.path(), "img/a.bin", 11), Err(MediaError::TooLarge(_))));
        assert!(matches!(read_file(folder.path(), "img/b.bin", 11), Err(MediaError::Missing(_))));
        assert!(matches!(read_file(folder.path(), "img/a.bin/x", 11), Err(MediaError::Missing(_))));
        assert!(matches!(read_file(folder.path(), "img", 11), Err(MediaError::NotAFile(_))));
    }

    #[test]
    fn a_part_of_a_file_is_read() {
        let folder = folder();
        let part = |whole, offset, length| read_range(folder.path(), "img/a.bin", whole, offset, length);
        assert_eq!(part(12, 0, 6), Ok(b"twelve".to_vec()));
        assert_eq!(part(12, 7, 99), Ok(b"bytes".to_vec()));
        assert_eq!(part(12, 12, 4), Ok(Vec::new()));
        assert!(matches!(part(13, 0, 6), Err(MediaError::Unreadable(_))), "another file than was planned");
    }

    #[test]
    fn no_path_leads_out() {
        let folder = folder();
        for path in [
            "",
            "/etc/passwd",
            "../x",
            "img/../../x",
            "img/..",
            "~/x",
            "~root",
            "file:///etc/passwd",
            "FILE:x",
            "https://x.example/a.png",
            "C:/x",
            "img\\a.bin",
            "img//a.bin",
            "img/a.bin/",
            ".",
            "./",
            "a\0b",
            "a\nb",
        ] {
            assert!(matches!(read_file(folder.path(), path, 99), Err(MediaError::Outside(_))), "{path:?}");
        }
    }

    #[cfg(unix)]
    #[test]
    #[expect(clippy::print_stderr, reason = "what a test skips is said loudly")]
    fn links_and_pipes_are_refused() {
        let folder = folder();
        let link = |to: &str, name: &str| {
            std::os::unix::fs::symlink(to, folder.path().join(name)).expect("a link");
        };
        link("img/a.bin", "file-link");
        link("img", "folder-link");
        link("/etc", "out");
        link("nowhere", "dangling");
        for path in ["file-link", "folder-link/a.bin", "out/passwd", "dangling"] {
            let error = read_file(folder.path(), path, 99).expect_err(path);
            assert!(matches!(error, MediaError::Symlink(_)), "{path}: {error}");
        }
        let pipe = folder.path().join("pipe");
        let made = std::process::Command::new("mkfifo").arg(&pipe).status().is_ok_and(|status| status.success());
        if made {
            assert!(matches!(read_file(folder.path(), "pipe", 99), Err(MediaError::NotAFile(_))));
        } else {
            eprintln!("skipped: there is no mkfifo here");
        }
    }

    #[test]
    fn an_lfs_pointer_is_told() {
        let folder = folder();
        let pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12345\n";
        std::fs::write(folder.path().join("a.png"), pointer).expect("a file");
        let error = read_file(folder.path(), "a.png", 9999).expect_err("a pointer");
        assert!(error.to_string().contains("git lfs pull"), "{error}");
    }

    proptest::proptest! {
        #[test]
        fn parts_never_climb(path in "[a.~/\\\\: ]{0,12}") {
            if let Ok(parts) = parts(&path) {
                for part in parts {
                    proptest::prop_assert!(part != ".." && part != "." && !part.is_empty() && !part.contains(['/', '\\']));
                }
            }
        }
    }
}
