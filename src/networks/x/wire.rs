//! What goes over the wire. The reference (`xdevplatform/docs`, `openapi.json` 2.168, read 2026-11-23) has renamed fields of
//! posts from `tweet` to `post` in its answers, and asks for them by the old names still: both are read.

use chrono::{DateTime, Utc};
use serde::Deserialize;

/// An answer with one thing in it.
#[derive(Debug, Deserialize)]
pub(super) struct One<T> {
    pub(super) data: T,
}

/// An answer with a list in it; none at all when it is empty.
#[derive(Debug, Deserialize)]
pub(super) struct Many {
    #[serde(default, deserialize_with = "or_default")]
    pub(super) data: Vec<Post>,
    #[serde(default, deserialize_with = "or_default")]
    pub(super) includes: Includes,
    #[serde(default, deserialize_with = "or_default")]
    pub(super) meta: Meta,
}

/// What a list is followed by.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Meta {
    pub(super) next_token: Option<String>,
}

/// What is told beside.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Includes {
    #[serde(default, deserialize_with = "or_default")]
    pub(super) users: Vec<User>,
}

/// `GET /2/users/me`.
#[derive(Debug, Deserialize)]
pub(super) struct User {
    pub(super) id: Id,
    pub(super) username: String,
}

/// `POST /2/tweets`.
#[derive(Debug, Deserialize)]
pub(super) struct Created {
    pub(super) id: Id,
}

/// `DELETE /2/tweets/{id}`.
#[derive(Debug, Deserialize)]
pub(super) struct Deleted {
    pub(super) deleted: bool,
}

/// A post.
#[derive(Debug, Deserialize)]
#[expect(clippy::struct_field_names, reason = "they are the API's own")]
pub(super) struct Post {
    pub(super) id: Id,
    #[serde(default)]
    pub(super) text: String,
    pub(super) created_at: Option<DateTime<Utc>>,
    pub(super) author_id: Option<Id>,
    #[serde(default, deserialize_with = "or_default")]
    pub(super) entities: Entities,
    // By the old name and by the new one: an answer may have either, or both.
    note_tweet: Option<Note>,
    note_post: Option<Note>,
    #[serde(default, deserialize_with = "or_default")]
    referenced_tweets: Vec<Reference>,
    #[serde(default, deserialize_with = "or_default")]
    referenced_posts: Vec<Reference>,
    #[serde(default, deserialize_with = "or_default")]
    pub(super) attachments: Attachments,
    pub(super) public_metrics: Option<Counts>,
}

impl Post {
    /// A text of more than 280: the whole of it.
    pub(super) fn note(&self) -> Option<&Note> {
        self.note_tweet.as_ref().or(self.note_post.as_ref())
    }

    /// The post that it answers.
    pub(super) fn parent(&self) -> Option<&Id> {
        let mut about = self.referenced_tweets.iter().chain(&self.referenced_posts);
        about.find(|reference| reference.kind == "replied_to").map(|reference| &reference.id)
    }
}

/// A long text.
#[derive(Debug, Deserialize)]
pub(super) struct Note {
    pub(super) text: String,
    #[serde(default, deserialize_with = "or_default")]
    pub(super) entities: Entities,
}

/// What was found in a text.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Entities {
    #[serde(default, deserialize_with = "or_default")]
    pub(super) urls: Vec<Link>,
}

/// A link, shortened by X.
#[derive(Debug, Deserialize)]
pub(super) struct Link {
    pub(super) url: Option<String>,
    pub(super) expanded_url: Option<String>,
    /// It stands for an attached file.
    pub(super) media_key: Option<String>,
}

/// Another post that a post is about.
#[derive(Debug, Deserialize)]
pub(super) struct Reference {
    #[serde(rename = "type")]
    pub(super) kind: String,
    pub(super) id: Id,
}

/// What is attached to a post.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Attachments {
    #[serde(default, deserialize_with = "or_default")]
    pub(super) media_keys: Vec<String>,
    #[serde(default, deserialize_with = "or_default")]
    pub(super) poll_ids: Vec<String>,
}

/// Numbers of a post.
#[derive(Debug, Deserialize)]
#[expect(clippy::struct_field_names, reason = "they are the API's own")]
pub(super) struct Counts {
    pub(super) like_count: Option<u64>,
    // By the new name and by the old one.
    repost_count: Option<u64>,
    retweet_count: Option<u64>,
    pub(super) reply_count: Option<u64>,
    pub(super) quote_count: Option<u64>,
    pub(super) impression_count: Option<u64>,
}

impl Counts {
    pub(super) fn reposts(&self) -> Option<u64> {
        self.repost_count.or(self.retweet_count)
    }
}

/// An upload: begun, ended, or asked for.
#[derive(Debug, Deserialize)]
pub(super) struct Upload {
    pub(super) id: Id,
    pub(super) processing_info: Option<Processing>,
}

/// How far X is with a file.
#[derive(Debug, Deserialize)]
pub(super) struct Processing {
    #[serde(default)]
    pub(super) state: String,
    pub(super) check_after_secs: Option<u64>,
    pub(super) error: Option<ProcessingError>,
}

/// What X has against a file.
#[derive(Debug, Deserialize)]
pub(super) struct ProcessingError {
    pub(super) name: Option<String>,
    pub(super) message: Option<String>,
}

/// A "no" in X's own words: a problem (`detail`), an error (`code`, `message`), or a list of errors.
#[derive(Debug, Deserialize)]
pub(super) struct ErrorBody {
    /// Only X's own errors have a number beside their message.
    code: Option<i64>,
    message: Option<String>,
    detail: Option<String>,
    title: Option<String>,
    #[serde(rename = "type")]
    kind: Option<String>,
    #[serde(default, deserialize_with = "or_default")]
    errors: Vec<ErrorEntry>,
}

