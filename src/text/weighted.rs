//! X's weighted count: twitter-text's configuration v3 (repository `twitter/twitter-text`, `config/v3.json`, frozen since
//! 2021-10; read on 2026-11-22). Characters of the scripts that say little with one weigh 1, all others 2, a link 23 and
//! an emoji 2, of however many code points it is made. The text is composed (NFC) first.

use std::borrow::Cow;

use unicode_normalization::{IsNormalized, UnicodeNormalization, is_nfc_quick};

use super::{find, tlds};

/// What a link weighs unless the caller says otherwise.
pub(super) const LINK: u64 = 23;

/// Longest host name, longest label and longest link that are taken for a link, in bytes.
const HOST: usize = 253;
const LABEL: usize = 63;
const WHOLE: usize = 4096;
/// Longest slug of X's own link shortener.
const SLUG: usize = 40;

/// X's weighted length. `emoji`: an emoji sequence weighs 2 as a whole (v3); without it every code point is weighed for
/// itself (v2, kept because a part of the published test vectors is for it).
pub fn weighted_length(text: &str, emoji: bool) -> u64 {
    weigh(text, emoji, LINK)
}

pub(super) fn weigh(text: &str, emoji: bool, link: u64) -> u64 {
    let text = composed(text);
    let mut total = 0;
    let mut at = 0;
    for (start, end) in links(&text) {
        total += weigh_plain(&text[at..start], emoji) + link;
        at = end;
    }
    total + weigh_plain(&text[at..], emoji)
}

/// The weight of a text without links.
pub(super) fn weigh_plain(text: &str, emoji: bool) -> u64 {
    let mut total = 0;
    let mut at = 0;
    loop {
        let run = &text.as_bytes()[at..];
        let run = run.iter().position(|byte| !byte.is_ascii()).unwrap_or(run.len());
        total += run as u64;
        at += run;
        let mut chars = text[at..].chars();
        let Some(mut c) = chars.next() else { return total };
        if run > 0 && matches!(c, '\u{fe0f}' | '\u{20e3}') {
            // The last of the run may begin a key cap.
            at -= 1;
            total -= 1;
            c = char::from(text.as_bytes()[at]);
        }
        let length = if emoji && may_begin_emoji(c) { emoji_length(&text[at..]) } else { 0 };
        (total, at) = if length > 0 { (total + 2, at + length) } else { (total + weight(c), at + c.len_utf8()) };
    }
}

fn weight(c: char) -> u64 {
    match u32::from(c) {
        0..=4351 | 8192..=8205 | 8208..=8223 | 8242..=8247 => 1,
        _ => 2,
    }
}

/// NFC, without work where it is so already.
pub fn composed(text: &str) -> Cow<'_, str> {
    if text.is_ascii() || text.chars().all(is_inert) || is_nfc_quick(text.chars()) == IsNormalized::Yes {
        return Cow::Borrowed(text);
    }
    Cow::Owned(text.nfc().collect())
}

/// Surely composed with any such neighbour.
fn is_inert(c: char) -> bool {
    matches!(
        u32::from(c),
        0..=0x02FF | 0x0400..=0x0482 | 0x200B..=0x2027 | 0x3041..=0x3096 | 0x30A1..=0x30FA | 0x4E00..=0x9FFF | 0xAC00..=0xD7A3 | 0xFE0F | 0x1F300..=0x1FAFF
    )
}

pub(super) fn may_begin_emoji(c: char) -> bool {
    !c.is_ascii_alphabetic() && c != ' ' && (matches!(c, '#' | '*' | '0'..='9' | '©' | '®') || u32::from(c) >= 0x203C)
}

/// Length in bytes of the emoji sequence at the start; 0 where there is none.
pub(super) fn emoji_length(text: &str) -> usize {
    let mut end = emoji_element(text);
    if end == 0 {
        return 0;
    }
    while let Some(rest) = text[end..].strip_prefix('\u{200d}') {
        match emoji_element(rest) {
            0 => break,
            more => end += '\u{200d}'.len_utf8() + more,
        }
    }
    end
}

