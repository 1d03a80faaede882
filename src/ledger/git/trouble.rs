//! What goes wrong with git, in words that say what to do.

use std::time::Duration;

use crate::ledger::LedgerError;

/// Why a command did not do what it was asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Trouble {
    /// There is no `git`.
    NoProgram,
    /// It could not be started or waited for.
    NotRun(String),
    /// It was ended: no answer in time.
    Late {
        /// Which command.
        what: String,
        /// How long it had.
        limit: Duration,
    },
    /// It failed, and said why.
    Said {
        /// Which command.
        what: String,
        /// The last of its words, without credentials.
        why: String,
    },
    /// The ledger itself is to say what is wrong.
    Ledger(LedgerError),
}

impl From<LedgerError> for Trouble {
    fn from(error: LedgerError) -> Self {
        Self::Ledger(error)
    }
}

impl Trouble {
    /// A command that failed, with what it wrote to stderr.
    pub(super) fn said(what: &str, stderr: &str) -> Self {
        Self::Said { what: what.to_owned(), why: brief(&redact(stderr)) }
    }

    /// Trying again changes nothing: a person has to see to it.
    pub(super) fn is_final(&self) -> bool {
        match self {
            Self::NoProgram => true,
            Self::NotRun(_) | Self::Late { .. } | Self::Ledger(_) => false,
            Self::Said { why, .. } => !matches!(Cause::of(why), None | Some(Cause::NotReached | Cause::Locked)),
        }
    }

    /// Another push may be under way there, or was ended in the middle.
    pub(super) fn is_locked(&self) -> bool {
        matches!(self, Self::Said { why, .. } if Cause::of(why) == Some(Cause::Locked))
    }

    /// Git has failed, and its words lead to nothing that is known of the remote.
    pub(super) fn is_unexplained(&self) -> bool {
        matches!(self, Self::Said { why, .. } if Cause::of(why).is_none())
    }

    /// What a person is told. `place`: the ledger's ref and its remote.
    pub(super) fn explain(self, place: &str, folder: &std::path::Path) -> LedgerError {
        let text = match self {
            Self::Ledger(error) => return error,
            Self::NoProgram => {
                "the ledger is in git, and there is no `git` program; install git, or write another `ledger` in smm.toml"
                    .to_owned()
            }
            Self::NotRun(why) => format!("`git` cannot be run in {}: {why}", folder.display()),
            Self::Late { what, limit } => format!(
                "the ledger at {place} does not answer: `git {what}` was ended after {} s; nothing is sent; try \
                 `git ls-remote`: it has to answer soon, and without a question",
                limit.as_secs()
            ),
            Self::Said { what, why } => match Cause::of(&why) {
                Some(cause) => format!("{}: {why}; {}", cause.what(place), cause.help(folder)),
                None => format!("the ledger at {place} cannot be used: `git {what}` failed: {why}"),
            },
        };
        LedgerError::Storage(text)
    }
}

/// What git's words come to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Cause {
    NoRepository,
    Ownership,
    NotAtomic,
    Locked,
    MayNotPush,
    Protected,
    Credentials,
    NotFound,
    NotReached,
}

