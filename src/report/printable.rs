//! Foreign text made safe to show.

use std::borrow::Cow;
use std::fmt::Write as _;

use crate::text::is_hidden;

/// Hidden, and no line feed.
fn concealed(c: char) -> bool {
    c != '\n' && is_hidden(c)
}

/// Foreign text made safe for a terminal: what is hidden is shown as `\u{…}`. Line feeds stay.
pub fn printable(text: &str) -> String {
    if !text.chars().any(concealed) {
        return text.to_owned();
    }
    let mut shown = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        if concealed(c) {
            let _ = write!(shown, "\\u{{{:x}}}", u32::from(c));
        } else {
            shown.push(c);
        }
    }
    shown
}

/// The same with one character for one, so that columns stay: what is hidden becomes `\u{fffd}`. Line feeds and tabs stay.
pub(super) fn aligned(text: &str) -> Cow<'_, str> {
    let replaced = |c: char| concealed(c) && c != '\t';
    if text.chars().any(replaced) {
        Cow::Owned(text.chars().map(|c| if replaced(c) { '\u{fffd}' } else { c }).collect())
    } else {
        Cow::Borrowed(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_hidden_reaches_a_terminal() {
        assert_eq!(printable("a\u{1b}[2Jb\u{202e}c\u{9b}d\n"), "a\\u{1b}[2Jb\\u{202e}c\\u{9b}d\n");
        assert_eq!(aligned("a\u{1b}b\u{200b}\tc"), "a\u{fffd}b\u{fffd}\tc");
        assert_eq!(printable("héllo 👩‍👩‍👧 日本"), "héllo 👩‍👩‍👧 日本");
    }
}
