//! What goes over the wire, and the names of `LinkedIn`'s things.

use chrono::{DateTime, Utc};
use serde::Deserialize;

/// `GET /v2/userinfo`.
#[derive(Debug, Deserialize)]
pub(super) struct UserInfo {
    pub(super) sub: String,
    pub(super) name: Option<String>,
}

/// What an action gives.
#[derive(Debug, Deserialize)]
pub(super) struct Value<T> {
    pub(super) value: T,
}

/// A picture's upload, begun.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ImageUpload {
    pub(super) upload_url: String,
    pub(super) image: Urn,
}

/// A document's upload, begun.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct DocumentUpload {
    pub(super) upload_url: String,
    pub(super) document: Urn,
}

/// A video's upload, begun.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct VideoUpload {
    pub(super) video: Urn,
    #[serde(default)]
    pub(super) upload_token: String,
    pub(super) upload_instructions: Vec<Instruction>,
}

/// Where a part of a video goes.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Instruction {
    pub(super) upload_url: String,
    pub(super) first_byte: u64,
    pub(super) last_byte: u64,
}

/// `GET /rest/videos/{urn}` and `GET /rest/documents/{urn}`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct AssetAnswer {
    pub(super) status: String,
    pub(super) processing_failure_reason: Option<String>,
}

/// A list.
#[derive(Debug, Deserialize)]
pub(super) struct Elements<T> {
    pub(super) elements: Vec<T>,
}

/// A post of an organization.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Post {
    pub(super) id: Urn,
    #[serde(default)]
    pub(super) commentary: String,
    /// Milliseconds since 1970.
    pub(super) created_at: Option<i64>,
    #[serde(default)]
    pub(super) content: serde_json::Value,
}

impl Post {
    pub(super) fn at(&self) -> Option<DateTime<Utc>> {
        self.created_at.and_then(DateTime::from_timestamp_millis).or_else(|| self.id.at())
    }
}

/// Numbers of a post.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ShareStatistics {
    pub(super) total_share_statistics: Totals,
}

/// See [`ShareStatistics`].
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
#[expect(clippy::struct_field_names, reason = "they are the API's own")]
pub(super) struct Totals {
    pub(super) like_count: Option<u64>,
    pub(super) share_count: Option<u64>,
    pub(super) comment_count: Option<u64>,
    pub(super) impression_count: Option<u64>,
}

/// A comment.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Comment {
    #[expect(clippy::struct_field_names, reason = "it is the API's own")]
    pub(super) comment_urn: Option<String>,
    pub(super) id: Option<String>,
    #[serde(default)]
    pub(super) actor: String,
    /// A picture alone has none.
    pub(super) message: Option<Message>,
    pub(super) created: Option<Created>,
}

/// See [`Comment`].
#[derive(Debug, Deserialize)]
pub(super) struct Message {
    pub(super) text: String,
}

/// See [`Comment`].
#[derive(Debug, Deserialize)]
pub(super) struct Created {
    pub(super) time: i64,
}

/// A "no" in `LinkedIn`'s own words.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ErrorBody {
    pub(super) message: Option<String>,
    pub(super) code: Option<String>,
    /// Only `LinkedIn`'s own errors have it, or a `code`.
    status: Option<u64>,
    service_error_code: Option<u64>,
}

impl ErrorBody {
    /// For people. `None`: these are not `LinkedIn`'s words.
    pub(super) fn told(&self) -> Option<String> {
        let own = self.status.is_some() || self.service_error_code.is_some() || self.code.is_some();
        match (&self.message, &self.code) {
            (Some(message), Some(code)) if own && !message.contains(code) => Some(format!("{message} ({code})")),
            (Some(message), _) if own => Some(message.clone()),
            (None, Some(code)) => Some(code.clone()),
            _ => None,
        }
    }

    /// A word in its code or its message, whatever the case.
    pub(super) fn says(&self, word: &str) -> bool {
        [&self.code, &self.message].into_iter().flatten().any(|said| said.to_ascii_uppercase().contains(word))
    }

    /// The post that this one is a duplicate of.
    pub(super) fn duplicate(&self) -> Option<Urn> {
        let said = self.message.as_deref().filter(|_| self.says("DUPLICATE"))?;
        said.match_indices("urn:li:").find_map(|(at, _)| {
            let end =
                said[at..].find(|c: char| !c.is_ascii_alphanumeric() && c != ':').map_or(said.len(), |end| at + end);
            Urn::parse(&said[at..end]).filter(Urn::is_post)
        })
    }
}

