//! Cron rules. The only file that names the `cron` crate.

use chrono::NaiveDateTime;

/// A cron rule: five fields as in cron(5), or six or seven as in the `cron` crate.
#[derive(Debug, Clone)]
pub struct CronRule {
    text: String,
}

/// A rule that cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct CronError {
    /// What is wrong.
    pub message: String,
    /// The byte range of the rule that it is about.
    pub start: usize,
    /// To before this byte.
    pub end: usize,
    /// How to mend it.
    pub help: Option<String>,
}

impl CronRule {
    /// Reads a rule.
    pub fn parse(text: &str) -> Result<Self, CronError> {
        let _ = text;
        todo!()
    }

    /// As written.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The first nominal civil time after `after`, whatever any clock does on that day. `None`: never again.
    pub fn next_after(&self, after: NaiveDateTime) -> Option<NaiveDateTime> {
        let _ = after;
        todo!()
    }
}
