//! An account: one identity on a network, with its settings. Its secret lives elsewhere.

use std::time::Duration;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::AccountName;

/// A span of the week: minutes since Monday 0:00, from `start` to before `end`, which is at most [`WeekSpan::WEEK`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct WeekSpan {
    /// Its first minute.
    pub start: u16,
    /// The minute after its last.
    pub end: u16,
}

impl WeekSpan {
    /// The minutes of a week.
    pub const WEEK: u16 = 7 * 24 * 60;
}

/// One identity on a network.
#[derive(Debug, Clone, PartialEq)]
pub struct Account {
    /// Its name, the same in both files.
    pub name: AccountName,
    /// The network's id, such as `mastodon`.
    pub network: String,
    /// The server, where the operator has set one: `https`, or plain `http` to loopback. No trailing slash.
    pub server: Option<String>,
    /// Least time between two posts of this account.
    pub spacing: Option<Duration>,
    /// Hours of the week in which nothing of this account goes out, on the clock of [`Account::timezone`]: sorted, and
    /// apart from each other.
    pub blackout: Vec<WeekSpan>,
    /// The zone that its blackout hours are meant in; the calendar's where nothing else is said. `None`: UTC.
    pub timezone: Option<String>,
    /// At most so much later than its time each post goes out, always the same for the same delivery.
    pub jitter: Option<Duration>,
    /// Limits that the operator has written down for this account's server.
    pub limits: LimitOverrides,
    /// The network's own settings, such as `handle` or `folder`: the rest of its table.
    pub settings: serde_json::Map<String, serde_json::Value>,
}

impl Account {
    /// An account without settings of its own, for tests and for building on.
    pub fn new(name: AccountName, network: impl Into<String>) -> Self {
        Self {
            name,
            network: network.into(),
            server: None,
            spacing: None,
            blackout: Vec::new(),
            timezone: None,
            jitter: None,
            limits: LimitOverrides::default(),
            settings: serde_json::Map::new(),
        }
    }

    /// The network's own settings, read. `Err`: why they cannot be; checking by their schema has said it before.
    pub fn read_settings<T: DeserializeOwned>(&self) -> Result<T, String> {
        T::deserialize(serde_json::Value::Object(self.settings.clone())).map_err(|error| error.to_string())
    }

    /// A text setting of the network's own.
    pub fn setting(&self, key: &str) -> Option<&str> {
        self.settings.get(key).and_then(serde_json::Value::as_str)
    }
}

/// Limits of one server that differ from those built in: `[accounts.X.limits]` in `smm.toml`, and what a server says of
/// itself. Absent means: as built in.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct LimitOverrides {
    /// Longest text, in the network's own unit.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub text: Option<u64>,
    /// What a link counts, where the network gives every link the same weight; 0: as it is written.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub link: Option<u64>,
    /// Most files in one part.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub media: Option<u64>,
    /// Longest alt text.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub alt: Option<u64>,
    /// Largest picture, in bytes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub image_bytes: Option<u64>,
    /// Largest picture, in pixels (width × height).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub image_pixels: Option<u64>,
    /// Largest video, in bytes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub video_bytes: Option<u64>,
    /// Most choices of a poll.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub poll_options: Option<u64>,
    /// Longest choice of a poll.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub poll_option_text: Option<u64>,
    /// Shortest poll, in seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub poll_seconds_min: Option<u64>,
    /// Longest poll, in seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub poll_seconds_max: Option<u64>,
}

impl LimitOverrides {
    /// These limits, and those of `other` where these say nothing.
    #[must_use]
    pub fn or(&self, other: &Self) -> Self {
        Self {
            text: self.text.or(other.text),
            link: self.link.or(other.link),
            media: self.media.or(other.media),
            alt: self.alt.or(other.alt),
            image_bytes: self.image_bytes.or(other.image_bytes),
            image_pixels: self.image_pixels.or(other.image_pixels),
            video_bytes: self.video_bytes.or(other.video_bytes),
            poll_options: self.poll_options.or(other.poll_options),
            poll_option_text: self.poll_option_text.or(other.poll_option_text),
            poll_seconds_min: self.poll_seconds_min.or(other.poll_seconds_min),
            poll_seconds_max: self.poll_seconds_max.or(other.poll_seconds_max),
        }
    }
}
