//! Splitting a text into the parts of a thread.

use unicode_segmentation::UnicodeSegmentation;

use super::measure::{self, Atom, atoms, is_boundary};
use super::sentence::{Rank, rank};
use super::{Counting, FoundKind, Piece, find};

/// Splits a text at paragraph, then sentence, then word, never inside a grapheme, a link or a mention. `limits`: each with
/// its maximum; all must hold for every piece. `numbered`: each piece of several ends with ` k/n`. `Err`: the byte at which
/// a thing starts that fits in no piece.
pub fn split(text: &str, limits: &[(Counting, u64)], numbered: bool) -> Result<Vec<Piece>, usize> {
    let whole = trimmed(text, 0, text.len());
    if fits(&text[whole.0..whole.1], limits) {
        return Ok(vec![Piece { text: text[whole.0..whole.1].to_owned(), start: whole.0, end: whole.1 }]);
    }
    let cuts = Cuts::new(text);
    // How many digits the number of pieces has is known only afterwards, and they take room.
    let mut digits = usize::from(numbered);
    loop {
        let ranges = cut_all(text, &cuts, limits, digits)?;
        let needed = if numbered { ranges.len().to_string().len() } else { 0 };
        if needed > digits {
            digits = needed;
            continue;
        }
        let count = ranges.len();
        let piece = |(index, &(start, end)): (usize, &(usize, usize))| {
            let number = if numbered && count > 1 { format!(" {}/{count}", index + 1) } else { String::new() };
            Piece { text: format!("{}{number}", &text[start..end]), start, end }
        };
        return Ok(ranges.iter().enumerate().map(piece).collect());
    }
}

/// Where a text may be cut: after which bytes, and how well.
struct Cuts {
    places: Vec<(usize, Rank)>,
}

impl Cuts {
    fn new(text: &str) -> Self {
        // Counted by bytes, nothing has a weight of its own; all that is asked for here is what may not be cut.
        let raw = Counting { unit: super::Unit::Bytes, link: None, mention: super::MentionWeight::Raw };
        let tags: Vec<_> = find(text).into_iter().filter(|found| found.kind == FoundKind::Tag).collect();
        let mut tags = tags.iter().peekable();
        let mut places = Vec::new();
        for Atom { end, .. } in atoms(text, raw) {
            while tags.next_if(|tag| tag.end <= end).is_some() {}
            let free = tags.peek().is_none_or(|tag| end <= tag.start || end >= tag.end);
            if free && is_boundary(text, end) {
                places.push((end, rank(text, end)));
            }
        }
        Self { places }
    }

    fn within(&self, start: usize, end: usize) -> &[(usize, Rank)] {
        let from = self.places.partition_point(|(at, _)| *at <= start);
        let to = self.places.partition_point(|(at, _)| *at <= end);
        &self.places[from..to]
    }
}

fn cut_all(text: &str, cuts: &Cuts, limits: &[(Counting, u64)], digits: usize) -> Result<Vec<(usize, usize)>, usize> {
    let mut ranges: Vec<(usize, usize)> = Vec::new();
    let (mut start, end) = trimmed(text, 0, text.len());
    while start < end {
        // ` k/n`: a space, a slash and the digits, each one in every unit.
        let suffix = if digits == 0 { 0 } else { 2 + digits + (ranges.len() + 1).to_string().len() };
        let suffix = u64::try_from(suffix).unwrap_or(u64::MAX);
        let room: Vec<_> = limits.iter().map(|(counting, max)| (*counting, max.saturating_sub(suffix))).collect();
        if fits(&text[start..end], &room) {
            balance(text, cuts, &room, &mut ranges, start, end);
            return Ok(ranges);
        }
        let cut = best_cut(text, cuts, &room, start, end).ok_or(start)?;
        ranges.push(trimmed(text, start, cut));
        start = trimmed(text, cut, end).0;
    }
    Ok(ranges)
}

/// The best place for the end of a piece that begins at `start`: of the good ones the last, unless it is far too early.
fn best_cut(text: &str, cuts: &Cuts, room: &[(Counting, u64)], start: usize, end: usize) -> Option<usize> {
    let places = cuts.within(start, end);
    let fit = |at: usize| fits(&text[start..trimmed(text, start, at).1], room);
    // In doubling steps first: the rest of a long text need not be measured for every piece of it.
    let mut window = 64;
    while window < places.len() && fit(places[window - 1].0) {
        window *= 2;
    }
    let places = &places[..window.min(places.len())];
    let fitting = &places[..places.partition_point(|(at, _)| fit(*at))];
    let last = fitting.last()?.0;
    let filled = |at: usize, share: usize| (at - start) * share >= last - start;
    [(Rank::Paragraph, 3), (Rank::Line, 3), (Rank::Sentence, 4), (Rank::Word, usize::MAX)]
        .into_iter()
        .find_map(|(rank, share)| {
            fitting.iter().rev().find(|(at, found)| *found >= rank && (share == usize::MAX || filled(*at, share)))
        })
        .map(|(at, _)| *at)
        .or(Some(last))
        .filter(|at| trimmed(text, start, *at).1 > start)
}