/// A name of `LinkedIn`'s: `urn:li:share:6844785523593134080`. It goes into paths, so nothing else is let through.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Urn(String);

impl Urn {
    /// The name, if it is one.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let (kind, id) = text.strip_prefix("urn:li:")?.split_once(':')?;
        let inside = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'=');
        let good = (1..=40).contains(&kind.len())
            && kind.bytes().all(|byte| byte.is_ascii_alphanumeric())
            && (1..=200).contains(&id.len())
            && id.bytes().all(inside);
        good.then(|| Self(text.to_owned()))
    }

    pub(super) fn as_str(&self) -> &str {
        &self.0
    }

    /// `share`, `organization`, …
    pub(super) fn kind(&self) -> &str {
        self.0.split(':').nth(2).unwrap_or_default()
    }

    /// What follows the kind.
    pub(super) fn id(&self) -> &str {
        self.0.splitn(4, ':').nth(3).unwrap_or_default()
    }

    pub(super) fn is_post(&self) -> bool {
        matches!(self.kind(), "share" | "ugcPost" | "activity")
    }

    /// As it goes into a path or a query: with its colons escaped.
    pub(super) fn escaped(&self) -> String {
        self.0.replace(':', "%3A").replace('=', "%3D")
    }

    /// When a post was made: the number's bits from the 22nd on are milliseconds since 1970, as for all ids of posts there.
    pub(super) fn at(&self) -> Option<DateTime<Utc>> {
        let number: u64 = self.id().parse().ok().filter(|_| self.is_post())?;
        DateTime::from_timestamp_millis(i64::try_from(number >> 22).ok()?)
    }
}

impl<'de> Deserialize<'de> for Urn {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::parse(&text).ok_or_else(|| serde::de::Error::custom("that is no URN"))
    }
}

/// The post that a text names: its URN, or an address with the URN in it.
pub(super) fn post_urn(text: &str) -> Option<Urn> {
    if let Some(urn) = Urn::parse(text) {
        return Some(urn).filter(Urn::is_post);
    }
    let url = url::Url::parse(text).ok()?;
    let host = url.host_str()?;
    if !matches!(url.scheme(), "http" | "https") || !(host == "linkedin.com" || host.ends_with(".linkedin.com")) {
        return None;
    }
    let path = url.path().replace("%3A", ":").replace("%3a", ":");
    path.split('/').find_map(Urn::parse).filter(Urn::is_post)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_told_apart() {
        let share = Urn::parse("urn:li:share:7428834655279153152").expect("a name");
        assert_eq!((share.kind(), share.id(), share.is_post()), ("share", "7428834655279153152", true));
        assert_eq!(share.escaped(), "urn%3Ali%3Ashare%3A7428834655279153152");
        assert_eq!(share.at().expect("a time").date_naive().to_string(), "2026-02-15");
        for bad in ["", "share:1", "urn:li:share:", "urn:li:share:1/../2", "urn:li:sh are:1", "urn:li:share:1?x"] {
            assert_eq!(Urn::parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn posts_are_named_by_address_or_urn() {
        for good in [
            "urn:li:share:1",
            "https://www.linkedin.com/feed/update/urn:li:share:1/",
            "https://linkedin.com/feed/update/urn%3Ali%3Ashare%3A1?x=1",
        ] {
            assert_eq!(post_urn(good).expect(good).as_str(), "urn:li:share:1");
        }
        for bad in [
            "",
            "urn:li:person:1",
            "https://linkedin.example/feed/update/urn:li:share:1",
            "https://www.linkedin.com/in/acme",
        ] {
            assert_eq!(post_urn(bad), None, "{bad}");
        }
    }

    #[test]
    fn a_duplicate_names_the_first() {
        let read = |body: &str| serde_json::from_str::<ErrorBody>(body).expect("an object");
        let error = read(r#"{"message":"Content is a duplicate of urn:li:share:12.","status":422}"#);
        assert_eq!(error.duplicate(), Urn::parse("urn:li:share:12"));
        assert_eq!(read(r#"{"message":"duplicate of urn:li:person:a","status":422}"#).duplicate(), None);
        assert_eq!(read(r#"{"message":"x"}"#).told(), None, "anybody could say that");
        assert_eq!(read(r#"{"message":"x","code":"Y","status":400}"#).told().as_deref(), Some("x (Y)"));
    }
}
