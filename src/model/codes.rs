//! Every code that a diagnostic can have, with what `smm explain` says of it. Codes are promises: never renamed, never
//! used for something else.

use super::Code;

/// What `smm explain` says of a code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Explanation {
    /// The code.
    pub code: Code,
    /// One line.
    pub summary: &'static str,
    /// Why it matters and how to mend it, a few lines.
    pub text: &'static str,
}

macro_rules! codes {
    ($($name:ident = $code:literal, $summary:literal, $text:literal;)*) => {
        $(#[doc = $summary] pub const $name: Code = Code($code);)*

        /// All of them, sorted by code.
        pub const ALL: &[Explanation] = &[
            $(Explanation { code: $name, summary: $summary, text: $text },)*
        ];
    };
}

// Sorted by code; a test holds it.
codes! {
    TEXT_TOO_LONG = "text-too-long", "A text is longer than the network takes",
        "Each network counts in its own unit: Bluesky in graphemes and bytes, Mastodon in graphemes with 23 for each link.\nShorten it, set `split = true` to make it a thread, or write a text of its own under `[posts.for.<account>]`.";
}

/// The explanation of a code.
pub fn explain(code: &str) -> Option<&'static Explanation> {
    ALL.iter().find(|known| known.code.0 == code)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_sorted_and_told_apart() {
        assert!(ALL.windows(2).all(|pair| pair[0].code.0 < pair[1].code.0));
    }
}