#[derive(Debug, Deserialize)]
struct ErrorEntry {
    message: Option<String>,
    detail: Option<String>,
}

impl ErrorBody {
    /// For people. `None`: nothing is said.
    pub(super) fn told(&self) -> Option<String> {
        let message = self.message.as_ref().filter(|_| self.code.is_some());
        let first = self.detail.as_ref().or(self.title.as_ref()).or(message);
        let mut said: Vec<&str> = first.into_iter().map(String::as_str).collect();
        said.extend(self.errors.iter().filter_map(|error| error.message.as_deref().or(error.detail.as_deref())));
        said.dedup();
        (!said.is_empty()).then(|| said.join("; "))
    }

    /// The account of the app is empty, or what it may spend is spent: calls are blocked until a person does something.
    pub(super) fn is_spent(&self) -> bool {
        let kind = self.kind.as_deref().unwrap_or_default();
        ["credits", "usage-capped", "spend"].iter().any(|word| kind.contains(word))
    }

    /// The same text was posted before. X's words; there is no other sign.
    pub(super) fn is_duplicate(&self) -> bool {
        self.told().is_some_and(|said| said.to_lowercase().contains("duplicate content"))
    }
}

/// An id: 1 to 19 digits (`^[0-9]{1,19}$`). It goes into paths, so nothing else is let through.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Id(String);

impl Id {
    /// The id, if it is one.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let good = (1..=19).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
        good.then(|| Self(text.to_owned()))
    }

    pub(super) fn as_str(&self) -> &str {
        &self.0
    }
}

impl<'de> Deserialize<'de> for Id {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::parse(&text).ok_or_else(|| serde::de::Error::custom("that is no id"))
    }
}

/// The id of a post, given as such or as the address that a browser shows.
pub(super) fn post_id(text: &str) -> Option<Id> {
    if let Some(id) = Id::parse(text) {
        return Some(id);
    }
    let url = url::Url::parse(text).ok()?;
    let host = url.host_str()?.trim_start_matches("www.").trim_start_matches("mobile.").to_owned();
    if !matches!(url.scheme(), "http" | "https") || !matches!(host.as_str(), "x.com" | "twitter.com") {
        return None;
    }
    let mut path = url.path_segments()?;
    let (_, status, id) = (path.next()?, path.next()?, path.next()?);
    Id::parse(id).filter(|_| matches!(status, "status" | "statuses"))
}

/// `null` where there is nothing.
fn or_default<'de, D: serde::Deserializer<'de>, T: Deserialize<'de> + Default>(deserializer: D) -> Result<T, D::Error> {
    Ok(Option::<T>::deserialize(deserializer)?.unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn posts_are_named_by_address_or_id() {
        for good in [
            "123",
            "https://x.com/acme/status/123",
            "https://twitter.com/a/status/123?s=20",
            "https://x.com/i/status/123/photo/1",
        ] {
            assert_eq!(post_id(good).expect(good).as_str(), "123");
        }
        for bad in [
            "",
            "12a",
            "12345678901234567890",
            "https://x.com/acme",
            "https://x.example/a/status/1",
            "ftp://x.com/a/status/1",
            "https://x.com/a/likes/1",
        ] {
            assert_eq!(post_id(bad), None, "{bad}");
        }
    }

    #[test]
    fn errors_are_read_in_both_forms() {
        let read = |body: &str| serde_json::from_str::<ErrorBody>(body).expect("an object");
        let problem = read(
            r#"{"title":"Forbidden","detail":"You are not allowed to create a Tweet with duplicate content.","type":"about:blank","status":403}"#,
        );
        assert!(problem.is_duplicate() && !problem.is_spent());
        assert_eq!(
            read(r#"{"errors":[{"code":88,"message":"Rate limit exceeded"}]}"#).told().as_deref(),
            Some("Rate limit exceeded")
        );
        assert!(read(r#"{"title":"CreditsDepleted","type":"https://api.x.com/2/problems/credits"}"#).is_spent());
        assert_eq!(
            read(r#"{"code":32,"message":"Could not authenticate you"}"#).told().as_deref(),
            Some("Could not authenticate you")
        );
        assert_eq!(read(r#"{"detail":"Odd","errors":null}"#).told().as_deref(), Some("Odd"));
        for anybody in [r#"{"error":"x"}"#, r#"{"message":"Forbidden"}"#] {
            assert_eq!(read(anybody).told(), None, "{anybody}");
        }
    }

    #[test]
    fn posts_are_read_by_old_names_and_new_ones() {
        let read = |body: &str| serde_json::from_str::<Post>(body).expect("a post");
        let both = read(
            r#"{"id":"1","text":"a","lang":"en","entities":null,"attachments":null,
                "note_tweet":{"text":"long"},"note_post":{"text":"long"},
                "referenced_tweets":[{"type":"replied_to","id":"7"}],"referenced_posts":[{"type":"replied_to","id":"7"}],
                "public_metrics":{"repost_count":2,"retweet_count":2,"bookmark_count":1}}"#,
        );
        assert_eq!(
            (both.note().map(|note| note.text.as_str()), both.parent().map(Id::as_str)),
            (Some("long"), Some("7"))
        );
        assert_eq!(both.public_metrics.expect("numbers").reposts(), Some(2));
        let new = read(
            r#"{"id":"1","referenced_tweets":null,"referenced_posts":[{"type":"quoted","id":"8"},{"type":"replied_to","id":"7"}]}"#,
        );
        assert_eq!(new.parent().map(Id::as_str), Some("7"));
        let none: Many = serde_json::from_str(r#"{"meta":{"result_count":0}}"#).expect("an empty list");
        assert_eq!((none.data.len(), none.meta.next_token), (0, None));
    }
}