/// One emoji without what is joined to it: a flag, a key cap, or a picture with its modifier or tags.
fn emoji_element(text: &str) -> usize {
    let mut chars = text.chars();
    let Some(first) = chars.next() else { return 0 };
    let rest = chars.as_str();
    let mut end = first.len_utf8();
    let next = rest.chars().next();
    match first {
        '#' | '*' | '0'..='9' => {
            let cap = rest.strip_prefix('\u{fe0f}').unwrap_or(rest);
            if cap.starts_with('\u{20e3}') { text.len() - cap.len() + '\u{20e3}'.len_utf8() } else { 0 }
        }
        '\u{1f1e6}'..='\u{1f1ff}' => match next {
            Some(second @ '\u{1f1e6}'..='\u{1f1ff}') => end + second.len_utf8(),
            _ => 0,
        },
        // Text by default: they need the variation selector.
        '©' | '®' | '™' | '♟' => {
            if next == Some('\u{fe0f}') {
                end + '\u{fe0f}'.len_utf8()
            } else {
                0
            }
        }
        _ if !is_picture(first) || next == Some('\u{fe0e}') => 0,
        _ => {
            if let Some(modifier @ ('\u{fe0f}' | '\u{1f3fb}'..='\u{1f3ff}')) = next {
                end += modifier.len_utf8();
            }
            if text[end..].starts_with('\u{20e3}') {
                end += '\u{20e3}'.len_utf8();
            }
            let is_tag = |c: char| matches!(c, '\u{e0020}'..='\u{e007e}');
            let tags = text[end..].find(|c| !is_tag(c)).unwrap_or(text.len() - end);
            if tags > 0 && text[end + tags..].starts_with('\u{e007f}') {
                end += tags + '\u{e007f}'.len_utf8();
            }
            end
        }
    }
}

/// Emoji that are one code point.
fn is_picture(c: char) -> bool {
    matches!(
        u32::from(c),
        0x203C | 0x2049 | 0x2139 | 0x2194..=0x2199 | 0x21A9..=0x21AA | 0x231A..=0x231B | 0x2328 | 0x23CF | 0x23E9..=0x23F3
        | 0x23F8..=0x23FA | 0x24C2 | 0x25AA..=0x25AB | 0x25B6 | 0x25C0 | 0x25FB..=0x25FE | 0x2600..=0x2604 | 0x260E | 0x2611
        | 0x2614..=0x2615 | 0x2618 | 0x261D | 0x2620 | 0x2622..=0x2623 | 0x2626 | 0x262A | 0x262E..=0x262F | 0x2638..=0x263A
        | 0x2640 | 0x2642 | 0x2648..=0x2653 | 0x2660 | 0x2663 | 0x2665..=0x2666 | 0x2668 | 0x267B | 0x267E..=0x267F
        | 0x2692..=0x2697 | 0x2699 | 0x269B..=0x269C | 0x26A0..=0x26A1 | 0x26A7 | 0x26AA..=0x26AB | 0x26B0..=0x26B1
        | 0x26BD..=0x26BE | 0x26C4..=0x26C5 | 0x26C8 | 0x26CE..=0x26CF | 0x26D1 | 0x26D3..=0x26D4 | 0x26E9..=0x26EA
        | 0x26F0..=0x26F5 | 0x26F7..=0x26FA | 0x26FD | 0x2702 | 0x2705 | 0x2708..=0x270D | 0x270F | 0x2712 | 0x2714 | 0x2716
        | 0x271D | 0x2721 | 0x2728 | 0x2733..=0x2734 | 0x2744 | 0x2747 | 0x274C | 0x274E | 0x2753..=0x2755 | 0x2757
        | 0x2763..=0x2764 | 0x2795..=0x2797 | 0x27A1 | 0x27B0 | 0x27BF | 0x2934..=0x2935 | 0x2B05..=0x2B07 | 0x2B1B..=0x2B1C
        | 0x2B50 | 0x2B55 | 0x3030 | 0x303D | 0x3297 | 0x3299 | 0x1F004 | 0x1F0CF | 0x1F170..=0x1F171 | 0x1F17E..=0x1F17F
        | 0x1F18E | 0x1F191..=0x1F19A | 0x1F201..=0x1F202 | 0x1F21A | 0x1F22F | 0x1F232..=0x1F23A | 0x1F250..=0x1F251
        | 0x1F300..=0x1F64F | 0x1F680..=0x1F6FF | 0x1F7E0..=0x1F7F0 | 0x1F90C..=0x1F9FF | 0x1FA70..=0x1FAFF
    )
}

