//! Names that people look for and that are no network here: those that cannot be had, with why and since when, and other
//! names of those that can.

/// A network that cannot be had.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
pub struct Gone {
    /// As it would be written in files.
    pub id: &'static str,
    /// Name for people.
    pub name: &'static str,
    /// Since when: a day, a month, or what is known of it.
    pub since: &'static str,
    /// Why, in a sentence without a full stop.
    pub why: &'static str,
    /// What to do instead.
    pub instead: &'static str,
    /// Where it was read.
    pub source: &'static str,
    /// When, `YYYY-MM-DD`.
    pub verified: &'static str,
    /// What else it is called.
    #[serde(skip)]
    names: &'static [&'static str],
}

/// The day on which all of these were looked up.
const VERIFIED: &str = "2026-11-23";

/// Networks that cannot be had, sorted by id.
pub static GONE: &[Gone] = &[
    Gone {
        id: "facebook",
        name: "Facebook",
        since: "never built",
        why: "programs can post to pages alone, never to a person's profile or a group, and smm does not speak to pages yet",
        instead: "hand the post to a program of your own that does",
        source: "Meta's Graph API, Pages API overview",
        verified: VERIFIED,
        names: &["fb", "facebook-page", "facebook-pages", "meta"],
    },
    Gone {
        id: "google-plus",
        name: "Google+",
        since: "2019-04-02",
        why: "it was closed for people on that day, and its API on 2019-03-07",
        instead: "leave it out; nothing took its place",
        source: "Google's notices of 2019-01-30, as the press quoted them",
        verified: VERIFIED,
        names: &["google+", "googleplus", "gplus", "g+", "google"],
    },
    Gone {
        id: "medium",
        name: "Medium",
        since: "2023-03-02; no new tokens since 2025-01-01",
        why: "its API is no longer supported, nobody can make a token for it any more, and it could never look a post up",
        instead: "publish on a site of your own (`feed`, `wordpress`), and import the story into Medium from its address by hand",
        source: "Medium/medium-api-docs, README.md (archived); the day of the last tokens by makers of connectors",
        verified: VERIFIED,
        names: &["medium.com"],
    },
    Gone {
        id: "ning",
        name: "Ning",
        since: "no living public API known",
        why: "each community is a paid network of its own, and its API of about 2013 could not be found to answer",
        instead: "publish a feed, and let the community show it",
        source: "Ning's help for its API 1.0 and 2.0; nothing newer was found",
        verified: VERIFIED,
        names: &["ning.com"],
    },
    Gone {
        id: "slideshare",
        name: "SlideShare",
        since: "no usable API known; owned by Scribd since 2020",
        why: "its API took only whole slide decks, wanted the user's own password in every call, and no living copy of it was found",
        instead: "upload the slides by hand, and post the link",
        source: "SlideShare's API 2.0 documentation, old copies",
        verified: VERIFIED,
        names: &["slide-share", "slideshare.net"],
    },
    Gone {
        id: "socialgo",
        name: "SocialGO",
        since: "closed; the day is not known",
        why: "this maker of communities had pages of help until about 2012, never an API to publish with, and is gone",
        instead: "leave it out",
        source: "its help pages of 2008, old copies; nothing newer was found",
        verified: VERIFIED,
        names: &["social-go"],
    },
    Gone {
        id: "stumbleupon",
        name: "StumbleUpon",
        since: "2018-06-30",
        why: "it was closed on that day; its readers were sent to Mix, which has no API to publish with",
        instead: "leave it out; nothing took its place",
        source: "its founder's notice of 2018-05-23, as the press quoted it",
        verified: VERIFIED,
        names: &["stumble-upon", "stumbleupon.com", "mix", "mix.com"],
    },
];

/// The network that cannot be had and is called so.
pub fn gone(name: &str) -> Option<&'static Gone> {
    let name = name.trim().to_lowercase();
    GONE.iter().find(|gone| gone.id == name || gone.names.contains(&name.as_str()))
}

/// The id of the network that is called so by others.
pub fn known_as(name: &str) -> Option<&'static str> {
    let name = name.trim().to_lowercase();
    let network = super::ALL.iter().find(|network| network.also_called().contains(&name.as_str()))?;
    Some(network.profile().id)
}

impl Gone {
    /// What is said where one is asked for it.
    pub fn message(&self) -> String {
        format!("{} cannot be had ({}): {}", self.name, self.since, self.why)
    }
}

/// Every name with what is said of it, and what to do instead.
pub(super) fn strangers() -> Vec<(&'static str, String, String)> {
    let mut strangers = Vec::new();
    for gone in GONE {
        for name in std::iter::once(&gone.id).chain(gone.names) {
            strangers.push((*name, gone.message(), gone.instead.to_owned()));
        }
    }
    for network in super::ALL {
        let help = format!("write `network = \"{}\"`", network.profile().id);
        let names = network.also_called().iter();
        strangers.extend(names.map(|&name| (name, format!("`{name}` is not a network's id"), help.clone())));
    }
    strangers
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_nobody_elses() {
        let mut names: Vec<&str> =
            GONE.iter().flat_map(|gone| std::iter::once(&gone.id).chain(gone.names)).copied().collect();
        names.extend(crate::networks::ALL.iter().flat_map(|network| network.also_called()));
        for name in &names {
            assert!(super::super::find(name).is_none(), "{name} is a network");
            assert_eq!(*name, name.to_lowercase());
        }
        let count = names.len();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), count, "no name is there twice");
        assert!(GONE.is_sorted_by_key(|gone| gone.id));
    }

    #[test]
    fn they_are_found_however_they_are_written() {
        for (name, id) in
            [("Google+", "google-plus"), (" medium ", "medium"), ("FB", "facebook"), ("stumbleupon", "stumbleupon")]
        {
            assert_eq!(gone(name).map(|gone| gone.id), Some(id));
        }
        assert_eq!(gone("mastodon"), None);
        assert_eq!(known_as("Bsky"), Some("bluesky"));
        assert_eq!(known_as("RSS"), Some("feed"));
        assert_eq!(known_as("mastodon"), None);
        assert!(strangers().iter().any(|(name, _, help)| *name == "smtp" && help.contains("\"email\"")));
    }
}
