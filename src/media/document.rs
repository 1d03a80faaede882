//! Documents: a PDF, told by its first and its last bytes and passed through as it is. Its pages are not counted: the table
//! of them may be compressed.

use std::io::{Read, Seek};

use crate::model::{MediaFacts, MediaKind};

use super::MediaError;
use super::probe::{Source, broken, cut_short};

/// How a PDF begins, and its MIME type (ISO 32000-1, 7.5.2; RFC 8118).
const START: &[u8] = b"%PDF-";
const MIME: &str = "application/pdf";

/// The end of a file stands in so many last bytes, as readers of PDFs have it: some programs write more after it.
const TAIL: usize = 1024;

/// The facts of a document; `None`: it is none that is known.
pub(super) fn inspect<R: Read + Seek>(source: &mut Source<R>, head: &[u8]) -> Result<Option<MediaFacts>, MediaError> {
    let Some([major, b'.', minor, ..]) = head.strip_prefix(START) else { return Ok(None) };
    if !matches!(major, b'1' | b'2') || !minor.is_ascii_digit() {
        return Err(broken("it is of no version of PDF"));
    }
    let mut tail = [0; TAIL];
    let read = source.up_to(source.length.saturating_sub(TAIL as u64), &mut tail)?;
    let tail = &tail[..read];
    // `startxref`, where the table of its objects begins, `%%EOF`: the last of each (ISO 32000-1, 7.5.5).
    let table = last(tail, b"startxref").ok_or_else(cut_short)?;
    let rest = &tail[table + b"startxref".len()..];
    let digits = rest.trim_ascii_start();
    let length = digits.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let at = std::str::from_utf8(&digits[..length]).ok().and_then(|digits| digits.parse::<u64>().ok());
    if last(rest, b"%%EOF").is_none() || at.is_none() {
        return Err(cut_short());
    }
    if at.is_some_and(|at| at >= source.length) {
        return Err(broken("the table of what is in it lies beyond its end"));
    }
    let (mime, bytes) = (MIME.to_owned(), source.length);
    Ok(Some(MediaFacts { kind: MediaKind::Document, mime, bytes, width: 0, height: 0 }))
}

/// Where something stands for the last time.
fn last(bytes: &[u8], needle: &[u8]) -> Option<usize> {
    bytes.windows(needle.len()).rposition(|window| window == needle)
}

#[cfg(test)]
mod tests {
    use super::super::{probe, samples};
    use super::*;

    #[test]
    fn a_pdf_is_told_by_its_bytes() {
        let pdf = samples::pdf();
        let facts = probe(&pdf).expect("a document");
        let bytes = pdf.len() as u64;
        let expected =
            MediaFacts { kind: MediaKind::Document, mime: "application/pdf".to_owned(), bytes, width: 0, height: 0 };
        assert_eq!(facts, expected);
        assert!(facts.is_passed());
        // What a server or an editor may have put after its end.
        assert_eq!(probe(&[&pdf[..], &[b'\n'; 900]].concat()).expect("still one").kind, MediaKind::Document);
    }

    #[test]
    fn a_pdf_that_is_none_is_told() {
        let pdf = samples::pdf();
        for length in [8, 9, 40, pdf.len() - 7, pdf.len() - 20] {
            let error = probe(&pdf[..length]).expect_err("cut short");
            assert!(error.to_string().contains("ends in the middle"), "{length}: {error}");
        }
        for (bytes, word) in [
            (&b"%PDF-9.9\nstartxref\n0\n%%EOF"[..], "no version"),
            (b"%PDF-1.7\nstartxref\n99999\n%%EOF", "beyond its end"),
            (b"%PDF-1.7\nstartxref\n99999999999999999999999999\n%%EOF", "ends in the middle"),
            (b"%PDF-1.7\nstartxref\n-1\n%%EOF", "ends in the middle"),
            (b"%PDF-1.7\n%%EOF\nstartxref\n9\n", "ends in the middle"),
        ] {
            let error = probe(bytes).expect_err(word);
            assert!(error.to_string().contains(word), "{error}");
        }
    }
}
