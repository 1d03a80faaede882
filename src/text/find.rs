//! Links, mentions and tags in a text.
//!
//! The rules are those on which the networks agree: what is found here, a reader sees as a link there. A link with a
//! scheme needs little else; one without needs a public top-level domain and must not look like a file's name.

use super::{Found, FoundKind, tlds};

/// Links, mentions and tags, in order, not overlapping.
pub fn find(text: &str) -> Vec<Found> {
    scan(text, true)
}

/// Links with a scheme and mentions only: what weighs something of its own.
pub(super) fn weighty(text: &str) -> Vec<Found> {
    if !text.contains("://") && !text.contains('@') {
        return Vec::new();
    }
    scan(text, false)
}

/// Goes through the bytes, since what begins a hit is ASCII but for `＃`: the bytes of other letters are passed over
/// without being looked at as characters.
fn scan(text: &str, all: bool) -> Vec<Found> {
    let mut found = Vec::new();
    let bytes = text.as_bytes();
    if !bytes.iter().any(|byte| matches!(byte, b'.' | b':' | b'@' | b'#') || *byte == WIDE_SIGN) {
        return found;
    }
    let mut at = 0;
    while let Some(&byte) = bytes.get(at) {
        let before = || text[..at].chars().next_back();
        // Nothing but a link after CJK begins inside a word.
        let word = bytes[at..].iter().position(|byte| !byte.is_ascii_alphanumeric()).unwrap_or(bytes.len() - at);
        let hit = match byte {
            _ if word > 0 => match (bytes.get(at + word), bytes.get(at + word + 1)) {
                (Some(b':'), _) => link(text, at, before()).map(|end| (FoundKind::Link, end)),
                // A host without a scheme has a dot between two letters or digits.
                (Some(b'.'), Some(next)) if all && next.is_ascii_alphanumeric() => bare(text, at, before()),
                (Some(b'-'), _) if all => bare(text, at, before()),
                _ => None,
            },
            b'@' => mention(text, at, before()).map(|end| (FoundKind::Mention, end)),
            b'#' if all => tag(text, at, before()).map(|end| (FoundKind::Tag, end)),
            WIDE_SIGN if all && text[at..].starts_with('＃') => {
                tag(text, at, before()).map(|end| (FoundKind::Tag, end))
            }
            _ => None,
        };
        at = match hit {
            Some((kind, end)) => {
                found.push(Found { kind, start: at, end });
                end
            }
            None => at + word.max(1),
        };
    }
    found
}

/// The first byte of `＃`.
const WIDE_SIGN: u8 = 0xEF;

fn bare(text: &str, start: usize, before: Option<char>) -> Option<(FoundKind, usize)> {
    bare_link(text, start, before).map(|end| (FoundKind::BareLink, end))
}

/// The end of a link with a scheme.
fn link(text: &str, start: usize, before: Option<char>) -> Option<usize> {
    if before.is_some_and(|c| c.is_ascii_alphanumeric() || matches!(c, '@' | '＠' | '$' | '#' | '＃')) {
        return None;
    }
    let scheme = scheme_length(&text[start..])?;
    let host = start + scheme;
    let host_end = host_end(text, host)?;
    Some(path_end(text, port_end(text, host_end)))
}

/// Length of `http://` or `https://` in any case.
pub(super) fn scheme_length(text: &str) -> Option<usize> {
    ["https://", "http://"]
        .iter()
        .find(|scheme| text.get(..scheme.len()).is_some_and(|start| start.eq_ignore_ascii_case(scheme)))
        .map(|scheme| scheme.len())
}