impl Cause {
    fn of(said: &str) -> Option<Self> {
        let said = said.to_ascii_lowercase();
        let has = |words: &[&str]| words.iter().any(|word| said.contains(word));
        Some(if has(&["dubious ownership"]) {
            Self::Ownership
        } else if has(&["not a git repository (or any"]) {
            Self::NoRepository
        } else if has(&["does not support --atomic", "atomic push is not supported"]) {
            Self::NotAtomic
        } else if has(&[".lock': file exists", "cannot lock references"]) {
            Self::Locked
        } else if has(&[
            "resource not accessible",
            "write access to repository not granted",
            "not allowed to push",
            "not allowed to upload",
            "permission to ",
            "denied to ",
            "read-only",
            "read only",
            "insufficient permission",
            "unauthorized",
            "error: 403",
        ]) {
            Self::MayNotPush
        } else if has(&[
            "protected",
            "gh013",
            "gh006",
            "hook declined",
            "hidden ref",
            "prohibited",
            "deny updating",
            "rejected] (non-fast-forward)",
            "refusing to",
            "funny refname",
            "push declined",
            "violation",
        ]) {
            Self::Protected
        } else if has(&[
            "could not read username",
            "could not read password",
            "authentication failed",
            "terminal prompts disabled",
            "permission denied",
            "host key verification failed",
            "error: 401",
            "invalid credentials",
        ]) {
            Self::Credentials
        } else if has(&["repository not found", "does not appear to be a git repository", "error: 404", "not found"]) {
            Self::NotFound
        } else if has(&[
            "could not resolve",
            "connection refused",
            "connection reset",
            "connection timed out",
            "timed out",
            "network is unreachable",
            "no route to host",
            "unable to access",
            "could not read from remote",
            "remote end hung up",
            "unexpected disconnect",
            "early eof",
            "ssl",
            "tls",
            "certificate",
        ]) {
            Self::NotReached
        } else {
            return None;
        })
    }

    fn what(self, place: &str) -> String {
        match self {
            Self::NoRepository => "the ledger is in git, and the calendar is in no repository".to_owned(),
            Self::Ownership => "git does not work in a repository that belongs to somebody else".to_owned(),
            Self::NotAtomic => format!("the server of {place} cannot change several refs at once"),
            Self::Locked => format!("the ledger at {place} cannot be written: its refs are locked there"),
            Self::MayNotPush => format!("the ledger at {place} cannot be written: there is no permission to push"),
            Self::Protected => format!("the ledger at {place} cannot be written: the server refuses its refs"),
            Self::Credentials => format!("the ledger at {place} cannot be used: the server does not know who asks"),
            Self::NotFound => format!("the ledger at {place} is not found"),
            Self::NotReached => format!("the ledger at {place} cannot be reached, so nothing is sent"),
        }
    }

    fn help(self, folder: &std::path::Path) -> String {
        match self {
            Self::NoRepository => {
                format!("run smm where {} is part of a clone, or write another `ledger` in smm.toml", folder.display())
            }
            Self::Ownership => {
                "if it is to be trusted, say so with `git config --global --add safe.directory FOLDER`, \
                                FOLDER being the repository's"
                    .to_owned()
            }
            Self::NotAtomic => {
                "use a remote that can (every current git server can), named as `ledger = \"git:REMOTE\"`".to_owned()
            }
            Self::Locked => {
                "try again; a lock that stays was left behind by a git that was killed there: remove the `.lock` file that \
                 is named, when no push is under way"
                    .to_owned()
            }
            Self::MayNotPush => {
                "give what runs smm the right to push: in a GitHub workflow `permissions: contents: write`, \
                                 elsewhere a token that may write to the repository"
                    .to_owned()
            }
            Self::Protected => {
                "let the server take refs below `refs/smm/` (branches and tags are not touched), or name \
                                another remote with `ledger = \"git:REMOTE\"`"
                    .to_owned()
            }
            Self::Credentials => {
                "give this clone credentials that work without a question: try `git ls-remote`".to_owned()
            }
            Self::NotFound => {
                "look at `git remote -v`: the address may be wrong, or a token may not see the repository".to_owned()
            }
            Self::NotReached => "try `git ls-remote`".to_owned(),
        }
    }
}

/// What a command has said, in one line: what counts of it comes last. Hints for people at a prompt are left out.
fn brief(stderr: &str) -> String {
    let counts = |line: &&str| {
        !line.is_empty() && !line.starts_with("hint:") && !line.starts_with("To ") && !line.starts_with("From ")
    };
    let mut lines: Vec<&str> = stderr.lines().map(str::trim).filter(counts).collect();
    // What git says of a lock at length; the file's name stands before it.
    let word = |line: &str, words: &str| line.trim_start_matches("remote:").trim_start().starts_with(words);
    if let Some(from) = lines.iter().position(|line| word(line, "Another git process seems to be running"))
        && let Some(more) = lines[from..].iter().position(|line| word(line, "remove the file manually"))
    {
        lines.drain(from..=from + more);
    }
    let last = &lines[lines.len().saturating_sub(6)..];
    let text: String = last.join(" ").chars().map(|c| if c.is_control() { ' ' } else { c }).take(600).collect();
    if text.is_empty() { "it said nothing".to_owned() } else { text }
}

