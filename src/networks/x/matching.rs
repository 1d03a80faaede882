//! Knowing our own posts again among an account's recent ones.
//!
//! X gives a text back with every link as `https://t.co/…` and says beside what each stands for; attached files add a link
//! of their own, and `&`, `<` and `>` come as HTML writes them. So links are put back, and texts are compared without white
//! space and schemes first, then by letters and digits.

use chrono::{DateTime, Duration, Utc};
use serde_json::Value;

use crate::text::composed;

use super::wire::{Entities, Id, Post};

/// Clocks differ: a post may seem to be older than the call that made it.
const CLOCK_SKEW: Duration = Duration::minutes(2);

/// What was sent, as far as a post shows it.
#[derive(Debug)]
pub(super) struct Wanted {
    exact: String,
    letters: String,
    answers: Option<String>,
    files: usize,
    poll: bool,
    since: DateTime<Utc>,
}

impl Wanted {
    /// From the body of the request, and when its first attempt began.
    pub(super) fn new(body: &Value, started: DateTime<Utc>) -> Self {
        let answers = body["reply"]["in_reply_to_tweet_id"].as_str().map(str::to_owned);
        let text = body["text"].as_str().unwrap_or_default();
        let exact = squeezed(if answers.is_some() { without_mentions(text) } else { text });
        Self {
            letters: letters(&exact),
            exact,
            answers,
            files: body["media"]["media_ids"].as_array().map_or(0, Vec::len),
            poll: body["poll"].is_object(),
            since: started - CLOCK_SKEW,
        }
    }

    /// The posts that it may have become: those with the very text, else those with the same letters.
    pub(super) fn among<'a>(&self, posts: &'a [Post]) -> Vec<&'a Post> {
        let likely: Vec<_> = posts
            .iter()
            .filter(|post| self.surroundings_match(post))
            .map(|post| {
                let text = shown(post);
                (post, squeezed(if self.answers.is_some() { without_mentions(&text) } else { &text }))
            })
            .collect();
        let by = |same: &dyn Fn(&str) -> bool| -> Vec<&'a Post> {
            likely.iter().filter(|(_, text)| same(text)).map(|(post, _)| *post).collect()
        };
        let exact = by(&|text| text == self.exact);
        if !exact.is_empty() || self.letters.is_empty() {
            return exact;
        }
        by(&|text| letters(text) == self.letters)
    }

    fn surroundings_match(&self, post: &Post) -> bool {
        post.parent().map(Id::as_str) == self.answers.as_deref()
            && post.created_at.is_none_or(|at| at >= self.since)
            && post.attachments.media_keys.len() == self.files
            && (post.attachments.poll_ids.is_empty() != self.poll)
    }
}

/// A post's text with its links as they were written, and without those of its files.
pub(super) fn shown(post: &Post) -> String {
    let (text, entities): (&str, &Entities) = match post.note() {
        Some(note) => (&note.text, &note.entities),
        None => (&post.text, &post.entities),
    };
    let mut text = text.to_owned();
    // A long text's files are told of with the short one.
    for link in entities.urls.iter().chain(&post.entities.urls) {
        if let Some(short) = link.url.as_deref().filter(|short| !short.is_empty()) {
            let long = if link.media_key.is_some() { "" } else { link.expanded_url.as_deref().unwrap_or(short) };
            text = text.replacen(short, long, 1);
        }
    }
    // `&amp;` last: `&amp;lt;` is `&lt;`.
    text.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")
}

/// Without the mentions that an answer begins with: X may put them there itself.
fn without_mentions(text: &str) -> &str {
    let mut rest = text.trim_start();
    while let Some(name) = rest.strip_prefix('@') {
        let length = name.bytes().take_while(|byte| byte.is_ascii_alphanumeric() || *byte == b'_').count();
        if length == 0 {
            break;
        }
        rest = name[length..].trim_start();
    }
    rest
}

