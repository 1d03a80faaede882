//! Measuring a text, and finding where it stops fitting.

use unicode_segmentation::{GraphemeCursor, UnicodeSegmentation};

use super::{Counting, Found, FoundKind, MentionWeight, Overflow, Unit, find, graphemes, little, tlds, weighted};

/// Links longer than this, in characters, are not shortened by Mastodon (twitter-text's own bound).
const LONGEST_LINK: usize = 4096;
/// Longest domain of a mention that Mastodon takes for one.
const LONGEST_DOMAIN: usize = 253;

/// Counts a text.
pub fn measure(text: &str, counting: Counting) -> u64 {
    if counting.unit == Unit::WeightedV3 {
        return weighted::weigh(text, true, counting.link.map_or(weighted::LINK, u64::from));
    }
    if counting.link.is_none() && counting.mention == MentionWeight::Raw {
        return plain(text, counting.unit);
    }
    let mut total = 0;
    let mut at = 0;
    for found in find::weighty(text) {
        if let Some(weight) = weight(text, &found, counting) {
            total += plain(&text[at..found.start], counting.unit) + weight;
            at = found.end;
        }
    }
    total + plain(&text[at..], counting.unit)
}

/// `None` when the text fits.
pub fn overflow(text: &str, counting: Counting, max: u64) -> Option<Overflow> {
    if fits(text, counting, max) {
        return None;
    }
    let length = measure(text, counting);
    let mut room = max;
    let fits = |atom: &Atom| {
        let left = room.checked_sub(atom.cost);
        room = left.unwrap_or(0);
        left.is_some()
    };
    let fitting: Vec<_> = atoms(text, counting).into_iter().take_while(fits).collect();
    let fits_until = fitting.iter().rev().map(|atom| atom.end).find(|end| is_boundary(text, *end)).unwrap_or(0);
    Some(Overflow { length, max, unit: counting.unit, fits_until })
}

/// More than [`measure`] never says, for a look at the text's size alone: no unit but X's and `LinkedIn`'s counts more than the bytes, and
/// only a link may weigh more than it is long. Most texts are far from their limit and need no counting.
fn at_most(text: &str, counting: Counting) -> Option<u64> {
    let bytes = u64::try_from(text.len()).ok()?;
    match (counting.unit, counting.link) {
        (Unit::WeightedV3, _) => None,
        (Unit::LittleText, _) => bytes.checked_mul(2),
        (_, None) => Some(bytes),
        (_, Some(link)) => {
            let links = u64::try_from(text.matches("://").count()).ok()?;
            bytes.checked_add(links.checked_mul(u64::from(link))?)
        }
    }
}

/// Whether a text fits.
pub(super) fn fits(text: &str, counting: Counting, max: u64) -> bool {
    at_most(text, counting).is_some_and(|bound| bound <= max) || measure(text, counting) <= max
}

/// A piece of a text that is never cut, and what it costs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Atom {
    /// From this byte.
    pub(super) start: usize,
    /// To before this byte.
    pub(super) end: usize,
    /// In the unit asked for.
    pub(super) cost: u64,
}

/// A text in pieces that are never cut: graphemes, links, mentions. Their costs add up to [`measure`].
pub(super) fn atoms(text: &str, counting: Counting) -> Vec<Atom> {
    let mut atoms = Vec::new();
    let mut at = 0;
    for (start, end, whole) in uncut(text, counting) {
        clusters(text, at, start, counting, &mut atoms);
        let cost = whole.unwrap_or_else(|| plain(&text[start..end], counting.unit));
        atoms.push(Atom { start, end, cost });
        at = end;
    }
    clusters(text, at, text.len(), counting, &mut atoms);
    atoms
}

