//! From a byte of a string's value back to the bytes of the file that it was written with: through quotes, escapes,
//! line-ending backslashes and line ends.

use std::ops::Range;

/// Maps a byte range of a string's value to a byte range of `raw`, the string as written with its quotes.
pub(super) fn map(raw: &str, range: Range<usize>) -> Range<usize> {
    let (body, basic) = body(raw);
    let mut start = None;
    let mut end = body.start;
    let mut at = 0;
    let characters = Characters { raw, next: body.start, end: body.end, escapes: basic };
    for (written, length) in characters {
        if at >= range.start && start.is_none() {
            start = Some(written.start);
        }
        if start.is_some() && at >= range.end {
            break;
        }
        end = written.end;
        at += length;
    }
    // A place behind the last character: where the value ends.
    let start = start.unwrap_or(end);
    start..if range.is_empty() { start } else { end.max(start) }
}

/// Maps a byte range of plain text whose line ends were made `\n`.
pub(super) fn map_plain(raw: &str, range: Range<usize>) -> Range<usize> {
    if !raw.contains('\r') {
        return range.start.min(raw.len())..range.end.min(raw.len());
    }
    let (mut written, mut at) = (0, 0);
    let mut start = None;
    for (index, byte) in raw.bytes().enumerate() {
        if at >= range.start && start.is_none() {
            start = Some(index);
        }
        if at >= range.end {
            return start.unwrap_or(index)..index;
        }
        at += usize::from(!(byte == b'\r' && raw.as_bytes().get(index + 1) == Some(&b'\n')));
        written = index + 1;
    }
    start.unwrap_or(written)..written
}

/// The bytes between the quotes, and whether escapes mean something there.
fn body(raw: &str) -> (Range<usize>, bool) {
    let (quote, basic) = match raw.as_bytes().first() {
        Some(b'"') => ("\"", true),
        Some(b'\'') => ("'", false),
        _ => return (0..raw.len(), false),
    };
    let multi = quote.repeat(3);
    if raw.len() >= 6 && raw.starts_with(&multi) && raw.ends_with(&multi) {
        let start = match &raw.as_bytes()[3..] {
            [b'\n', ..] => 4,
            [b'\r', b'\n', ..] => 5,
            _ => 3,
        };
        let end = raw.len() - 3;
        return (start.min(end)..end, basic);
    }
    if raw.len() >= 2 && raw.ends_with(quote) { (1..raw.len() - 1, basic) } else { (1..raw.len(), basic) }
}

/// The characters of a string's value: where each is written, and how many bytes of the value it is.
struct Characters<'a> {
    raw: &'a str,
    next: usize,
    end: usize,
    escapes: bool,
}

impl Characters<'_> {
    fn rest(&self) -> &str {
        &self.raw[self.next..self.end]
    }

    /// A backslash at the end of a line swallows all space up to the next character.
    fn skip_line_ends(&mut self) {
        while self.escapes
            && let Some(after) = self.rest().strip_prefix('\\')
            && let line = after.trim_start_matches([' ', '\t'])
            && line.starts_with(['\n', '\r'])
        {
            self.next = self.end - line.trim_start_matches([' ', '\t', '\n', '\r']).len();
        }
    }

    /// The character that begins here, how many bytes it is written with.
    fn here(&self) -> Option<(char, usize)> {
        let rest = self.rest();
        let first = rest.chars().next()?;
        if first != '\\' || !self.escapes {
            return Some((first, first.len_utf8()));
        }
        let code = rest[1..].chars().next()?;
        let hex = |digits: usize| {
            let value = rest.get(2..2 + digits).and_then(|text| u32::from_str_radix(text, 16).ok());
            (value.and_then(char::from_u32).unwrap_or('\u{fffd}'), (2 + digits).min(rest.len()))
        };
        Some(match code {
            'b' => ('\u{8}', 2),
            'e' => ('\u{1b}', 2),
            'f' => ('\u{c}', 2),
            'n' => ('\n', 2),
            'r' => ('\r', 2),
            't' => ('\t', 2),
            'x' => hex(2),
            'u' => hex(4),
            'U' => hex(8),
            other => (other, 1 + other.len_utf8()),
        })
    }
}

