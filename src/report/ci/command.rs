//! Workflow commands: lines of a log that the runner of GitHub, and Forgejo's after it, takes for orders
//! (`::error file=…::message`, and the older `##[error]message`; GitHub's page on workflow commands, 2026-11-23).

use std::borrow::Cow;
use std::fmt::Write as _;

/// Escapes a message as the runner reads it back.
pub(crate) fn data(text: &str) -> String {
    text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

/// Escapes a property's value: what ends a property or begins the message too.
pub(crate) fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}

/// Text for a log that means nothing to a runner, whoever wrote it: no line of it is a command. Line feeds stay, every
/// other control character, and whatever else some take for the end of a line, is made visible.
///
/// The runner ends a line at `\r` too, skips white space before `::`, and looks for `##[` anywhere in a line.
pub(super) fn tamed(text: &str) -> Cow<'_, str> {
    let control = |c: char| (c.is_control() && c != '\n' && c != '\t') || matches!(c, '\u{2028}' | '\u{2029}');
    if !text.contains("::") && !text.contains("##[") && !text.chars().any(control) {
        return Cow::Borrowed(text);
    }
    let mut safe = String::with_capacity(text.len() + 8);
    for line in text.split_inclusive('\n') {
        let mut shown = String::with_capacity(line.len());
        for c in line.chars() {
            if control(c) {
                let _ = write!(shown, "\\u{{{:x}}}", u32::from(c));
            } else {
                shown.push(c);
            }
        }
        let start = shown.len() - shown.trim_start_matches(is_skipped).len();
        if shown[start..].starts_with("::") {
            shown.insert(start, '\\');
        }
        safe.push_str(&shown.replace("##[", "#\\#["));
    }
    Cow::Owned(safe)
}

/// What a runner may skip at the beginning of a line: white space, and what is not seen.
fn is_skipped(c: char) -> bool {
    c != '\n' && (c.is_whitespace() || crate::text::is_hidden(c))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Whether a runner would take any line for a command: lines end at `\r` and `\n`, white space before is skipped.
    fn commands(text: &str) -> bool {
        text.split(['\r', '\n', '\u{85}', '\u{2028}', '\u{2029}', '\u{b}', '\u{c}'])
            .any(|line| line.trim_start().starts_with("::") || line.contains("##["))
    }

    #[test]
    fn what_was_escaped_is_read_back() {
        assert_eq!(data("100 %\r\n::x"), "100 %25%0D%0A::x");
        assert_eq!(property("a:b,c%\n"), "a%3Ab%2Cc%25%0A");
    }

    #[test]
    fn no_line_is_a_command() {
        for text in [
            "::error::x",
            "a\n  ::set-output name=x::y\n",
            "a\r::error::x",
            "x ##[error]y ###[add-mask]z",
            "\u{feff}::error::x",
            "\u{a0}\u{3000}::stop-commands::x",
            "\u{1b}[0Ksection_start:1:x\r\u{1b}[0K",
            "a\u{2028}::error::x",
            "\t::group::x",
        ] {
            let safe = tamed(text);
            assert!(!commands(&safe) && !safe.contains(['\u{1b}', '\r']), "{text:?} became {safe:?}");
        }
        assert_eq!(tamed("a :: b\nstd::fmt\n"), "a :: b\nstd::fmt\n");
        assert!(matches!(tamed("nothing"), Cow::Borrowed(_)));
    }

    proptest! {
        #[test]
        fn whatever_is_written(text in "[a:#\\[\r\n \u{1b}\u{85}\u{2028}\u{feff}]{0,24}") {
            prop_assert!(!commands(&tamed(&text)), "{:?}", tamed(&text));
        }
    }
}