/// Adds the last piece. Where it would be a word or two, the piece before it gives some of its text away.
fn balance(
    text: &str,
    cuts: &Cuts,
    room: &[(Counting, u64)],
    ranges: &mut Vec<(usize, usize)>,
    start: usize,
    end: usize,
) {
    if let Some(&(before, before_end)) = ranges.last() {
        let short = (end - start) * 4 < before_end - before && rank(text, start) < Rank::Paragraph;
        let middle = before + (end - before) / 2;
        let better = cuts
            .within(before, start)
            .iter()
            .filter(|(at, rank)| *rank >= Rank::Word && *at >= middle.min(before_end) && *at < start)
            .filter(|(at, _)| {
                let (from, to) = (trimmed(text, before, *at), trimmed(text, *at, end));
                from.1 > from.0 && fits(&text[from.0..from.1], room) && fits(&text[to.0..to.1], room)
            })
            .max_by_key(|(at, rank)| (*rank, std::cmp::Reverse(*at)));
        if let (true, Some((at, _))) = (short, better) {
            ranges.pop();
            ranges.push(trimmed(text, before, *at));
            ranges.push(trimmed(text, *at, end));
            return;
        }
    }
    ranges.push((start, end));
}

fn fits(text: &str, limits: &[(Counting, u64)]) -> bool {
    limits.iter().all(|(counting, max)| measure::fits(text, *counting, *max))
}

/// A range without the white space at its ends. White space that carries a mark is none.
fn trimmed(text: &str, start: usize, end: usize) -> (usize, usize) {
    let piece = &text[start..end];
    let blank = |cluster: &&str| cluster.trim().is_empty();
    if !piece.starts_with(char::is_whitespace) && !piece.ends_with(char::is_whitespace) {
        return (start, end);
    }
    let from = start + piece.graphemes(true).take_while(blank).map(str::len).sum::<usize>();
    let to = end - piece.graphemes(true).rev().take_while(blank).map(str::len).sum::<usize>();
    (from, to.max(from))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::text::{MentionWeight, Unit};
    use proptest::prelude::*;

    fn graphemes(max: u64) -> [(Counting, u64); 1] {
        [(Counting { unit: Unit::Graphemes, link: None, mention: MentionWeight::Raw }, max)]
    }

    fn texts(text: &str, max: u64, numbered: bool) -> Vec<String> {
        split(text, &graphemes(max), numbered).expect("it can be split").into_iter().map(|piece| piece.text).collect()
    }

    #[test]
    fn the_best_place_wins() {
        assert_eq!(texts(" It fits. ", 20, true), ["It fits."]);
        assert_eq!(
            texts("One two three.\n\nFour five six seven.", 24, false),
            ["One two three.", "Four five six seven."]
        );
        assert_eq!(
            texts("One two. Three four five. Six seven eight.", 30, false),
            ["One two. Three four five.", "Six seven eight."]
        );
        assert_eq!(texts("one two three four five six", 12, false), ["one two", "three four", "five six"]);
        assert_eq!(texts("abcdefghij", 4, false), ["abcd", "efgh", "ij"]);
        assert_eq!(texts("今日は晴れです。明日は雨です。", 9, false), ["今日は晴れです。", "明日は雨です。"]);
    }

    #[test]
    fn no_word_stands_alone_at_the_end() {
        assert_eq!(texts("one two three four five six seven", 28, false), ["one two three four", "five six seven"]);
    }

    #[test]
    fn numbers_take_room_and_grow() {
        let text = "word ".repeat(200);
        let pieces = texts(&text, 12, true);
        assert!(pieces.len() > 99);
        assert!(pieces[0].ends_with(&format!(" 1/{}", pieces.len())));
        assert!(pieces.iter().all(|piece| piece.chars().count() <= 12));
    }

    #[test]
    fn links_and_mentions_stay_whole() {
        let text = "Read this at https://acme.example/a/very/long/path and thank @bob.acme.example for it";
        for piece in texts(text, 40, false) {
            assert!(!piece.contains("https:") || piece.contains("https://acme.example/a/very/long/path"), "{piece}");
            assert!(!piece.contains('@') || piece.contains("@bob.acme.example"), "{piece}");
        }
        assert_eq!(split(text, &graphemes(20), false), Err(13));
    }

    proptest! {
        #[test]
        fn nothing_is_lost_and_nothing_is_cut(
            words in prop::collection::vec(prop_oneof![
                "[a-zäß]{1,9}[.,!?]?", "[👍🏽❤️é👨‍👩‍👧 ]{1,6}", "[日本語。、]{1,8}", Just("\n\n".to_owned()), Just("\n".to_owned()),
                Just("https://acme.example/x?y=1#z".to_owned()), Just("@bob@acme.example".to_owned()), Just("#tag".to_owned()),
            ], 1..60),
            max in 30_u64..90,
            numbered in any::<bool>(),
            unit in prop_oneof![Just(Unit::Graphemes), Just(Unit::CodePoints), Just(Unit::Utf16), Just(Unit::EmojiBytes), Just(Unit::WeightedV3)],
        ) {
            let text = words.join(" ");
            let counting = Counting { unit, link: Some(23), mention: MentionWeight::LocalPart };
            let bytes = Counting { unit: Unit::Bytes, link: None, mention: MentionWeight::Raw };
            let limits = [(counting, max), (bytes, 150)];
            let pieces = split(&text, &limits, numbered).expect("nothing in it is too long");
            let mut at = 0;
            for piece in &pieces {
                prop_assert!(text[at..piece.start].chars().all(char::is_whitespace));
                prop_assert!(piece.text.starts_with(&text[piece.start..piece.end]));
                prop_assert!(fits(&piece.text, &limits), "{:?}", piece.text);
                at = piece.end;
            }
            prop_assert!(text[at..].chars().all(char::is_whitespace));
            let boundaries: Vec<usize> = text.grapheme_indices(true).map(|(at, _)| at).chain([text.len()]).collect();
            let found = find(&text);
            for cut in pieces.iter().flat_map(|piece| [piece.start, piece.end]) {
                prop_assert!(boundaries.binary_search(&cut).is_ok());
                prop_assert!(!found.iter().any(|found| found.start < cut && cut < found.end));
            }
        }
    }
}
