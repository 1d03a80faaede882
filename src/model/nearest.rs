//! The nearest known word: what is offered when a name, a key or a code is not known.

/// The known word that `written` was probably meant to be: fewest letters added, left out, changed or swapped with
/// their neighbour, whatever their case. `None` when even the nearest is another word altogether (more than a third of
/// its letters differ). Of equally near words the first wins.
pub fn nearest<'a>(written: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let written: Vec<char> = written.chars().flat_map(char::to_lowercase).take(101).collect();
    if written.is_empty() || written.len() > 100 {
        return None;
    }
    let mut best: Option<(usize, &str)> = None;
    for word in known {
        let letters: Vec<char> = word.chars().flat_map(char::to_lowercase).collect();
        let allowed = written.len().max(letters.len()).div_ceil(3);
        if written.len().abs_diff(letters.len()) > allowed {
            continue;
        }
        let found = distance(&written, &letters);
        if found <= allowed && best.is_none_or(|(least, _)| found < least) {
            best = Some((found, word));
        }
    }
    best.map(|(_, word)| word)
}

/// Optimal string alignment: Levenshtein's distance where a swap of two neighbours counts once.
fn distance(a: &[char], b: &[char]) -> usize {
    let mut before = vec![0; b.len() + 1];
    let mut last: Vec<usize> = (0..=b.len()).collect();
    for i in 1..=a.len() {
        let mut row = vec![i; b.len() + 1];
        for j in 1..=b.len() {
            let change = usize::from(a[i - 1] != b[j - 1]);
            row[j] = (last[j] + 1).min(row[j - 1] + 1).min(last[j - 1] + change);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                row[j] = row[j].min(before[j - 2] + 1);
            }
        }
        before = std::mem::replace(&mut last, row);
    }
    last[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slips_are_recognised() {
        let known = ["timezone", "text", "thread", "texts", "visibility"];
        for (written, meant) in [
            ("timezne", Some("timezone")),
            ("Text", Some("text")),
            ("txet", Some("text")),
            ("thraed", Some("thread")),
            ("visiblity", Some("visibility")),
            ("colour", None),
            ("", None),
        ] {
            assert_eq!(nearest(written, known), meant, "{written}");
        }
        assert_eq!(nearest(&"x".repeat(100_000), known), None);
    }

    #[test]
    fn a_swap_counts_once() {
        let letters = |text: &str| text.chars().collect::<Vec<_>>();
        for (a, b, expected) in
            [("", "", 0), ("a", "", 1), ("ab", "ba", 1), ("kitten", "sitting", 3), ("abc", "abc", 0)]
        {
            assert_eq!(distance(&letters(a), &letters(b)), expected, "{a} {b}");
        }
    }
}