/// The links that X would shorten, as byte ranges.
pub fn links(text: &str) -> Vec<(usize, usize)> {
    let mut found = Vec::new();
    // A dot at a sentence's end makes no host.
    let dots = text.as_bytes().windows(2);
    if !dots.into_iter().any(|pair| pair[0] == b'.' && (pair[1].is_ascii_alphanumeric() || !pair[1].is_ascii())) {
        return found;
    }
    let mut at = 0;
    let mut before: Option<char> = None;
    while let Some(c) = text[at..].chars().next() {
        let blocked = before.is_some_and(|c| {
            c.is_ascii_alphanumeric()
                || matches!(c, '@' | '＠' | '$' | '#' | '＃' | '\u{fffe}' | '\u{feff}' | '\u{ffff}')
        });
        if !blocked && let Some(end) = link_at(text, at, before) {
            found.push((at, end));
            before = text[..end].chars().next_back();
            at = end;
            continue;
        }
        at += c.len_utf8();
        before = Some(c);
        if c.is_ascii_alphanumeric() {
            // A link begins where a word does.
            let word = text.as_bytes()[at..].iter().take_while(|byte| byte.is_ascii_alphanumeric()).count();
            if word > 0 {
                at += word;
                before = text[..at].chars().next_back();
            }
        }
    }
    found
}

fn link_at(text: &str, start: usize, before: Option<char>) -> Option<usize> {
    let rest = &text[start..];
    let scheme = find::scheme_length(rest);
    let host_start = scheme.unwrap_or(0);
    let bare = scheme.is_none();
    if bare && (before.is_some_and(|c| matches!(c, '-' | '_' | '.' | '/')) || !rest.starts_with(is_latin)) {
        return None;
    }
    let host = host_start + host_length(&rest[host_start..], bare)?;
    let mut end = host;
    if let Some(port) = rest[end..].strip_prefix(':') {
        let digits = port.bytes().take_while(u8::is_ascii_digit).count();
        end += if digits > 0 { 1 + digits } else { 0 };
    }
    if rest[host_start..host].eq_ignore_ascii_case("t.co") && rest[end..].starts_with('/') {
        let slug = rest[end + 1..].bytes().take_while(u8::is_ascii_alphanumeric).count();
        return if slug > SLUG { None } else { Some(start + end + 1 + slug) };
    }
    if rest[end..].starts_with('/') {
        end += 1 + run_length(&rest[end + 1..], is_path, ends_path);
    }
    if rest[end..].starts_with('?') {
        let query = run_length(&rest[end + 1..], is_query, ends_query);
        end += if query > 0 { 1 + query } else { 0 };
    }
    (end <= WHOLE).then_some(start + end)
}

