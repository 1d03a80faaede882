//! Extended grapheme clusters, counted fast.
//!
//! Asking the segmentation tables about every character is what measuring a text costs. Most neighbours can never join,
//! whatever stands around them, and that is seen from ranges; the library is asked about the runs that remain.

use unicode_segmentation::UnicodeSegmentation;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Class {
    /// Never joins a neighbour of this class.
    Plain,
    /// A control: nothing joins it (CR is [`Class::Other`], for CR LF).
    Control,
    /// Joins what stands before it, and nothing more: combining marks, variation selectors, skin tones.
    Mark,
    /// Everything else: the library decides.
    Other,
}

fn class(c: char) -> Class {
    match u32::from(c) {
        0x0D => Class::Other,
        0x00..=0x1F | 0x7F..=0x9F | 0xAD => Class::Control,
        0x0300..=0x036F
        | 0x0591..=0x05BD
        | 0x064B..=0x065F
        | 0x0E31
        | 0x0E34..=0x0E3A
        | 0x0E47..=0x0E4E
        | 0x3099..=0x309A
        | 0xFE00..=0xFE0F
        | 0x1F3FB..=0x1F3FF => Class::Mark,
        0x20..=0x02FF
        | 0x0370..=0x0377
        | 0x0384..=0x0386
        | 0x0388..=0x038A
        | 0x038E..=0x03A1
        | 0x03A3..=0x0482
        | 0x048A..=0x052F
        | 0x0531..=0x0556
        | 0x05D0..=0x05EA
        | 0x060C..=0x060F
        | 0x0620..=0x064A
        | 0x0660..=0x066F
        | 0x0671..=0x06D5
        | 0x0E01..=0x0E30
        | 0x0E40..=0x0E46
        | 0x0E50..=0x0E5B
        | 0x1E00..=0x1EFF
        | 0x2000..=0x200A
        | 0x2010..=0x2027
        | 0x202F..=0x205F
        | 0x2070..=0x2071
        | 0x20A0..=0x20C0
        | 0x2100..=0x2BFF
        | 0x3000..=0x3029
        | 0x3030..=0x3096
        | 0x309B..=0x30FF
        | 0x3105..=0x312F
        | 0x3200..=0xA48C
        | 0xAC00..=0xD7A3
        | 0xF900..=0xFA6D
        | 0xFF01..=0xFF9D
        | 0x1F300..=0x1F3FA
        | 0x1F400..=0x1FAFF
        | 0x20000..=0x2FA1D => Class::Plain,
        _ => Class::Other,
    }
}

/// How many there are.
pub(super) fn count(text: &str) -> u64 {
    let mut total = 0;
    let mut rest = text;
    loop {
        let (counted, unsettled) = settled(rest);
        total += counted;
        let Some(start) = unsettled else { return total };
        let run = &rest[start..];
        let end = run_end(run);
        total += run[..end].graphemes(true).map(|_| 1).sum::<u64>();
        rest = &run[end..];
    }
}

/// The clusters that need no tables, and where the first run begins that does.
fn settled(text: &str) -> (u64, Option<usize>) {
    let mut total = 0;
    let mut last = None;
    let mut at = 0;
    loop {
        // Runs of ASCII are most of most texts: every byte is one, but for CR LF.
        let run = &text.as_bytes()[at..];
        let run = run.iter().position(|byte| !byte.is_ascii() || *byte == b'\r').unwrap_or(run.len());
        if run > 0 {
            total += run as u64;
            at += run;
            let control = text.as_bytes()[at - 1].is_ascii_control();
            last = Some((if control { Class::Control } else { Class::Plain }, at - 1));
        }
        let Some(c) = text[at..].chars().next() else { return (total, None) };
        match (class(c), last) {
            (now @ (Class::Plain | Class::Control), _) => {
                total += 1;
                last = Some((now, at));
            }
            (Class::Mark, Some((Class::Plain, _))) => {}
            // It may join the cluster before it, which is then part of the run.
            (_, Some((Class::Plain, start))) => return (total - 1, Some(start)),
            _ => return (total, Some(at)),
        }
        at += c.len_utf8();
    }
}

/// Where a run ends that begins at 0: before the second of two neighbours that never join.
fn run_end(run: &str) -> usize {
    let mut apart = false;
    for (at, c) in run.char_indices() {
        let now = matches!(class(c), Class::Plain | Class::Control);
        if now && apart {
            return at;
        }
        apart = now;
    }
    run.len()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn slow(text: &str) -> u64 {
        text.graphemes(true).count() as u64
    }

    #[test]
    fn classes_agree_with_the_tables() {
        let neighbours = ["a", "\n", "가", "👍", "é", "ア", "ก", "ب", "。"];
        let mut text = String::new();
        for c in ('\0'..=char::MAX).filter(|c| class(*c) != Class::Other) {
            for neighbour in neighbours {
                for joined in [false, true] {
                    text.clear();
                    text.push_str(if joined { neighbour } else { "" });
                    text.push(c);
                    text.push_str(neighbour);
                    assert_eq!(count(&text), slow(&text), "U+{:04X} with {neighbour:?}", u32::from(c));
                }
            }
        }
    }

    #[test]
    fn difficult_texts() {
        for text in [
            "",
            "\r\n",
            "\n\u{300}\u{300}",
            "🇩🇪🇫🇷🇩",
            "👨‍👩‍👧‍👦👍🏽",
            "क्षि",
            "\u{1100}\u{1161}\u{11a8}가",
            "é\u{200d}✈️",
            "\u{600}a",
        ] {
            assert_eq!(count(text), slow(text), "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn as_the_tables_say(text in r"[a\r\n\u{300}\u{200d}\u{fe0f}👍🏽❤🇩🇪क्षิกำ가각\u{600}✈ -]{0,24}", any in any::<String>()) {
            prop_assert_eq!(count(&text), slow(&text));
            prop_assert_eq!(count(&any), slow(&any));
        }
    }
}