/// The end of the host of a link with a scheme: a name with a dot, `localhost`, or an address.
fn host_end(text: &str, start: usize) -> Option<usize> {
    let rest = &text[start..];
    if rest.starts_with('[') {
        let close = rest.find(']')?;
        return rest[1..close].parse::<std::net::Ipv6Addr>().is_ok().then_some(start + close + 1);
    }
    let run = rest.find(|c: char| !is_host(c)).unwrap_or(rest.len());
    let run = rest[..run].trim_end_matches(['.', '-', '_']);
    if run.is_empty() || run.starts_with(['.', '-', '_']) {
        return None;
    }
    let last = run.rsplit('.').next().unwrap_or_default();
    if run.contains('.') && tlds::is_public(last) {
        return Some(start + run.len());
    }
    // Other letters may follow without a space: `https://acme.example次の日`.
    if let Some(end) = public_prefix(run) {
        return Some(start + end);
    }
    let ascii = run.find(|c: char| !c.is_ascii()).unwrap_or(run.len());
    let ascii = run[..ascii].trim_end_matches(['.', '-', '_']);
    (ascii.contains('.') || ascii.eq_ignore_ascii_case("localhost")).then_some(start + ascii.len())
}

/// The longest start of a run of host characters that ends in a public top-level domain, before a letter of another
/// script.
fn public_prefix(run: &str) -> Option<usize> {
    let mut best = None;
    for (dot, _) in run.match_indices('.') {
        let label = &run[dot + 1..];
        let end = label.find(|c: char| !c.is_ascii_alphanumeric()).unwrap_or(label.len());
        let next = label[end..].chars().next();
        if dot > 0 && next.is_some_and(|c| !c.is_ascii()) && tlds::is_public(&label[..end]) {
            best = Some(dot + 1 + end);
        }
    }
    best
}

fn is_host(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_') || (!c.is_ascii() && (c.is_alphanumeric() || is_mark(c)))
}

/// After a host, `:8080`.
fn port_end(text: &str, host_end: usize) -> usize {
    let Some(rest) = text[host_end..].strip_prefix(':') else { return host_end };
    let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
    if (1..=5).contains(&digits) { host_end + 1 + digits } else { host_end }
}

/// After host and port, path, query and fragment; without the punctuation of the sentence around.
fn path_end(text: &str, start: usize) -> usize {
    let rest = &text[start..];
    if !rest.starts_with(['/', '?', '#']) {
        return start;
    }
    let run = rest.find(ends_link).unwrap_or(rest.len());
    let mut path = &rest[..run];
    loop {
        let trimmed = path.trim_end_matches(['.', ',', ';', ':', '!', '?', '\'', '*', '…', '’']);
        let trimmed = match trimmed.chars().next_back() {
            Some(close @ (')' | ']' | '}')) if !is_balanced(trimmed, close) => &trimmed[..trimmed.len() - 1],
            _ => trimmed,
        };
        if trimmed.len() == path.len() {
            return start + path.len();
        }
        path = trimmed;
    }
}

fn is_balanced(text: &str, close: char) -> bool {
    let open = match close {
        ')' => '(',
        ']' => '[',
        _ => '{',
    };
    text.matches(close).count() <= text.matches(open).count()
}

/// White space, controls, quotation marks, and the punctuation of CJK texts, which follows a link without a space.
fn ends_link(c: char) -> bool {
    match c {
        '<' | '>' | '"' | '`' | '\\' | '^' => true,
        _ if c.is_ascii() => c.is_ascii_whitespace() || c.is_ascii_control(),
        '\u{ad}'
        | '“'
        | '”'
        | '„'
        | '«'
        | '»'
        | '‹'
        | '›'
        | '\u{200b}'
        | '\u{200e}'
        | '\u{200f}'
        | '\u{2028}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}'
        | '\u{feff}'
        | '\u{3000}'..='\u{3004}'
        | '\u{3008}'..='\u{3020}'
        | '\u{3030}'
        | '\u{30fb}'
        | '\u{ff01}'..='\u{ff0f}'
        | '\u{ff1a}'..='\u{ff20}'
        | '\u{ff3b}'..='\u{ff40}'
        | '\u{ff5b}'..='\u{ff65}' => true,
        _ => c.is_whitespace() || c.is_control(),
    }
}