/// The longest host that ends in a public top-level domain.
fn host_length(text: &str, bare: bool) -> Option<usize> {
    let inside = |c: char| {
        matches!(c, '.' | '-')
            || if bare { is_latin(c) } else { c == '_' || c.is_ascii_alphanumeric() || is_host_letter(c) }
    };
    let run = &text[..text.find(|c| !inside(c)).unwrap_or(text.len())];
    let mut best = None;
    for (dot, _) in run.match_indices('.') {
        let after = &text[dot + 1..];
        let label = after.find(|c: char| !c.is_ascii_alphanumeric() && !is_host_letter(c)).unwrap_or(after.len());
        // Another script may follow without a space, so every end before one of its letters is tried.
        for (end, next) in after.char_indices().map(|(end, c)| (end, Some(c))).chain([(after.len(), None)]) {
            if end > label {
                break;
            }
            let free = next.is_none_or(|c| !c.is_ascii_alphanumeric() && !matches!(c, '@' | '+' | '-' | '_'));
            let whole = dot + 1 + end;
            if free && tlds::is_public(&after[..end]) && is_host(&text[..dot]) && fits(&text[..whole]) {
                best = best.max(Some(whole));
            }
        }
    }
    best
}

/// Labels before the top-level domain: nothing empty, no hyphen at an edge, `_` only inside subdomains.
fn is_host(name: &str) -> bool {
    let mut labels = name.rsplit('.');
    let domain = labels.next().unwrap_or_default();
    let edges = |label: &str| !label.is_empty() && !label.starts_with(['-', '_']) && !label.ends_with(['-', '_']);
    edges(domain) && !domain.contains('_') && labels.all(edges)
}

/// Lengths in the form that goes over the wire.
fn fits(host: &str) -> bool {
    let short = |host: &str| host.len() <= HOST && host.split('.').all(|label| label.len() <= LABEL);
    if host.is_ascii() {
        return short(host);
    }
    let Ok(url::Host::Domain(ascii)) = url::Host::parse(&host.replace('_', "-")) else { return false };
    short(&ascii)
}

/// The longest start of characters of a path or query that ends in one that may end it. Parentheses must balance.
fn run_length(text: &str, inside: fn(char) -> bool, ends: fn(char) -> bool) -> usize {
    let mut best = 0;
    let mut open = 0_u32;
    for (at, c) in text.char_indices() {
        match c {
            '(' => open += 1,
            ')' if open > 0 => {
                open -= 1;
                if open == 0 {
                    best = at + 1;
                }
            }
            ')' => break,
            _ if !inside(c) => break,
            _ if open == 0 && ends(c) => best = at + c.len_utf8(),
            _ => {}
        }
    }
    best
}

fn is_path(c: char) -> bool {
    is_latin(c) || is_cyrillic(c) || "!*';:=+,.$/%#[]-–_~@|&".contains(c)
}

fn ends_path(c: char) -> bool {
    is_latin(c) || is_cyrillic(c) || "+-=_#/".contains(c)
}

fn is_query(c: char) -> bool {
    c.is_ascii_alphanumeric() || "!?*';:&=+$/%#[]-_.,~|@".contains(c)
}

fn ends_query(c: char) -> bool {
    c.is_ascii_alphanumeric() || "-_&=#/".contains(c)
}

fn is_latin(c: char) -> bool {
    match u32::from(c) {
        0..=0x7F => c.is_ascii_alphanumeric(),
        0xC0..=0xD6 | 0xD8..=0xF6 | 0xF8..=0x24F | 0x1E00..=0x1EFF => true,
        _ => false,
    }
}

fn is_cyrillic(c: char) -> bool {
    matches!(c, '\u{400}'..='\u{4ff}')
}

/// Letters and symbols of host names in other scripts: what is neither ASCII, nor punctuation, nor space, nor control.
fn is_host_letter(c: char) -> bool {
    !c.is_ascii()
        && !c.is_whitespace()
        && !matches!(u32::from(c),
            0x80..=0xBF | 0xD7 | 0xF7 | 0x2000..=0x206F | 0x2E00..=0x2E7F | 0x3000..=0x3004 | 0x3008..=0x3020 | 0x3030
            | 0xFE30..=0xFE6F | 0xFEFF | 0xFF00..=0xFF0F | 0xFF1A..=0xFF20 | 0xFF3B..=0xFF40 | 0xFF5B..=0xFF65 | 0xFFF0..=0xFFFF)
}