/// Links and mentions with their weight; `None`: as written.
fn uncut(text: &str, counting: Counting) -> Vec<(usize, usize, Option<u64>)> {
    let mut uncut: Vec<_> = Vec::new();
    if counting.unit == Unit::WeightedV3 {
        let link = counting.link.map_or(weighted::LINK, u64::from);
        uncut.extend(weighted::links(text).into_iter().map(|(start, end)| (start, end, Some(link))));
    }
    // What weighs something of its own is found as `measure` finds it, whatever else the same characters could be.
    if counting.unit != Unit::WeightedV3 {
        let weighty = find::weighty(text).into_iter();
        uncut.extend(weighty.filter_map(|found| Some((found.start, found.end, Some(weight(text, &found, counting)?)))));
    }
    for found in find::find(text) {
        let overlaps = uncut.iter().any(|(start, end, _)| found.start < *end && *start < found.end);
        if found.kind == FoundKind::Tag || overlaps {
            continue;
        }
        let weight = weight(text, &found, counting);
        // A mark may join the last letter; what has no weight of its own is counted with it.
        let end = if weight.is_some() { found.end } else { next_boundary(text, found.end) };
        if weight.is_some() || is_boundary(text, found.start) {
            uncut.push((found.start, end, weight));
        }
    }
    uncut.sort_unstable();
    uncut
}

pub(super) fn is_boundary(text: &str, at: usize) -> bool {
    GraphemeCursor::new(at, text.len(), true).is_boundary(text, 0).unwrap_or(true)
}

fn next_boundary(text: &str, at: usize) -> usize {
    if is_boundary(text, at) {
        return at;
    }
    GraphemeCursor::new(at, text.len(), true).next_boundary(text, 0).ok().flatten().unwrap_or(text.len())
}

fn clusters(text: &str, from: usize, to: usize, counting: Counting, atoms: &mut Vec<Atom>) {
    let mut start = from;
    for cluster in text[from..to].graphemes(true) {
        let cost = plain(cluster, counting.unit);
        atoms.push(Atom { start, end: start + cluster.len(), cost });
        start += cluster.len();
    }
}

/// What something weighs; `None`: as written.
fn weight(text: &str, found: &Found, counting: Counting) -> Option<u64> {
    let written = &text[found.start..found.end];
    match found.kind {
        FoundKind::Link if is_shortened(written) => counting.link.map(u64::from),
        FoundKind::Mention if counting.mention == MentionWeight::LocalPart => {
            let (local, domain) = written[1..].split_once('@')?;
            // The `@` counts.
            (domain.len() <= LONGEST_DOMAIN).then(|| 1 + plain(local, counting.unit))
        }
        _ => None,
    }
}

/// A link counts its weight only where its host ends in a public name; `https://intranet/` is counted as it is written.
fn is_shortened(link: &str) -> bool {
    let host = &link[find::scheme_length(link).unwrap_or(0)..];
    let host = &host[..host.find([':', '/', '?', '#']).unwrap_or(host.len())];
    let public = host.rsplit_once('.').is_some_and(|(_, last)| tlds::is_public(last));
    public && (link.len() <= LONGEST_LINK || link.chars().count() <= LONGEST_LINK)
}

/// Counts a text without weights for links and mentions.
fn plain(text: &str, unit: Unit) -> u64 {
    let count = match unit {
        Unit::Graphemes => return graphemes::count(text),
        Unit::CodePoints => text.chars().count(),
        Unit::Utf16 => text.chars().map(char::len_utf16).sum(),
        Unit::Bytes => text.len(),
        Unit::LittleText => text.chars().map(|c| c.len_utf16() + usize::from(little::is_reserved(c))).sum(),
        Unit::EmojiBytes => emoji_bytes(text),
        Unit::WeightedV3 => return weighted::weigh_plain(&weighted::composed(text), true),
    };
    u64::try_from(count).unwrap_or(u64::MAX)
}

