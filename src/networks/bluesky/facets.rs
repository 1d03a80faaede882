//! Facets: what in a text is a link, a mention or a tag, by byte offsets of its UTF-8. No server finds them by itself.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::text::{Counting, FoundKind, MentionWeight, Unit, find, measure};

use super::profile::{TAG_BYTES, TAG_GRAPHEMES};

/// Something marked in a text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Mark {
    /// From this byte.
    pub(super) start: usize,
    /// To before this byte.
    pub(super) end: usize,
    /// What it is.
    pub(super) what: What,
}

/// What is marked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum What {
    /// A link, with its whole address.
    Link(String),
    /// A mention: a handle in small letters, without `@`, not yet resolved.
    Mention(String),
    /// A tag without `#`.
    Tag(String),
}

/// Everything in a text that is to be marked. The text itself stays as it is.
pub(super) fn marks(text: &str) -> Vec<Mark> {
    find(text)
        .into_iter()
        .filter_map(|found| {
            let said = text.get(found.start..found.end)?;
            let what = match found.kind {
                FoundKind::Link => What::Link(said.to_owned()),
                FoundKind::BareLink => What::Link(format!("https://{said}")),
                FoundKind::Mention => {
                    let handle = said.strip_prefix('@')?.to_ascii_lowercase();
                    // `@name@host` is somebody on another network, `@name` nobody in particular.
                    is_handle(&handle).then_some(What::Mention(handle))?
                }
                FoundKind::Tag => {
                    let tag = said.strip_prefix('#')?;
                    is_tag(tag).then_some(What::Tag(tag.to_owned()))?
                }
            };
            Some(Mark { start: found.start, end: found.end, what })
        })
        .collect()
}

/// A mark as the wire has it. `did` gives a handle's DID; a mention of nobody known stays plain text.
pub(super) fn facet(mark: &Mark, did: impl Fn(&str) -> Option<String>) -> Option<Value> {
    let feature = match &mark.what {
        What::Link(uri) => json!({"$type": "app.bsky.richtext.facet#link", "uri": uri}),
        What::Mention(handle) => json!({"$type": "app.bsky.richtext.facet#mention", "did": did(handle)?}),
        What::Tag(tag) => json!({"$type": "app.bsky.richtext.facet#tag", "tag": tag}),
    };
    Some(json!({"index": {"byteStart": mark.start, "byteEnd": mark.end}, "features": [feature]}))
}

/// Short enough for a tag.
pub(super) fn is_tag(tag: &str) -> bool {
    let graphemes = Counting { unit: Unit::Graphemes, link: None, mention: MentionWeight::Raw };
    !tag.is_empty() && tag.len() <= TAG_BYTES && measure(tag, graphemes) <= TAG_GRAPHEMES
}

/// The form of a handle: a domain name of at least two labels, the last of which does not start with a digit.
pub(super) fn is_handle(text: &str) -> bool {
    let labels: Vec<&str> = text.split('.').collect();
    text.len() <= 253
        && labels.len() >= 2
        && labels.iter().all(|label| {
            (1..=63).contains(&label.len())
                && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
                && !label.starts_with('-')
                && !label.ends_with('-')
        })
        && labels.last().is_some_and(|last| last.starts_with(|c: char| c.is_ascii_alphabetic()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn offsets_are_bytes_after_emoji_and_arabic() {
        let text = "👩‍👩‍👧‍👦 مرحبا @alice.example عن https://acme.example/a?b=ç #إصدار!";
        let marks = marks(text);
        let said: Vec<&str> = marks.iter().map(|mark| &text[mark.start..mark.end]).collect();
        assert_eq!(said, ["@alice.example", "https://acme.example/a?b=ç", "#إصدار"]);
        assert_eq!(marks[0].start, 25 + 1 + 10 + 1);
        assert_eq!(marks[0].what, What::Mention("alice.example".to_owned()));
        assert_eq!(marks[2].what, What::Tag("إصدار".to_owned()));
    }

    #[test]
    fn bare_links_get_a_scheme_and_strangers_no_facet() {
        let marks = marks("see acme.example/2.0, thanks @bob and @carol@fedi.example and @Dan.Example");
        let whats: Vec<&What> = marks.iter().map(|mark| &mark.what).collect();
        assert_eq!(
            whats,
            [&What::Link("https://acme.example/2.0".to_owned()), &What::Mention("dan.example".to_owned())]
        );
    }

    #[test]
    fn unknown_handles_stay_plain_text() {
        let mark = Mark { start: 0, end: 8, what: What::Mention("bob.test".to_owned()) };
        assert_eq!(facet(&mark, |_| None), None);
        assert_eq!(
            facet(&mark, |_| Some("did:plc:x".to_owned())),
            Some(json!({
                "index": {"byteStart": 0, "byteEnd": 8},
                "features": [{"$type": "app.bsky.richtext.facet#mention", "did": "did:plc:x"}],
            }))
        );
    }

    #[test]
    fn handles_are_domain_names() {
        for good in ["alice.test", "a-b.example.com", "xn--ls8h.test", "8.cn"] {
            assert!(is_handle(good), "{good}");
        }
        for bad in ["alice", "al_ice.test", "-a.test", "a..test", "john.0", "a.test.", "@a.test", ""] {
            assert!(!is_handle(bad), "{bad}");
        }
    }
}
