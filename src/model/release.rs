//! A release: what the texts of `on = "release"` posts speak of.

use serde::{Deserialize, Serialize};

use super::{ReleaseKind, ReleaseRule};

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

/// Whether a version says of itself that it is not for everybody yet: `2.0.0-rc.1`, `2.0.0b3`.
pub fn is_early(version: &str) -> bool {
    const WORDS: [&str; 15] = [
        "a",
        "alpha",
        "b",
        "beta",
        "c",
        "canary",
        "dev",
        "ea",
        "m",
        "milestone",
        "next",
        "nightly",
        "pre",
        "preview",
        "rc",
    ];
    let version = version.split('+').next().unwrap_or(version).to_ascii_lowercase();
    if !version.starts_with(|c: char| c.is_ascii_digit()) {
        return false;
    }
    let mut rest = version.as_str();
    while let Some(at) = rest.find(|c: char| c.is_ascii_alphabetic()) {
        let end = rest[at..].find(|c: char| !c.is_ascii_alphabetic()).map_or(rest.len(), |end| at + end);
        let (word, after) = (&rest[at..end], &rest[end..]);
        // A letter alone may be anything: `1.0.2a` was a patch.
        if WORDS.contains(&word) && (word.len() > 1 || after.starts_with(|c: char| c.is_ascii_digit())) {
            return true;
        }
        rest = after;
    }
    version.contains("snapshot")
}

impl ReleaseRule {
    /// Why a release is left out; `None`: the post is for it.
    pub fn leaves_out(&self, release: &Release) -> Option<String> {
        match self.skip {
            Some(ReleaseKind::Prerelease) if release.prerelease => {
                return Some(format!("{} is a pre-release", release.tag));
            }
            Some(ReleaseKind::Stable) if !release.prerelease => {
                return Some(format!("{} is no pre-release", release.tag));
            }
            _ => {}
        }
        let wanted = self.only.is_empty() || self.only.iter().any(|pattern| matches(pattern, &release.tag));
        (!wanted).then(|| format!("{} is not like {}", release.tag, self.only.join(" or ")))
    }
}

/// Whether a pattern matches a whole text: `*` any characters, `?` one. Takes at most the product of their lengths.
fn matches(pattern: &str, text: &str) -> bool {
    let (pattern, text): (Vec<char>, Vec<char>) = (pattern.chars().collect(), text.chars().collect());
    let (mut p, mut t) = (0, 0);
    // The latest star, and how much of the text was left to it.
    let mut star: Option<(usize, usize)> = None;
    while t < text.len() {
        match pattern.get(p) {
            Some('*') => {
                star = Some((p, t));
                p += 1;
            }
            Some(c) if *c == '?' || *c == text[t] => {
                p += 1;
                t += 1;
            }
            _ => match &mut star {
                Some((at, taken)) => {
                    *taken += 1;
                    (p, t) = (*at + 1, *taken);
                }
                None => return false,
            },
        }
    }
    pattern[p..].iter().all(|c| *c == '*')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_post_is_for_some_releases() {
        let release = |tag: &str, prerelease| Release { tag: tag.to_owned(), prerelease, ..Release::default() };
        let rule = |skip, only: &[&str]| ReleaseRule { skip, only: only.iter().map(|&it| it.to_owned()).collect() };
        assert_eq!(ReleaseRule::default().leaves_out(&release("v1", true)), None);
        let stable = rule(Some(ReleaseKind::Prerelease), &[]);
        assert_eq!(stable.leaves_out(&release("v1-rc.1", true)).as_deref(), Some("v1-rc.1 is a pre-release"));
        assert_eq!(stable.leaves_out(&release("v1", false)), None);
        let early = rule(Some(ReleaseKind::Stable), &[]);
        assert_eq!(early.leaves_out(&release("v1", false)).as_deref(), Some("v1 is no pre-release"));
        assert_eq!(early.leaves_out(&release("v1-rc.1", true)), None);
        let major = rule(None, &["v*.0.0", "cli/*"]);
        assert_eq!(major.leaves_out(&release("v12.0.0", false)), None);
        assert_eq!(major.leaves_out(&release("cli/1", false)), None);
        let why = major.leaves_out(&release("v1.1.0", false));
        assert_eq!(why.as_deref(), Some("v1.1.0 is not like v*.0.0 or cli/*"));
    }

    #[test]
    fn a_version_says_that_it_is_early() {
        for early in ["2.0.0-rc.1", "2.0.0b3", "1.0a1", "3.0.0.dev5", "1.0-SNAPSHOT", "2.0.0-next.1", "1.0.0-beta"] {
            assert!(is_early(early), "{early}");
        }
        for stable in ["2.0.0", "1.0.2a", "2.0.0.post1", "2026-11-01", "1.0.0-1", "1.0.0+beta.1", "vega", "beta", ""] {
            assert!(!is_early(stable), "{stable}");
        }
    }

    #[test]
    fn patterns_match_whole_tags() {
        for (pattern, tag, is) in [
            ("*", "", true),
            ("v*.0.0", "v2.0.0", true),
            ("v*.0.0", "v2.0.0.0.0", true),
            ("v*.0.0", "v2.0.01", false),
            ("v?", "v", false),
            ("v?", "vä", true),
            ("a*b*c", "aXbYbZc", true),
            ("a*b*c", "aXcYb", false),
            ("", "v", false),
            ("v1", "v1", true),
        ] {
            assert_eq!(matches(pattern, tag), is, "{pattern} {tag}");
        }
        // What a backtracking matcher would never end with.
        assert!(!matches(&format!("{}c", "a*".repeat(40)), &"a".repeat(5000)));
    }

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