/// Code points, but a cluster that begins as an emoji in full: whatever is joined to it is sent with it.
fn emoji_bytes(text: &str) -> usize {
    if text.is_ascii() {
        return text.len();
    }
    let cost = |cluster: &str| {
        let emoji =
            cluster.chars().next().is_some_and(weighted::may_begin_emoji) && weighted::emoji_length(cluster) > 0;
        if emoji { cluster.len() } else { cluster.chars().count() }
    };
    text.graphemes(true).map(cost).sum()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const MASTODON: Counting = Counting { unit: Unit::Graphemes, link: Some(23), mention: MentionWeight::LocalPart };

    fn raw(unit: Unit) -> Counting {
        Counting { unit, link: None, mention: MentionWeight::Raw }
    }

    #[test]
    fn units() {
        assert_eq!(measure("a_(b) 👍", raw(Unit::LittleText)), 5 + 3 + 1 + 2);
        let text = "aé👍🏽日";
        for (unit, length) in [
            (Unit::Graphemes, 4),
            (Unit::CodePoints, 5),
            (Unit::Utf16, 7),
            (Unit::Bytes, 14),
            (Unit::EmojiBytes, 11),
            (Unit::WeightedV3, 6),
        ] {
            assert_eq!(measure(text, raw(unit)), length, "{unit:?}");
        }
    }

    #[test]
    fn an_emoji_counts_its_bytes_and_nothing_else_does() {
        for (text, length) in [
            ("Grüße, 日本語!", 11),
            ("🎉", 4),
            ("👨‍👩‍👧‍👦", 25),
            ("🇩🇪", 8),
            ("1️⃣ 2", 7 + 2),
            ("❤️", 6),
            ("123 #tag *", 10),
            ("e\u{301}", 2),
        ] {
            assert_eq!(measure(text, raw(Unit::EmojiBytes)), length, "{text}");
        }
    }

    #[test]
    fn mastodons_rules() {
        let host = "b".repeat(30);
        for (text, length) in [
            (format!("{} http://{host}.com/example", "a".repeat(76)), 100),
            (format!("{}http://{host}.com/example", "a".repeat(76)), 76 + 7 + 30 + 12),
            (format!("http://example.com/valid?{}", "#foo?".repeat(1000)), 5025),
            (format!("{} @alice@{host}.com", "a".repeat(75)), 82),
            (format!("@alice@{}.com", "b".repeat(506)), 517),
            ("🏳️‍⚧️".repeat(100), 100),
            ("https://a.io".to_owned(), 23),
            ("https://intranet.lan/xyz".to_owned(), 24),
            ("acme.example/2.0".to_owned(), 16),
        ] {
            assert_eq!(measure(&text, MASTODON), length, "{text}");
        }
    }

    #[test]
    fn where_it_stops_fitting() {
        let text = "a 👨‍👩‍👧 https://acme.example/2.0";
        let over = overflow(text, MASTODON, 20).expect("too long");
        assert_eq!((over.length, over.max, over.fits_until), (27, 20, text.find("https").expect("there")));
        assert_eq!(overflow(text, MASTODON, 27), None);
        assert_eq!(overflow("👍🏽👍🏽", raw(Unit::Bytes), 10).map(|over| over.fits_until), Some(8));
        assert_eq!(overflow("x@bob.example", raw(Unit::Graphemes), 0).map(|over| over.fits_until), Some(0));
    }

    proptest! {
        #[test]
        fn emoji_bytes_lie_between_characters_and_bytes(text in r"([a-zé日👍🏽🇩🇪❤️1️⃣\u{200d}\u{fe0f} .]{0,20})") {
            let count = |unit| measure(&text, raw(unit));
            let emoji = count(Unit::EmojiBytes);
            prop_assert!(count(Unit::CodePoints) <= emoji && emoji <= count(Unit::Bytes));
            // A cut between two clusters changes nothing.
            let (cut, _) = text.grapheme_indices(true).nth(3).unwrap_or((0, ""));
            prop_assert_eq!(measure(&text[..cut], raw(Unit::EmojiBytes)) + measure(&text[cut..], raw(Unit::EmojiBytes)), emoji);
        }

        #[test]
        fn atoms_add_up(
            text in r"([a-zé日👍🏽 .]{0,6}|https://acme\.io/x|@bob@acme\.io|#tag|\n){0,12}",
            unit in prop_oneof![Just(Unit::Graphemes), Just(Unit::CodePoints), Just(Unit::Utf16), Just(Unit::Bytes), Just(Unit::EmojiBytes), Just(Unit::WeightedV3), Just(Unit::LittleText)],
            weighs in any::<bool>(),
        ) {
            let mention = if weighs && !matches!(unit, Unit::WeightedV3 | Unit::LittleText) { MentionWeight::LocalPart } else { MentionWeight::Raw };
            let counting = Counting { unit, link: (weighs && unit != Unit::LittleText).then_some(23), mention };
            let atoms = atoms(&text, counting);
            prop_assert_eq!(atoms.iter().map(|atom| atom.cost).sum::<u64>(), measure(&text, counting));
            prop_assert!(at_most(&text, counting).is_none_or(|bound| bound >= measure(&text, counting)));
            prop_assert!(atoms.windows(2).all(|pair| pair[0].end == pair[1].start));
        }
    }
}
