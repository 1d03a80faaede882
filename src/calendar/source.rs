//! The files that were read, and where a byte of them stands.

use std::sync::OnceLock;

/// The files that were read, for excerpts.
#[derive(Debug, Default)]
pub struct Sources {
    /// In the order in which they were read.
    pub files: Vec<SourceFile>,
}

/// A file.
#[derive(Debug)]
pub struct SourceFile {
    /// Its path as shown: relative to where the calendar was given.
    pub path: String,
    /// Its text.
    pub text: String,
    /// Made when the first position is asked for.
    index: OnceLock<Index>,
}

/// A byte range of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Span {
    /// Index in [`Sources::files`].
    pub file: usize,
    /// From this byte.
    pub start: usize,
    /// To before this byte.
    pub end: usize,
}

/// A place in a file: line and column from 1, the column in characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Position {
    /// Line, from 1.
    pub line: usize,
    /// Column in characters, from 1.
    pub column: usize,
}

/// Where lines start, and how many characters stand before each block, so that no position costs more than one block.
#[derive(Debug)]
struct Index {
    lines: Vec<u32>,
    characters: Vec<u32>,
}

/// Bytes between two counts of characters.
const BLOCK: usize = 4096;

impl Sources {
    /// Where a span begins and ends. Linear in the size of the files once, then nearly free.
    pub fn locate(&self, span: Span) -> (Position, Position) {
        match self.files.get(span.file) {
            Some(file) => (file.position(span.start), file.position(span.end.max(span.start))),
            None => (Position { line: 1, column: 1 }, Position { line: 1, column: 1 }),
        }
    }

    /// The path of a span's file.
    pub fn path(&self, span: Span) -> &str {
        self.files.get(span.file).map_or("", |file| &file.path)
    }
}

impl SourceFile {
    /// A file.
    pub fn new(path: impl Into<String>, text: impl Into<String>) -> Self {
        Self { path: path.into(), text: text.into(), index: OnceLock::new() }
    }

    /// The place of a byte; that of the end for one beyond it.
    pub fn position(&self, byte: usize) -> Position {
        let byte = byte.min(self.text.len());
        let index = self.index.get_or_init(|| Index::new(&self.text));
        let line = index.lines.partition_point(|&start| start as usize <= byte);
        let start = index.lines[line - 1] as usize;
        Position {
            line,
            column: 1 + index.characters_before(&self.text, byte) - index.characters_before(&self.text, start),
        }
    }
}

impl Index {
    fn new(text: &str) -> Self {
        let narrow = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
        let bytes = text.as_bytes();
        let mut lines = vec![0];
        lines.extend(bytes.iter().enumerate().filter(|&(_, &byte)| byte == b'\n').map(|(at, _)| narrow(at + 1)));
        let mut characters = Vec::with_capacity(bytes.len() / BLOCK + 1);
        let mut count = 0;
        for block in bytes.chunks(BLOCK) {
            characters.push(narrow(count));
            count += count_characters(block);
        }
        characters.push(narrow(count));
        Self { lines, characters }
    }

    /// Characters that start before `byte`.
    fn characters_before(&self, text: &str, byte: usize) -> usize {
        let block = byte / BLOCK;
        self.characters[block] as usize + count_characters(&text.as_bytes()[block * BLOCK..byte])
    }
}

/// Characters that start in these bytes.
fn count_characters(bytes: &[u8]) -> usize {
    bytes.iter().filter(|&&byte| byte & 0xC0 != 0x80).count()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn columns_are_characters() {
        let file = SourceFile::new("a.toml", "x = 1\nä€😀 = 2\r\n");
        assert_eq!(file.position(0), Position { line: 1, column: 1 });
        assert_eq!(file.position(6), Position { line: 2, column: 1 });
        assert_eq!(file.position(6 + 2 + 3 + 4), Position { line: 2, column: 4 });
        assert_eq!(file.position(9999), Position { line: 3, column: 1 });
    }

    proptest! {
        #[test]
        fn agrees_with_counting(text in "[a-zä€😀\n]{0,40}", repeat in 1usize..600) {
            let text = text.repeat(repeat);
            let file = SourceFile::new("a.toml", text.clone());
            for (byte, _) in text.char_indices().step_by(97) {
                let line = text[..byte].matches('\n').count() + 1;
                let column = text[..byte].rsplit('\n').next().unwrap_or("").chars().count() + 1;
                prop_assert_eq!(file.position(byte), Position { line, column });
            }
        }
    }
}
