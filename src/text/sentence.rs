//! Where a text may be cut, and how good a place it is.

/// How good a place for a cut is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Rank {
    /// Inside a word, between two graphemes.
    Grapheme,
    /// Between two words, or two ideographs.
    Word,
    /// After a sentence.
    Sentence,
    /// After a line.
    Line,
    /// After a paragraph.
    Paragraph,
}

/// Words that end in a full stop within a sentence, in small letters, without the last stop.
const ABBREVIATIONS: [&str; 44] = [
    "al", "approx", "art", "bzw", "ca", "cf", "co", "corp", "d.h", "dept", "dr", "e.g", "ed", "eds", "esp", "est",
    "fig", "ggf", "i.e", "inc", "jr", "lt", "ltd", "mr", "mrs", "ms", "mt", "no", "nr", "p", "p.ex", "pp", "prof",
    "resp", "rev", "sr", "st", "u.a", "u.s", "usw", "vgl", "vol", "vs", "z.b",
];

/// How good a cut before byte `at` is.
pub(super) fn rank(text: &str, at: usize) -> Rank {
    let (before, after) = text.split_at(at);
    let head = before.trim_end();
    let gap = &before[head.len()..];
    let tail = after.trim_start();
    let newlines = gap.matches('\n').count() + after[..after.len() - tail.len()].matches('\n').count();
    let spaced = !gap.is_empty() || tail.len() < after.len();
    match newlines {
        0 => {}
        1 => return Rank::Line,
        _ => return Rank::Paragraph,
    }
    if ends_sentence(head, tail, spaced) {
        return Rank::Sentence;
    }
    let (Some(last), Some(first)) = (head.chars().next_back(), tail.chars().next()) else { return Rank::Word };
    if spaced {
        return Rank::Word;
    }
    // Ideographs stand without spaces; no line begins with a closing mark or ends with an opening one.
    let wide = |c: char| matches!(u32::from(c), 0x3041..=0x30FF | 0x3400..=0x9FFF | 0x20000..=0x3FFFF);
    let comma = matches!(last, '、' | '，' | '；' | '：');
    if (wide(last) || comma) && wide(first) { Rank::Word } else { Rank::Grapheme }
}

fn ends_sentence(head: &str, tail: &str, spaced: bool) -> bool {
    let core = head.trim_end_matches(['"', '\'', ')', ']', '”', '’', '»', '」', '』', '）', '】']);
    match core.chars().next_back() {
        Some('。' | '！' | '？' | '｡') => !tail.starts_with(['」', '』', '）', '】', '。', '！', '？', '｡', '”']),
        Some('!' | '?' | '…' | '؟' | '۔' | '।') => spaced,
        Some('.') if spaced => {
            let word = core[..core.len() - 1].rsplit(char::is_whitespace).next().unwrap_or_default();
            let word = word.trim_start_matches(|c: char| !c.is_alphanumeric()).to_lowercase();
            let initial = word.chars().count() == 1 && word.chars().all(char::is_alphabetic);
            // `3. Oktober`: an ordinal, unless the text goes on like a new sentence after a longer number.
            let ordinal = !word.is_empty() && word.len() <= 2 && word.bytes().all(|byte| byte.is_ascii_digit());
            let goes_on = tail.starts_with(char::is_lowercase);
            !initial && !ordinal && !goes_on && !ABBREVIATIONS.contains(&word.as_str())
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rank_after(text: &str, head: &str) -> Rank {
        let at = text.find(head).expect("the head is in the text") + head.len();
        rank(text, at)
    }

    #[test]
    fn sentences() {
        assert_eq!(rank_after("It is out. Read on.", "out."), Rank::Sentence);
        assert_eq!(rank_after("It is \"out.\" Read on.", "\""), Rank::Grapheme);
        assert_eq!(rank_after("It is “out.” Read on.", ".”"), Rank::Sentence);
        assert_eq!(rank_after("Really?! Yes.", "?!"), Rank::Sentence);
        assert_eq!(rank_after("公開しました。次は", "。"), Rank::Sentence);
        assert_eq!(rank_after("「公開しました。」次は", "。"), Rank::Grapheme);
        assert_eq!(rank_after("「公開しました。」次は", "」"), Rank::Sentence);
    }

    #[test]
    fn what_only_looks_like_a_sentences_end() {
        for (text, head) in [
            ("Tools, e.g. Rust, are fine", "e.g."),
            ("Mit z. B. Rust", "z."),
            ("Ask Dr. Who", "Dr."),
            ("J. Smith wrote it", "J."),
            ("am 3. Oktober", "3."),
            ("foo etc. and so on", "etc."),
        ] {
            assert_eq!(rank_after(text, head), Rank::Word, "{text}");
        }
        assert_eq!(rank_after("It costs 3.14 euro", "3."), Rank::Grapheme);
        assert_eq!(rank_after("a\n\nb", "a"), Rank::Paragraph);
        assert_eq!(rank_after("a\nb", "a\n"), Rank::Line);
        assert_eq!(rank_after("日本語", "日"), Rank::Word);
    }
}
