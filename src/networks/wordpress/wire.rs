//! What goes over the wire, and what is planned and frozen of a post.

use chrono::{DateTime, NaiveDateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::adapter::DraftMedia;
use crate::model::LimitOverrides;

/// What a step does.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "do", rename_all = "kebab-case")]
pub(super) enum Task {
    /// Uploads a file and gives it its alt text; gives an [`Uploaded`].
    Upload { media: DraftMedia, limits: LimitOverrides },
    /// Finds the tags and categories, makes those that are missing; gives [`Terms`].
    Terms { tags: Vec<String>, categories: Vec<String> },
    /// Finds the draft or makes it; gives a [`Prepared`].
    Draft(Post),
    /// Publishes the draft.
    Publish {
        /// The step that made it.
        draft: usize,
        slug: String,
    },
}

/// A post, but for what only the site knows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Post {
    /// Its own name on the site, derived from the delivery: by it the draft is found again.
    pub(super) slug: String,
    pub(super) title: String,
    pub(super) text: String,
    /// Markdown.
    pub(super) body: Option<String>,
    pub(super) link: Option<String>,
    /// The step that finds tags and categories.
    pub(super) terms: Option<usize>,
    pub(super) media: Vec<Placed>,
    /// Which of them is the featured image.
    pub(super) featured: Option<usize>,
}

/// A file of a post.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Placed {
    /// The step that uploads it.
    pub(super) step: usize,
    /// Its path in the calendar's folder.
    pub(super) file: String,
    pub(super) alt: String,
    pub(super) video: bool,
}

/// A file on the site.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Uploaded {
    pub(super) id: u64,
    pub(super) url: String,
    pub(super) width: u32,
    pub(super) height: u32,
}

/// Numbers of tags and categories.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Terms {
    pub(super) tags: Vec<u64>,
    pub(super) categories: Vec<u64>,
}

/// A draft on the site.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Prepared {
    pub(super) id: u64,
    /// Where the API is, as [`super::site::Root`] writes it.
    pub(super) root: String,
}

/// The frozen request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Request {
    pub(super) id: u64,
    pub(super) root: String,
    pub(super) status: String,
}

/// `GET /users/me`.
#[derive(Debug, Deserialize)]
pub(super) struct MeAnswer {
    pub(super) id: u64,
    #[serde(default)]
    pub(super) name: String,
    #[serde(default)]
    pub(super) slug: String,
    pub(super) capabilities: Option<serde_json::Map<String, serde_json::Value>>,
}

/// A post of the site.
#[derive(Debug, Deserialize)]
pub(super) struct PostAnswer {
    pub(super) id: u64,
    pub(super) status: String,
    #[serde(default)]
    pub(super) slug: String,
    pub(super) link: Option<String>,
}

/// `POST /media`.
#[derive(Debug, Deserialize)]
pub(super) struct MediaAnswer {
    pub(super) id: u64,
    pub(super) source_url: String,
}

/// A tag or a category. Its name is HTML.
#[derive(Debug, Deserialize)]
pub(super) struct TermAnswer {
    pub(super) id: u64,
    #[serde(default)]
    pub(super) name: String,
}

/// `GET /comments`.
#[derive(Debug, Deserialize)]
pub(super) struct CommentAnswer {
    pub(super) id: u64,
    #[serde(default)]
    pub(super) author_name: String,
    #[serde(default)]
    date_gmt: Option<String>,
    pub(super) link: Option<String>,
    pub(super) content: Option<Rendered>,
}

/// Text as HTML.
#[derive(Debug, Deserialize)]
pub(super) struct Rendered {
    #[serde(default)]
    pub(super) rendered: String,
}

impl CommentAnswer {
    /// When it was written; the site writes UTC without saying so.
    pub(super) fn at(&self) -> Option<DateTime<Utc>> {
        let date = NaiveDateTime::parse_from_str(self.date_gmt.as_deref()?, "%Y-%m-%dT%H:%M:%S").ok()?;
        Some(date.and_utc())
    }
}

/// The site's own error.
#[derive(Debug, Deserialize)]
pub(super) struct ErrorBody {
    pub(super) code: String,
    #[serde(default)]
    message: String,
    #[serde(default)]
    data: serde_json::Value,
}

impl ErrorBody {
    /// What it says, without its mark-up.
    pub(super) fn told(&self) -> String {
        format!("{} ({})", plain(&self.message), self.code)
    }

    /// The term that is there already.
    pub(super) fn term(&self) -> Option<u64> {
        let id = self.data.get("term_id").filter(|_| self.code == "term_exists")?;
        // Old ones write it as a text.
        id.as_u64().or_else(|| id.as_str()?.parse().ok())
    }
}

/// HTML as plain text: without tags, with the five entities and numbers that `WordPress` writes resolved.
pub(super) fn plain(html: &str) -> String {
    let mut text = String::new();
    let mut rest = html;
    while let Some(start) = rest.find('<') {
        text.push_str(&rest[..start]);
        let tag = &rest[start..];
        let Some(end) = tag.find('>') else {
            rest = tag;
            break;
        };
        if tag.starts_with("<br") || tag.starts_with("</p") {
            text.push('\n');
        }
        rest = &tag[end + 1..];
    }
    text.push_str(rest);
    entities(&text).trim().to_owned()
}

/// Entities resolved, once.
fn entities(text: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some(start) = rest.find('&') {
        out.push_str(&rest[..start]);
        let tail = &rest[start..];
        let end = tail.find(';').filter(|end| *end <= 10);
        let resolved = end.and_then(|end| match &tail[1..end] {
            "amp" => Some('&'),
            "lt" => Some('<'),
            "gt" => Some('>'),
            "quot" => Some('"'),
            "nbsp" => Some(' '),
            number => {
                let digits = number.strip_prefix('#')?;
                let code = match digits.strip_prefix(['x', 'X']) {
                    Some(hex) => u32::from_str_radix(hex, 16).ok()?,
                    None => digits.parse().ok()?,
                };
                char::from_u32(code)
            }
        });
        if let (Some(resolved), Some(end)) = (resolved, end) {
            out.push(resolved);
            rest = &tail[end + 1..];
        } else {
            out.push('&');
            rest = &tail[1..];
        }
    }
    out + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn html_is_read_as_text() {
        assert_eq!(
            plain("<p>a &amp;lt; b &#8217;c&#x27;</p>\n<p>d<br />e & f &bogus; <"),
            "a &lt; b ’c'\n\nd\ne & f &bogus; <"
        );
        assert_eq!(plain("<strong>Error:</strong> no"), "Error: no");
    }

    #[test]
    fn an_error_tells_of_a_term_that_is_there() {
        let body = r#"{"code":"term_exists","message":"A term…","data":{"status":400,"term_id":7}}"#;
        let error: ErrorBody = serde_json::from_str(body).expect("an error");
        assert_eq!(error.term(), Some(7));
        let old: ErrorBody = serde_json::from_str(&body.replace('7', "\"7\"")).expect("an error");
        assert_eq!(old.term(), Some(7));
        let other: ErrorBody = serde_json::from_str(r#"{"code":"x","data":{"term_id":7}}"#).expect("an error");
        assert_eq!(other.term(), None);
    }
}
