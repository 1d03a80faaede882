//! "Did you mean": the nearest known word.

/// The known word that is nearest to what was written, when it is near enough to have been meant.
pub(super) fn nearest<'a>(written: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    // Longer input was not a slip of the keyboard, and the table below is quadratic.
    const LONGEST: usize = 64;
    if written.len() > LONGEST {
        return None;
    }
    let written = written.to_lowercase();
    let allowed = written.chars().count().div_ceil(3);
    known
        .into_iter()
        .map(|word| (distance(&written, &word.to_lowercase()), word))
        .filter(|&(distance, _)| distance <= allowed)
        .min()
        .map(|(_, word)| word)
}

/// `did you mean …?` for the nearest word, else the list of what is known.
pub(super) fn help<'a>(written: &str, known: impl IntoIterator<Item = &'a str> + Clone) -> Option<String> {
    if let Some(word) = nearest(written, known.clone()) {
        return Some(format!("did you mean `{word}`?"));
    }
    let words: Vec<String> = known.into_iter().map(|word| format!("`{word}`")).collect();
    match words.as_slice() {
        // A page of words helps nobody.
        [] | [_, _, _, _, _, _, _, _, _, ..] => None,
        [one] => Some(format!("known is {one}")),
        [most @ .., last] => Some(format!("known are {} and {last}", most.join(", "))),
    }
}

/// Edits between two words: insert, delete, replace, and swap of two neighbours.
fn distance(a: &str, b: &str) -> usize {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    let mut before = vec![0; b.len() + 1];
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for i in 1..=a.len() {
        let mut next = vec![i; b.len() + 1];
        for j in 1..=b.len() {
            let same = usize::from(a[i - 1] != b[j - 1]);
            next[j] = (row[j] + 1).min(next[j - 1] + 1).min(row[j - 1] + same);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                next[j] = next[j].min(before[j - 2] + 1);
            }
        }
        before = std::mem::replace(&mut row, next);
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_is_found_and_a_stranger_is_not() {
        let keys = ["visibility", "text", "texts", "title", "at"];
        assert_eq!(nearest("visiblity", keys), Some("visibility"));
        assert_eq!(nearest("txet", keys), Some("text"));
        assert_eq!(nearest("Titel", keys), Some("title"));
        assert_eq!(nearest("banana", keys), None);
        assert_eq!(distance("kitten", "sitting"), 3);
        assert_eq!(distance("", "abc"), 3);
    }
}
