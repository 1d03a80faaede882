//! Characters that a reviewer cannot see, or that make a text read in another order than it is written.

use super::weighted::{emoji_length, may_begin_emoji};

/// A character that is not what it seems.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Hazard {
    /// Kind.
    pub kind: HazardKind,
    /// From this byte.
    pub start: usize,
    /// To before this byte.
    pub end: usize,
    /// What it is called: `right-to-left override`.
    pub name: &'static str,
}

/// Kinds of hazards.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum HazardKind {
    /// Changes the order in which a text is shown.
    Bidi,
    /// Is not seen.
    Invisible,
    /// A control character other than tab and line end.
    Control,
}

/// Characters that are not what they seem, in order. Joiners where a script or an emoji needs them are none.
pub fn hazards(text: &str) -> Vec<Hazard> {
    let mut found = Vec::new();
    // Most texts have none of these characters, and then it does not matter what is an emoji.
    if !text.chars().any(|c| !is_plain(c) && hazard(c).is_some()) {
        return found;
    }
    let mut before = None;
    let mut emoji_until = 0;
    for (start, c) in text.char_indices() {
        let end = start + c.len_utf8();
        if start >= emoji_until && !c.is_ascii() && may_begin_emoji(c) {
            emoji_until = start + emoji_length(&text[start..]);
        }
        if start >= emoji_until
            && let Some((kind, name)) = hazard(c)
            && !(matches!(c, '\u{200c}' | '\u{200d}') && joins(before, text[end..].chars().next()))
        {
            found.push(Hazard { kind, start, end, name });
        }
        before = Some(c);
    }
    found
}

/// Blocks of common scripts in which no character is a hazard: seen sooner than in the list of those that are.
fn is_plain(c: char) -> bool {
    matches!(
        u32::from(c),
        0x20..=0x7E | 0xAE..=0x034E | 0x0370..=0x061B | 0x061D..=0x115E | 0x2070..=0x27FF | 0x3000..=0x3163 | 0x3165..=0xFEFE
        | 0x1F000..=0x1FFFF
    )
}

fn hazard(c: char) -> Option<(HazardKind, &'static str)> {
    use HazardKind::{Bidi, Control, Invisible};
    Some(match c {
        '\t' | '\n' | '\r' => return None,
        '\u{61c}' => (Bidi, "Arabic letter mark"),
        '\u{200e}' => (Bidi, "left-to-right mark"),
        '\u{200f}' => (Bidi, "right-to-left mark"),
        '\u{202a}' => (Bidi, "left-to-right embedding"),
        '\u{202b}' => (Bidi, "right-to-left embedding"),
        '\u{202c}' => (Bidi, "pop directional formatting"),
        '\u{202d}' => (Bidi, "left-to-right override"),
        '\u{202e}' => (Bidi, "right-to-left override"),
        '\u{2066}' => (Bidi, "left-to-right isolate"),
        '\u{2067}' => (Bidi, "right-to-left isolate"),
        '\u{2068}' => (Bidi, "first strong isolate"),
        '\u{2069}' => (Bidi, "pop directional isolate"),
        '\u{ad}' => (Invisible, "soft hyphen"),
        '\u{34f}' => (Invisible, "combining grapheme joiner"),
        '\u{115f}' | '\u{1160}' | '\u{3164}' | '\u{ffa0}' => (Invisible, "Hangul filler"),
        '\u{17b4}' | '\u{17b5}' => (Invisible, "Khmer inherent vowel"),
        '\u{180e}' => (Invisible, "Mongolian vowel separator"),
        '\u{200b}' => (Invisible, "zero-width space"),
        '\u{200c}' => (Invisible, "zero-width non-joiner"),
        '\u{200d}' => (Invisible, "zero-width joiner"),
        '\u{2028}' => (Invisible, "line separator"),
        '\u{2029}' => (Invisible, "paragraph separator"),
        '\u{2060}' => (Invisible, "word joiner"),
        '\u{2061}'..='\u{2064}' => (Invisible, "invisible operator"),
        '\u{206a}'..='\u{206f}' => (Invisible, "deprecated format character"),
        '\u{2800}' => (Invisible, "blank Braille pattern"),
        '\u{feff}' => (Invisible, "byte order mark"),
        '\u{fff9}'..='\u{fffb}' => (Invisible, "interlinear annotation character"),
        '\u{1d173}'..='\u{1d17a}' => (Invisible, "musical format character"),
        '\u{e0000}'..='\u{e007f}' => (Invisible, "tag character"),
        '\u{e0100}'..='\u{e01ef}' => (Invisible, "variation selector"),
        _ if c.is_control() => (Control, "control character"),
        _ => return None,
    })
}

/// Joiners mean something between letters of scripts that join: Arabic, Syriac and their kin, and those of India and
/// its neighbours.
fn joins(before: Option<char>, after: Option<char>) -> bool {
    let script = |c: char| matches!(u32::from(c), 0x0600..=0x08FF | 0x0900..=0x0DFF | 0x0E80..=0x0FFF | 0x1000..=0x109F | 0x1780..=0x18AF | 0xA840..=0xABFF | 0xFB50..=0xFDFF | 0xFE70..=0xFEFC | 0x11000..=0x11FFF);
    before.is_some_and(script) && after.is_none_or(|c| script(c) || c.is_whitespace() || c.is_ascii_punctuation())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(text: &str) -> Vec<&'static str> {
        hazards(text).into_iter().map(|hazard| hazard.name).collect()
    }

    #[test]
    fn what_belongs_in_a_text_is_no_hazard() {
        for good in ["plain\ttext\r\n", "👩‍👩‍👧 👍🏽 ❤️ 🏴󠁧󠁢󠁥󠁮󠁧󠁿 1️⃣", "می‌خواهم", "क्‍ष", "日本語 español", "🏳️‍🌈"]
        {
            assert_eq!(names(good), Vec::<&str>::new(), "{good}");
        }
    }

    #[test]
    fn plain_blocks_have_no_hazard() {
        assert_eq!(('\0'..=char::MAX).find(|c| is_plain(*c) && hazard(*c).is_some()), None);
    }

    #[test]
    fn what_is_not_seen_is_told() {
        assert_eq!(names("a\u{202e}b\u{2066}"), ["right-to-left override", "left-to-right isolate"]);
        assert_eq!(
            names("\u{feff}a\u{200b}b\u{ad}c\u{200d}d"),
            ["byte order mark", "zero-width space", "soft hyphen", "zero-width joiner"]
        );
        assert_eq!(names("a\u{e0061}\u{7}"), ["tag character", "control character"]);
        assert_eq!(
            hazards("é\u{200b}")[0],
            Hazard { kind: HazardKind::Invisible, start: 2, end: 5, name: "zero-width space" }
        );
    }
}