/// Composed, without white space, schemes of links and the slash that may end one.
fn squeezed(text: &str) -> String {
    let text: String = composed(text).chars().filter(|c| !c.is_whitespace()).collect();
    let text = text.replace("https://", "").replace("http://", "");
    text.strip_suffix('/').map_or(text.clone(), str::to_owned)
}

/// Letters and digits alone, small.
fn letters(text: &str) -> String {
    text.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const STARTED: &str = "2026-12-01T09:00:00Z";

    fn post(id: &str, text: &str, more: &Value) -> Post {
        let mut post = json!({"id": id, "text": text, "created_at": "2026-12-01T09:00:01.000Z"});
        for (key, value) in more.as_object().into_iter().flatten() {
            post[key] = value.clone();
        }
        serde_json::from_value(post).expect("a post")
    }

    fn ids(body: &Value, posts: &[Post]) -> Vec<String> {
        let wanted = Wanted::new(body, STARTED.parse().expect("a date"));
        wanted.among(posts).iter().map(|post| post.id.as_str().to_owned()).collect()
    }

    #[test]
    fn a_text_is_known_again_with_its_links_shortened() {
        let body = json!({"text": "R&D <2.0>: acme.example/a and https://acme.example/?x=1&y=2\n\n“now” 🎉", "media": {"media_ids": ["9"]}});
        let entities = json!({"urls": [
            {"start": 0, "end": 1, "url": "https://t.co/a", "expanded_url": "http://acme.example/a"},
            {"start": 0, "end": 1, "url": "https://t.co/b", "expanded_url": "https://acme.example/?x=1&y=2"},
            {"start": 0, "end": 1, "url": "https://t.co/c", "expanded_url": "https://x.com/a/status/1/photo/1", "media_key": "3_9"},
        ]});
        let text = "R&amp;D &lt;2.0&gt;: https://t.co/a and https://t.co/b\n\n“now” 🎉 https://t.co/c";
        let more = json!({"entities": entities, "attachments": {"media_keys": ["3_9"]}});
        assert_eq!(ids(&body, &[post("1", text, &more), post("2", "Other", &json!({}))]), ["1"]);
        // The same address elsewhere is another post.
        let other = text.replace("https://t.co/b", "https://acme.example/?x=2");
        assert_eq!(ids(&body, &[post("3", &other, &more)]), [""; 0]);
    }

    #[test]
    fn a_long_text_is_read_as_a_whole() {
        let long = "word ".repeat(100);
        let more = json!({"note_tweet": {"text": long.trim_end(), "entities": {"urls": null}}});
        assert_eq!(ids(&json!({"text": long}), &[post("1", "word word… https://t.co/x", &more)]), ["1"]);
        let renamed = json!({"note_post": {"text": long.trim_end()}});
        assert_eq!(ids(&json!({"text": long}), &[post("1", "word word…", &renamed)]), ["1"]);
    }

    #[test]
    fn what_stands_around_must_match() {
        let body = json!({"text": "@eve thanks", "reply": {"in_reply_to_tweet_id": "7"}});
        let answers = |id: &str| json!([{"type": "replied_to", "id": id}]);
        let posts = [
            post("1", "thanks", &json!({"referenced_tweets": answers("7")})),
            post("2", "@eve @bob thanks", &json!({"referenced_posts": answers("7")})),
            post("3", "@eve thanks", &json!({"referenced_tweets": answers("8")})),
            post("4", "@eve thanks", &json!({})),
            post("5", "thanks", &json!({"referenced_tweets": answers("7"), "created_at": "2026-12-01T08:57:00Z"})),
            post("6", "thanks", &json!({"referenced_tweets": answers("7"), "attachments": {"media_keys": ["1"]}})),
            post("7", "thanks", &json!({"referenced_tweets": answers("7"), "attachments": {"poll_ids": ["1"]}})),
        ];
        assert_eq!(ids(&body, &posts), ["1", "2"]);
        assert_eq!(
            ids(
                &json!({"text": "thanks", "poll": {}}),
                &[post("1", "thanks", &json!({"attachments": {"poll_ids": ["1"]}}))]
            ),
            ["1"]
        );
    }
}
