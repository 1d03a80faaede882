//! Which remote a ledger in git is on, and how its refs are called.

use std::path::Path;

use super::program::{Git, LOCAL};
use super::trouble::{Trouble, redact};
use crate::ledger::{LedgerError, Result};
use crate::model::{DeliveryId, GitSetting};

/// The remote, and the refs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Place {
    /// The remote's name.
    pub(super) remote: String,
    /// For people: the ref, the remote and its address, without credentials.
    pub(super) shown: String,
    name: String,
}

impl Place {
    /// Asks the repository.
    pub(super) fn find(git: &Git, setting: &GitSetting) -> std::result::Result<Self, Trouble> {
        git.done(&["rev-parse", "--git-dir"], b"", LOCAL)?;
        let known = git.done(&["remote"], b"", LOCAL)?.text();
        let known: Vec<&str> = known.lines().filter(|name| !name.is_empty()).collect();
        let remote = choose(setting.remote.as_deref(), &known, git.folder())?;
        let urls = git.done(&["remote", "get-url", "--push", "--all", "--", &remote], b"", LOCAL)?.text();
        let mut urls = urls.lines();
        let (Some(url), None) = (urls.next(), urls.next()) else {
            return Err(LedgerError::Storage(format!(
                "the remote `{remote}` has several addresses to push to, and a ledger has one place; name a remote that has \
                 one with `ledger = \"git:REMOTE\"`"
            ))
            .into());
        };
        let name = setting.name.clone();
        let shown = format!("refs/smm/{name} on {remote} ({})", redact(url));
        Ok(Self { remote, shown, name })
    }

    /// The ref that the whole ledger is in.
    pub(super) fn state(&self) -> String {
        format!("refs/smm/{}/state", self.name)
    }

    /// The ref that says that a delivery was begun, or is out.
    pub(super) fn delivery(&self, id: DeliveryId) -> String {
        format!("refs/smm/{}/deliveries/{id}", self.name)
    }

    /// The delivery that a ref is about.
    pub(super) fn delivery_of(&self, name: &str) -> Option<DeliveryId> {
        name.strip_prefix("refs/smm/")?.strip_prefix(&self.name)?.strip_prefix("/deliveries/")?.parse().ok()
    }

    /// All of the ledger's refs, as `git ls-remote` takes it.
    pub(super) fn all(&self) -> String {
        format!("refs/smm/{}/*", self.name)
    }
}

fn choose(wanted: Option<&str>, known: &[&str], folder: &Path) -> Result<String> {
    let list = || known.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
    let refuse = |text: String| Err(LedgerError::Storage(text));
    match (wanted, known) {
        (_, []) => refuse(format!(
            "the ledger is in git, and the repository of {} has no remote; add one with `git remote add origin ADDRESS`",
            folder.display()
        )),
        (Some(wanted), _) if known.contains(&wanted) => Ok(wanted.to_owned()),
        (Some(wanted), _) => refuse(format!("the repository has no remote `{wanted}`; it has {}", list())),
        (None, _) if known.contains(&"origin") => Ok("origin".to_owned()),
        (None, [only]) => Ok((*only).to_owned()),
        (None, _) => refuse(format!(
            "the repository has several remotes ({}) and none is called `origin`; name one with `ledger = \"git:REMOTE\"`",
            list()
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_remote_is_the_named_one_or_the_obvious_one() {
        let choose = |wanted: Option<&str>, known: &[&str]| choose(wanted, known, Path::new("/team"));
        assert_eq!(choose(None, &["a", "origin"]), Ok("origin".to_owned()));
        assert_eq!(choose(None, &["a"]), Ok("a".to_owned()));
        assert_eq!(choose(Some("a"), &["a", "origin"]), Ok("a".to_owned()));
        for (wanted, known, says) in [
            (None, vec![], "has no remote"),
            (None, vec!["a", "b"], "several remotes (`a`, `b`)"),
            (Some("c"), vec!["a"], "no remote `c`; it has `a`"),
        ] {
            let error = choose(wanted, &known).expect_err(says).to_string();
            assert!(error.contains(says), "{error}");
        }
    }

    #[test]
    fn refs_and_deliveries_are_told_apart() {
        let place = Place { remote: "origin".to_owned(), shown: String::new(), name: "ledger".to_owned() };
        let id: DeliveryId = "5cc4f05b5b08cf37d35627a886f2f858".parse().expect("an id");
        assert_eq!(place.delivery(id), "refs/smm/ledger/deliveries/5cc4f05b5b08cf37d35627a886f2f858");
        assert_eq!(place.delivery_of(&place.delivery(id)), Some(id));
        assert_eq!(place.delivery_of("refs/smm/ledger-b/deliveries/5cc4f05b5b08cf37d35627a886f2f858"), None);
        assert_eq!(place.delivery_of(&place.state()), None);
    }
}
