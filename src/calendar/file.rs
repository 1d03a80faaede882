//! Opening one file: its size, its encoding, and marks that a merge has left in it.

use std::fs;
use std::io::Read as _;
use std::ops::Range;
use std::path::Path;

use super::read::Finding;
use super::{SourceFile, Span};
use crate::model::{Severity, codes};

/// Largest file, and largest sum of all files: a hundred thousand posts are 45 MB.
pub(super) const MAX_BYTES: u64 = 256 * 1024 * 1024;

/// A file as it was opened.
#[derive(Debug)]
pub(super) struct Opened {
    pub(super) source: SourceFile,
    /// Marks of an unfinished merge: nothing else that is said of this file is of use.
    pub(super) conflicts: Vec<Range<usize>>,
}

impl Opened {
    /// Takes over what was found in the file: of one with conflicts, nothing but these is worth saying.
    pub(super) fn settle(&self, file: usize, findings: &mut Vec<Finding>) {
        if self.conflicts.is_empty() {
            return;
        }
        findings.clear();
        findings.extend(self.conflicts.iter().map(|at| {
            let span = Span { file, start: at.start, end: at.end };
            let mut conflict = Finding::error(codes::MERGE_CONFLICT, span, "a merge has left a conflict here");
            conflict.help("keep one of the two sides, and remove the lines `<<<<<<<`, `=======` and `>>>>>>>`");
            conflict
        }));
    }
}

/// Opens a file, at most `room` bytes of it. `Err`: why it cannot be read, as a sentence's end.
pub(super) fn open(
    path: &Path,
    shown: String,
    file: usize,
    room: u64,
    findings: &mut Vec<Finding>,
) -> Result<Opened, String> {
    Ok(opened(read(path, room)?, shown, file, findings))
}

/// The bytes of a file, at most `room` of them. `Err`: why it cannot be read, as a sentence's end.
pub(super) fn read(path: &Path, room: u64) -> Result<Vec<u8>, String> {
    let facts = fs::metadata(path).map_err(|error| why(&error))?;
    if !facts.is_file() {
        return Err(if facts.is_dir() { "it is a folder" } else { "it is not a file" }.to_owned());
    }
    if facts.len() > room {
        return Err(too_large());
    }
    let mut bytes = Vec::with_capacity(usize::try_from(facts.len()).unwrap_or(0) + 1);
    // A file that grows while it is read is not followed.
    let opened = fs::File::open(path).map_err(|error| why(&error))?;
    opened.take(room + 1).read_to_end(&mut bytes).map_err(|error| why(&error))?;
    if bytes.len() as u64 > room { Err(too_large()) } else { Ok(bytes) }
}

/// Takes a file's bytes for its text.
pub(super) fn opened(bytes: Vec<u8>, shown: String, file: usize, findings: &mut Vec<Finding>) -> Opened {
    let text = decode(bytes, file, findings);
    Opened { conflicts: conflicts(&text), source: SourceFile::new(shown, text) }
}

/// Why a file is not read to its end, as a sentence's end.
fn too_large() -> String {
    format!("it is too large; all files together may have {} MiB", MAX_BYTES / 1024 / 1024)
}

/// Why a file could not be read, for people.
pub(super) fn why(error: &std::io::Error) -> String {
    match error.kind() {
        std::io::ErrorKind::NotFound => "there is no such file".to_owned(),
        std::io::ErrorKind::PermissionDenied => "you may not read it".to_owned(),
        _ => error.to_string(),
    }
}

/// Bytes to text. What is not UTF-8 is reported at its first byte and read as U+FFFD, so that the rest is checked too.
fn decode(mut bytes: Vec<u8>, file: usize, findings: &mut Vec<Finding>) -> String {
    let mut report = |severity, code, at: Range<usize>, message: &str, help: &str| {
        findings.push(Finding {
            code,
            severity,
            message: message.to_owned(),
            help: Some(help.to_owned()),
            span: Span { file, start: at.start, end: at.end },
            post: None,
        });
    };
    if bytes.starts_with(&[0xEF, 0xBB, 0xBF]) {
        bytes.drain(..3);
        let message = "the file begins with a byte order mark, which other programs may stumble over";
        report(Severity::Warning, codes::BYTE_ORDER_MARK, 0..0, message, "save it as UTF-8 without a mark (BOM)");
    } else if bytes.starts_with(&[0xFF, 0xFE]) || bytes.starts_with(&[0xFE, 0xFF]) {
        report(Severity::Error, codes::NOT_UTF8, 0..0, "the file is UTF-16, not UTF-8", "save it as UTF-8");
        return String::new();
    }
    match String::from_utf8(bytes) {
        Ok(text) => text,
        Err(error) => {
            let at = error.utf8_error().valid_up_to();
            let text = String::from_utf8_lossy(error.as_bytes()).into_owned();
            let end = at + text[at..].chars().next().map_or(0, char::len_utf8);
            let message = format!("byte {:#04x} is not UTF-8", error.as_bytes()[at]);
            report(
                Severity::Error,
                codes::NOT_UTF8,
                at..end,
                &message,
                "save the file as UTF-8 and mend this character",
            );
            text
        }
    }
}

/// The first lines of conflicts that a merge has left.
fn conflicts(text: &str) -> Vec<Range<usize>> {
    if !text.contains("<<<<<<< ") {
        return Vec::new();
    }
    let (mut found, mut start, mut parted, mut at) = (Vec::new(), None, false, 0);
    for line in text.split_inclusive('\n') {
        let bare = line.trim_end();
        if line.starts_with("<<<<<<< ") {
            (start, parted) = (Some(at..at + bare.len()), false);
        } else if bare == "=======" {
            parted = true;
        } else if line.starts_with(">>>>>>> ") && parted {
            found.extend(start.take());
        }
        at += line.len();
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_conflict_has_three_marks() {
        let found = conflicts("a\n<<<<<<< ours\nb\n=======\nc\n>>>>>>> theirs\n");
        assert_eq!((found.len(), &found[0]), (1, &(2..14)));
        assert!(conflicts("text = \"\"\"\nTitle\n=======\n<<<<<<< look\n\"\"\"\n").is_empty());
    }

    #[test]
    fn what_is_not_utf8_is_told_at_its_place() {
        let mut findings = Vec::new();
        let text = decode(b"a = \"\xff\"\n".to_vec(), 0, &mut findings);
        assert_eq!(text, "a = \"\u{fffd}\"\n");
        assert_eq!((findings[0].code, findings[0].span.start, findings[0].span.end), (codes::NOT_UTF8, 5, 8));
        findings.clear();
        assert_eq!(decode(b"\xef\xbb\xbfa".to_vec(), 0, &mut findings), "a");
        assert_eq!(findings[0].code, codes::BYTE_ORDER_MARK);
        findings.clear();
        decode(b"\xff\xfea\0".to_vec(), 0, &mut findings);
        assert_eq!(findings[0].code, codes::NOT_UTF8);
    }
}
