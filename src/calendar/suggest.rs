//! "Did you mean": help for a word that is not known.

use crate::model::nearest;

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_is_found_and_a_stranger_is_shown_what_there_is() {
        let keys = ["visibility", "text", "at"];
        assert_eq!(help("visiblity", keys).as_deref(), Some("did you mean `visibility`?"));
        assert_eq!(help("banana", keys).as_deref(), Some("known are `visibility`, `text` and `at`"));
    }
}
