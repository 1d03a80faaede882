//! A release: what the texts of `on = "release"` posts speak of.

use serde::{Deserialize, Serialize};

/// A release of a project, as its announcer knows it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Release {
    /// The project's name.
    pub project: String,
    /// The tag: `v2.0.0`. It names the occurrence.
    pub tag: String,
    /// Where it is to be had.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub url: String,
    /// What is new, Markdown.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub notes: String,
    /// The day, `YYYY-MM-DD`, in the calendar's zone.
    pub date: String,
    /// It is not for everybody yet.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub prerelease: bool,
    /// The tag before it; empty: not known.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub previous: String,
}

impl Release {
    /// The tag without the `v` that it may begin with: `2.0.0`. What stands before a last `/` or an `@` (`cli/v2.0.0`,
    /// `@acme/cli@2.0.0`) names a part of the project, not its version.
    pub fn version(&self) -> &str {
        let last = self.tag.rsplit(['/', '@']).next().unwrap_or(&self.tag);
        match last.strip_prefix(['v', 'V']) {
            Some(rest) if rest.starts_with(|c: char| c.is_ascii_digit()) => rest,
            _ => last,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_is_a_tag_without_its_v() {
        let cases = [
            ("v2.0.0", "2.0.0"),
            ("2.0", "2.0"),
            ("V1", "1"),
            ("vega", "vega"),
            ("cli/v1.2.3", "1.2.3"),
            ("@acme/cli@2.0.0-rc.1", "2.0.0-rc.1"),
        ];
        for (tag, version) in cases {
            assert_eq!(Release { tag: tag.to_owned(), ..Release::default() }.version(), version, "{tag}");
        }
    }
}
