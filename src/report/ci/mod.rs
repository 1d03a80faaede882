//! Output in the habits of the service that a job runs on: groups, masks, job summaries, and a log in which nothing that
//! others wrote gives orders.

mod command;
mod summary;

use std::borrow::Cow;

pub(crate) use command::{data, property};
pub use summary::{ROOM, checked, delivered, fitted, nothing};

/// The service that a job runs on, as far as its habits differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Ci {
    /// None: a terminal, a timer, or a service without habits of its own.
    #[default]
    None,
    /// GitHub Actions.
    Github,
    /// Forgejo Actions, and Gitea's: their runners read GitHub's commands.
    Forgejo,
    /// GitLab CI.
    Gitlab,
    /// Woodpecker, which has a plain log.
    Woodpecker,
}

impl Ci {
    /// Which it is, from the environment of the job.
    pub fn of(variable: impl Fn(&str) -> Option<String>) -> Self {
        let is = |name: &str, value: &str| variable(name).is_some_and(|found| found.eq_ignore_ascii_case(value));
        if is("FORGEJO_ACTIONS", "true") || is("GITEA_ACTIONS", "true") {
            Self::Forgejo
        } else if is("GITHUB_ACTIONS", "true") {
            Self::Github
        } else if is("GITLAB_CI", "true") {
            Self::Gitlab
        } else if is("CI", "woodpecker") {
            Self::Woodpecker
        } else {
            Self::None
        }
    }

    /// Whether it takes lines of a log for orders as GitHub does.
    pub fn has_commands(self) -> bool {
        matches!(self, Self::Github | Self::Forgejo)
    }

    /// The variable that names the folder of the checkout.
    pub fn root(self) -> Option<&'static str> {
        match self {
            Self::None => None,
            Self::Github | Self::Forgejo => Some("GITHUB_WORKSPACE"),
            Self::Gitlab => Some("CI_PROJECT_DIR"),
            Self::Woodpecker => Some("CI_WORKSPACE"),
        }
    }

    /// Foreign text for the log: no line of it is an order to the service.
    pub fn tamed(self, text: &str) -> Cow<'_, str> {
        match self {
            Self::None => Cow::Borrowed(text),
            _ => command::tamed(text),
        }
    }

    /// What begins a part of the log that can be folded. `name`: letters, digits, `-` and `_`; `at`: seconds since 1970.
    pub fn begin(self, name: &str, title: &str, at: i64) -> String {
        let title = title.replace(char::is_control, " ");
        match self {
            Self::Github | Self::Forgejo => format!("::group::{}\n", data(&title)),
            // GitLab's markers begin and end with the code that clears a line, which hides them where they mean nothing.
            Self::Gitlab => format!("\u{1b}[0Ksection_start:{at}:{name}\r\u{1b}[0K{title}\n"),
            Self::None | Self::Woodpecker => String::new(),
        }
    }

    /// What ends it.
    pub fn end(self, name: &str, at: i64) -> String {
        match self {
            Self::Github | Self::Forgejo => "::endgroup::\n".to_owned(),
            Self::Gitlab => format!("\u{1b}[0Ksection_end:{at}:{name}\r\u{1b}[0K\n"),
            Self::None | Self::Woodpecker => String::new(),
        }
    }

    /// The command that lets the service cover a secret wherever it appears from now on; `None`: it would print it instead,
    /// or there is nothing to cover. The runner itself covers each line of one that has several.
    pub fn mask(self, secret: &str) -> Option<String> {
        (self.has_commands() && !secret.trim().is_empty()).then(|| format!("::add-mask::{}\n", data(secret)))
    }
}

/// JSON in which no `##[` is left: in its texts a `#` may be written as an escape.
pub fn quiet_json(json: &str) -> Cow<'_, str> {
    if json.contains("##[") { Cow::Owned(json.replace("##[", "#\\u0023[")) } else { Cow::Borrowed(json) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(pairs: &[(&str, &str)]) -> Ci {
        Ci::of(|name| pairs.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned()))
    }

    #[test]
    fn a_service_is_known_by_its_variable() {
        assert_eq!(of(&[]), Ci::None);
        assert_eq!(of(&[("CI", "true")]), Ci::None);
        assert_eq!(of(&[("GITHUB_ACTIONS", "true")]), Ci::Github);
        assert_eq!(of(&[("GITHUB_ACTIONS", "true"), ("FORGEJO_ACTIONS", "true")]), Ci::Forgejo);
        assert_eq!(of(&[("GITHUB_ACTIONS", "true"), ("GITEA_ACTIONS", "true")]), Ci::Forgejo);
        assert_eq!(of(&[("GITLAB_CI", "true")]), Ci::Gitlab);
        assert_eq!(of(&[("CI", "woodpecker")]), Ci::Woodpecker);
        assert_eq!(of(&[("GITHUB_ACTIONS", "false")]), Ci::None);
    }

    #[test]
    fn groups_are_the_services_own() {
        assert_eq!(Ci::Github.begin("smm", "a\n::error::x %", 1), "::group::a ::error::x %25\n");
        assert_eq!(Ci::Github.end("smm", 1), "::endgroup::\n");
        assert_eq!(Ci::Gitlab.begin("smm", "a\r\u{1b}[0Kb", 7), "\u{1b}[0Ksection_start:7:smm\r\u{1b}[0Ka  [0Kb\n");
        assert_eq!(Ci::Gitlab.end("smm", 9), "\u{1b}[0Ksection_end:9:smm\r\u{1b}[0K\n");
        assert_eq!(Ci::Woodpecker.begin("smm", "a", 1) + &Ci::None.end("smm", 1), "");
    }

    #[test]
    fn a_secret_is_printed_only_to_be_covered() {
        assert_eq!(Ci::Github.mask("a%\nb").as_deref(), Some("::add-mask::a%25%0Ab\n"));
        for ci in [Ci::None, Ci::Gitlab, Ci::Woodpecker] {
            assert_eq!(ci.mask("secret"), None, "{ci:?}");
        }
        assert_eq!(Ci::Github.mask(" "), None);
    }

    #[test]
    fn json_stays_the_same_json() {
        let value = serde_json::json!({"text": "##[error]x ###[y] # ##"});
        let text = serde_json::to_string(&value).expect("JSON");
        let quiet = quiet_json(&text);
        assert!(!quiet.contains("##["), "{quiet}");
        assert_eq!(serde_json::from_str::<serde_json::Value>(&quiet).expect("JSON"), value);
    }
}
