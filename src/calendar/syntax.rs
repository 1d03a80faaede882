//! What the TOML parser says, in words for people who write posts.

use std::ops::Range;

/// The parser's words (how they begin), ours, and how to mend it.
const WORDS: &[(&str, &str, Option<&str>)] = &[
    (
        "invalid basic string",
        "the text has no closing `\"`",
        Some("close it on the same line; a text over several lines stands between `\"\"\"` and `\"\"\"`"),
    ),
    (
        "invalid literal string",
        "the text has no closing `'`",
        Some("close it on the same line, or use `\"` around a text with `'` in it"),
    ),
    ("invalid multi-line basic string", "the text has no closing `\"\"\"`", None),
    ("invalid multi-line literal string", "the text has no closing `\'\'\'`", None),
    ("key with no value", "there is no `=` after the key", Some("write `key = value`")),
    (
        "invalid unquoted key",
        "this is not a key",
        Some("write `key = value`; a text over several lines stands between `\"\"\"` and `\"\"\"`"),
    ),
    ("unquoted keys cannot be empty", "there is no key before the `=`", None),
    ("missing comma between array elements", "a `,` or the closing `]` of the list is missing before this", None),
    ("unclosed array table", "the header has no closing `]]`", None),
    ("unclosed table", "the header has no closing `]`", None),
    ("unclosed array", "the list has no closing `]`", None),
    ("unclosed inline table", "the table has no closing `}`", None),
    ("missing comma between key-value pairs", "a `,` or the closing `}` of the table is missing before this", None),
    ("invalid inline table element", "a `,` or the closing `}` of the table is missing before this", None),
    ("extra comma", "there is one `,` too many", None),
    (
        "missing escaped value",
        "`\\` in a text between `\"` begins an escape, and this is none",
        Some("write `\\\\` for a backslash, or put the text between `'` and `'`"),
    ),
    ("invalid boolean", "this is neither `true` nor `false`", Some("write it in small letters")),
    ("unexpected key or value", "the line goes on where it should end", None),
];

/// The parser's message in our words, with how to mend it. `nothing`: there is nothing where it points to.
pub(super) fn explain(message: &str, nothing: bool) -> (String, Option<&'static str>) {
    if message.starts_with("string values must be quoted") {
        return if nothing {
            ("there is no value after the `=`".to_owned(), None)
        } else {
            let help = "put text between `\"` and `\"`, or between `\"\"\"` and `\"\"\"` over several lines";
            ("a text stands between quotes".to_owned(), Some(help))
        };
    }
    match WORDS.iter().find(|(begins, ..)| message.starts_with(begins)) {
        Some(&(_, words, help)) => (words.to_owned(), help),
        None => (message.to_owned(), None),
    }
}

/// Where the text over several lines begins that has no end.
pub(super) fn unclosed(before: &str) -> Option<Range<usize>> {
    let basic = before.rfind("\"\"\"");
    let literal = before.rfind("'''");
    let start = basic.max(literal)?;
    Some(start..start + 3)
}
