//! `LinkedIn`'s "little text" (learn.microsoft.com, linkedin/marketing/community-management/shares/little-text-format, read
//! 2026-11-23): fifteen characters mean something, and are written with a backslash where they are to be themselves. One
//! that is not cuts the post off there, without a word.

use super::{FoundKind, find};

/// Whether a character means something.
pub(super) fn is_reserved(c: char) -> bool {
    matches!(c, '\\' | '|' | '{' | '}' | '@' | '[' | ']' | '(' | ')' | '<' | '>' | '#' | '*' | '_' | '~')
}

/// A text as little text: hashtags stay what they are, all else is plain. Mentions are none: one needs the number of whom
/// it means.
pub fn little_text(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + text.len() / 8);
    let mut at = 0;
    for found in find(text).into_iter().filter(|found| found.kind == FoundKind::Tag) {
        escape(&text[at..found.start], &mut out);
        let tag = &text[found.start..found.end];
        let word = tag.trim_start_matches(['#', '＃']);
        if word.contains(is_reserved) {
            // The long form, in which what is reserved may be escaped.
            out.push_str("{hashtag|\\#|");
            escape(word, &mut out);
            out.push('}');
        } else {
            out.push('#');
            out.push_str(word);
        }
        at = found.end;
    }
    escape(&text[at..], &mut out);
    out
}

/// Little text as plain text: the other way round, for comparing. Elements are left as they look.
pub fn from_little(little: &str) -> String {
    let mut out = String::with_capacity(little.len());
    let mut rest = little;
    while let Some(c) = rest.chars().next() {
        if let Some(escaped) = rest.strip_prefix('\\').and_then(|rest| rest.chars().next()) {
            out.push(escaped);
            rest = &rest[1 + escaped.len_utf8()..];
        } else if let Some(tag) = rest.strip_prefix("{hashtag|\\#|") {
            out.push('#');
            rest = tag;
        } else {
            // The end of a hashtag's long form.
            if c != '}' {
                out.push(c);
            }
            rest = &rest[c.len_utf8()..];
        }
    }
    out
}

fn escape(text: &str, out: &mut String) {
    for c in text.chars() {
        if is_reserved(c) {
            out.push('\\');
        }
        out.push(c);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_means_something_is_escaped() {
        assert_eq!(
            little_text(r"a\b |c| {d} @acme [e](f) <g> *h* _i_ ~j~ # 5% #tag #release_notes!"),
            r"a\\b \|c\| \{d\} \@acme \[e\]\(f\) \<g\> \*h\* \_i\_ \~j\~ \# 5% #tag {hashtag|\#|release\_notes}!"
        );
        assert_eq!(little_text("日本語 #タグ 👩‍👩‍👧"), "日本語 #タグ 👩‍👩‍👧");
    }

    proptest::proptest! {
        #[test]
        fn there_and_back(text in r"[a-z\\|{}@\[\]()<>#*_~ é👍]{0,40}") {
            proptest::prop_assert_eq!(from_little(&little_text(&text)), text);
        }
    }
}
