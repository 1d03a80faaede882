//! Where a ledger in git is: what `smm.toml` says of it.

/// What `ledger = "git…"` says: `git`, `git:REMOTE`, `git:REMOTE#NAME` or `git#NAME`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GitSetting {
    /// The remote's name; `None`: `origin`, or the only one.
    pub remote: Option<String>,
    /// What tells ledgers on one remote apart.
    pub name: String,
}

impl GitSetting {
    /// Reads it. `None`: it is about something else.
    ///
    /// # Errors
    /// What is wrong with it, in a sentence.
    pub fn parse(text: &str) -> Option<Result<Self, String>> {
        let rest = text.strip_prefix("git").filter(|rest| rest.is_empty() || rest.starts_with([':', '#']))?;
        let (remote, name) = match rest.split_once('#') {
            Some((remote, name)) => (remote, Some(name)),
            None => (rest, None),
        };
        let remote = remote.strip_prefix(':');
        if let Some(remote) = remote {
            if remote.contains("://") || remote.contains('@') {
                return Some(Err(
                    "`git:` names a remote of the calendar's repository (see `git remote`), not an address; \
                                 add one with `git remote add NAME ADDRESS`"
                        .to_owned(),
                ));
            }
            let odd = |c: char| !(c.is_ascii_alphanumeric() || "._/-".contains(c));
            if remote.is_empty() || remote.starts_with('-') || remote.contains(odd) {
                return Some(Err("after `git:` comes the name of a remote, as `git remote` shows it".to_owned()));
            }
        }
        let name = name.unwrap_or("ledger");
        let odd = |c: char| !(c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-');
        if !name.starts_with(|c: char| c.is_ascii_lowercase()) || name.contains(odd) || name.len() > 40 {
            return Some(Err(
                "after `#` comes the ledger's name: a small letter, then small letters, digits and `-`, at most 40"
                    .to_owned(),
            ));
        }
        Some(Ok(Self { remote: remote.map(str::to_owned), name: name.to_owned() }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_setting_names_a_remote_and_a_ledger() {
        let read = |text: &str| GitSetting::parse(text).map(|read| read.map(|it| (it.remote, it.name)));
        let is = |remote: Option<&str>, name: &str| Some(Ok((remote.map(str::to_owned), name.to_owned())));
        assert_eq!(read("git"), is(None, "ledger"));
        assert_eq!(read("git:up/stream"), is(Some("up/stream"), "ledger"));
        assert_eq!(read("git:upstream#team-b"), is(Some("upstream"), "team-b"));
        assert_eq!(read("git#team-b"), is(None, "team-b"));
        for other in ["sqlite", "gitea.db", "./git", "github"] {
            assert_eq!(GitSetting::parse(other), None, "{other}");
        }
        for wrong in
            ["git:", "git:https://a:b@c/d", "git:-x", "git:a b", "git:git@host:a", "git#", "git#A", "git:a#../b"]
        {
            assert!(matches!(GitSetting::parse(wrong), Some(Err(_))), "{wrong}");
        }
    }
}
