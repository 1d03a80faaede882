//! A post: an entry of the calendar, resolved (defaults applied, accounts looked up) but not yet composed.

use std::collections::BTreeMap;

use chrono::{DateTime, NaiveDate, NaiveDateTime, Utc};
use serde::{Deserialize, Serialize};

use super::{AccountName, Content, PostId};

/// An entry of the calendar.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Post {
    /// Its stable id.
    pub id: PostId,
    /// The id that names its occurrences: `renamed_from` where that is given, else [`Post::id`].
    pub name: PostId,
    /// What makes it due. `None` for a draft without a time.
    pub trigger: Option<Trigger>,
    /// The accounts that it goes to, in the calendar's order, without repetition.
    pub to: Vec<AccountName>,
    /// What it says.
    pub content: Content,
    /// What `[posts.for.X]` puts over the content. An account's name is looked up first, then its network's.
    pub overrides: BTreeMap<String, Content>,
    /// The campaign that it belongs to.
    pub campaign: Option<String>,
    /// What happens when its time has gone by.
    pub late: Late,
    /// A draft is checked and never published.
    pub draft: bool,
}

/// What makes a post due.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Trigger {
    /// Once.
    At {
        /// Civil time in the calendar's zone. With an offset in the calendar, the civil time that it comes to.
        civil: NaiveDateTime,
        /// The instant, derived from civil time and zone (first of the two in an overlap).
        instant: DateTime<Utc>,
    },
    /// A series.
    Cron {
        /// The rule as written.
        rule: String,
        /// First day on which it may be due.
        from: Option<NaiveDate>,
        /// Last day on which it may be due.
        until: Option<NaiveDate>,
        /// Days on which it is not due.
        except: Vec<NaiveDate>,
    },
    /// A release; its occurrences are tags.
    Release(ReleaseRule),
}

/// Which releases a post is for.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReleaseRule {
    /// Releases of this kind are left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub skip: Option<ReleaseKind>,
    /// Only tags that one of these patterns matches (`*`: any characters, `?`: one); empty: all.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub only: Vec<String>,
}

/// What kind of release it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ReleaseKind {
    /// Not for everybody yet.
    Prerelease,
    /// For everybody.
    Stable,
}

/// What happens to a delivery whose time has gone by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Late {
    /// Up to this many seconds late it is published without a question.
    pub grace_seconds: u64,
    /// After that.
    pub then: LateThen,
}

impl Default for Late {
    /// Fifteen minutes, then hold: nothing goes out hours late without somebody having said so.
    fn default() -> Self {
        Self { grace_seconds: 15 * 60, then: LateThen::Hold }
    }
}

/// What happens to a delivery that is later than its grace.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LateThen {
    /// Wait for a person.
    Hold,
    /// Publish anyway.
    Publish,
    /// Do not publish; it is recorded as missed.
    Skip,
}

/// A campaign: what several posts are for.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Campaign {
    /// In words.
    pub goal: Option<String>,
    /// Parameters appended to the links of its posts.
    pub utm: Utm,
}

/// UTM parameters. Each is a template that may use `network`, `account`, `campaign` and `post`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Utm {
    /// `utm_source`.
    pub source: Option<String>,
    /// `utm_medium`.
    pub medium: Option<String>,
    /// `utm_campaign`; the campaign's name when absent and any other is set.
    pub campaign: Option<String>,
    /// `utm_term`.
    pub term: Option<String>,
    /// `utm_content`.
    pub content: Option<String>,
}

impl Utm {
    /// Nothing is appended.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}