/// The end of a link without a scheme.
fn bare_link(text: &str, start: usize, before: Option<char>) -> Option<usize> {
    let blocks = |c: char| {
        c.is_ascii_alphanumeric()
            || matches!(
                c,
                '@' | '＠' | '$' | '#' | '＃' | '_' | '-' | '.' | '/' | '\\' | ':' | '=' | '`' | '&' | '%' | '+' | '~'
            )
    };
    if before.is_some_and(blocks) || !text.as_bytes()[start].is_ascii_alphanumeric() {
        return None;
    }
    let rest = &text[start..];
    let run = rest.bytes().take_while(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-')).count();
    let host = rest[..run].trim_end_matches(['.', '-']);
    let (name, last) = host.rsplit_once('.')?;
    // `user@host`, `a_b.c`, `fn_name.rs::x`, `name.com()`.
    let next = rest[host.len()..].chars().next();
    if next.is_some_and(|c| matches!(c, '@' | '_' | '(' | '`' | '\\' | '=')) || rest[host.len()..].starts_with("::") {
        return None;
    }
    let labels_good = name
        .split('.')
        .all(|label| (1..=63).contains(&label.len()) && !label.starts_with('-') && !label.ends_with('-'));
    if !labels_good || !tlds::is_public(last) || !last.bytes().all(|byte| byte.is_ascii_alphabetic()) {
        return None;
    }
    let end = port_end(text, start + host.len());
    let full = path_end(text, end);
    let shouted = host.bytes().all(|byte| !byte.is_ascii_lowercase());
    let missing_space = last.starts_with(|c: char| c.is_ascii_uppercase()) && !shouted;
    let www = name.get(..4).is_some_and(|start| start.eq_ignore_ascii_case("www."));
    let has_path = full > end + 1;
    (www || has_path || !(tlds::is_doubtful(last) || missing_space)).then_some(full)
}

/// The end of a mention.
fn mention(text: &str, start: usize, before: Option<char>) -> Option<usize> {
    if before.is_some_and(|c| c.is_alphanumeric() || is_mark(c) || matches!(c, '_' | '/' | '=' | '@' | '+' | '$' | '`'))
    {
        return None;
    }
    let name = name_length(&text[start + 1..])?;
    let name_end = start + 1 + name;
    let Some(rest) = text[name_end..].strip_prefix('@') else { return Some(name_end) };
    match domain_length(rest) {
        0 => Some(name_end),
        length => Some(name_end + 1 + length),
    }
}

/// Length of a name: letters, digits and `_`, with `.` and `-` inside.
fn name_length(text: &str) -> Option<usize> {
    let run =
        text.bytes().take_while(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b'-')).count();
    if !text.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '_') {
        return None;
    }
    Some(text[..run].trim_end_matches(['.', '-']).len())
}

fn domain_length(text: &str) -> usize {
    if !text.starts_with(|c: char| is_host(c) && !matches!(c, '.' | '-')) {
        return 0;
    }
    let run = text.find(|c: char| !is_host(c)).unwrap_or(text.len());
    text[..run].trim_end_matches(['.', '-']).len()
}

/// The end of a tag: letters, digits, marks and `_`, not digits alone.
fn tag(text: &str, start: usize, before: Option<char>) -> Option<usize> {
    if before.is_some_and(|c| {
        c.is_alphanumeric() || is_mark(c) || matches!(c, '_' | '/' | '=' | ')' | '&' | '#' | '＃' | '`')
    }) {
        return None;
    }
    let sign = text[start..].chars().next()?.len_utf8();
    let body = &text[start + sign..];
    let mut end = 0;
    let mut counts = false;
    for (at, c) in body.char_indices() {
        if c.is_alphanumeric() || c == '_' || (at > 0 && is_mark(c)) {
            counts |= !c.is_numeric() && c != '_';
            end = at + c.len_utf8();
        } else if !(at > 0 && matches!(c, '\u{200c}' | '·' | '・')) {
            break;
        }
    }
    counts.then_some(start + sign + end)
}

