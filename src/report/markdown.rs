//! Foreign text in Markdown that a forge shows: comments of pull requests, job summaries.
//!
//! Nothing of it may act there: no mark-up, no mention that tells somebody, no link to an issue, a commit or a page, no
//! quick action. Two things see to it, each alone enough for GitHub, GitLab and Forgejo (their documentation and
//! renderers, 2026-11-23): the text stands in `code` or `pre` elements, in which none of them looks for mentions and
//! references; and every sign that could begin one is written as an entity, so that whoever looks at the source alone does
//! not find one either. What is hidden (control characters, changes of direction) is made visible first.

use std::fmt::Write as _;

use super::printable;

/// Text that means nothing but itself, to stand in a `code` or `pre` element.
pub(super) fn inert(text: &str) -> String {
    let text = printable(text);
    let mut safe = String::with_capacity(text.len() + text.len() / 4);
    let mut rest = text.as_str();
    let mut before = ' ';
    // Bytes that are left of what may be the name of a commit.
    let mut hash = 0;
    while let Some(c) = rest.chars().next() {
        if !before.is_ascii_alphanumeric() {
            hash = hash_length(rest);
        }
        let after = rest[c.len_utf8()..].chars().next().unwrap_or(' ');
        let acts = match c {
            ',' | ';' | '?' => false,
            // Of `www.` the dot is what makes it a link, of `GH-12` the hyphen, of `https:` and `:tada:` the colon.
            '.' => safe.len() >= 3 && safe[floor(&safe, 3)..].eq_ignore_ascii_case("www"),
            '-' => before.is_ascii_alphabetic() && after.is_ascii_digit() || before == '-' || after == '-',
            ':' => !(before.is_ascii_digit() && after.is_ascii_digit()),
            c => c.is_ascii_punctuation() || hash % 4 == 1,
        };
        if acts {
            let _ = write!(safe, "&#{};", u32::from(c));
        } else {
            safe.push(c);
        }
        hash = usize::saturating_sub(hash, 1);
        before = c;
        rest = &rest[c.len_utf8()..];
    }
    safe
}

/// Where the last `bytes` of a text begin, or a little before.
fn floor(text: &str, bytes: usize) -> usize {
    let at = text.len() - bytes;
    (0..=at).rev().find(|&at| text.is_char_boundary(at)).unwrap_or(0)
}

/// The length of what may be the name of a commit at a text's beginning: seven hex digits or more, and nothing else in the
/// word. 0: it is none.
fn hash_length(text: &str) -> usize {
    let word = || text.bytes().take_while(u8::is_ascii_alphanumeric).take(65);
    let length = word().count();
    if (7..=64).contains(&length) && word().all(|byte| byte.is_ascii_hexdigit()) { length } else { 0 }
}

/// A word or a sentence of foreign text, in one line.
pub(super) fn code(text: &str) -> String {
    if text.trim().is_empty() {
        return String::new();
    }
    format!("<code>{}</code>", inert(&text.replace('\n', " ")))
}

/// Foreign text as it is, line by line.
pub(super) fn pre(text: &str) -> String {
    format!("<pre>{}</pre>", inert(text))
}

/// A link that leads where its address says; `None`: an address that nobody should follow. `label` is ours.
pub(super) fn link(label: &str, url: &str) -> Option<String> {
    if !(url.starts_with("https://") || url.starts_with("http://")) || url.len() > 2_000 {
        return None;
    }
    let mut safe = String::with_capacity(url.len());
    for byte in url.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' => safe.push(char::from(byte)),
            b'-' | b'.' | b'_' | b'~' | b':' | b'/' | b'?' | b'#' | b'=' | b'%' | b'+' | b',' | b';' => {
                safe.push(char::from(byte));
            }
            // An ampersand begins an entity, and an `@` somebody's name.
            b'&' => safe.push_str("&amp;"),
            _ => {
                let _ = write!(safe, "%{byte:02X}");
            }
        }
    }
    Some(format!("<a href=\"{safe}\">{label}</a>"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_of_a_text_acts() {
        let nasty = "@team #12 org/repo#1 GH-7 !3 https://forge.example/o/r/issues/1 www.example.com me@example.com \
                     deadbeefdeadbeef <img src=x> [x](y) **b** _i_ ~s~ | `c` ``` </pre> </code> </details> <!-- x --> &amp; $(id) \\ :tada:\n/close";
        let safe = inert(nasty);
        let entities = safe.replace("&#", "");
        for sign in
            ['@', '#', '/', '!', ':', '<', '>', '[', ']', '(', ')', '*', '_', '~', '|', '`', '$', '\\', '-', '&', '"']
        {
            assert!(!entities.contains(sign), "{sign}: {safe}");
        }
        for word in ["www.", "GH-7", "--"] {
            assert!(!safe.contains(word), "{word}: {safe}");
        }
        let digits = |c: char| c.is_ascii_hexdigit();
        assert!(entities.split(|c: char| !digits(c)).all(|run| run.len() < 7), "{safe}");
        // It reads as it was.
        assert_eq!(decoded(&safe), nasty);
    }

    fn decoded(text: &str) -> String {
        let mut pieces = text.split("&#");
        let mut plain = pieces.next().expect("there is a first").to_owned();
        for piece in pieces {
            let (number, rest) = piece.split_once(';').expect("an entity ends");
            plain.push(char::from_u32(number.parse().expect("a number")).expect("a character"));
            plain.push_str(rest);
        }
        plain
    }

    #[test]
    fn what_is_hidden_is_shown() {
        let safe = inert("a\u{202e}b\u{1b}[31m\rc\u{200b}");
        assert_eq!(decoded(&safe), "a\\u{202e}b\\u{1b}[31m\\u{d}c\\u{200b}");
    }

    #[test]
    fn a_commit_is_a_word_of_hex_digits() {
        for (text, hidden) in [
            ("deadbee", true),
            ("1234567", true),
            ("deadbe", false),
            ("deadbeefs", false),
            (&"a".repeat(64), true),
            (&"a".repeat(65), false),
        ] {
            assert_eq!(inert(text).contains("&#"), hidden, "{text}");
        }
        assert!(!inert("see deadbeef.").contains("deadbeef"));
    }

    #[test]
    fn fences_do_not_end_anything() {
        for length in 1..12 {
            let text = format!("{}\n@you\n{}", "`".repeat(length), "~".repeat(length));
            let shown = pre(&text);
            assert!(!shown.contains('`') && !shown.contains('~') && !shown.contains('@'), "{shown}");
            assert_eq!(shown.matches("</pre>").count(), 1);
        }
        assert_eq!(code("a\nb | c"), "<code>a b &#124; c</code>");
        assert_eq!(code(" "), "");
        assert_eq!(code("Tue 2026-12-01 09:00"), "<code>Tue 2026-12-01 09:00</code>");
    }

    #[test]
    fn links_lead_where_they_say() {
        assert_eq!(
            link("open", "https://a.example/x?y=1&z=2").as_deref(),
            Some("<a href=\"https://a.example/x?y=1&amp;z=2\">open</a>")
        );
        let nasty = link("open", "https://a.example/\"><img>|)@me\n[x]`'").expect("a page");
        assert_eq!(nasty, "<a href=\"https://a.example/%22%3E%3Cimg%3E%7C%29%40me%0A%5Bx%5D%60%27\">open</a>");
        assert_eq!(link("open", "javascript:alert(1)"), None);
    }
}