impl Iterator for Characters<'_> {
    type Item = (Range<usize>, usize);

    fn next(&mut self) -> Option<Self::Item> {
        self.skip_line_ends();
        let (character, written) = self.here()?;
        let start = self.next;
        self.next = floor(self.raw, (start + written).min(self.end));
        if character == '\r' {
            // `\r\n` became `\n` when the value was read.
            let before = self.next;
            self.skip_line_ends();
            match self.here() {
                Some(('\n', written)) => {
                    self.next += written;
                    return Some((start..self.next, 1));
                }
                _ => self.next = before,
            }
        }
        Some((start..self.next, character.len_utf8()))
    }
}

/// The character boundary at or before a byte.
fn floor(text: &str, mut byte: usize) -> usize {
    while !text.is_char_boundary(byte) {
        byte -= 1;
    }
    byte
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn at<'a>(raw: &'a str, value: &str, piece: &str) -> &'a str {
        let start = value.find(piece).expect("the piece is in the value");
        &raw[map(raw, start..start + piece.len())]
    }

    #[test]
    fn every_kind_of_string() {
        assert_eq!(at(r#""a b""#, "a b", "b"), "b");
        assert_eq!(at(r"'a\b'", r"a\b", r"\b"), r"\b");
        assert_eq!(at(r#""\u00e4 b\tc""#, "ä b\tc", "b"), "b");
        assert_eq!(at(r#""x \U0001F600 y""#, "x 😀 y", "😀"), r"\U0001F600");
        assert_eq!(at("\"\"\"\nab \\\n   cd\"\"\"", "ab cd", "cd"), "cd");
        assert_eq!(at("'''\r\na\r\nb'''", "a\nb", "b"), "b");
        assert_eq!(at("\"\"\"a\r\nb\"\"\"", "a\nb", "\n"), "\r\n");
        assert_eq!(map("\"ab\"", 2..2), 3..3);
        assert_eq!(map("\"\"", 0..5), 1..1);
    }

    #[test]
    fn plain_text_with_windows_line_ends() {
        assert_eq!(map_plain("a\r\nb\r\nc", 2..3), 3..4);
        assert_eq!(map_plain("a\nb", 2..3), 2..3);
        assert_eq!(map_plain("a\r\nb", 9..12), 4..4);
    }

    proptest! {
        /// Each character of what `toml` reads is found where it is written, or is the escape that stands for it.
        #[test]
        fn agrees_with_the_parser(text in r#"([a-zä😀 ]|\\n|\\t|\\u00e4|\\x41|\\U0001F600|\\"|\\\\|\\ ?\n *|\n|\r\n){0,30}"#) {
            let raw = format!("\"\"\"{text}\"\"\"");
            let source = format!("x = {raw}\n");
            let table: toml::Table = source.parse().expect("valid TOML");
            let value = table["x"].as_str().expect("a string").replace("\r\n", "\n");
            for (start, character) in value.char_indices() {
                let written = &raw[map(&raw, start..start + character.len_utf8())];
                let same = written.chars().eq([character])
                    || (written.starts_with('\\') && written.len() > 1)
                    || (character == '\n' && written == "\r\n");
                prop_assert!(same, "{character:?} is not {written:?}");
            }
        }

        #[test]
        fn never_panics(raw in r#"["']{0,3}([a-z\\"'ux0-9äé\r\n ]|😀){0,20}["']{0,3}"#, start in 0usize..30, length in 0usize..10) {
            let range = map(&raw, start..start + length);
            prop_assert!(raw.get(range).is_some());
        }
    }
}