fn is_mark(c: char) -> bool {
    !c.is_ascii() && unicode_normalization::char::is_combining_mark(c)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn found(text: &str) -> Vec<(FoundKind, &str)> {
        find(text).into_iter().map(|found| (found.kind, &text[found.start..found.end])).collect()
    }

    #[test]
    fn links() {
        for (text, link) in [
            ("see https://acme.example/2.0.", "https://acme.example/2.0"),
            ("(https://en.wikipedia.org/wiki/Primer_(film))", "https://en.wikipedia.org/wiki/Primer_(film)"),
            ("HTTPS://Acme.Example", "HTTPS://Acme.Example"),
            ("詳しくは https://acme.example/日本語。次", "https://acme.example/日本語"),
            ("これhttps://acme.exampleだよ", "https://acme.example"),
            ("“https://acme.example/a?b=c&d#e”", "https://acme.example/a?b=c&d#e"),
            ("http://localhost:8080/x, and", "http://localhost:8080/x"),
            ("http://[::1]:80/", "http://[::1]:80/"),
            ("https://пример.рф/путь!", "https://пример.рф/путь"),
            ("<https://acme.example>", "https://acme.example"),
            ("https://acme.example/@bob/1#x", "https://acme.example/@bob/1#x"),
            ("https://acme.example: the site", "https://acme.example"),
        ] {
            assert_eq!(found(text), [(FoundKind::Link, link)], "{text}");
        }
        for none in ["https://", "http://word", "xhttps://a", "https:// acme", "ftp://"] {
            assert_eq!(found(none), [], "{none}");
        }
    }

    #[test]
    fn bare_links() {
        for (text, link) in [
            ("acme.example/2.0 is out", "acme.example/2.0"),
            ("on docs.rs/clap today", "docs.rs/clap"),
            ("日本語 acme.com。", "acme.com"),
            ("www.rust.rs.", "www.rust.rs"),
            ("(sub.acme.co.uk:8080/x)", "sub.acme.co.uk:8080/x"),
        ] {
            assert_eq!(found(text), [(FoundKind::BareLink, link)], "{text}");
        }
        for none in [
            "edit foo.rs now",
            "src/main.rs",
            "`acme.com`",
            "bob@acme.com",
            "end.It was",
            "v1.2.3",
            "e.g. this",
            "a_b.com",
            "Cargo.toml",
            "io.rs::x",
            "notes.md",
            "1.5",
            "fmt.com()",
        ] {
            assert_eq!(found(none), [], "{none}");
        }
    }

    #[test]
    fn mentions_and_tags() {
        assert_eq!(
            found("@bob, @al.acme.example. (@eve@fedi.example) .@zoe #Rust #2026 ＃日本語、#v2_0! a#b x@y @"),
            [
                (FoundKind::Mention, "@bob"),
                (FoundKind::Mention, "@al.acme.example"),
                (FoundKind::Mention, "@eve@fedi.example"),
                (FoundKind::Mention, "@zoe"),
                (FoundKind::Tag, "#Rust"),
                (FoundKind::Tag, "＃日本語"),
                (FoundKind::Tag, "#v2_0"),
            ]
        );
        assert_eq!(found("#می‌خواهم #ไทย"), [(FoundKind::Tag, "#می‌خواهم"), (FoundKind::Tag, "#ไทย")]);
    }

    proptest! {
        #[test]
        fn in_order_and_on_boundaries(text in r"[a-z.:/@#日。é()👍‍ ]{0,40}", any in any::<String>(), middle in r"(https://)?[a-zé日.]{0,12}(/[(]?x[)]?)?") {
            for text in [text, any, format!("a {middle}, b")] {
                let mut at = 0;
                for found in find(&text) {
                    prop_assert!(found.start >= at && found.end > found.start);
                    prop_assert!(text.get(found.start..found.end).is_some());
                    at = found.end;
                }
            }
        }
    }
}