/// Without what stands before the host in an address: a user, a password, a token.
pub(super) fn redact(text: &str) -> String {
    let mut clean = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("://") {
        clean.push_str(before);
        clean.push_str("://");
        let end = after.find(|c: char| c.is_whitespace() || matches!(c, '/' | '\'' | '"' | '`')).unwrap_or(after.len());
        let (authority, tail) = after.split_at(end);
        clean.push_str(authority.rsplit_once('@').map_or(authority, |(_, host)| host));
        rest = tail;
    }
    clean.push_str(rest);
    clean
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_token_of_an_address_is_shown() {
        for (text, clean) in [
            ("fatal: 'https://x-access-token:ghs_1@git.example/a.git/' x", "fatal: 'https://git.example/a.git/' x"),
            ("https://me@git.example https://a:b@c@d.example/", "https://git.example https://d.example/"),
            ("ssh://git@git.example:22/a and /some/path", "ssh://git.example:22/a and /some/path"),
            ("git@git.example:a/b.git", "git@git.example:a/b.git"),
            ("https://git.example/@team/a", "https://git.example/@team/a"),
        ] {
            assert_eq!(redact(text), clean);
        }
    }

    #[test]
    fn what_servers_say_leads_to_what_to_do() {
        // As the servers and git 2.47 word it.
        for (said, help) in [
            (
                "remote: Resource not accessible by integration\nfatal: unable to access 'https://t:s@g.example/': The requested URL returned error: 403",
                "contents: write",
            ),
            ("remote: Write access to repository not granted.", "contents: write"),
            ("remote: Permission to acme/site.git denied to github-actions[bot].", "contents: write"),
            ("remote: You are not allowed to push code to this project.", "contents: write"),
            ("remote: error: GH013: Repository rule violations found for refs/smm/ledger/state.", "refs/smm/"),
            ("! [remote rejected] a -> b (pre-receive hook declined)", "refs/smm/"),
            ("fatal: could not read Username for 'https://g.example': terminal prompts disabled", "credentials"),
            (
                "git@g.example: Permission denied (publickey).\nfatal: Could not read from remote repository.",
                "credentials",
            ),
            ("fatal: unable to access 'https://g.example/': Could not resolve host: g.example", "nothing is sent"),
            (
                "ssh: connect to host g.example port 22: Connection refused\nfatal: Could not read from remote repository.",
                "nothing is sent",
            ),
            (
                "remote: error: cannot lock ref 'refs/smm/ledger/state': Unable to create '/srv/refs/smm/ledger/state.lock': File exists.\n\
                 remote: \nremote: Another git process seems to be running in this repository, e.g.\nremote: an editor opened by \
                 'git commit'. Please make sure all processes\nremote: are terminated then try again. If it still fails, a git \
                 process\nremote: may have crashed in this repository earlier:\nremote: remove the file manually to continue.\n\
                 error: failed to push some refs to 'https://g.example/'\n",
                "ledger/state.lock': File exists. remote: error: failed",
            ),
            ("fatal: the receiving end does not support --atomic push", "git:REMOTE"),
            ("fatal: not a git repository (or any of the parent directories): .git", "part of a clone"),
            ("fatal: detected dubious ownership in repository at '/x'", "safe.directory"),
            (
                "fatal: '/nowhere.git' does not appear to be a git repository\nfatal: Could not read from remote repository.",
                "git remote -v",
            ),
        ] {
            let error = Trouble::said("push", said).explain("refs/smm/ledger on origin", std::path::Path::new("/team"));
            let text = error.to_string();
            assert!(text.contains(help), "{said}: {text}");
            assert!(!text.contains("t:s@"), "{text}");
        }
        let text = Trouble::NoProgram.explain("x", std::path::Path::new("/team")).to_string();
        assert!(text.contains("install git"), "{text}");
    }
}
